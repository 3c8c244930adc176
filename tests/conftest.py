"""What all tests share: no stray state of the user's, one thread, one Ray."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Before anything imports Ray or MLflow: both keep state under HOME and read these once.
os.environ["HOME"] = tempfile.mkdtemp(prefix="scgan-home-")
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.2"
os.environ["RAY_worker_niceness"] = "0"  # 15 by default: a busy machine would starve the workers
os.environ["OMP_NUM_THREADS"] = "1"
# A submitted job's `python` is that of the head's PATH.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
for name in (
    *("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"),
    *("RAY_ADDRESS", "SCGAN_DEBUG", "SCGAN_STORE"),
):
    os.environ.pop(name, None)

import torch  # noqa: E402

torch.set_num_threads(1)


WITH_RAY = ("ray_jobs", "faults", "docs", "test_security.py")  # they start one, or several


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Where several processes test (``-n``): all of Ray in one, each other module in one."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent)
        ray = place.parts[0] in WITH_RAY or "ray_head" in item.fixturenames
        item.add_marker(pytest.mark.xdist_group("ray" if ray else str(place)))


@dataclass(frozen=True)
class RayHead:
    """The one Ray of the session: a head node with a dashboard, as `ray start` makes it."""

    address: str
    dashboard: str
    pid: int


@pytest.fixture(scope="session")
def ray_head(tmp_path_factory):
    """Two CPUs on loopback; this process is connected to it, and jobs can be submitted to it."""
    import ray

    with started_head(tmp_path_factory.mktemp("ray") / "head.log", "--num-cpus=2") as head:
        ray.init(address=head.address, _node_ip_address="127.0.0.1", log_to_driver=False)
        try:
            yield head
        finally:
            ray.shutdown()


@pytest.fixture(scope="session")
def another_head():
    """Context manager for a head of a test's own: ``another_head(log, *words, **environment)``."""
    return started_head


@pytest.fixture
def processes():
    """For a server of a test's own: port, ``wait_until``, ``answers``, ``end_with_children``."""
    return free_port(), wait_until, answers, end_with_children


@contextlib.contextmanager
def started_head(log, *words, autoscaling=None, **environment):
    port, dashboard = free_port(), free_port()
    if autoscaling is not None:
        provider = autoscaling["provider"] | {"gcs_address": f"127.0.0.1:{port}"}
        config = log.with_suffix(".json")
        config.write_text(json.dumps(autoscaling | {"provider": provider}))
        words = (*words, f"--autoscaling-config={config}")
    command = [
        *(
            str(Path(sys.executable).parent / "ray"),
            "start",
            "--head",
            "--block",
            "--disable-usage-stats",
        ),
        *("--node-ip-address=127.0.0.1", f"--port={port}"),
        *("--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
        f"--dashboard-agent-listen-port={free_port()}",  # one a machine by default, so for one head
        f"--temp-dir={tempfile.mkdtemp(prefix='scgan-ray-')}",
        *words,
    ]
    with log.open("wb") as file:
        environment = {**os.environ, **environment}
        head = subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True, env=environment
        )
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{dashboard}/api/gcs_healthz"), seconds=90)
            yield RayHead(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", head.pid)
        finally:
            end_with_children(head.pid, patience=0)  # Ray takes its time to end, for nobody
            head.wait(30)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """An empty database; MLflow takes seconds to make one."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def mlflow_here(migrated, tmp_path, monkeypatch) -> None:
    """MLflow logs into ``mlflow.db`` in the test's folder."""
    path = shutil.copy(migrated, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")


@dataclass(frozen=True)
class ImageRun:
    """A run of infoscc_gan on colour images with two attributes, hardly trained, not scored."""

    store: Path
    outcome: Any


@pytest.fixture(scope="session")
def image_run(tmp_path_factory):
    """A stored run on images, trained for seconds."""
    import numpy as np

    from scgan import systems
    from scgan.config import override
    from scgan.data.dataset import DataConfig
    from scgan.pipeline import run as pipeline
    from scgan.pipeline.executor import LocalExecutor
    from scgan.pipeline.spec import Spec
    from scgan.store.artifacts import ArtifactStore

    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    images, y = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8), rng.integers(0, 2, (60, 2))
    np.savez(folder / "faces.npz", images=images, y=y, attributes=np.array(["Bald", "Smiling"]))
    sizes = {
        **{
            f"{section}.num_samples": 64
            for section in ("encoder", "attributes", "judge", "generator")
        },
        **{
            f"{section}.batch_size": 32
            for section in ("encoder", "attributes", "judge", "generator")
        },
        "attributes.source": "external",
    }
    system = systems.load("infoscc_gan")
    config = override(system.presets["smoke"], sizes)
    spec = Spec("infoscc_gan", DataConfig(source=str(folder / "faces.npz")), config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(system), "evaluate", lambda *args: iter(()))
        store, executor = ArtifactStore(str(folder / "runs")), LocalExecutor(torch.device("cpu"))
        return ImageRun(
            folder / "runs", pipeline.run(spec, pipeline.prepare(spec), store, executor)
        )


@dataclass(frozen=True)
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def scgan_command() -> Callable[..., Said]:
    """Run the command ``scgan``, or another ``command``, as a shell would, but in this process."""
    from scgan.cli import commands
    from scgan.cli import main as cli

    def run(*words: object, command=cli.cli) -> Said:
        out, err, before = io.StringIO(), io.StringIO(), sys.argv
        sys.argv = ["scgan", *map(str, words)]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                commands.guarded(command)
            code = 0
        except SystemExit as error:
            code = error.code
        finally:
            sys.argv = before
        return Said(code, out.getvalue(), err.getvalue())

    return run


def free_port():
    """A port outside the range that Ray gives to workers; no two processes of tests look at one."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    for port in range(20_000 + 3000 * number + os.getpid() % 1000, 23_000 + 3000 * number):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) and port not in _given:
                _given.add(port)
                return port
    raise RuntimeError("no free port")


_given: set[int] = set()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def wait_until(done, *, seconds):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not there after {seconds} s"
        time.sleep(0.2)


def end_with_children(pid, patience=10.0):
    """End a process that a test started, and what it started, by their ids.

    Those are killed that have not ended after ``patience`` seconds.
    """
    import psutil

    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(family, timeout=patience)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
