"""Pictures of a generator's modes: samples of each, their weights, their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from scgan.data.dataset import Dataset
from scgan.data.images.schema import to_float
from scgan.data.labels import read_labels
from scgan.figures import images
from scgan.figures.statistics import Rows, as_array
from scgan.figures.style import (
    PALETTE,
    colour_bar,
    contrasting,
    dots,
    frame,
    panels,
    short,
    style,
    window_of,
)
from scgan.figures.tables import principal_plane
from scgan.metrics.mode_matching import (
    comparable,
    divergences,
    prior_of,
    samples_of_modes,
    shares,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12  # modes and labels that a picture has room for
NUM_A_ROW = 10  # images of a mode
NUM_POINTS = 400  # rows of a mode
NUM_ROWS = 10_000  # held-out rows that are looked at


def draw_modes(model: Any, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
    """Draw the modes of a clustering that can be asked for samples of one cluster.

    Args:
        model: The trained system.
        data: Its data.
        seed: Of the samples.

    Yields:
        Each picture with its caption, whose first sentence is its title.
    """
    num, x = len(model.counts), data.test[:NUM_ROWS]
    k = model.assign(x).cpu()
    made = samples_of_modes(model, data, NUM_POINTS, seed)
    yield from _samples(data, x, k, made)

    generator = torch.Generator(model.device).manual_seed(seed)
    drawn = model.assign(model.sample(NUM_ROWS, generator))
    weights = {"weight in sampling": prior_of(model), "samples": shares(drawn, num)}
    caption = (
        "Weights of the modes. With which weight each is drawn, the share of samples that are "
        "found in it, and that of held-out data."
    )
    yield caption, mode_weights({**weights, "held-out": shares(k, num)})

    labels = read_labels(data)
    if labels is not None and 0 < len(labels.names) <= 4 * SHOWN:
        yield from _labels(data, labels.names, labels.test[:NUM_ROWS], x, k, made)


def _samples(
    data: Dataset, x: Tensor, k: Tensor, made: Sequence[Tensor]
) -> Iterator[tuple[str, Figure]]:
    left_out = f"; {len(made) - SHOWN} more are left out" if len(made) > SHOWN else ""
    if data.kind == "images":
        caption = f"Samples by mode. Held-out images that are found in it, and samples{left_out}."
        names = [f"mode {mode}" for mode in range(len(made))][:SHOWN]
        fake = {name: made[mode][:NUM_A_ROW] for mode, name in enumerate(names)}
        real = {name: to_float(x[k == mode][:NUM_A_ROW]) for mode, name in enumerate(names)}
        yield caption, images.by_attribute(fake, real)
        return

    rows, mode = torch.cat(list(made)), torch.arange(len(made)).repeat_interleave(NUM_POINTS)
    caption = (
        "Samples by mode. Held-out rows in the colour of the mode that they are found in, and "
        "samples in that of the mode they were drawn of; the first two principal components."
    )
    yield caption, clouds_by_mode({"held-out": (x, k), "samples": (rows, mode)})


def _labels(
    data: Dataset,
    names: Sequence[str],
    y: Tensor,
    x: Tensor,
    k: Tensor,
    made: Sequence[Tensor],
) -> Iterator[tuple[str, Figure]]:
    modes = [f"mode {mode}" for mode in range(len(made))]
    known = y >= 0
    counts = torch.zeros(len(names), len(made))
    counts.index_put_((y[known], k[known]), torch.ones(int(known.sum())), accumulate=True)
    caption = "Modes and labels. Share of each label's held-out rows that are found in each mode."
    of_label = counts / counts.sum(1, keepdim=True).clamp_min(1)
    yield caption, matrix(of_label, names, modes, label="share of the label")

    real = [comparable(data, x[y == label][:NUM_POINTS]) for label in range(len(names))]
    table = divergences([comparable(data, rows) for rows in made], real)
    caption = (
        "Divergence of modes and labels. Of each mode's samples from the held-out rows of each "
        "label, KL divergence by nearest neighbours: low where the mode is that label's."
    )
    yield caption, matrix(table, modes, names, label="nats")


@style()
def clouds_by_mode(clouds: Mapping[str, tuple[Rows, Rows]]) -> Figure:
    """Draw points in the plane of the first cloud's principal components, in their modes' colours.

    Args:
        clouds: Title to rows ``[N, D]`` and their modes ``[N]``.

    Returns:
        The figure.
    """
    (rows, k), *_ = clouds.values()
    plane, project = principal_plane(rows)
    colours = np.array(PALETTE)[contrasting(plane, np.asarray(k))]
    figure, axes = panels(len(clouds), len(clouds), (3.8, 3.4))

    for ax, (title, (points, modes)) in zip(axes, clouds.items(), strict=True):
        tints = colours[np.minimum(np.asarray(modes), len(colours) - 1)]
        dots(ax, project(points), tints, 3)
        frame(ax, window_of(plane))
        ax.set(title=title, xlabel="first component")
    axes[0].set_ylabel("second component")
    return figure


@style()
def mode_weights(weights: Mapping[str, Rows]) -> Figure:
    """Draw the modes' weights of several origins beside each other.

    Args:
        weights: Title to shares, ``[K]`` each.

    Returns:
        The figure.
    """
    from matplotlib.ticker import MaxNLocator

    num = len(as_array(next(iter(weights.values()))))
    figure, (ax,) = panels(1, 1, (min(11.5, 2.5 + 0.5 * num), 2.8))
    width = 0.8 / len(weights)
    for i, (title, values) in enumerate(weights.items()):
        places = np.arange(num) + (i - (len(weights) - 1) / 2) * width
        ax.bar(places, as_array(values), width, label=title, color=PALETTE[i])

    ax.set(xlabel="mode", ylabel="share")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper right", ncols=len(weights))
    return figure


@style()
def matrix(
    values: Rows, row_names: Sequence[str], column_names: Sequence[str], *, label: str
) -> Figure:
    """Draw a table of figures in colours, its numbers written in where there is room.

    Args:
        values: ``[R, C]``; NaN is left white.
        row_names: R of them.
        column_names: C of them.
        label: Of the colours.

    Returns:
        The figure.
    """
    table = as_array(values)
    size = (min(11.5, 2.2 + 0.5 * table.shape[1]), min(9.0, 1.2 + 0.36 * table.shape[0]))
    figure, (ax,) = panels(1, 1, size)
    drawn = ax.imshow(table, cmap="Blues", aspect="auto")
    letters: dict[str, Any] = {"fontsize": 7, "parse_math": False}

    ax.set_xticks(range(len(column_names)), map(short, column_names), rotation=90, **letters)
    ax.set_yticks(range(len(row_names)), map(short, row_names), **letters)
    ax.tick_params(length=0)
    colour_bar(ax, drawn, label=label)

    if table.size <= SHOWN**2:
        middle = (np.nanmax(table) + np.nanmin(table)) / 2
        for (row, column), value in np.ndenumerate(table):
            tint = "white" if value > middle else "black"
            text = "" if np.isnan(value) else f"{value:.2g}"
            ax.text(column, row, text, ha="center", va="center", fontsize=7, color=tint)
    return figure
