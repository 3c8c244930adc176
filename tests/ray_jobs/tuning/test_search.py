"""A search from the command to the registered model: shared work, early stops, failures."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from ray_jobs import search as command
from ray_jobs.tuning import run as service
from ray_jobs.tuning.run import search
from ray_jobs.tuning.settings import TuneSettings, description, resolve
from ray_jobs.tuning.trial import run_trial
from scgan import systems
from scgan.cli import commands
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline import run as pipeline
from scgan.pipeline.spec import Spec
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import ArtifactStore

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[3]
LENGTHS = {"encoder.num_samples": 4096, "mappers.num_samples": 512, "decoder.num_samples": 8192}
OWN = {**LENGTHS, "clusters.num_clusters": 5, "decoder.lambda_x": 1.0}
CONFIG = override(systems.load("scgan").presets["smoke"], OWN)
SPEC = Spec("scgan", DataConfig(source="two_spirals", num_train=1500, num_test=1500), CONFIG)
SPACE = (
    "decoder.lambda_x=loguniform(0.01,10)",
    "mappers.lambda_eps=choice(1,10)",
    "clusters.num_clusters=choice(3,5)",
)
SETTINGS = TuneSettings(
    space=SPACE,
    only="decoder.lambda_x,mappers.lambda_eps,clusters.num_clusters",
    trials=6,
    study="tiny",
)


def searched_in(folder, spec=SPEC, **changes):
    """Search with other settings; whether enough trials succeeded."""
    return search(spec, SETTINGS.model_copy(update=changes), str(folder))


def study_of(folder):
    return optuna.load_study(study_name="tiny", storage=f"sqlite:///{folder / 'search-tiny.db'}")


@pytest.fixture(scope="module")
def searched(ray_head, migrated, tmp_path_factory):
    """Six trials."""
    folder = tmp_path_factory.mktemp("searched")
    shutil.copy(migrated, folder / "mlflow.db")
    assert searched_in(folder)
    return folder


def copy_of(searched, tmp_path):
    return shutil.copytree(searched, tmp_path / "runs")


def test_the_study_holds_what_was_asked_for_the_defaults_first(searched):
    found = study_of(searched).trials
    assert len(found) == 6 and {t.state for t in found} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert found[0].params == {
        "decoder.lambda_x": CONFIG.decoder.lambda_x,
        "mappers.lambda_eps": CONFIG.mappers.lambda_eps,
        "clusters.num_clusters": 5,
    }
    for trial in found:
        steps = list(trial.intermediate_values)
        assert steps == [911, 2733, 8192][: len(steps)]
        assert (len(steps) == 3) == (trial.state == TrialState.COMPLETE)


def test_what_no_setting_touches_is_trained_once_and_an_artifact_in_the_store_is_taken(searched):
    study, store = study_of(searched), ArtifactStore(str(searched))
    points = [trial.params for trial in study.trials]
    ks = {point["clusters.num_clusters"] for point in points}
    maps = {(point["clusters.num_clusters"], point["mappers.lambda_eps"]) for point in points}
    fits = dict.fromkeys(("encode", "cluster", "map", "decode", "refine"), 0)
    for key in study.user_attrs["shared"]:
        fits[key.split("-")[0]] += 1
    for trial in study.trials:
        for stage in trial.user_attrs["account"]["seconds"]:
            fits[stage] += 1
    print(f"fits {fits}, of {len(ks)} different clusterings and {len(maps)} mappings")
    assert fits["encode"] == 1 and fits["decode"] == 6
    # Two trials at once may train the same, which is waste and no damage: with two slots one more.
    assert len(ks) <= fits["cluster"] <= 2 * len(ks) and len(maps) <= fits["map"] <= 2 * len(maps)
    # A stopped trial is no artifact, and leaves no state behind. One of each is the final model's.
    complete = sum(trial.state == TrialState.COMPLETE for trial in study.trials)
    decoders = list(store.keys("decode-"))
    assert len(decoders) == complete + 1 and not any(".part-" in key for key in decoders)
    assert len(list(store.keys("encode-"))) == 2


def test_mlflow_shows_the_search_and_each_trial_once(searched, mlflow_runs):
    client, parent, children = mlflow_runs(searched)
    study = study_of(searched)
    assert sorted(children) == list(range(6)) and parent.info.status == "FINISHED"
    for trial in study.trials:
        run, stopped = children[trial.number], trial.state == TrialState.PRUNED
        assert run.info.status == ("KILLED" if stopped else "FINISHED")
        assert run.info.run_name.endswith("stopped early") == stopped
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params == {key: str(value) for key, value in trial.params.items()}
        curve = client.get_metric_history(run.info.run_id, "val/sliced_wasserstein")
        assert {point.step: point.value for point in curve} == trial.intermediate_values
        whole = "val/reconstruction_mse" in run.data.metrics
        assert whole == (trial.state == TrialState.COMPLETE)
    assert parent.data.metrics["val/sliced_wasserstein"] == study.best_value
    assert {"history.png", "parallel-coordinates.png"} <= {
        Path(file.path).name for file in client.list_artifacts(parent.info.run_id, "pictures")
    }
    assert "trials.json" in [file.path for file in client.list_artifacts(parent.info.run_id)]


def test_the_best_is_trained_on_all_rows_scored_on_the_held_out_ones_and_registered(
    searched, mlflow_runs
):
    client, parent, _ = mlflow_runs(searched)
    version = client.get_model_version_by_alias("tiny", "best")
    tags = client.get_run(version.run_id).data.tags
    name = tags["scgan.run_id"]
    assert tags["mlflow.parentRunId"] == parent.info.run_id
    assert f"runs/{version.run_id}" in parent.data.tags["mlflow.note.content"]
    model = client.get_logged_model(tags["scgan.model_uri"].removeprefix("models:/"))
    linked = json.loads(model.tags["mlflow.modelVersions"])
    assert linked == [{"name": "tiny", "version": int(version.version)}]
    stored = open_run(name, ArtifactStore(str(searched)))
    assert stored.spec.config == override(CONFIG, study_of(searched).best_trial.params)
    scored = stored.scores["sliced_wasserstein"].value
    assert parent.data.metrics["sliced_wasserstein"] == scored
    (told,) = (metric for metric in model.metrics if metric.key == "sliced_wasserstein")
    assert told.value == scored and told.dataset_name == "two_spirals"
    assert model.params["data.source"] == "two_spirals"
    assert len(stored.outcome().data.train) == 1500


def test_it_goes_on_with_more_trials_and_repeats_none(searched, tmp_path, mlflow_runs):
    folder = copy_of(searched, tmp_path)
    before = study_of(folder).trials
    assert searched_in(folder, trials=8)
    after = study_of(folder).trials
    assert len(after) == 8 and [t.params for t in after[:6]] == [t.params for t in before]
    assert [t.datetime_complete for t in after[:6]] == [t.datetime_complete for t in before]
    assert sorted(mlflow_runs(folder)[2]) == list(range(8))
    assert len(list(ArtifactStore(str(folder)).keys("encode-"))) == 2


def test_again_nothing_is_trained(searched, tmp_path, monkeypatch, mlflow_runs):
    folder = copy_of(searched, tmp_path)
    monkeypatch.setattr(service, "run_missing_trials", lambda *args: pytest.fail("a trial was run"))
    keys = list(ArtifactStore(str(folder)).keys())
    assert searched_in(folder)
    assert list(ArtifactStore(str(folder)).keys()) == keys
    client, _, children = mlflow_runs(folder)
    assert len(children) == 6 and len(client.search_model_versions("name = 'tiny'")) == 1


def test_a_study_with_another_space_is_refused(searched):
    space = ("decoder.lambda_x=loguniform(0.01,20)", *SPACE[1:])
    with pytest.raises(ValueError, match=r"begun with another space \(of decoder.lambda_x\)"):
        searched_in(searched, space=space)


@pytest.mark.slow
def test_failing_trials_are_recorded_with_their_cause_and_the_search_goes_on(
    ray_head, tmp_path, monkeypatch, mlflow_runs
):
    real = run_trial

    def failing(point, *, plan):
        deaths = {16: 2, 40: 1}.get(point["decoder.width"], 0)
        marks = [tmp_path / f"death-{point['decoder.width']}-{i}" for i in range(deaths)]
        for mark in marks:
            if not mark.exists():
                mark.touch()
                os._exit(1)
        wrong = {24: {"clusters.num_clusters": 99_999}, 32: {"decoder.learning_rate": 1e30}}
        config = override(plan.spec.config, wrong.get(point["decoder.width"], {}))
        plan = replace(plan, spec=replace(plan.spec, config=config))
        real(point, plan=plan)

    monkeypatch.setattr(service, "run_trial", failing)
    widths = (40, 16, 128, 24, 32)
    changes = {"only": "decoder.width", "trials": 5, "stop": "none", "max_failed": 0.4}
    changes["space"] = (f"decoder.width=choice({','.join(map(str, widths))})",)
    settings, spec, space = resolve(SETTINGS.model_copy(update=changes), SPEC)
    database = f"sqlite:///{tmp_path / 'search-tiny.db'}"
    study = optuna.create_study(study_name="tiny", storage=database, directions=["minimize"])
    common = description(spec, space, settings, str(tmp_path))
    study.set_user_attr("description", json.loads(json.dumps(common)))
    for width in widths:
        study.enqueue_trial({"decoder.width": width})
    study.set_user_attr("begun", True)
    assert not searched_in(tmp_path, **changes)
    found = {t.params["decoder.width"]: t for t in study.trials}
    assert found[128].state == found[40].state == TrialState.COMPLETE and len(study.trials) == 5
    assert [len(found[width].user_attrs.get("deaths", [])) for width in widths] == [1, 2, 0, 0, 0]
    assert found[40].user_attrs["deaths"][0].startswith("dead worker: ")
    for width, cause in (
        (16, "dead worker: "),
        (24, "error: ValueError: clusters.num_clusters is 99999"),
        (32, "not a number: decode: "),
    ):
        assert found[width].state == TrialState.FAIL and found[width].user_attrs[
            "cause"
        ].startswith(cause)
    _, parent, children = mlflow_runs(tmp_path)
    assert parent.info.status == "FAILED"
    tags = children[found[40].number].data.tags
    assert tags["scgan.deaths"] == found[40].user_attrs["deaths"][0]
    for trial in (found[width] for width in (16, 24, 32)):
        run = children[trial.number]
        assert (
            run.info.status == "FAILED"
            and run.data.tags["scgan.cause"] == trial.user_attrs["cause"]
        )
    assert not any(".part-" in key for key in ArtifactStore(str(tmp_path)).keys())


@pytest.mark.slow
def test_the_data_is_loaded_once_in_all_processes(ray_head, tmp_path, monkeypatch):
    file, loads, real = tmp_path / "rows.npy", [], pipeline.load_data
    np.save(file, np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32))

    def load_and_remove(*args):
        loads.append(args)
        data = real(*args)
        file.unlink()  # so that another load anywhere fails
        return data

    monkeypatch.setattr(pipeline, "load_data", load_and_remove)
    spec = replace(SPEC, data=DataConfig(source=str(file)))
    only, space = "decoder.lambda_x", SPACE[:1]
    assert searched_in(tmp_path, spec, trials=2, only=only, space=space)
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["decoder.lamda_x=uniform(0,1)"], "did you mean 'decoder.lambda_x'?"),
        (["decoder.lambda_x=uniform(1,0)"], "is empty"),
        (["--metric", "sliced_waserstein"], "did you mean 'sliced_wasserstein'?"),
        (["--cpus", "64"], "the largest node has 2 CPUs"),
        (["--gpus", "0.25"], "the largest node has 2 CPUs and 0 GPUs"),
        (["--only", "decoder.width"], "is not searched"),
        (["--warm-start", "nothing"], "no study 'nothing'"),
        (
            ["--data.num_train", "150", "clusters.num_clusters=choice(4,199)"],
            "only 120 training rows",
        ),
        (["--trials", "0"], "0 is not in the range"),
    ],
)
def test_wrong_input_is_one_line_before_any_trial(
    ray_head, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.setattr(
        sys, "argv", ["search.py", "--store", str(tmp_path), "--preset", "smoke", *words]
    )
    with pytest.raises(SystemExit) as caught:
        commands.guarded(command.main)
    said = capsys.readouterr().err.strip()
    assert caught.value.code == 2 and message in said and len(said.splitlines()) == 1
    assert not list(ArtifactStore(str(tmp_path)).keys())


@pytest.mark.slow
def test_a_trial_of_several_workers_trains_them_together(ray_head, tmp_path):
    few = {"only": "decoder.lambda_x", "space": SPACE[:1], "trials": 1}
    assert searched_in(tmp_path, **few, cpus=0.5, workers=2)
    (together,) = study_of(tmp_path).trials
    assert searched_in(tmp_path / "single", **few)
    (alone,) = study_of(tmp_path / "single").trials
    assert alone.intermediate_values
    for step, value in alone.intermediate_values.items():
        assert together.intermediate_values[step] == pytest.approx(value, rel=0.05)
