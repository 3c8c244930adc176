"""Samples over data in a pair of columns, drawn fast enough to follow a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scgan.data.images.writing import png as png_of_pixels
from scgan.data.tables.values import mask_of
from scgan.figures.marginals import marginals
from scgan.figures.style import PALETTE, png, short, style, window_of

if TYPE_CHECKING:
    from matplotlib.axis import Axis

GREY = "#bbbbbb"
SIZE, DPI = 5.2, 110  # inches, dots an inch
DOT = 2.6  # points across
SPREAD = 0.35  # of the distance between two words, that points of one lie on either side
NUM_WORDS = 12  # that are written beside an axis

Columns = Mapping[str, np.ndarray]
"""Columns of any kind, ``[N]`` each."""


class Picture:
    """Two columns of data, drawn once, on which samples are drawn again and again.

    Args:
        real: Held-out rows; no columns where there are none.
        across: The column from left to right.
        up: The column from bottom to top; the same again for the histograms of one.
    """

    def __init__(self, real: Columns, across: str, up: str) -> None:
        self.real, self.across, self.up = real, across, up
        self._drawn_for: list[list[str]] | None = None

    def png(self, samples: Columns) -> bytes:
        """Draw samples over the data, a PNG file."""
        if self.across == self.up:
            beside = (self.real or samples)[self.up]
            return png(marginals({self.up: beside}, {self.up: samples[self.up]}), DPI)

        names = (self.across, self.up)
        clouds = [self.real, samples] if self.real else [samples]
        words = [_words(name, clouds) for name in names]
        points = [_points(rows, names, words) for rows in clouds]

        with style():
            if self._drawn_for != words or not self.real:
                self._draw_below(points, words, [samples[name].dtype.kind for name in names])
            return self._draw_on_top(points[-1])

    def _draw_below(
        self, points: list[np.ndarray], words: list[list[str]], kinds: list[str]
    ) -> None:
        """Draw all but the samples, and keep its pixels."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(SIZE, SIZE), dpi=DPI)
        self._canvas: Any = FigureCanvasAgg(figure)
        self._axes: Any = figure.add_axes((0.15, 0.11, 0.82, 0.82))
        dots: dict[str, Any] = {"ls": "", "marker": "o", "mew": 0, "ms": DOT}

        # Data, then an empty line that the samples will be; the legend's dots are larger.
        if self.real:
            self._axes.plot(*points[0].T, c=GREY, label="data", **dots)
        (self._samples,) = self._axes.plot([], [], c=PALETTE[0], label="samples", **dots)
        self._samples.set_animated(True)
        if len(points[0]):
            window = window_of(points[0])
            self._axes.set(xlim=window[0], ylim=window[1])

        axes = zip((self._axes.xaxis, self._axes.yaxis), (self.across, self.up), strict=True)
        for place, (axis, name) in enumerate(axes):
            axis.set_label_text(short(name), parse_math=False)
            _ticks(axis, words[place], kinds[place])

        corner = (1.02, 0.99)
        self._axes.legend(loc="lower right", bbox_to_anchor=corner, ncols=2, markerscale=2.5)
        self._canvas.draw()
        self._below, self._drawn_for = self._canvas.copy_from_bbox(figure.bbox), words

    def _draw_on_top(self, points: np.ndarray) -> bytes:
        self._canvas.restore_region(self._below)
        self._samples.set_data(*points.T)
        self._axes.draw_artist(self._samples)
        pixels = np.asarray(self._canvas.buffer_rgba())[..., :3]
        return png_of_pixels(np.ascontiguousarray(pixels), compress_level=1)


def _ticks(axis: Axis, words: list[str], kind: str) -> None:
    """Words beside an axis of words, dates beside one of dates."""
    if kind == "M":
        axis.axis_date()
    elif words:
        shown = [short(word, 10) for word in words[:NUM_WORDS]]
        axis.set_ticks(range(len(shown)), shown)


def _points(rows: Columns, names: tuple[str, str], words: list[list[str]]) -> np.ndarray:
    """Points ``[M, 2]`` of the rows that have a value in both columns."""
    both = zip(names, words, strict=True)
    points = np.stack([_numbers(rows[name], known) for name, known in both], 1)
    return points[np.isfinite(points).all(1)]


def _words(name: str, clouds: Sequence[Columns]) -> list[str]:
    """The words of a column, in order; none for a column of numbers or times."""
    there = [rows[name][~mask_of(rows[name])] for rows in clouds]
    if there[0].dtype.kind in "iufbMm":
        return []
    return np.unique(np.concatenate([part.astype(str) for part in there])).tolist()


def _numbers(column: np.ndarray, words: list[str]) -> np.ndarray:
    """A column as numbers: words as their places, spread; times as days; NaN for gaps."""
    values = np.ma.getdata(column)
    if words:
        places = np.searchsorted(words, values.astype(str)).astype(float)
        numbers = places + np.random.default_rng(0).uniform(-SPREAD, SPREAD, len(places))
    elif values.dtype.kind in "Mm":
        seconds = values.astype(f"{values.dtype.kind}8[s]").astype(float)
        numbers = seconds / 86_400
    else:
        numbers = values.astype(float)

    return np.where(mask_of(column), np.nan, numbers)
