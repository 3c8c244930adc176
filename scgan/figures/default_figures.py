"""What is drawn of a system if it doesn't say otherwise: samples beside held-out data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from scgan.capabilities import Model, Reconstructing
from scgan.data.dataset import Dataset
from scgan.data.images.schema import to_float
from scgan.data.labels import read_labels
from scgan.figures import images, tables
from scgan.figures.marginals import marginals
from scgan.metrics.default_scores import extractors_of
from scgan.metrics.image_scores import PIXELS
from scgan.metrics.images import features

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_ROWS = 40_000  # rows that are drawn beside as many held-out ones, at most
NUM_IMAGES = 1000  # images of each kind, at most
SHOWN = 36  # images of each kind that are shown
SUBSPACES = (
    "Subspaces. One panel a layer, one row a dimension, the most important first; its coefficient "
    "grows from left to right, all else fixed."
)


NUM_TRAINING, NUM_CLOSE, NUM_NEAREST = 5000, 6, 6  # searched; samples shown; images beside each


def nearest_training_images(model: Any, data: Dataset, fake: Tensor) -> tuple[str, Figure]:
    """Draw the samples that lie nearest to training images, beside these: copies would be seen.

    Args:
        model: The trained system, whose first network is what distances are of.
        data: Its data; the first 5,000 training images are searched.
        fake: Samples, ``[N, C, H, W]`` in [-1, 1].

    Returns:
        A caption, with the median distance of samples and of held-out images; and the picture.
    """
    extractor, training = [*extractors_of(model), PIXELS][0], data.train[:NUM_TRAINING]
    h = features(extractor, training)
    distances = torch.cdist(features(extractor, fake[:NUM_IMAGES]), h)  # [N, M]
    held_out = torch.cdist(features(extractor, data.test[:NUM_IMAGES]), h).min(1).values

    closest = distances.min(1).values
    rows = closest.argsort()[:NUM_CLOSE]
    places = distances[rows].argsort(1)[:, :NUM_NEAREST]
    found = to_float(training[places.flatten()]).unflatten(0, places.shape)
    caption = (
        f"Nearest training images. The samples of {len(distances):,} that lie nearest to any of "
        f"{len(h):,} training images, by the {extractor.name}: a sample is {closest.median():.3g} "
        f"from its nearest, a held-out image {held_out.median():.3g} (medians)."
    )
    return caption, images.nearest(fake[rows].cpu(), found)


def draw_table(model: Model, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
    """Draw samples of a model of a table beside held-out rows.

    Args:
        model: The trained system.
        data: Its data.
        seed: Of the samples.

    Yields:
        Each picture with its caption, whose first sentence is its title.
    """
    x = data.test[:NUM_ROWS]
    samples = model.sample(len(x), torch.Generator(model.device).manual_seed(seed)).cpu()
    x_hat = model.reconstruct(x).cpu() if isinstance(model, Reconstructing) else None
    yield from draw_samples(data, x, {"samples": samples}, "samples", x_hat)


def draw_samples(
    data: Dataset,
    x: Tensor,
    samples: Mapping[str, Tensor],
    main: str,
    x_hat: Tensor | None = None,
    title: str = "Samples",
) -> Iterator[tuple[str, Figure]]:
    """Draw rows of several origins beside real ones: as a line, a plane, or a table of columns.

    Args:
        data: Whose rows they are.
        x: Real rows, ``[N, D]``, standardised.
        samples: Name of the origin to rows, ``[M, D]``, likewise.
        main: The origin whose columns and correlations are drawn.
        x_hat: ``x`` decoded from its own codes; None where there is no such thing.
        title: Of the picture of all origins.

    Yields:
        Each picture with its caption.
    """
    if data.table_schema.dim == 1:
        yield from _line(data, x, samples, title)
    elif data.table_schema.dim == 2 and all(c.is_number for c in data.table_schema.modelled):
        yield from _plane(data, x, samples, x_hat, title)
    else:
        yield from _columns(data, x, samples, main, title)


def _line(
    data: Dataset, x: Tensor, samples: Mapping[str, Tensor], title: str
) -> Iterator[tuple[str, Figure]]:
    (real,) = _in_units(data, x).values()
    drawn = {name: next(iter(_in_units(data, rows).values())) for name, rows in samples.items()}
    caption = f"{title}. Each beside held-out data."
    yield caption, marginals(dict.fromkeys(drawn, real), drawn)


def _plane(
    data: Dataset, x: Tensor, samples: Mapping[str, Tensor], x_hat: Tensor | None, title: str
) -> Iterator[tuple[str, Figure]]:
    names = [column.name for column in data.table_schema.modelled]
    real = _points(data, x)
    clouds = {name: _points(data, rows) for name, rows in samples.items()}
    caption = (
        f"{title}. Share of rows in each bin, on a logarithmic scale that all panels share. The "
        "last panel is held-out data."
    )
    yield caption, tables.data_and_latents(clouds, real, names, title="held-out data")

    if x_hat is not None:
        caption = (
            "Reconstruction. Held-out rows, the same decoded from their own codes with the noise "
            "fixed, and how far the two are apart, by place."
        )
        yield caption, tables.reconstructions(real, _points(data, x_hat), names)


def _columns(
    data: Dataset, x: Tensor, samples: Mapping[str, Tensor], main: str, title: str
) -> Iterator[tuple[str, Figure]]:
    plane, project = tables.principal_plane(x)
    clouds = {name: project(rows) for name, rows in samples.items()}
    axes = ("first component", "second component")
    caption = (
        f"{title}. First two principal components of the standardised columns; share of rows in "
        "each bin, on a logarithmic scale that all panels share. The last panel is held-out data."
    )
    yield caption, tables.data_and_latents(clouds, plane, axes, title="held-out data")

    real, generated = _in_units(data, x), _in_units(data, samples[main])
    caption = (
        f"Columns. Held-out rows and {main}, in the table's own units; of columns with gaps the "
        "share that is missing."
    )
    yield caption, marginals(real, generated)

    ordered = [c.name for c in data.table_schema.modelled if c.categories is None]
    if len(ordered) < 2:
        return
    caption = (
        f"Correlations. Spearman's rank correlation of each pair of columns, those of categories "
        f"left out; a missing value has the mean rank; {main}."
    )
    real = {name: real[name] for name in ordered}
    generated = {name: generated[name] for name in ordered}
    yield caption, tables.correlations(real, generated)


def _in_units(data: Dataset, rows: Tensor) -> dict[str, np.ndarray]:
    """The modelled columns in the user's units."""
    decoded = data.table_schema.decode(rows)
    return {column.name: decoded[column.name] for column in data.table_schema.modelled}


def _points(data: Dataset, rows: Tensor) -> np.ndarray:
    return np.stack(list(_in_units(data, rows).values()), 1)


def draw_images(model: Model, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
    """Draw samples of a model of images beside held-out ones, and the features of both.

    Args:
        model: The trained system.
        data: Its data.
        seed: Of the samples.

    Yields:
        Each picture with its caption, whose first sentence is its title.
    """
    generator = torch.Generator(model.device).manual_seed(seed)
    fake = model.sample(NUM_IMAGES, generator).cpu()
    real = to_float(data.test[:NUM_IMAGES])

    num = min(SHOWN, len(real) // 3 * 3)
    caption = "Samples. The upper rows are held-out images, the lower ones samples."
    rows = ["held-out"] * 3 + ["samples"] * 3
    yield caption, images.grid(torch.cat([real[:num], fake[:num]]), rows)

    y, names = _classes(data, len(real))

    for network in extractors_of(model)[:1]:
        h, h_fake = features(network, real), features(network, fake)
        caption = (
            f"Features. Held-out images and samples in a 2-D t-SNE of features ({network.name})."
        )
        yield caption, images.tsne(h, y, h_fake, None, names, seed)

    yield nearest_training_images(model, data, fake)


def _classes(data: Dataset, num: int) -> tuple[Tensor, tuple[str, ...]]:
    """Classes of the first held-out images, ``[num]``, and their names; one of all without any."""
    labels = read_labels(data)
    if labels is None:
        return torch.zeros(num, dtype=torch.long), ("images",)
    y = labels.test[:num]
    if (y >= 0).all():
        return y, labels.names
    return torch.where(y < 0, len(labels.names), y), (*labels.names, "no label")
