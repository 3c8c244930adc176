"""Readers: a folder a class, and CelebA's layout, to images and labels, not decoded yet."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np

from scgan.data.images.decoding import Encoded
from scgan.data.images.sources import Source, labelled
from scgan.data.telling import listed, tell

SUFFIXES = frozenset(
    """.jpg .jpeg .jpe .jfif .jif .png .apng .webp .avif .bmp .dib .gif .tif .tiff
    .ppm .pgm .pbm .pnm .jp2 .j2k .jpf .jpx .mpo .tga""".split()
)
"""Of files that are taken for images, in any case."""

CELEBA_ATTRIBUTES, CELEBA_PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"

# The first that is there is the test part; another validation part is no part of the data.
TEST_NAMES = (
    *("test", "testing", "test_set", "testset"),
    *("val", "valid", "validation", "dev", "eval", "evaluation"),
)
TRAIN_NAMES = ("train", "training", "train_set", "trainset", "training_set")


File = Path | bytes
"""A file, or what is in one."""

Files = Mapping[PurePosixPath, File]


def read_class_folders(source: str, files: Files) -> Source:
    """Read a folder a class, the layout of AFHQ; or images without classes.

    Folders may have ``train`` and ``test`` (or ``val``) above the classes, and all may be in one
    more folder.

    Args:
        source: Named in messages.
        files: The images, by their names relative to the source.

    Returns:
        The source. A class is a first sub-folder; images in none are unlabelled.

    Raises:
        ValueError: If only some of the images are in a sub-folder, the test part has a class of its
            own, or training and test images are not told apart by the first folders.
    """
    depth = _wrappers(source, files)
    groups: dict[str, list[PurePosixPath]] = {}  # by the first sub-folder, "" without one
    for name in sorted(files):
        parts = name.parts[depth:]
        groups.setdefault(parts[0].lower() if len(parts) > 1 else "", []).append(name)

    train, test = _first(TRAIN_NAMES, groups), _first(TEST_NAMES, groups)
    odd = sorted(groups.keys() - {*TRAIN_NAMES, *TEST_NAMES})
    if train is None or (odd and test is None):
        _check_parts_below(source, groups, depth)
        every = list(chain.from_iterable(groups.values()))
        return labelled(*_with_classes(source, files, every, depth))

    if odd:
        raise ValueError(
            f"{source}: beside {train} and {test} there are images in {odd[0] or 'no folder'}; "
            "put them into one of the two, or name one folder"
        )

    training = _with_classes(source, files, groups[train], depth + 1)
    if test is None:
        return labelled(*training)

    held_out = _with_classes(source, files, groups[test], depth + 1)
    try:
        return labelled(*training, *held_out)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _wrappers(source: str, files: Files) -> int:
    """How many folders are around all images that are neither a part's nor a class's."""
    depth = 0
    while len({name.parts[depth] for name in files}) == 1:
        (folder,) = {name.parts[depth] for name in files}
        if folder.lower() in TRAIN_NAMES or min(len(name.parts) for name in files) < depth + 3:
            break
        depth += 1

    if depth:
        above = "/".join(next(iter(files)).parts[:depth])
        below = sorted({name.parts[depth] for name in files})
        tell(source, f"all images are in {above}: its folders are taken, {listed(below)}")
    return depth


def _check_parts_below(
    source: str, groups: Mapping[str, Sequence[PurePosixPath]], depth: int
) -> None:
    """Refuse folders of training and test images within those of the classes."""
    for names in groups.values():
        below = {name.parts[depth + 1].lower() for name in names if len(name.parts) > depth + 2}
        train, test = _first(TRAIN_NAMES, below), _first(TEST_NAMES, below)
        if train is not None and test is not None:
            where = "/".join(names[0].parts[: depth + 1])
            raise ValueError(
                f"{source}: {train} and {test} are folders in {where}, so test images would be "
                "trained on; put train and test above the classes, or name one folder"
            )


def _first(names: Iterable[str], known: Container[str]) -> str | None:
    return next((name for name in names if name in known), None)


def _with_classes(
    source: str, files: Files, names: Sequence[PurePosixPath], depth: int
) -> tuple[list[Encoded], np.ndarray | None]:
    """Images, and the class of each: the name of its folder, ``depth`` folders down."""
    images: list[Encoded] = []
    classes: list[str] = []
    for name in sorted(names):
        images.append(Encoded(str(name), files[name]))
        if len(name.parts) > depth + 1:
            classes.append(name.parts[depth])

    outside = len(images) - len(classes)
    if classes and outside:
        raise ValueError(
            f"{source}: {outside} of {len(images)} images are in no sub-folder; a sub-folder is a "
            "class, so give each of them one, or none"
        )

    return images, np.array(classes) if classes else None


def read_celeba(source: str, attributes: File, partition: File | None, files: Files) -> Source:
    """Read images with a list of their attributes, each 1 or -1.

    Args:
        source: Named in messages.
        attributes: How many images there are, the attributes' names, then a line an image.
        partition: Which part each is of: 0 training, 1 validation (left out), 2 test; None for no
            such list.
        files: The images; one that is listed and not among them counts as damaged.

    Returns:
        The source.

    Raises:
        ValueError: If a list can't be read, or none of its images is there.
    """
    names, listed_names, values = _attribute_list(source, attributes)
    places = {name.name: file for name, file in files.items()}

    if places.keys().isdisjoint(listed_names):
        raise ValueError(
            f"{source}: none of the {len(listed_names)} images of {CELEBA_ATTRIBUTES} is there"
        )

    images = [Encoded(name, places.get(name, Path(source, name))) for name in listed_names]
    if more := sorted(places.keys() - set(listed_names)):
        unlisted = f"{len(more)} images are not in {CELEBA_ATTRIBUTES}, and not read"
        tell(source, f"{unlisted}: {listed(more)}")

    if partition is None:
        return labelled(images, values, names=names)

    part_of = _partition_list(source, partition)
    rows: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for row, name in enumerate(listed_names):
        if name not in part_of:
            raise ValueError(
                f"{source}/{CELEBA_PARTITION}: {name} is in {CELEBA_ATTRIBUTES}, but not here"
            )
        rows[part_of[name]].append(row)

    train = [images[row] for row in rows[0]]
    test = [images[row] for row in rows[2]]
    if rows[1]:
        tell(source, f"{len(rows[1])} validation images are left out")

    if not test:
        return labelled(train, values[rows[0]], names=names)

    return labelled(train, values[rows[0]], test, values[rows[2]], names)


def _attribute_list(source: str, file: File) -> tuple[list[str], list[str], np.ndarray]:
    path = f"{source}/{CELEBA_ATTRIBUTES}"
    lines = _lines(path, file)
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


def _partition_list(source: str, file: File) -> dict[str, int]:
    path = f"{source}/{CELEBA_PARTITION}"
    parts: dict[str, int] = {}
    for number, line in enumerate(_lines(path, file), start=1):
        row = line.split()
        if len(row) != 2 or row[1] not in {"0", "1", "2"}:
            raise ValueError(f"{path}: line {number} is not a name and 0, 1 or 2")
        parts[row[0]] = int(row[1])

    return parts


def _lines(path: str, file: File) -> list[str]:
    """The lines of a text, empty ones left out."""
    content = file if isinstance(file, bytes) else file.read_bytes()
    try:
        return list(filter(str.strip, content.decode().splitlines()))
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: can't be read as text; it is damaged or another format"
        ) from None
