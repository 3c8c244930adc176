"""K-means where the codes lie, on a GPU: Lloyd's rounds over all of them at once."""

from __future__ import annotations

import torch
from torch import Tensor

START_CODES = 16_384  # of which the first centres are chosen, on the CPU


def lloyd(eps: Tensor, centres: Tensor, max_iter: int) -> tuple[Tensor, Tensor, float]:
    """Lloyd's rounds: codes go to their nearest centre, centres to the mean of their codes.

    Args:
        eps: Codes, ``[N, d]``, on any device.
        centres: To begin from, ``[K, d]``, there too; one that no code is nearest to stays.
        max_iter: Rounds at most; fewer where no centre moves any more.

    Returns:
        The cluster of each code, ``[N]``; the centres; the mean square distance to them.

    Source: [LLOYD].
    """
    for _ in range(max_iter):
        _, k = _nearest(eps, centres)
        counts = torch.bincount(k, minlength=len(centres))[:, None]
        sums = torch.zeros_like(centres, dtype=torch.float64).index_add_(0, k, eps.double())
        moved = torch.where(counts > 0, sums / counts, centres.double()).to(centres)

        if torch.equal(moved, centres):
            break
        centres = moved

    distance, k = _nearest(eps, centres)
    return k, centres, float(distance.double().square().mean())


def k_means(
    eps: Tensor, num_clusters: int, *, max_iter: int, seed: int, num_starts: int
) -> tuple[Tensor, Tensor]:
    """K-means from k-means++ starts among some of the codes, the tightest of them kept.

    Args:
        eps: Codes, ``[N, d]``, on any device.
        num_clusters: K, at most N.
        max_iter: Rounds of each start.
        seed: Of the starts.
        num_starts: Starts.

    Returns:
        The cluster of each code, ``[N]``, and the centres, ``[K, d]``.

    Source: [LLOYD]. Differs: k-means++ starts.
    """
    from sklearn.cluster import kmeans_plusplus

    num = min(len(eps), max(START_CODES, 4 * num_clusters))
    found = []
    for start in range(num_starts):
        generator = torch.Generator().manual_seed(seed + start)
        rows = torch.randperm(len(eps), generator=generator)[:num].to(eps.device)
        some = eps[rows].cpu().double().numpy()
        first, _ = kmeans_plusplus(some, num_clusters, random_state=(seed + start) % 2**32)
        found.append(lloyd(eps, torch.from_numpy(first).to(eps), max_iter))

    k, centres, _ = min(found, key=lambda result: result[2])
    return k, centres


def _nearest(eps: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the nearest centre and its number, ``[N]`` each."""
    parts = [torch.cdist(rows, centres).min(1) for rows in eps.split(8192)]
    distances, numbers = zip(*parts, strict=True)
    return torch.cat(distances), torch.cat(numbers)
