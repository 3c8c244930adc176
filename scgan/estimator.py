"""SC-GAN as a scikit-learn estimator: fit, sample, transform, predict, reconstruct."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from scgan.capabilities import choose
from scgan.cli.console import Terminal
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.data.split import whole
from scgan.data.tables.reading import Table, from_columns
from scgan.data.tables.schema import Schema
from scgan.pipeline import executor as execution
from scgan.pipeline import run as pipeline
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.systems.scgan import SYSTEM, SCGANConfig


class SCGAN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
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
        random_state: Seed of everything random, an integer of at least 0; or a ``RandomState``, or
            None for a new seed at each fit.
        memory: Folder or ``s3://`` address where trained stages are kept and found again; None
            keeps none.
        verbose: Whether to show progress on stderr.

    Attributes:
        n_features_in_: Columns seen in fit.
        feature_names_in_: Their names, where X was a data frame.
        labels_: Cluster of each row of X, ``[N]``.
        n_clusters_: Clusters found.
        seed_: The seed that the fit used.

    Source: [SCGAN].
    """

    def __init__(
        self,
        num_clusters: int | None = None,
        *,
        code_dim: int | None = None,
        lambda_eps: float | None = None,
        lambda_x: float | None = None,
        preset: str = "default",
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = 0,
        memory: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.num_clusters = num_clusters
        self.code_dim = code_dim
        self.lambda_eps = lambda_eps
        self.lambda_x = lambda_x
        self.preset = preset
        self.settings = settings
        self.random_state = random_state
        self.memory = memory
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> SCGAN:
        """Train all stages on X.

        Args:
            X: Array ``[N, D]`` or data frame; numbers without NaN.
            y: Ignored.

        Returns:
            Itself.

        Raises:
            ValueError: For data or parameters that can't be used.
        """
        data = whole("array", _table(X))
        config = self._config()
        SYSTEM.check(config, data)
        self.seed_ = _seed(self.random_state)
        spec = Spec("scgan", DataConfig(source="array"), config, self.seed_)
        listeners = [Terminal()] if self.verbose else []

        with tempfile.TemporaryDirectory() as scratch:
            store = ArtifactStore(self.memory or scratch)
            fitted = pipeline.fit_stages(spec, data, store, execution.LocalExecutor(), listeners)

        self._take(
            {name: stage.artifact for name, stage in fitted.items()},
            data.table_schema,
            config,
            _kind(X),
        )

        self.labels_ = self.artifacts_["cluster"].tensors["k"].numpy()
        return self

    def sample(self, n: int = 1, *, seed: int = 0, **options: Any) -> Any:
        """Draw samples in the units, names and types of X.

        Args:
            n: How many.
            seed: The same seed draws the same samples.
            **options: What the model lets choose: ``cluster=3`` for rows of that cluster only,
                ``latent="real"`` for another latent model; ``model_.options`` tells them.

        Returns:
            Array ``[n, D]`` or data frame, as X was.

        Raises:
            ValueError: For an option or a number that is not allowed.
        """
        check_is_fitted(self, "model_")
        if n < 1:
            raise ValueError(f"can't draw {n} samples; n must be at least 1")
        chosen = choose(self.model_, options)
        x = self.model_.sample(n, torch.Generator().manual_seed(seed), **chosen)
        return self._like_input(self.schema_.decode(x))

    def transform(self, X: Any) -> np.ndarray:
        """Codes eps of X, ``[N, d]``."""
        x = self._encoded(X)
        return self.model_.encode(x).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Cluster of each row of X, ``[N]`` integers in [0, n_clusters_)."""
        x = self._encoded(X)
        return self.model_.assign(x).numpy()

    def reconstruct(self, X: Any) -> Any:
        """Decode the codes of X with the noise fixed; array or data frame as X was in fit."""
        x = self._encoded(X)
        return self._like_input(self.schema_.decode(self.model_.reconstruct(x)))

    def save(self, path: str) -> None:
        """Write the fitted estimator to a folder or ``s3://`` address, as safetensors and JSON.

        Raises:
            ValueError: If it can't be written there.
        """
        check_is_fitted(self, "model_")
        store = ArtifactStore(path)
        for name, artifact in self.artifacts_.items():
            store.save(name, artifact)

        record = {
            "params": self.get_params() | {"random_state": self.seed_},
            "config": self.config_.model_dump(mode="json"),
            "schema": self.schema_.to_json(),
            "kind": self.kind_,
            "stages": list(self.artifacts_),
        }

        store.storage.write("estimator.json", json.dumps(record, indent=1, default=_plain).encode())

    @classmethod
    def load(cls, path: str) -> SCGAN:
        """Read an estimator that :meth:`save` wrote.

        Raises:
            ValueError: If there is none, or a file of it is damaged.
        """
        if "://" not in path and not Path(path).is_dir():
            raise ValueError(f"no estimator at {path!r}")

        store = ArtifactStore(path, write=False)
        raw = store.storage.read("estimator.json")
        record: dict[str, Any] = json.loads(raw) if raw else {}
        artifacts = {stage: store.load(stage) for stage in record.get("stages", ())}
        if not artifacts or None in artifacts.values():
            raise ValueError(f"no whole estimator at {path!r}")

        estimator = cls(**record["params"])
        found = {name: artifact for name, artifact in artifacts.items() if artifact is not None}
        config = SCGANConfig.model_validate(record["config"])
        estimator._take(found, Schema.from_json(record["schema"]), config, record["kind"])
        estimator.labels_ = found["cluster"].tensors["k"].numpy()
        estimator.seed_ = record["params"]["random_state"]

        return estimator

    def _config(self) -> SCGANConfig:
        if self.preset not in SYSTEM.presets:
            raise ValueError(
                f"unknown preset {self.preset!r}; allowed: {', '.join(SYSTEM.presets)}"
            )

        own = {
            "clusters.num_clusters": self.num_clusters,
            "encoder.code_dim": self.code_dim,
            "mappers.lambda_eps": self.lambda_eps,
            "decoder.lambda_x": self.lambda_x,
        }

        changes = {key: value for key, value in own.items() if value is not None} | dict(
            self.settings or {}
        )
        plain = {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in changes.items()
        }
        return override(SYSTEM.presets[self.preset], plain)

    def _take(
        self, artifacts: Mapping[str, Artifact], schema: Schema, config: SCGANConfig, kind: str
    ) -> None:
        self.artifacts_, self.schema_, self.config_, self.kind_ = artifacts, schema, config, kind
        model: Any = SYSTEM.model(config, artifacts, torch.device("cpu"))
        self.model_ = model
        self.n_features_in_ = len(schema.names)
        self.n_clusters_ = len(self.model_.centres)
        if kind == "frame":
            self.feature_names_in_ = np.asarray(schema.names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_  # of an earlier fit

    @property
    def _n_features_out(self) -> int:
        """Columns of what transform gives, by which scikit-learn names them."""
        return self.model_.centres.shape[1]

    def _encoded(self, X: Any) -> torch.Tensor:
        check_is_fitted(self, "model_")
        table = _table(X)

        if _kind(X) == "array" and len(table.names) != self.n_features_in_:
            raise ValueError(
                f"X has {len(table.names)} columns, but the model was fitted on "
                f"{self.n_features_in_}"
            )

        columns = (
            dict(zip(self.schema_.names, table.columns.values(), strict=True))
            if _kind(X) == "array"
            else table.columns
        )

        return self.schema_.encode(columns)

    def _like_input(self, columns: Mapping[str, np.ndarray]) -> Any:
        if self.kind_ == "frame":
            import pandas as pd

            return pd.DataFrame(dict(columns))
        return np.stack(list(columns.values()), axis=1)


def _seed(random_state: Any) -> int:
    """The integer itself, or one drawn from the generator."""
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if not 0 <= random_state < 2**31:
            raise ValueError(f"random_state is {random_state}, but must be 0 to {2**31 - 1}")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _plain(value: Any) -> Any:
    """A numpy number as the JSON encoder can write it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} can't be saved")


def _kind(X: Any) -> str:
    return "frame" if hasattr(X, "columns") else "array"


def _table(X: Any) -> Table:
    if _kind(X) == "frame":
        return from_columns({str(name): X[name].to_numpy() for name in X.columns})
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"X must have rows and columns, [N, D], not shape {array.shape}; reshape your data"
        )
    return from_columns({f"x{i}": array[:, i] for i in range(array.shape[1])})
