"""Pictures of images: samples by attribute, traversals, embeddings, the sweep over n."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from scgan.figures.style import PALETTE, contrasting, dots, frame, panels, short, style, window_of
from scgan.metrics.images import tsne_coordinates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 11.5  # inches, of a figure
SIDE_MAX = 0.8  # inches, of an image
NUM_POINTS_MAX = 1000  # a side, of an embedding
GREY = "#d4d4d4"


@style()
def grid(images: Tensor, labels: Sequence[str], title: str = "") -> Figure:
    """Draw images in rows with names.

    Args:
        images: ``[R * C, channels, H, W]`` in [-1, 1], row by row.
        labels: Names of the R rows.
        title: Above them.

    Returns:
        The figure.

    Raises:
        ValueError: If the images don't fill R rows.
    """
    if not labels or not len(images) or len(images) % len(labels):
        raise ValueError(
            f"{len(images)} images don't fill {len(labels)} rows: give as many for each row"
        )

    rows = images.unflatten(0, (len(labels), -1))
    figure, (ax,) = panels(1, 1, _size(rows, WIDTH, labels))
    _show(ax, rows, labels, title=title)
    return figure


@style()
def by_attribute(fake: Mapping[str, Tensor], real: Mapping[str, Tensor]) -> Figure:
    """Draw generated images beside real ones, a row an attribute.

    Args:
        fake: Attribute's name to generated images, ``[C, channels, H, W]`` in [-1, 1].
        real: The same names to real images, ``[C', channels, H, W]``; a row with fewer than the
            others ends early.

    Returns:
        The figure.

    Raises:
        ValueError: If the names differ.
    """
    if set(fake) != set(real) or not fake:
        raise ValueError(
            "need real and generated images of the same attributes, "
            f"got {sorted(real)}, {sorted(fake)}"
        )

    names, generated = list(fake), _rows(list(fake.values()))
    figure, (left, right) = panels(2, 2, _size(generated, WIDTH / 2, names))
    _show(left, _rows([real[name] for name in names]), names, title="real")
    _show(right, generated, [], title="generated")
    return figure


@style()
def traversals(
    strips: Sequence[Tensor], values: Sequence[float], labels: Sequence[Sequence[str]] = ()
) -> Figure:
    """Draw what each dimension of each layer's subspace does, a panel a layer.

    Args:
        strips: Of each layer, the coarsest first, ``[D, T, channels, H, W]`` in [-1, 1]: one image,
            its layer's dimensions moved one at a time; the most important dimension first.
        values: Coefficients, ``[T]``.
        labels: Of each layer, what each dimension changes; none for numbers alone.

    Returns:
        The figure.

    Source: [EIGENGAN] Fig. 4; [INFOSCC-GAN] Figs. 6 and 7.
    """
    across = min(len(strips), 3 if strips[0].shape[-1] <= 32 else 2)  # larger images are to be seen
    size = _size(strips[0], WIDTH / across, list(itertools.chain.from_iterable(labels)))
    figure, axes = panels(len(strips), across, size)
    for i, (ax, rows) in enumerate(zip(axes, strips, strict=True)):
        ends = {0: ", coarsest", len(strips) - 1: ", finest"} if len(strips) > 1 else {}
        names = [str(number + 1) for number in range(len(rows))]
        if labels:
            names = [f"{text}  {name}" for name, text in zip(names, labels[i], strict=True)]
        _show(ax, rows, names, values, title=f"layer {i + 1}{ends.get(i, '')}")
        ax.set_ylabel("dimension, by importance" if i % across == 0 else "")
        ax.set_xlabel("coefficient" if i >= len(strips) - across else "")

    return figure


@style()
def nearest(samples: Tensor, training: Tensor) -> Figure:
    """Draw samples, each beside the training images nearest to it.

    Args:
        samples: ``[R, channels, H, W]`` in [-1, 1].
        training: ``[R, k, channels, H, W]`` likewise, nearest first.

    Returns:
        The figure, the samples in the left panel.
    """
    size = _size(training, WIDTH * 0.5)
    figure, (left, right) = panels(2, 2, size)
    _show(left, samples[:, None], [], title="samples")
    _show(right, training, [], title="nearest training images")
    return figure


@style()
def attribute_traversal(images: Tensor, names: Sequence[str], values: Sequence[float]) -> Figure:
    """Draw images as each attribute goes from absent to present, a row an attribute.

    Args:
        images: ``[A, T, channels, H, W]`` in [-1, 1].
        names: Of the attributes.
        values: Of the attribute, ``[T]``, in [0, 1].

    Returns:
        The figure.

    Source: [INFOSCC-GAN] Sec. 4.4.
    """
    figure, (ax,) = panels(1, 1, _size(images, WIDTH, names))
    _show(ax, images, names, values)
    ax.set_xlabel("attribute")
    return figure


@style()
def tsne(
    real: Tensor,
    real_y: Tensor,
    fake: Tensor | None,
    fake_y: Tensor | None,
    names: Sequence[str],
    seed: int,
) -> Figure:
    """Draw features in one joint 2-D t-SNE: real ones, then generated ones on the same plane.

    Args:
        real: Features of real images, ``[N, F]``; 1,000 at random are drawn.
        real_y: Their attributes, ``[N]``.
        fake: Features of generated images, ``[M, F]``, likewise; None where there are none.
        fake_y: Their attributes, ``[M]``; None where none were asked for.
        names: Of the attributes.
        seed: Of the points and of the embedding.

    Returns:
        The figure.

    Source: [INFOSCC-GAN] Figs. 2 to 4.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = [_some(real, real_y, generator)]
    if fake is not None:
        parts.append(_some(fake, fake_y, generator))

    coordinates = tsne_coordinates(torch.cat([rows for rows, _ in parts]), 2, seed).numpy()
    planes = np.split(coordinates, [len(parts[0][0])])[: len(parts)]
    colours = np.array(PALETTE)[contrasting(planes[0], parts[0][1])]
    titles = ["real (in grey: generated)", "generated (in grey: real)"]
    titles = ["real"] if fake is None else titles

    figure, axes = panels(len(parts), len(parts), (WIDTH / 2, WIDTH / 2))
    for i, (ax, (_, y)) in enumerate(zip(axes, parts, strict=True)):
        if len(parts) > 1:
            dots(ax, planes[1 - i], GREY, 7)

        tints = PALETTE[1] if y is None else colours[np.minimum(y, len(colours) - 1)]
        dots(ax, planes[i], tints, 9)
        if y is not None and len(names) > 1:
            _name_groups(ax, planes[i], y, names)

        frame(ax, window_of(coordinates))
        ax.set(title=titles[i], xticks=[], yticks=[])

    return figure


def _rows(images: Sequence[Tensor]) -> Tensor:
    """Join rows of different lengths, ``[R, C, channels, H, W]``, white where there is no image."""
    longest = max(1, *(len(row) for row in images))
    rows = torch.ones(len(images), longest, *images[0].shape[1:])
    for joined, row in zip(rows, images, strict=True):
        joined[: len(row)] = row
    return rows


def _size(rows: Tensor, width: float, names: Sequence[str] = ()) -> tuple[float, float]:
    """Inches of a panel ``width`` across and as high as its rows of images and its labels need."""
    num_rows, num_columns = rows.shape[:2]
    room = max(0.9, 0.3 + 0.085 * max((len(short(name)) for name in names), default=0))
    side = min((width - room) / num_columns, SIDE_MAX)
    return num_columns * side + room, num_rows * side + 0.7


def _show(
    ax: Axes, rows: Tensor, names: Sequence[str], values: Sequence[float] = (), *, title: str = ""
) -> None:
    """Draw rows of images ``[R, C, channels, H, W]``, names beside and values below."""
    height, width = rows.shape[-2:]
    gap = max(1, height // 24)
    ax.imshow(mosaic(rows, gap), aspect="equal", interpolation="antialiased")
    ax.set_anchor("E")  # where there is room to spare, it is the names'

    ax.set_yticks([i * (height + gap) + (height - 1) / 2 for i in range(len(names))])
    ax.set_yticklabels([short(name) for name in names], parse_math=False)
    ax.set_xticks([i * (width + gap) + (width - 1) / 2 for i in range(len(values))])
    ax.set_xticklabels([f"{value:g}" for value in values])

    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)


def mosaic(rows: Tensor, gap: int) -> np.ndarray:
    """Tile images.

    Args:
        rows: ``[R, C, channels, H, W]`` in [-1, 1], 1 or 3 channels.
        gap: White pixels between images.

    Returns:
        ``[R (H + gap) - gap, C (W + gap) - gap, 3]`` in [0, 1].
    """
    colours = rows.detach().cpu().float().add(1).div(2).clamp(0, 1).expand(-1, -1, 3, -1, -1)
    padded = torch.nn.functional.pad(colours, (0, gap, 0, gap), value=1.0)  # [R, C, 3, H', W']
    tiled = padded.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    return tiled[: tiled.shape[0] - gap, : tiled.shape[1] - gap].numpy()


def _some(rows: Tensor, y: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Any]:
    index = torch.randperm(len(rows), generator=generator)[:NUM_POINTS_MAX]
    return rows.detach().cpu()[index], None if y is None else y.detach().cpu()[index].numpy()


def _name_groups(ax: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    """Write each attribute's name on the point amid its points."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    centred: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "fontweight": "bold",
        "parse_math": False,
    }

    for k in np.unique(labels):
        group = points[labels == k]
        middle = group[np.square(group - np.median(group, 0)).sum(1).argmin()]
        name = short(names[k], 16)
        ax.text(middle[0], middle[1], name, path_effects=halo, **centred)
