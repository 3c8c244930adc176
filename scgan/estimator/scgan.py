"""SC-GAN as a scikit-learn estimator: fit, sample, transform, predict, reconstruct."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from scgan.estimator.base import Estimator


class SCGAN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """SC-GAN for arrays and data frames, trained in this process.

    ::

        model = SCGAN(num_clusters=16).fit(X)
        X_new = model.sample(1000)

    Args:
        num_clusters: K; None chooses by held-out codes.
        code_dim: Dimension of the latent space; None for the data's.
        lambda_eps: Weight of the reconstruction of codes in mappers that are autoencoders.
        lambda_x: Weight of generation against reconstruction in the decoder.
        preset: Settings to start from, ``"smoke"`` or ``"default"``.
        settings: Any other settings by dotted key, ``{"decoder.width": 256}``.
        missing: ``"model"`` learns where values are missing, so that samples lack them alike;
            ``"error"`` refuses them.
        random_state: Seed of everything random, an integer of at least 0; or a ``RandomState``, or
            None for a new seed at each fit.
        memory: Folder or ``s3://`` address where trained stages are kept and found again; None
            keeps none.
        verbose: Whether to show progress on stderr.

    Source: [SCGAN].
    """

    _system = "scgan"
    _own = {
        "num_clusters": "clusters.num_clusters",
        "code_dim": "encoder.code_dim",
        "lambda_eps": "mappers.lambda_eps",
        "lambda_x": "decoder.lambda_x",
    }

    def __init__(
        self,
        num_clusters: int | None = None,
        *,
        code_dim: int | None = None,
        lambda_eps: float | None = None,
        lambda_x: float | None = None,
        preset: str = "default",
        settings: Mapping[str, Any] | None = None,
        missing: Literal["error", "model"] = "error",
        random_state: int | np.random.RandomState | None = 0,
        memory: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.num_clusters = num_clusters
        self.code_dim = code_dim
        self.lambda_eps = lambda_eps
        self.lambda_x = lambda_x
        self.preset = preset
        self.settings = settings
        self.missing = missing
        self.random_state = random_state
        self.memory = memory
        self.verbose = verbose

    def transform(self, X: Any) -> np.ndarray:
        """Codes eps of X, ``[N, d]``."""
        x = self._encoded(X)
        return self.model_.encode(x).numpy()

    def reconstruct(self, X: Any) -> Any:
        """Decode the codes of X with the noise fixed; array or data frame as X was in fit."""
        x = self._encoded(X)
        return self._like_input(self.schema_.decode(self.model_.reconstruct(x)))

    @property
    def _n_features_out(self) -> int:
        """Columns of what transform gives, by which scikit-learn names them."""
        return self.model_.centres.shape[1]
