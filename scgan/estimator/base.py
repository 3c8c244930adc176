"""What every estimator does: fit, predict, sample, save, take arrays and data frames."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from scgan import systems
from scgan.capabilities import choose, cluster_probabilities
from scgan.cli.console import Terminal
from scgan.config import Settings, override
from scgan.data.containers import Layout, take
from scgan.data.dataset import DataConfig
from scgan.data.labels import known_labels
from scgan.data.split import whole
from scgan.data.tables.oddities import tell_categories, tell_far
from scgan.data.tables.reading import from_raw
from scgan.data.tables.schema import Schema
from scgan.pipeline import executor as execution
from scgan.pipeline import run as pipeline
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, ArtifactStore

LABELS = "labels"
"""Name beside the stages' under which the clusters of X are saved."""


class Estimator(BaseEstimator):
    """A system for arrays and data frames, trained in this process.

    A class of a system has parameters of its own, those of ``_own``, and beside them ``preset``,
    ``settings``, ``missing``, ``random_state``, ``memory`` and ``verbose``.

    Attributes:
        n_features_in_: Columns seen in fit.
        feature_names_in_: Their names, where X had columns named by texts.
        labels_: Cluster of each row of X, ``[N]``.
        n_clusters_: Clusters found.
        classes_: Where y was learned from, its labels, of which the first clusters are, in order.
        seed_: The seed that the fit used.
    """

    _system: ClassVar[str]
    _own: ClassVar[Mapping[str, str]]
    """Parameters and the dotted keys of the settings that they are."""

    preset: str
    settings: Mapping[str, Any] | None
    missing: Literal["error", "model"]
    random_state: int | np.random.RandomState | None
    memory: str | os.PathLike[str] | None
    verbose: bool

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train all stages on X.

        Args:
            X: Array or tensor ``[N, D]``, a structured array, a data frame of pandas or polars, a
                table of Arrow or astropy, or a dictionary of columns: numbers, texts, times; values
                may be missing where ``missing`` is "model".
            y: Labels of the rows, ``[N]``, for an estimator that learns from them, else ignored.

        Returns:
            Itself.

        Raises:
            ValueError: For data or parameters that can't be used.
        """
        self._check_parameters()
        raw, layout = take(X)
        table = from_raw(raw, missing=self.missing)
        tell_far("X", table.columns, "put NaN in their place, and leave those rows out")
        config = self._config()
        labels = self._labels(config, y, table.num_rows)
        data = whole("X", replace(table, labels=labels))
        tell_categories("X", data.table_schema)
        systems.load(self._system).check(config, data)
        self.seed_ = _seed(self.random_state)
        spec = Spec(self._system, DataConfig(source="array"), config, self.seed_)
        listeners = [Terminal()] if self.verbose else []

        with tempfile.TemporaryDirectory() as scratch:
            store = ArtifactStore(os.fspath(self.memory or scratch))
            fitted = pipeline.fit_stages(spec, data, store, execution.LocalExecutor(), listeners)

        artifacts = {name: stage.artifact for name, stage in fitted.items()}
        self._take(artifacts, data.table_schema, config, layout, labels)
        # Of the rows as they are, not as spread for training.
        self.labels_ = self.model_.assign(self.schema_.encode(table.columns)).cpu().numpy()
        return self

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Train on X; cluster of each of its rows, ``[N]``."""
        return self.fit(X, y).labels_

    def sample(self, n: int = 1, *, seed: int = 0, **options: Any) -> Any:
        """Draw samples in the units, names and types of X.

        Args:
            n: How many.
            seed: The same seed draws the same samples.
            **options: What the model lets choose, as ``cluster=3`` for rows of that cluster only;
                ``model_.options`` tells them.

        Returns:
            What X was: array ``[n, D]``, data frame ...

        Raises:
            ValueError: For an option or a number that is not allowed.
        """
        check_is_fitted(self, "model_")
        num = _whole_number("n", n, 1, 2**63 - 1)
        generator = torch.Generator().manual_seed(_whole_number("seed", seed, 0, 2**63 - 1))
        x = self.model_.sample(num, generator, **choose(self.model_, options))
        return self._like_input(self.schema_.decode(x))

    def predict(self, X: Any) -> np.ndarray:
        """Cluster of each row of X, ``[N]`` integers in [0, n_clusters_)."""
        x = self._encoded(X)
        return self.model_.assign(x).cpu().numpy()

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each cluster given each row of X, ``[N, n_clusters_]``."""
        x = self._encoded(X)
        return cluster_probabilities(self.model_, x).cpu().numpy()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a folder or ``s3://`` address, as safetensors and JSON.

        Raises:
            ValueError: If it can't be written there.
        """
        check_is_fitted(self, "model_")
        store = ArtifactStore(os.fspath(path))
        labels = Artifact({"k": torch.from_numpy(self.labels_)})
        artifacts = {**self.artifacts_, LABELS: labels}
        for name, artifact in artifacts.items():
            store.save(name, artifact)

        memory = None if self.memory is None else os.fspath(self.memory)
        record = {
            "params": self.get_params() | {"random_state": self.seed_, "memory": memory},
            "config": self.config_.model_dump(mode="json"),
            "schema": self.schema_.to_json(),
            "layout": self.layout_.to_json(),
            "stages": list(artifacts),
            "classes": self.classes_.tolist() if hasattr(self, "classes_") else None,
        }

        store.storage.write("estimator.json", json.dumps(record, indent=1, default=_plain).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that :meth:`save` wrote.

        Raises:
            ValueError: If there is none, or a file of it is damaged.
        """
        path = os.fspath(path)
        if "://" not in path and not Path(path).is_dir():
            raise ValueError(f"no estimator at {path!r}")

        store = ArtifactStore(path, write=False)
        raw = store.storage.read("estimator.json")
        try:
            found = json.loads(raw) if raw else None
        except ValueError:
            found = None
        record: dict[str, Any] = found if isinstance(found, dict) else {}
        artifacts = {stage: store.load(stage) for stage in record.get("stages", ())}
        known = {"params", "config", "schema", "layout", "classes"} <= record.keys()
        if not known or LABELS not in artifacts or None in artifacts.values():
            raise ValueError(f"no whole estimator at {path!r}")

        estimator = cls(**record["params"])
        stored = {name: artifact for name, artifact in artifacts.items() if artifact is not None}
        estimator.labels_ = stored.pop(LABELS).tensors["k"].numpy()
        config = systems.load(cls._system).Config.model_validate(record["config"])
        layout = Layout.from_json(record["layout"])
        labels = None if record["classes"] is None else np.asarray(record["classes"])
        estimator._take(stored, Schema.from_json(record["schema"]), config, layout, labels)
        estimator.seed_ = record["params"]["random_state"]

        return estimator

    def _check_parameters(self) -> None:
        """Refuse what no parameter may be, before anything is looked at.

        Raises:
            ValueError: With what it may be.
        """
        if self.missing not in {"error", "model"}:
            raise ValueError(f"missing is {self.missing!r}, but must be 'error' or 'model'")
        if self.settings is not None and not isinstance(self.settings, Mapping):
            raise ValueError(f"settings is {self.settings!r}, but must be a dictionary or None")
        if self.memory is not None and not isinstance(self.memory, str | os.PathLike):
            raise ValueError(f"memory is {self.memory!r}, but must be a folder, an address or None")

    def _config(self) -> Any:
        presets = systems.load(self._system).presets
        if self.preset not in presets:
            raise ValueError(f"unknown preset {self.preset!r}; allowed: {', '.join(presets)}")

        own = {key: getattr(self, name) for name, key in self._own.items()}
        given = {key: value for key, value in own.items() if value is not None}
        changes = given | dict(self.settings or {})
        plain = {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in changes.items()
        }
        return override(presets[self.preset], plain)

    def _labels(self, config: Any, y: Any, num_rows: int) -> np.ndarray | None:
        """The labels that are learned from, ``[N]``, of numbers or texts; None, the default."""
        return None

    def _take(
        self,
        artifacts: Mapping[str, Artifact],
        schema: Schema,
        config: Settings,
        layout: Layout,
        labels: np.ndarray | None,
    ) -> None:
        self.artifacts_, self.schema_ = artifacts, schema
        self.config_, self.layout_ = config, layout
        model: Any = systems.load(self._system).model(config, artifacts, torch.device("cpu"))
        self.model_ = model
        self.n_features_in_ = len(schema.names)
        self.n_clusters_ = len(model.counts)
        for name in ("classes_", "feature_names_in_"):
            self.__dict__.pop(name, None)  # of an earlier fit
        if labels is not None:
            self.classes_ = known_labels(labels)
        if layout.labels and all(isinstance(label, str) for label in layout.labels):
            self.feature_names_in_ = np.asarray(layout.labels, dtype=object)

    def _encoded(self, X: Any) -> torch.Tensor:
        check_is_fitted(self, "model_")
        raw, layout = take(X)
        table = from_raw(raw, missing=self.missing)

        if layout.kind == "array" and len(table.names) != self.n_features_in_:
            raise ValueError(
                f"X has {len(table.names)} columns, but the model was fitted on "
                f"{self.n_features_in_}"
            )

        names = self.layout_.renamed(layout) if layout.labels else self.schema_.names
        return self.schema_.encode(dict(zip(names, table.columns.values(), strict=True)))

    def _like_input(self, columns: Mapping[str, np.ndarray]) -> Any:
        return self.layout_.give(columns, self.schema_.meanings)


def _whole_number(name: str, value: Any, least: int, most: int) -> int:
    """An integer, numpy's too, within its limits."""
    if not isinstance(value, int | np.integer) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}, but must be a whole number, at least {least}")
    return int(value)


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
