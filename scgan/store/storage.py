"""Where files lie: a folder or an S3 prefix, behind a few calls.

Writes are whole and atomic on both: a reader sees the old file, the new file or none, never a part
of one.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


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


def check_name(name: str) -> str:
    """Refuse names that could leave the store: absolute, with ``..``, or with odd characters.

    Raises:
        ValueError: For such a name.
    """
    if not NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r} is no name for a file in a store")
    return name
