"""A search that is stopped, by a signal or by kill -9, and the same command run again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from ray_jobs.tuning.study import num_finished

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
LENGTHS = {"encoder.num_samples": 2048, "mappers.num_samples": 256, "decoder.num_samples": 4096}
NUM_TRIALS = 5
MOMENTS = random.Random(0).choices(
    [i / 1000 for i in range(1000)], k=5
)  # shares of the time of a whole search
SPACE = ("decoder.lambda_x", "mappers.lambda_eps", "clusters.num_clusters")


def start(folder, address, *words):
    settings = [f"--{key}={value}" for key, value in LENGTHS.items()]
    arguments = [
        "--data",
        "two_spirals",
        "--data.num_train=1500",
        "--data.num_test=1500",
        "--preset",
        "smoke",
    ]
    space = ["--only", ",".join(SPACE), "--space", "clusters.num_clusters=choice(3,5)"]
    program = [
        sys.executable,
        str(ROOT / "ray_jobs" / "search.py"),
        "--store",
        str(folder),
        "--study",
        "tiny",
    ]
    environment = {**os.environ, "RAY_ADDRESS": address}
    return subprocess.Popen(
        [*program, *arguments, *settings, *space, *words],
        env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=_takes_interrupts,
    )  # fmt: skip


def _takes_interrupts():
    """As at a terminal; what a shell started in the background ignores them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start_and_wait(ray_head, folder, *, num_trials, after):
    """A driver with so many trials finished."""
    database = f"sqlite:///{folder / 'search-tiny.db'}"

    def finished():
        try:
            study = optuna.load_study(study_name="tiny", storage=database)
        except Exception:  # not there yet
            return 0
        return num_finished(study)

    driver = start(folder, ray_head.address, "--trials", str(num_trials))
    deadline = time.monotonic() + 120
    while finished() < after and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return driver


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_closes_the_entries_and_the_same_command_goes_on(
    ray_head, tmp_path, number, code, mlflow_runs
):
    driver = start_and_wait(ray_head, tmp_path, num_trials=5, after=1)
    driver.send_signal(number)
    output, _ = driver.communicate(timeout=30)
    assert driver.returncode == code and "stopped; the same command goes on" in output, output
    assert "Traceback" not in output
    _, parent, children = mlflow_runs(tmp_path)
    assert parent.info.status == "KILLED"
    ended = [run for run in children.values() if "scgan.state" in run.data.tags]
    cut_off = [run for run in children.values() if "scgan.state" not in run.data.tags]
    statuses = {"complete": "FINISHED", "stopped early": "KILLED"}
    assert ended and cut_off and {run.info.status for run in cut_off} == {"KILLED"}
    for run in ended:
        assert run.info.status == statuses[run.data.tags["scgan.state"]]
    again = start(tmp_path, ray_head.address, "--trials", "5", "--json")
    output, _ = again.communicate(timeout=200)
    assert again.returncode == 0, output
    _, parent, children = mlflow_runs(tmp_path)
    assert parent.info.status == "FINISHED" and len(children) == 5
    assert {run.data.tags["scgan.complete"] for run in children.values()} == {"true"}
    told = json.loads(output.splitlines()[-1])
    assert told["study"] == "tiny" and told["scores"] and told["training"]["fits"]["encode"] == 1
    assert (
        told["trials"].pop("asked") == 5 == sum(told["trials"].values())
        and told["trials"]["failed"] == 0
    )


@pytest.fixture(scope="module")
def whole_seconds(ray_head, tmp_path_factory):
    """How long the search takes that nobody disturbs, from its command to its end."""
    start_time = time.monotonic()
    driver = start(tmp_path_factory.mktemp("whole"), ray_head.address, "--trials", str(NUM_TRIALS))
    output, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, output
    return time.monotonic() - start_time


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_run_again_no_trial_is_lost_or_there_twice(
    ray_head, tmp_path, mlflow_runs, whole_seconds, moment
):
    """Kill -9 after a share of an undisturbed search's time; then the same command, to the end."""
    driver = start(tmp_path, ray_head.address, "--trials", str(NUM_TRIALS))
    with contextlib.suppress(subprocess.TimeoutExpired):
        driver.wait(moment * whole_seconds)
    alive = driver.poll() is None
    driver.kill()
    driver.communicate()
    before = trials_of(tmp_path)
    again = start(tmp_path, ray_head.address, "--trials", str(NUM_TRIALS))
    output, _ = again.communicate(timeout=60 + 3 * whole_seconds)
    assert again.returncode == 0, output
    found = trials_of(tmp_path)
    assert [t.number for t in found] == list(range(NUM_TRIALS))
    assert all(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in found)
    begun = [t.number for t in before if t.state != TrialState.WAITING]
    assert [found[i].params for i in begun] == [before[i].params for i in begun]
    done = [t.number for t in before if t.state.is_finished()]
    assert [found[i].datetime_complete for i in done] == [before[i].datetime_complete for i in done]
    assert sorted(mlflow_runs(tmp_path)[2]) == list(range(NUM_TRIALS))
    then = f"alive {alive}, {len(done)} of {len(before)} trials done"
    print(f"killed at {moment:.2f} of {whole_seconds:.0f} s: {then}")


def trials_of(folder):
    """The study's trials; none where the search was killed before there was a study."""
    try:
        return optuna.load_study(
            study_name="tiny", storage=f"sqlite:///{folder / 'search-tiny.db'}"
        ).trials
    except KeyError:
        return []
