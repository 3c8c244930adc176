"""Images in .npz, IDX and parquet files: read as they are, or refused in a line."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.data.images.conftest import colours, images_of, noise, refused, same, save

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
