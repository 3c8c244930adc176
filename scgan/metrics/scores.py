"""The table that every run ends with: how far generated rows are from real ones, and the floor.

The floor of a metric is the same metric between two disjoint held-out real parts of the same size:
what a perfect generator would score. Both are means over the same repeats, so that their ratio is
steady.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from scgan.metrics.clustering import (
    adjusted_rand_index,
    hungarian_accuracy,
    majority_accuracy,
    normalized_mutual_information,
    purity,
)
from scgan.metrics.distributions import (
    c2st,
    energy_distance,
    nearest_distances,
    share_beyond,
    sliced_wasserstein,
)
from scgan.metrics.fidelity import alpha_precision_beta_recall, closer_share, density_coverage
from scgan.metrics.meaning import Against, Better
from scgan.metrics.meanings import meaning_of
from scgan.metrics.modes import mode_coverage
from scgan.metrics.standard import detection, shape, trend

NUM_ROWS_MAX = 10_000  # rows a side of a comparison
NUM_ROWS_MIN = 10
NUM_REPEATS = 4
NUM_CLASSIFIER_REPEATS = 2  # the classifier is by far the slowest metric, and the steadiest
NUM_BALLS = 5_000  # rows a side of which density and coverage, and their like, are taken
NUM_REFERENCE = 50_000  # real rows that stand for the support
NUM_SUPPORT_ROWS_MAX = 20_000  # rows a side whose distance to the reference is taken


@dataclass(frozen=True)
class Score:
    """One figure of the final table.

    Attributes:
        value: The metric of the generated rows.
        floor: The metric of real rows, what a perfect generator would score; None where there is
            none.
        better: Which direction is better; "none" for a figure that only informs.
        label: For a table; the score's name where there is none.
        meaning: What it says, in plain words.
        against: How it is compared with its floor.
    """

    value: float
    floor: float | None
    better: Better
    label: str = ""
    meaning: str = ""
    against: Against = "ratio"

    @classmethod
    def of(cls, name: str, value: float, floor: float | None = None) -> Score:
        """A score of a metric that :mod:`scgan.metrics.meanings` explains."""
        found, rest = meaning_of(name)
        label = ", ".join([found.label, *rest.split("_")]) if rest else found.label
        return cls(float(value), floor, found.better, label, found.text, found.against)


def compare_rows(
    samples: Tensor, test: Tensor, train: Tensor, *, seed: int, categorical: Collection[int] = ()
) -> Iterator[tuple[str, Score]]:
    """Score generated rows against held-out ones, all standardised by the training rows' scale.

    Comparisons are made at ``n = min(10_000, S, M // 2)`` rows a side and averaged over four
    repeats, each with real parts A and B and a part G of the samples: the value compares G with A,
    the floor B with A. Parts are disjoint over the repeats as far as the rows go; beyond that they
    are drawn anew, disjoint only within a repeat.

    Args:
        samples: Generated rows, ``[S, D]``, S at least 10.
        test: Real rows that no stage saw, ``[M, D]``, M at least 20.
        train: Real rows, ``[N, D]``; the first 50,000 are the reference of
            ``off_support_fraction``.
        seed: Seed of parts, projections, folds and classifiers; the caller's generators are left
            alone.
        categorical: Places of the columns that hold categories.

    Yields:
        ``sliced_wasserstein`` (data units), ``energy_distance`` (data units^(1/2), with the
        V-statistic, whose floor is steady), ``off_support_fraction`` (share of samples beyond the
        99.9 % quantile of the real distances), ``closer_share`` (of samples closer to a training
        row than held-out rows typically are), ``density``, ``coverage``, ``alpha_precision``,
        ``beta_recall``, ``c2st_accuracy`` (0.5: can't be told apart; over the first two repeats),
        ``shape``, ``trend`` and ``detection_logistic`` (these of the first repeat).

    Raises:
        ValueError: If there are too few rows, a value is not finite, or the numbers of columns
            differ.
    """
    samples, test, train = (
        _checked("samples", samples),
        _checked("test", test),
        _checked("train", train),
    )

    if not samples.shape[1] == test.shape[1] == train.shape[1]:
        columns = f"{samples.shape[1]}, {test.shape[1]} and {train.shape[1]}"
        raise ValueError(f"samples, test and train must have the same columns, got {columns}")

    num = min(NUM_ROWS_MAX, len(samples), len(test) // 2)
    if num < NUM_ROWS_MIN:
        raise ValueError(
            f"scoring needs at least {NUM_ROWS_MIN} samples and {2 * NUM_ROWS_MIN} test rows, "
            f"got {len(samples)} and {len(test)}: draw more samples or hold out more rows"
        )

    repeats = list(_repeats(samples, test, num, torch.Generator().manual_seed(seed)))
    compared: Mapping[str, tuple[_Metric, int]] = {
        "sliced_wasserstein": (_sliced_wasserstein, NUM_REPEATS),
        "energy_distance": (_energy_distance, NUM_REPEATS),
        "c2st_accuracy": (_c2st, NUM_CLASSIFIER_REPEATS),
        "shape": (partial(_shape, categorical=categorical), 1),
        "trend": (partial(_trend, categorical=categorical), 1),
        "detection_logistic": (_detection, 1),
    }

    for name, (metric, times) in compared.items():
        yield name, Score.of(name, *_averaged(metric, repeats[:times], seed))

    yield from _fidelity(*(rows[:NUM_BALLS] for rows in repeats[0]))

    # Both by the distance to the nearest training row.
    distances = _nearest(samples, test, train, seed)
    for name, share in (("off_support_fraction", share_beyond), ("closer_share", closer_share)):
        yield name, Score.of(name, *_by_halves(share, *distances))


def mode_scores(
    samples_raw: Tensor, modes: Tensor, mode_std: float | Tensor, weights: Tensor | None = None
) -> dict[str, Score]:
    """Mode coverage as rows of the final table, in raw data units.

    Args:
        samples_raw: Generated rows in raw data units, ``[S, D]``.
        modes: Centres of the modes, ``[K, D]``.
        mode_std: Standard deviation of a mode, positive: one for all, or ``[K]``.
        weights: True weights of the modes, ``[K]``; None for equal ones.

    Returns:
        ``modes_captured`` (a count), ``modes_total`` (a count), ``high_quality_share`` (in [0, 1]),
        ``modes_kl_divergence`` (nats) and ``modes_total_variation`` (in [0, 1]).
    """
    coverage = mode_coverage(samples_raw, modes, mode_std, weights)
    values = {
        "modes_captured": coverage.num_captured,
        "modes_total": coverage.num_modes,
        "high_quality_share": coverage.high_quality_share,
        "modes_kl_divergence": coverage.kl_divergence,
        "modes_total_variation": coverage.total_variation,
    }

    return {name: Score.of(name, value) for name, value in values.items()}


def exact_support(log_density: Tensor, real_log_density: Tensor) -> Score:
    """The share of samples off the support of a distribution that is known.

    Args:
        log_density: The true log density at each sample, ``[S]``; ``-inf`` off the support.
        real_log_density: The same at held-out real rows, ``[M]``.

    Returns:
        ``off_support_exact``: the share of samples with a density below that of 99.9 % of the real
        rows, which on a bounded set of one density is the share at density 0.
    """
    name, halves = "off_support_exact", (-real_log_density).tensor_split(2)
    return Score.of(name, *_by_halves(share_beyond, -log_density, *halves))


_Repeat = tuple[Tensor, Tensor, Tensor]  # a part of the samples, two disjoint real parts
_Metric = Callable[[Tensor, Tensor, int], float]


def label_scores(labels: np.ndarray, clusters: Tensor) -> dict[str, Score]:
    """Agreement of clusters with labels that no stage saw, as rows of the final table.

    Args:
        labels: One a row, numbers or text, ``[M]``.
        clusters: Cluster of each row, integers, ``[M]``.

    Returns:
        ``label_nmi``, ``label_ari``, ``label_purity``, ``label_hungarian`` and ``label_majority``,
        see :mod:`scgan.metrics.clustering`; the floor of purity and Hungarian accuracy is the share
        of the commonest label.
    """
    _, numbers = np.unique(labels, return_inverse=True)
    codes = torch.from_numpy(numbers)
    commonest = float(torch.bincount(codes).max()) / len(codes)

    return {
        name: Score.of(name, metric(codes, clusters), commonest if floored else None)
        for name, (metric, floored) in _OF_LABELS.items()
    }


_OF_LABELS: Mapping[str, tuple[Callable[[Tensor, Tensor], float], bool]] = {
    "label_nmi": (normalized_mutual_information, False),
    "label_ari": (adjusted_rand_index, False),
    "label_purity": (purity, True),
    "label_hungarian": (hungarian_accuracy, True),
    "label_majority": (majority_accuracy, False),
}
"""Each metric, and whether the share of the commonest label is what one cluster would reach."""


def _repeats(
    samples: Tensor, test: Tensor, num: int, generator: torch.Generator
) -> Iterator[_Repeat]:
    generated, real = _parts(samples, num, generator), _parts(test, 2 * num, generator)
    for _ in range(NUM_REPEATS):
        real_a, real_b = next(real).split(num)
        yield next(generated), real_a, real_b


def _parts(rows: Tensor, num: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Random parts of ``num`` rows without end, disjoint until a shuffle's rows run out."""
    while True:
        order = torch.randperm(len(rows), generator=generator)
        for start in range(0, len(rows) - num + 1, num):
            yield rows[order[start : start + num]]


def _averaged(metric: _Metric, repeats: list[_Repeat], seed: int) -> tuple[float, float]:
    """Mean value and floor over the repeats; the two of a repeat share a seed."""
    values = [
        metric(generated, real_a, seed + i) for i, (generated, real_a, _) in enumerate(repeats)
    ]
    floors = [metric(real_b, real_a, seed + i) for i, (_, real_a, real_b) in enumerate(repeats)]
    return sum(values) / len(values), sum(floors) / len(floors)


def _sliced_wasserstein(x: Tensor, y: Tensor, seed: int) -> float:
    return sliced_wasserstein(x, y, generator=torch.Generator().manual_seed(seed))


def _energy_distance(x: Tensor, y: Tensor, seed: int) -> float:
    return energy_distance(x, y, unbiased=False, generator=torch.Generator().manual_seed(seed))


def _c2st(x: Tensor, y: Tensor, seed: int) -> float:
    return c2st(x, y, seed=seed)


def _shape(x: Tensor, y: Tensor, seed: int, categorical: Collection[int] = ()) -> float:
    return shape(y.numpy(), x.numpy(), categorical)


def _trend(x: Tensor, y: Tensor, seed: int, categorical: Collection[int] = ()) -> float:
    return trend(y.numpy(), x.numpy(), categorical)


def _detection(x: Tensor, y: Tensor, seed: int) -> float:
    return detection(y.numpy(), x.numpy(), "logistic", seed=seed)


def _fidelity(made: Tensor, real_a: Tensor, real_b: Tensor) -> Iterator[tuple[str, Score]]:
    """Both measures of fidelity and diversity, of samples and of other real rows."""
    for measure in (density_coverage, alpha_precision_beta_recall):
        value, floor = measure(real_a, made), measure(real_a, real_b)
        for name in value._fields:
            yield name, Score.of(name, getattr(value, name), getattr(floor, name))


def _nearest(
    samples: Tensor, test: Tensor, train: Tensor, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Distances of samples, and of either half of the real rows, to the nearest training row."""
    generator = torch.Generator().manual_seed(seed)
    reference = train[:NUM_REFERENCE]

    distances, real = (
        nearest_distances(
            next(_parts(rows, min(len(rows), NUM_SUPPORT_ROWS_MAX), generator)), reference
        )
        for rows in (samples, test)
    )

    half_a, half_b = real.tensor_split(2)
    return distances, half_a, half_b


def _by_halves(
    share: Callable[[Tensor, Tensor], float], distances: Tensor, half_a: Tensor, half_b: Tensor
) -> tuple[float, float]:
    """Either half of the real rows sets the threshold for samples and the other half in turn."""
    value = (share(distances, half_a) + share(distances, half_b)) / 2
    floor = (share(half_b, half_a) + share(half_a, half_b)) / 2
    return value, floor


def _checked(name: str, rows: Tensor) -> Tensor:
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"{name} must be a non-empty tensor [rows, columns], got shape {tuple(rows.shape)}"
        )

    num_bad = int((~rows.isfinite()).any(dim=1).sum())
    if num_bad:
        raise ValueError(
            f"{name} must be finite, got NaN or infinity in {num_bad} of {len(rows)} rows"
        )

    return rows.detach().to("cpu", torch.float32)
