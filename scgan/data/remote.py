"""Data on S3: downloaded to a folder of this machine for as long as it is read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from scgan.data.formats import READERS
from scgan.data.image_folders import CELEBA_ATTRIBUTES, CELEBA_PARTITION, SUFFIXES
from scgan.data.image_formats import IDX_NAME

if TYPE_CHECKING:
    from scgan.s3 import S3

FIRST_TIMEOUT = 4.0  # seconds
THREADS = 10  # as many connections as a client keeps


@contextmanager
def on_disk(source: str) -> Iterator[Path]:
    """Have a path, an object, or all tables and images under a prefix, on this machine.

    Args:
        source: A path; or ``s3://bucket/key``, where a key without a suffix is a folder. ``AWS_ENDPOINT_URL`` and the
            usual credentials hold.

    Yields:
        The local file or folder; of S3, gone after the ``with`` block, in which errors name the address instead.

    Raises:
        ValueError: If there is nothing on S3, or it can't be reached; in one line.
    """
    if not source.startswith("s3://"):
        yield Path(source).expanduser()
        return
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise ValueError(f"{source!r} names no object; give s3://bucket/key")
    with tempfile.TemporaryDirectory(prefix="scgan-data-") as folder:
        local = _download(source, bucket, key, Path(folder))
        try:
            yield local
        except ValueError as error:
            raise ValueError(str(error).replace(str(local), source)) from None


def _download(url: str, bucket: str, key: str, folder: Path) -> Path:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    from scgan.s3 import S3
    from scgan.storage import StorageError

    try:
        # A wrong address is to be said at once, without the patience that outlasts an outage.
        first = S3(f"s3://{bucket}", timeout=FIRST_TIMEOUT).client
        single = PurePosixPath(key).suffix in READERS
        if single:
            first.head_object(Bucket=bucket, Key=key)
            names = {key: PurePosixPath(key).name}
        else:
            names = _wanted(first, bucket, key.rstrip("/") + "/")
        _fetch(S3(f"s3://{bucket}"), names, folder)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        reason = "there is no such object" if code in {"404", "NoSuchKey"} else " ".join(str(error).split())
        raise ValueError(f"{url}: {reason}") from None
    except (Boto3Error, BotoCoreError, StorageError) as error:
        raise ValueError(f"{url}: S3 can't be reached: {' '.join(str(error).split())}") from None
    if not names:
        raise ValueError(
            f"{url}: no tables and no images there; allowed are {', '.join(READERS)}, or a folder of .parquet, of "
            ".csv or of images"
        )
    return folder / PurePosixPath(key).name if single else folder


def _wanted(client: Any, bucket: str, prefix: str) -> dict[str, str]:
    """Keys of tables and images under a prefix, and their paths below it."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return {key: key.removeprefix(prefix) for key in keys if _is_data(PurePosixPath(key.removeprefix(prefix)))}


def _is_data(path: PurePosixPath) -> bool:
    # A key may hold anything, also what would lead out of the folder.
    if path.is_absolute() or ".." in path.parts:
        return False
    suffixes = {".parquet", ".csv"} | SUFFIXES
    lists = {CELEBA_ATTRIBUTES, CELEBA_PARTITION}
    return path.suffix.lower() in suffixes or path.name in lists or IDX_NAME.fullmatch(path.name) is not None


def _fetch(bucket: S3, names: dict[str, str], folder: Path) -> None:
    from boto3.s3.transfer import TransferConfig

    for parent in {(folder / name).parent for name in names.values()}:
        parent.mkdir(parents=True, exist_ok=True)
    config = TransferConfig(use_threads=len(names) == 1)  # of many objects, each has one of our own

    def fetch(key: str) -> None:
        target = str(folder / names[key])
        bucket.persist(lambda client: client.download_file(bucket.bucket, key, target, Config=config))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fetch, names))
