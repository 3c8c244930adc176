"""Encoded images to one array of pixels, all of one size, decoded by threads."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

# Not all that Pillow can read: some of its readers start other programs.
FORMATS = (*("JPEG", "PNG", "WEBP", "AVIF", "BMP", "DIB", "GIF", "TIFF", "PPM", "JPEG2000", "TGA"),)
# Those that are told by how they begin: of the others any bytes may be one.
MARKED = tuple(name for name in FORMATS if name not in {"TGA", "DIB"})
GREY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"})
# A JPEG is decoded at no less than this times the size, which can't be told from all of it.
REDUCING_GAP = 3
CHUNK = 32

T = TypeVar("T")
R = TypeVar("R")


class Encoded(NamedTuple):
    """One image and what to call it."""

    name: str
    content: Path | bytes | np.ndarray  # a file, its bytes, or uint8, [H, W] or [H, W, 3]


class Header(NamedTuple):
    """What an image's file says of it."""

    short_side: int
    channels: int
    deep: bool = False  # more than 8 bits of grey
    wide: bool = False  # 16 bits a colour, of which 8 are read
    frames: int = 1


def headers(images: Sequence[Encoded]) -> list[Header | str]:
    """Look at each image's header, or say why it can't be read."""

    def look(image: Encoded) -> Header:
        with _opened(image.content) as opened:
            grey, deep = opened.mode in GREY, opened.mode.startswith("I")
            wide = not deep and any(";16" in str(tile[3]) for tile in getattr(opened, "tile", ()))
            frames = getattr(opened, "n_frames", 1)
            return Header(min(opened.size), 1 if grey else 3, deep, wide, frames)

    return _each(look, images)


def is_image(content: bytes) -> bool:
    """Whether bytes begin as an image does."""
    from PIL import Image

    try:
        with _pillow(), Image.open(io.BytesIO(content), formats=MARKED):
            return True
    except Exception:  # whatever bytes of another kind make a reader stumble over
        return False


def brightest(images: Sequence[Encoded]) -> int:
    """The highest value of images of more than 8 bits of grey; 0 if there is none."""

    def peak(image: Encoded) -> int:
        with _opened(image.content) as opened:
            return int(np.asarray(opened).max())

    return max((found for found in _each(peak, images) if isinstance(found, int)), default=0)


def decode(
    images: Sequence[Encoded], size: int, channels: int, white: int = 65535
) -> tuple[np.ndarray, dict[int, str]]:
    """Decode images to the middle square of each, all of one size.

    They are turned as their EXIF says, put over white where they are transparent, and resized
    (bilinear, antialiased).

    Args:
        images: N of them, of any size and mode.
        size: Side of the square that is left; the short side is resized to it.
        channels: 1 for grey, 3 for colour.
        white: The value of white in images of more than 8 bits.

    Returns:
        uint8, ``[N, C, size, size]``; and why, for each one that can't be read, by its place. There
        the array holds nothing of use.

    Raises:
        ValueError: If the array would not fit into this machine's memory.
    """
    shape = (len(images), channels, size, size)
    _check_memory(shape)
    pixels = np.empty(shape, dtype=np.uint8)

    def fill(place: int) -> None:
        with _opened(images[place].content) as opened:
            array = np.asarray(_fit(opened, size, "L" if channels == 1 else "RGB", white))
        pixels[place] = array[None] if channels == 1 else array.transpose(2, 0, 1)

    done = _each(fill, range(len(images)))
    return pixels, {place: why for place, why in enumerate(done) if why is not None}


def _each(look: Callable[[T], R], items: Sequence[T]) -> list[R | str]:
    """Call it on each, by threads; for damage, the reason instead."""

    def some(start: int) -> list[R | str]:
        return [_tried(look, item) for item in items[start : start + CHUNK]]

    # Pillow decodes without Python's lock.
    with _pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(chain.from_iterable(pool.map(some, range(0, len(items), CHUNK))))


def _tried(look: Callable[[T], R], item: T) -> R | str:
    try:
        return look(item)
    except FileNotFoundError:
        return "there is no such file"
    # Pillow's readers raise whatever a damaged file makes them stumble over.
    except Exception as error:
        reason = " ".join(str(error).split())
        if reason.startswith("cannot identify"):
            return "not an image"
        return reason[:100] or type(error).__name__


@contextlib.contextmanager
def _pillow() -> Iterator[None]:
    """Pillow, ready for threads."""
    from PIL import Image

    Image.init()
    # Small faults of a file pass, an image that could exhaust the memory does not.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _opened(content: Path | bytes | np.ndarray) -> Image:
    from PIL import Image

    if isinstance(content, np.ndarray):
        return Image.fromarray(content)

    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size == 0:
        raise ValueError("empty")

    file = io.BytesIO(content) if isinstance(content, bytes) else content
    return Image.open(file, formats=FORMATS)


def _fit(image: Image, size: int, mode: str, white: int) -> Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    image.draft(mode, (REDUCING_GAP * size,) * 2)
    ImageOps.exif_transpose(image, in_place=True)
    image = _eight_bits(image, white)
    if image.has_transparency_data:
        image = _on_white(image)

    image = image if image.mode == mode else image.convert(mode)
    if image.size == (size, size):
        return image

    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2

    return image.resize((size, size), Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _eight_bits(image: Image, white: int) -> Image:
    """Grey of 16 bits to 8, which Pillow would clip."""
    from PIL import Image as pillow

    if image.mode == "F":
        raise ValueError("its pixels are floats")

    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels have more than 16 bits")

    levels = np.minimum((values * 255 + white // 2) // white, 255)
    return pillow.fromarray(levels.astype(np.uint8))


def _on_white(image: Image) -> Image:
    from PIL import Image as pillow

    over = image.convert("RGBA")
    return pillow.alpha_composite(pillow.new("RGBA", over.size, "white"), over)


def _check_memory(shape: tuple[int, ...]) -> None:
    needed = float(np.prod(shape, dtype=float))
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise ValueError(
            f"{shape[0]:,} images of {shape[2]} pixels are {needed / 1e9:.0f} GB, more than this "
            f"machine's memory ({there / 1e9:.0f} GB); choose a smaller --data.image_size"
        )
