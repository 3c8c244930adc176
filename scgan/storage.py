"""Where files lie: a folder or an S3 prefix, behind five calls.

Writes are whole and atomic on both: a reader sees the old file, the new file or none, never a part of one.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

FIRST_ATTEMPTS, FIRST_TIMEOUT = 2, 4.0  # of the call that asks whether anything is there at all; seconds

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


class Storage(Protocol):
    """Files by relative names such as ``artifacts/encode-1a2b/manifest.json``."""

    url: str

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Put the whole file there, replacing any."""

    def delete(self, name: str) -> None:
        """Remove the file; nothing where there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the files that begin with ``prefix``, sorted."""


class StorageError(RuntimeError):
    """A store that was there can't be reached any more; says which and why, in one line."""


def open_storage(url: str, *, write: bool = True) -> Storage:
    """Open a folder or ``s3://bucket/prefix``.

    Args:
        url: A path, or an S3 address; ``AWS_ENDPOINT_URL`` and the usual credentials are respected.
        write: Whether it must be writable; a folder is made where it is missing. Else it only must be there.

    Returns:
        The storage.

    Raises:
        ValueError: If it can't be used so, with the reason, within about ten seconds.
    """
    storage, probed = _storages(url)
    probe = f"probe-{os.getpid()}"
    try:
        if write:
            probed.write(probe, b"")
            probed.delete(probe)
        elif isinstance(probed, S3):
            next(probed.names(""), None)
    except Exception as error:
        reason = " ".join(str(error).split()).removeprefix(f"{storage.url}: ")
        what = "written" if write else "read"
        raise ValueError(f"the store {url!r} can't be {what}: {reason}; choose another with --store") from None
    if not write and isinstance(storage, Folder) and not storage.root.is_dir():
        raise ValueError(f"there is no store {url!r}; name the folder or s3:// address of the results with --store")
    return storage


def _storages(url: str) -> tuple[Storage, Storage]:
    """The storage, and the same for a first look, which soon gives up."""
    if url.startswith("s3://"):
        if not url.removeprefix("s3://").partition("/")[0]:
            raise ValueError(f"the store {url!r} names no bucket; give s3://bucket/prefix")
        return S3(url), S3(url, attempts=FIRST_ATTEMPTS, timeout=FIRST_TIMEOUT)
    if "://" in url:
        raise ValueError(f"the store {url!r} is neither a folder nor an s3:// address")
    return Folder(url), Folder(url)


def check_name(name: str) -> str:
    """Refuse names that could leave the store: absolute, with ``..``, or with odd characters.

    Raises:
        ValueError: For such a name.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r} is no name for a file in a store")
    return name


class Folder:
    """Files in a folder of this machine."""

    def __init__(self, url: str) -> None:
        self.root = Path(url).expanduser().absolute()
        self.url = str(self.root)

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is none."""
        try:
            return (self.root / check_name(name)).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write beside it, flush to disk, rename into place."""
        path = self.root / check_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> None:
        """Remove the file, and its folder where that leaves it empty."""
        path = self.root / check_name(name)
        path.unlink(missing_ok=True)
        if path.parent != self.root and path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the files that begin with ``prefix``, sorted."""
        start = self.root / prefix.rpartition("/")[0]
        for path in sorted(start.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and name.startswith(prefix) and _NAME.fullmatch(name):
                yield name


class S3:
    """Objects under a prefix of a bucket.

    Args:
        url: ``s3://bucket/prefix``.
        attempts: Of each call; ten outlast a minute's outage.
        timeout: Seconds to wait for a connection, and for an answer.
    """

    def __init__(self, url: str, *, attempts: int = 10, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.attempts, self.timeout = attempts, timeout
        self.bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""

    @property
    def client(self) -> Any:
        """A client; made at each use, as it does not travel between processes."""
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=self.timeout,
            read_timeout=self.timeout,
            retries={"mode": "standard", "total_max_attempts": self.attempts},
        )
        return boto3.client("s3", config=config)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Errors of S3 as one that is short and can be pickled, as Ray needs it."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise StorageError(f"{self.url}: {' '.join(str(error).split())}") from None

    def read(self, name: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        client, key = self.client, self.prefix + check_name(name)
        with self._reached():
            try:
                body: bytes = client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                return body
            except client.exceptions.NoSuchKey:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Upload, in parts where it is large, checksummed by the client."""
        import io

        key = self.prefix + check_name(name)
        with self._reached():
            self.client.upload_fileobj(io.BytesIO(content), self.bucket, key)

    def delete(self, name: str) -> None:
        """Remove the object; nothing where there is none."""
        key = self.prefix + check_name(name)
        with self._reached():
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the objects that begin with ``prefix``, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        with self._reached():
            for page in pages:
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self.prefix)
                    if _NAME.fullmatch(name):
                        yield name
