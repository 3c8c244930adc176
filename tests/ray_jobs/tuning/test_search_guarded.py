"""Searches where a token is asked for, the store is S3, and Ray kills for memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import optuna
import pytest
import ray  # noqa: F401  it brings psutil where there is none
from optuna.trial import TrialState

from scgan.store.artifacts import ArtifactStore

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
TOKEN = "hush-0123456789abcdef0123456789abcdef"
TINY = [
    *(
        "--data",
        "two_spirals",
        "--data.num_train=1500",
        "--data.num_test=1500",
        "--preset",
        "smoke",
    ),
    *("--encoder.num_samples=4096", "--mappers.num_samples=512", "--decoder.num_samples=8192"),
]


@pytest.fixture
def s3(monkeypatch):
    """An S3 on loopback, in the environment of whatever is started now."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket/runs"
    server.stop()


def run(folder, *words, **environment):
    command = [sys.executable, str(ROOT / "ray_jobs" / "search.py"), *TINY, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, cwd=folder, env=environment
    )


def test_with_a_token_and_a_store_on_s3(another_head, s3, tmp_path):
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    guarded = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(secret)}
    words = [
        "--store",
        s3,
        "--study",
        "tiny",
        "--trials",
        3,
        "--only",
        "decoder.lambda_x",
        "--json",
    ]
    with another_head(tmp_path / "head.log", "--num-cpus=2", **guarded) as head:
        refused = run(tmp_path, *words, RAY_ADDRESS=head.address)
        done = run(tmp_path, *words, RAY_ADDRESS=head.address, **guarded)
    assert refused.returncode != 0 and not (tmp_path / "report.html").exists()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (
        told["trials"]["complete"] + told["trials"]["pruned"] == 3
        and told["training"]["fits"]["encode"] == 1
    )
    store = ArtifactStore(s3)
    assert told["store"] == s3 and store.storage.read(f"{told['run']}/run.json") is not None
    assert store.storage.read(f"{told['run']}/report.html") is not None
    assert [key for key in store.keys() if ".part-" in key] == []
    assert TOKEN not in done.stdout + done.stderr + refused.stdout + refused.stderr


HOG = """
import sys, time
from pathlib import Path
from ray_jobs import search
from ray_jobs.tuning import run, trial
from scgan.cli import commands

folder, most = Path(sys.argv.pop(1)), int(sys.argv.pop(1))

def hungry(point, *, plan, real=trial.run_trial, folder=folder, most=most):
    width, held = point["decoder.width"], []
    mark = folder / f"hungry-{width}"
    if width == 48 or (width == 40 and not mark.exists()):
        mark.touch()
        while len(held) * 2**27 < most:
            held.append(b"x" * 2**27)
            time.sleep(0.05)
        time.sleep(30)
    real(point, plan=plan)

run.run_trial = hungry
commands.guarded(search.main)
"""


def test_a_trial_that_ray_kills_for_memory_is_begun_again_once(another_head, tmp_path):
    import psutil

    memory, some = psutil.virtual_memory(), 5e9  # half of it Ray's own processes, and the driver
    if memory.available < 2 * some:
        pytest.skip(f"{memory.available / 1e9:.0f} GB are free; this test may take {some / 1e9:g}")
    limit = 1 - (memory.available - some) / memory.total
    words = [
        *(
            "--store",
            tmp_path,
            "--study",
            "tiny",
            "--trials",
            3,
            "--stop",
            "none",
            "--max-failed",
            0.4,
        )
    ]
    words += ["--space", "decoder.width=choice(32,40,48)", "--only", "decoder.width"]
    settings = {"RAY_memory_usage_threshold": f"{limit:.3f}", "RAY_memory_monitor_refresh_ms": "50"}
    with another_head(tmp_path / "head.log", "--num-cpus=1", **settings) as head:
        done = subprocess.run(
            [sys.executable, "-c", HOG, str(tmp_path), str(int(some)), *TINY, *map(str, words)],
            capture_output=True, text=True, timeout=300, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": head.address},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    study = optuna.load_study(study_name="tiny", storage=f"sqlite:///{tmp_path / 'search-tiny.db'}")
    found = {trial.params["decoder.width"]: trial for trial in study.trials}
    states = {width: trial.state for width, trial in found.items()}
    assert states == {32: TrialState.COMPLETE, 40: TrialState.COMPLETE, 48: TrialState.FAIL}
    deaths = {width: trial.user_attrs.get("deaths", []) for width, trial in found.items()}
    assert [len(deaths[width]) for width in (32, 40, 48)] == [0, 1, 2]
    assert all(death.startswith("out of memory: ") for width in (40, 48) for death in deaths[width])
    assert "out of memory" in done.stderr
