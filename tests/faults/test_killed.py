"""The driver or a worker is killed in each stage, or the job is stopped; then it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.resources import Resources
from scgan.pipeline.run import fit_stages, prepare
from scgan.store.artifacts import ArtifactStore

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
STAGES = ["encode", "cluster", "map", "decode", "refine"]
LOOPS = ["encode", "map", "decode"]


def assert_one_run(tmp_path, run):
    """MLflow shows one pipeline, finished, with one child a stage."""
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("scgan").experiment_id
    runs = client.search_runs([experiment])
    parents = [each for each in runs if "mlflow.parentRunId" not in each.data.tags]
    assert [each.data.tags["scgan.run_id"] for each in parents] == [run]
    assert sorted(each.data.tags["scgan.stage"] for each in runs if each not in parents) == sorted(
        STAGES
    )
    assert {each.info.status for each in runs} == {"FINISHED"}


@pytest.mark.parametrize("stage", [*STAGES, "evaluate"])
def test_the_driver_alone(undisturbed, start, end, tmp_path, stage):
    killed = end(start(tmp_path / "runs", die_at=stage))
    assert killed.code == -signal.SIGKILL
    done = [
        name for name in STAGES if stage == "evaluate" or STAGES.index(name) < STAGES.index(stage)
    ]
    again = end(start(tmp_path / "runs"))
    assert again.code == 0, again.err
    assert again.result["trained"] == [name for name in STAGES if name not in done]

    if stage in LOOPS:
        assert (
            again.first[stage] > 0.2 * max(killed.first[stage], 1)
            and again.first[stage] > killed.first[stage]
        )

    undisturbed.assert_same(ArtifactStore(str(tmp_path / "runs")))
    assert_one_run(tmp_path, again.result["run"])


@pytest.mark.ray
@pytest.mark.parametrize("stage", LOOPS)
def test_the_driver_on_ray(undisturbed, ray_head, start, end, tmp_path, stage):
    killed = end(start(tmp_path / "runs", die_at=stage, ray=True, RAY_ADDRESS=ray_head.address))
    assert killed.code == -signal.SIGKILL, killed.err
    again = end(start(tmp_path / "runs", ray=True, RAY_ADDRESS=ray_head.address))
    assert again.code == 0, again.err
    assert again.result["trained"] == STAGES[STAGES.index(stage) :]
    assert again.first[stage] > killed.first[stage]
    undisturbed.assert_same(ArtifactStore(str(tmp_path / "runs")))
    assert_one_run(tmp_path, again.result["run"])


def workers(head):
    """Processes of the head that fit something, the oldest first."""
    family = psutil.Process(head.pid).children(recursive=True)
    fitting = [
        p
        for p in family
        if p.is_running() and " ".join(p.cmdline()).startswith(("ray::fit_on", "ray::RayTrain"))
    ]
    return sorted(fitting, key=lambda process: process.create_time())


@pytest.mark.ray
@pytest.mark.parametrize("stage", LOOPS)
def test_a_worker(undisturbed, ray_head, spec, listener, tmp_path, stage):
    killed = []

    def kill(name, progress):
        if name == stage and not killed and progress.samples > 0.3 * progress.total:
            killed.append(progress.samples)
            os.kill(workers(ray_head)[-1].pid, signal.SIGKILL)

    store = undisturbed.copy_without(tmp_path / "runs", stage)
    executor = RayExecutor(Resources(checkpoint_seconds=0.2))
    fitted = fit_stages(spec, prepare(spec), store, executor, [listener(kill)])
    assert killed and [name for name, each in fitted.items() if each.new] == [stage]
    undisturbed.assert_same(store)
    assert not [key for key in store.keys() if ".part-" in key]


def submit(head, words, store, *options):
    command = [
        str(Path(sys.executable).parent / "ray"),
        "job",
        "submit",
        "--address",
        head.dashboard,
        *options,
    ]

    command += [
        "--working-dir",
        ".",
        "--",
        sys.executable,
        "ray_jobs/full_pipeline.py",
        *words,
        "--store",
        str(store),
    ]

    command += ["--resources.checkpoint_seconds", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.ray
@pytest.mark.parametrize("stage", LOOPS)
def test_ray_job_stop(undisturbed, ray_head, words, until, tmp_path, stage):
    from ray.job_submission import JobSubmissionClient

    store = undisturbed.copy_without(tmp_path / "runs", *STAGES[STAGES.index(stage) :])
    code, log = submit(
        ray_head, words, store.url, "--no-wait", "--submission-id", f"stopped-{stage}"
    )
    assert code == 0, log
    client = JobSubmissionClient(ray_head.dashboard)

    until(
        lambda: [
            key for key in store.keys() if key.endswith(".checkpoint") and key.startswith(stage)
        ],
        seconds=90,
    )

    client.stop_job(f"stopped-{stage}")
    until(lambda: client.get_job_status(f"stopped-{stage}").is_terminal())
    assert client.get_job_status(f"stopped-{stage}") == "STOPPED"
    assert store.load(undisturbed.stages[stage].key) is None
    code, log = submit(ray_head, words, store.url)
    assert code == 0, log
    undisturbed.assert_same(store)
    assert not [key for key in store.keys() if ".part-" in key]
