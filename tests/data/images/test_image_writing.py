"""Images written to files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scgan.data.dataset import DataConfig
from scgan.data.images import writing as image_export
from scgan.data.images.writing import Sampled, write_images
from scgan.data.loading import load

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
CLASSES = Sampled(IMAGES, np.arange(12) % 3, ("cat", "dog / wolf", "../wild"))


def test_classes_are_sub_folders_whatever_their_names(tmp_path: Path) -> None:
    write_images(tmp_path / "out", CLASSES)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".._wild",
        "cat",
        "dog _ wolf",
    ]
    for place, image in enumerate(IMAGES):
        folder = ("cat", "dog _ wolf", ".._wild")[place % 3]
        assert np.array_equal(Image.open(tmp_path / "out" / folder / f"{place + 1:06d}.png"), image)


def test_unlabelled_images_come_back_from_an_archive_and_a_folder(tmp_path: Path) -> None:
    for name in ("out", "out.npz", "out.tar", "out.zip"):
        write_images(tmp_path / name, Sampled(IMAGES, None, ()))
        data = load(DataConfig(source=str(tmp_path / name)), 0)
        assert data.image_schema.labels == "none" and len(data.train) + len(data.test) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("out", "out.npz", "out.tar", "out.zip"),
    ]


@pytest.mark.parametrize("suffix", [".npz", ".zip", ".tar"])
def test_classes_come_back_from_an_archive(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    names = CLASSES.attributes if suffix == ".npz" else ("cat", "dog", "wild")
    write_images(path, replace(CLASSES, attributes=names))
    data = load(DataConfig(source=str(path), test_fraction=0.5), 0)
    assert data.image_schema.attributes == names
    for part, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert labels is not None
        for image, label in zip(part[:, 0].numpy(), labels, strict=True):
            place = next(i for i, known in enumerate(IMAGES) if np.array_equal(known, image))
            assert place % 3 == label


@pytest.mark.parametrize("name", ["out", "out.npz", "out.png"])
def test_a_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    monkeypatch.setattr(image_export, "write_npz", full)
    with pytest.raises(ValueError, match=rf"{name}: can't be written: No space left on device"):
        write_images(tmp_path / name, CLASSES)
    assert not list(tmp_path.iterdir())


def test_a_grid_is_filled_row_by_row(tmp_path: Path) -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None].repeat(3, 1).repeat(4, 2)
    write_images(tmp_path / "grid.png", Sampled(images, None, ()))

    grid = np.array(Image.open(tmp_path / "grid.png"))
    assert grid.shape == (2 * 3 + 2, 3 * 4 + 2 * 2)
    for place in range(5):
        top, left = place // 3 * 5, place % 3 * 6
        assert (grid[top : top + 3, left : left + 4] == place).all()
    assert (grid[5:, 12:] == 255).all() and (grid[3:5] == 255).all()


def test_attributes_come_back_from_a_folder(tmp_path: Path) -> None:
    labels = np.random.default_rng(1).integers(0, 2, (12, 3), dtype=np.uint8)
    write_images(tmp_path / "out", Sampled(IMAGES, labels, ("Bald", "Wavy Hair", "Young")))
    data = load(DataConfig(source=str(tmp_path / "out"), test_fraction=0.5), 0)

    assert data.image_schema.attributes == ("Bald", "Wavy_Hair", "Young")
    for part, found in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert found is not None
        for image, row in zip(part[:, 0].numpy(), found, strict=True):
            (place,) = np.flatnonzero((IMAGES == image).all((1, 2)))
            assert np.array_equal(row, labels[place])


def test_degrees_are_not_taken_for_labels(tmp_path: Path) -> None:
    degrees = np.linspace(0, 1, 24, dtype=np.float32).reshape(12, 2)
    write_images(tmp_path / "out.npz", Sampled(IMAGES, degrees, ("a", "b")))
    with np.load(tmp_path / "out.npz") as archive:
        assert np.array_equal(archive["degrees"], degrees) and "y" not in archive
