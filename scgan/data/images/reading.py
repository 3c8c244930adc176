"""A set of images from wherever it lies: decoded, brought to one size."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from scgan.config import suggest
from scgan.data.images.decoding import Encoded, Header, brightest, decode, headers
from scgan.data.images.schema import SIZES, ImageSchema
from scgan.data.images.sources import Images, Part, Source
from scgan.data.telling import listed, tell

Damaged = Literal["error", "skip"]

BITS = (8, 10, 12, 14, 16)  # that cameras and microscopes have, in files of 16
DARK, HALF = 16, 128


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
    images = [part.images for part in parts]
    looked = [*chain.from_iterable(map(_headers, images))]
    known = [header for header in looked if isinstance(header, Header)]
    _tell_frames(name, known)

    size, channels = _format(name, known, size, channels)
    white = _white(name, [*chain.from_iterable(images)], looked)
    train = _decoded(source.train, size, channels, white)
    test = None if source.test is None else _decoded(source.test, size, channels, white)
    pixels = [part.images for part in (train, test) if part is not None]
    _stretch(name, pixels, wide=any(header.wide for header in known))

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

    rest = [attribute for attribute in source.attributes if attribute not in wanted]
    if rest and source.labels == "one":
        tell(name, f"images of these classes are left out: {listed(rest)}")

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
    name: str, found: Sequence[Header], size: int | None, channels: int | None
) -> tuple[int, int]:
    """Size and channels; what was not asked for is the images' own."""
    # A default stands for images that can't be read, of which there is an error of its own.
    found = found or [Header(SIZES[0], 1)]
    if channels is None:
        channels = max(header.channels for header in found)

    if size is None:
        own = int(np.median([header.short_side for header in found]))
        if own < SIZES[0]:
            raise ValueError(
                f"{name}: the images are {own} pixels; enlarge them with --data.image_size "
                f"{SIZES[0]}"
            )

        size = SIZES[bisect.bisect_right(SIZES, own) - 1]

    return size, channels


def _headers(images: Images) -> Sequence[Header | str]:
    if isinstance(images, np.ndarray):
        return [Header(min(images.shape[1:3]), 3 if images.ndim == 4 else 1)] * len(images)
    return headers(images)


def _tell_frames(name: str, found: Sequence[Header]) -> None:
    several = [header.frames for header in found if header.frames > 1]
    if several:
        tell(
            name,
            f"{len(several)} of {len(found)} images have several frames, as many as {max(several)}:"
            " the first of each is read",
        )


def _white(name: str, images: Sequence[Any], looked: Sequence[Header | str]) -> int:
    """The value of white in images of more than 8 bits, by the bits that all of them use."""
    both = zip(images, looked, strict=True)
    peak = brightest([image for image, seen in both if isinstance(seen, Header) and seen.deep])
    bits = next((bits for bits in BITS if 0 < peak < 2**bits), max(BITS))
    if peak and bits != max(BITS):
        tell(name, f"images of 16 bits with no value above {peak}: read as {bits} bits")
    return int(2**bits - 1)


def _stretch(name: str, parts: Sequence[np.ndarray], *, wide: bool) -> None:
    """Bring masks of 0 and 1 to black and white, in place; say where all is almost black.

    Raises:
        ValueError: If all pixels are one, or colours of 16 bits use too few of them.
    """
    filled = [pixels for pixels in parts if pixels.size]
    peak = max((int(pixels.max()) for pixels in filled), default=0)
    if filled and wide and peak < HALF:
        raise ValueError(
            f"{name}: images of 16 bits a colour, none above {peak} of 255 in the upper 8 bits, "
            "which alone are read; convert them to 8 bits"
        )

    if filled and peak == min(int(pixels.min()) for pixels in filled):
        raise ValueError(f"{name}: all pixels of all images are {peak}; there is nothing to learn")

    if peak == 1:
        tell(name, "pixels are 0 and 1: read as black and white")
        for pixels in parts:
            pixels *= 255
    elif 0 < peak < DARK:
        tell(name, f"no pixel is above {peak} of 255: the images are almost black")


def _decoded(part: Part, size: int, channels: int, white: int) -> _Pixels:
    """The images that can be read, with their labels."""
    pixels, found = _pixels(part.images, size, channels, white)
    if not found:
        return _Pixels(pixels, part.labels, ())

    keep = np.ones(len(pixels), dtype=bool)
    keep[list(found)] = False
    labels = None if part.labels is None else part.labels[keep]
    bad = [f"{_name(part.images, place)} ({why})" for place, why in found.items()]
    return _Pixels(pixels[keep], labels, tuple(bad))


def _pixels(
    images: Images, size: int, channels: int, white: int
) -> tuple[np.ndarray, Mapping[int, str]]:
    if not isinstance(images, np.ndarray):
        return decode(images, size, channels, white)

    if images.shape[1:] == (size, size) and channels == 1:
        return images[:, None].copy(), {}

    if images.shape[1:] == (size, size, 3) and channels == 3:
        return images.transpose(0, 3, 1, 2).copy(order="C"), {}

    named = [Encoded(_name(images, place), array) for place, array in enumerate(images)]
    return decode(named, size, channels)


def _name(images: Images, place: int) -> str:
    return f"image {place + 1}" if isinstance(images, np.ndarray) else images[place].name


def _tell_damage(name: str, bad: Sequence[str], total: int, damaged: Damaged) -> None:
    if not bad:
        return

    what = f"{len(bad)} of {total:,} images can't be read"
    if damaged == "error":
        raise ValueError(f"{name}: {what}: {listed(bad)}; --data.damaged skip goes on without them")

    tell(name, f"{what} and are left out: {listed(bad)}")
