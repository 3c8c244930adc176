"""The main job in this process, on the session's Ray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import ray

from ray_jobs import full_pipeline
from ray_jobs.cluster import session
from ray_jobs.cluster.executor import RayExecutor
from scgan.pipeline import executor as execution

pytestmark = pytest.mark.ray

SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TOY = ("--data", "ring", "--set", "data.num_train=600", "data.num_test=400")
TINY = (*TOY, "--preset", "smoke", "--clusters.num_clusters", 4, *SHORT)


@pytest.fixture
def job(scgan_command, tmp_path, monkeypatch):
    """Runs the main job with the given words, its results under this test's folder."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return lambda *words: scgan_command(*words, command=full_pipeline.main)


def test_a_run_on_ray_and_the_same_again(ray_head, mlflow_here, job, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", ray_head.address)
    words = (*TINY, "--resources.clusters_per_task", "2", "--store", "results", "--json")
    said = job(*words)
    assert said.code == 0, said.err
    (line,) = said.out.splitlines()
    result = json.loads(line)
    assert result["trained"] == ["encode", "cluster", "map", "decode", "refine"]
    assert (
        result["report"] == f"{tmp_path}/results/{result['run']}/report.html"
        and Path(result["report"]).exists()
    )
    assert "map x4: starting" in said.err and "in all" in said.err.splitlines()[-1]
    assert ray.is_initialized()  # this process was connected before, and stays so

    def connected(*args, **how):
        raise AssertionError("the same command again went to Ray")

    for place, name in ((session, "connect"), (RayExecutor, "__init__"), (execution, "fit_part")):
        monkeypatch.setattr(place, name, connected)
    again = job(*words)
    assert again.code == 0, again.err
    assert json.loads(again.out) == {**result, "trained": []}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--resources.num_worker", "2"],
            "unknown setting 'resources.num_worker'; did you mean 'resources.num_workers'?",
        ),
        (
            ["--resources.num_workers", "0"],
            "resources.num_workers: input should be greater than or equal to 1",
        ),
        (
            ["--resources.gpus_per_task", "-1"],
            "resources.gpus_per_task: input should be greater than or equal to 0",
        ),
        (
            ["--resources.cpus_per_task", "0"],
            "resources.cpus_per_task: input should be greater than 0",
        ),
        (
            ["--resources.clusters_per_task", "0"],
            "resources.clusters_per_task: input should be greater than or equal",
        ),
        (
            ["--resources.max_retries", "-1"],
            "resources.max_retries: input should be greater than or equal to 0",
        ),
        (
            ["--decoder.lambda_x", "-1"],
            "decoder.lambda_x: input should be greater than or equal to 0",
        ),
    ],
)
def test_wrong_input_never_reaches_ray(job, tmp_path, monkeypatch, words, message):
    monkeypatch.setattr(session, "connect", None)
    said = job(*words)
    assert (said.code, said.out) == (2, "") and len(said.err.splitlines()) == 1
    assert said.err.startswith(f"error: {message}") and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--resources.cpus_per_task", "64"],
            "resources.cpus_per_task is 64, but the largest node has 2 CPUs; "
            "of a cluster that grows, give "
            "resources.num_gpus or resources.num_cpus",
        ),
        (
            ["--resources.num_workers", "3"],
            "resources.num_workers is 3, but the cluster holds 2 such workers",
        ),
    ],
)
def test_more_than_the_cluster_has_is_refused_before_anything_trains(
    ray_head, mlflow_here, job, monkeypatch, words, message
):
    monkeypatch.setenv("RAY_ADDRESS", ray_head.address)
    said = job(*TINY, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1] == f"error: {message}" and "Traceback" not in said.err
    assert not list(Path("runs").glob("artifacts/*"))


def test_results_of_a_job_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    (tmp_path / "home").mkdir()
    copy = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_12"
    copy.mkdir(parents=True)
    assert session.results_folder() == Path.cwd()
    monkeypatch.chdir(copy)
    assert (
        session.results_folder() == tmp_path / "home" / "scgan"
        and (tmp_path / "home" / "scgan").is_dir()
    )


@pytest.mark.parametrize("store", ["s3://bucket/runs", "runs", "/elsewhere/runs"])
def test_the_database_of_a_job_never_lies_in_rays_copy(scgan_command, tmp_path, monkeypatch, store):
    asked = []
    monkeypatch.setattr(session, "results_folder", lambda: tmp_path)
    monkeypatch.setattr(
        full_pipeline.commands,
        "run_and_show",
        lambda *args, **how: asked.append((args[1], how["folder"])),
    )
    assert scgan_command("--store", store, command=full_pipeline.main).code == 0
    expected = {
        "s3://bucket/runs": ("s3://bucket/runs", tmp_path),
        "runs": (str(tmp_path / "runs"), tmp_path / "runs"),
        "/elsewhere/runs": ("/elsewhere/runs", Path("/elsewhere/runs")),
    }
    assert asked == [expected[store]]


def test_a_job_that_misses_its_data_is_told_what_is_uploaded(job, tmp_path, monkeypatch):
    copy = tmp_path / "working_dir_files" / "_ray_pkg_12"
    copy.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    missing = ("--data", "tables/there-is-none.parquet")
    said = job(*missing)
    assert said.code == 2 and "uploaded" not in said.err
    monkeypatch.chdir(copy)
    said = job(*missing)
    assert said.code == 2 and len(said.err.splitlines()) == 1
    assert "no such file or folder; a job sees its own folder, uploaded without" in said.err
