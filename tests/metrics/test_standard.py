"""Shape, trend, detection: against hand-made tables, closed forms, and SDMetrics' own figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from scgan.metrics.standard import detection, shape, trend


def normal(num: int, dim: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, dim))


def labelled(num: int, seed: int, weight: float) -> np.ndarray:
    """Two numbers and a category of three that goes with the first."""
    rows = normal(num, 2, seed)
    noisy = rows[:, 0] + weight * np.random.default_rng(seed + 1).normal(size=num)
    return np.column_stack([rows, np.digitize(noisy, [-0.5, 0.7])])


def test_shape_is_the_mean_of_each_columns_complement() -> None:
    real, fake = normal(300, 2, 1), normal(200, 2, 2) + 0.3
    gaps = [stats.ks_2samp(real[:, i], fake[:, i]).statistic for i in range(2)]
    assert shape(real, fake) == pytest.approx(1 - np.mean(gaps))
    assert shape(real, real) == 1 and shape(real, real + 100) == 0


def test_shape_of_categories_is_by_their_shares() -> None:
    real, fake = np.array([[0.0], [0], [1], [1]]), np.array([[0.0], [0], [0], [2]])
    assert shape(real, fake, (0,)) == pytest.approx(1 - (0.25 + 0.5 + 0.25) / 2)


def test_trend_of_numbers_is_by_pearsons_correlation() -> None:
    x = normal(400, 1, 1)
    real = np.column_stack([x, x + normal(400, 1, 2), normal(400, 1, 3)])
    fake = normal(300, 3, 4)
    pairs = [(0, 1), (0, 2), (1, 2)]
    gaps = [abs(np.corrcoef(real.T)[p] - np.corrcoef(fake.T)[p]) for p in pairs]
    assert trend(real, fake) == pytest.approx(1 - np.mean(gaps) / 2)
    assert trend(real, 5 * real + 3) == pytest.approx(1)
    assert trend(real[:, :1], fake[:, :1]) == 1


def test_a_constant_column_correlates_with_nothing() -> None:
    real = np.repeat(np.arange(10.0)[:, None], 2, 1)
    constant = np.column_stack([np.arange(10.0), np.ones(10)])
    assert trend(real, constant) == pytest.approx(0.5)


def test_trend_of_a_category_is_by_shares_in_bins_of_the_real_range() -> None:
    real = np.array([[0.0, 0], [0.5, 0], [9.5, 1], [10.0, 1]])
    fake = np.array([[0.6, 0], [-5.0, 0], [99.0, 1], [5.2, 2]])
    assert trend(real, fake, (1,)) == pytest.approx(0.75)
    swapped = real[:, ::-1]
    assert trend(swapped, fake[:, ::-1], (0,)) == pytest.approx(0.75)
    between = fake.copy()
    between[3] = 9.7, 0.5  # no real row's category, though it lies between two of them
    assert trend(real, between, (1,)) == pytest.approx(0.75)
    stretched = real * [3, 1]  # a quarter of the rows leave their bin, not that of their own range
    assert trend(real, stretched, (1,)) == pytest.approx(0.75)
    both = trend(np.repeat(real[:, 1:], 2, 1), np.repeat(fake[:, 1:], 2, 1), (0, 1))
    assert both == pytest.approx(0.75)


@pytest.mark.parametrize("detector", ["logistic", "xgboost"])
def test_detection_is_one_for_real_rows_and_zero_for_others(detector: str) -> None:
    if detector == "xgboost":
        pytest.importorskip("xgboost")
    real = normal(1500, 3, 1)
    assert detection(real, normal(1500, 3, 2), detector, seed=0) > 0.9
    assert detection(real, normal(1000, 3, 2) + 9, detector, seed=0) < 0.001
    some = detection(real, normal(1500, 3, 2) + 0.4, detector, seed=0)
    assert some == detection(real, normal(1500, 3, 2) + 0.4, detector, seed=0)
    assert some != detection(real, normal(1500, 3, 2) + 0.4, detector, seed=1)


def test_logistic_detection_near_the_best_that_a_line_can_do() -> None:
    auc = float(stats.norm.cdf(1 / np.sqrt(2)))  # of N(0, 1) and N(1, 1)
    value = detection(normal(6000, 1, 1), normal(6000, 1, 2) + 1, "logistic", seed=0)
    assert value == pytest.approx(1 - (2 * auc - 1), abs=0.02)


def test_only_trees_see_a_dependence() -> None:
    pytest.importorskip("xgboost")
    real = normal(3000, 2, 1)
    fake = np.column_stack([real[:, 0], np.abs(real[:, 0]) * np.sign(normal(3000, 1, 2)[:, 0])])
    assert detection(normal(3000, 2, 3), fake, "logistic", seed=0) > 0.9
    assert detection(normal(3000, 2, 3), fake, "xgboost", seed=0) < 0.5


def test_refuses_what_cannot_be_compared() -> None:
    for score in (shape, trend):
        with pytest.raises(ValueError, match="same columns"):
            score(normal(5, 2, 1), normal(5, 3, 1))
        with pytest.raises(ValueError, match="got 5 and 0"):
            score(normal(5, 2, 1), normal(0, 2, 1))
    with pytest.raises(ValueError, match="3 rows a side, got 2 and 9"):
        detection(normal(2, 2, 1), normal(9, 2, 1), "logistic", seed=0)


def test_figures_are_those_of_sdmetrics() -> None:
    pytest.importorskip("sdmetrics")
    import pandas as pd
    from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
    from sdmetrics.single_column import KSComplement, TVComplement
    from sdmetrics.single_table import LogisticDetection

    names = ["a", "b", "kind"]
    sides = [labelled(2000, 1, 0.3), labelled(1500, 9, 0.6)]
    real, fake = (pd.DataFrame(side, columns=names) for side in sides)
    columns = [KSComplement.compute(real[n], fake[n]) for n in names[:2]]
    columns.append(TVComplement.compute(real["kind"], fake["kind"]))
    assert shape(*sides, (2,)) == pytest.approx(np.mean(columns))

    pairs = [CorrelationSimilarity.compute(real[["a", "b"]], fake[["a", "b"]])]
    for name in names[:2]:
        two = [name, "kind"]
        how = {"continuous_column_names": [name]}
        pairs.append(ContingencySimilarity.compute(real[two].copy(), fake[two].copy(), **how))
    assert trend(*sides, (2,)) == pytest.approx(np.mean(pairs))

    metadata = {"columns": {name: {"sdtype": "numerical"} for name in names}}
    theirs = np.mean([LogisticDetection.compute(real, fake, metadata) for _ in range(4)])
    assert detection(*sides, "logistic", seed=0) == pytest.approx(theirs, abs=0.03)
