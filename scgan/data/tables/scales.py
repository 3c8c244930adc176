r"""On what scale a column is modelled: its own, or its ranks mapped to a normal distribution.

Quantised columns, repeated values, heavy tails and sharp edges give samples away whatever the
model. By its ranks every column becomes normal, whatever it was:

.. math:: z = \Phi^{-1}(F(d)), \quad d = F^{-1}(\Phi(z))

F goes up at each repeated value by the share of rows that have it; there a row's rank is drawn
uniformly from that step, and every rank of the step leads back to the value, so that exact zeros
and grids come back in their shares. Between values that occur once F is linear. But ranks bend
clusters that are normal as they are: so a column keeps its own scale where it is cheaper by the
evidence of :func:`scgan.data.tables.choosing.choose_scales`.

They would also close the wide gaps that part a column, two fields of the sky, say, whose rows then
touch at an edge that no model meets. So each part s, with the share p_s of the rows, becomes a
normal of its own, apart from the next,

.. math:: z = \Bigl(s \Delta + \Phi^{-1}\Bigl(\frac{F - F_s}{p_s}\Bigr) - m\Bigr) / v

with F_s the share below it, and m and v such that z has mean 0 and variance 1.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from scgan.config import suggest

Scale = Literal["linear", "ranks"]
"""A column's own scale, standardised; or its ranks, mapped to a normal distribution."""

ScaleChoice = Literal["auto", "linear", "ranks"]


class Scaling(NamedTuple):
    """The scales that are asked for.

    Args:
        scale: Of all columns; "auto" chooses each by what it saves.
        own: Of some columns instead, ``"NAME=linear"`` or ``"NAME=ranks"``.
        relations: Whether columns that others determine are computed, not modelled.
    """

    scale: ScaleChoice = "auto"
    own: tuple[str, ...] = ()
    relations: bool = True

    def by_column(self, names: Sequence[str]) -> dict[str, ScaleChoice]:
        """What is asked for each of these columns.

        Raises:
            ValueError: For an unknown column or scale.
        """
        asked: dict[str, ScaleChoice] = dict.fromkeys(names, self.scale)
        for text in self.own:
            name, equals, scale = text.rpartition("=")
            choice = next((known for known in get_args(ScaleChoice) if known == scale), None)
            if not equals or choice is None:
                allowed = ", ".join(f"NAME={known}" for known in get_args(ScaleChoice))
                raise ValueError(f"data.scales: {text!r} must be one of {allowed}")
            if name not in asked:
                raise ValueError(f"data.scales: no column {name!r}{suggest(name, names)}")
            asked[name] = choice

        return asked


MAX_KNOTS = 4096
"""Distinct values that F is kept at; of more, some that are even in rank and in z."""

MIN_RANK = 1e-9  # z within 6 standard deviations

WIDE_GAP = 0.1  # of the range of the middle 98 % of rows; a wider one parts a column
LEAST_PART = 0.02  # share of the rows
LEAST_VALUES = 32  # distinct ones of a part: a column of few values has gaps everywhere
APART = 6.0  # standard deviations between the middles of neighbouring parts
_TAIL = 0.0019  # of a part's normal on either side, cut off at 2.9 deviations: parts never touch

_ARRAYS = ("d", "lower", "upper", "breaks")


@dataclass(frozen=True, eq=False)
class Ranks:
    """A column's distribution function F, on the distances d of :class:`Column`.

    Attributes:
        d: Values, ``[M]``, rising.
        lower: F below each, ``[M]``, in [0, 1].
        upper: F at each, ``[M]``; above ``lower`` where rows share the value, or share the next
            one, as nothing lies between the two; else equal.
        breaks: F at the wide gaps, ``[G]``, rising.
    """

    d: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    breaks: np.ndarray

    @classmethod
    def fit(
        cls,
        d: np.ndarray,
        *,
        low: float | None = None,
        high: float | None = None,
        tied: bool = False,
    ) -> Ranks:
        """Take F from a column's rows.

        Args:
            d: Distances of the rows, ``[N]``, N at least 2.
            low: The column's least distance, if these rows are only some of it; None: theirs.
            high: The greatest, likewise.
            tied: Whether every value is as a shared one: nothing lies between two.

        Returns:
            F at all distinct values, or at :data:`MAX_KNOTS` of them.
        """
        values, counts = np.unique(d, return_counts=True)
        num = len(d)
        above = np.cumsum(counts) / num
        below = above - counts / num

        gaps = [] if tied else _wide_gaps(values, above, np.quantile(d, (0.01, 0.99)))
        steps = (counts > max(1, num // MAX_KNOTS)) | tied
        steps[gaps] = True  # nothing lies in a gap
        middle = (below + above) / 2
        after, before = np.roll(steps, 1), np.roll(steps, -1)
        after[0] = before[-1] = False
        lower = np.where(steps | after, below, middle)
        upper = np.where(steps | before, above, middle)

        kept = _kept(middle, steps | after | before)
        ranks = cls(values[kept], lower[kept], upper[kept], above[gaps])

        # The ends of all rows, where these are a sample of them.
        edge = 1 / (4 * num)
        if low is not None and low < ranks.d[0]:
            ranks = ranks._with(0, low, edge)
        if high is not None and high > ranks.d[-1]:
            ranks = ranks._with(len(ranks.d), high, 1 - edge)

        return ranks

    def above(self, d: float, share: float) -> Ranks:
        """The same with a value below all others that a share of the rows has, in [0, 1].

        Nothing lies between it and the next.
        """
        arrays = (self.lower, self.upper, self.breaks)
        lower, upper, breaks = (share + (1 - share) * rank for rank in arrays)
        lower[0] = share
        raised = Ranks(self.d, lower, upper, breaks)
        return raised._inserted(0, (d, 0.0, share))

    def _with(self, place: int, d: float, rank: float) -> Ranks:
        """The same with one more value at a place."""
        return self._inserted(place, (d, rank, rank))

    def _inserted(self, place: int, values: tuple[float, float, float]) -> Ranks:
        """The same with a value, F below it and F at it at a place."""
        arrays = zip((self.d, self.lower, self.upper), values, strict=True)
        d, lower, upper = (np.insert(array, place, value) for array, value in arrays)
        return Ranks(d, lower, upper, self.breaks)

    def forward(self, d: np.ndarray, place: np.ndarray | float, spread: float) -> np.ndarray:
        """Distances to z.

        Args:
            d: ``[N]``.
            place: Where in its step the rank of a shared value lies, in [0, 1], ``[N]`` or one for
                all.
            spread: Standard deviation of d, by which z goes on beyond the values that were fitted.

        Returns:
            z, ``[N]``.
        """
        last = len(self.d) - 1
        left = np.clip(np.searchsorted(self.d, d, "right") - 1, 0, last)
        right = np.minimum(left + 1, last)

        gap = self.d[right] - self.d[left]
        share = np.clip((d - self.d[left]) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
        between = self.upper[left] + share * (self.lower[right] - self.upper[left])
        at = self.lower[left] + place * (self.upper[left] - self.lower[left])
        z = self._quantiles(np.where(self.d[left] == d, at, between))

        # Beyond the ends z goes on from theirs.
        first, last_z = self._quantiles((self.lower + self.upper)[[0, -1]] / 2)
        beyond = d - np.clip(d, self.d[0], self.d[-1])
        edge = np.where(beyond < 0, first, last_z)
        return np.where(beyond == 0, z, edge + beyond / spread)

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Distances of z, ``[N]``, within those that were fitted."""
        rank = np.stack([self.lower, self.upper], axis=1).ravel()
        return np.interp(self._ranks(z), rank, np.repeat(self.d, 2))

    def _quantiles(self, rank: np.ndarray) -> np.ndarray:
        """Z of ranks: normal quantiles, in each part between gaps its own, apart from others'."""
        if not len(self.breaks):
            return _quantiles(rank)

        edges, middle, spread = self._parts()
        part = np.clip(np.searchsorted(edges, rank, "left") - 1, 0, len(self.breaks))
        share = np.clip((rank - edges[part]) / np.diff(edges)[part], 0, 1)
        return (APART * part + _quantiles(_TAIL + (1 - 2 * _TAIL) * share) - middle) / spread

    def _ranks(self, z: np.ndarray) -> np.ndarray:
        """Ranks of z, within the part whose middle is nearest."""
        if not len(self.breaks):
            return _normal(z)

        edges, middle, spread = self._parts()
        apart = z * spread + middle
        part = np.clip(np.rint(apart / APART), 0, len(self.breaks)).astype(np.int64)
        share = (_normal(apart - APART * part) - _TAIL) / (1 - 2 * _TAIL)
        return edges[part] + np.diff(edges)[part] * np.clip(share, 0, 1)

    def _parts(self) -> tuple[np.ndarray, float, float]:
        """Ranks at the parts' edges, and mean and deviation of their normals side by side."""
        edges = np.concatenate([[0.0], self.breaks, [1.0]])
        places, shares = APART * np.arange(len(edges) - 1), np.diff(edges)
        middle = float(shares @ places)
        return edges, middle, float(np.sqrt(1 + shares @ np.square(places - middle)))

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same function."""
        if not isinstance(other, Ranks):
            return NotImplemented
        return all(np.array_equal(getattr(self, x), getattr(other, x)) for x in _ARRAYS)

    __hash__ = None  # type: ignore[assignment]

    def to_plain(self) -> dict[str, str]:
        """Texts, which :meth:`from_plain` turns into an equal function."""
        arrays = {name: getattr(self, name).astype("<f8").tobytes() for name in _ARRAYS}
        return {name: base64.b64encode(content).decode() for name, content in arrays.items()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, str]) -> Ranks:
        """Read what :meth:`to_plain` wrote."""
        arrays = {name: base64.b64decode(plain[name]) for name in _ARRAYS}
        return cls(**{name: np.frombuffer(content, "<f8") for name, content in arrays.items()})


def _wide_gaps(values: np.ndarray, above: np.ndarray, middle: np.ndarray) -> list[int]:
    """Places of the values after which a wide gap parts a column.

    Args:
        values: Distinct, rising, ``[M]``.
        above: Share of the rows up to each, ``[M]``.
        middle: Between which values 98 % of the rows lie, ``[2]``.
    """
    found: list[int] = []
    start = -1
    for i in np.flatnonzero(np.diff(values) > WIDE_GAP * (middle[1] - middle[0])).tolist():
        share = above[i] - (above[start] if found else 0.0)
        many = min(i - start, len(values) - 1 - i) >= LEAST_VALUES
        if many and min(share, 1 - above[i]) >= LEAST_PART:
            found.append(i)
            start = i
    return found


def _quantiles(rank: np.ndarray) -> np.ndarray:
    """Standard normal quantiles, finite."""
    held = torch.from_numpy(np.clip(rank, MIN_RANK, 1 - MIN_RANK))
    return torch.special.ndtri(held).numpy()


def _normal(z: np.ndarray) -> np.ndarray:
    """The standard normal distribution function."""
    return torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(z, dtype=np.float64))).numpy()


def _kept(middle: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Places of the values that stay: the ends, those at steps, and some even in rank and z."""
    if len(middle) <= MAX_KNOTS:
        return np.arange(len(middle))

    in_rank = np.linspace(0, 1, MAX_KNOTS // 2)
    ends_in_z = _quantiles(middle[[0, -1]])
    in_z = _normal(np.linspace(ends_in_z[0], ends_in_z[1], MAX_KNOTS // 2))
    places = np.searchsorted(middle, np.concatenate([in_rank, in_z]))

    ends = np.array([0, len(middle) - 1])
    wanted = np.concatenate([ends, np.flatnonzero(steps), places])
    return np.unique(np.minimum(wanted, len(middle) - 1))


def largest_atom(d: np.ndarray) -> float:
    """Share of the commonest value, in (0, 1]."""
    return float(np.unique(d, return_counts=True)[1].max() / len(d))


def decimals_of(values: np.ndarray) -> int | None:
    """Fewest digits after the point that write all values of a float column exactly.

    Args:
        values: ``[N]``, of a float type.

    Returns:
        0 to 6; None where they need more, or where the type itself resolves no more than that.
    """
    spacing = float(np.abs(values).max()) * float(np.finfo(values.dtype).eps)
    for decimals in range(7):
        if 10.0**-decimals < spacing:
            return None
        # Most columns fail at once: look at few rows first.
        if all(_on_grid(rows, decimals) for rows in (values[:256], values)):
            return decimals
    return None


def _on_grid(values: np.ndarray, decimals: int) -> bool:
    rounded = np.round(values.astype(np.float64), decimals).astype(values.dtype)
    return bool(np.array_equal(rounded, values))
