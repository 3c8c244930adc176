"""Finished runs, as a store holds them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from scgan import systems
from scgan.capabilities import Kind
from scgan.config import suggest
from scgan.data.images.schema import ImageSchema, schema_from_json
from scgan.data.tables.schema import Schema
from scgan.metrics.scores import Score
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, ArtifactStore

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class StoredRun:
    """A finished run, as the store holds it.

    Args:
        spec: What was run.
        schema: Of the data.
        model: The trained system.
        artifacts: Of each stage, by its name.
        scores: On the held-out split.
        fingerprint: Of the data it was trained on.
    """

    spec: Spec
    schema: Schema | ImageSchema
    model: Any
    artifacts: Mapping[str, Artifact]
    scores: Mapping[str, Score]
    fingerprint: str

    @property
    def kind(self) -> Kind:
        """What the data is."""
        return "table" if isinstance(self.schema, Schema) else "images"

    def outcome(self) -> Outcome:
        """What the run ended with, its data loaded again.

        Raises:
            ValueError: If the data can't be read any more, or is no longer what the run was trained
                on.
        """
        data = prepare(self.spec)
        if data.fingerprint != self.fingerprint:
            raise ValueError(
                f"{self.spec.data.source} has changed since the run {self.spec.run_id}; run it "
                "again"
            )
        return Outcome(
            self.spec, data, self.artifacts, self.model, self.scores, trained=(), seconds={}
        )


def open_run(name: str, store: ArtifactStore) -> StoredRun:
    """Load a finished run from a store.

    Args:
        name: The run's name, as the run printed it.
        store: Where it lies.

    Returns:
        The run.

    Raises:
        ValueError: If there is none of that name, or an artifact of it is missing.
    """
    raw = store.storage.read(f"{name}/run.json") if _NAME.fullmatch(name) else None
    if raw is None:
        known = [n.split("/")[0] for n in store.storage.names("") if n.endswith("/run.json")]
        raise ValueError(f"no run {name!r} in the store {store.url!r}{suggest(name, known)}")

    record = json.loads(raw)
    spec = Spec.from_json(record["spec"])
    artifacts = {stage: store.load(key) for stage, key in record["artifacts"].items()}
    missing = [stage for stage, artifact in artifacts.items() if artifact is None]

    if missing:
        raise ValueError(
            f"the run {name!r} has lost its {missing[0]!r} artifact; run it again to train it anew"
        )

    found = {stage: artifact for stage, artifact in artifacts.items() if artifact is not None}
    model = systems.load(spec.system).model(spec.config, found, torch.device("cpu"))
    scores = {key: Score(**score) for key, score in record["scores"].items()}
    schema, fingerprint = schema_from_json(record["schema"]), record["data"]["fingerprint"]

    return StoredRun(spec, schema, model, found, scores, fingerprint)


USUAL: Mapping[Kind, tuple[str, str]] = {
    "table": ("100000", "samples.parquet"),
    "images": ("100", "samples.png"),
}
"""How many samples a person would draw, and where to, by what the data is."""


def cluster_command(spec: Spec, store_url: str, kind: Kind) -> str:
    """What a person would type to find the clusters of new rows or images by a run."""
    new = "new.parquet" if kind == "table" else "new.npz"
    words = ["scgan", "cluster", spec.run_id, "--store", store_url, "--data", new]
    return shlex.join([*words, "--out", "clusters.parquet"])


def sample_command(spec: Spec, store_url: str, kind: Kind) -> str:
    """What a person would type to draw samples of a run on that kind of data."""
    num, out = USUAL[kind]
    words = ["scgan", "sample", spec.run_id, "--store", store_url, "--num", num, "--out", out]
    return shlex.join(words)
