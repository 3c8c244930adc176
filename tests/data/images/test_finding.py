"""Images as people keep them: every class is found, or what is not read is named."""

from __future__ import annotations

import io
import itertools
import os
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.split import check_classes

RNG = np.random.default_rng(0)


def picture(most: int = 256, kind: str = "uint8") -> Image.Image:
    return Image.fromarray(RNG.integers(0, most, (32, 32)).astype(kind))


def fill(folder: Path, suffix: str = ".png", num: int = 6) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        picture().save(folder / f"{i}{suffix}")


def read(path: Path, **settings: Any) -> Dataset:
    return load(DataConfig(source=str(path), **settings), 0)


def found(path: Path) -> tuple[int, int, tuple[str, ...]]:
    data = read(path)
    return data.num_train, data.num_test, data.image_schema.attributes


@pytest.mark.parametrize("suffix", [".jpg", ".jfif", ".jpe", ".avif", ".tga", ".jp2", ".JPEG"])
def test_every_usual_suffix_is_read(tmp_path: Path, suffix: str) -> None:
    fill(tmp_path / "cat")
    fill(tmp_path / "dog", ".jpg" if suffix in {".jfif", ".jpe"} else suffix)
    for file in (tmp_path / "dog").iterdir():
        file.rename(file.with_suffix(suffix))
    assert found(tmp_path) == (10, 2, ("cat", "dog"))


def test_a_linked_class_is_read(tmp_path: Path) -> None:
    fill(tmp_path / "store/dog")
    fill(tmp_path / "set/cat")
    os.symlink(tmp_path / "store/dog", tmp_path / "set/dog")
    assert found(tmp_path / "set") == (10, 2, ("cat", "dog"))


def test_what_is_not_read_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path / "cat")
    fill(tmp_path / "dog")
    fill(tmp_path / ".thumbs")
    (tmp_path / "fox").mkdir()
    for i in range(3):
        (tmp_path / f"fox/{i}.heic").touch()
    assert found(tmp_path) == (10, 2, ("cat", "dog"))
    assert "9 of 21 files are not read" in caplog.text and ".thumbs/0.png" in caplog.text
    assert "no image of fox" in caplog.text


@pytest.mark.parametrize("above", ["archive", "a/b/c"])
def test_folders_around_all_are_no_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, above: str
) -> None:
    for part, num in (("train", 6), ("test", 2)):
        for kind in ("cat", "dog"):
            fill(tmp_path / above / part / kind, num=num)
    assert found(tmp_path) == (12, 4, ("cat", "dog"))
    assert f"all images are in {above}: its folders are taken, test, train" in caplog.text

    fill(tmp_path / "plain/pets/cat")
    fill(tmp_path / "plain/pets/dog")
    assert found(tmp_path / "plain") == (10, 2, ("cat", "dog"))


def test_one_folder_of_images_is_no_class(tmp_path: Path) -> None:
    fill(tmp_path / "img_align", num=12)
    assert found(tmp_path) == (10, 2, ())
    fill(tmp_path / "two/train/cat")
    fill(tmp_path / "two/train/dog")
    assert found(tmp_path / "two") == (10, 2, ("cat", "dog"))


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train/cat", "test/cat", "extra/cat"), "beside train and test there are images in extra"),
        (("cat/train", "cat/test", "dog/train"), "train and test are folders in cat, so test"),
        (("train/cat", "val/dog"), "class 'dog' has no place among those of the training part"),
    ],
)
def test_test_images_are_never_trained_on(
    tmp_path: Path, folders: tuple[str, ...], message: str
) -> None:
    for folder in folders:
        fill(tmp_path / folder)
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_validation_part_beside_a_test_part_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for part in ("train", "test", "val"):
        for kind in ("a", "b"):
            fill(tmp_path / part / kind)
    assert found(tmp_path) == (12, 12, ("a", "b"))
    assert "12 of 36 files are not read: val/a/0.png" in caplog.text


def test_a_class_without_a_training_image_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "a", num=12)
    fill(tmp_path / "b", num=12)
    fill(tmp_path / "c", num=1)
    messages = set()
    for seed in range(12):
        try:
            data = load(DataConfig(source=str(tmp_path)), seed)
            check_classes(data)
            assert data.train_labels is not None and set(data.train_labels) == {0, 1, 2}
        except ValueError as error:
            messages.add(str(error))
    (message,) = messages
    assert "the class 'c' has no image to train on (1 to test)" in message
    assert message.endswith("--data.attributes a,b")


@pytest.mark.parametrize(
    ("most", "kind", "told"),
    [
        (4096, "uint16", "no value above 4095: read as 12 bits"),
        (1024, "uint16", "no value above 1023: read as 10 bits"),
        (65536, "uint16", ""),
        (2, "uint8", "pixels are 0 and 1: read as black and white"),
        (9, "uint8", "no pixel is above 8 of 255: the images are almost black"),
        (256, "uint8", ""),
    ],
)
def test_bits_of_grey(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, most: int, kind: str, told: str
) -> None:
    for i in range(10):
        picture(most, kind).save(tmp_path / f"{i}.png")
    data = read(tmp_path)
    assert told in caplog.text and len(caplog.records) == bool(told)
    assert int(data.train.max()) == (8 if most == 9 else 255) and int(data.train.min()) == 0
    if most in {2, 4096}:
        values = data.train.unique().tolist()
        assert values == [0, 255] if most == 2 else len(values) == 256


def test_arrays_of_zeros_and_ones_become_black_and_white(tmp_path: Path) -> None:
    images = RNG.integers(0, 2, (10, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "t.npz", images=images)
    assert read(tmp_path / "t.npz").train.unique().tolist() == [0, 255]
    np.savez(tmp_path / "t.npz", images=images == 1)
    assert read(tmp_path / "t.npz").train.unique().tolist() == [0, 255]


def packed(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path

    with tarfile.open(path, "w:gz" if path.suffix in {".gz", ".tgz"} else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["t.zip", "t.tar", "t.tar.gz", "t.tgz"])
def test_archives_are_read_as_the_folder_that_was_packed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    for part, num in (("train", 6), ("test", 2)):
        for kind in ("cat", "dog"):
            fill(tmp_path / "set/pets" / part / kind, num=num)
    files = [file for file in sorted((tmp_path / "set").rglob("*")) if file.is_file()]
    contents = {str(file.relative_to(tmp_path / "set")): file.read_bytes() for file in files}
    extra = {"__MACOSX/pets/._0.png": b"", "pets/readme.txt": b"", "../evil.png": b""}
    path = packed(tmp_path / name, contents | extra)

    there = sorted(tmp_path.iterdir())
    archive, folder = read(path), read(tmp_path / "set")
    assert archive.fingerprint == folder.fingerprint and sorted(tmp_path.iterdir()) == there
    assert "3 of 19 files are not read" in caplog.text and "readme.txt" in caplog.text


def test_archives_that_cannot_be_used(tmp_path: Path) -> None:
    tables = packed(tmp_path / "t.zip", {"a.csv": b"a\n1\n"})
    with pytest.raises(ValueError, match=r"no images in this archive \(1 files: a\.csv\)"):
        read(tables)
    for name in ("b.zip", "b.tar", "b.tgz"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(ValueError, match=rf"{name}: can't be read as"):
            read(tmp_path / name)
    content = packed(tmp_path / "c.zip", {"a.png": b"x" * 99}).read_bytes()
    position = content.index(b"PK\x01\x02") + 8
    (tmp_path / "c.zip").write_bytes(content[:position] + b"\x01" + content[position + 1 :])
    with pytest.raises(ValueError, match=r"a\.png is encrypted"):
        read(tmp_path / "c.zip")


def test_an_archive_with_celebas_lists(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    picture().save(buffer, "PNG")
    names = [f"{i}.png" for i in range(8)]
    rows = [f"{name} {1 if i % 2 else -1} -1" for i, name in enumerate(names)]
    lists = "\n".join(["8", "Smiling Bald", *rows]).encode()
    files = {f"img/{name}": buffer.getvalue() for name in names}
    data = read(packed(tmp_path / "t.zip", files | {"list_attr_celeba.txt": lists}))
    assert data.image_schema.attributes == ("Smiling", "Bald") and data.train_labels is not None
    assert data.train_labels[:, 1].max() == 0 and data.train_labels[:, 0].max() == 1


def test_a_column_of_bytes_makes_no_images(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    values = RNG.normal(size=60)
    kind = pa.array([b"u", b"v"] * 30)
    parquet.write_table(pa.table({"a": values, "b": values**2, "k": kind}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"column 'k' holds text \(b'u' in row 1\); leave it out"):
        read(tmp_path / "t.parquet")
    for stream in (False, True):
        data = read(tmp_path / "t.parquet", label="k", stream=stream)
        assert data.table_schema.names == ("a", "b")
        assert data.train_labels is not None and set(data.train_labels) == {"u", "v"}
        data = read(tmp_path / "t.parquet", columns=("b",), stream=stream)
        assert data.table_schema.names == ("b",)


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a colour, which Pillow does not write, of ``[H, W, 3]``."""
    high, wide, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", wide, high, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("bits", "peak"), [(8, 0), (9, 1), (12, 15), (14, 63), (16, None)])
def test_bits_of_colour(tmp_path: Path, bits: int, peak: int | None) -> None:
    for i in range(9):
        pixels = RNG.integers(0, 2**bits, (32, 32, 3))
        (tmp_path / f"{i}.png").write_bytes(png_of_16_bits(pixels))
    if peak is None:
        assert read(tmp_path).train.max() == 255
        return
    with pytest.raises(ValueError, match=f"16 bits a colour, none above {peak} of 255") as caught:
        read(tmp_path)
    assert str(caught.value).endswith("convert them to 8 bits")


def test_images_of_one_value_are_refused(tmp_path: Path) -> None:
    labels = Image.fromarray(RNG.integers(0, 3, (32, 32)).astype("uint8"), mode="P")
    labels.putpalette([0] * 768)
    for name, image in (("map", labels), ("grey", Image.new("L", (32, 32), 77))):
        (tmp_path / name).mkdir()
        for i in range(9):
            image.save(tmp_path / name / f"{i}.png")
        with pytest.raises(ValueError, match=r"all pixels of all images are (0|77); there is noth"):
            read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_frames_that_are_not_read_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    fill(tmp_path, num=8)
    more = [picture() for _ in range(2)]
    picture().save(tmp_path / f"x{suffix}", save_all=True, append_images=more)
    assert read(tmp_path).num_train == 7
    assert "1 of 9 images have several frames, as many as 3: the first of each is" in caplog.text


@pytest.mark.parametrize(
    ("train", "test"),
    [("training_set", "test_set"), ("train", "dev"), ("trainset", "testset"), ("Train", "Eval")],
)
def test_other_names_of_parts(tmp_path: Path, train: str, test: str) -> None:
    for name in (f"{train}/cat", f"{train}/dog", f"{test}/cat"):
        fill(tmp_path / name)
    assert found(tmp_path) == (12, 6, ("cat", "dog"))


@pytest.mark.parametrize("labels", [np.eye(3, dtype=int), np.array([b"a", b"b", b"c"])])
def test_labels_of_arrays_of_images(tmp_path: Path, labels: np.ndarray) -> None:
    images, own = RNG.integers(0, 256, (30, 32, 32)).astype("u1"), np.arange(30) % 3
    np.savez(tmp_path / "t.npz", images=images, labels=labels[own])
    schema = read(tmp_path / "t.npz").image_schema
    names = ("0", "1", "2") if labels.ndim == 2 else ("a", "b", "c")
    assert (schema.labels, schema.attributes) == ("one", names)

    np.savez(tmp_path / "t.npz", images=images, labels=np.c_[own > 0, own > 1])
    assert read(tmp_path / "t.npz").image_schema.labels == "many"


def test_names_in_archives(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = io.BytesIO()
    picture().save(content, "PNG")
    names = [f"{kind}\\{i}.png" for kind in ("cat", "dog") for i in range(6)]
    with zipfile.ZipFile(tmp_path / "windows.zip", "w") as archive:
        for name in names:
            archive.writestr(name, content.getvalue())
    assert found(tmp_path / "windows.zip") == (10, 2, ("cat", "dog"))

    with tarfile.open(tmp_path / "absolute.tar", "w") as packed:
        for name in names:
            info = tarfile.TarInfo("/data/" + name.replace("\\", "/"))
            info.size = len(content.getvalue())
            packed.addfile(info, io.BytesIO(content.getvalue()))
    assert found(tmp_path / "absolute.tar") == (10, 2, ("cat", "dog"))

    with tarfile.open(tmp_path / "parts.tar", "w") as packed:
        for part, name in itertools.product(("train", "test"), names):
            info = tarfile.TarInfo(f"/{part}/" + name.replace("\\", "/"))
            info.size = len(content.getvalue())
            packed.addfile(info, io.BytesIO(content.getvalue()))
    assert found(tmp_path / "parts.tar") == (12, 12, ("cat", "dog"))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own, of a name twice
        with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
            for i in range(12):
                archive.writestr(f"{i % 10}.png", content.getvalue())
    read(tmp_path / "twice.zip")
    assert "2 files of the archive have another's name; the last of each" in caplog.text


def test_columns_beside_images_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = io.BytesIO()
    picture().save(content, "PNG")
    images = [content.getvalue()] * 9
    table = pa.table({"image": images, "label": [0, 1, 2] * 3, "mask": images, "text": ["x"] * 9})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").image_schema.attributes == ("0", "1", "2")
    assert "columns that are not read: mask, text" in caplog.text
