"""Tables and images on S3, against an S3 in this process."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scgan.data.dataset import DataConfig
from scgan.data.images.writing import Sampled, write_images
from scgan.data.loading import load
from scgan.data.remote import on_disk
from scgan.data.tables.reading import read_table
from scgan.data.tables.writing import write_samples


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
    for key, value in {
        "in/b/part.csv": 2,
        "in/a/part.csv": 1,
        "in/c.csv": 3,
        "inner.csv": 9,
    }.items():
        client.put_object(Bucket="data", Key=key, Body=f"a\n{value}\n".encode())
    client.put_object(Bucket="data", Key="in/_SUCCESS", Body=b"")
    for url in ("s3://data/in", "s3://data/in/"):
        assert read_table(url).columns["a"].tolist() == [1, 2, 3]


def test_a_folder_is_streamed_file_by_file(client: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in range(3):
        write_samples(
            tmp_path / f"in/p={part}/t.parquet",
            {"a": rng.normal(size=500), "b": rng.normal(size=500)},
        )
    upload(client, tmp_path / "in", "in")
    client.put_object(Bucket="data", Key="in/_SUCCESS", Body=b"")
    here, there = (
        load(DataConfig(source=source, stream=True), 0)
        for source in (f"{tmp_path}/in", "s3://data/in")
    )
    assert there.stream is not None and here.stream is not None
    assert there.stream.parts.paths == tuple(
        f"s3://data/in/p={part}/t.parquet" for part in range(3)
    )
    assert there.fingerprint == here.fingerprint and there.num_train == here.num_train
    with pytest.raises(ValueError, match=r"s3://data/none: only \.parquet"):
        load(DataConfig(source="s3://data/none", stream=True), 0)


def test_nothing_is_left_behind(client: Any) -> None:
    client.put_object(Bucket="data", Key="t.csv", Body=b"a\n1\n")
    with on_disk("s3://data/t.csv") as local:
        assert local.name == "t.csv" and local.exists()
    assert not local.parent.exists()


def upload(client: Any, folder: Path, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "data", f"{prefix}/{path.relative_to(folder)}")


def test_images_in_folders_a_class(client: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(30):  # as many as to need several threads
        path = tmp_path / ("train", "val")[i % 3 // 2] / ("cat", "a dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    (tmp_path / "train" / "notes.txt").write_text("left there")
    upload(client, tmp_path, "pets")
    client.put_object(Bucket="data", Key="pets/../../../evil.png", Body=b"no")
    local, remote = (
        load(DataConfig(source=source), 0) for source in (str(tmp_path), "s3://data/pets")
    )
    assert (
        remote.name == "pets" and remote.fingerprint == local.fingerprint and len(remote.test) == 10
    )
    client.put_object(Bucket="data", Key="pets/train/cat/cut.png", Body=b"no")
    with pytest.raises(
        ValueError,
        match=r"^s3://data/pets: 1 of 31 images can't be read: train/cat/cut.png \(not an",
    ):
        load(DataConfig(source="s3://data/pets"), 0)


def test_images_of_one_file_of_idx_files_and_of_celeba(client: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=images)
    client.upload_file(str(tmp_path / "set.npz"), "data", "in/set.npz")
    content = bytes((0, 0, 8, 3)) + np.array(images.shape, ">i4").tobytes() + images.tobytes()
    client.put_object(
        Bucket="data", Key="idx/train-images-idx3-ubyte.gz", Body=gzip.compress(content)
    )
    write_images(
        tmp_path / "faces",
        Sampled(images, (np.arange(40) % 3 % 2).reshape(20, 2).astype(np.uint8), ("a", "b")),
    )
    upload(client, tmp_path / "faces", "faces")
    for source in ("s3://data/in/set.npz", "s3://data/idx"):
        assert (
            load(DataConfig(source=source), 0).fingerprint
            == load(DataConfig(source=str(tmp_path / "set.npz")), 0).fingerprint
        )
    local, remote = (
        load(DataConfig(source=source), 0)
        for source in (str(tmp_path / "faces"), "s3://data/faces/")
    )
    assert remote.fingerprint == local.fingerprint and remote.image_schema.attributes == ("a", "b")


def test_a_broken_file_on_s3_is_named_by_its_address(client: Any) -> None:
    client.put_object(Bucket="data", Key="in/set.npz", Body=b"PK broken")
    with pytest.raises(ValueError, match=r"^s3://data/in/set.npz: can't be read as .npz"):
        load(DataConfig(source="s3://data/in/set.npz"), 0)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://data/gone.csv", "s3://data/gone.csv: there is no such object"),
        ("s3://data/gone", "s3://data/gone: no tables and no images there"),
        ("s3://no-such-bucket/t.csv", "s3://no-such-bucket/t.csv: "),
        ("s3://no-such-bucket/folder", "s3://no-such-bucket/folder: "),
        ("s3://data", "'s3://data' names no object"),
        ("s3://data/text.csv", "s3://data/text.csv: column 'a' holds text ('n/k' in row 2)"),
    ],
)
def test_wrong_addresses(client: Any, url: str, expected: str) -> None:
    client.put_object(Bucket="data", Key="text.csv", Body=b"a\n1\nn/k\n")
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
    with pytest.raises(
        ValueError, match="^s3://data/t.csv: S3 can't be reached: Unable to locate credentials$"
    ):
        read_table("s3://data/t.csv")


def test_what_is_said_of_a_copy_names_its_address(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.put_object(Bucket="data", Key="in/t.csv", Body=b"a;b\n1;2\n")
    assert read_table("s3://data/in/t.csv").columns["b"].tolist() == [2]
    assert caplog.messages == ["s3://data/in/t.csv: read with semicolons between columns"]
    caplog.clear()
    read_table("s3://data/in/")
    assert caplog.messages == ["s3://data/in/t.csv: read with semicolons between columns"]


def test_one_of_the_tables_of_a_file(client: Any, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["u/a"], file["v/b"] = np.arange(3), np.arange(4)
    client.upload_file(str(tmp_path / "t.h5"), "data", "in/t.h5")
    assert read_table("s3://data/in/t.h5:v").columns["b"].tolist() == [0, 1, 2, 3]
    for url in ("s3://data/in/t.h5", "s3://data/in/t.h5:w"):
        with pytest.raises(ValueError, match=r"^s3://data/in/t\.h5: "):
            read_table(url)
