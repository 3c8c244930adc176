"""Jobs on a cluster: submitted again from a folder that has changed, and stopped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from ray.job_submission import JobStatus, JobSubmissionClient

pytestmark = [pytest.mark.faults, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TOY = ("--data", "ring", "--data.num_train", 600, "--data.num_test", 400, "--seed", 5)
TINY = (*TOY, "--preset", "smoke", "--clusters.num_clusters", 4, *SHORT, "--json")


@pytest.fixture
def bucket(monkeypatch):
    """An S3 on loopback, its settings in this process's environment and for a job's."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    settings = {
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="bucket")
    yield settings
    server.stop()


@pytest.fixture
def home():
    """Where a job's results lie; what earlier tests left there is moved away."""
    folder = Path.home() / "scgan"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def runs_of(database):
    client = MlflowClient(f"sqlite:///{database}")
    (experiment,) = client.search_experiments(filter_string="name = 'scgan'")
    return client.search_runs([experiment.experiment_id], max_results=500)


def submit(head, folder, settings, script, *words):
    environment = json.dumps({"env_vars": settings})
    command = [str(Path(sys.executable).parent / "ray"), "job", "submit"]
    command += ["--address", head.dashboard, "--working-dir", str(folder)]
    command += ["--runtime-env-json", environment]
    command += ["--", sys.executable, f"ray_jobs/{script}.py", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1])


def test_the_same_command_goes_on_from_a_folder_that_has_changed(ray_head, bucket, home, tmp_path):
    """Ray unpacks a changed folder elsewhere; the data lies in it, results on S3 must not."""
    project = tmp_path / "project"
    for name in ("scgan", "ray_jobs"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".rayignore", ".gitignore"):
        shutil.copy(ROOT / name, project / name)
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    pd.DataFrame(rows, columns=["a", "b"]).to_parquet(project / "table.parquet")
    words = ("--data", "table.parquet", *TINY[6:], "--store", "s3://bucket/runs")
    search = (*words, "--only", "decoder.lambda_x", "--stop", "none", "--trials")
    begun, told = [], []

    for number, trials in enumerate((2, 3)):
        (project / "README.md").write_text(f"edition {number}")
        begun.append(submit(ray_head, project, bucket, "full_pipeline", *words))
        told.append(submit(ray_head, project, bucket, "search", *search, trials))

    assert [run["trained"] for run in begun] == [
        ["encode", "cluster", "map", "decode", "refine"],
        [],
    ]
    assert [each["trials"]["complete"] for each in told] == [2, 3]
    fits = told[1]["training"]["fits"]
    assert fits == {"encode": 1, "cluster": 1, "map": 1, "decode": 3}

    assert sorted(path.name for path in home.glob("*.db")) == ["mlflow.db", "search-scgan-table.db"]
    runs = runs_of(home / "mlflow.db")
    trials = [run.data.tags["scgan.trial"] for run in runs if "scgan.trial" in run.data.tags]
    assert sorted(trials) == ["0", "1", "2"]
    ids = [run.data.tags["scgan.run_id"] for run in runs if "scgan.run_id" in run.data.tags]
    assert len(set(ids)) == len(ids) and begun[0]["run"] in ids
    assert len([run for run in runs if "scgan.search" in run.data.tags]) == 1
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_study_of_another_store_is_not_gone_on_with(ray_head, bucket, home):
    boto3.client("s3").create_bucket(Bucket="another")
    words = (*TINY, "--only", "decoder.lambda_x", "--trials", 1, "--study", "same")
    submit(ray_head, ROOT, bucket, "search", *words, "--store", "s3://bucket/runs")
    with pytest.raises(AssertionError, match="was begun with another store"):
        submit(ray_head, ROOT, bucket, "search", *words, "--store", "s3://another/runs")


MOMENTS = (("encode", 0.0), ("encode", 5.0), ("map", 2.0), ("decode", 5.0), ("evaluate", 0.0))
"""Where a job is stopped: seconds after a stage was said to start."""


def test_a_stopped_job_closes_its_entries_and_the_same_command_ends(ray_head, words, home):
    """At five moments, one after another, of one run that goes on each time."""
    client = JobSubmissionClient(ray_head.dashboard)
    store = home / "stopped"
    entry = [sys.executable, "ray_jobs/full_pipeline.py", *words, "--store", str(store)]
    entry += ["--resources.checkpoint_seconds", "0.5"]

    def begin():
        ship = {"working_dir": str(ROOT)}
        return client.submit_job(entrypoint=" ".join(entry), runtime_env=ship)

    def logs_of(job, pattern=None, seconds=300):
        """What a job has said when it has said that, or has ended."""
        limit = time.monotonic() + seconds
        while True:
            ended, logs = client.get_job_status(job).is_terminal(), client.get_job_logs(job)
            if ended or (pattern and re.search(pattern, logs)):
                return logs
            assert time.monotonic() < limit, logs[-3000:]
            time.sleep(0.1)

    for stage, seconds in MOMENTS:
        job = begin()
        logs_of(job, rf"{stage}\b.*: starting")
        time.sleep(seconds)
        start = time.monotonic()
        client.stop_job(job)
        logs = logs_of(job)
        print(f"{stage} after {seconds:.0f} s: {time.monotonic() - start:.1f} s to stop")
        assert client.get_job_status(job) == JobStatus.STOPPED, logs
        assert "stopped; the same command goes on" in logs and "Traceback" not in logs, logs
        runs = runs_of(store / "mlflow.db")
        assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}, (stage, runs)
        (parent,) = [run for run in runs if "scgan.run_id" in run.data.tags]
        assert parent.info.status == "KILLED"
        found = {run.data.tags.get("scgan.stage"): run.info.status for run in runs}
        assert stage == "evaluate" or found[stage] == "KILLED"

    job = begin()
    logs = logs_of(job)
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, logs
    runs = runs_of(store / "mlflow.db")
    assert [run.info.status for run in runs] == ["FINISHED"] * 5, runs
