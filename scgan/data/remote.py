"""Data on S3: listed, and downloaded to a folder of this machine for as long as it is read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from scgan.data.formats import ALLOWED, READERS, local_path
from scgan.data.images.folders import CELEBA_ATTRIBUTES, CELEBA_PARTITION, SUFFIXES
from scgan.data.images.sources import IDX_NAME
from scgan.data.listing import ARCHIVES, LOGS, check_log, is_hidden, kind_of, split_inside
from scgan.data.telling import listed, shown, shown_as, tell
from scgan.store.s3 import S3

FIRST_TIMEOUT = 4.0  # seconds
THREADS = 10  # as many connections as a client keeps
FOOTER = 2**16  # bytes that hold most footers of parquet files


@contextmanager
def on_disk(source: str) -> Iterator[Path]:
    """Have a path, an object, or all tables and images under a prefix, on this machine.

    Args:
        source: A path; or ``s3://bucket/key``, where a key without a suffix is a folder.
            ``AWS_ENDPOINT_URL`` and the usual credentials hold.

    Yields:
        The local file or folder; of S3, gone after the ``with`` block, in which errors name the
        address instead.

    Raises:
        ValueError: If there is nothing on S3, or it can't be reached; in one line.
    """
    if not source.startswith("s3://"):
        yield local_path(source)
        return

    bucket, key = _bucket_and_key(source)
    with tempfile.TemporaryDirectory(prefix="scgan-data-") as folder:
        local = _download(source, bucket, key, Path(folder))
        file, inside = split_inside(local)
        with shown_as(file, source.rstrip("/").removesuffix(f":{inside}")):
            try:
                yield local
            except ValueError as error:
                raise ValueError(shown(error)) from None


def list_names(url: str) -> dict[PurePosixPath, int]:
    """The objects at an address or under it.

    Args:
        url: ``s3://bucket/key``, where a key of a table's suffix is an object.

    Returns:
        Their names, relative to the address (empty for itself), and their sizes in bytes.

    Raises:
        ValueError: If S3 can't be reached, or there is no such object; in one line.
    """
    bucket, key = _bucket_and_key(url)
    with _explained(url):
        prefix, found = _find(bucket, key)
    start = key if key in found else prefix
    return {PurePosixPath(name.removeprefix(start)): size for name, size in found.items()}


def read_end(url: str) -> bytes:
    """The last bytes of an object that hold a parquet file's footer, of whatever length."""
    bucket, key = _bucket_and_key(url)

    def end(client: Any, num: int) -> bytes:
        found = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{num}")
        return bytes(found["Body"].read())

    with _explained(url):
        s3 = S3(f"s3://{bucket}")
        content = s3.persist(lambda client: end(client, FOOTER))
        length = int.from_bytes(content[-8:-4], "little") + 8
        return content if length <= len(content) else s3.persist(lambda c: end(c, length))


def _bucket_and_key(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise ValueError(f"{url!r} names no object; give s3://bucket/key")
    return bucket, key


def _find(bucket: str, key: str) -> tuple[str, dict[str, int]]:
    """The folder of an object, or of all tables and images under a prefix; and each one's bytes."""
    # Without the patience that outlasts outages, so that a wrong address is said at once.
    client = S3(f"s3://{bucket}", timeout=FIRST_TIMEOUT).client
    if kind_of(PurePosixPath(key)) in {*READERS, *ARCHIVES}:
        key, _ = map(str, split_inside(PurePosixPath(key)))
        _check_above(client, bucket, key)
        size = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        return key.removesuffix(PurePosixPath(key).name), {key: size}

    prefix = key.rstrip("/") + "/"
    sizes: dict[str, int] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            # A key may hold anything, also what would lead out of the folder.
            name = PurePosixPath(entry["Key"].removeprefix(prefix))
            if name.is_absolute() or ".." in name.parts:
                tell(f"s3://{bucket}/{entry['Key']}", "not read, as it is no name of a file")
            elif not entry["Key"].endswith("/"):
                sizes[entry["Key"]] = entry["Size"]

    if any(kind_of(PurePosixPath(name)) == ".parquet" for name in sizes):
        _check_above(client, bucket, key)
    return prefix, sizes


def _check_above(client: Any, bucket: str, key: str) -> None:
    """Refuse what lies within a table whose log says what is valid."""
    for above, log in product(PurePosixPath(key).parents, LOGS):
        start = "" if above == PurePosixPath() else f"{above}/"
        listed_there = client.list_objects_v2(Bucket=bucket, Prefix=f"{start}{log}/")
        names = [entry["Key"].rpartition("/")[2] for entry in listed_there.get("Contents", ())]
        check_log(f"s3://{bucket}/{key}", f"s3://{bucket}/{above}", log, names)


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Within it, whatever S3 says becomes a ValueError of one line."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    from scgan.store.storage import StorageError

    try:
        yield
    except ClientError as error:
        absent = error.response.get("Error", {}).get("Code", "") in {"404", "NoSuchKey"}
        reason = "there is no such object" if absent else " ".join(str(error).split())
        raise ValueError(f"{url}: {reason}") from None
    except (Boto3Error, BotoCoreError, StorageError) as error:
        raise ValueError(f"{url}: S3 can't be reached: {' '.join(str(error).split())}") from None


def _download(url: str, bucket: str, key: str, folder: Path) -> Path:
    with _explained(url):
        prefix, found = _find(bucket, key)
        names = {name: name.removeprefix(prefix) for name in found}
        for parent in {(folder / name).parent for name in names.values()}:
            parent.mkdir(parents=True, exist_ok=True)

        # Of what is no data there is an empty file, so that it is seen and said as on a disk.
        data = {key: name for key, name in names.items() if _is_data(PurePosixPath(name))}
        for name in set(names.values()) - set(data.values()):
            (folder / name).touch()
        _fetch(S3(f"s3://{bucket}"), data, folder)

    if not data:
        seen = f" ({len(names)} other files: {listed(sorted(names.values()))})" if names else ""
        raise ValueError(f"{url}: no tables and no images there{seen}; {ALLOWED}")

    file, inside = map(str, split_inside(PurePosixPath(key)))
    return folder / (names.get(file, "") + (f":{inside}" if inside else ""))


def _is_data(path: PurePosixPath) -> bool:
    if is_hidden(path.parent) or path.name.startswith("."):
        return False

    lists = {CELEBA_ATTRIBUTES, CELEBA_PARTITION}
    kinds = {*READERS, *ARCHIVES}
    known = path.name in lists or IDX_NAME.fullmatch(path.name) is not None
    return known or kind_of(path) in kinds or path.suffix.lower() in SUFFIXES


def _fetch(bucket: S3, names: dict[str, str], folder: Path) -> None:
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(use_threads=len(names) == 1)  # of many objects, each has one of our own

    def fetch(key: str) -> None:
        target = str(folder / names[key])
        bucket.persist(
            lambda client: client.download_file(bucket.bucket, key, target, Config=config)
        )

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fetch, names))
