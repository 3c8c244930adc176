"""Files as objects under a prefix of an S3 bucket, with patience for outages."""

from __future__ import annotations

import functools
import io
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

from typing_extensions import override

from scgan.store.storage import NAME, Entry, Storage, StorageError, UnfinishedWrite, check_name

BLOCK = 2**18  # bytes that are fetched of an open object at least
PATIENCE = 180.0  # seconds for which S3 is asked again when it is away
_log = logging.getLogger(__name__)

T = TypeVar("T")


class S3(Storage):
    """Objects under a prefix of a bucket.

    Args:
        url: ``s3://bucket/prefix``.
        patience: Seconds for which a call is made again and again while S3 is away or refuses for a
            while.
        timeout: Seconds to wait for a connection, and for an answer.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self.patience, self.timeout = patience, timeout
        self.bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""

    @property
    def client(self) -> Any:
        """This process's client for these settings; it does not travel between processes."""
        environment = [item for item in os.environ.items() if item[0].startswith("AWS_")]
        return _client(self.timeout, tuple(sorted(environment)), os.getpid())

    def persist(self, call: Callable[[Any], T]) -> T:
        """Make a call with the client, again and again while S3 is away, and say so.

        Args:
            call: Given the client; one that can be made twice.

        Returns:
            What the call returns.

        Raises:
            StorageError: If S3 refuses, or is away for longer than the patience: short, and it can
                be pickled, as Ray needs it.
        """
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        end, wait = time.monotonic() + self.patience, 0.5
        while True:
            try:
                return call(self.client)
            except (Boto3Error, BotoCoreError, ClientError) as error:
                reason = " ".join(str(error).split())
                if not _passing(error) or time.monotonic() + wait > end:
                    raise StorageError(f"{self.url}: {reason}") from None

                if wait > 1:  # not for a single hiccup
                    left = end - time.monotonic()
                    _log.warning("%s is away, tried for %.0f s more: %s", self.url, left, reason)

            # Many workers should not come back at the same moment.
            time.sleep(wait * random.uniform(0.5, 1))
            wait = min(2 * wait, 10.0)

    @override
    def read(self, name: str) -> bytes | None:
        key = self.prefix + check_name(name)

        def get(client: Any) -> bytes | None:
            try:
                return bytes(client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
            except client.exceptions.NoSuchKey:
                return None

        return self.persist(get)

    @override
    def open(self, name: str) -> BinaryIO:
        key = self.prefix + check_name(name)

        def size(client: Any) -> int | None:
            try:
                return int(client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
            except client.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") == "404":
                    return None
                raise

        length = self.persist(size)
        if length is None:
            raise FileNotFoundError(f"there is no {name}")

        return io.BufferedReader(_Object(self, key, length), BLOCK)

    @override
    def write(self, name: str, content: bytes) -> None:
        # In parts where it is large, checksummed by the client; it is there when all of it is.
        key = self.prefix + check_name(name)
        self.persist(lambda client: client.upload_fileobj(io.BytesIO(content), self.bucket, key))

    @override
    def delete(self, name: str) -> None:
        key = self.prefix + check_name(name)
        self.persist(lambda client: client.delete_object(Bucket=self.bucket, Key=key))

    @override
    def entries(self, prefix: str) -> Iterator[Entry]:
        for found in self._pages("list_objects_v2", "Contents", prefix):
            name = found["Key"].removeprefix(self.prefix)
            if NAME.fullmatch(name):
                yield Entry(name, found["Size"], found["LastModified"].timestamp())

    @override
    def unfinished_writes(self) -> Iterator[UnfinishedWrite]:
        # Uploads in parts: no listing of objects shows them, but they are paid for.
        for found in self._pages("list_multipart_uploads", "Uploads", ""):
            where = {"Bucket": self.bucket, "Key": found["Key"], "UploadId": found["UploadId"]}
            entry = Entry(found["Key"].removeprefix(self.prefix), 0, found["Initiated"].timestamp())
            yield UnfinishedWrite(entry, functools.partial(self._abort, where))

    def _abort(self, where: dict[str, str]) -> None:
        self.persist(lambda client: client.abort_multipart_upload(**where))

    def _pages(self, operation: str, field: str, prefix: str) -> list[dict[str, Any]]:
        def collect(client: Any) -> list[dict[str, Any]]:
            where = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
            found = list[dict[str, Any]]()
            for page in client.get_paginator(operation).paginate(**where):
                found += page.get(field, ())

            return found

        return self.persist(collect)


class _Object(io.RawIOBase):
    """An object that is read in ranges."""

    def __init__(self, bucket: S3, key: str, length: int) -> None:
        self.bucket, self.key, self.length, self.place = bucket, key, length, 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.length}
        self.place = origin[whence] + offset
        return self.place

    @override
    def readinto(self, buffer: Any) -> int:
        end = min(self.place + len(buffer), self.length)
        if end <= self.place:
            return 0

        place = f"bytes={self.place}-{end - 1}"
        where = {"Bucket": self.bucket.bucket, "Key": self.key, "Range": place}
        content: bytes = self.bucket.persist(
            lambda client: client.get_object(**where)["Body"].read()
        )

        buffer[: len(content)] = content
        self.place += len(content)
        return len(content)


@functools.lru_cache(maxsize=8)
def _client(timeout: float, environment: tuple[tuple[str, str], ...], process: int) -> Any:
    """One client for what the environment says, in this process: a fork must make its own."""
    import boto3
    from botocore.config import Config

    # Twice for a hiccup; outages are `S3.persist`'s.
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    config = Config(connect_timeout=timeout, read_timeout=timeout, retries=retries)
    return boto3.session.Session().client("s3", config=config)


def _passing(error: Exception) -> bool:
    """Whether the same call may go well a little later."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        busy = code in {"RequestTimeout", "SlowDown", "Throttling"}
        return busy or status >= 500 or status == 429

    damaged = (exceptions.IncompleteReadError, exceptions.FlexibleChecksumError)  # on the way
    return isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError, *damaged))
