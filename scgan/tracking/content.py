"""What of a run MLflow is told, as plain values: parameters, metrics, tables, data and code."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scgan.config import leaves
from scgan.data.dataset import BUNDLED, Dataset
from scgan.data.images.schema import ImageSchema
from scgan.data.tables.schema import Schema
from scgan.metrics.scores import Score
from scgan.pipeline.executor import Usage
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, versions
from scgan.tracking.model import mlflow_type

Points = Iterable[tuple[str, float, int]]
"""Metrics as ``(key, value, step)``."""

MAX_DIGEST = 36  # letters: MLflow's limit
VALIDATION = "val/"  # before scores on rows held out of training: another estimate than a run's
SPACE = "space."  # before a setting whose values a search looked among
FLOOR, RATIO = "_floor", "_ratio"  # behind a score's name: its floor, and how many times that it is


def run_params(spec: Spec, data: Dataset) -> dict[str, Any]:
    """What a run's result depends on, flat."""
    described = {
        key: value for key, value in data.describe().items() if not isinstance(value, list)
    }
    about = {f"data.{key}": value for key, value in (dict(leaves(spec.data)) | described).items()}
    return {"system": spec.system, "seed": spec.seed, **about, **dict(leaves(spec.config))}


def stage_params(spec: Spec, sections: Sequence[str]) -> dict[str, Any]:
    """The settings of the sections that a stage reads, flat."""
    return {key: value for key, value in leaves(spec.config) if key.split(".")[0] in sections}


def score_points(scores: Mapping[str, Score]) -> Iterator[tuple[str, float, int]]:
    """Each score, its floor, and how many times the floor it is."""
    for key, score in scores.items():
        yield key, score.value, 0
        if score.floor is not None:
            yield f"{key}{FLOOR}", score.floor, 0
            if score.floor > 0:
                yield f"{key}{RATIO}", score.value / score.floor, 0


def usage_points(usage: Usage, step: int) -> Iterator[tuple[str, float, int]]:
    """What of a cluster is there and in use, named as MLflow names a machine's own metrics."""
    yield "system/nodes", float(usage.nodes), step
    yield "system/gpus_in_use", usage.gpus_in_use, step
    yield "system/cpus_in_use", usage.cpus_in_use, step
    if usage.cost is not None:
        yield "system/cost_so_far", usage.cost, step


def curve_points(stage: str, artifact: Artifact) -> Iterator[tuple[str, float, int]]:
    """A stage's losses, with samples seen as steps."""
    for point in artifact.meta.get("curve", []):
        for name, value in point.items():
            if name != "samples":
                yield f"{stage}/{name}", value, round(point["samples"])


def dataset_input(spec: Spec, data: Dataset) -> Any:
    """The data as MLflow's input of a run: name, digest, source, columns and sizes."""
    from mlflow.entities import Dataset as DatasetEntity
    from mlflow.entities import DatasetInput, InputTag

    source = spec.data.source
    origin_of: dict[str, Any]

    if source in BUNDLED:
        kind, origin_of = "code", {"tags": {"mlflow.source.name": f"scgan's own set {source}"}}
    elif source.startswith("s3://"):
        kind, origin_of = "s3", {"uri": source}
    else:
        kind, origin_of = "local", {"uri": str(Path(source).expanduser().absolute())}

    entity = DatasetEntity(
        name=data.name,
        digest=data.fingerprint[:MAX_DIGEST],
        source_type=kind,
        source=json.dumps(origin_of),
        schema=json.dumps(_mlflow_schema(data.schema)),
        profile=json.dumps(
            {f"num_{data.unit}": data.num_train, f"num_test_{data.unit}": data.num_test}
        ),
    )

    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def _mlflow_schema(schema: Schema | ImageSchema) -> dict[str, Any]:
    if isinstance(schema, Schema):
        columns = [
            {"name": c.name, "type": mlflow_type(c.dtype), "required": c.gaps is None}
            for c in schema.columns
        ]
        return {"mlflow_colspec": columns}

    shape = [-1, schema.size, schema.size, schema.channels]
    features = {
        "name": "images",
        "type": "tensor",
        "tensor-spec": {"dtype": "uint8", "shape": shape},
    }

    return {"mlflow_tensorspec": {"features": json.dumps([features]), "targets": None}}


@functools.cache
def origin() -> Mapping[str, str]:
    """Tags that say what code made an entry: versions, and the commit of a git checkout."""
    tags = {f"scgan.version.{name}": version for name, version in versions().items()}
    folder = Path(__file__).parent

    try:
        for command in (
            ["ls-files", "--error-unmatch", Path(__file__).name],
            ["rev-parse", "HEAD"],
        ):
            said = subprocess.check_output(
                ["git", *command], cwd=folder, stderr=subprocess.DEVNULL, timeout=5
            )

        tags["mlflow.source.git.commit"] = said.decode().strip()
    except (OSError, subprocess.SubprocessError):
        pass  # no git, or an installed package inside some other repository

    return tags
