"""Agreement between a clustering and known labels; the numbers of either are arbitrary names.

Three figures go by the name of accuracy in papers. ``purity`` lets many clusters share a label (and
grows to 1 with as many clusters as points), ``majority_accuracy`` lets many labels share a cluster
(and is 1 with one cluster), ``hungarian_accuracy`` pairs them one to one. Without labels,
``silhouette`` tells how far apart clusters lie.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUM_SILHOUETTE = 5_000  # points whose distances are all taken


def contingency_table(labels: Tensor, clusters: Tensor) -> Tensor:
    """Count the points of each label (rows) in each cluster (columns).

    Args:
        labels: True labels, integers ``[N]``.
        clusters: Cluster numbers, integers ``[N]``.

    Returns:
        Counts ``[num_labels, num_clusters]`` over the values that occur, in ascending order.

    Raises:
        ValueError: If the two aren't vectors of integers of one length, at least 1.
    """
    row, column = _numbered(labels, clusters)
    num_labels, num_clusters = int(row.max()) + 1, int(column.max()) + 1
    flat = torch.bincount(row * num_clusters + column, minlength=num_labels * num_clusters)
    return flat.reshape(num_labels, num_clusters)


def purity(labels: Tensor, clusters: Tensor) -> float:
    """Share of points that carry the commonest label of their cluster: ``(1/N) sum_k max_c n_ck``.

    Args:
        labels: True labels, integers ``[N]``.
        clusters: Cluster numbers, integers ``[N]``.

    Returns:
        A share in (0, 1].

    Source: Manning, Raghavan and Schuetze (2008), Introduction to information retrieval.
    """
    return float(contingency_table(labels, clusters).amax(dim=0).sum()) / len(labels)


def hungarian_accuracy(labels: Tensor, clusters: Tensor) -> float:
    """Share of points labelled right under the best one-to-one map of clusters to labels.

    ``max_pi (1/N) sum_k n_pi(k),k``; where there are more clusters than labels, the surplus counts
    as wrong.

    Args:
        labels: True labels, integers ``[N]``.
        clusters: Cluster numbers, integers ``[N]``.

    Returns:
        A share in (0, 1].

    Source: Kuhn (1955), The Hungarian method for the assignment problem; as a clustering accuracy,
        Xie, Girshick and Farhadi (2016), Unsupervised deep embedding for clustering analysis.
    """
    from scipy.optimize import linear_sum_assignment

    table = contingency_table(labels, clusters).numpy()
    return float(table[linear_sum_assignment(table, maximize=True)].sum()) / len(labels)


def majority_accuracy(labels: Tensor, clusters: Tensor) -> float:
    """Share of a label's points in the cluster that holds most of them, mean over the labels.

    ``(1/C) sum_c max_k n_ck / n_c``: an upper bound on Hungarian accuracy where labels are equally
    frequent, as several may choose one cluster.

    Args:
        labels: True labels, integers ``[N]``.
        clusters: Cluster numbers, integers ``[N]``.

    Returns:
        A share in (0, 1].

    Source: the code of NEMGAN (2018), where it is the accuracy.
    """
    table = contingency_table(labels, clusters).double()
    return float((table.amax(dim=1) / table.sum(dim=1)).mean())


def cluster_information(probabilities: Tensor) -> float:
    r"""Mutual information of rows and their clusters, :math:`H(E_x[p(k|x)]) - E_x[H(p(k|x))]`.

    Large where clusters are even and each row is sure of its own, as where borders run through
    gaps of the data; no labels are needed.

    Args:
        probabilities: Of each cluster given each row, ``[N, K]``.

    Returns:
        In nats, from 0 to ``log K``.

    Source: Bridle, Heading and MacKay (1991), Unsupervised classifiers, mutual information and
        phantom targets.
    """
    p = probabilities.double()
    mean = p.mean(0)
    return float(torch.special.entr(mean).sum() - torch.special.entr(p).sum(1).mean())


def silhouette(x: Tensor, clusters: Tensor, *, seed: int) -> float | None:
    """How much nearer points are to their own cluster than to the next, mean over points.

    ``(b - a) / max(a, b)``, a the mean distance to the others of the cluster, b the least mean
    distance to another cluster's points; at most 5,000 points, drawn at random.

    Args:
        x: Points, ``[N, ...]``, compared by Euclidean distance.
        clusters: Cluster numbers, integers ``[N]``.
        seed: Of the choice.

    Returns:
        A number in [-1, 1]; None where all points are in one cluster, or each in one of its own.

    Source: Rousseeuw (1987), Silhouettes: a graphical aid to the interpretation and validation of
        cluster analysis.
    """
    from sklearn.metrics import silhouette_score

    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    rows = order[:NUM_SILHOUETTE]
    if not 1 < len(clusters.cpu()[rows].unique()) < len(rows):
        return None
    points = x.cpu()[rows].flatten(1).double().numpy()
    return float(silhouette_score(points, clusters.cpu()[rows].numpy()))


def normalized_mutual_information(labels: Tensor, clusters: Tensor) -> float:
    """Mutual information over the arithmetic mean of the entropies: ``2 I(C; K) / (H(C) + H(K))``.

    Args:
        labels: True labels, integers ``[N]``.
        clusters: Cluster numbers, integers ``[N]``.

    Returns:
        A ratio in [0, 1], 1 for the same partition.

    Source: Strehl and Ghosh (2002), Cluster ensembles.
        Differs: the arithmetic mean of the entropies for the geometric one.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_numbered(labels, clusters)))


def adjusted_rand_index(labels: Tensor, clusters: Tensor) -> float:
    """Rand index corrected for chance: ``(RI - E RI) / (max RI - E RI)``, of expectation 0.

    Args:
        labels: True labels, integers ``[N]``.
        clusters: Cluster numbers, integers ``[N]``.

    Returns:
        A number in [-0.5, 1], 1 for the same partition, 0 for chance.

    Source: Hubert and Arabie (1985), Comparing partitions.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*_numbered(labels, clusters)))


def _numbered(labels: Tensor, clusters: Tensor) -> tuple[Tensor, Tensor]:
    """Check the two and renumber the values that occur from 0, in ascending order."""
    if labels.ndim != 1 or labels.shape != clusters.shape or not len(labels):
        raise ValueError(
            "need labels and clusters of one length, 1 or more, "
            f"got shapes {tuple(labels.shape)} and {tuple(clusters.shape)}"
        )

    if labels.is_floating_point() or clusters.is_floating_point():
        raise ValueError(
            f"labels and clusters must be integers, got {labels.dtype} and {clusters.dtype}"
        )

    _, row = labels.cpu().unique(return_inverse=True)
    _, column = clusters.cpu().unique(return_inverse=True)
    return row, column
