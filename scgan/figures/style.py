"""What every picture is drawn with: one style, panels, densities in a plane, PNG files.

No window, no global state: figures are matplotlib's objects, and :func:`png` turns them into bytes.
Densities are drawn as shares of all rows on a logarithmic scale, so that panels with different
numbers of rows compare, and a single row where there should be none is seen.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), told apart by colour-blind readers, without the black and the yellow, pale
# on paper.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": "#444444",
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": f"cycler('color', {list(PALETTE)})",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "image.interpolation": "nearest",
}


def png(figure: Figure, dpi: int = 150) -> bytes:
    """Draw a figure.

    Args:
        figure: Any figure of :mod:`scgan.figures.tables`.
        dpi: Dots an inch.

    Returns:
        A PNG file.
    """
    buffer = io.BytesIO()
    with style(), warnings.catch_warnings():
        # A user's column names may be in a script that the font lacks: boxes are drawn for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": 4})
    return buffer.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """The one style, while a figure is made or drawn: around a block, or above a function."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def panels(num: int, across: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Make a figure of ``num`` panels, ``across`` a row, of ``size`` inches each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    down = -(-num // across)
    layout = ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.05)  # inches
    figure = Figure(figsize=(across * size[0], down * size[1]), layout=layout)
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(down, across, i + 1) for i in range(num)]


def densities(
    axes: Sequence[Axes], clouds: Mapping[str, np.ndarray], window: np.ndarray, names: Sequence[str]
) -> None:
    """Draw clouds of points as shares of rows a bin, one scale for all.

    Args:
        axes: One a cloud.
        clouds: Title to points, ``[N, 2]``.
        window: Low and high of each column, ``[2, 2]``; how much lies outside is said.
        names: Of the two columns.
    """
    from matplotlib.colors import LogNorm

    edges = bins(window, min(len(rows) for rows in clouds.values()))
    shares = {name: np.histogramdd(rows, edges)[0] / len(rows) for name, rows in clouds.items()}
    smallest = min(1 / len(rows) for rows in clouds.values())
    largest = max(2 * smallest, *(float(share.max()) for share in shares.values()))

    for ax, (name, share) in zip(axes, shares.items(), strict=True):
        image(ax, np.where(share > 0, share, np.nan), window, LogNorm(smallest, largest))
        ax.set_title(name)
        ax.set_xlabel(short(names[0]), parse_math=False)
        if (outside := 1 - share.sum()) > 5e-4:
            note(ax, f"{outside:.1%} outside")

    axes[0].set_ylabel(short(names[1]), parse_math=False)


def bins(window: np.ndarray, num_rows: int) -> list[np.ndarray]:
    """Edges of bins over the window, finer for more rows: few bins hold only one or two."""
    num = int(np.clip(np.sqrt(num_rows) / 2, 40, 160))
    return [np.linspace(low, high, num + 1) for low, high in window]


def image(ax: Axes, values: np.ndarray, window: np.ndarray, norm: Any) -> Any:
    """Draw values on a grid over the window, ``[bins, bins]``, first axis across; NaN is white."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    # Pale for few and dark for many; the palest is still seen on white.
    colours = ListedColormap(matplotlib.colormaps["magma_r"](np.linspace(0.14, 0.95, 256)))
    extent = tuple(window.ravel())
    drawn = ax.imshow(
        values.T, cmap=colours, norm=norm, origin="lower", extent=extent, aspect="auto"
    )
    frame(ax, window)
    return drawn


def frame(ax: Axes, window: np.ndarray) -> None:
    """Make a panel a square that shows the window."""
    ax.set_xlim(*window[0])
    ax.set_ylim(*window[1])
    ax.set_box_aspect(1)
    ax.spines[:].set_visible(True)
    ax.locator_params(nbins=4)
    ax.tick_params(length=2)


def dots(ax: Axes, points: np.ndarray, colours: Any, size: float) -> None:
    """Draw points ``[N, 2]``, in one colour or one each; vector formats hold them as pixels."""
    ax.scatter(points[:, 0], points[:, 1], s=size, lw=0, c=colours, rasterized=True)


def colour_bar(ax: Axes, drawn: Any, **options: Any) -> None:
    """Draw an image's scale beside its panel."""
    ax.figure.colorbar(drawn, ax=ax, **options).outline.set_visible(False)


def note(ax: Axes, text: str, *, top: bool = False) -> None:
    """Write a small remark in a panel's corner, at the right."""
    place, align = (0.99, "top") if top else (0.015, "bottom")
    paper = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0}

    kind: dict[str, Any] = {"fontsize": 7, "color": "#444444", "bbox": paper}
    ax.text(0.985, place, text, transform=ax.transAxes, ha="right", va=align, **kind)


def window_of(rows: np.ndarray) -> np.ndarray:
    """Where to look at points ``[N, 2]``: all but long tails, with a margin; ``[2, 2]``."""
    ends = np.stack([ends_of(column) for column in rows.T])
    spans = ends[:, 1] - ends[:, 0]
    if spans.max() < 3 * spans.min():  # of one scale: a square window, so that shapes are true
        spans = np.full(2, spans.max())
    return np.asarray(ends.mean(1)[:, None] + 0.58 * spans[:, None] * np.array([-1.0, 1.0]))


def ends_of(values: np.ndarray) -> np.ndarray:
    """Lowest and highest value, or the quantiles 0.1 % and 99.9 % where the tails are long."""
    whole, core = np.quantile(values, [0, 1]), np.quantile(values, [0.001, 0.999])
    # Long: three times as far as the rest.
    ends = core if whole[1] - whole[0] > 3 * (core[1] - core[0]) > 0 else whole
    if ends[0] == ends[1]:
        ends = ends + np.array([-0.5, 0.5]) * max(1.0, abs(ends[0]) * 1e-3)
    return np.asarray(ends)


def contrasting(rows: np.ndarray, k: np.ndarray) -> np.ndarray:
    """A colour's number for each cluster, such that equal colours are far apart."""
    num = int(k.max()) + 1
    if num > 4096:  # too many to tell apart, and the search is quadratic
        return np.arange(num) % len(PALETTE)

    counts = np.maximum(np.bincount(k, minlength=num), 1)
    centres = np.stack([np.bincount(k, column, num) / counts for column in rows.T], 1)
    nearest = np.full((num, len(PALETTE)), np.inf)  # distance to the nearest centre of each colour
    chosen = np.zeros(num, dtype=np.int64)

    for i in range(num):
        chosen[i] = nearest[i].argmax()
        distance = np.linalg.norm(centres - centres[i], axis=1)
        nearest[:, chosen[i]] = np.minimum(nearest[:, chosen[i]], distance)

    return chosen


def loss_scale(ax: Axes, values: np.ndarray) -> None:
    """Choose the axis for losses: logarithmic where they differ much, symlog with negative ones."""
    sizes = np.abs(values[values != 0])
    if not len(sizes) or sizes.max() < 20 * sizes.min():
        return
    if (values > 0).all():
        ax.set_yscale("log")
        ax.set_ylim(bottom=max(sizes.min() * 0.8, sizes.max() * 1e-7))
    else:
        ax.set_yscale("symlog", linthresh=max(sizes.max() * 1e-3, np.median(sizes) * 0.1))


def short(name: str, length: int = 28) -> str:
    """A column's name on one line of at most ``length`` characters."""
    flat = " ".join(name.split())
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"
