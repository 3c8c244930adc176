"""Whether a column is modelled on its own scale or by its ranks, by what either costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scgan.data.tables.column import Column
from scgan.data.tables.scales import Scale, largest_atom

MAX_ATOM = 0.02
"""A value that more rows share can't be modelled on the column's own scale."""

MIN_EVIDENCE_ROWS = 200  # of fewer rows nothing can be said
EVIDENCE_ROWS = 20_000
"""Rows by which a scale is chosen."""

EVIDENCE_CLUSTERS = 32
MIN_GAIN = 0.02  # nats a row; less is within the noise of so many rows


def scales_of(
    columns: Sequence[Column],
    ranked: Mapping[str, Column],
    values: Mapping[str, np.ndarray],
    seed: int,
) -> dict[str, tuple[Scale, float | None]]:
    """The better scale of each of these columns, and the nats a row that it saves.

    Args:
        columns: At least one, on their own scales.
        ranked: The same by their ranks, by name.
        values: What is seen of them, ``[N]``, by name.
        seed: Of the rows that are looked at.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(values[columns[0].name]))[:EVIDENCE_ROWS]
    linear = [c.encode(values[c.name][rows], rng) for c in columns]
    ranks = [ranked[c.name].encode(values[c.name][rows], rng) for c in columns]
    atoms = [largest_atom(np.asarray(values[c.name])) for c in columns]
    found = choose_scales(np.stack(linear, axis=1), np.stack(ranks, axis=1), atoms, rng)
    return dict(zip([c.name for c in columns], found, strict=True))


def choose_scales(
    linear: np.ndarray, ranks: np.ndarray, atoms: Sequence[float], rng: np.random.Generator
) -> list[tuple[Scale, float | None]]:
    r"""Choose each column's scale by what it costs to tell a held-out row's value.

    Rows are clustered by all columns. Given its cluster a value is told by a normal distribution,
    on the one scale or the other; the cost is the cross-entropy in the column's own unit,

    .. math:: H_\text{linear} = -\mathbb{E} \log \mathcal{N}(x; m_k, s_k^2), \quad
        H_\text{ranks} = -\mathbb{E} \log \mathcal{N}(z; m'_k, s'^2_k)
            - \mathbb{E} \log \frac{dz}{dx}, \quad
        -\mathbb{E} \log \frac{dz}{dx} = h(X) - h(Z)

    The entropies h are estimated from spacings.

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
        cost_ranks = _cross_entropy(z, k, half) + _entropy(x) - _entropy(z)
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
