"""A file or folder that is written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def check_place(path: Path) -> None:
    """Refuse a path below a folder that can't be written in.

    Raises:
        ValueError: In one line, with the reason.
    """
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir():
        raise ValueError(f"{path}: can't be written: {there} is no folder")
    if not os.access(there, os.W_OK):
        raise ValueError(f"{path}: can't be written: there is no permission to write in {there}")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Have a place beside a path, that takes the path's place if all went well.

    Args:
        path: A file, replaced where there is one, or a folder, which may be there if it is empty;
            the folder that it is in is made where missing.

    Yields:
        Where to write; nothing is left there afterwards.

    Raises:
        ValueError: In one line, if it can't be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise ValueError(f"{path}: can't be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        with contextlib.suppress(OSError):
            partial.unlink()
