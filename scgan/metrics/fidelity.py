"""Whether samples lie where data lies, whether all of it is covered, and whether it was copied."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from scgan.metrics.distributions import nearest_distances

CHUNK_ROWS = 1024  # rows of a block of distances
LEVELS = 30  # of the curves of alpha-precision and beta-recall, 0 and 1 among them
PARTS = 9  # disjoint parts of the larger side of training_share, at most


class DensityCoverage(NamedTuple):
    """How much of the data's mass samples hold, and how much of the data they reach.

    Attributes:
        density: Balls of real rows that a sample lies in, against what a real row would: less
            than 1 where samples lie beside the data.
        coverage: Share of real rows whose ball holds a sample, in [0, 1]; tails that are trimmed
            and modes that are lost cost it.
    """

    density: float
    coverage: float


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> DensityCoverage:
    r"""Compare two samples by balls around real rows, each as wide as its k-th real neighbour.

    .. math:: \text{density} = \frac{1}{kM} \sum_{j} \sum_{i} 1[y_j \in B(x_i, r_k(x_i))],
        \quad \text{coverage} = \frac{1}{N} \sum_{i} 1[\exists j: y_j \in B(x_i, r_k(x_i))]

    Args:
        real: Real rows x, ``[N, D]``, N more than k.
        fake: Generated rows y, ``[M, D]``, in the same units.
        k: Neighbours that set a ball's radius, at least 1.

    Returns:
        Both figures. For N = M rows of one distribution density is about 1, and coverage about
        :math:`1 - 2^{-k}`.

    Raises:
        ValueError: If there are too few rows, or the numbers of columns differ.

    Source: [DENSITY] Eqs. (2)-(3). Differs: none.
    """
    _check_pair(real, fake)
    if len(real) <= k or k < 1:
        raise ValueError(f"k is {k}, but must be 1 to {len(real) - 1}, one less than the real rows")

    real, fake = real.double(), fake.double()
    inside, covered = 0, 0
    for rows in real.split(CHUNK_ROWS):
        # The nearest real row of each is itself.
        radius = _distances(rows, real).kthvalue(k + 1, dim=1, keepdim=True).values
        holds = _distances(rows, fake) <= radius  # [rows, M]
        inside += int(holds.sum())
        covered += int(holds.any(1).sum())

    return DensityCoverage(inside / (k * len(fake)), covered / len(real))


class AlphaBeta(NamedTuple):
    """Whether samples lie as deep in the data as data does, and whether all data is met.

    Attributes:
        alpha_precision: 1 where samples are as far from the data's centre as real rows are, less
            where they crowd towards it or lie too far out.
        beta_recall: 0.48 for as many new rows of the same distribution, towards 0 where parts of
            the data are not met, towards 1 for copies of the real rows.
    """

    alpha_precision: float
    beta_recall: float


def alpha_precision_beta_recall(real: Tensor, fake: Tensor) -> AlphaBeta:
    r"""Compare the shares of samples in nested parts of the data, and the reverse.

    .. math:: P_\alpha = \frac{1}{M} \sum_j 1[|y_j - c| \le Q_\alpha(|x - c|)], \quad
        R_\beta = \frac{1}{N} \sum_i 1[|x_i - y^{(i)}| \le |x_i - x^{(i)}|] \,
        1[|y^{(i)} - c'| \le Q_\beta(|y^{(\cdot)} - c'|)]

    with c and c' the means of x and y, :math:`y^{(i)}` the sample nearest to :math:`x_i` and
    :math:`x^{(i)}` the nearest other real row. Both figures are :math:`1 - 2 \int |P_\alpha -
    \alpha| \, d\alpha`, likewise for R.

    Args:
        real: Real rows x, ``[N, D]``, at least 2.
        fake: Generated rows y, ``[M, D]``, in the same units, as many as the real ones: more rows
            meet more.

    Returns:
        Both figures, at most 1. Half of the real rows are met by as many new ones, which the sum
        over 30 levels makes 14 / 29 of beta-recall.

    Raises:
        ValueError: If there are too few rows, or the numbers of columns differ.

    Source: [ALPHA], code. Differs: on the rows themselves, without an embedding of one
        class, as papers on tables report it ("naive"); quantiles at 30 places, as the code.
    """
    _check_pair(real, fake)
    if len(real) < 2:
        raise ValueError("alpha-precision needs at least two real rows")

    real, fake = real.double(), fake.double()
    levels = torch.linspace(0, 1, LEVELS, dtype=torch.float64)
    centre = real.mean(0)
    depth, of_fake = _norm(real - centre), _norm(fake - centre)
    precision = (of_fake[:, None] <= depth.quantile(levels)).double().mean(0)  # [LEVELS]

    met, nearest = _meets(real, fake)
    depth = _norm(fake - fake.mean(0))[nearest]
    within = depth[:, None] <= depth.quantile(levels)  # [N, LEVELS]
    recall = (within & met[:, None]).double().mean(0)

    return AlphaBeta(_agreement(precision, levels), _agreement(recall, levels))


def _meets(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a sample is as near to a real row as the next real one, and which, each ``[N]``."""
    met, nearest = [], []
    for rows in real.split(CHUNK_ROWS):
        distance, place = _distances(rows, fake).min(1)
        met.append(distance <= _distances(rows, real).kthvalue(2, dim=1).values)
        nearest.append(place)
    return torch.cat(met), torch.cat(nearest)


def _agreement(curve: Tensor, levels: Tensor) -> float:
    """1 where a curve is the diagonal, by a sum over equal steps."""
    return float(1 - 2 * (curve - levels).abs().sum() / (len(levels) - 1))


def _norm(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1)


def _check_pair(real: Tensor, fake: Tensor) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or not len(fake):
        shapes = f"{tuple(real.shape)} and {tuple(fake.shape)}"
        raise ValueError(f"real and fake must be rows of the same columns, got {shapes}")


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances ``[N, M]``, exact for rows that are nearly equal."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def closer_share(distances: Tensor, real_distances: Tensor) -> float:
    """Share of samples that are closer to the training rows than held-out rows typically are.

    Args:
        distances: Of each sample to its nearest training row, ``[S]``.
        real_distances: Of each held-out row to its nearest training row, ``[M]``.

    Returns:
        The share below their median, a tie as a half: 0.5 for new rows of the same distribution,
        towards 1 for copies of training rows.

    Raises:
        ValueError: If a set is empty.
    """
    if not (distances.numel() and real_distances.numel()):
        counts = f"{distances.numel()} and {real_distances.numel()} (real)"
        raise ValueError(f"need at least one distance a side, got {counts}")

    median = real_distances.double().quantile(0.5)
    below = (distances < median).double() + (distances == median).double() / 2
    return float(below.mean())


def training_share(samples: Tensor, train: Tensor, held_out: Tensor, *, seed: int) -> float:
    """Share of samples that are nearer to the training rows than to as many held-out rows.

    The larger of the two sets is cut to the smaller at random, in disjoint parts as far as its rows
    go, and the share averaged over the parts.

    Args:
        samples: Generated rows, ``[S, D]``.
        train: Training rows, ``[N, D]``.
        held_out: Rows that no training saw, ``[M, D]``.
        seed: Of the parts.

    Returns:
        0.5 where training rows are no nearer than others, towards 1 for copies; a tie is a half.

    Raises:
        ValueError: If a set is empty, or the numbers of columns differ.

    Source: [TABPC] code ("DCR"). Differs: parts of one split for a training on half the rows.
    """
    num = min(len(train), len(held_out))
    generator = torch.Generator().manual_seed(seed)
    sides = []
    for rows in (train, held_out):
        parts = rows[torch.randperm(len(rows), generator=generator)].split(num)
        whole = [part for part in parts if len(part) == num][:PARTS]
        sides.append([nearest_distances(samples, part) for part in whole])

    shares = []
    for to_train, to_others in itertools.product(*sides):
        nearer, tied = to_train < to_others, to_train == to_others
        shares.append(float((nearer.double() + tied.double() / 2).mean()))

    return sum(shares) / len(shares)
