"""Where files lie: a folder or an S3 prefix, behind five calls.

Writes are whole and atomic on both: a reader sees the old file, the new file or none, never a part of one.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

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


def open_storage(url: str) -> Storage:
    """Open a folder (made where it is missing) or ``s3://bucket/prefix``.

    Args:
        url: A path, or an S3 address; ``AWS_ENDPOINT_URL`` and the usual credentials are respected.

    Returns:
        The storage, known to be writable.

    Raises:
        ValueError: If it can't be written, with the reason.
    """
    storage: Storage = S3(url) if url.startswith("s3://") else Folder(url)
    probe = f"probe-{os.getpid()}"
    try:
        storage.write(probe, b"")
        storage.delete(probe)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"the store {url!r} can't be written: {reason}; choose another with --store") from None
    return storage


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
    """Objects under a prefix of a bucket."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""

    @property
    def client(self) -> Any:
        """A client with retries for a minute's outage; made at each use, as it does not travel between processes."""
        import boto3
        from botocore.config import Config

        return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 10}))

    def read(self, name: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        client = self.client
        try:
            body: bytes = client.get_object(Bucket=self.bucket, Key=self.prefix + check_name(name))["Body"].read()
            return body
        except client.exceptions.NoSuchKey:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Upload, in parts where it is large, checksummed by the client."""
        import io

        self.client.upload_fileobj(io.BytesIO(content), self.bucket, self.prefix + check_name(name))

    def delete(self, name: str) -> None:
        """Remove the object; nothing where there is none."""
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + check_name(name))

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the objects that begin with ``prefix``, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(self.prefix)
                if _NAME.fullmatch(name):
                    yield name
