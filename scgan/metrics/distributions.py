"""Distances between two samples of a distribution, each a tensor ``[N, D]`` of standardised rows.

Every metric here is zero (or chance) only in the limit of infinitely many rows: read a value beside
the same metric between two sets of real rows, which is what ``scgan.metrics.scores`` reports as its
floor.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np

Classifier = Literal["trees", "network"]

_CHUNK_ELEMENTS = 4_000_000  # numbers held at once by the chunked loops: 32 MB in double precision
# Above it a k-d tree visits most of its points, and exhaustive search is faster.
_KD_TREE_DIM_MAX = 8
# From here on |x|^2 + |y|^2 - 2xy, in double precision, beats summing squared differences.
_MATMUL_DIM_MIN = 32
_BLOCK = 512  # rows whose distances to each other are computed at once


def sliced_wasserstein(
    x: Tensor, y: Tensor, *, num_projections: int = 256, generator: torch.Generator
) -> float:
    """Sliced Wasserstein-1 distance: the exact one-dimensional distance, its mean over directions.

    ``SW1 = mean_theta integral_0^1 |F_x,theta^-1(q) - F_y,theta^-1(q)| dq`` with theta uniform on
    the sphere. For ``D = 1`` there is a single direction, and the result is the Wasserstein-1
    distance itself.

    Args:
        x: Rows of the first sample, ``[N, D]``.
        y: Rows of the second sample, ``[M, D]``; M may differ from N.
        num_projections: Number of random directions, at least 1.
        generator: Draws the directions; the same state gives the same directions, whatever the
            rows.

    Returns:
        The distance in units of the standardised data, 0 or more.

    Raises:
        ValueError: If the shapes don't go together, a sample is empty, or ``num_projections < 1``.

    Source: [SLICED-W]. Differs: order 1 instead of 2, which outliers dominate less.
    """
    x, y = _pair(x, y)
    if num_projections < 1:
        raise ValueError(
            f"num_projections must be at least 1, got {num_projections}: 256 is the usual choice"
        )

    directions = _unit_directions(x.shape[1], num_projections, generator)  # [D, P]
    widths, x_index, y_index = _quantile_steps(len(x), len(y))
    num_chunk = max(1, _CHUNK_ELEMENTS // len(widths))

    total = 0.0
    for chunk in directions.split(num_chunk, dim=1):
        x_sorted = _sorted_projections(x, chunk)  # [P', N]
        y_sorted = _sorted_projections(y, chunk)  # [P', M]
        gaps = (x_sorted[:, x_index] - y_sorted[:, y_index]).abs_()  # [P', steps]
        total += float((gaps.double() @ widths).sum())

    return total / directions.shape[1]


def energy_distance(
    x: Tensor,
    y: Tensor,
    *,
    unbiased: bool = True,
    num_max: int = 5000,
    generator: torch.Generator | None = None,
) -> float:
    """Energy distance, the root of ``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` (not the squared one).

    Unbiased, the expectations within a sample leave out a row's distance to itself (a U-statistic):
    for equal distributions the quantity under the root scatters around zero, and negative values
    are clipped to 0. Otherwise they keep it (a V-statistic): never negative, and for equal
    distributions near ``sqrt((1/N + 1/M) E|X - X'|)``, a steady floor to compare with.

    Args:
        x: Rows of the first sample, ``[N, D]``, N at least 2.
        y: Rows of the second sample, ``[M, D]``, M at least 2; M may differ from N.
        unbiased: Whether to use the U-statistic rather than the V-statistic.
        num_max: Rows used of each sample, at least 2; a larger sample is cut to a random subset.
        generator: Draws the subset; None stands for a fresh generator with seed 0.

    Returns:
        The distance in (standardised data units)^(1/2), 0 or more.

    Raises:
        ValueError: If the shapes don't go together, a sample has fewer than 2 rows, or ``num_max``
            is less than 2.

    Source: [ENERGY].
    """
    x, y = _pair(x, y)
    if min(len(x), len(y), num_max) < 2:
        raise ValueError(
            f"energy distance needs 2 rows or more a side, "
            f"got {len(x)} and {len(y)}, num_max={num_max}"
        )

    generator = torch.Generator().manual_seed(0) if generator is None else generator
    x, y = _subset(x, num_max, generator).double(), _subset(y, num_max, generator).double()

    squared = 2 * _sum_of_distances(x, y) / (len(x) * len(y))
    for rows in (x, y):
        num_pairs = len(rows) * (len(rows) - 1 if unbiased else len(rows))
        squared -= _sum_of_distances_within(rows) / num_pairs

    return math.sqrt(max(0.0, squared))


def nearest_distances(points: Tensor, reference: Tensor) -> Tensor:
    """Euclidean distance of each point to its nearest neighbour in a reference set.

    Args:
        points: Query rows, ``[N, D]``.
        reference: Rows to search, ``[R, D]``.

    Returns:
        Distances ``[N]`` in double precision, in units of the standardised data.

    Raises:
        ValueError: If the shapes don't go together or one set is empty.
    """
    points, reference = _pair(points, reference)
    queries, rows = points.double().numpy(), reference.double().numpy()

    if rows.shape[1] <= _KD_TREE_DIM_MAX:
        from scipy.spatial import cKDTree

        return torch.from_numpy(cKDTree(rows).query(queries)[0])

    from sklearn.metrics import pairwise_distances_argmin
    from threadpoolctl import threadpool_limits

    with threadpool_limits(torch.get_num_threads()):
        nearest = pairwise_distances_argmin(queries, rows)

    # The search expands |x - y|^2, which loses small distances to rounding: the winner's is taken
    # again.
    gaps = points.double() - reference[torch.from_numpy(nearest)].double()
    return torch.linalg.vector_norm(gaps, dim=1)


def share_beyond(distances: Tensor, real_distances: Tensor, *, quantile: float = 0.999) -> float:
    """Share of distances above a quantile (linearly interpolated) of the real points' distances.

    Args:
        distances: Distances of the points in question, ``[S]``.
        real_distances: Distances of the real points, ``[M]``.
        quantile: Quantile of the real distances that is the threshold, in [0, 1].

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: If a set is empty or the quantile is out of range.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(
            f"quantile must be between 0 and 1, got {quantile}: 0.999 is the usual choice"
        )

    if not (distances.numel() and real_distances.numel()):
        raise ValueError(
            f"need at least one distance a side, "
            f"got {distances.numel()} and {real_distances.numel()} (real)"
        )

    import numpy as np  # torch.quantile refuses more than 16 million elements

    threshold = float(np.quantile(real_distances.numpy(), quantile))
    return float((distances > threshold).double().mean())


def c2st(
    x: Tensor,
    y: Tensor,
    *,
    seed: int,
    folds: int = 5,
    num_max: int = 5000,
    classifier: Classifier = "trees",
) -> float:
    """Classifier two-sample test: the accuracy at which a classifier tells two samples apart.

    ``mean_i [ f_-i(v_i) = l_i ]`` over the rows v of both samples, f_-i fitted on the folds without
    row i (cross-validation). Both sides are cut to as many rows: guessing has accuracy 0.5.

    Args:
        x: Rows of the first sample, ``[N, D]``.
        y: Rows of the second sample, ``[M, D]``.
        seed: Seed of the subsets, the folds and the classifier, 0 or more.
        folds: Number of cross-validation folds, at least 2.
        num_max: Most rows used of each sample, at least ``folds``.
        classifier: Boosted trees, which see edges and values on a grid, or a network of two layers,
            which sees smooth differences of many columns together.

    Returns:
        An accuracy in [0, 1]: 0.5 where the samples can't be told apart, 1 where they don't
        overlap.

    Raises:
        ValueError: If the shapes don't go together or a side has fewer rows than folds.

    Source: [C2ST].
        Differs: by default boosted trees for the network, and cross-validation for one split.
    """
    x, y = _pair(x, y)
    num = min(len(x), len(y), num_max)
    if folds < 2 or num < folds:
        raise ValueError(
            f"c2st needs 2 folds or more and as many rows a side, got {folds} folds and {num} rows"
        )

    generator = torch.Generator().manual_seed(seed)
    x = x[torch.randperm(len(x), generator=generator)[:num]]
    y = y[torch.randperm(len(y), generator=generator)[:num]]

    make = _trees if classifier == "trees" else _network
    rows = torch.cat([x, y]).numpy()
    return _cross_validated_accuracy(rows, num, folds, lambda: make(seed))


def _trees(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # With early stopping, by default on from 10,000 rows, the method would depend on the size.
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _network(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A tenth of its rows say when to stop.
    network = MLPClassifier((128, 128), early_stopping=True, random_state=seed)
    return make_pipeline(StandardScaler(), network)


def _cross_validated_accuracy(
    rows: np.ndarray, num: int, folds: int, make: Callable[[], Any]
) -> float:
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # The rows of either side come shuffled: each fold holds as many of both.
    labels = np.repeat([0, 1], num)
    fold = np.tile(np.arange(num) % folds, 2)

    correct = 0
    with threadpool_limits(torch.get_num_threads()), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for number in range(folds):
            held_out = fold == number
            classifier = make()
            classifier.fit(rows[~held_out], labels[~held_out])
            predicted = classifier.predict(rows[held_out])
            correct += int((predicted == labels[held_out]).sum())

    return correct / (2 * num)


def _pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Check that two samples go together and bring them to the CPU as floating point."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or 0 in x.shape or 0 in y.shape:
        raise ValueError(
            "need two non-empty tensors [rows, columns] with equal columns, "
            f"got {tuple(x.shape)} and {tuple(y.shape)}"
        )

    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    return x.detach().to("cpu", dtype), y.detach().to("cpu", dtype)


def _subset(rows: Tensor, num_max: int, generator: torch.Generator) -> Tensor:
    if len(rows) <= num_max:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:num_max]]


def _unit_directions(dim: int, num: int, generator: torch.Generator) -> Tensor:
    if dim == 1:
        return torch.ones(1, 1)
    directions = torch.randn(dim, num, generator=generator, device=generator.device).cpu()
    return directions / torch.linalg.vector_norm(directions, dim=0)


def _sorted_projections(rows: Tensor, directions: Tensor) -> Tensor:
    import numpy as np  # its vectorised sort is some thirty times faster than torch's on a CPU

    projected = (rows @ directions.to(rows.dtype)).T.contiguous()
    return torch.from_numpy(np.sort(projected.numpy(), axis=1))


def _quantile_steps(num_x: int, num_y: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut [0, 1] where either empirical quantile function jumps: widths, and the sorted rows there.

    The cuts i / num_x and j / num_y are compared as the integers i * num_y and j * num_x, hence
    exactly.
    """
    cuts = torch.cat([torch.arange(num_x + 1) * num_y, torch.arange(num_y + 1) * num_x]).unique()
    widths = cuts.diff().double() / (num_x * num_y)
    return widths, cuts[:-1] // num_y, cuts[:-1] // num_x


def _distances(x: Tensor, y: Tensor) -> Tensor:
    use = "use" if x.shape[1] >= _MATMUL_DIM_MIN else "donot_use"
    return torch.cdist(x, y, compute_mode=f"{use}_mm_for_euclid_dist")


def _sum_of_distances(x: Tensor, y: Tensor) -> float:
    num_chunk = max(1, _CHUNK_ELEMENTS // len(y))
    return sum(float(_distances(chunk, y).sum()) for chunk in x.split(num_chunk))


def _sum_of_distances_within(rows: Tensor) -> float:
    """Sum over all ordered pairs of a sample, computing each block above the diagonal once."""
    total = 0.0
    for start in range(0, len(rows), _BLOCK):
        block, later = rows[start : start + _BLOCK], rows[start + _BLOCK :]
        total += float(torch.nn.functional.pdist(block).sum())
        total += float(_distances(block, later).sum())
    return 2 * total  # a row's distance to itself is exactly 0
