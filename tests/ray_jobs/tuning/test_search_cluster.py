"""Searches on a shared cluster: two at once on one store, as a job, for two metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from scgan.store.artifacts import ArtifactStore

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
TINY = [
    *(
        "--data",
        "two_spirals",
        "--data.num_train=1500",
        "--data.num_test=1500",
        "--preset",
        "smoke",
    ),
    *("--encoder.num_samples=32768", "--mappers.num_samples=512", "--decoder.num_samples=8192"),
]


def command(*words):
    return [sys.executable, str(ROOT / "ray_jobs" / "search.py"), *TINY, "--json", *map(str, words)]


def started(ray_head, monkeypatch, folder, *words):
    monkeypatch.setenv("RAY_ADDRESS", ray_head.address)
    return subprocess.Popen(
        command("--store", folder, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*drivers):
    """What each said at its end; all are waited for before any is judged."""
    said = [driver.communicate(timeout=300) for driver in drivers]
    for driver, (_, err) in zip(drivers, said, strict=True):
        assert driver.returncode == 0, err
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def study_of(folder, name):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / f'search-{name}.db'}")


def test_two_searches_at_once_on_one_store_train_once_what_none_of_their_settings_touches(
    ray_head, tmp_path, monkeypatch
):
    space = ["--space", "clusters.num_clusters=choice(3,5)", "--only"]
    searches = {
        "one": [*space, "decoder.lambda_x,clusters.num_clusters"],
        "other": [*space, "mappers.lambda_eps,clusters.num_clusters"],
    }
    drivers = [
        started(ray_head, monkeypatch, tmp_path, "--study", name, "--trials", 3, *words)
        for name, words in searches.items()
    ]
    told = ended(*drivers)
    assert [t["trials"]["complete"] + t["trials"]["pruned"] for t in told] == [3, 3]
    assert sum(t["training"]["fits"]["encode"] for t in told) == 1
    points = [t.params for name in searches for t in study_of(tmp_path, name).trials]
    ks = {point["clusters.num_clusters"] for point in points}
    assert len(ks) <= sum(t["training"]["fits"]["cluster"] for t in told) <= 6
    assert [key for key in ArtifactStore(str(tmp_path)).keys() if ".part-" in key] == []


def test_as_a_job_its_results_stay(ray_head):
    words = [
        *command("--trials", 2, "--only", "decoder.lambda_x", "--store", "search-of-a-job")[2:]
    ]
    submit = [
        str(Path(sys.executable).parent / "ray"),
        "job",
        "submit",
        "--address",
        ray_head.dashboard,
    ]
    job = [*submit, "--working-dir", ".", "--", sys.executable, "ray_jobs/search.py", *words]
    done = subprocess.run(job, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path.home() / "scgan" / "search-of-a-job"
    study = study_of(folder, "scgan-two_spirals")
    assert (
        all(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in study.trials)
        and len(study.trials) == 2
    )
    assert len(list(folder.glob("scgan-two_spirals-*/report.html"))) == 1


def test_two_metrics_have_a_front(ray_head, tmp_path, monkeypatch):
    metrics = ["--metric", "sliced_wasserstein", "--metric", "reconstruction_mse"]
    (told,) = ended(
        started(
            ray_head, monkeypatch, tmp_path, *metrics, "--trials", 4, "--only", "decoder.lambda_x"
        )
    )
    study = study_of(tmp_path, told["study"])
    assert told["trials"]["complete"] == 4 and set(told["best"]["values"]) == set(metrics[1::2])
    front = {tuple(t.values) for t in study.best_trials}
    for trial in study.trials:
        beaten = any(
            all(a <= b for a, b in zip(other.values, trial.values, strict=True))
            and other.values != trial.values
            for other in study.trials
        )
        assert (tuple(trial.values) in front) == (not beaten)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'scgan'")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "scgan.search" in run.data.tags]
    names = {Path(file.path).name for file in client.list_artifacts(parent.info.run_id, "pictures")}
    assert "pareto-front.png" in names
    for run in runs:
        if "scgan.trial" in run.data.tags:
            values = study.trials[int(run.data.tags["scgan.trial"])].values
            assert [run.data.metrics[f"val/{name}"] for name in metrics[1::2]] == values
