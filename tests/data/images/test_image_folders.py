"""Images in a folder a class or in CelebA's layout: read as they are, or refused in a line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.images.conftest import colours, images_of, refused, same, save, whole

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
    rows = [f"{i + 1:06d}.png  {' '.join(map(str, row))}" for i, row in enumerate(2 * values - 1)]
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
