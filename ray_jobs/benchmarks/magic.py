"""How a paper of 2026 measures models of MAGIC and other tables, so that figures lie side by side.

Scassola and others, "A sobering look at tabular data generation via probabilistic circuits", and
its code: nine tenths of the rows, the class among their columns, are trained on; as many samples
are compared with the training rows themselves.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ray_jobs.benchmarks.courses import View
from ray_jobs.benchmarks.training import Peer
from scgan.data.tables.table import Table
from scgan.metrics.fidelity import alpha_precision_beta_recall, training_share
from scgan.metrics.scores import Score
from scgan.metrics.standard import Detector, detection, shape, trend

LABEL = "label"  # name of the column of classes
WITH_LABEL = "_with_label"  # how the name of such a table ends
TEST_FRACTION = 0.1

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "CTGAN": {"detection_xgboost": 0.103, "shape": 0.944, "trend": 0.945, "beta_recall": 0.159},
    "TVAE": {"detection_xgboost": 0.298, "shape": 0.954, "trend": 0.953, "beta_recall": 0.363},
    "mixture": {"detection_xgboost": 0.626, "shape": 0.984, "trend": 0.979, "beta_recall": 0.493},
    "TabSyn": {"detection_xgboost": 0.760, "shape": 0.990, "trend": 0.992, "beta_recall": 0.478},
    "TabDiff": {"detection_xgboost": 0.773, "shape": 0.992, "trend": 0.992, "beta_recall": 0.480},
    "TabPC": {"detection_xgboost": 0.860, "shape": 0.990, "trend": 0.983, "beta_recall": 0.505},
}
"""Means over five seeds on MAGIC, by the CSV files beside the paper's code."""


def write_with_label(table: Table, path: Path) -> None:
    """Write a table with its labels as a column of whole numbers.

    Raises:
        ValueError: If it has no labels.
    """
    if table.labels is None:
        raise ValueError("the table has no labels: give --label")
    _, classes = np.unique(table.labels, return_inverse=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **table.columns, **{LABEL: classes})


def scores(view: View, peer: Peer, seed: int) -> dict[str, Score]:
    """The paper's scores of a trained peer, beside those of the held-out rows.

    Args:
        view: The data with the class as a column.
        peer: Trained on it.
        seed: Of samples and scores.

    Returns:
        ``detection_logistic``, ``detection_xgboost`` where XGBoost is there, ``shape``, ``trend``,
        ``alpha_precision``, ``beta_recall`` and ``dcr_share``.
    """
    schema = view.schema
    drawn = schema.decode(view.encode(view.decode(peer.sample(len(view.train), seed))))
    samples, train, test = (_rows(c) for c in (drawn, *map(schema.decode, _parts(view))))
    last = train.shape[1] - 1
    found = {}

    for name, score in (("shape", shape), ("trend", trend)):
        found[name] = Score.of(name, score(train, samples, (last,)), score(train, test, (last,)))

    detectors: list[Detector] = ["logistic"]
    if importlib.util.find_spec("xgboost") is not None:
        detectors.append("xgboost")
    for detector in detectors:
        key = f"detection_{detector}"
        found[key] = Score.of(key, detection(train, samples, detector, seed=seed))

    made, real, held_out = (_unit_range(rows, train) for rows in (samples, train, test))
    for key, value in alpha_precision_beta_recall(real, made)._asdict().items():
        found[key] = Score.of(key, value)

    nearer = training_share(made, real, held_out, seed=seed)
    found["dcr_share"] = Score.of("dcr_share", nearer)
    return found


def _parts(view: View) -> tuple[Tensor, Tensor]:
    return view.data.train, view.data.test


def _rows(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """All columns as numbers, the class last."""
    numbers = [values for name, values in columns.items() if name != LABEL]
    return np.stack([*numbers, columns[LABEL]], 1).astype(np.float64)


def _unit_range(rows: np.ndarray, train: np.ndarray) -> Tensor:
    """Numbers over the training rows' range, the class as one column each of its values."""
    low, high = train[:, :-1].min(0), train[:, :-1].max(0)
    spans = np.where(high > low, high - low, 1)
    classes = rows[:, -1:] == np.unique(train[:, -1])
    return torch.from_numpy(np.hstack([(rows[:, :-1] - low) / spans, classes]))
