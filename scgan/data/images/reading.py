"""A set of images from wherever it lies: found by its layout, decoded, brought to one size."""

from __future__ import annotations

import bisect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from scgan.config import suggest
from scgan.data.images.decoding import Encoded, Header, decode, headers
from scgan.data.images.folders import (
    CELEBA_ATTRIBUTES,
    CELEBA_PARTITION,
    SUFFIXES,
    read_celeba,
    read_class_folders,
)
from scgan.data.images.parquet import has_images, read_image_parquet
from scgan.data.images.schema import SIZES, ImageSchema
from scgan.data.images.sources import IDX_NAME, Images, Part, Source, read_idx, read_npz

Damaged = Literal["error", "skip"]

NUM_NAMED = 5  # damaged images in a message

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Decoded images.

    Attributes:
        train: uint8, ``[N, C, H, W]``.
        train_labels: int64 ``[N]``, uint8 ``[N, A]`` or None, as the schema says.
        test: The source's own test part, or None.
        test_labels: Its labels.
        schema: What the images have in common.
        dropped: Damaged ones that were left out.
    """

    train: np.ndarray
    train_labels: np.ndarray | None
    test: np.ndarray | None
    test_labels: np.ndarray | None
    schema: ImageSchema
    dropped: int


def find_images(path: Path, label: str | None) -> Source | None:
    """Read the images at a path without decoding them.

    Args:
        path: .npz, .parquet, or a folder: of IDX files, of images with CelebA's list, of parquet
            files, a folder a class or plain images.
        label: Column of a parquet file with the classes.

    Returns:
        The source, or None where the path holds no images.

    Raises:
        ValueError: In one line, if they can't be read.
    """
    files = _files(path) if path.is_dir() else [path]
    parquet = [file for file in files if file.suffix == ".parquet" and file.is_file()]
    if parquet and has_images(parquet[0]):
        return read_image_parquet(parquet, label)

    if path.is_dir():
        source = _find_in_folder(path, files)
    else:
        source = read_npz(path) if path.suffix == ".npz" and path.is_file() else None

    if source is not None and label is not None:
        raise ValueError(
            f"{path}: images of this kind have no label column; leave --data.label out"
        )

    return source


def _files(folder: Path) -> list[Path]:
    """All files in a folder and below, but for hidden ones, and those that systems leave there."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [file for file in files if not _hidden(file.relative_to(folder))]


def _find_in_folder(folder: Path, files: Sequence[Path]) -> Source | None:
    if idx := [file for file in files if IDX_NAME.fullmatch(file.name)]:
        return read_idx(folder, idx)
    images = [file for file in files if file.suffix.lower() in SUFFIXES]
    lists = {file.name: file for file in files if file.suffix == ".txt"}
    if CELEBA_ATTRIBUTES in lists:
        return read_celeba(folder, lists[CELEBA_ATTRIBUTES], lists.get(CELEBA_PARTITION), images)
    tables = [file for file in files if file.suffix in {".parquet", ".csv"}]
    return read_class_folders(folder, images) if len(images) > len(tables) else None


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


@dataclass(frozen=True, eq=False)
class _Pixels:
    """A decoded part, as :class:`ImageSet` describes it; and why, for each image left out."""

    images: np.ndarray
    labels: np.ndarray | None
    bad: tuple[str, ...]


def decode_images(
    name: str,
    source: Source,
    size: int | None,
    channels: int | None,
    attributes: Sequence[str] | None,
    damaged: Damaged,
) -> ImageSet:
    """Decode a source.

    Args:
        name: What messages call it.
        source: The images.
        size: Side in pixels; None for their own (the median short side), or the nearest allowed
            below it.
        channels: 1 for grey, 3 for colour; None for their own, colour if any is.
        attributes: Names of those to take, in this order; images of other classes are left out.
            None for all.
        damaged: What to do with images that can't be read: ``"error"``, or ``"skip"`` to go on
            without them.

    Returns:
        The images.

    Raises:
        ValueError: In one line, for damaged images, unknown attributes, or images that are too
            small or too few.
    """
    source = source if attributes is None else _choose(name, source, tuple(attributes))
    parts = [source.train] if source.test is None else [source.train, source.test]
    size, channels = _format(name, [part.images for part in parts], size, channels)
    train = _decoded(source.train, size, channels)
    test = None if source.test is None else _decoded(source.test, size, channels)

    bad = train.bad if test is None else train.bad + test.bad
    _tell_damage(name, bad, sum(len(part.images) for part in parts), damaged)
    schema = ImageSchema(channels, size, source.attributes, source.labels)

    if test is None:
        return ImageSet(train.images, train.labels, None, None, schema, len(bad))
    return ImageSet(train.images, train.labels, test.images, test.labels, schema, len(bad))


def _choose(name: str, source: Source, wanted: tuple[str, ...]) -> Source:
    if source.labels == "none":
        raise ValueError(f"{name}: the images have no labels; leave --data.attributes out")

    for attribute in wanted:
        if attribute not in source.attributes:
            raise ValueError(
                f"{name}: there is no attribute {attribute!r}"
                f"{suggest(attribute, source.attributes)}"
            )

    if not wanted:
        raise ValueError(f"{name}: --data.attributes names none")
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"{name}: --data.attributes names one more than once")

    places = list(map(source.attributes.index, wanted))
    test = None if source.test is None else _chosen(source.test, places)
    return Source(_chosen(source.train, places), test, wanted, source.labels)


def _chosen(part: Part, places: Sequence[int]) -> Part:
    assert part.labels is not None
    if part.labels.ndim == 2:
        return Part(part.images, np.ascontiguousarray(part.labels[:, places]))
    rows = np.flatnonzero(np.isin(part.labels, places))
    order = np.argsort(places)
    labels = order[np.searchsorted(places, part.labels[rows], sorter=order)]
    return Part(_rows(part.images, rows), labels)


def _rows(images: Images, rows: np.ndarray) -> Images:
    return images[rows] if isinstance(images, np.ndarray) else [images[row] for row in rows]


def _format(
    name: str, parts: Sequence[Images], size: int | None, channels: int | None
) -> tuple[int, int]:
    """Size and channels; what was not asked for is the images' own."""
    if size is not None and channels is not None:
        return size, channels

    # A default stands for images that can't be read, of which there is an error of its own.
    found = [*chain(*map(_headers, parts))] or [Header(SIZES[0], 1)]
    sides, colours = zip(*found, strict=True)
    if channels is None:
        channels = max(colours)

    if size is None:
        own = int(np.median(sides))
        if own < SIZES[0]:
            raise ValueError(
                f"{name}: the images are {own} pixels; enlarge them with --data.image_size "
                f"{SIZES[0]}"
            )

        size = SIZES[bisect.bisect_right(SIZES, own) - 1]

    return size, channels


def _headers(images: Images) -> list[Header]:
    if isinstance(images, np.ndarray):
        return [Header(min(images.shape[1:3]), 3 if images.ndim == 4 else 1)] * len(images)
    return [header for header in headers(images) if isinstance(header, Header)]


def _decoded(part: Part, size: int, channels: int) -> _Pixels:
    """The images that can be read, with their labels."""
    pixels, found = _pixels(part.images, size, channels)
    if not found:
        return _Pixels(pixels, part.labels, ())

    keep = np.ones(len(pixels), dtype=bool)
    keep[list(found)] = False
    labels = None if part.labels is None else part.labels[keep]
    bad = [f"{_name(part.images, place)} ({why})" for place, why in found.items()]
    return _Pixels(pixels[keep], labels, tuple(bad))


def _pixels(images: Images, size: int, channels: int) -> tuple[np.ndarray, Mapping[int, str]]:
    if not isinstance(images, np.ndarray):
        return decode(images, size, channels)

    if images.shape[1:] == (size, size) and channels == 1:
        return images[:, None], {}

    if images.shape[1:] == (size, size, 3) and channels == 3:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), {}

    named = [Encoded(_name(images, place), array) for place, array in enumerate(images)]
    return decode(named, size, channels)


def _name(images: Images, place: int) -> str:
    return f"image {place + 1}" if isinstance(images, np.ndarray) else images[place].name


def _tell_damage(name: str, bad: Sequence[str], total: int, damaged: Damaged) -> None:
    if not bad:
        return

    more = f" and {len(bad) - NUM_NAMED} more" if len(bad) > NUM_NAMED else ""
    listed = f"{', '.join(bad[:NUM_NAMED])}{more}"

    if damaged == "error":
        raise ValueError(
            f"{name}: {len(bad)} of {total:,} images can't be read: {listed}; --data.damaged skip "
            "goes on without them"
        )

    _log.warning(
        "%s: %d of %d images can't be read and are left out: %s", name, len(bad), total, listed
    )
