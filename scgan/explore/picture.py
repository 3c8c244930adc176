"""Samples over data in a pair of columns, drawn fast enough to follow a slider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scgan.data.tables.values import mask_of
from scgan.figures.marginals import marginals
from scgan.figures.style import PALETTE, dots, png, short, style, window_of

if TYPE_CHECKING:
    from matplotlib.axis import Axis

GREY = "#bbbbbb"
SIZE, DPI = 5.2, 110  # inches, dots an inch
SPREAD = 0.35  # of the distance between two words, that points of one lie on either side
NUM_WORDS = 12  # that are written beside an axis


def samples_over_data(
    samples: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], across: str, up: str
) -> bytes:
    """Draw samples over held-out rows.

    Args:
        samples: Columns of any kind, ``[N]`` each.
        real: The same columns, ``[M]`` each; none where there are no such rows.
        across: The column from left to right.
        up: The column from bottom to top; the same again draws the histograms of one.

    Returns:
        A PNG file.
    """
    if across == up:
        return png(marginals({up: (real or samples)[up]}, {up: samples[up]}), DPI)

    clouds = {"data": real, "samples": samples} if real else {"samples": samples}
    words = {name: _words([rows[name] for rows in clouds.values()]) for name in (across, up)}
    points = {
        title: np.stack([_numbers(rows[name], words[name]) for name in words], 1)
        for title, rows in clouds.items()
    }

    with style():
        return png(_scatter(points, {name: (words[name], samples[name]) for name in words}), DPI)


def _scatter(
    points: Mapping[str, np.ndarray], columns: Mapping[str, tuple[list[str], np.ndarray]]
) -> Any:
    """A figure of clouds ``[N, 2]``, axes by the words and the values of their columns."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE, SIZE))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0.15, 0.11, 0.82, 0.82))
    there = {title: rows[np.isfinite(rows).all(1)] for title, rows in points.items()}

    for (title, rows), colour in zip(there.items(), (GREY, PALETTE[0])[-len(there) :], strict=True):
        dots(ax, rows, colour, 6)
        ax.scatter([], [], s=30, c=colour, label=title)
    first = next(iter(there.values()))
    if len(first):
        window = window_of(first)
        ax.set(xlim=window[0], ylim=window[1])

    for axis, (name, (words, values)) in zip((ax.xaxis, ax.yaxis), columns.items(), strict=True):
        axis.set_label_text(short(name), parse_math=False)
        _ticks(axis, words, values)

    ax.legend(loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=2)
    return figure


def _ticks(axis: Axis, words: list[str], values: np.ndarray) -> None:
    """Words beside an axis of words, dates beside one of dates."""
    if values.dtype.kind == "M":
        axis.axis_date()
    elif words:
        axis.set_ticks(
            range(len(words[:NUM_WORDS])), [short(word, 10) for word in words[:NUM_WORDS]]
        )


def _words(columns: list[np.ndarray]) -> list[str]:
    """The words of a column, the most frequent first; none for a column of numbers or times."""
    there = [column[~mask_of(column)] for column in columns]
    if there[0].dtype.kind in "iufbMm":
        return []
    known, counts = np.unique(
        np.concatenate([part.astype(str) for part in there]), return_counts=True
    )
    return known[np.argsort(-counts, kind="stable")].tolist()


def _numbers(column: np.ndarray, words: list[str]) -> np.ndarray:
    """A column as numbers: words as their places, spread; times as days; NaN for gaps."""
    values = np.ma.getdata(column)
    if words:
        order = {word: place for place, word in enumerate(words)}
        places = np.array([order.get(word, 0) for word in values.astype(str)], dtype=float)
        numbers = places + np.random.default_rng(0).uniform(-SPREAD, SPREAD, len(places))
    elif values.dtype.kind in "Mm":
        unit = values.dtype.str[1]
        numbers = values.astype(f"{unit}8[s]").astype(float) / 86_400
    else:
        numbers = values.astype(float)

    return np.where(mask_of(column), np.nan, numbers)
