"""What papers on tables report: shape, trend and detection, as SDMetrics defines them.

They are written out here because SDMetrics, MIT itself, needs a package under a licence that is not
open source; a test compares the two where SDMetrics is installed.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import torch

Detector = Literal["logistic", "xgboost"]

NUM_BINS = 10  # of a numerical column beside a categorical one
FOLDS = 3


def shape(real: np.ndarray, fake: np.ndarray, categorical: Collection[int] = ()) -> float:
    r"""How well the columns' own distributions agree, a mean over the columns.

    .. math:: 1 - \sup_v |F_x(v) - F_y(v)| \text{ (numbers)}, \quad
        1 - \tfrac{1}{2} \sum_v |p_x(v) - p_y(v)| \text{ (categories)}

    Args:
        real: Real rows x, ``[N, D]``.
        fake: Generated rows y, ``[M, D]``.
        categorical: Places of the columns that hold categories, as numbers.

    Returns:
        In [0, 1]; 1 where all columns agree.

    Raises:
        ValueError: If a side is empty, or the numbers of columns differ.

    Source: [SDMETRICS] Column Shapes.
    """
    _check(real, fake)
    scores = []
    for i in range(real.shape[1]):
        distance = _total_variation if i in categorical else _kolmogorov_smirnov
        scores.append(1 - distance(real[:, i], fake[:, i]))

    return float(np.mean(scores))


def trend(real: np.ndarray, fake: np.ndarray, categorical: Collection[int] = ()) -> float:
    r"""How well the dependences of pairs of columns agree, a mean over the pairs.

    .. math:: 1 - \tfrac{1}{2} |\rho_x - \rho_y| \text{ (two numbers)}, \quad
        1 - \tfrac{1}{2} \sum_{u,v} |p_x(u, v) - p_y(u, v)| \text{ (others)}

    with Pearson's correlation, and numbers beside a category in ten bins of the real range.

    Args:
        real: Real rows x, ``[N, D]``.
        fake: Generated rows y, ``[M, D]``.
        categorical: Places of the columns that hold categories, as numbers.

    Returns:
        In [0, 1]; 1 where all pairs agree, or there is none.

    Raises:
        ValueError: If a side is empty, or the numbers of columns differ.

    Source: [SDMETRICS] Column Pair Trends. Differs: a constant column has correlation 0, not a pair
        less; bins of the real column for both sides.
    """
    _check(real, fake)
    numbers = [i for i in range(real.shape[1]) if i not in categorical]
    gaps = np.abs(_correlations(real[:, numbers]) - _correlations(fake[:, numbers]))
    scores = list(1 - gaps[np.triu_indices(len(numbers), 1)] / 2)

    for i, j in itertools.combinations(range(real.shape[1]), 2):
        if i in categorical or j in categorical:
            sides = [_joint(rows, real, (i, j), categorical) for rows in (real, fake)]
            scores.append(1 - _total_variation(*sides))

    return float(np.mean(scores)) if scores else 1.0


def detection(real: np.ndarray, fake: np.ndarray, detector: Detector, *, seed: int) -> float:
    r"""How badly a classifier tells samples from data, by the area under its ROC curve.

    .. math:: 1 - \frac{1}{3} \sum_f (2 \max(\text{AUC}_f, \tfrac{1}{2}) - 1)

    over three folds.

    Args:
        real: Real rows, ``[N, D]``, N at least 3.
        fake: Generated rows, ``[M, D]``, M at least 3.
        detector: Logistic regression, or boosted trees by XGBoost (the extra ``bench``).
        seed: Of the folds.

    Returns:
        In [0, 1]; 1 where the classifier can only guess.

    Raises:
        ValueError: If there are fewer rows than folds, or the numbers of columns differ.

    Source: [SDMETRICS] Detection, [TABPC] code (with XGBoost). Differs: seeded folds.
    """
    _check(real, fake)
    if min(len(real), len(fake)) < FOLDS:
        raise ValueError(f"detection needs {FOLDS} rows a side, got {len(real)} and {len(fake)}")

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    rows = np.concatenate([real, fake])
    labels = np.repeat([1, 0], [len(real), len(fake)])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    advantages = []

    with threadpool_limits(torch.get_num_threads()), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for known, asked in folds.split(rows, labels):
            classifier = _classifier(detector).fit(rows[known], labels[known])
            said = classifier.predict_proba(rows[asked])[:, 1]
            advantages.append(2 * max(0.5, float(roc_auc_score(labels[asked], said))) - 1)

    return 1 - float(np.mean(advantages))


def _classifier(detector: Detector) -> Any:
    """A classifier with the settings that SDMetrics, or TabPC's code, gives it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import RobustScaler

    if detector == "logistic":
        return make_pipeline(RobustScaler(), LogisticRegression())

    from xgboost import XGBClassifier

    num_threads = torch.get_num_threads()
    trees = XGBClassifier(eval_metric="logloss", random_state=0, n_jobs=num_threads)
    return make_pipeline(RobustScaler(), trees)


def _kolmogorov_smirnov(x: np.ndarray, y: np.ndarray) -> float:
    """The largest difference between two empirical distribution functions."""
    values = np.concatenate([x, y])
    below = [np.searchsorted(np.sort(side), values, side="right") / len(side) for side in (x, y)]
    return float(np.abs(below[0] - below[1]).max())


def _total_variation(x: np.ndarray, y: np.ndarray) -> float:
    """Half the sum of the differences between the shares of each value."""
    _, numbers = np.unique(np.concatenate([x, y]), return_inverse=True)
    num = int(numbers.max()) + 1
    shares = [np.bincount(side, minlength=num) / len(side) for side in np.split(numbers, [len(x)])]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _correlations(rows: np.ndarray) -> np.ndarray:
    """Pearson's of each pair of columns ``[D, D]``, 0 of constant ones."""
    centred = rows.astype(np.float64) - rows.mean(0)
    sizes = np.linalg.norm(centred, axis=0)
    sizes[sizes == 0] = np.inf
    unit = centred / sizes
    return np.asarray(unit.T @ unit)


def _joint(
    rows: np.ndarray, real: np.ndarray, pair: tuple[int, int], categorical: Collection[int]
) -> np.ndarray:
    """Both values of a pair of columns as one number, those of numbers by their bin; ``[N]``."""
    joint = np.zeros(len(rows))
    for i in pair:
        values = rows[:, i]
        if i in categorical:
            known = np.unique(real[:, i])
            places = np.searchsorted(known, values)
            found = known[np.minimum(places, len(known) - 1)] == values
            number = np.where(found, places, len(known))  # a category of no real row
        else:
            inner = np.histogram_bin_edges(real[:, i], NUM_BINS)[1:-1]
            number = np.digitize(values, inner)
        joint = joint * (len(real) + NUM_BINS) + number

    return joint


def _check(real: np.ndarray, fake: np.ndarray) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or not real.shape[1]:
        raise ValueError(f"need rows of the same columns, got {real.shape} and {fake.shape}")
    if not (len(real) and len(fake)):
        raise ValueError(f"need rows on both sides, got {len(real)} and {len(fake)}")
