"""What guards a search: its lock, and Ray's kills for memory.

A study is driven by one process at a time. Where its database is a file, a lock beside that file
says so: the system lets it go when its holder dies, by kill -9 too. Where it is a server's
(PostgreSQL), which drivers on several machines reach, each machine has such a lock in its temporary
folder, and the study holds the driver's heartbeat: without one for a minute it counts as dead.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import ray
from filelock import FileLock, Timeout

from ray_jobs.cluster.ending import catch_sigterm
from ray_jobs.cluster.session import connect
from scgan.store.artifacts import digest
from scgan.store.opening import sqlite_path

HEARTBEAT = 15.0  # seconds between two
DEAD_AFTER = 60.0  # seconds without one


def join() -> None:
    """Join the cluster, and keep SIGTERM, for which Ray sets a handler of its own."""
    if connect():
        catch_sigterm()


@contextlib.contextmanager
def guarded(
    database: str, name: str, open_study: Callable[[], optuna.Study]
) -> Iterator[optuna.Study]:
    """Open a study as its one driver.

    Args:
        database: SQLAlchemy's address.
        name: The study's.
        open_study: Opens it, or makes it; not while another driver does in the same database.

    Yields:
        The study.

    Raises:
        ValueError: If another process drives it.
    """
    lock = FileLock(lock_file(database, name))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        _refuse(name, "here")

    try:
        with machine_lock(database):
            study = open_study()
        with contextlib.nullcontext() if _is_file(database) else heartbeat(study):
            yield study
    finally:
        lock.release()


def machine_lock(what: str) -> FileLock:
    """A lock that one process of this machine holds at a time, the others waiting for it."""
    return FileLock(Path(tempfile.gettempdir()) / f"scgan-{digest(what)[:16]}.lock")


def lock_file(database: str, name: str) -> Path:
    """Where the lock of a study lies: beside its database, or on this machine for a server's."""
    if _is_file(database):
        path = sqlite_path(database)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f"{path.name}.{name}.lock")
    return Path(tempfile.gettempdir()) / f"scgan-search-{digest([database, name])[:16]}.lock"


def _is_file(database: str) -> bool:
    return database.startswith("sqlite:///")


def _refuse(name: str, where: str) -> None:
    raise ValueError(
        f"the study {name!r} is being searched by another process {where}; wait for it, or give "
        "another --study"
    )


@contextlib.contextmanager
def heartbeat(study: optuna.Study) -> Iterator[None]:
    """Keep drivers on other machines away from a study of a server's database.

    Raises:
        ValueError: If one of them lives.
    """
    here, other = socket.gethostname(), study.user_attrs.get("driver")
    if other and other["host"] != here and time.time() - other["seen"] < DEAD_AFTER:
        _refuse(study.study_name, f"on {other['host']}")

    stop = threading.Event()

    def beat(*, last: bool = False) -> None:
        driver = None if last else {"host": here, "seen": time.time()}
        with contextlib.suppress(optuna.exceptions.StorageInternalError):  # away for a while
            study.set_user_attr("driver", driver)

    def keep_beating() -> None:
        while not stop.wait(HEARTBEAT):
            beat()

    beat()
    thread = threading.Thread(target=keep_beating, daemon=True)
    thread.start()

    try:
        yield
    finally:
        stop.set()
        thread.join()
        beat(last=True)


def memory_kill(call: Callable[[], None]) -> str | None:
    """Call Tune, and return what Ray said if it killed a worker for memory, which ends Tune."""
    try:
        call()
    except RuntimeError as error:  # any of its own that Tune does not know
        if not isinstance(error.__cause__, ray.exceptions.OutOfMemoryError):
            raise
        return str(error.__cause__)
    return None
