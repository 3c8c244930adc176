"""Pictures of data, codes, samples and training: arrays in, matplotlib figures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scgan.figures.statistics import Rows, as_array, rank_correlation
from scgan.figures.style import (
    PALETTE,
    bins,
    colour_bar,
    contrasting,
    densities,
    dots,
    frame,
    image,
    loss_scale,
    panels,
    short,
    style,
    window_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_COLUMNS_MAX = 24  # panels of marginals, and names beside a matrix


@style()
def curves(stages: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw losses against samples seen, a panel a stage.

    Scales are logarithmic where losses differ by much; with negative ones, linear around zero.

    Args:
        stages: A stage's name to its curve: ``{"samples": ..., loss's name: value, ...}`` a point.

    Returns:
        The figure.

    Raises:
        ValueError: If no stage has a point.
    """
    drawn = {name: points for name, points in stages.items() if points}
    if not drawn:
        raise ValueError("no stage has a training curve: there is nothing to draw")

    figure, axes = panels(len(drawn), min(3, len(drawn)), (11 / min(3, len(drawn)), 3.4))
    for ax, (stage, points) in zip(axes, drawn.items(), strict=True):
        losses: dict[str, list[tuple[float, float]]] = {}  # some are not of every step
        values: list[float] = []
        for point in points:
            for name in [name for name in point if name != "samples"]:
                losses.setdefault(name, []).append((point["samples"], point[name]))
                values.append(point[name])

        for i, (name, taken) in enumerate(losses.items()):
            width = max(1.0, 2.4 - 0.3 * i)  # thinner ones on top: equal losses are all seen
            marker, label = "o" if len(taken) == 1 else "", name.replace("_", " ")
            ax.plot(*zip(*taken, strict=True), marker=marker, lw=width, label=label)

        loss_scale(ax, np.array(values))
        ax.set_title(stage, fontweight="bold")
        ax.set_xlabel("samples seen")
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
        ax.grid(axis="y", lw=0.4, color="#dddddd")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)

    return figure


@style()
def data_and_latents(
    samples: Mapping[str, Rows],
    reference: Rows,
    names: Sequence[str] = ("", ""),
    title: str = "data",
) -> Figure:
    """Draw samples beside the data they should look like: densities in a plane, equally scaled.

    Args:
        samples: Title to rows, ``[N, 2]``.
        reference: Real rows, ``[M, 2]``, drawn last; they set the window.
        names: Of the two columns.
        title: Of the last panel.

    Returns:
        The figure.

    Source: [SCGAN] Figure 3.
    """
    clouds = {name: as_array(rows) for name, rows in {**samples, title: reference}.items()}
    figure, axes = panels(len(clouds), len(clouds), (11.5 / max(4, len(clouds)), 2.6))
    densities(axes, clouds, window_of(clouds[title]), names)
    return figure


@style()
def density_rows(rows: Mapping[str, Mapping[str, Rows]]) -> Figure:
    """Draw densities in a plane, a row a data set, each row with a window and a scale of its own.

    Args:
        rows: Label of the row to title to points, ``[N, 2]``; the last of a row sets the window.

    Returns:
        The figure.

    Source: [SCGAN] Figure 3.
    """
    across = max(len(clouds) for clouds in rows.values())
    figure, axes = panels(len(rows) * across, across, (11.5 / max(4, across), 2.3))
    for number, (label, clouds) in enumerate(rows.items()):
        arrays = {title: as_array(points) for title, points in clouds.items()}
        window = window_of(list(arrays.values())[-1])
        line = axes[number * across : (number + 1) * across]
        densities(line, arrays, window, ("", label))
        for ax in line if number else ():
            ax.set_title("")

    return figure


@style()
def latent_space(
    codes: Rows,
    k: Rows,
    generated: Mapping[str, Rows],
    *,
    title: str = "codes of data",
    num_points: int = 20_000,
) -> Figure:
    """Draw the codes' first two principal components: clusters, then each latent model.

    Args:
        codes: Codes of real rows, ``[N, d]``; their axes are used for all panels.
        k: Their clusters, ``[N]``.
        generated: Title to codes, ``[M, d]``.
        title: Of the last panel, the density of ``codes``.
        num_points: Most points drawn in colours.

    Returns:
        The figure.

    Source: [SCGAN] Figure 2.
    """
    real, project = principal_plane(codes)
    clouds = {**{name: project(rows) for name, rows in generated.items()}, title: real}

    num, window = len(clouds) + 1, window_of(real)
    names = ("first component", "second component")
    figure, (ax, *others) = panels(num, num, (11.5 / max(4, num), 2.6))

    cluster, points = np.asarray(k), real[:num_points]
    colours = np.array(PALETTE)[contrasting(real, cluster)]
    size = float(np.clip(4e4 / len(points), 0.6, 8))
    dots(ax, points, colours[cluster[:num_points]], size)
    ax.set(title=f"{len(np.unique(cluster))} clusters", xlabel=names[0], ylabel=names[1])
    frame(ax, window)

    densities(others, clouds, window, names)
    others[0].set_ylabel("")
    return figure


def principal_plane(rows: Rows) -> tuple[np.ndarray, Callable[[Rows], np.ndarray]]:
    """Project rows to their first two principal components.

    Args:
        rows: ``[N, d]``; one dimension gets a second that is zero.

    Returns:
        The projection, ``[N, 2]``, and the function that projects other rows the same way.
    """
    values = as_array(rows)
    mean = values.mean(0)
    _, axes = np.linalg.eigh(np.atleast_2d(np.cov(values.T)))
    plane = axes[:, ::-1][:, :2]
    plane = plane * np.where(plane.sum(0) < 0, -1.0, 1.0)  # the sign is arbitrary: one rule for all

    def project(others: Rows) -> np.ndarray:
        flat = (as_array(others) - mean) @ plane
        return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))

    return project(values), project


@style()
def correlations(real: Mapping[str, Rows], generated: Mapping[str, Rows]) -> Figure:
    """Draw the rank correlations (Spearman) of the columns: real, generated and their difference.

    Args:
        real: Column's name to values, ``[N]``.
        generated: The same names to values, ``[M]``.

    Returns:
        The figure.
    """
    in_order = {name: generated[name] for name in real}
    mine, other = rank_correlation(real), rank_correlation(in_order)
    largest = float(np.nanmax(np.abs(other - mine), initial=0.0))
    drawn = {
        "real": (mine, 1.0),
        "generated": (other, 1.0),
        f"generated − real, at most {largest:.2g}": (other - mine, max(0.05, largest)),
    }

    named = len(real) <= NUM_COLUMNS_MAX
    labels = [short(name, 18) for name in real] if named else []
    places = range(len(labels))
    letters: dict[str, Any] = {"fontsize": 7, "parse_math": False}
    figure, axes = panels(3, 3, (11.5 / 3, 4.1 if named else 3.2))

    for ax, (title, (table, limit)) in zip(axes, drawn.items(), strict=True):
        shown = ax.imshow(table, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(title)
        ax.spines[:].set_visible(False)
        ax.set_xticks(places, labels, rotation=90, **letters)
        ax.set_yticks(places, labels if ax is axes[0] else [], **letters)
        ax.tick_params(length=0)
        colour_bar(ax, shown, shrink=0.7, aspect=30, pad=0.02)

    return figure


@style()
def reconstructions(x: Rows, x_hat: Rows, names: Sequence[str] = ("", "")) -> Figure:
    """Draw rows, their reconstructions and where in the plane these go wrong.

    Args:
        x: Real rows, ``[N, 2]``.
        x_hat: Their reconstructions, ``[N, 2]``.
        names: Of the two columns.

    Returns:
        The figure.
    """
    from matplotlib.colors import LogNorm

    rows, again = as_array(x), as_array(x_hat)
    window = window_of(rows)
    figure, axes = panels(3, 3, (3.6, 3.0))
    densities(axes[:2], {"data": rows, "reconstructed": again}, window, names)

    edges = bins(window, len(rows) // 2)
    counts = np.histogramdd(rows, edges)[0]
    squares = np.histogramdd(rows, edges, weights=((again - rows) ** 2).sum(1))[0]
    distance = np.sqrt(squares / np.where(counts, counts, np.nan))

    largest = max(float(np.nanmax(distance, initial=0.0)), 1e-12)
    drawn = image(axes[2], distance, window, LogNorm(largest / 1e3, largest, clip=True))
    colour_bar(axes[2], drawn, shrink=0.8, label="distance (rms)")
    axes[2].set_title("error by place")
    axes[2].set_xlabel(short(names[0]), parse_math=False)
    return figure


@style()
def clusters(counts: Rows, columns: Mapping[str, Rows | Sequence[float]] | None = None) -> Figure:
    """Draw the clusters' sizes, largest first, and what else is known of each, against its size.

    Args:
        counts: Rows of each cluster, ``[K]``.
        columns: Name to a figure a cluster, ``[K]``; None for nothing else.

    Returns:
        The figure.
    """
    sizes = as_array(counts)
    columns = columns or {}
    num = 1 + len(columns)
    figure, axes = panels(num, num, (11 / max(num, 2), 2.6))

    edges = np.arange(len(sizes) + 1) + 0.5
    title = f"{len(sizes)} clusters, {int(sizes.min()):,} to {int(sizes.max()):,} rows"
    axes[0].stairs(np.sort(sizes)[::-1], edges, fill=True, color=PALETTE[0])
    axes[0].set(title=title, xlabel="clusters, the largest first", ylabel="rows")

    for ax, (name, values) in zip(axes[1:], columns.items(), strict=True):
        ax.scatter(sizes, as_array(values), s=14, alpha=0.7, lw=0, color=PALETTE[1])
        ax.set(title=name, xlabel="rows of the cluster")

    return figure
