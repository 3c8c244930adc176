"""What is logged of a run: entries, parameters, scores, curves, inputs, tables, pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan.capabilities import cluster_table
from scgan.config import leaves
from scgan.data.dataset import DataConfig
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor, Usage
from scgan.store.artifacts import ArtifactStore
from scgan.systems.scgan import SCGANSystem
from scgan.tracking import content as mlflow_content
from scgan.tracking import model as serving
from scgan.tracking import tracker as tracking
from scgan.tracking.tracker import MLflowTracker
from scgan.training.runtime import Progress
from tests.tracking.conftest import (
    SCORES,
    STAGES,
    content,
    entries,
    history,
    play,
    repeated,
    tracker_of,
)


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
        wanted = {}
        for name in curve[0].keys() - {"samples"} if curve else ():
            wanted[f"{stage}/{name}"] = [(round(point["samples"]), point[name]) for point in curve]
        assert own == wanted
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
