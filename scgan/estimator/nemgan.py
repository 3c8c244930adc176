"""NEMGAN as a scikit-learn estimator: fit with or without labels, predict, sample by mode."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from typing_extensions import override

from scgan.estimator.base import Estimator

MISSING = ("None", "nan", "NaN", "NaT", "<NA>")
"""What values that stand for none are as texts."""


class NEMGAN(Estimator):
    """NEMGAN for arrays and data frames, trained in this process.

    ::

        model = NEMGAN(weights=(0.02, 0.98)).fit(X)
        k, p = model.predict(X), model.predict_proba(X)
        X_new = model.sample(1000, cluster=0)

        model = NEMGAN(labelled=1.0).fit(X, y)  # y is -1, or "", where a row has no label
        y_new = model.classes_[model.predict(X)]

    Args:
        num_clusters: Modes K of the noise; None for as many as there are weights, or labels, or 10.
        weights: Of the modes, as they are known or assumed, of any sum; None for equal ones.
        prior: ``"fixed"``, or ``"learned"`` for weights that follow what is found in X.
        code_dim: Dimensions of the noise beside the K of the modes; None for 2.
        labelled: Share of each label's rows that the inversion network is shown the label of; at 0,
            y is ignored.
        preset: Settings to start from, ``"smoke"``, ``"default"`` or ``"paper"``.
        settings: Any other settings by dotted key, ``{"gan.width": 256}``.
        missing: ``"model"`` learns where values are missing, so that samples lack them alike;
            ``"error"`` refuses them.
        random_state: Seed of everything random, an integer of at least 0; or a ``RandomState``, or
            None for a new seed at each fit.
        memory: Folder or ``s3://`` address where trained stages are kept and found again; None
            keeps none.
        verbose: Whether to show progress on stderr.

    Source: [NEMGAN].
    """

    _system = "nemgan"
    _own = {
        "num_clusters": "gan.num_clusters",
        "weights": "gan.weights",
        "prior": "gan.prior",
        "code_dim": "gan.code_dim",
        "labelled": "gan.labelled",
    }

    def __init__(
        self,
        num_clusters: int | None = None,
        *,
        weights: Sequence[float] | None = None,
        prior: str | None = None,
        code_dim: int | None = None,
        labelled: float = 0.0,
        preset: str = "default",
        settings: Mapping[str, Any] | None = None,
        missing: Literal["error", "model"] = "error",
        random_state: int | np.random.RandomState | None = 0,
        memory: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.num_clusters = num_clusters
        self.weights = weights
        self.prior = prior
        self.code_dim = code_dim
        self.labelled = labelled
        self.preset = preset
        self.settings = settings
        self.missing = missing
        self.random_state = random_state
        self.memory = memory
        self.verbose = verbose

    @override
    def _labels(self, config: Any, y: Any, num_rows: int) -> np.ndarray | None:
        if config.gan.labelled == 0:
            return None
        if y is None:
            raise ValueError(
                f"labelled is {config.gan.labelled:g}, but there is no y: give fit one"
            )
        return _as_labels(y, num_rows)


def _as_labels(y: Any, num_rows: int) -> np.ndarray:
    """Labels as numbers or texts, ``[N]``; what has no value is the text or number for none."""
    labels = np.asarray(y)
    if labels.shape != (num_rows,):
        raise ValueError(f"y must have a label for each of {num_rows} rows, not {labels.shape}")

    if labels.dtype.kind == "f":
        return np.where(np.isnan(labels), -1, labels)
    if labels.dtype.kind != "O":
        return labels

    texts = np.asarray([str(value) for value in labels])
    return np.where(np.isin(texts, MISSING), "", texts)
