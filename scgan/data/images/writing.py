"""Generated images as files: an archive, a grid, or a folder that can be read again."""

from __future__ import annotations

import io
import math
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scgan.data.atomic import check_place, written_whole
from scgan.data.images.folders import CELEBA_ATTRIBUTES
from scgan.data.listing import walk
from scgan.data.tables.writing import write_npz

GRID_GAP = 2  # white pixels between the images of a grid
GRID_MAX = 10_000


@dataclass(frozen=True, eq=False)
class Sampled:
    """Generated images and the attributes that were asked for.

    Attributes:
        images: uint8, ``[N, H, W]`` (grey) or ``[N, H, W, 3]``.
        labels: int64 ``[N]``, a class each; uint8 ``[N, A]``, which attributes; float32 ``[N, A]``,
            how much of each; or None.
        attributes: Names of classes or attributes; empty without labels.
    """

    images: np.ndarray
    labels: np.ndarray | None
    attributes: tuple[str, ...]


def check_image_target(path: str | Path, num: int) -> None:
    """Refuse a place where images can't be written, before they are drawn.

    Args:
        path: A file of a suffix in :data:`WRITERS`, or a folder, which must be empty or not there.
        num: How many images are to be written.

    Raises:
        ValueError: In one line, with what is allowed or the reason.
    """
    path = Path(path).expanduser()
    if path.suffix not in WRITERS:
        raise ValueError(
            f"{path}: images can be written as .npz, .png (a grid), a folder, .zip or .tar, not as "
            f"{path.suffix!r}"
        )

    if path.suffix == ".png" and num > GRID_MAX:
        raise ValueError(
            f"{path}: a grid of {num:,} images is too large; draw at most {GRID_MAX:,}, or into a "
            "folder"
        )

    if path.suffix and path.is_dir():
        raise ValueError(f"{path}: can't be written: it is a folder")

    if not path.suffix and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path}: can't be written: it is there already, and is no empty folder")

    check_place(path)


def write_images(path: str | Path, sampled: Sampled) -> None:
    """Write images, all or none.

    Args:
        path: ``.npz``: ``images``, ``y`` (or ``degrees``) and ``attributes``. ``.png``: a grid, row
            by row. A folder: a .png each, in a sub-folder of its class, or beside CelebA's list of
            their attributes. ``.zip``, ``.tar``: such a folder, packed.
        sampled: N of them, at least 1.

    Raises:
        ValueError: In one line, if the place can't be written.
    """
    path = Path(path).expanduser()
    check_image_target(path, len(sampled.images))
    with written_whole(path) as partial:
        WRITERS[path.suffix](partial, sampled)


def _archive(path: Path, sampled: Sampled) -> None:
    arrays = {"images": sampled.images}
    if sampled.labels is not None:
        # Degrees are no labels: what reads the archive again would take them for such.
        name = "degrees" if sampled.labels.dtype == np.float32 else "y"
        arrays |= {name: sampled.labels, "attributes": np.array(sampled.attributes)}
    write_npz(path, arrays)


def _grid(path: Path, sampled: Sampled) -> None:
    path.write_bytes(png(tiled(sampled.images)))


def png(pixels: np.ndarray, *, compress_level: int = 6) -> bytes:
    """An image, uint8 ``[H, W]`` or ``[H, W, 3]``, as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=compress_level)
    return buffer.getvalue()


def tiled(images: np.ndarray) -> np.ndarray:
    """Images, uint8 ``[N, H, W]`` or ``[N, H, W, 3]``, row by row in one that is nearly square."""
    num, height, width = images.shape[:3]
    columns = math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    down, across = height + GRID_GAP, width + GRID_GAP
    canvas = np.full(
        (rows * down - GRID_GAP, columns * across - GRID_GAP, *images.shape[3:]), 255, np.uint8
    )

    for place, image in enumerate(images):
        top, left = place // columns * down, place % columns * across
        canvas[top : top + height, left : left + width] = image

    return canvas


def _folder(path: Path, sampled: Sampled) -> None:
    from PIL import Image

    folders = [re.sub(r"[^\w .+-]", "_", name) for name in sampled.attributes]
    rows: list[str] = []

    for place, image in enumerate(sampled.images):
        label = None if sampled.labels is None else sampled.labels[place]
        folder = path / folders[label] if isinstance(label, np.integer) else path
        file = folder / f"{place + 1:06d}.png"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)

        if isinstance(label, np.ndarray) and label.dtype == np.uint8:
            rows.append(" ".join([file.name, *np.where(label, "1", "-1")]))

    if rows:
        attributes = " ".join(re.sub(r"\s+", "_", name) for name in sampled.attributes)
        lines = "\n".join([str(len(rows)), attributes, *rows])
        (path / CELEBA_ATTRIBUTES).write_text(lines + "\n", encoding="utf-8")


def _zip(path: Path, sampled: Sampled) -> None:
    with zipfile.ZipFile(path, "w") as archive, _packed(sampled) as files:
        for name, file in files.items():
            archive.write(file, name)


def _tar(path: Path, sampled: Sampled) -> None:
    with tarfile.open(path, "w") as archive, _packed(sampled) as files:
        for name, file in files.items():
            archive.add(file, name)


@contextmanager
def _packed(sampled: Sampled) -> Iterator[dict[str, Path]]:
    """The files of such a folder by the names that they have in an archive."""
    with tempfile.TemporaryDirectory(prefix="scgan-images-") as name:
        folder = Path(name) / "samples"
        _folder(folder, sampled)
        yield {str(file.relative_to(folder)): file for file in walk(folder)}


WRITERS: dict[str, Callable[[Path, Sampled], None]] = {
    ".npz": _archive,
    ".png": _grid,
    "": _folder,
    ".zip": _zip,
    ".tar": _tar,
}
"""A writer for every suffix that is allowed; none is a folder."""
