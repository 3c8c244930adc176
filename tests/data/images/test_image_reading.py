"""Sets of images in every layout, made here: found, decoded, split; and what can't be used."""

import gzip
import json
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from scgan.data.dataset import DataConfig, Dataset
from scgan.data.images.reading import decode_images
from scgan.data.images.sources import read_digits
from scgan.data.loading import load

Layout = Callable[[Path], Path]


def colours(num: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """Images of one colour each, so that a JPEG keeps them: [N, size, size, 3]."""
    of_one = np.random.default_rng(seed).integers(0, 256, (num, 1, 1, 3), dtype=np.uint8)
    return of_one.repeat(size, 1).repeat(size, 2)


def noise(num: int, size: int = 28) -> np.ndarray:
    return np.random.default_rng(num).integers(0, 256, (num, size, size), dtype=np.uint8)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def images_of(source: Path | str, **settings: Any) -> Dataset:
    return load(DataConfig(source=str(source), **settings), 0)


def refused(source: Path | str, **settings: Any) -> str:
    with pytest.raises(ValueError) as caught:
        images_of(source, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def whole(data: Dataset) -> tuple[np.ndarray, list[Any]]:
    """Both parts together, in an order that no split changes: the user's images, labels."""
    schema = data.image_schema
    shape = (
        (-1, schema.size, schema.size, 3)
        if schema.channels == 3
        else (-1, schema.size, schema.size)
    )
    x = torch.cat([data.train, data.test])
    images = (x.permute(0, 2, 3, 1) if schema.channels == 3 else x).numpy().reshape(shape)
    order = np.lexsort(images.reshape(len(images), -1)[:, :3].T)
    if data.train_labels is None or data.test_labels is None:
        return images[order], []
    return images[order], np.concatenate([data.train_labels, data.test_labels])[order].tolist()


def same(data: Dataset, images: np.ndarray, labels: list[Any]) -> None:
    order = np.lexsort(images.reshape(len(images), -1)[:, :3].T)
    found, found_labels = whole(data)
    assert np.array_equal(found, images[order])
    assert found_labels == ([labels[i] for i in order] if labels else [])


# A folder a class


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "JPG"])
def test_a_folder_a_class(tmp_path: Path, suffix: str) -> None:
    images = colours(12)
    for i, image in enumerate(images):
        save(tmp_path / "pets" / ("cat", "dog", "wild")[i % 3] / f"{i}.{suffix}", image)
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "pets" / ".hidden").mkdir()
    save(tmp_path / "pets" / ".hidden" / "x.png", images[0])
    data = images_of(tmp_path / "pets")
    schema = data.image_schema
    assert (schema.channels, schema.size, schema.attributes, schema.labels) == (
        3,
        32,
        ("cat", "dog", "wild"),
        "one",
    )
    assert data.name == "pets" and data.kind == "images" and data.toy is None and data.dropped == 0
    assert (
        data.train.dtype == torch.uint8
        and data.train.shape == (10, 3, 32, 32)
        and data.test.shape == (2, 3, 32, 32)
    )
    assert data.train_labels is not None and data.train_labels.dtype == np.int64
    if suffix in {"png", "bmp"}:
        same(data, images, [i % 3 for i in range(12)])
    else:
        assert (
            np.abs(np.sort(whole(data)[0].mean((1, 2)), 0) - np.sort(images.mean((1, 2)), 0)).max()
            < 4
        )


@pytest.mark.parametrize(
    ("parts", "test"), [("train val", "val"), ("train test", "test"), ("Train val test", "test")]
)
def test_parts_above_the_classes(tmp_path: Path, parts: str, test: str) -> None:
    images = {part: colours(4, seed=i) for i, part in enumerate(parts.split())}
    for part, of_part in images.items():
        for i, image in enumerate(of_part):
            save(tmp_path / part / "cd"[i % 2] / "deeper" / f"{i}.png", image)
    data = images_of(tmp_path)
    assert sorted(data.train[:, :, 0, 0].tolist()) == sorted(
        images[parts.split()[0]][:, 0, 0].tolist()
    )
    assert sorted(data.test[:, :, 0, 0].tolist()) == sorted(images[test][:, 0, 0].tolist())
    assert data.image_schema.attributes == ("c", "d") and data.test_labels is not None
    assert sorted(data.test_labels.tolist()) == [0, 0, 1, 1]


def test_a_class_may_be_called_train_and_images_may_have_no_class(tmp_path: Path) -> None:
    for i, image in enumerate(colours(8)):
        save(tmp_path / "vehicles" / ("train", "car")[i % 2] / f"{i}.png", image)
        save(tmp_path / "flat" / f"{i}.png", image)
        save(tmp_path / "one" / "only" / f"{i}.png", image)
        save(tmp_path / "part" / "train" / f"{i}.png", image)
    assert images_of(tmp_path / "vehicles").image_schema.attributes == ("car", "train")
    for name in ("flat", "one", "part"):
        data = images_of(tmp_path / name)
        assert (
            data.image_schema.labels == "none"
            and data.train_labels is None
            and data.test_labels is None
        )
        same(data, colours(8), [])


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    for i, image in enumerate(colours(4)):
        save(tmp_path / "mixed" / ("a" if i else "") / f"{i}.png", image)
        save(tmp_path / "odd" / "train" / "ab"[i % 2] / f"{i}.png", image)
        save(tmp_path / "odd" / "test" / "ac"[i % 2] / f"{i}.png", image)
    assert "mixed: 1 of 4 images are in no sub-folder" in refused(tmp_path / "mixed")
    assert "class 'c' has no place among those of the training part" in refused(tmp_path / "odd")


# CelebA


def celeba(folder: Path, num: int = 10, partition: bool = True) -> tuple[np.ndarray, np.ndarray]:
    images = colours(num, 40)
    values = np.arange(num)[:, None] >> np.arange(3) & 1
    for i, image in enumerate(images):
        save(folder / "img_align_celeba" / f"{i + 1:06d}.png", image)
    rows = [
        f"{i + 1:06d}.png  {' '.join(str(2 * v - 1) for v in row)}" for i, row in enumerate(values)
    ]
    (folder / "list_attr_celeba.txt").write_text(
        "\n".join([str(num), "Bald Eyeglasses Smiling", *rows]) + "\n"
    )
    if partition:
        parts = [f"{i + 1:06d}.png {[0, 0, 0, 1, 2][i % 5]}" for i in range(num)]
        (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return images, values


def test_celeba(tmp_path: Path) -> None:
    images, values = celeba(tmp_path / "celeba")
    data = images_of(tmp_path / "celeba", image_size=28)
    assert (
        data.image_schema.attributes == ("Bald", "Eyeglasses", "Smiling")
        and data.image_schema.labels == "many"
    )
    train, test = [0, 1, 2, 5, 6, 7], [4, 9]
    assert data.train[:, :, 0, 0].tolist() == images[train, 0, 0].tolist() and data.train.shape[
        2:
    ] == (28, 28)
    assert data.test[:, :, 0, 0].tolist() == images[test, 0, 0].tolist()
    assert data.train_labels is not None and data.train_labels.dtype == np.uint8
    assert np.array_equal(data.train_labels, values[train]) and np.array_equal(
        data.test_labels, values[test]
    )
    some = images_of(tmp_path / "celeba", image_size=28, attributes=("Smiling", "Bald"))
    assert (
        some.image_schema.attributes == ("Smiling", "Bald") and some.fingerprint != data.fingerprint
    )
    assert np.array_equal(some.train_labels, values[train][:, [2, 0]])


def test_celeba_without_a_partition_is_split_at_random(tmp_path: Path) -> None:
    images, values = celeba(tmp_path, partition=False)
    data = images_of(tmp_path)
    assert len(data.train) == 8 and data.image_schema.size == 32
    same(data, images[:, :32, :32], values.tolist())


def test_celeba_lists_that_cannot_be_used(tmp_path: Path) -> None:
    celeba(tmp_path)
    attributes, partition = tmp_path / "list_attr_celeba.txt", tmp_path / "list_eval_partition.txt"
    right, parts = attributes.read_text(), partition.read_text()
    for wrong, message in {
        right[:-3]: "celeba.txt: line 12 is not a name and 3 times 1 or -1",
        "\n".join(
            right.split("\n")[:8]
        ): "10 images are announced, 6 are listed; the list is cut short",
        right.replace("  1 ", "  2 ", 1): "is not a name and 3 times 1 or -1",
        right.split("\n", 1)[1]: "the first line must be the number of images",
        right.replace("0000", "1111"): "none of the 10 images of list_attr_celeba.txt is there",
    }.items():
        attributes.write_text(wrong)
        assert message in refused(tmp_path)
    attributes.write_text(right)
    partition.write_text(parts.replace("000007.png 0\n", ""))
    assert (
        "list_eval_partition.txt: 000007.png is in list_attr_celeba.txt, but not here"
        in refused(tmp_path)
    )
    partition.write_text(parts.replace(" 2", " 3"))
    assert "line 5 is not a name and 0, 1 or 2" in refused(tmp_path)
    attributes.write_bytes(b"\xff\xfe\x00")
    assert "list_attr_celeba.txt: can't be read as text" in refused(tmp_path)


# .npz


@pytest.mark.parametrize(
    "names", ["x_train y_train x_test y_test", "train_images train_labels test_images test_labels"]
)
def test_npz_with_parts(tmp_path: Path, names: str) -> None:
    images, labels = noise(10), np.arange(10)[:, None] % 3 + 5
    np.savez(
        tmp_path / "set.npz",
        **dict(zip(names.split(), (images[:7], labels[:7], images[7:], labels[7:]), strict=True)),
    )
    data = images_of(tmp_path / "set.npz")
    assert np.array_equal(data.train[:, 0], images[:7]) and np.array_equal(
        data.test[:, 0], images[7:]
    )
    assert data.image_schema.attributes == ("5", "6", "7") and data.train_labels is not None
    assert (
        data.train_labels.tolist() == [0, 1, 2, 0, 1, 2, 0] and data.train_labels.dtype == np.int64
    )
    assert data.name == "set" and data.describe() == {
        "name": "set",
        "train_images": 7,
        "test_images": 3,
        "dropped_images": 0,
        "channels": 1,
        "size": 28,
        "attributes": ["5", "6", "7"],
        "labels": "one",
        "labelled": True,
        "fingerprint": data.fingerprint,
    }


def test_npz_in_other_layouts(tmp_path: Path) -> None:
    colour, grey = colours(10), noise(10, 32)
    planes = colour.transpose(0, 3, 1, 2)
    texts, many = np.array(["b", "a"] * 5), np.arange(20).reshape(10, 2) % 3 % 2
    for arrays, images, labels, names in (
        ({"images": colour, "labels": texts}, colour, [1, 0] * 5, ("a", "b")),
        (
            {"X": planes, "y": many, "attributes": np.array(["Big", "Red"])},
            colour,
            many.tolist(),
            ("Big", "Red"),
        ),
        (
            {"images": colour.astype(np.int64), "y": many[:, 0].astype(float)},
            colour,
            many[:, 0].tolist(),
            ("0", "1"),
        ),
        ({"grey": grey, "note": np.arange(3)}, grey, [], ()),
        ({"images": grey[..., None], "more": colour}, grey, [], ()),
        ({"images": grey, "y": np.zeros(10, int)}, grey, [], ()),
    ):
        np.savez(tmp_path / "set.npz", **arrays)
        data = images_of(tmp_path / "set.npz")
        same(data, images, labels)
        assert data.image_schema.attributes == names


def test_npz_that_cannot_be_used(tmp_path: Path) -> None:
    path, images = tmp_path / "set.npz", noise(10)
    for arrays, message in (
        ({"images": images / 255.0}, "images is float64; images must be uint8, 0 to 255"),
        ({"images": images.astype(int) + 1000}, "images is int64; images must be uint8"),
        (
            {"images": images[..., None].repeat(4, 3)},
            "images has shape [10, 28, 28, 4]; images need [N, H, W]",
        ),
        ({"images": images, "y": np.arange(9)}, "there are 10 images, but 9 labels"),
        (
            {"images": images, "y": np.linspace(0, 1, 10)},
            "labels are float64 [10]; they must be integers or texts",
        ),
        (
            {"images": images, "y": np.arange(20).reshape(10, 2)},
            "a column of 0 and 1 for each of ('0', '1') is needed",
        ),
        (
            {"x_train": images, "y_train": np.arange(10), "x_test": images},
            "one part is labelled, the other is not",
        ),
        (
            {
                "x_train": images,
                "y_train": np.arange(10) % 2,
                "x_test": images,
                "y_test": np.arange(10),
            },
            "class 2 has no",
        ),
        (
            {"images": images, "y": np.arange(10), "attributes": np.array(["a", "b"])},
            "class 2 has no place among those",
        ),
        ({"a": images, "b": images}, "which of a, b are the images? name them images or x_train"),
        ({"images": images[:1]}, "set: 1 images to train, 0 to test; each needs at least 2"),
        (
            {"images": noise(10, 20)},
            "the images are 20 pixels; enlarge them with --data.image_size 28",
        ),
    ):
        np.savez(path, **arrays)
        assert message in refused(path)
    path.write_bytes(path.read_bytes()[:500])
    assert "set.npz: can't be read as .npz, it is damaged" in refused(path)


def test_a_table_with_a_further_array_stays_a_table(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "t.npz",
        X=np.random.default_rng(0).random((20, 3)),
        y=np.arange(20),
        cube=np.zeros((2, 2, 2)),
    )
    assert images_of(tmp_path / "t.npz").kind == "table"


# IDX files


def idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("names", ["{}-idx{}-ubyte", "{}-idx{}-ubyte.gz", "{}.idx{}-ubyte"])
def test_idx_files(tmp_path: Path, names: str) -> None:
    images, labels = noise(9), (np.arange(9) % 4).astype(np.uint8)
    for part, rows in (("train", slice(0, 6)), ("t10k", slice(6, 9))):
        idx(tmp_path / names.format(f"{part}-images", 3), images[rows])
        idx(tmp_path / names.format(f"{part}-labels", 1), labels[rows])
    data = images_of(tmp_path)
    assert np.array_equal(data.train[:, 0], images[:6]) and np.array_equal(
        data.test[:, 0], images[6:]
    )
    assert data.train_labels is not None and data.train_labels.tolist() == [0, 1, 2, 3, 0, 1]
    assert np.array_equal(data.test_labels, [2, 3, 0]) and data.image_schema.attributes == (
        "0",
        "1",
        "2",
        "3",
    )


def test_idx_files_packed_beside_unpacked_or_without_labels(tmp_path: Path) -> None:
    images = noise(10)
    idx(tmp_path / "both" / "train-images-idx3-ubyte", images)
    idx(tmp_path / "both" / "train-images-idx3-ubyte.gz", noise(3))
    same(images_of(tmp_path / "both"), images, [])


def test_idx_files_that_cannot_be_used(tmp_path: Path) -> None:
    train = tmp_path / "train-images-idx3-ubyte"
    idx(train, noise(4))
    right = train.read_bytes()
    for wrong, message in {
        right[:-1]: "damaged or cut short: 3135 bytes for shape [4, 28, 28]",
        right[:9]: "damaged or cut short",
        b"": "not an IDX file of bytes in 3 dimensions; it begins with ''",
        b"\x00\x00\x0d\x03" + right[4:]: "it begins with '00000d03'",
        gzip.compress(right)[:-20]: "can't be unpacked, it is damaged or cut short",
    }.items():
        train.write_bytes(wrong)
        assert f"{train}: " in refused(tmp_path) and message in refused(tmp_path)
    train.write_bytes(right)
    idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(5, np.uint8))
    assert "there are 4 images, but 5 labels" in refused(tmp_path)
    idx(tmp_path / "other" / "train-images-idx3-ubyte", noise(4))
    assert f"IDX files in several folders (other, {tmp_path.name}); name one of them" in refused(
        tmp_path
    )
    train.rename(tmp_path / "t10k-images-idx3-ubyte")
    (tmp_path / "other" / "train-images-idx3-ubyte").unlink()
    assert "there is no train-images-idx3-ubyte beside" in refused(tmp_path)


# parquet


def cells(images: np.ndarray, folder: Path) -> list[bytes]:
    contents = []
    for image in images:
        save(folder / "scratch.png", image)
        contents.append((folder / "scratch.png").read_bytes())
    (folder / "scratch.png").unlink()
    return contents


def hugging_face(
    path: Path, images: np.ndarray, labels: list[int], names: list[str] | None = None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"bytes": content, "path": f"{i}.png"}
        for i, content in enumerate(cells(images, path.parent))
    ]
    table = pa.table({"image": rows, "label": labels})
    about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    parquet.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps(about)} if names else None), path
    )


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    images = colours(12)
    hugging_face(
        tmp_path / "data" / "train-00000-of-00002.parquet",
        images[:4],
        [0, 2, 1, 0],
        ["cat", "dog", "wild"],
    )
    hugging_face(
        tmp_path / "data" / "train-00001-of-00002.parquet",
        images[4:8],
        [2, 2, 2, 0],
        ["cat", "dog", "wild"],
    )
    hugging_face(
        tmp_path / "data" / "test-00000-of-00001.parquet",
        images[8:],
        [1, 2, 0, 1],
        ["cat", "dog", "wild"],
    )
    hugging_face(
        tmp_path / "data" / "validation-00000-of-00001.parquet",
        images[:1],
        [1],
        ["cat", "dog", "wild"],
    )
    data = images_of(tmp_path)
    assert np.array_equal(data.train.permute(0, 2, 3, 1), images[:8])
    assert np.array_equal(data.test.permute(0, 2, 3, 1), images[8:])
    assert data.image_schema.attributes == ("cat", "dog", "wild")
    assert np.array_equal(data.train_labels, [0, 2, 1, 0, 2, 2, 2, 0]) and np.array_equal(
        data.test_labels, [1, 2, 0, 1]
    )


def test_parquet_of_one_file(tmp_path: Path) -> None:
    images, path = colours(10), tmp_path / "faces.parquet"
    names, flags = ["b", "a"] * 5, np.arange(10) % 3 == 0
    table = {
        "id": range(10),
        "png": cells(images, tmp_path),
        "kind": names,
        "Bald": flags,
        "Smiling": ~flags,
    }
    pd.DataFrame(table).to_parquet(path)
    data = images_of(path)
    assert (
        data.image_schema.attributes == ("Bald", "Smiling") and data.image_schema.labels == "many"
    )
    same(data, images, np.stack([flags, ~flags], 1).astype(int).tolist())
    same(images_of(path, label="kind"), images, [1, 0] * 5)
    assert "there is no column 'kid'; did you mean 'kind'?" in refused(path, label="kid")
    pd.DataFrame(table | {"kind": [None, "a"] * 5}).to_parquet(path)
    assert "5 rows have no value in the label column 'kind'" in refused(path, label="kind")


def test_parquet_cells_without_an_image_are_damaged_ones(tmp_path: Path) -> None:
    contents: list[bytes | None] = [*cells(colours(4), tmp_path)]
    path = tmp_path / "faces.parquet"
    parquet.write_table(
        pa.table({"image": [*contents, None, b"x"], "label": [0, 1, 0, 1, 0, 1]}), path
    )
    assert (
        "2 of 6 images can't be read: faces.parquet row 5 (empty), faces.parquet row 6 (not an i"
        in refused(path)
    )
    same(images_of(path, damaged="skip", test_fraction=0.5), colours(4), [0, 1, 0, 1])


def test_a_parquet_table_stays_a_table(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(20), "b": range(20, 40)}).to_parquet(tmp_path / "t.parquet")
    assert images_of(tmp_path / "t.parquet").kind == images_of(tmp_path).kind == "table"
    save(tmp_path / "plot.png", colours(1)[0])
    assert images_of(tmp_path).kind == "table"


# What holds for all of them


def test_digits_need_no_file() -> None:
    data = images_of("digits")
    assert (data.name, data.train.shape, data.test.shape) == (
        "digits",
        (1438, 1, 28, 28),
        (359, 1, 28, 28),
    )
    assert data.image_schema.attributes == tuple("0123456789") and data.train_labels is not None
    assert np.bincount(data.train_labels).min() > 100
    assert images_of("digits", image_size=32, channels=3).train.shape == (1438, 3, 32, 32)
    grey = read_digits().train.images
    assert (
        isinstance(grey, np.ndarray)
        and grey.shape == (1797, 8, 8)
        and (grey.min(), grey.max()) == (0, 255)
    )
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(grey)[:, None].double(), 28, mode="bilinear"
    )
    found = decode_images("digits", read_digits(), 28, None, None, "error").train
    assert (torch.from_numpy(found) - wanted).abs().max() <= 1


def test_size_and_channels_are_the_images_own_or_those_asked_for(tmp_path: Path) -> None:
    for i, side in enumerate([70, 100, 100, 130, 300]):
        save(tmp_path / "grey" / f"{i}.png", noise(1, side)[0])
        save(tmp_path / "mixed" / f"{i}.png", noise(1, side)[0] if i else colours(1, side)[0])
    assert images_of(tmp_path / "grey", test_fraction=0.4).train.shape == (
        3,
        1,
        64,
        64,
    )  # the median is 100
    assert images_of(tmp_path / "mixed", test_fraction=0.4).train.shape == (3, 3, 64, 64)
    assert images_of(
        tmp_path / "mixed", image_size=128, channels=1, test_fraction=0.4
    ).train.shape == (3, 1, 128, 128)
    assert images_of(
        tmp_path / "grey", channels=3, image_size=28, test_fraction=0.4
    ).train.shape == (3, 3, 28, 28)


def test_classes_can_be_chosen(tmp_path: Path) -> None:
    images, labels = noise(30), np.arange(30) % 3
    np.savez(
        tmp_path / "set.npz",
        images=images,
        labels=labels,
        attributes=np.array(["cat", "dog", "wild"]),
    )
    data = images_of(tmp_path / "set.npz", attributes=("wild", "cat"))
    assert data.image_schema.attributes == ("wild", "cat") and data.dropped == 0
    same(data, images[labels != 1], [{2: 0, 0: 1}[k] for k in labels[labels != 1].tolist()])
    for i, image in enumerate(images):
        save(tmp_path / "set" / ("cat", "dog", "wild")[labels[i]] / f"{i}.png", image)
    same(images_of(tmp_path / "set", attributes=("wild", "cat")), *(whole(data)))
    assert "there is no attribute 'wlid'; did you mean 'wild'?" in refused(
        tmp_path / "set", attributes=("wlid",)
    )
    assert "--data.attributes names one more than once" in refused(
        tmp_path / "set", attributes=("cat", "cat")
    )
    assert "--data.attributes names none" in refused(tmp_path / "set", attributes=())
    np.savez(tmp_path / "bare.npz", images=images)
    assert "have no labels; leave --data.attributes out" in refused(
        tmp_path / "bare.npz", attributes=("cat",)
    )


def test_damaged_files_are_named_or_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = colours(20)
    for i, image in enumerate(images):
        save(tmp_path / "set" / "ab"[i % 2] / f"{i:02d}.png", image)
    cut = (tmp_path / "set" / "a" / "02.png").read_bytes()
    (tmp_path / "set" / "a" / "02.png").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "set" / "b" / "05.png").write_bytes(b"")
    (tmp_path / "set" / "b" / "07.png").write_text("not found")
    said = refused(tmp_path / "set")
    assert f"{tmp_path}/set: 3 of 20 images can't be read: a/02.png (" in said
    assert (
        "b/05.png (empty), b/07.png (not an image); --data.damaged skip goes on without them"
        in said
    )
    with caplog.at_level(logging.WARNING):
        data = images_of(tmp_path / "set", damaged="skip")
    kept = [i for i in range(20) if i not in (2, 5, 7)]
    same(data, images[kept], [i % 2 for i in kept])
    assert data.dropped == 3 and len(data.train) == 14
    (record,) = caplog.records
    assert "3 of 20 images can't be read and are left out: a/02.png (" in record.getMessage()
    for path in (tmp_path / "set").rglob("*.png"):
        path.write_bytes(b"")
    assert "20 of 20 images can't be read: a/00.png (empty)," in refused(tmp_path / "set")
    assert "(empty) and 15 more; --data" in refused(tmp_path / "set")
    assert "0 images to train, 0 to test" in refused(tmp_path / "set", damaged="skip")


def test_the_split_is_a_partition_fixed_by_the_seed_and_only_where_there_is_none(
    tmp_path: Path,
) -> None:
    images = noise(40)
    np.savez(tmp_path / "bare.npz", images=images, y=np.arange(40))
    first, again, other = (
        load(DataConfig(source=str(tmp_path / "bare.npz")), seed) for seed in (0, 0, 1)
    )
    same(first, images, list(range(40)))
    assert (
        len(first.test) == 8
        and torch.equal(first.test, again.test)
        and not torch.equal(first.test, other.test)
    )
    np.savez(tmp_path / "own.npz", x_train=images[:30], x_test=images[30:])
    own = [
        load(DataConfig(source=str(tmp_path / "own.npz"), test_fraction=f), seed)
        for f, seed in ((0.2, 0), (0.5, 1))
    ]
    assert own[0].fingerprint == own[1].fingerprint and np.array_equal(
        own[0].train[:, 0], images[:30]
    )


def test_the_fingerprint_is_of_the_content_alone(tmp_path: Path) -> None:
    images, labels = noise(20), np.arange(20) % 4

    def print_of(name: str = "a.npz", seed: int = 0, **arrays: Any) -> str:
        np.savez(tmp_path / name, **({"images": images, "y": labels} | arrays))
        return load(DataConfig(source=str(tmp_path / name)), seed).fingerprint

    changed = images.copy()
    changed[7, 3, 3] ^= 1
    assert print_of() == print_of("b.npz")
    for i, image in enumerate(images):
        save(tmp_path / "set" / str(labels[i]) / f"{i:02d}.png", image)
    prints = [
        print_of(),
        print_of(seed=1),
        print_of(images=changed),
        print_of(y=labels[::-1]),
        print_of(y=labels + 1),
        print_of(attributes=np.array(list("abcd"))),
        load(DataConfig(source=str(tmp_path / "a.npz"), test_fraction=0.3), 0).fingerprint,
        load(DataConfig(source=str(tmp_path / "a.npz"), channels=3), 0).fingerprint,
    ]
    assert len(set(prints)) == len(prints) and all(len(text) == 64 for text in prints)


def test_settings_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=noise(10))
    np.savez(tmp_path / "table.npz", X=np.random.default_rng(0).random((20, 2)))
    for name, value in {
        "image_size": 64,
        "channels": 1,
        "attributes": ("a",),
        "damaged": "skip",
    }.items():
        assert f"is a table: it has no --data.{name} to choose" in refused(
            tmp_path / "table.npz", **{name: value}
        )
        assert f"'ring' is a toy set: it has no --data.{name} to choose" in refused(
            "ring", **{name: value}
        )
    for name, value in {"columns": ("a",), "missing": "drop"}.items():
        assert f"is a set of images: it has no --data.{name} to" in refused(
            tmp_path / "images.npz", **{name: value}
        )
    assert "have no label column; leave --data.label out" in refused(
        tmp_path / "images.npz", label="y"
    )
    assert "'digits' is a set of images: it has no --data.label" in refused("digits", label="y")
    assert "unknown data 'digit'; did you mean 'digits'?" in refused("digit")


def test_a_schema_is_asked_for_by_kind() -> None:
    table, images = (
        load(DataConfig(source="ring", num_train=10, num_test=10), 0),
        images_of("digits"),
    )
    assert table.table_schema is table.schema and images.image_schema is images.schema
    with pytest.raises(ValueError, match="^ring holds a table, not images$"):
        _ = table.image_schema
    with pytest.raises(ValueError, match="^digits holds images, not a table$"):
        _ = images.table_schema
