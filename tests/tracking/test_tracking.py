from __future__ import annotations

import json
import shlex
import shutil
import socket
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from scgan.capabilities import cluster_table
from scgan.config import leaves, override
from scgan.data.dataset import DataConfig
from scgan.metrics.scores import Score
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor, Usage
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store import opening
from scgan.store.artifacts import ArtifactStore
from scgan.store.opening import sqlite_path, sqlite_uri
from scgan.systems.scgan import SYSTEM, SCGANSystem
from scgan.tracking import content as mlflow_content
from scgan.tracking import model as serving
from scgan.tracking import tracker as tracking
from scgan.tracking.tracker import MLflowTracker, redacted
from scgan.training.runtime import Progress

# MLflow's own database code.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

STAGES = ("encode", "cluster", "map", "decode", "refine")
SCORES = {
    "sliced_wasserstein": Score(0.06, 0.03, "lower"),
    "share": Score(0.5, 0.0, "lower"),
    "modes_total": Score(8.0, None, "none"),
}


@pytest.fixture(scope="module")
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
    points = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    return {
        key: sorted((point.step, point.value) for point in values) for key, values in points.items()
    }


def content(uri: str, *, live: bool = True) -> dict[str, Any]:
    """All that is logged but for what is made anew each time."""
    made = {"scgan.model_uri", "mlflow.parentRunId"}
    return {
        name: {
            "status": run.info.status,
            "params": run.data.params,
            "tags": {key: value for key, value in run.data.tags.items() if key not in made},
            "metrics": {
                k: v for k, v in history(uri, run).items() if live or not k.startswith("live/")
            },
        }
        for name, run in entries(uri).items()
    }


def test_a_run_a_pipeline_and_a_child_a_stage(uri, outcome):
    play(MLflowTracker.open(uri), outcome)
    found = entries(uri)
    assert set(found) == {outcome.spec.run_id, *STAGES}
    parent = found[outcome.spec.run_id]
    assert parent.data.tags["scgan.run_id"] == outcome.spec.run_id
    assert "scgan.version.torch" in parent.data.tags
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    for stage in STAGES:
        assert found[stage].data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert found[stage].data.tags["scgan.stage"] == stage


def test_parameters_are_flat_and_a_stage_has_its_own(uri, outcome):
    play(MLflowTracker.open(uri), outcome)
    found = entries(uri)
    config = {key: str(value) for key, value in leaves(outcome.spec.config)}
    params = found[outcome.spec.run_id].data.params
    assert config.items() <= params.items()
    assert params["system"] == "scgan"
    assert params["seed"] == "0"
    assert params["data.source"] == "checkerboard"
    assert (params["data.train_rows"], params["data.test_rows"]) == ("400", "60")
    assert params["data.modelled_columns"] == "2"

    for stage, sections in {"encode": {"encoder"}, "decode": {"mappers", "decoder"}}.items():
        own = {key: value for key, value in config.items() if key.split(".")[0] in sections}
        assert found[stage].data.params == own | {"units": "1"}


def test_a_long_parameter_is_cut(uri, outcome):
    data = outcome.spec.data.model_copy(
        update={"columns": tuple(f"column {i}" for i in range(1000))}
    )
    MLflowTracker.open(uri).run_started(replace(outcome.spec, data=data), outcome.data)
    (run,) = entries(uri).values()
    assert len(run.data.params["data.columns"]) == 6000


def test_scores_have_the_same_keys_in_every_run(uri, outcome):
    play(MLflowTracker.open(uri), outcome)
    other = replace(outcome, spec=replace(outcome.spec, seed=1))
    metrics = entries(uri)[outcome.spec.run_id].data.metrics
    assert {key for key in metrics if "/" not in key} == {
        "sliced_wasserstein",
        "sliced_wasserstein_floor",
        "sliced_wasserstein_ratio",
        "share",
        "share_floor",
        "modes_total",
    }
    assert metrics["sliced_wasserstein"] == 0.06
    assert metrics["sliced_wasserstein_ratio"] == pytest.approx(2.0)
    assert metrics["encode/seconds"] == 1.5
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("scgan").experiment_id
    tracker = MLflowTracker.open(uri)
    play(tracker, other)
    assert client.get_run(tracker.run_id).data.metrics.keys() == metrics.keys()
    assert len(client.search_runs([experiment])) == 2 * (1 + len(STAGES))


def test_curves_are_the_artifacts(uri, outcome):
    play(MLflowTracker.open(uri), outcome)
    found = entries(uri)
    assert outcome.artifacts["encode"].meta["curve"]
    logged = history(uri, found[outcome.spec.run_id])
    for stage in STAGES:
        curve = outcome.artifacts[stage].meta.get("curve", [])
        own = {key: points for key, points in logged.items() if key.startswith(f"{stage}/")}
        assert own.pop(f"{stage}/seconds") == [(0, 1.5)]
        assert own == {
            f"{stage}/{name}": [(round(point["samples"]), point[name]) for point in curve]
            for name in (curve[0].keys() - {"samples"} if curve else ())
        }
        assert all(key.startswith("live/") for key in found[stage].data.metrics)


def test_losses_are_there_while_a_stage_runs(uri, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    tracker = MLflowTracker.open(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("encode", 1)
    tracker.progress("encode", Progress(0, 2048, {}))
    tracker.progress("encode", Progress(512, 2048, {"nt_xent": 3.0}))
    tracker.progress("encode", Progress(600, 2048, {"nt_xent": 3.0}))  # no new point
    tracker.progress("encode", Progress(1024, 2048, {"nt_xent": 2.0}))
    found = entries(uri)
    assert history(uri, found["encode"]) == {"live/nt_xent": [(512, 3.0), (1024, 2.0)]}
    assert found["encode"].info.status == found[outcome.spec.run_id].info.status == "RUNNING"


def test_live_losses_come_in_batches_and_all_of_them(uri, outcome):
    tracker, server = tracker_of(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("encode", 1)
    server.calls.clear()
    for i in range(1500):
        tracker.progress("encode", Progress(i, 1500, {"a": float(i), "b": float(-i)}))
    assert server.calls["log_batch"] <= 1
    tracker.stage_finished("encode", outcome.artifacts["encode"], 1.0)
    assert (
        server.calls["log_batch"] <= 1 + 3 + 2
    )  # the rest by a thousand, then seconds and the curve
    assert {
        len(points) for key, points in history(uri, entries(uri)["encode"]).items() if "live" in key
    } == {1500}


def test_where_a_job_is_can_be_read_while_it_runs(uri, outcome, monkeypatch):
    from mlflow import MlflowClient

    tracker = MLflowTracker.open(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("map", 4)
    tracker.units_fitted("map", 0, 4)
    start = entries(uri)[outcome.spec.run_id].info.start_time
    for seconds, nodes, cost in ((10, 1, 0.5), (20, 3, 0.75), (20, 3, 0.75)):
        monkeypatch.setattr(tracking, "_now", lambda seconds=seconds: start + 1000 * seconds)
        tracker.resources_used(Usage(nodes, 4.0, 2.5, 8.0, 4.0, cost))
    tracker.units_fitted("map", 3, 4)
    tracker.progress("map", Progress(512, 2048, {}))
    parent, stage = (entries(uri)[name] for name in (outcome.spec.run_id, "map"))
    assert stage.info.status == "RUNNING" and stage.data.params["units"] == "4"
    assert history(uri, stage) == {"live/units_fitted": [(0, 0.0), (3, 3.0)]}
    assert history(uri, parent) == {
        "system/nodes": [(10, 1.0), (20, 3.0)],
        "system/gpus_in_use": [(10, 2.5), (20, 2.5)],
        "system/cpus_in_use": [(10, 4.0), (20, 4.0)],
        "system/cost_so_far": [(10, 0.5), (20, 0.75)],
    }
    points = MlflowClient(tracking_uri=uri).get_metric_history(parent.info.run_id, "system/nodes")
    assert [point.timestamp - start for point in points] == [10_000, 20_000]


def test_a_repeated_run_adds_nothing_and_asks_little(uri, outcome):
    play(MLflowTracker.open(uri), outcome)
    before = content(uri), {name: run.info.end_time for name, run in entries(uri).items()}
    tracker, server = tracker_of(uri)
    play(tracker, repeated(outcome))
    assert server.calls == {"search_runs": 1}
    assert tracker.model_uri is not None
    assert before == (content(uri), {name: run.info.end_time for name, run in entries(uri).items()})


def test_a_run_that_was_killed_goes_on_in_its_entry(uri, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    play(MLflowTracker.open(uri), outcome)
    wanted = content(uri)
    directory = Path(uri.removeprefix("sqlite:///")).parent
    other = f"sqlite:///{directory / 'other' / 'mlflow.db'}"
    (directory / "other").mkdir()
    shutil.copy(directory / "mlflow.db", directory / "other" / "mlflow.db")
    delete_runs(other)

    killed = MLflowTracker.open(other)
    play(killed, outcome, STAGES[:1])
    killed.stage_started("cluster", 1)
    del killed
    assert {run.info.status for run in entries(other).values()} == {"RUNNING", "FINISHED"}
    play(
        MLflowTracker.open(other), replace(outcome, trained=("cluster", "map", "decode", "refine"))
    )
    assert content(other) == wanted


def test_a_stage_killed_halfway_has_no_point_twice(uri, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    killed = MLflowTracker.open(uri)
    killed.run_started(outcome.spec, outcome.data)
    killed.stage_started("encode", 1)
    killed.progress("encode", Progress(512, 2048, {"nt_xent": 3.0}))
    first = killed.run_id
    tracker = MLflowTracker.open(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("encode", 1)
    tracker.progress("encode", Progress(512, 2048, {"nt_xent": 3.0}))
    tracker.progress("encode", Progress(700, 2048, {"nt_xent": 2.5}))
    assert tracker.run_id == first
    assert history(uri, entries(uri)["encode"]) == {"live/nt_xent": [(512, 3.0), (700, 2.5)]}


def test_a_stage_from_the_store_is_logged_without_its_seconds(uri, outcome):
    play(MLflowTracker.open(uri), replace(outcome, trained=("decode", "refine")))
    metrics = entries(uri)[outcome.spec.run_id].data.metrics
    assert [key for key in metrics if key.startswith("encode/")]
    assert "encode/seconds" not in metrics
    assert metrics["decode/seconds"] == 1.5


def test_a_run_trained_anew_is_reopened_and_has_a_new_model(uri, outcome):
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome)
    before, old = content(uri), tracker.model_uri
    play(tracker, replace(outcome, trained=("encode",)), STAGES[:1])
    assert {run.info.status for run in entries(uri).values()} == {"RUNNING", "FINISHED"}
    play(tracker, replace(outcome, trained=()), STAGES[1:])
    assert tracker.model_uri != old
    assert content(uri) == before


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("the loss"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(1), "KILLED"),
    ],
)
def test_a_failed_run_says_so_and_can_be_taken_up(uri, outcome, error, status):
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome, STAGES[:1])
    tracker.stage_started("cluster", 1)
    tracker.run_failed(error)
    found = entries(uri)
    assert {name: run.info.status for name, run in found.items()} == {
        outcome.spec.run_id: status,
        "encode": "FINISHED",
        "cluster": status,
    }
    assert found[outcome.spec.run_id].data.tags["scgan.error"] == type(error).__name__
    play(MLflowTracker.open(uri), replace(outcome, trained=("cluster", "map", "decode", "refine")))
    assert {run.info.status for run in entries(uri).values()} == {"FINISHED"}


@pytest.mark.parametrize("away", ["start", "middle"])
def test_an_outage_loses_nothing(uri, migrated, tmp_path, outcome, caplog, monkeypatch, away):
    monkeypatch.setattr(MLflowTracker, "RETRY_AFTER", 0.0)
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    play(MLflowTracker.open(uri), outcome)
    (tmp_path / "other").mkdir()
    other = f"sqlite:///{shutil.copy(migrated, tmp_path / 'other')}"
    tracker, server = tracker_of(other)
    server.down = away == "start"
    play(tracker, outcome, STAGES[:1])
    server.down = True
    play(tracker, outcome, STAGES[1:3])
    (warning,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "no route" in warning.getMessage()
    server.down = False
    play(tracker, outcome, STAGES[3:])
    assert content(other) == content(uri)


def test_a_server_that_is_away_at_the_end_is_made_up_for_by_the_same_command(uri, outcome, caplog):
    tracker, server = tracker_of(uri)
    play(tracker, outcome, STAGES[:3])
    server.down = True
    play(tracker, outcome, STAGES[3:])
    assert "the same command again" in caplog.text
    assert entries(uri)[outcome.spec.run_id].info.status == "RUNNING"
    play(MLflowTracker.open(uri), repeated(outcome))
    found = entries(uri)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert found[outcome.spec.run_id].data.metrics["sliced_wasserstein"] == 0.06
    assert [k for k in found[outcome.spec.run_id].data.metrics if k.startswith("decode/")]


def test_an_outage_is_not_waited_for_again_and_again(uri, outcome):
    tracker, server = tracker_of(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("encode", 1)
    server.down = True
    server.calls.clear()
    for i in range(100):
        tracker._sent = 0.0  # as if five seconds were over
        tracker.progress("encode", Progress(i, 100, {"nt_xent": float(i)}))
    assert server.calls.total() == 1


def test_a_lost_answer_makes_no_second_entry(uri, migrated, tmp_path, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "RETRY_AFTER", 0.0)
    play(MLflowTracker.open(uri), outcome)
    (tmp_path / "other").mkdir()
    other = f"sqlite:///{shutil.copy(migrated, tmp_path / 'other')}"
    tracker, server = tracker_of(other)
    server.lose = {"create_run", "log_batch", "log_inputs", "set_tag", "set_terminated", "log_dict"}
    play(tracker, outcome)
    for _ in range(10):
        tracker._close()
    assert not server.lose
    assert content(other, live=False) == content(uri, live=False)


def test_what_mlflow_refuses_does_not_hold_up_the_rest(uri, outcome, caplog):
    tracker, server = tracker_of(uri)
    server.refuse = {"log_inputs"}
    play(tracker, outcome)
    assert "not like this" in caplog.text
    assert {run.info.status for run in entries(uri).values()} == {"FINISHED"}


def test_the_data_is_an_input_with_its_digest(uri, outcome):
    import json

    play(MLflowTracker.open(uri), outcome)
    ((found,), *rest) = (
        run.inputs.dataset_inputs for run in entries(uri).values() if run.inputs.dataset_inputs
    )
    assert not rest
    assert found.dataset.name == "checkerboard"
    assert found.dataset.digest == outcome.data.fingerprint[:36]
    columns = json.loads(found.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("x0", "float"),
        ("x1", "float"),
    ]
    assert json.loads(found.dataset.profile)["num_rows"] == 400
    assert {tag.key: tag.value for tag in found.tags} == {"mlflow.data.context": "training"}


def test_the_clusters_are_one_table(uri, outcome, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # load_table asks there, whatever its client is
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome)
    play(MLflowTracker.open(uri), outcome)  # trained again: the same table, not a longer one
    table = MlflowClient(tracking_uri=uri).load_table(
        tracker._experiment_id, "clusters.json", run_ids=[tracker.run_id]
    )
    clusters = outcome.artifacts["cluster"].tensors
    assert table["cluster"].tolist() == list(range(len(clusters["counts"])))
    assert table["rows"].tolist() == clusters["counts"].tolist()
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["spread"].tolist() == pytest.approx(clusters["spread"].tolist())


def test_cluster_table_takes_quality_and_does_without_clusters():
    model = SimpleNamespace(
        counts=torch.tensor([1, 3]), cluster_columns={"quality": [0.5, 0.25]}, assign=len
    )
    assert cluster_table(model) == {
        "cluster": [0, 1],
        "rows": [1, 3],
        "weight": [0.25, 0.75],
        "quality": [0.5, 0.25],
    }
    assert cluster_table(SimpleNamespace(encode=None)) == {}


def test_pictures_and_report_are_kept_by_a_repeated_run(uri, outcome):
    from mlflow import MlflowClient

    pictures = {"Samples. Beside the data": b"\x89PNG 1", "samples, again": b"\x89PNG 2"}
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome)
    tracker.log_pictures(pictures)
    tracker.log_report("<p>first</p>")
    client = MlflowClient(tracking_uri=uri)
    files = [file.path for file in client.list_artifacts(tracker.run_id, "pictures")]
    assert files == [
        "pictures/01-samples.png",
        "pictures/02-samples-again.png",
    ]
    again, server = tracker_of(uri)
    play(again, repeated(outcome))
    again.log_pictures(pictures)
    again.log_report("<p>second</p>")
    assert not server.calls.keys() & {"log_artifact", "log_text"}
    play(again, outcome)
    again.log_report("<p>third</p>")
    report = Path(uri.removeprefix("sqlite:///")).parent.glob("mlartifacts/**/report.html")
    assert [path.read_text() for path in report] == ["<p>third</p>"]


def test_a_pipeline_tells_it_all(uri, outcome, tmp_path, monkeypatch):
    monkeypatch.setattr(SCGANSystem, "evaluate", lambda *args: iter(SCORES.items()))
    store = ArtifactStore(str(tmp_path / "runs"))
    executor = LocalExecutor(torch.device("cpu"))
    for trained in (STAGES, ()):
        tracker, server = tracker_of(uri)
        result = pipeline.run(outcome.spec, outcome.data, store, executor, [tracker])
        assert result.trained == trained
    assert server.calls == {"search_runs": 1}
    assert {run.info.status for run in entries(uri).values()} == {"FINISHED"}


def test_the_model_is_found_by_its_address(uri, outcome, monkeypatch):
    monkeypatch.setattr("scgan.tracking.run.save_model", serving.save_model)
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    from mlflow import pyfunc

    model = pyfunc.load_model(tracker.model_uri)
    assert model.metadata.run_id == tracker.run_id
    assert model.predict({"n": [5]}).shape == (5, 2)


def test_nothing_secret_is_logged(uri, outcome, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hush-hush")
    play(MLflowTracker.open(uri), outcome)
    assert "hush-hush" not in str(content(uri))


def test_an_address_is_shown_without_its_password():
    assert redacted("postgresql://me:pw@host/db") == "postgresql://me:***@host/db"
    assert redacted("http://host:5000/a@b:c@d") == "http://host:5000/a@b:c@d"
    tracker = MLflowTracker(None, "http://me:pw@host:5000/", "3")
    runs = "/#/experiments/3/runs?workflowType=machine_learning&viewStateShareKey=scgan"
    assert tracker.address == f"http://me:***@host:5000{runs}"
    tracker = MLflowTracker(None, "sqlite:////a/mlflow.db", "3")
    command = "mlflow ui --backend-store-uri sqlite:////a/mlflow.db"
    assert tracker.address == f"{command}  # http://127.0.0.1:5000{runs}"
    for folder in ("my runs", "a#b", "a%20b", "it's"):
        tracker = MLflowTracker(None, f"sqlite:////{folder}/mlflow.db", "3")
        words = shlex.split(tracker.address, comments=True)
        assert words == ["mlflow", "ui", "--backend-store-uri", f"sqlite:////{folder}/mlflow.db"]


def test_the_default_is_sqlite_here_with_artifacts_beside(uri, migrated, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copy(migrated, "mlflow.db")
    tracker = MLflowTracker.open()
    assert tracker.uri == f"sqlite:///{tmp_path}/here/mlflow.db"
    made = tracker._client.get_experiment(tracker._experiment_id)
    assert made.artifact_location == (tmp_path / "here" / "mlartifacts").as_uri()
    assert made.tags["mlflow.experimentKind"] == "custom_model_development"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert MLflowTracker.open().uri == uri


def test_the_experiment_is_the_users(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "myteam")
    for given, name in ((None, "myteam"), ("other", "other")):
        tracker = MLflowTracker.open(uri, given)
        assert tracker.client.get_experiment(tracker.experiment_id).name == name


def test_the_experiment_is_the_users_by_its_id(uri, monkeypatch):
    client = MLflowTracker.open(uri, "theirs").client
    theirs = client.get_experiment_by_name("theirs").experiment_id
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", theirs)
    assert MLflowTracker.open(uri).experiment_id == theirs
    assert MLflowTracker.open(uri, "other").experiment_id != theirs  # what is said in code wins

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    assert MLflowTracker.open(uri).experiment_id == theirs
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    with pytest.raises(ValueError, match="NAME is 'other': unset one of them") as both:
        MLflowTracker.open(uri)

    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    client.delete_experiment(theirs)
    for asked in (theirs, "4711", "no number"):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", asked)
        with pytest.raises(ValueError, match=f"ID is '{asked}', and there is no such") as gone:
            MLflowTracker.open(uri)
    assert "\n" not in f"{both.value}{gone.value}"


def test_a_deleted_experiment_is_named(uri):
    tracker = MLflowTracker.open(uri)
    tracker._client.delete_experiment(tracker._experiment_id)
    with pytest.raises(ValueError, match="experiment 'scgan' was deleted") as info:
        MLflowTracker.open(uri)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("silent", [False, True])
def test_a_server_that_is_not_there_is_said_in_seconds(uri, monkeypatch, silent):
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()  # takes the call and never answers
            monkeypatch.setattr(tracking, "FIRST_TIMEOUT", "1")
        port = listener.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(ValueError, match="no server answers there") as info:
            MLflowTracker.open(f"http://me:hush-hush@127.0.0.1:{port}")
    assert time.monotonic() - start < 8
    assert "\n" not in str(info.value)
    assert "hush-hush" not in str(info.value)
    assert f"127.0.0.1:{port}" in str(info.value)


def test_mlflow_knows_the_variables_that_are_set():
    from mlflow import environment_variables

    for name in tracking.ENVIRONMENT:
        assert getattr(environment_variables, name).name == name


def test_a_users_timeouts_are_left_alone(uri, monkeypatch):
    import os

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    MLflowTracker.open(uri)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


@pytest.mark.parametrize(
    "bad", ["file:/tmp/mlruns", "nonsense://x", "sqlite:////proc/no/mlflow.db"]
)
def test_other_wrong_addresses_are_one_line(uri, bad):
    with pytest.raises(ValueError, match="MLFLOW_TRACKING_URI") as info:
        MLflowTracker.open(bad)
    assert "\n" not in str(info.value)


def delete_runs(uri: str) -> None:
    """Delete every run of the experiment, as a person would in the UI."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    for run in entries(uri).values():
        client.delete_run(run.info.run_id)


def test_images_are_logged_as_such(image_run):
    from mlflow.data.schema import TensorDatasetSchema

    spec, data = image_run.outcome.spec, image_run.outcome.data
    params = mlflow_content.run_params(spec, data)
    assert (
        params["data.train_images"],
        params["data.test_images"],
        params["data.dropped_images"],
    ) == (48, 12, 0)
    assert (params["data.size"], params["data.channels"], params["data.labels"]) == (32, 3, "many")
    dataset = mlflow_content.dataset_input(spec, data).dataset
    schema = TensorDatasetSchema.from_dict(json.loads(dataset.schema))
    (images,) = schema.features.inputs
    assert (images.type, images.shape) == (np.dtype("uint8"), (-1, 32, 32, 3))
    assert json.loads(dataset.profile) == {"num_images": 48, "num_test_images": 12}
    assert dataset.source_type == "local" and json.loads(dataset.source)["uri"].endswith(
        "faces.npz"
    )
    digits = replace(spec, data=DataConfig(source="digits"))
    assert mlflow_content.dataset_input(digits, data).dataset.source_type == "code"
    assert cluster_table(image_run.outcome.model) == {}


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "my runs"])
def test_the_database_of_an_odd_store_is_in_it(migrated, tmp_path, name):
    (tmp_path / name).mkdir()
    database = tmp_path / name / "mlflow.db"
    shutil.copy(migrated, database)
    uri = sqlite_uri(database)
    assert sqlite_path(uri) == database
    tracker = MLflowTracker.open(uri)
    assert tracker.uri == uri and [path.name for path in tmp_path.iterdir()] == [name]
    made = tracker.client.get_experiment(tracker.experiment_id)
    assert made.artifact_location == (tmp_path / name / "mlartifacts").as_uri()


def test_an_older_sqlalchemy_reads_addresses_as_they_are(monkeypatch):
    monkeypatch.setattr(opening, "version", lambda package: "2.0.40")
    assert sqlite_uri(Path("/a%20b/m.db")) == "sqlite:////a%20b/m.db"
    assert sqlite_path("sqlite:////a%20b/m.db") == Path("/a%20b/m.db")
    with pytest.raises(ValueError, match=r"can't lie in a folder with \? in its name"):
        sqlite_uri(Path("/a?b/m.db"))
