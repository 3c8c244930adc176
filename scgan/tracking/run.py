"""One pipeline run as MLflow holds it: every step can be taken twice and leaves one entry."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scgan import systems
from scgan.capabilities import cluster_table
from scgan.data.dataset import Dataset
from scgan.pipeline.executor import Usage
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact
from scgan.tracking import view
from scgan.tracking.content import (
    Points,
    curve_points,
    dataset_input,
    run_params,
    score_points,
    stage_params,
    usage_points,
)
from scgan.tracking.entry import MAX_LETTERS, NOTE, Entry
from scgan.tracking.model import save_model
from scgan.tracking.naming import describe_run, run_name

MODEL = "scgan.model_uri"  # the tag of a run with a model


class PipelineRun:
    """A pipeline's entry with its children, one a stage.

    Args:
        client: An ``mlflow.MlflowClient``.
        experiment_id: Where it lies.
        spec: What is run.
    """

    def __init__(self, client: Any, experiment_id: str, spec: Spec) -> None:
        self.spec = spec
        tags = {"scgan.run_id": spec.run_id}
        self.parent = Entry(client, experiment_id, run_name(spec), tags)
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
        self.parent.open()
        self.model_uri = self.parent.tags.get(MODEL)
        if self.parent.complete:
            return
        self.parent.set_status("RUNNING")
        self.parent.set_tags({NOTE: describe_run(self.spec, data)})
        self.parent.log_params(run_params(self.spec, data))
        self._client.log_inputs(self.parent.id, [dataset_input(self.spec, data)])
        view.refresh(self._client, self._experiment_id)

    def begin_stage(self, stage: str, num_units: int) -> None:
        """Find the stage's entry, or make it; it and its parent are running."""
        self._trained = True
        for entry in (self.parent, self._child(stage)):
            entry.reopen()
        self._child(stage).log_params({"units": num_units})

    def log_points(self, stage: str, points: Points, timestamp: int) -> None:
        """Log metrics of a stage that are not there yet."""
        self._child(stage).log_metrics(points, timestamp)

    def log_usage(self, usage: Usage, timestamp: int) -> None:
        """Log what the run holds at a moment, the seconds since the entry was made as steps."""
        step = max(0, timestamp - self.parent.start) // 1000
        self.parent.log_metrics(usage_points(usage, step), timestamp)

    def finish_stage(
        self, stage: str, artifact: Artifact, seconds: float | None, timestamp: int
    ) -> None:
        """Complete the stage's entry; what it made is the run's curve."""
        if self.parent.complete:
            return
        child = self._child(stage)
        if seconds is not None:
            self.parent.log_metrics([(f"{stage}/seconds", seconds, 0)], timestamp)
        if not child.complete:
            self.parent.log_metrics(curve_points(stage, artifact), timestamp)
            child.finish()

    def finish(self, outcome: Outcome, timestamp: int) -> None:
        """Log scores, clusters and model, and close the entry."""
        if self.parent.complete:
            return

        if "evaluate" in outcome.seconds:
            seconds = outcome.seconds["evaluate"]
            self.parent.log_metrics([("evaluate/seconds", seconds, 0)], timestamp)

        if clusters := cluster_table(outcome.model):
            rows = list(zip(*clusters.values(), strict=True))
            self.parent.log_table("clusters.json", list(clusters), rows)

        model_id = self._log_model(outcome)
        dataset = dataset_input(self.spec, outcome.data).dataset
        about = {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
        self.parent.log_metrics(score_points(outcome.scores), timestamp, replace=True)
        values = [(key, score.value, 0) for key, score in outcome.scores.items()]
        self.parent.log_metrics(values, timestamp, about={"model_id": model_id, **about})
        self.parent.set_tags({MODEL: f"models:/{model_id}"})
        self.model_uri = f"models:/{model_id}"

        self.parent.finish()
        view.refresh(self._client, self._experiment_id)

    def fail(self, error: BaseException) -> None:
        """Close what is open: KILLED where a person or a signal ended it, else FAILED."""
        self._client.set_tag(self.id, "scgan.error", type(error).__name__)
        for entry in (*self._children.values(), self.parent):
            if entry.status == "RUNNING":
                entry.set_status("FAILED" if isinstance(error, Exception) else "KILLED")

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
        if stage not in self._children:
            tags = {"mlflow.parentRunId": self.id, "scgan.stage": stage}
            self._children[stage] = Entry(self._client, self._experiment_id, stage, tags)

        child = self._children[stage]
        child.open()
        child.log_params(stage_params(self.spec, self._sections[stage]))

        return child

    def _log_model(self, outcome: Outcome) -> str:
        """Log the trained system, unless that was done, as MLflow's ``log_model`` would.

        Returns:
            Its id.
        """
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model

        client, run_id, spec = self._client, self.id, outcome.spec
        if self.model_uri is not None and not self._trained:
            return self.model_uri.rpartition("/")[2]

        if self._model is None:
            params = {
                key: str(value)[:MAX_LETTERS]
                for key, value in run_params(spec, outcome.data).items()
            }
            self._model = client.create_logged_model(
                self._experiment_id, spec.run_id, run_id, params=params
            )

        model_id = str(self._model.model_id)
        described = Model(
            artifact_path=self._model.artifact_location, run_id=run_id, model_id=model_id
        )

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            save_model(path, spec, outcome.data.schema, outcome.artifacts, described)
            client.log_model_artifacts(model_id, str(path))

        client.finalize_logged_model(model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        return model_id
