"""Images in a .zip or .tar, read as they are packed: nothing is unpacked to a disk."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from scgan.data.listing import kind_of
from scgan.data.telling import tell

Wanted = Callable[[PurePosixPath], bool]


def members(path: Path, wanted: Wanted) -> dict[PurePosixPath, bytes | None]:
    """The files of an archive.

    Args:
        path: .zip, .tar, or a packed .tar.
        wanted: Whether a file of that name is data.

    Returns:
        Name to content; None for what is no data.

    Raises:
        ValueError: In one line, if it can't be read, is encrypted, or larger than this machine's
            memory.
    """
    read = _of_zip if kind_of(path) == ".zip" else _of_tar
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found: dict[PurePosixPath, bytes | None] = {}
    again = 0

    try:
        for name, size, content in read(path):
            place = PurePosixPath(name.lstrip("/"))
            again += place in found
            most -= size if wanted(place) else 0
            if most < 0:
                raise ValueError(f"{path}: its images are more than this machine's memory holds")
            found[place] = content() if wanted(place) else None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path}: can't be read as {kind_of(path)}, it is damaged or cut short ({reason})"
        ) from None

    if again:
        tell(path, f"{again} files of the archive have another's name; the last of each is taken")
    return found


Member = tuple[str, int, Callable[[], bytes]]
"""Name, bytes when unpacked, and what reads it."""


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 1:
                raise ValueError(
                    f"{path}: {info.filename} is encrypted; pack it without a password"
                )
            if not info.is_dir():
                # Some programs of Windows write their own sign between folders.
                name = info.filename.replace("\\", "/")
                yield name, info.file_size, partial(archive.read, info)


def _of_tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            if not info.isdir():
                yield info.name, info.size, partial(_content, archive, info)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    """The file's bytes, or those of the member that it links to; none for a lost link."""
    try:
        file = archive.extractfile(info)
    except KeyError:
        return b""
    return b"" if file is None else file.read()
