"""A store's files in a folder of this machine."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

from scgan.store.storage import NAME, Entry, Storage, StorageError, UnfinishedWrite, check_name

_PART = ".part-"  # begins the name of a file that is being written


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
