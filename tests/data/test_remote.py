"""Tables on S3, against an S3 in this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scgan.data.export import write_samples
from scgan.data.remote import downloaded
from scgan.data.table import read_table


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="data")
        yield client


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_every_format(client: Any, tmp_path: Path, suffix: str) -> None:
    write_samples(tmp_path / f"t{suffix}", {"x0": np.arange(3), "x1": np.arange(3, 6)})
    client.upload_file(str(tmp_path / f"t{suffix}"), "data", f"in/t{suffix}")
    table = read_table(f"s3://data/in/t{suffix}")
    assert table.names == ("x0", "x1") and table.columns["x1"].tolist() == [3, 4, 5]


def test_folder_in_the_order_of_keys(client: Any) -> None:
    for key, value in {"in/b/part.csv": 2, "in/a/part.csv": 1, "in/c.csv": 3, "inner.csv": 9}.items():
        client.put_object(Bucket="data", Key=key, Body=f"a\n{value}\n".encode())
    client.put_object(Bucket="data", Key="in/_SUCCESS", Body=b"")
    for url in ("s3://data/in", "s3://data/in/"):
        assert read_table(url).columns["a"].tolist() == [1, 2, 3]


def test_nothing_is_left_behind(client: Any) -> None:
    client.put_object(Bucket="data", Key="t.csv", Body=b"a\n1\n")
    with downloaded("s3://data/t.csv") as local:
        assert local.name == "t.csv" and local.exists()
    assert not local.parent.exists()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://data/gone.csv", "s3://data/gone.csv: there is no such object"),
        ("s3://data/gone", "s3://data/gone: no tables there"),
        ("s3://no-such-bucket/t.csv", "s3://no-such-bucket/t.csv: "),
        ("s3://no-such-bucket/folder", "s3://no-such-bucket/folder: "),
        ("s3://data", "'s3://data' names no object"),
        ("s3://data/text.csv", "s3://data/text.csv: column 'a' holds text ('b' in row 1)"),
    ],
)
def test_wrong_addresses(client: Any, url: str, expected: str) -> None:
    client.put_object(Bucket="data", Key="text.csv", Body=b"a\nb\n")
    with pytest.raises(ValueError) as caught:
        read_table(url)
    assert str(caught.value).startswith(expected) and "\n" not in str(caught.value)


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match="^s3://data/t.csv: S3 can't be reached: Unable to locate credentials$"):
        read_table("s3://data/t.csv")
