"""Tables on S3: downloaded to a folder of this machine for as long as they are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from scgan.data.formats import READERS


@contextmanager
def downloaded(url: str) -> Iterator[Path]:
    """Bring an object, or all tables under a prefix, to a temporary folder.

    Args:
        url: ``s3://bucket/key``; a key without a suffix is a folder. ``AWS_ENDPOINT_URL`` and the usual
            credentials hold.

    Yields:
        The local file or folder, gone after the ``with`` block.

    Raises:
        ValueError: If there is nothing, or it can't be reached; in one line.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise ValueError(f"{url!r} names no object; give s3://bucket/key")
    with tempfile.TemporaryDirectory(prefix="scgan-data-") as folder:
        yield _download(url, bucket, key, Path(folder))


def _download(url: str, bucket: str, key: str, folder: Path) -> Path:
    from botocore.exceptions import BotoCoreError, ClientError

    from scgan.storage import FIRST_ATTEMPTS, FIRST_TIMEOUT, S3

    try:
        client = S3(f"s3://{bucket}").client
        first = S3(f"s3://{bucket}", attempts=FIRST_ATTEMPTS, timeout=FIRST_TIMEOUT).client
        single = PurePosixPath(key).suffix in READERS
        # A wrong address is to be said at once, not after the retries that outlast an outage.
        if single:
            first.head_object(Bucket=bucket, Key=key)
        else:
            first.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        keys = [key] if single else _tables(client, bucket, key.rstrip("/") + "/")
        for i, name in enumerate(keys):
            # The number keeps the order of the keys, and apart what two sub-folders call by one name.
            target = PurePosixPath(name).name if single else f"{i:06d}-{PurePosixPath(name).name}"
            client.download_file(bucket, name, str(folder / target))
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        reason = "there is no such object" if code in {"404", "NoSuchKey"} else " ".join(str(error).split())
        raise ValueError(f"{url}: {reason}") from None
    except BotoCoreError as error:
        raise ValueError(f"{url}: S3 can't be reached: {' '.join(str(error).split())}") from None
    if not keys:
        raise ValueError(f"{url}: no tables there; allowed are {', '.join(READERS)}, or a folder of .parquet or .csv")
    return folder / PurePosixPath(key).name if single else folder


def _tables(client: Any, bucket: str, prefix: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    return sorted(k for k in keys if PurePosixPath(k).suffix in {".parquet", ".csv"})
