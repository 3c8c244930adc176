"""Connecting to Ray: the job's cluster, one that is named, or a private one on this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import ray

from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.meter import Meter
from ray_jobs.cluster.resources import Resources
from scgan.cli import commands
from scgan.contract import Units
from scgan.pipeline.executor import Job, Reporter

os.environ.setdefault(
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2"
)  # a worker group is noticed ready sooner


ANSWER_SECONDS = 5.0  # for the cluster of RAY_ADDRESS


def connect(num_gpus: float | None = None) -> bool:
    """Join the cluster of ``RAY_ADDRESS``, as in a job, or start a private one on loopback alone.

    Args:
        num_gpus: Logical GPUs of a private one; those of this machine by default.

    Returns:
        Whether this call connected; False where this process was connected before.
    """
    if ray.is_initialized():
        return False

    if address := os.environ.get("RAY_ADDRESS"):
        _check_answers(address)
        ray.init(log_to_driver=False)
    else:
        with _on_loopback():
            ray.init(
                address="local",
                num_gpus=num_gpus,
                include_dashboard=False,
                log_to_driver=False,
                # The processes that Ray starts at once import PyTorch beside what is made ready.
                _system_config={"preload_python_modules": ["ray_jobs.cluster.executor"]},
            )

    return True


def _check_answers(address: str) -> None:
    """Refuse the address of a cluster that is gone, which Ray itself would wait for.

    Raises:
        ValueError: In one line, within a few seconds.
    """
    if address.startswith(("http://", "https://")):
        raise ValueError(
            f"RAY_ADDRESS={address} is for ray job submit; give ray://HOST:10001, HOST:6379 or auto"
        )

    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():  # Ray's own words: auto, local
        return

    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"RAY_ADDRESS={address}: no Ray cluster answers there ({error}); start it, or unset "
            "RAY_ADDRESS to run on this machine alone"
        ) from None


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray's own switch for a machine that joins no cluster; else every port is open to the network.

    Its environment variable is read when Ray is imported, and would hold for clusters too. The
    switch is private, for which pyproject.toml pins Ray's minor version.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def results_folder() -> Path:
    """Where relative paths of a run lie: here, or ``~/scgan`` in a submitted job.

    A job's working directory is Ray's unpacked copy of it, which Ray removes; results must not lie
    there.
    """
    if not in_job():
        return Path.cwd()
    folder = Path.home() / "scgan"
    folder.mkdir(exist_ok=True)
    return folder


def in_job() -> bool:
    """Whether this process runs in Ray's copy of a job's working directory."""
    return "working_dir_files" in Path.cwd().parts


@contextlib.contextmanager
def said_of_a_job() -> Iterator[None]:
    """Where a file is missing in a job, say what a job's folder is uploaded without.

    Raises:
        ValueError: The error that came, with that behind it.
    """
    try:
        yield
    except ValueError as error:
        if not (in_job() and "there is no such file or folder" in str(error)):
            raise
        raise ValueError(
            f"{error}; a job sees its own folder, uploaded without what .gitignore and .rayignore "
            "name: put data into it, on S3 or on a path that all nodes share"
        ) from None


def placed(store: str) -> str:
    """A store's address, with a relative folder where results of a run lie."""
    return store if "://" in store else str(results_folder() / Path(store).expanduser())


def folder_beside(store: str) -> Path:
    """Where databases beside a store lie: in it, or where results lie of one that is elsewhere.

    Args:
        store: The store, as :func:`placed` gives it.
    """
    return results_folder() if "://" in store else commands.folder_of(store)


class LazyRayExecutor:
    """Connects to Ray when there is something to train, so that a repeated run does without.

    Args:
        resources: What a run may take.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.started = time.monotonic()
        self.meter = Meter(resources.prices)
        self.thread: ThreadPoolExecutor | None = None
        self.connecting: Future[bool] | None = None

    def warm_up(self) -> None:
        """Connect beside whatever else is made ready."""
        self.thread = ThreadPoolExecutor(
            1
        )  # kept: a private Ray ends with the thread that started it
        self.connecting = self.thread.submit(connect)

    def close(self) -> None:
        """Leave the cluster, and end it where it is this run's own."""
        if self.thread is None or self.connecting is None:
            return
        if self.connecting.exception() is None and self.connecting.result():
            self.thread.submit(ray.shutdown).result()
        self.thread.shutdown()

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Have every unit fitted and stored."""
        if self.connecting is None:
            self.warm_up()
        assert self.connecting is not None
        self.connecting.result()
        RayExecutor(self.resources, self.started, self.meter).fit(job, units, report)
