"""Readers: a folder a class, and CelebA's layout, to images and labels, not decoded yet."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import chain
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
    groups: dict[str, list[Path]] = {}  # by the name of the first sub-folder, "" without one
    for file in files:
        parts = file.relative_to(folder).parts
        groups.setdefault(parts[0].lower() if len(parts) > 1 else "", []).append(file)

    train = _first(TRAIN_NAMES, groups)
    if train is None or not groups.keys() <= {*TRAIN_NAMES, *TEST_NAMES}:
        return labelled(*_with_classes(folder, [*chain(*groups.values())], depth=0))

    test = _first(TEST_NAMES, groups)
    training = _with_classes(folder, groups[train], depth=1)
    if test is None:
        return labelled(*training)

    held_out = _with_classes(folder, groups[test], depth=1)
    try:
        return labelled(*training, *held_out)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def _first(names: Iterable[str], known: Container[str]) -> str | None:
    return next((name for name in names if name in known), None)


def _with_classes(
    folder: Path, files: Sequence[Path], depth: int
) -> tuple[list[Encoded], np.ndarray | None]:
    """Images, and the class of each: the name of its folder, ``depth`` folders down."""
    images: list[Encoded] = []
    classes: list[str] = []
    for file in sorted(files):
        parts = file.relative_to(folder).parts
        images.append(Encoded("/".join(parts), file))
        if len(parts) > depth + 1:
            classes.append(parts[depth])

    outside = len(images) - len(classes)
    if classes and outside:
        raise ValueError(
            f"{folder}: {outside} of {len(images)} images are in no sub-folder; a sub-folder is a "
            "class, so give each of them one, or none"
        )

    return images, np.array(classes) if classes else None


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

    if places.keys().isdisjoint(listed):
        raise ValueError(
            f"{folder}: none of the {len(listed)} images of {attributes.name} is there"
        )

    images = [Encoded(name, places.get(name, folder / name)) for name in listed]
    if partition is None:
        return labelled(images, values, names=names)

    part_of = _partition_list(partition)
    rows: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for row, name in enumerate(listed):
        if name not in part_of:
            raise ValueError(f"{partition}: {name} is in {attributes.name}, but not here")
        rows[part_of[name]].append(row)

    train = [images[row] for row in rows[0]]
    test = [images[row] for row in rows[2]]
    if not test:
        return labelled(train, values[rows[0]], names=names)

    return labelled(train, values[rows[0]], test, values[rows[2]], names)


def _attribute_list(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    lines = _lines(path)
    if len(lines) < 3 or not lines[0].strip().isdigit():
        raise ValueError(
            f"{path}: the first line must be the number of images, the second the attributes' names"
        )

    count, names = int(lines[0]), lines[1].split()
    rows = [line.split() for line in lines[2:]]

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
    parts: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        row = line.split()
        if len(row) != 2 or row[1] not in {"0", "1", "2"}:
            raise ValueError(f"{path}: line {number} is not a name and 0, 1 or 2")
        parts[row[0]] = int(row[1])

    return parts


def _lines(path: Path) -> list[str]:
    """The lines of a text, empty ones left out."""
    try:
        return list(filter(str.strip, path.read_text(encoding="utf-8").splitlines()))
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: can't be read as text; it is damaged or another format"
        ) from None
