r"""What a synthetic image is painted from: forty attributes, each a layer of its own.

Layers lie on one another in the order of :data:`LAYERS`: background, body, face, what is worn, what
hides. A layer covers each pixel by a share and brings it so far towards its colour:

.. math:: x \leftarrow x + s \, c(u, v) \, (\text{colour} - x), \quad s = \text{strength}

Coordinates ``u`` (to the right) and ``v`` (down) are in [-1, 1]. An attribute changes no pixel
outside its box, and no layer asks for another's attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SIDE = 64  # pixels
EDGE = SIDE / 2  # pixels a unit of u: a border is one pixel wide

Box = tuple[float, float, float, float]
"""Left, right, top and bottom, in [-1, 1]."""

ALL: Box = (-1, 1, -1, 1)
BODY: Box = (-0.72, 0.72, -0.72, 0.72)


@dataclass(frozen=True)
class Place:
    """A box of n images, and where their bodies are in it.

    Attributes:
        u: To the right, ``[1, 1, w]``.
        v: Down, ``[1, h, 1]``.
        p: The same from the body's centre, ``[n, 1, w]``.
        q: ``[n, h, 1]``.
        radius: Half a body's width, ``[n, 1, 1]``.
        square: 1 where the body has corners, ``[n, 1, 1]``.
        phase: Random, in [0, 1), of patterns, ``[n, 1, 1]``.
    """

    u: np.ndarray
    v: np.ndarray
    p: np.ndarray
    q: np.ndarray
    radius: np.ndarray
    square: np.ndarray
    phase: np.ndarray

    def body(self, margin: float = 0.0) -> np.ndarray:
        """The body, smaller by a margin."""
        p, q, radius = np.abs(self.p), np.abs(self.q), self.radius - margin
        beyond = np.where(self.square > 0, np.maximum(p, q), np.hypot(p, q)) - radius
        return _inside(beyond)


Cover = Callable[[Place], np.ndarray]
"""The share of each pixel that is covered, ``[n, h, w]`` or what broadcasts to it, in [0, 1]."""


@dataclass(frozen=True)
class Layer:
    """An attribute.

    Attributes:
        name: As CelebA's are written.
        share: Of the images that have it.
        box: It changes nothing outside.
        colour: Red, green and blue, in [0, 1].
        cover: What it covers.
        graded: Whether it is there by degrees, not whole or not at all.
    """

    name: str
    share: float
    box: Box
    colour: tuple[float, float, float]
    cover: Cover
    graded: bool = False


def _inside(beyond: np.ndarray) -> np.ndarray:
    """The share of a pixel inside a shape, from the distance beyond its border."""
    return np.clip(0.5 - beyond * EDGE, 0, 1, dtype=np.float32)


def _everywhere(place: Place) -> np.ndarray:
    return np.ones((1, 1, 1), dtype=np.float32)


def _disc(u: float, v: float, radius: float) -> Cover:
    """A disc on the background."""
    return lambda place: _inside(np.hypot(place.u - u, place.v - v) - radius)


def _block(box: Box) -> Cover:
    """A rectangle on the background."""
    left, right, top, bottom = box

    def cover(place: Place) -> np.ndarray:
        across = np.abs(place.u - (left + right) / 2) - (right - left) / 2
        down = np.abs(place.v - (top + bottom) / 2) - (bottom - top) / 2
        return _inside(np.maximum(across, down))

    return cover


def _oval(p: float, q: float, wide: float, high: float, mirrored: bool = False) -> Cover:
    """An ellipse on the body, at its centre ``p, q``; mirrored, one on either side."""

    def cover(place: Place) -> np.ndarray:
        across = np.abs(place.p) - p if mirrored else place.p - p
        beyond = np.hypot(across / wide, (place.q - q) / high) - 1
        return _inside(beyond * min(wide, high))

    return cover


def _slab(p: float, q: float, wide: float, high: float, mirrored: bool = False) -> Cover:
    """A rectangle on the body, at its centre ``p, q``; mirrored, one on either side."""

    def cover(place: Place) -> np.ndarray:
        across = np.abs(place.p) - p if mirrored else place.p - p
        return _inside(np.maximum(np.abs(across) - wide, np.abs(place.q - q) - high))

    return cover


def _ring(p: float, q: float, radius: float, width: float) -> Cover:
    """Two rings on the body, one on either side."""

    def cover(place: Place) -> np.ndarray:
        beyond = np.hypot(np.abs(place.p) - p, place.q - q) - radius
        return _inside(np.abs(beyond) - width / 2)

    return cover


def _smile(place: Place) -> np.ndarray:
    beyond = np.abs(np.hypot(place.p, place.q - 0.02) - 0.26) - 0.035
    return _inside(np.maximum(beyond, 0.16 - place.q))


def _horns(place: Place) -> np.ndarray:
    across, down = np.abs(np.abs(place.p) - 0.3), place.q + 0.72
    return _inside(np.maximum(across - 0.4 * down, down - 0.34))


def _bow(place: Place) -> np.ndarray:
    p = np.abs(place.p)
    return _inside(np.maximum(np.abs(place.q - 0.5) - 0.05 - 0.4 * p, p - 0.24))


def _frame(place: Place) -> np.ndarray:
    return _inside(0.9 - np.maximum(np.abs(place.u), np.abs(place.v)))


def _clouds(place: Place) -> np.ndarray:
    high = np.hypot(place.u + 0.1, 2.4 * (place.v + 0.84)) - 0.26
    low = np.hypot(place.u - 0.12, 2.4 * (place.v + 0.78)) - 0.2
    return _inside(np.minimum(high, low))


def _lines(at: Callable[[Place], np.ndarray], period: float, share: float = 0.5) -> Cover:
    """Parallel lines across a coordinate, which cover a share of it."""

    def cover(place: Place) -> np.ndarray:
        beyond = np.abs((at(place) / period + place.phase) % 1 - 0.5) - share / 2
        return _inside(beyond * period)

    return cover


def _dots(at: Callable[[Place], tuple[np.ndarray, np.ndarray]], period: float) -> Cover:
    """A lattice of discs."""

    def cover(place: Place) -> np.ndarray:
        across, down = at(place)
        cells = [(x / period + place.phase) % 1 - 0.5 for x in (across, down)]
        return _inside((np.hypot(*cells) - 0.28) * period)

    return cover


def _checks(place: Place) -> np.ndarray:
    return np.floor(place.p / 0.22) % 2 != np.floor(place.q / 0.22) % 2


def _on_body(pattern: Cover, margin: float = 0.0) -> Cover:
    return lambda place: pattern(place) * place.body(margin)


def _outline(place: Place) -> np.ndarray:
    return place.body() - place.body(0.07)


def _shade(place: Place) -> np.ndarray:
    return np.clip(0.5 + place.p / (2 * place.radius), 0, 1)


BLACK, WHITE, GREY = (0.05, 0.05, 0.05), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)
RED, GREEN, BLUE = (0.9, 0.1, 0.1), (0.1, 0.75, 0.2), (0.15, 0.25, 0.9)
YELLOW, PINK, BROWN = (1.0, 0.85, 0.1), (1.0, 0.35, 0.55), (0.4, 0.22, 0.08)

BACKGROUND: tuple[Layer, ...] = (
    Layer("Bright_Background", 0.5, ALL, WHITE, _everywhere, graded=True),
    Layer("Warm_Background", 0.5, ALL, (0.9, 0.5, 0.2), _everywhere, graded=True),
    Layer("Striped_Background", 0.25, ALL, GREY, _lines(lambda place: place.v, 0.25, 0.4)),
    Layer("Dotted_Background", 0.25, ALL, BLUE, _dots(lambda place: (place.u, place.v), 0.3)),
    Layer("Sun", 0.3, (0.46, 0.96, -0.96, -0.46), YELLOW, _disc(0.7, -0.7, 0.2)),
    Layer("Moon", 0.2, (-0.96, -0.46, -0.96, -0.46), WHITE, _disc(-0.7, -0.7, 0.2)),
    Layer("Clouds", 0.3, (-0.42, 0.4, -1, -0.62), (0.85, 0.9, 0.95), _clouds),
    Layer("Ground", 0.4, (-1, 1, 0.66, 1), GREEN, _block((-1.1, 1.1, 0.72, 1.1))),
)
COVERED: tuple[Layer, ...] = (
    Layer("Blue_Body", 0.3, BODY, BLUE, Place.body),
    Layer("Yellow_Body", 0.2, BODY, YELLOW, Place.body),
    Layer("Red_Body", 0.5, BODY, RED, Place.body, graded=True),
    Layer("Striped_Body", 0.25, BODY, BROWN, _on_body(_lines(lambda place: place.p, 0.2))),
    Layer(
        "Spotted_Body", 0.25, BODY, WHITE, _on_body(_dots(lambda place: (place.p, place.q), 0.2))
    ),
    Layer("Checkered_Body", 0.15, BODY, GREY, _on_body(_checks)),
    Layer("Shaded_Body", 0.5, BODY, BLACK, _on_body(_shade), graded=True),
    Layer("Outlined_Body", 0.4, BODY, BLACK, _outline),
)
FACE: tuple[Layer, ...] = (
    Layer("Eyes", 0.7, (-0.42, 0.42, -0.34, 0.1), BLACK, _oval(0.17, -0.12, 0.07, 0.09, True)),
    Layer("Eyebrows", 0.3, (-0.46, 0.46, -0.48, -0.14), BLACK, _slab(0.17, -0.3, 0.11, 0.03, True)),
    Layer(
        "Blushing", 0.5, (-0.5, 0.5, -0.12, 0.28), PINK, _oval(0.28, 0.08, 0.08, 0.06, True), True
    ),
    Layer("Big_Nose", 0.3, (-0.24, 0.24, -0.14, 0.22), BROWN, _oval(0, 0.04, 0.08, 0.1)),
    Layer("Smiling", 0.4, (-0.44, 0.44, 0.02, 0.46), BLACK, _smile),
    Layer("Mouth_Open", 0.3, (-0.28, 0.28, 0.08, 0.46), RED, _oval(0, 0.27, 0.12, 0.07)),
    Layer("Mustache", 0.25, (-0.34, 0.34, 0.02, 0.32), BROWN, _slab(0, 0.17, 0.2, 0.04)),
    Layer("Beard", 0.2, (-0.4, 0.4, 0.24, 0.66), BROWN, _oval(0, 0.44, 0.24, 0.1)),
    Layer("Birthmark", 0.2, (-0.4, -0.04, 0.06, 0.44), BLACK, _oval(-0.22, 0.25, 0.05, 0.05)),
)
WORN: tuple[Layer, ...] = (
    Layer(
        "Eyeglasses", 0.25, (-0.5, 0.5, -0.42, 0.2), (0.1, 0.5, 0.5), _ring(0.18, -0.12, 0.15, 0.06)
    ),
    Layer(
        "Wearing_Hat",
        0.25,
        (-0.62, 0.62, -0.92, -0.22),
        (0.5, 0.1, 0.5),
        _slab(0, -0.56, 0.42, 0.14),
    ),
    Layer("Horns", 0.2, (-0.64, 0.64, -0.92, -0.24), RED, _horns),
    Layer("Antenna", 0.2, (-0.2, 0.2, -1, -0.3), BLACK, _slab(0, -0.66, 0.04, 0.2)),
    Layer("Wearing_Bowtie", 0.25, (-0.44, 0.44, 0.2, 0.8), (0.6, 0.0, 0.3), _bow),
    Layer("Legs", 0.4, (-0.4, 0.4, 0.34, 1), BLACK, _slab(0.18, 0.68, 0.07, 0.16, True)),
    Layer("Arms", 0.4, (-0.98, 0.98, -0.1, 0.32), BLACK, _slab(0.64, 0.1, 0.14, 0.05, True)),
    Layer("Medal", 0.2, (-0.02, 0.42, 0.22, 0.66), YELLOW, _oval(0.2, 0.44, 0.08, 0.08)),
)
HIDING: tuple[Layer, ...] = (
    Layer("Framed", 0.25, ALL, BROWN, _frame),
    Layer("Bar_Across", 0.15, (-1, 1, -0.3, 0.06), GREY, _block((-1.1, 1.1, -0.24, 0.0))),
    Layer(
        "Hidden_Left", 0.15, (-1, -0.5, -1, 1), (0.3, 0.35, 0.3), _block((-1.1, -0.56, -1.1, 1.1))
    ),
    Layer("Hidden_Corner", 0.15, (0.34, 1, 0.34, 1), (0.7, 0.7, 0.2), _block((0.4, 1.1, 0.4, 1.1))),
    Layer("Hazy", 0.5, ALL, (0.75, 0.75, 0.75), _everywhere, graded=True),
)
LAYERS: tuple[Layer, ...] = (*BACKGROUND, *COVERED, *FACE, *WORN, *HIDING)
