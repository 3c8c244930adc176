"""K-means on codes, with clusters that are too small dissolved."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scgan.clustering.lloyd import k_means


@dataclass(frozen=True)
class Partition:
    """A partition of codes: each belongs to the nearest centre.

    Args:
        centres: ``[K, d]``.
        counts: Rows of each cluster, ``[K]``.
        spread: Root mean square distance to the centre, per dimension, ``[K]``.
        dissolved: Clusters that K-means made too small, whose rows went to the nearest other.
    """

    centres: Tensor
    counts: Tensor
    spread: Tensor
    dissolved: int


@dataclass(frozen=True)
class Clusters(Partition):
    """A partition of codes in memory.

    Args:
        k: Cluster of each row, ``[N]``.
    """

    k: Tensor


def nearest_centre(eps: Tensor, centres: Tensor) -> Tensor:
    """Cluster of each code ``[N, d]``, that of the nearest centre ``[K, d]``: ``[N]``."""
    return torch.cat([torch.cdist(rows, centres).argmin(1) for rows in eps.split(8192)])


def soft_clusters(eps: Tensor, centres: Tensor, counts: Tensor, spread: Tensor) -> Tensor:
    r"""Probability of each cluster given each code, under the mixture that K-means is the limit of.

    .. math:: p(k \mid \varepsilon) \propto \exp(-\lVert \varepsilon - c_k \rVert^2 / 2 s^2),
              \quad s^2 = \sum_k n_k s_k^2 / N

    All Gaussians are equally likely and equally wide, so that the likeliest cluster is that of the
    nearest centre.

    Args:
        eps: Codes, ``[N, d]``.
        centres: c, ``[K, d]``.
        counts: n, training rows of each cluster, ``[K]``.
        spread: s_k, root mean square distance to the centre per dimension, ``[K]``.

    Returns:
        Probabilities, ``[N, K]``; rows sum to 1.
    """
    variance = (counts.double() @ spread.double().square() / counts.sum()).item()
    squared = torch.cat([torch.cdist(rows, centres) for rows in eps.split(8192)]).square()
    least = torch.finfo(torch.float32).tiny  # of clusters that are points
    return (-squared.double() / (2 * max(variance, least))).softmax(1).float()


def fit_clusters(
    eps: Tensor,
    num_clusters: int,
    *,
    min_rows: int,
    max_iter: int,
    mini_batch_above: int,
    seed: int,
    num_starts: int = 1,
) -> Clusters:
    """Partition codes by K-means (k-means++ start), in mini-batches where there are many rows.

    Args:
        eps: Codes, ``[N, d]``, clustered where they lie.
        num_clusters: K asked for; fewer come back where the codes have fewer distinct values or
            clusters are small.
        min_rows: Clusters with fewer rows are dissolved into the nearest of the others.
        max_iter: Most iterations.
        mini_batch_above: More rows than this are clustered in mini-batches, on a CPU.
        seed: Of the start.
        num_starts: Starts, of which the tightest partition is kept.

    Returns:
        The partition, on the CPU; each cluster has at least ``min_rows`` rows, or there is one.

    Source: [SCGAN] Sec. 2.2, [LLOYD].
    """
    how = {"max_iter": max_iter, "seed": seed, "num_starts": num_starts}
    num = min(num_clusters, len(eps))
    if eps.device.type == "cpu":
        k, centres = _scikit_means(eps, num, mini_batch_above, **how)
    else:
        k, centres = (part.cpu() for part in k_means(eps, num, **how))
        eps = eps.cpu()

    # Clusters that are too small go to the nearest of the others.
    counts = torch.bincount(k, minlength=len(centres))
    keep = counts >= min_rows
    if not keep.any():
        keep[counts.argmax()] = True

    moving = ~keep[k]
    number, centres = keep.cumsum(0) - 1, centres[keep]
    nearest = torch.cdist(eps[moving], centres).argmin(1)
    k = number[k]
    k[moving] = nearest
    counts = torch.bincount(k, minlength=len(centres))
    squares = (eps - centres[k]).double().square().mean(1)
    spread = (
        torch.zeros(len(centres), dtype=torch.float64).index_add_(0, k, squares) / counts
    ).sqrt()

    return Clusters(centres, counts, spread.float(), int((~keep).sum()), k)


def _scikit_means(
    eps: Tensor,
    num_clusters: int,
    mini_batch_above: int,
    *,
    max_iter: int,
    seed: int,
    num_starts: int,
) -> tuple[Tensor, Tensor]:
    """scikit-learn's K-means on a CPU: the cluster of each code ``[N]``, and centres ``[K, d]``."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    common = {
        "n_clusters": num_clusters,
        "n_init": num_starts,
        "max_iter": max_iter,
        "random_state": seed,
    }

    if len(eps) > mini_batch_above:
        kmeans = MiniBatchKMeans(**common, batch_size=max(4096, 16 * num_clusters))
    else:
        kmeans = KMeans(**common)

    # The order of sums, and so the result, depends on threads; clusters without codes, of fewer
    # distinct codes than clusters, are dissolved later.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = kmeans.fit_predict(eps.numpy().astype(np.float64))

    centres = torch.from_numpy(kmeans.cluster_centers_).float()
    return torch.from_numpy(labels.astype(np.int64)), centres
