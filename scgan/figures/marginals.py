"""The columns of a table one by one: histograms and bars, real rows against samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scgan.data.tables.values import mask_of, present
from scgan.figures.statistics import Rows, histogram_edges
from scgan.figures.style import PALETTE, ends_of, note, panels, short, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLUMNS_MAX = 24  # panels
NUM_CATEGORIES_MAX = 10  # bars of a panel
_DAY = 86_400e6  # microseconds


@style()
def marginals(real: Mapping[str, Rows], generated: Mapping[str, Rows]) -> Figure:
    """Draw every column's histogram, real against generated, in the user's units.

    Integers get a bin an integer where there are few, categories a bar each. Of columns with gaps
    the shares that are missing are said, and the rest is drawn. Where the tails are far, the range
    ends at the real 0.1 % and 99.9 % quantiles; where one bin would dwarf the others, the axis is
    logarithmic; both are said.

    Args:
        real: Column's name to values, ``[N]``; the first 24 are drawn.
        generated: The same names to values, ``[M]``.

    Returns:
        The figure.
    """
    names = list(real)[:NUM_COLUMNS_MAX]
    left_out = len(real) - len(names)
    across = min(4, len(names))
    figure, axes = panels(len(names), across, (11.5 / max(3, across), 2.1))

    for ax, name in zip(axes, names, strict=True):
        _column(ax, np.asanyarray(real[name]), np.asanyarray(generated[name]))
        ax.set_title(short(name), parse_math=False)

    said = f"the first {len(names)} of {len(real)} columns; {left_out} are left out"
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=2,
        title=said if left_out else None,
        title_fontsize=8,
    )
    return figure


def _column(ax: Axes, real: np.ndarray, generated: np.ndarray) -> None:
    """Draw a column of any kind, and say what is missing of it."""
    there, other = present(real), present(generated)
    if not len(there):
        notes = ["no real value"]
        ax.set_xticks([])
        ax.set_yticks([])
    elif there.dtype.kind == "U":
        notes = _bars(ax, there, other)
    else:
        notes = _histogram(ax, _drawable(there), _drawable(other))
        if there.dtype.kind == "M":
            _as_dates(ax)

    gaps = [float(mask_of(side).mean()) for side in (real, generated)]
    if any(gaps):
        notes.insert(0, f"missing: {gaps[0]:.1%}, generated {gaps[1]:.1%}")
    note(ax, ", ".join(notes), top=True)


def _drawable(values: np.ndarray) -> np.ndarray:
    """Points in time as days, spans as seconds, others as they are."""
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype(np.int64) / _DAY
    if values.dtype.kind == "m":
        return values.astype("timedelta64[us]").astype(np.int64) / 1e6
    return values


def _as_dates(ax: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=5)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _bars(ax: Axes, real: np.ndarray, generated: np.ndarray) -> list[str]:
    """Draw the shares of the commonest categories; what must be said of it."""
    known, counts = np.unique(real, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:NUM_CATEGORIES_MAX]
    names, shares = known[most].tolist(), counts[most] / len(real)
    others = [float((generated == name).sum() / max(1, len(generated))) for name in names]

    places = np.arange(len(names))
    edges = np.arange(len(names) + 1) - 0.5
    ax.bar(places, shares, 0.9, color="#9aa0a6", alpha=0.55, label="real")
    ax.stairs(others, edges, color=PALETTE[1], lw=1.3, label="generated")

    tilted = sum(map(len, names)) > 24
    ax.set_xticks(places, [short(name, 12) for name in names], fontsize=7, parse_math=False)
    ax.tick_params(axis="x", length=0, rotation=45 if tilted else 0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)

    left_out = len(known) - len(names)
    return [f"{left_out} more categories"] if left_out else []


def _histogram(ax: Axes, real: np.ndarray, generated: np.ndarray) -> list[str]:
    """Draw numbers; what must be said of it."""
    whole = real.dtype.kind in "iub"
    ends = ends_of(real.astype(np.float64))
    edges = histogram_edges(ends, whole, int(np.clip(3 * np.cbrt(len(real)), 15, 60)))
    height, other = (
        np.histogram(values.astype(np.float64), edges)[0] / max(1, len(values))
        for values in (real, generated)
    )
    ax.stairs(height, edges, fill=True, color="#9aa0a6", alpha=0.55, label="real")
    ax.stairs(other, edges, color=PALETTE[1], lw=1.3, label="generated")

    notes = ["0.1–99.9 % range"] if ends[0] > real.min() or ends[1] < real.max() else []
    filled = height[height > 0]
    if len(filled) > 2 and filled.max() > 50 * np.median(filled):
        ax.set_yscale("log")
        notes.append("log")

    ax.set_xlim(edges[0], edges[-1])
    ax.set_yticks([])
    ax.minorticks_off()
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    ax.ticklabel_format(axis="x", scilimits=(-3, 5), useMathText=True)
    return notes
