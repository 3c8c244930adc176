"""A stand-in for CelebA that needs no file: 64 pixels, forty attributes, each known and drawn.

``python -m scgan.data.images.synthetic FOLDER`` writes such images in CelebA's layout; the bundled
set ``shapes`` is 8,000 to train on and 2,000 held out. Seven of the attributes are there by
degrees, so that a strength that is asked for can be compared with one that is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from scgan.data.images.folders import CELEBA_ATTRIBUTES, CELEBA_PARTITION
from scgan.data.images.scenes import BACKGROUND, BODY, LAYERS, SIDE, Box, Layer, Place
from scgan.data.images.sources import Source, labelled

NUM_TRAIN, NUM_TEST = 8_000, 2_000
OPACITY = 0.65  # of an attribute by degrees, at its strongest: what is below is still seen
CHUNK = 250  # images painted at once

SQUARE, LARGE = "Square_Body", "Large_Body"
NAMES: tuple[str, ...] = (SQUARE, LARGE, *(layer.name for layer in LAYERS))
"""The forty attributes."""

GRADED: tuple[str, ...] = (LARGE, *(layer.name for layer in LAYERS if layer.graded))
"""Those that are there by degrees, evenly from 0 to 1, and count as there from a half."""

BOXES: dict[str, Box] = {SQUARE: BODY, LARGE: BODY, **{layer.name: layer.box for layer in LAYERS}}
"""Where an attribute may change pixels."""

_SHARES = np.array([0.4, 0.5, *(layer.share for layer in LAYERS)])


@dataclass(frozen=True, eq=False)
class Scenes:
    """All of some images but their attributes.

    Attributes:
        background: Colours, ``[N, 3]`` in [0, 1].
        grey: Of the bodies, ``[N]`` in [0, 1].
        centre: Of the bodies, ``[N, 2]`` in [-1, 1].
        radius: Of a small one, ``[N]``.
        phase: Of patterns, ``[N]`` in [0, 1).
        grain: Noise, ``[N, S, S, 3]``, of colours in [0, 1].
    """

    background: np.ndarray
    grey: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    phase: np.ndarray
    grain: np.ndarray

    @classmethod
    def draw(cls, num: int, rng: np.random.Generator) -> Scenes:
        """Draw some at random."""
        return cls(
            rng.uniform(0.25, 0.55, (num, 3)),
            rng.uniform(0.3, 0.5, num),
            rng.uniform(-0.06, 0.06, (num, 2)),
            rng.uniform(0.4, 0.44, num),
            rng.random(num),
            0.01 * rng.standard_normal((num, SIDE, SIDE, 3), dtype=np.float32),
        )


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Images and what is on them.

    Attributes:
        images: uint8, ``[N, S, S, 3]``.
        y: Which attributes are there, uint8 ``[N, A]``, by :data:`NAMES`.
        strengths: How much of each, ``[N, A]`` in [0, 1]; 0 or 1 where it is not by degrees.
    """

    images: np.ndarray
    y: np.ndarray
    strengths: np.ndarray


def draw(num: int, seed: int) -> Synthetic:
    """Draw images whose attributes are independent of each other.

    Args:
        num: How many, at least 1; the first of more are the same.
        seed: At least 0; the same seed draws the same images.

    Returns:
        The images.
    """
    parts = []
    for start in range(0, num, CHUNK):
        rng = np.random.default_rng((seed, start))
        uniform = rng.random((CHUNK, len(NAMES)))
        there = uniform > 1 - _SHARES  # a half of those by degrees
        graded = np.isin(NAMES, GRADED)

        strengths = np.where(graded, uniform, there)
        images = paint(strengths, Scenes.draw(CHUNK, rng))
        parts.append((images, there.astype(np.uint8), strengths.astype(np.float32)))

    images, y, strengths = (np.concatenate(column)[:num] for column in zip(*parts, strict=True))
    return Synthetic(images, y, strengths)


def paint(strengths: np.ndarray, scenes: Scenes) -> np.ndarray:
    """Paint images, their attributes in layers on their scenes.

    Args:
        strengths: ``[N, A]`` in [0, 1].
        scenes: N of them.

    Returns:
        uint8, ``[N, S, S, 3]``.
    """
    strength = dict(zip(NAMES, strengths.astype(np.float32).T, strict=True))
    radius = scenes.radius + 0.16 * strength[LARGE]
    x = np.broadcast_to(scenes.background[:, None, None], scenes.grain.shape).astype(np.float32)

    def lay(layer: Layer) -> None:
        s = strength[layer.name] * (OPACITY if layer.graded else 1)
        rows = np.flatnonzero(s)
        if len(rows):
            place, part = _place(rows, layer.box, scenes, radius, strength[SQUARE])
            cover = layer.cover(place) * s[rows, None, None]
            below = x[rows, *part]
            x[rows, *part] = below + cover[..., None] * (np.array(layer.colour, np.float32) - below)

    for layer in BACKGROUND:
        lay(layer)

    place, part = _place(np.arange(len(x)), BODY, scenes, radius, strength[SQUARE])
    body = place.body()[..., None]
    x[:, *part] += body * (scenes.grey.astype(np.float32)[:, None, None, None] - x[:, *part])

    for layer in LAYERS[len(BACKGROUND) :]:
        lay(layer)

    return np.clip((x + scenes.grain) * 255 + 0.5, 0, 255).astype(np.uint8)


def pixels(box: Box) -> tuple[slice, slice]:
    """Rows and columns of an image that a box touches."""
    left, right, top, bottom = ((np.array(box) + 1) / 2 * SIDE).tolist()
    down, across = (
        slice(int(low), int(np.ceil(high))) for low, high in ((top, bottom), (left, right))
    )
    return down, across


def _place(
    rows: np.ndarray, box: Box, scenes: Scenes, radius: np.ndarray, square: np.ndarray
) -> tuple[Place, tuple[slice, slice]]:
    """A box of some images, and its pixels."""
    down, across = pixels(box)
    middle = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)
    u, v = middle[None, None, across], middle[None, down, None]
    x, y = scenes.centre[rows].astype(np.float32).T[:, :, None, None]

    of_rows = (
        array[rows, None, None].astype(np.float32) for array in (radius, square, scenes.phase)
    )
    return Place(u, v, u - x, v - y, *of_rows), (down, across)


def read_shapes() -> Source:
    """The bundled set."""
    train, test = draw(NUM_TRAIN, seed=0), draw(NUM_TEST, seed=1)
    return labelled(train.images, train.y, test.images, test.y, NAMES)


def write(folder: str | Path, num: int, seed: int) -> None:
    """Write images in CelebA's layout, and their strengths in ``strengths.npy``.

    Args:
        folder: Empty or not there. Of ten images, one is for validation and one held out.
        num: How many.
        seed: As :func:`draw` takes it.

    Raises:
        ValueError: If there is something in the folder.
    """
    from PIL import Image

    folder = Path(folder).expanduser()
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name another folder")

    drawn = draw(num, seed)
    (folder / "img_align_celeba").mkdir(parents=True, exist_ok=True)
    lists = [f"{num}\n{' '.join(NAMES)}\n", ""]

    for place, (image, row) in enumerate(zip(drawn.images, drawn.y, strict=True)):
        name = f"{place + 1:06d}.png"
        Image.fromarray(image).save(folder / "img_align_celeba" / name, compress_level=1)
        lists[0] += f"{name} {' '.join(np.where(row, '1', '-1'))}\n"
        lists[1] += f"{name} {max(0, place % 10 - 7)}\n"

    for name, text in zip((CELEBA_ATTRIBUTES, CELEBA_PARTITION), lists, strict=True):
        (folder / name).write_text(text)
    np.save(folder / "strengths.npy", drawn.strengths)


@click.command()
@click.argument("folder")
@click.option("--num", default=10_000, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def main(folder: str, num: int, seed: int) -> None:
    """Write NUM synthetic images and their attributes into FOLDER, in CelebA's layout."""
    write(folder, num, seed)
    click.echo(f"{num:,} images with {len(NAMES)} attributes in {folder}")


if __name__ == "__main__":
    main()
