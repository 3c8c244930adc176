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

from scgan.store.storage import NAME, Entry, Remains, StorageError, check_name

BLOCK = 2**18  # bytes that are fetched of an open object at least
PATIENCE = 180.0  # seconds for which S3 is asked again when it is away
_log = logging.getLogger(__name__)

T = TypeVar("T")


class S3:
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
        environment = tuple(
            sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))
        )
        return _client(self.timeout, environment, os.getpid())

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
                    _log.warning(
                        "%s is away, tried for %.0f s more: %s",
                        self.url,
                        end - time.monotonic(),
                        reason,
                    )

            time.sleep(
                wait * random.uniform(0.5, 1)
            )  # many workers should not come back at the same moment
            wait = min(2 * wait, 10.0)

    def read(self, name: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        key = self.prefix + check_name(name)

        def get(client: Any) -> bytes | None:
            try:
                body: bytes = client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                return body
            except client.exceptions.NoSuchKey:
                return None

        return self.persist(get)

    def open(self, name: str) -> BinaryIO:
        """The object, of which only what is asked for is fetched."""
        key = self.prefix + check_name(name)

        def size(client: Any) -> int | None:
            try:
                length: int = client.head_object(Bucket=self.bucket, Key=key)["ContentLength"]
                return length
            except client.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") == "404":
                    return None
                raise

        length = self.persist(size)
        if length is None:
            raise FileNotFoundError(f"there is no {name}")

        return io.BufferedReader(_Object(self, key, length), BLOCK)

    def write(self, name: str, content: bytes) -> None:
        """Upload, in parts where it is large, checksummed by the client; it is there when all of it is."""
        key = self.prefix + check_name(name)
        self.persist(lambda client: client.upload_fileobj(io.BytesIO(content), self.bucket, key))

    def delete(self, name: str) -> None:
        """Remove the object; nothing where there is none."""
        key = self.prefix + check_name(name)
        self.persist(lambda client: client.delete_object(Bucket=self.bucket, Key=key))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """The objects whose names begin with ``prefix``, sorted by name."""
        for found in self._pages("list_objects_v2", "Contents", prefix):
            name = found["Key"].removeprefix(self.prefix)
            if NAME.fullmatch(name):
                yield Entry(name, found["Size"], found["LastModified"].timestamp())

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the objects that begin with ``prefix``, sorted."""
        return (entry.name for entry in self.entries(prefix))

    def remains(self) -> Iterator[Remains]:
        """Uploads in parts that were never completed: no listing of objects shows them, but they are paid for."""
        for found in self._pages("list_multipart_uploads", "Uploads", ""):
            where = {"Bucket": self.bucket, "Key": found["Key"], "UploadId": found["UploadId"]}
            entry = Entry(found["Key"].removeprefix(self.prefix), 0, found["Initiated"].timestamp())
            yield Remains(entry, functools.partial(self._abort, where))

    def _abort(self, where: dict[str, str]) -> None:
        self.persist(lambda client: client.abort_multipart_upload(**where))

    def _pages(self, operation: str, field: str, prefix: str) -> list[dict[str, Any]]:
        def collect(client: Any) -> list[dict[str, Any]]:
            pages = client.get_paginator(operation).paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            return [found for page in pages for found in page.get(field, ())]

        return self.persist(collect)


class _Object(io.RawIOBase):
    """An object that is read in ranges."""

    def __init__(self, bucket: S3, key: str, length: int) -> None:
        self.bucket, self.key, self.length, self.place = bucket, key, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = (
            offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.length}[whence]
        )
        return self.place

    def readinto(self, buffer: Any) -> int:
        end = min(self.place + len(buffer), self.length)
        if end <= self.place:
            return 0

        where = {
            "Bucket": self.bucket.bucket,
            "Key": self.key,
            "Range": f"bytes={self.place}-{end - 1}",
        }

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

    config = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={
            "mode": "standard",
            "total_max_attempts": 2,
        },  # of hiccups; outages are `S3.persist`'s
    )

    return boto3.session.Session().client("s3", config=config)


def _passing(error: Exception) -> bool:
    """Whether the same call may go well a little later."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return (
            status >= 500 or status == 429 or code in {"RequestTimeout", "SlowDown", "Throttling"}
        )

    damaged = (exceptions.IncompleteReadError, exceptions.FlexibleChecksumError)  # on the way
    return isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError, *damaged))
