"""Where files lie: a folder or an S3 prefix, behind a few calls.

Writes are whole and atomic on both: a reader sees the old file, the new file or none, never a part
of one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

FIRST_TIMEOUT = 4.0  # seconds; of the call that asks whether anything is there at all

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_PART = ".part-"  # begins the name of a file that is being written


@dataclass(frozen=True)
class Entry:
    """A file of a store.

    Args:
        name: Relative to the store.
        bytes: Its size; 0 where it is not known.
        modified: When it was written, in seconds since 1970, by the store's own clock.
    """

    name: str
    bytes: int
    modified: float


@dataclass(frozen=True)
class UnfinishedWrite:
    """What a write that never ended left behind: no file, but room taken.

    Args:
        entry: What it would have become, how large it is and when it was begun.
        remove: Gives the room back.
    """

    entry: Entry
    remove: Callable[[], None]


class Storage(ABC):
    """Files by relative names such as ``artifacts/encode-1a2b/manifest.json``."""

    url: str

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is none."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """The file, to read any part of it, and to be closed.

        Raises:
            FileNotFoundError: If there is none.
        """

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Put the whole file there, replacing any."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove the file; nothing where there is none."""

    @abstractmethod
    def entries(self, prefix: str) -> Iterator[Entry]:
        """The files whose names begin with ``prefix``, sorted by name."""

    @abstractmethod
    def unfinished_writes(self) -> Iterator[UnfinishedWrite]:
        """What writes that never ended left behind, of running ones too."""

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the files that begin with ``prefix``, sorted."""
        return (entry.name for entry in self.entries(prefix))


class StorageError(RuntimeError):
    """A store that was there can't be used any more; says which and why, in one line."""


def open_storage(url: str, *, write: bool = True, probe: bool = True) -> Storage:
    """Open a folder or ``s3://bucket/prefix``.

    Args:
        url: A path, or an S3 address; ``AWS_ENDPOINT_URL`` and the usual credentials are respected.
        write: Whether it must be writable; a folder is made where it is missing. Else it only must
            be there.
        probe: Whether to find that out now. In the middle of a run, whose driver did, an outage is
            waited for instead.

    Returns:
        The storage.

    Raises:
        ValueError: If it can't be used so, with the reason, within about ten seconds.
    """
    storage, probed = _storages(url)
    if not probe:
        return storage

    name = f"probe-{os.getpid()}"
    try:
        if write:
            probed.write(name, bytes(4096))  # a full disk still takes an empty file
            probed.delete(name)
        elif not isinstance(storage, Folder):
            next(probed.names(""), None)
    except Exception as error:
        reason = " ".join(str(error).split()).removeprefix(f"{storage.url}: ")
        reason = reason.removeprefix(f"{name} can't be written: ")
        what = "written" if write else "read"
        raise ValueError(
            f"the store {url!r} can't be {what}: {reason}; choose another with --store"
        ) from None

    if not write and isinstance(storage, Folder) and not storage.root.is_dir():
        raise ValueError(
            f"there is no store {url!r}; "
            "name the folder or s3:// address of the results with --store"
        )

    return storage


def _storages(url: str) -> tuple[Storage, Storage]:
    """The storage, and the same for a first look, which soon gives up."""
    if url.startswith("s3://"):
        from scgan.store.s3 import S3

        if not url.removeprefix("s3://").partition("/")[0]:
            raise ValueError(f"the store {url!r} names no bucket; give s3://bucket/prefix")

        return S3(url), S3(url, patience=0, timeout=FIRST_TIMEOUT)

    if "://" in url:
        raise ValueError(f"the store {url!r} is neither a folder nor an s3:// address")

    return Folder(url), Folder(url)


def check_name(name: str) -> str:
    """Refuse names that could leave the store: absolute, with ``..``, or with odd characters.

    Raises:
        ValueError: For such a name.
    """
    if not NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r} is no name for a file in a store")
    return name


class Folder(Storage):
    """Files in a folder of this machine."""

    def __init__(self, url: str) -> None:
        self.root = Path(url).expanduser().absolute()
        self.url = str(self.root)

    def _path(self, name: str) -> Path:
        path = self.root / check_name(name)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"{name!r} is a link that leads out of the store {self.url}")
        return path

    @override
    def read(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    @override
    def open(self, name: str) -> BinaryIO:
        return self._path(name).open("rb")

    @override
    def write(self, name: str, content: bytes) -> None:
        # Written beside it, flushed to disk, renamed into place.
        path = self._path(name)
        try:
            handle, temporary = _open_beside(path)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())

                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StorageError(
                f"{self.url}: {name} can't be written: {error.strerror or error}"
            ) from None

    @override
    def delete(self, name: str) -> None:
        path = self._path(name)
        path.unlink(missing_ok=True)
        if path.parent != self.root:  # an empty folder goes too
            with contextlib.suppress(OSError):  # not empty, or another has removed it
                path.parent.rmdir()

    @override
    def entries(self, prefix: str) -> Iterator[Entry]:
        for path, name in self._walk(prefix):
            if name.startswith(prefix) and NAME.fullmatch(name):
                with contextlib.suppress(FileNotFoundError):
                    yield _entry(path, name)

    @override
    def unfinished_writes(self) -> Iterator[UnfinishedWrite]:
        for path, name in self._walk(""):
            if path.name.startswith(_PART):
                remove = functools.partial(path.unlink, missing_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    yield UnfinishedWrite(_entry(path, name), remove)

    def _walk(self, prefix: str) -> list[tuple[Path, str]]:
        start, found = self.root / prefix.rpartition("/")[0], list[Path]()
        # Unlike Path.rglob, os.walk bears folders that another process removes meanwhile.
        for folder, _, files in os.walk(start):
            found += [Path(folder, file) for file in files]

        named = [(path, path.relative_to(self.root).as_posix()) for path in found]
        return sorted(named, key=lambda pair: pair[1])


def _open_beside(path: Path) -> tuple[int, str]:
    """A temporary file in a folder that another process may just be removing as it is empty."""
    for _ in range(100):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return tempfile.mkstemp(dir=path.parent, prefix=_PART)
    raise FileNotFoundError(f"{path.parent} is removed again and again")


def _entry(path: Path, name: str) -> Entry:
    stat = path.stat()
    return Entry(name, stat.st_size, stat.st_mtime)
