"""Readers: a folder a class, and CelebA's layout, to images and labels, not decoded yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from scgan.data.images.decoding import Encoded
from scgan.data.images.sources import Source, labelled

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
)
"""Of files that are taken for images, in any case."""

CELEBA_ATTRIBUTES, CELEBA_PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"

# The first that is there is the test part; another validation part is no part of the data.
TEST_NAMES = ("test", "testing", "val", "valid", "validation")
TRAIN_NAMES = ("train", "training")


def read_class_folders(folder: Path, files: Iterable[Path]) -> Source:
    """Read a folder a class, the layout of AFHQ; or images without classes.

    Args:
        folder: May have ``train`` and ``test`` (or ``val``) above the classes.
        files: The images in it, sorted.

    Returns:
        The source. A class is a first sub-folder; images in none are unlabelled.

    Raises:
        ValueError: If only some of the images are in a sub-folder, or the test part has a class of
            its own.
    """
    relative = [file.relative_to(folder).parts for file in files]
    tops = {parts[0].lower() if len(parts) > 1 else "" for parts in relative}
    train = next((name for name in TRAIN_NAMES if name in tops), None)
    if train is None or not tops <= {*TRAIN_NAMES, *TEST_NAMES}:
        return labelled(_named(folder, relative), _folder_classes(folder, relative))

    test = next((name for name in TEST_NAMES if name in tops), None)
    groups = {
        name: [parts for parts in relative if parts[0].lower() == name]
        for name in (train, test)
        if name
    }

    classes = {
        name: _folder_classes(folder, [parts[1:] for parts in group])
        for name, group in groups.items()
    }
    if test is None:
        return labelled(_named(folder, groups[train]), classes[train])

    try:
        return labelled(
            _named(folder, groups[train]),
            classes[train],
            _named(folder, groups[test]),
            classes[test],
        )
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def _named(folder: Path, relative: Sequence[tuple[str, ...]]) -> list[Encoded]:
    return [Encoded("/".join(parts), folder.joinpath(*parts)) for parts in relative]


def _folder_classes(folder: Path, relative: Sequence[tuple[str, ...]]) -> np.ndarray | None:
    outside = sum(len(parts) == 1 for parts in relative)
    if outside == len(relative):
        return None

    if outside:
        raise ValueError(
            f"{folder}: {outside} of {len(relative)} images are in no sub-folder; a sub-folder is a class, so give "
            "each of them one, or none"
        )

    return np.array([parts[0] for parts in relative])


def read_celeba(
    folder: Path, attributes: Path, partition: Path | None, files: Iterable[Path]
) -> Source:
    """Read images with a list of their attributes, each 1 or -1.

    Args:
        folder: Named in messages.
        attributes: How many images there are, the attributes' names, then a line an image.
        partition: Which part each is of: 0 training, 1 validation (left out), 2 test; None for no
            such list.
        files: The images; one that is listed and not among them counts as damaged.

    Returns:
        The source.

    Raises:
        ValueError: If a list can't be read, or none of its images is there.
    """
    names, listed, values = _attribute_list(attributes)
    places = {file.name: file for file in files}

    if not any(name in places for name in listed):
        raise ValueError(
            f"{folder}: none of the {len(listed)} images of {attributes.name} is there"
        )

    images = [Encoded(name, places.get(name, folder / name)) for name in listed]
    if partition is None:
        return labelled(images, values, names=names)

    part_of = _partition_list(partition)
    missing = next((name for name in listed if name not in part_of), None)
    if missing is not None:
        raise ValueError(f"{partition}: {missing} is in {attributes.name}, but not here")

    parts = np.array([part_of[name] for name in listed])
    rows = [np.flatnonzero(parts == part) for part in (0, 2)]
    (train, train_values), (test, test_values) = [
        ([images[i] for i in index], values[index]) for index in rows
    ]
    if not test:
        return labelled(train, train_values, names=names)

    return labelled(train, train_values, test, test_values, names)


def _attribute_list(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    lines = _lines(path)
    if len(lines) < 3 or not lines[0].strip().isdigit():
        raise ValueError(
            f"{path}: the first line must be the number of images, the second the attributes' names"
        )

    count, names = int(lines[0]), lines[1].split()
    rows = [line.split() for line in lines[2:] if line.strip()]

    if len(rows) != count:
        raise ValueError(
            f"{path}: {count} images are announced, {len(rows)} are listed; the list is cut short"
        )

    for number, row in enumerate(rows, start=3):
        if len(row) != len(names) + 1 or not set(row[1:]) <= {"1", "-1"}:
            raise ValueError(f"{path}: line {number} is not a name and {len(names)} times 1 or -1")

    values = np.array([row[1:] for row in rows], dtype="U2") == "1"
    return names, [row[0] for row in rows], values.astype(np.uint8)


def _partition_list(path: Path) -> dict[str, int]:
    rows = [line.split() for line in _lines(path) if line.strip()]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or row[1] not in {"0", "1", "2"}:
            raise ValueError(f"{path}: line {number} is not a name and 0, 1 or 2")
    return {name: int(part) for name, part in rows}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: can't be read as text; it is damaged or another format"
        ) from None
