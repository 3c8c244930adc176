r"""On what scale a column is modelled: its own, or its ranks mapped to a normal distribution.

Quantised columns, repeated values, heavy tails and sharp edges give samples away whatever the
model. By its ranks every column becomes normal, whatever it was:

.. math:: z = \Phi^{-1}(F(d)), \quad d = F^{-1}(\Phi(z))

F goes up at each repeated value by the share of rows that have it; there a row's rank is drawn
uniformly from that step, and every rank of the step leads back to the value, so that exact zeros
and grids come back in their shares. Between values that occur once F is linear. But ranks close the
gaps between clusters, and bend clusters that are normal as they are: so a column keeps its own
scale where it is cheaper by the evidence of :func:`choose_scales`.
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

MAX_ATOM = 0.02
"""A value that more rows share can't be modelled on the column's own scale."""

MIN_EVIDENCE_ROWS = 200  # of fewer rows nothing can be said
EVIDENCE_ROWS = 20_000
"""Rows by which a scale is chosen."""

EVIDENCE_CLUSTERS = 32
MIN_GAIN = 0.02  # nats a row; less is within the noise of so many rows

_LETTERS = ("d", "lower", "upper")


@dataclass(frozen=True, eq=False)
class Ranks:
    """A column's distribution function F, on the distances d of :class:`Column`.

    Attributes:
        d: Values, ``[M]``, rising.
        lower: F below each, ``[M]``, in [0, 1].
        upper: F at each, ``[M]``; above ``lower`` where rows share the value, or share the next
            one, as nothing lies between the two; else equal.
    """

    d: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

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

        steps = (counts > max(1, num // MAX_KNOTS)) | tied
        middle = (below + above) / 2
        after, before = np.roll(steps, 1), np.roll(steps, -1)
        after[0] = before[-1] = False
        lower = np.where(steps | after, below, middle)
        upper = np.where(steps | before, above, middle)

        kept = _kept(middle, steps | after | before)
        ranks = cls(values[kept], lower[kept], upper[kept])

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
        lower, upper = (share + (1 - share) * rank for rank in (self.lower, self.upper))
        lower[0] = share
        return Ranks(np.insert(self.d, 0, d), np.insert(lower, 0, 0), np.insert(upper, 0, share))

    def _with(self, place: int, d: float, rank: float) -> Ranks:
        """The same with one more value at a place."""
        arrays = zip((self.d, self.lower, self.upper), (d, rank, rank), strict=True)
        return Ranks(*(np.insert(array, place, value) for array, value in arrays))

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
        z = _quantiles(np.where(self.d[left] == d, at, between))

        # Beyond the ends z goes on from theirs.
        first, last_z = _quantiles((self.lower + self.upper)[[0, -1]] / 2)
        beyond = d - np.clip(d, self.d[0], self.d[-1])
        edge = np.where(beyond < 0, first, last_z)
        return np.where(beyond == 0, z, edge + beyond / spread)

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Distances of z, ``[N]``, within those that were fitted."""
        rank = np.stack([self.lower, self.upper], axis=1).ravel()
        return np.interp(_normal(z), rank, np.repeat(self.d, 2))

    def __eq__(self, other: object) -> bool:
        """Whether the other is the same function."""
        if not isinstance(other, Ranks):
            return NotImplemented
        return all(np.array_equal(getattr(self, x), getattr(other, x)) for x in _LETTERS)

    __hash__ = None  # type: ignore[assignment]

    def to_plain(self) -> dict[str, str]:
        """Texts, which :meth:`from_plain` turns into an equal function."""
        arrays = {name: getattr(self, name).astype("<f8").tobytes() for name in _LETTERS}
        return {name: base64.b64encode(content).decode() for name, content in arrays.items()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, str]) -> Ranks:
        """Read what :meth:`to_plain` wrote."""
        arrays = {name: base64.b64decode(plain[name]) for name in _LETTERS}
        return cls(**{name: np.frombuffer(content, "<f8") for name, content in arrays.items()})


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


def choose_scales(
    linear: np.ndarray, ranks: np.ndarray, atoms: Sequence[float], rng: np.random.Generator
) -> list[tuple[Scale, float | None]]:
    r"""Choose each column's scale by what it costs to tell a held-out row's value.

    Rows are clustered by all columns. Given its cluster a value is told by a normal distribution,
    on the one scale or the other; the cost is the cross-entropy in the column's own unit,

    .. math:: H_\text{linear} = -\mathbb{E} \log \mathcal{N}(x; m_k, s_k^2), \quad
        H_\text{ranks} = -\mathbb{E} \log \mathcal{N}(z; m'_k, s'^2_k)
            - \mathbb{E} \log \frac{dz}{dx}, \quad
        -\mathbb{E} \log \frac{dz}{dx} = h(X) - \tfrac{1}{2} \log 2 \pi e

    as z is standard normal over all rows. The entropy h(X) is estimated from spacings.

    Args:
        linear: Rows in random order on their own scales, standardised, ``[N, D]``; the second half
            is held out.
        ranks: The same rows by their ranks, ``[N, D]``.
        atoms: Share of each column's commonest value, ``[D]``; above :data:`MAX_ATOM` a column is
            modelled by its ranks.
        rng: Starts the clustering.

    Returns:
        For each column its scale, and the nats a row that it saves against the other; None where
        it was not chosen by that: of a column of few values, and of few rows.

    Source: entropy by [VASICEK]; the choice is ours.
    """
    from sklearn.cluster import MiniBatchKMeans

    if len(linear) < MIN_EVIDENCE_ROWS:
        return [("ranks", None) for _ in atoms]

    half = len(linear) // 2
    num_clusters = max(1, min(EVIDENCE_CLUSTERS, half // 50))

    # In coordinates between the two, so that neither is favoured.
    between = (np.clip(linear, -8, 8) + ranks) / 2
    seed = int(rng.integers(2**31))
    means = MiniBatchKMeans(num_clusters, n_init=1, batch_size=2048, random_state=seed)
    k = means.fit(between[:half]).predict(between)

    chosen: list[tuple[Scale, float | None]] = []
    for column, atom in enumerate(atoms):
        if atom > MAX_ATOM:
            chosen.append(("ranks", None))
            continue

        x, z = linear[:, column], ranks[:, column]
        cost_linear = _cross_entropy(x, k, half)
        cost_ranks = _cross_entropy(z, k, half) + _entropy(x) - 0.5 * np.log(2 * np.pi * np.e)
        saved = cost_ranks - cost_linear
        chosen.append(("linear", saved) if saved > MIN_GAIN else ("ranks", -saved))

    return chosen


def _cross_entropy(x: np.ndarray, k: np.ndarray, half: int) -> float:
    """Nats a value of the second half, told by its cluster's normal of the first."""
    total, everywhere = 0.0, max(float(x[:half].std()), 1e-12)
    for cluster in np.unique(k[half:]):
        known, told = x[:half][k[:half] == cluster], x[half:][k[half:] == cluster]
        if len(known) < 2:
            known = x[:half]
        deviation = max(float(known.std()), 1e-3 * everywhere)
        z = (told - known.mean()) / deviation
        total += float((0.5 * z**2 + np.log(deviation) + 0.5 * np.log(2 * np.pi)).sum())

    return total / (len(x) - half)


def _entropy(x: np.ndarray) -> float:
    """Differential entropy in nats, by the spacings of the order statistics."""
    num = len(x)
    m = max(1, round(num**0.5))
    padded = np.pad(np.sort(x), m, mode="edge")
    spacings = padded[2 * m :] - padded[: -2 * m]
    return float(np.log(num / (2 * m) * np.maximum(spacings, 1e-12)).mean())
