"""From an address to the storage there: a folder, or S3."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

from scgan.store.folder import Folder
from scgan.store.storage import Storage

FIRST_TIMEOUT = 4.0  # seconds; of the call that asks whether anything is there at all


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
    except ModuleNotFoundError:  # boto3's; no other store would do without it
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).removeprefix(f"{storage.url}: ")
        reason = reason.removeprefix(f"{name} can't be written: ")
        what = "written" if write else "read"
        raise ValueError(f"the store {url!r} can't be {what}: {reason}; choose another") from None

    if not write and isinstance(storage, Folder) and not storage.root.is_dir():
        raise ValueError(
            f"there is no store {url!r}; "
            "name the folder or s3:// address of the results with --store"
        )

    return storage


def sqlite_uri(path: Path) -> str:
    """The address of a SQLite file, as SQLAlchemy reads it.

    Raises:
        ValueError: If its path can't be part of one.
    """
    text, (major, minor, *_) = str(path), version("sqlalchemy").split(".")
    if (int(major), int(minor)) >= (2, 1):
        return f"sqlite:///{text.replace('%', '%25').replace('?', '%3F')}"

    if "?" in text:
        raise ValueError(
            f"{path}: a database can't lie in a folder with ? in its name; choose another --store"
        )
    return f"sqlite:///{text}"


def sqlite_path(uri: str) -> Path:
    """Where the file of such an address lies."""
    text = uri.removeprefix("sqlite:///").partition("?")[0]
    quoted = sqlite_uri(Path("%")).endswith("%25")
    return Path(unquote(text) if quoted else text).absolute()


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
