"""MMGAN as a scikit-learn estimator: fit, predict, predict_proba, sample."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from scgan.estimator.base import Estimator


class MMGAN(Estimator):
    """MMGAN for arrays and data frames, trained in this process.

    ::

        model = MMGAN(num_clusters=5).fit(X)
        k, p = model.predict(X), model.predict_proba(X)
        X_new = model.sample(1000, cluster=3)

    Args:
        num_clusters: K; None for 10.
        code_dim: Dimension of the latent mixture.
        alpha: Weight of the clusters' cross-entropy.
        critic: Adversarial loss, ``"sgan"``, ``"rsgan"`` or ``"crasgan"``.
        preset: Settings to start from, ``"smoke"`` or ``"default"``.
        settings: Any other settings by dotted key, ``{"gan.width": 256}``.
        missing: ``"model"`` learns where values are missing, so that samples lack them alike;
            ``"error"`` refuses them.
        random_state: Seed of everything random, an integer of at least 0; or a ``RandomState``, or
            None for a new seed at each fit.
        memory: Folder or ``s3://`` address where trained stages are kept and found again; None
            keeps none.
        verbose: Whether to show progress on stderr.

    Source: [MMGAN].
    """

    _system = "mmgan"
    _own = {
        "num_clusters": "gan.num_clusters",
        "code_dim": "gan.code_dim",
        "alpha": "gan.alpha",
        "critic": "gan.critic",
    }

    def __init__(
        self,
        num_clusters: int | None = None,
        *,
        code_dim: int | None = None,
        alpha: float | None = None,
        critic: str | None = None,
        preset: str = "default",
        settings: Mapping[str, Any] | None = None,
        missing: Literal["error", "model"] = "error",
        random_state: int | np.random.RandomState | None = 0,
        memory: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.num_clusters = num_clusters
        self.code_dim = code_dim
        self.alpha = alpha
        self.critic = critic
        self.preset = preset
        self.settings = settings
        self.missing = missing
        self.random_state = random_state
        self.memory = memory
        self.verbose = verbose
