"""A trained run, told to MLflow, and what MLflow then holds of it."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.metrics.scores import Score
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore
from scgan.systems.scgan import SYSTEM, SCGANSystem
from scgan.tracking import tracker as tracking
from scgan.tracking.tracker import MLflowTracker
from scgan.training.runtime import Progress

STAGES = ("encode", "cluster", "map", "decode", "refine")
SCORES = {
    "sliced_wasserstein": Score(0.06, 0.03, "lower"),
    "share": Score(0.5, 0.0, "lower"),
    "modes_total": Score(8.0, None, "none"),
}


@pytest.fixture(scope="session")
def outcome(tmp_path_factory) -> Outcome:
    """A trained run, its scores invented."""
    sizes = {
        "encoder.num_samples": 2048,
        "clusters.num_clusters": 4,
        "mappers.num_samples": 256,
        "decoder.num_samples": 1024,
    }
    data = DataConfig(source="checkerboard", num_train=400, num_test=60)
    spec = Spec("scgan", data, override(SYSTEM.presets["smoke"], sizes))
    store = ArtifactStore(str(tmp_path_factory.mktemp("runs")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SCGANSystem, "evaluate", lambda *args: iter(SCORES.items()))
        return pipeline.run(spec, pipeline.prepare(spec), store, LocalExecutor(torch.device("cpu")))


@pytest.fixture
def uri(migrated, tmp_path, monkeypatch) -> str:
    for name in tracking.ENVIRONMENT:
        monkeypatch.setenv(name, "unset")  # so that monkeypatch puts it back
        monkeypatch.delenv(name)
    monkeypatch.setattr("scgan.tracking.run.save_model", lambda folder, *args: folder.mkdir())
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


class Server:
    """A client whose server can be away, and that counts its calls."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.down = False
        self.lose: set[str] = set()  # calls that are carried out, but whose first answer is lost
        self.refuse: set[str] = set()
        self.calls: Counter = Counter()

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            from mlflow.exceptions import MlflowException

            self.calls[name] += 1
            if self.down:
                raise ConnectionError("no route")
            if name in self.refuse:
                raise MlflowException.invalid_parameter_value("not like this")
            result = getattr(self.client, name)(*args, **kwargs)
            if name in self.lose:
                self.lose.remove(name)
                raise ConnectionError("no answer")
            return result

        return call


def tracker_of(uri: str) -> tuple[MLflowTracker, Server]:
    tracker = MLflowTracker.open(uri)
    tracker._client = Server(tracker._client)
    return tracker, tracker._client


def play(tracker: MLflowTracker, outcome: Outcome, stages: tuple[str, ...] = STAGES) -> None:
    """What a pipeline says to its listeners, up to the end of the last of these stages."""
    if stages == STAGES[: len(stages)]:
        tracker.run_started(outcome.spec, outcome.data)
    for stage in stages:
        if stage in outcome.trained:
            tracker.stage_started(stage, 1)
            for point in outcome.artifacts[stage].meta.get("curve", [])[:3]:
                losses = {name: value for name, value in point.items() if name != "samples"}
                tracker.progress(stage, Progress(int(point["samples"]) + 1, 2048, losses))
        tracker.stage_finished(
            stage, outcome.artifacts[stage], 1.5 if stage in outcome.trained else None
        )
    if stages[-1] == STAGES[-1]:
        tracker.run_finished(outcome)


def repeated(outcome: Outcome) -> Outcome:
    return replace(outcome, trained=(), seconds={"evaluate": 0.1})


def entries(uri: str) -> dict[str, Any]:
    """Every MLflow run of the experiment by its stage or the run's id; no two have the same."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("scgan").experiment_id
    found = client.search_runs([experiment])
    keys = [run.data.tags.get("scgan.run_id", run.info.run_name) for run in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


def history(uri: str, run: Any) -> dict[str, list[tuple[int, float]]]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = {}
    for key in run.data.metrics:
        points = client.get_metric_history(run.info.run_id, key)
        found[key] = sorted((point.step, point.value) for point in points)
    return found


def content(uri: str, *, live: bool = True) -> dict[str, Any]:
    """All that is logged but for what is made anew each time."""
    made = {"scgan.model_uri", "mlflow.parentRunId"}
    found = {}
    for name, run in entries(uri).items():
        metrics = history(uri, run).items()
        found[name] = {
            "status": run.info.status,
            "params": run.data.params,
            "tags": {key: value for key, value in run.data.tags.items() if key not in made},
            "metrics": {k: v for k, v in metrics if live or not k.startswith("live/")},
        }
    return found
