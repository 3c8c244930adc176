"""Whether samples lie where data lies, whether all of it is covered, and whether it was copied."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK_ROWS = 1024  # rows of a block of distances


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
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or not len(fake):
        shapes = f"{tuple(real.shape)} and {tuple(fake.shape)}"
        raise ValueError(f"real and fake must be rows of the same columns, got {shapes}")
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
