"""A column of a table: its type, range and grid, and its values as floats of a common scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from scgan.data.tables.relations import Relation
from scgan.data.tables.scales import Ranks, Scale, decimals_of

# The rows of a fit lie within sqrt(N) standard deviations; others are held where their squares stay
# finite.
FARTHEST = 1e6

Kind = Literal["modelled", "constant", "duplicate", "derived"]


@dataclass(frozen=True)
class Column:
    r"""One column: its type, its range on the training rows and its standardisation.

    .. math:: d = (v - low) / 2^{exponent}, \quad
        z = (d - center) / spread \quad \text{or} \quad z = \Phi^{-1}(F(d))

    The distance d is exact for integers of 64 bits and can't overflow for floats. What is restored
    lies within the observed range, on the column's grid where it has one.

    Attributes:
        name: As in the user's table.
        dtype: numpy's name of the type, e.g. ``"float32"``, ``"uint8"``, ``"bool"``.
        kind: ``"modelled"``; ``"constant"``: always ``low``; ``"duplicate"``: equal to the column
            ``source``; ``"derived"``: computed of others by ``relation``.
        low: Lowest value on the training rows, an int for integers and bool.
        high: Highest one.
        exponent: For floats the power of two that brings the column into [-1, 1]; 0 for integers,
            constants.
        center: Mean of d.
        spread: Standard deviation of d; 1 for a constant.
        source: Name of the column a duplicate repeats, else None.
        decimals: Digits after the point that write every value of a float column; None where they
            are many.
        ranks: F, of a column that is modelled by its ranks; None for its own scale.
        relation: How a derived column is computed, else None.
        gain: Nats a row that its scale saves against the other, None where it was not chosen by
            that.
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
    ranks: Ranks | None = None
    relation: Relation | None = None
    gain: float | None = None

    @property
    def scale(self) -> Scale:
        """What it is modelled on."""
        return "linear" if self.ranks is None else "ranks"

    @property
    def mean(self) -> float:
        """Mean on the training rows, in the user's units."""
        return math.ldexp(math.ldexp(float(self.low), -self.exponent) + self.center, self.exponent)

    @property
    def std(self) -> float:
        """Standard deviation on the training rows, in the user's units; 1 for a constant."""
        return math.ldexp(self.spread, self.exponent)

    @property
    def is_integer(self) -> bool:
        """Whether samples are rounded: integers and bool."""
        return np.dtype(self.dtype).kind in "iub"

    @property
    def step(self) -> float:
        """The grid's step as a distance d, 0 where the column has none."""
        if self.is_integer:
            return 1.0
        return 0.0 if self.decimals is None else math.ldexp(10.0**-self.decimals, -self.exponent)

    def distance(self, values: np.ndarray) -> np.ndarray:
        """Values in the user's units to distances d, float64 ``[N]``."""
        exact = values if self.is_integer else values.astype(np.float64)
        return distance_from(exact, self.low, self.exponent)

    def ranked(self, values: np.ndarray) -> Column:
        """The same column by the ranks of its rows ``[N]``, or of a random sample of them."""
        high = float(self.distance(np.asarray([self.high], self.dtype))[0])
        return replace(self, ranks=Ranks.fit(self.distance(values), low=0.0, high=high))

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
        """z, float64 ``[N]``, to the column's type: on its grid, within the observed range."""
        dtype = np.dtype(self.dtype)
        if self.ranks is None:
            distance = z * self.spread + self.center
        else:
            distance = self.ranks.inverse(z)

        if self.is_integer:
            return _add_steps(self.low, self.high, distance).astype(dtype)

        with np.errstate(over="ignore"):  # held within the range
            values = np.ldexp(math.ldexp(self.low, -self.exponent) + distance, self.exponent)
        return self.fitted(values)

    def fitted(self, values: np.ndarray) -> np.ndarray:
        """Float64 values ``[N]`` as the column holds them: its grid, its range, its type."""
        dtype = np.dtype(self.dtype)
        if self.is_integer:
            values = np.rint(values)
        elif self.decimals is not None:
            values = np.round(values, self.decimals) + 0.0  # no -0.0
        return np.clip(values, self.low, self.high).astype(dtype)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, which :meth:`from_plain` turns into an equal column."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        ranks = None if self.ranks is None else self.ranks.to_plain()
        relation = None if self.relation is None else asdict(self.relation)
        return plain | {"ranks": ranks, "relation": relation}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Column:
        """Read what :meth:`to_plain` wrote."""
        ranks, relation = plain.get("ranks"), plain.get("relation")
        objects = {
            "ranks": None if ranks is None else Ranks.from_plain(ranks),
            "relation": None if relation is None else Relation.from_plain(relation),
        }
        return cls(**{**plain, **objects})


def measure_column(name: str, values: np.ndarray) -> Column:
    """Measure a column, in float64, on its own scale: of at least one finite value ``[N]``."""
    low, high = value_range(values)
    dtype = values.dtype.name
    if low == high:
        return Column(name, dtype, "constant", low, high, 0, 0.0, 1.0)

    exponent = exponent_of(values.dtype, low, high)
    distance = distance_from(values, low, exponent)
    center, spread = float(distance.mean()), float(distance.std())
    decimals = decimals_of(values) if values.dtype.kind == "f" else None
    return Column(name, dtype, "modelled", low, high, exponent, center, spread, decimals=decimals)


def value_range(values: np.ndarray) -> tuple[int | float, int | float]:
    """Lowest and highest of at least one value, ints for integers and bool."""
    low, high = values.min().item(), values.max().item()
    if values.dtype.kind == "f":
        return low + 0.0, high + 0.0  # -0.0 to 0.0, so that one constant has one value
    return int(low), int(high)


def exponent_of(dtype: np.dtype, low: int | float, high: int | float) -> int:
    """Of floats, the power of two that brings them into [-1, 1]; 0 for integers."""
    return math.frexp(max(abs(low), abs(high)))[1] if dtype.kind == "f" else 0


def distance_from(values: np.ndarray, low: int | float, exponent: int) -> np.ndarray:
    """Distances d from ``low``, float64 ``[N]``: see :class:`Column`."""
    if values.dtype.kind == "f":
        return np.ldexp(values.astype(np.float64), -exponent) - math.ldexp(low, -exponent)
    # Differences modulo 2^64 are exact for every 64-bit type. Rows below ``low`` (not among those
    # fitted) are counted down.
    offset = _wrap(values) - np.uint64(int(low) % 2**64)
    below = -(~offset + np.uint64(1)).astype(np.float64)
    return np.where(values >= low, offset.astype(np.float64), below)


def _wrap(values: np.ndarray) -> np.ndarray:
    signed = values.astype(np.int64) if values.dtype.kind == "i" else values
    return signed.astype(np.uint64)


def _add_steps(low: int | float, high: int | float, distance: np.ndarray) -> np.ndarray:
    span = int(high) - int(low)
    steps = np.rint(np.maximum(distance, 0.0))
    # float(span) may round above the span, and above 2^64 where no integer type follows.
    at_end = steps >= float(span)
    offset = np.where(at_end, np.uint64(span), np.where(at_end, 0.0, steps).astype(np.uint64))
    return offset + np.uint64(int(low) % 2**64)
