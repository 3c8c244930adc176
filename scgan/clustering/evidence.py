"""How many clusters codes have, by how well a Gaussian a cluster explains codes it has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from scgan.clustering.in_memory import Clusters, fit_clusters

CANDIDATES = (1, 4, 16, 64, 256)
NUM_ROWS = 30_000  # codes looked at, at most: a second or two
LEAST_VARIANCE = 1e-4  # of codes of unit mean variance; keeps thin clusters from counting for all


def choose_num_clusters(
    eps: Tensor, *, min_rows: int, max_iter: int, seed: int
) -> tuple[int, Mapping[int, float]]:
    """Choose K by the held-out log-likelihood of a Gaussian a cluster.

    Args:
        eps: Codes, ``[N, d]``, of about unit variance.
        min_rows: Least rows of a cluster; no K is tried for which there are not as many a cluster.
        max_iter: Rounds of K-means.
        seed: Of the codes held out, and of K-means.

    Returns:
        K, and the mean log-likelihood of a held-out code in nats for each K that was tried; 1, and
        nothing, of too few codes.
    """
    order = torch.randperm(len(eps), generator=torch.Generator().manual_seed(seed))[:NUM_ROWS]
    held_out, train = eps[order].split([len(order) // 5, len(order) - len(order) // 5])
    found: dict[int, float] = {}

    for num in CANDIDATES:
        if len(held_out) and num * min_rows <= len(train):
            clusters = fit_clusters(
                train, num, min_rows=min_rows, max_iter=max_iter, mini_batch_above=0, seed=seed
            )
            found[num] = log_likelihood(train, clusters, held_out)

    return max(found, key=found.__getitem__, default=1), found


def log_likelihood(eps: Tensor, clusters: Clusters, held_out: Tensor) -> float:
    r"""Mean log-likelihood of codes under a Gaussian a cluster.

    .. math:: \log \sum_k \frac{n_k}{N} \, \mathcal{N}(\varepsilon; \mu_k, \Sigma_k)

    Args:
        eps: Codes that the clusters are of, ``[N, d]``.
        clusters: Their clusters.
        held_out: Other codes, ``[M, d]``.

    Returns:
        The mean over the held-out codes, nats.
    """
    codes, dim = held_out.double(), eps.shape[1]
    total = codes.new_full((len(codes),), -math.inf)

    for k, count in enumerate(clusters.counts.tolist()):
        rows = eps[clusters.k == k].double()
        centred = rows - rows.mean(0)
        covariance = centred.T @ centred / count
        root = torch.linalg.cholesky(covariance + LEAST_VARIANCE * torch.eye(dim))
        own = torch.linalg.solve_triangular(root, (codes - rows.mean(0)).T, upper=False)
        volume = root.diagonal().log().sum() + dim / 2 * math.log(2 * math.pi)
        share = math.log(count / len(eps))
        total = torch.logaddexp(total, share - own.square().sum(0) / 2 - volume)

    return float(total.mean())
