"""How the modes of a generator match those of the data: their weights, and each one's samples.

For any model that clusters and can be asked for samples of one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from scgan.capabilities import cluster_table
from scgan.data.dataset import Dataset
from scgan.metrics.image_scores import PIXELS
from scgan.metrics.images import features
from scgan.metrics.scores import Score

NEIGHBOUR = 3  # whose distance stands for the density
NUM_SAMPLES = 10_000  # drawn of all modes, to see their shares
NUM_A_MODE = 500  # samples of a mode, and rows beside them
NUM_LEAST = 2 * (NEIGHBOUR + 1)  # held-out rows of a mode, for two halves with neighbours
NUM_ROWS = 20_000  # held-out rows that are looked at


def total_variation(p: Tensor, q: Tensor) -> float:
    r"""How much of one distribution must be moved to get the other, :math:`\frac12 \sum |p - q|`.

    Args:
        p: Shares, ``[K]``, summing to 1.
        q: Others, ``[K]``.

    Returns:
        A share in [0, 1].
    """
    return float((p.double() - q.double()).abs().sum()) / 2


def nearest_neighbour_kl(x: Tensor, y: Tensor) -> float:
    r"""Divergence of the distributions that two sets of rows are from, by distances alone.

    .. math:: D_\mathrm{KL}(p_x \Vert p_y) \approx
              \frac{d}{n} \sum_i \log \frac{\nu_k(x_i)}{\rho_k(x_i)} + \log \frac{m}{n - 1}

    with :math:`\rho_k, \nu_k` the distances of :math:`x_i` to its third neighbour among the other x
    and among the y; a distance of 0 counts as the least of those above it.

    Args:
        x: Rows, ``[n, d]``, n above 3.
        y: Others, ``[m, d]``, m at least 3.

    Returns:
        In nats; of finite sets it may be below 0.

    Raises:
        ValueError: For fewer rows.

    Source: [KNN-KL] Eq. (5); [NEMGAN] Sec. 4.3, which names nearest neighbours and no formula.
    """
    if len(x) <= NEIGHBOUR or len(y) < NEIGHBOUR:
        raise ValueError(
            f"the divergence needs {NEIGHBOUR + 1} and {NEIGHBOUR} rows, got {len(x)} and {len(y)}"
        )

    x, y = x.double(), y.double()
    among_x = _distance(x, x, NEIGHBOUR + 1)  # the first is the row itself
    among_y = _distance(x, y, NEIGHBOUR)
    least = torch.cat([among_x, among_y])
    floor = least[least > 0].min() if bool((least > 0).any()) else least.new_tensor(1.0)

    ratio = (among_y.clamp_min(floor) / among_x.clamp_min(floor)).log().mean()
    return float(x.shape[1] * ratio) + float(torch.tensor(len(y) / (len(x) - 1)).log())


def _distance(x: Tensor, y: Tensor, number: int) -> Tensor:
    gaps = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return gaps.kthvalue(number, dim=1).values


def divergences(made: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Divergence of each group of samples from each group of real rows.

    Args:
        made: Samples of each mode, K of ``[n, d]``.
        real: Rows of each label or cluster, C of ``[m, d]``.

    Returns:
        ``[K, C]``, in nats; NaN where a group has too few rows.
    """
    table = torch.full((len(made), len(real)), torch.nan, dtype=torch.float64)
    for i, x in enumerate(made):
        for j, y in enumerate(real):
            if len(x) > NEIGHBOUR <= len(y):
                table[i, j] = nearest_neighbour_kl(x, y)
    return table


def prior_of(model: Any) -> Tensor:
    """Weight of each cluster in sampling, ``[K]``, summing to 1."""
    return torch.tensor(cluster_table(model)["weight"], dtype=torch.float64)


def shares(k: Tensor, num_clusters: int) -> Tensor:
    """Share of each cluster, ``[K]``, of those that rows are in, ``[N]``."""
    return torch.bincount(k.cpu(), minlength=num_clusters).double() / max(1, len(k))


def comparable(data: Dataset, x: Tensor) -> Tensor:
    """Rows as they are, images as their pixels, averaged to 8 by 8: ``[N, d]``."""
    return x if data.kind == "table" else features(PIXELS, x)


def samples_of_modes(model: Any, data: Dataset, num: int, seed: int) -> list[Tensor]:
    """Samples of each mode, K of ``[num, D]`` or ``[num, C, H, W]``, as their user gets them."""
    generator = torch.Generator(model.device).manual_seed(seed)
    groups = []
    for k in range(len(model.counts)):
        made = model.sample(num, generator, cluster=k).cpu()
        if data.kind == "table":
            made = data.table_schema.encode(data.table_schema.decode(made))
        groups.append(made)
    return groups


def mode_matching_scores(model: Any, data: Dataset, seed: int) -> Iterator[tuple[str, Score]]:
    """Score how a model's modes match those of the held-out data.

    Args:
        model: A clustering with an option ``cluster``.
        data: Its data.
        seed: Of the samples.

    Yields:
        ``prior_distance`` (of the modes' weights from their shares of held-out rows),
        ``mode_share_distance`` and ``mode_share_gap`` (of the samples' shares, as the model reads
        them, from the weights: in all, and of the worst mode), ``modes_empty`` (modes with too few
        held-out rows to be compared), ``mode_kl_mean`` and ``mode_kl_worst`` (divergence of a
        mode's samples from held-out rows that are assigned to it, in nats).
    """
    prior, x = prior_of(model), data.test[:NUM_ROWS]
    generator = torch.Generator(model.device).manual_seed(seed)
    k = model.assign(x).cpu()
    found = shares(k, len(prior))
    drawn = shares(model.assign(model.sample(NUM_SAMPLES, generator)), len(prior))

    yield "prior_distance", Score.of("prior_distance", total_variation(prior, found))
    yield "mode_share_distance", Score.of("mode_share_distance", total_variation(drawn, prior))
    yield "mode_share_gap", Score.of("mode_share_gap", float((drawn - prior).abs().max()))

    made = samples_of_modes(model, data, NUM_A_MODE, seed)
    real = [x[k == mode][: 2 * NUM_A_MODE] for mode in range(len(prior))]
    enough = [mode for mode, rows in enumerate(real) if len(rows) >= NUM_LEAST]
    yield "modes_empty", Score.of("modes_empty", len(prior) - len(enough))
    if not enough:
        return

    values, floors = [], []
    for mode in enough:
        half_a, half_b = comparable(data, real[mode]).tensor_split(2)
        values.append(nearest_neighbour_kl(comparable(data, made[mode]), half_a))
        floors.append(nearest_neighbour_kl(half_b, half_a))
    yield "mode_kl_mean", Score.of("mode_kl_mean", fmean(values), fmean(floors))
    yield "mode_kl_worst", Score.of("mode_kl_worst", max(values), max(floors))
