"""A column of a table: its type, range and grid, and its values as floats of a common scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from scgan.data.tables.digits import to_digits
from scgan.data.tables.distances import add_steps, distance_from, places_of
from scgan.data.tables.relations import Relation
from scgan.data.tables.scales import Ranks, Scale
from scgan.data.tables.values import Level, Meaning, gapped, mask_of, present

# The rows of a fit lie within sqrt(N) standard deviations; others are held where their squares stay
# finite.
FARTHEST = 1e6

GAP = -1.0
"""The distance d of a missing value: below all others, from which nothing leads to it."""

Kind = Literal["modelled", "constant", "duplicate", "derived"]


@dataclass(frozen=True)
class Column:
    r"""One column: its type, its range on the training rows and its standardisation.

    .. math:: d = (v - low) / 2^{exponent}, \quad
        z = (d - center) / spread \quad \text{or} \quad z = \Phi^{-1}(F(d))

    The distance d is exact for integers of 64 bits and can't overflow for floats. What is restored
    lies within the observed range, on the column's grid where it has one. A category is a whole
    number, its place among ``categories``; a time counts its unit; a missing value is at d = -1.
    Columns with categories or gaps are modelled by their ranks, at whose steps nothing lies between
    two values. Of a column that others nearly determine, what they leave of it is modelled, a
    column in itself.

    Attributes:
        name: As in the user's table.
        dtype: numpy's name of the type, e.g. ``"float32"``, ``"uint8"``, ``"bool"``, ``"str"``,
            ``"datetime64[us]"``.
        kind: ``"modelled"``; ``"constant"``: always ``low``, or never any value; ``"duplicate"``:
            equal to the column ``source``; ``"derived"``: computed of others by ``relation``.
        low: Lowest value on the training rows, an int for all but floats.
        high: Highest one.
        exponent: For floats the power of two that brings the column into [-1, 1]; 0 for integers,
            constants.
        center: Mean of d.
        spread: Standard deviation of d; 1 for a constant.
        source: Name of the column a duplicate repeats, else None.
        decimals: Digits after the point that write every value of a float column; None where they
            are many.
        digits: Significant digits that write every value of a float64 column; None where they are
            many.
        ranks: F, of a column that is modelled by its ranks; None for its own scale.
        relation: How a derived column is computed, or a modelled one but for its rest; else None.
        rest: What others leave of the column, where that is modelled in its place; else None.
        gain: Nats a row that its scale saves against the other, None where it was not chosen by
            that.
        categories: All values of a column of categories, neighbours alike; None for others.
        grid: Of whole numbers and times, what divides all differences: the unit of d.
        gaps: Share of the training rows without a value; None where every known row has one.
        nan: Whether gaps are NaN, of a column of floats; else nulls.
        meaning: What it is beyond ``dtype``, None for nothing.
    """

    name: str
    dtype: str
    kind: Kind
    low: int | float
    high: int | float
    exponent: int
    center: float
    spread: float
    source: str | None = None
    decimals: int | None = None
    digits: int | None = None
    ranks: Ranks | None = None
    relation: Relation | None = None
    rest: Column | None = None
    gain: float | None = None
    categories: tuple[Level, ...] | None = None
    grid: int = 1
    gaps: float | None = None
    nan: bool = False
    meaning: Meaning | None = None

    @property
    def scale(self) -> Scale:
        """What it is modelled on."""
        return "linear" if self.seen.ranks is None else "ranks"

    @property
    def seen(self) -> Column:
        """What a model sees of it: the column itself, or what others leave of it."""
        return self if self.rest is None else self.rest

    @property
    def is_normal(self) -> bool:
        """Whether z is standard normal over the training rows: by ranks, with no wide gap."""
        ranks = self.seen.ranks
        return ranks is not None and not len(ranks.breaks)

    @property
    def mean(self) -> float:
        """Mean on the training rows, in the user's units."""
        return math.ldexp(
            math.ldexp(float(self.low), -self.exponent) + self.center * self.grid, self.exponent
        )

    @property
    def std(self) -> float:
        """Standard deviation on the training rows, in the user's units; 1 for a constant."""
        return math.ldexp(self.spread, self.exponent) * self.grid

    @property
    def is_integer(self) -> bool:
        """Whether samples are rounded: whole numbers, times and categories."""
        return self.categories is not None or np.dtype(self.dtype).kind in "iubMm"

    @property
    def is_number(self) -> bool:
        """Whether it is a plain number in every row."""
        return not self.needs_ranks and not self.is_time

    @property
    def is_exact_in_floats(self) -> bool:
        """Whether float64 has each of its values: not of whole numbers beyond 2^53."""
        return not self.is_integer or max(abs(self.low), abs(self.high)) <= 2**53

    @property
    def is_time(self) -> bool:
        """Whether it holds points in time or spans of it."""
        return np.dtype(self.dtype).kind in "Mm"

    @property
    def needs_ranks(self) -> bool:
        """Whether it can't be modelled on its own scale: categories, gaps."""
        return self.categories is not None or self.gaps is not None

    @property
    def step(self) -> float:
        """The grid's step as a distance d, 0 where the column has none."""
        if self.is_integer:
            return 1.0
        return 0.0 if self.decimals is None else math.ldexp(10.0**-self.decimals, -self.exponent)

    def distance(self, values: np.ndarray) -> np.ndarray:
        """Values in the user's units, masked where missing, to distances d, float64 ``[N]``.

        Raises:
            ValueError: For a category that the column doesn't have, for a gap where it has none,
                and for values of another kind.
        """
        there = ~mask_of(values)
        if self.gaps is None and not there.all():
            raise ValueError(
                f"column {self.name!r} has no value in {int((~there).sum())} of {len(there)} rows; "
                "where it was fitted, every row had one"
            )

        d = np.full(len(values), GAP)
        d[there] = self._distance(present(values))
        if self.gaps is not None:  # a value below all that were fitted is no gap
            d[there] = np.maximum(d[there], 0.0)
        return d

    def _distance(self, values: np.ndarray) -> np.ndarray:
        kind, own = values.dtype.kind, np.dtype(self.dtype).kind
        if len(values) and kind != own and {kind, own} & set("UMm"):
            raise ValueError(
                f"column {self.name!r} holds {values.dtype.name}; where it was fitted, {self.dtype}"
            )

        if self.categories is not None:
            return places_of(self.name, values, self.categories)
        if self.is_time:
            values = values.astype(self.dtype).astype(np.int64)
        exact = values if self.is_integer else values.astype(np.float64)
        return distance_from(exact, self.low, self.exponent) / self.grid

    def ranked(self, values: np.ndarray) -> Column:
        """The same column by the ranks of its rows ``[N]``, or of a random sample of them."""
        d = self._distance(present(values))
        if self.categories is not None:
            ranks = Ranks.fit(d, tied=True)
        else:
            high = float(self._distance(self._typed(np.array([self.high])))[0])
            ranks = Ranks.fit(d if len(d) else np.array([0.0, high]), low=0.0, high=high)
        return replace(self, ranks=ranks if self.gaps is None else ranks.above(GAP, self.gaps))

    def encode(self, values: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Values in the user's units to z.

        Args:
            values: ``[N]``.
            rng: Spreads values of a grid over its steps, and shared values over their ranks, so
                that a density can be learned; None leaves them in the middle.

        Returns:
            z, float64 ``[N]``.
        """
        d = self.distance(values)
        place = 0.5 if rng is None else rng.random(len(d))
        if self.ranks is not None:
            z = self.ranks.forward(d, place, self.spread)
        else:
            z = (d + (place - 0.5) * self.step - self.center) / self.spread
        return np.clip(z, -FARTHEST, FARTHEST)

    def restore(self, z: np.ndarray) -> np.ndarray:
        """z, float64 ``[N]``, to the column's type: on its grid, within the observed range.

        Returns:
            ``[N]``; a masked array where the column has gaps.
        """
        if self.ranks is None:
            distance = z * self.spread + self.center
        else:
            distance = self.ranks.inverse(z)
        values = self._restored(np.maximum(distance, 0.0) if self.gaps is not None else distance)
        if self.gaps is None:
            return values
        return self._with_gaps(values, distance < GAP / 2)

    def _with_gaps(self, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if self.nan:
            values[mask] = np.nan
        return gapped(values, mask)

    def _restored(self, distance: np.ndarray) -> np.ndarray:
        if self.is_integer:
            return self._typed(add_steps(int(self.low), int(self.high), distance, self.grid))

        with np.errstate(over="ignore"):  # held within the range
            values = np.ldexp(math.ldexp(self.low, -self.exponent) + distance, self.exponent)
        return self.fitted(values)

    def _typed(self, numbers: np.ndarray) -> np.ndarray:
        """Whole numbers as what they stand for; others in the column's type."""
        if self.categories is None:
            whole = numbers.astype(np.int64) if self.is_time else numbers
            return whole.astype(np.dtype(self.dtype))
        return np.array(self.categories, dtype=np.dtype(self.dtype).type)[numbers.astype(np.int64)]

    def constant(self, num: int) -> np.ndarray:
        """As many times the value that a constant has in every row, or none."""
        values = np.repeat(self._typed(np.array([self.low])), num)
        if self.gaps is None:
            return values
        return self._with_gaps(values, np.full(num, self.gaps == 1))

    def fitted(self, values: np.ndarray) -> np.ndarray:
        """Float64 values ``[N]`` as the column holds them: its grid, its range, its type."""
        dtype = np.dtype(self.dtype)
        if self.is_integer:
            values = np.rint(values)
        elif self.decimals is not None:
            values = np.round(values, self.decimals) + 0.0  # no -0.0
        values = np.clip(values, self.low, self.high)
        if self.digits is not None:
            values = to_digits(values, self.digits)
        return values.astype(dtype)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, which :meth:`from_plain` turns into an equal column."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        ranks = None if self.ranks is None else self.ranks.to_plain()
        relation = None if self.relation is None else asdict(self.relation)
        rest = None if self.rest is None else self.rest.to_plain()
        meaning = None if self.meaning is None else asdict(self.meaning)
        return plain | {"ranks": ranks, "relation": relation, "rest": rest, "meaning": meaning}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Column:
        """Read what :meth:`to_plain` wrote."""
        ranks, relation, rest, meaning = map(plain.get, ("ranks", "relation", "rest", "meaning"))
        categories = plain.get("categories")
        objects = {
            "ranks": None if ranks is None else Ranks.from_plain(ranks),
            "relation": None if relation is None else Relation.from_plain(relation),
            "rest": None if rest is None else cls.from_plain(rest),
            "meaning": None if meaning is None else Meaning.from_plain(meaning),
            "categories": None if categories is None else tuple(categories),
        }
        return cls(**{**plain, **objects})
