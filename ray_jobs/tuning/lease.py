"""The right to drive a study: one driver at a time, taken over at once from one that was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna

from scgan.store.artifacts import digest

STALE_AFTER = (
    60.0  # seconds without a sign of life after which a driver on another machine counts as dead
)


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Hold a lock of this machine: databases that two processes make at once come out broken in one of them."""
    lock = os.open(_lock_file(what), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _lock_file(*what: str) -> Path:
    return Path(tempfile.gettempdir()) / f"scgan-search-{digest(list(what))[:16]}.lock"


class Lease:
    """A lock on this machine, which the system lets go when its holder dies, and a sign of life for other machines.

    Args:
        study: The study.
        storage_url: Of its database.
    """

    def __init__(self, study: optuna.Study, storage_url: str) -> None:
        self.study = study
        self.path = _lock_file(storage_url, study.study_name)
        self.said = 0.0
        self.lock: int | None = None

    def take(self) -> None:
        """Become the study's driver.

        Raises:
            ValueError: If another one lives.
        """
        other = self.study.user_attrs.get("driver")
        host = socket.gethostname()
        if other and other["host"] != host and time.time() - other["seen"] < STALE_AFTER:
            self._refuse(f"on {other['host']}")

        lock = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self._refuse("here")

        self.lock = lock
        self.renew()

    def _refuse(self, where: str) -> None:
        raise ValueError(
            f"the study {self.study.study_name!r} is being searched by another process {where}; wait for it, or give "
            "another --study"
        )

    def renew(self) -> None:
        """Show a sign of life, now and then."""
        if time.time() - self.said > STALE_AFTER / 4:
            self.said = time.time()
            self.study.set_user_attr("driver", {"host": socket.gethostname(), "seen": self.said})

    def give_back(self) -> None:
        """Let others drive."""
        if self.lock is not None:
            self.study.set_user_attr("driver", None)
            os.close(self.lock)
            self.lock = None
