"""One pipeline run as MLflow holds it: every step can be taken twice and leaves one entry."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scgan import systems
from scgan.capabilities import cluster_table
from scgan.data.dataset import Dataset
from scgan.pipeline.executor import Usage
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact
from scgan.tracking.content import (
    Points,
    curve_points,
    dataset_input,
    origin,
    run_params,
    score_points,
    stage_params,
    usage_points,
)
from scgan.tracking.model import save_model

COMPLETE = "scgan.complete"  # the tag of an entry that holds all that it will ever hold
MAX_LETTERS, MAX_PARAMS, MAX_METRICS = 6000, 100, 1000  # of a parameter; in a call: MLflow's limits


@dataclass
class Entry:
    """An MLflow run and what it holds already.

    Args:
        id: MLflow's id, empty before it is found or made.
        status: MLflow's word for how it stands.
        start: When it was made, in milliseconds.
        complete: Whether nothing is missing.
        params: Names of the parameters that are there.
        points: Values of the metrics that are there, by key and step.
        tags: As they were when it was found.
    """

    id: str = ""
    status: str = ""
    start: int = 0
    complete: bool = False
    params: set[str] = field(default_factory=set)
    points: dict[tuple[str, int], float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class PipelineRun:
    """A pipeline's entry with its children, one a stage.

    Args:
        client: An ``mlflow.MlflowClient``.
        experiment_id: Where it lies.
        spec: What is run.
    """

    def __init__(self, client: Any, experiment_id: str, spec: Spec) -> None:
        self.spec = spec
        self.parent = Entry()
        self.model_uri: str | None = None
        self._client = client
        self._experiment_id = experiment_id
        self._children: dict[str, Entry] = {}
        self._model: Any = None
        self._trained = False
        self._sections: Mapping[str, Sequence[str]] = {}

    @property
    def id(self) -> str:
        """MLflow's id of the entry."""
        if not self.parent.id:
            raise RuntimeError("MLflow has not taken the run")
        return self.parent.id

    def begin(self, data: Dataset) -> None:
        """Find the entry, or make it; one that is not complete is filled up."""
        stages = systems.load(self.spec.system).stages(data)
        self._sections = {stage.name: stage.sections for stage in stages}
        self._find(self.parent, self.spec.run_id, {"scgan.run_id": self.spec.run_id})
        self.model_uri = self.parent.tags.get("scgan.model_uri")
        if self.parent.complete:
            return
        self._set_status(self.parent, "RUNNING")
        self._log_params(self.parent, run_params(self.spec, data))
        self._client.log_inputs(self.parent.id, [dataset_input(self.spec, data)])

    def begin_stage(self, stage: str, num_units: int) -> None:
        """Find the stage's entry, or make it; it and its parent are running."""
        self._trained = True
        for entry in (self.parent, self._child(stage)):
            if entry.complete:
                self._client.set_tag(entry.id, COMPLETE, "false")
                entry.complete = False
            self._set_status(entry, "RUNNING")
        self._log_params(self._child(stage), {"units": num_units})

    def log_points(self, stage: str, points: Points, timestamp: int) -> None:
        """Log metrics of a stage that are not there yet."""
        self._log_metrics(self._child(stage), points, timestamp)

    def log_usage(self, usage: Usage, timestamp: int) -> None:
        """Log what the run holds at a moment, with the seconds since the entry was made as steps."""
        step = max(0, timestamp - self.parent.start) // 1000
        self._log_metrics(self.parent, usage_points(usage, step), timestamp)

    def finish_stage(
        self, stage: str, artifact: Artifact, seconds: float | None, timestamp: int
    ) -> None:
        """Complete the stage's entry from what it made."""
        if self.parent.complete:
            return
        child = self._child(stage)
        if seconds is not None:
            self._log_metrics(self.parent, [(f"{stage}/seconds", seconds, 0)], timestamp)
        if not child.complete:
            self._log_metrics(child, curve_points(stage, artifact), timestamp)
            self._complete(child)

    def finish(self, outcome: Outcome, timestamp: int) -> None:
        """Log scores, clusters and model, and close the entry."""
        if self.parent.complete:
            return

        self._log_metrics(self.parent, score_points(outcome.scores), timestamp, replace=True)
        if "evaluate" in outcome.seconds:
            self._log_metrics(
                self.parent, [("evaluate/seconds", outcome.seconds["evaluate"], 0)], timestamp
            )

        self._log_table("clusters.json", cluster_table(outcome.model))
        if self._trained or self.model_uri is None:
            self._log_model(outcome)

        self._complete(self.parent)

    def fail(self, error: BaseException) -> None:
        """Close what is open: KILLED where a person or a signal ended it, else FAILED."""
        self._client.set_tag(self.id, "scgan.error", type(error).__name__)
        for entry in (*self._children.values(), self.parent):
            if entry.status == "RUNNING":
                self._set_status(entry, "FAILED" if isinstance(error, Exception) else "KILLED")

    def log_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Log PNG files by name, where something was trained or they are missing."""
        there = self._files("pictures")
        with tempfile.TemporaryDirectory() as folder:
            for name, content in pictures.items():
                if self._trained or f"pictures/{name}" not in there:
                    path = Path(folder) / name
                    path.write_bytes(content)
                    self._client.log_artifact(self.id, str(path), "pictures")

    def log_report(self, html: str) -> None:
        """Log a page as ``report.html``, where something was trained or it is missing."""
        if self._trained or "report.html" not in self._files(None):
            self._client.log_text(self.id, html, "report.html")

    def _files(self, folder: str | None) -> set[str]:
        return {file.path for file in self._client.list_artifacts(self.id, folder)}

    def _child(self, stage: str) -> Entry:
        child = self._children.setdefault(stage, Entry())
        if not child.id:
            self._find(child, stage, {"mlflow.parentRunId": self.id, "scgan.stage": stage})
            self._log_params(child, stage_params(self.spec, self._sections[stage]))
        return child

    def _find(self, entry: Entry, name: str, tags: Mapping[str, str]) -> None:
        """Fill ``entry`` in from the MLflow run with these tags, a new one where there is none."""
        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found = self._client.search_runs([self._experiment_id], query, max_results=1)

        if found:
            run = found[0]
        else:
            run = self._client.create_run(
                self._experiment_id, tags={**tags, **origin()}, run_name=name
            )

        for key, value in run.data.metrics.items():
            if entry is self.parent:  # whose metrics have one step
                entry.points[key, 0] = value
            else:
                history = self._client.get_metric_history(run.info.run_id, key)
                entry.points |= {(key, point.step): point.value for point in history}

        entry.tags, entry.params, entry.status = (
            run.data.tags,
            set(run.data.params),
            run.info.status,
        )

        entry.complete = entry.tags.get(COMPLETE) == "true" and entry.status == "FINISHED"
        entry.id, entry.start = run.info.run_id, run.info.start_time

    def _complete(self, entry: Entry) -> None:
        self._client.set_tag(entry.id, COMPLETE, "true")
        self._set_status(entry, "FINISHED")
        entry.complete = True

    def _set_status(self, entry: Entry, status: str) -> None:
        if entry.status == status:
            return
        if status == "RUNNING":
            self._client.update_run(entry.id, status)
        else:
            self._client.set_terminated(entry.id, status)
        entry.status = status

    def _log_params(self, entry: Entry, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        new = {
            key: str(value)[:MAX_LETTERS]
            for key, value in params.items()
            if key not in entry.params
        }

        for batch in _batches([Param(key, text) for key, text in new.items()], MAX_PARAMS):
            self._client.log_batch(entry.id, params=batch)
            entry.params |= {param.key for param in batch}

    def _log_metrics(
        self, entry: Entry, points: Points, timestamp: int, *, replace: bool = False
    ) -> None:
        """Log what is not there yet; with ``replace`` also what is there with another value."""
        from mlflow.entities import Metric

        new = {}
        for key, value, step in points:
            known = entry.points.get((key, step))
            if known is None or (replace and known != value):
                new[key, step] = Metric(key, value, timestamp, step)

        for batch in _batches(list(new.values()), MAX_METRICS):
            self._client.log_batch(entry.id, metrics=batch)
            entry.points |= {(metric.key, metric.step): metric.value for metric in batch}

    def _log_table(self, name: str, columns: Mapping[str, list]) -> None:
        """Write a table as MLflow's own call does, which would append to one that is there."""
        if not columns:
            return
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self._client.log_dict(self.id, {"columns": list(columns), "data": rows}, name)
        tables = json.dumps([{"path": name, "type": "table"}])  # by which the UI finds them
        self._client.set_tag(self.id, "mlflow.loggedArtifacts", tables)

    def _log_model(self, outcome: Outcome) -> None:
        """Log the trained system as MLflow's ``log_model`` does, but with this client and no active run."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model

        client, run_id, spec = self._client, self.id, outcome.spec
        if self._model is None:
            self._model = client.create_logged_model(self._experiment_id, spec.system, run_id)

        model_id = self._model.model_id
        described = Model(
            artifact_path=self._model.artifact_location, run_id=run_id, model_id=model_id
        )

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            save_model(path, spec, outcome.data.schema, outcome.artifacts, described)
            client.log_model_artifacts(model_id, str(path))

        client.finalize_logged_model(model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        client.set_tag(run_id, "scgan.model_uri", f"models:/{model_id}")
        self.model_uri = f"models:/{model_id}"


def _batches(items: list, size: int) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
