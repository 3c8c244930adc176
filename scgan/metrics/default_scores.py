"""How a system is scored if it doesn't say otherwise: by what its data is and its model can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scgan.capabilities import Clustering, Measured, Model, Reconstructing
from scgan.data.dataset import Dataset
from scgan.data.labels import one_each
from scgan.data.mixture import Toy
from scgan.data.tables.oddities import are_classes
from scgan.metrics.clustering import silhouette
from scgan.metrics.image_scores import PIXELS, compare_images
from scgan.metrics.images import Extractor
from scgan.metrics.scores import (
    Score,
    compare_rows,
    exact_support,
    label_scores,
    mode_scores,
)

NUM_SAMPLES = 40_000  # rows that are drawn to be scored
NUM_IMAGES = 10_000  # images a side of a comparison, at most


def score_table(model: Model, data: Dataset, seed: int) -> Iterator[tuple[str, Score]]:
    """Score a model of a table: its samples, reconstruction, clusters and modes, as far as it goes.

    Args:
        model: The trained system.
        data: Its data; samples are compared with the held-out rows.
        seed: Of the samples and the metrics.

    Yields:
        Each score by its name (see :mod:`scgan.metrics.meanings`).
    """
    generator = torch.Generator(model.device).manual_seed(seed)
    columns = data.table_schema.decode(model.sample(NUM_SAMPLES, generator).cpu())

    # As a user gets them: integers are integers.
    samples = data.table_schema.encode(columns)
    places = data.table_schema.categorical
    yield from compare_rows(samples, data.test, data.train, seed=seed, categorical=places)

    if isinstance(model, Reconstructing):
        yield from _reconstruction(model, data)
    if isinstance(model, Clustering):
        yield from _clusters(model, data, seed)

    if data.toy is not None:
        real = _raw(data.table_schema.decode(data.test[:NUM_SAMPLES]))
        yield from toy_scores(data.toy, _raw(columns), real)


def toy_scores(toy: Toy, samples: Tensor, real: Tensor) -> Iterator[tuple[str, Score]]:
    """Score samples by a distribution that is known, in the data's own units.

    Args:
        toy: The distribution.
        samples: Generated rows, ``[S, 2]``.
        real: Held-out rows, ``[M, 2]``.

    Yields:
        ``off_support_exact`` where the density is known, and the scores of modes where it has them.
    """
    if toy.has_density:
        yield "off_support_exact", exact_support(toy.log_prob(samples), toy.log_prob(real))
    if (modes := toy.modes()) is not None and toy.mode_std is not None:
        yield from mode_scores(samples, modes, toy.mode_std, toy.mode_weights).items()


def _raw(columns: Mapping[str, np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(list(columns.values()), axis=1))


def _clusters(model: Clustering, data: Dataset, seed: int) -> Iterator[tuple[str, Score]]:
    """Held-out clusters beside their labels; without labels, how far apart they lie."""
    k, labels = model.assign(data.test).cpu(), one_each(data.test_labels)
    if data.test_labels is None:
        found = silhouette(data.test, k, seed=seed)
        if found is not None:
            yield "silhouette", Score.of("silhouette", found)
        return

    if labels is not None and are_classes(labels):
        yield from label_scores(labels, k).items()


def _reconstruction(model: Reconstructing, data: Dataset) -> Iterator[tuple[str, Score]]:
    x_hat = model.reconstruct(data.test).cpu()
    error = (x_hat - data.test).square()
    yield "reconstruction_mse", Score.of("reconstruction_mse", float(error.mean()))

    if data.toy is not None:
        name, decode = "reconstruction_mse_data_units", data.table_schema.decode
        made, real = (np.stack(list(decode(rows).values())) for rows in (x_hat, data.test))
        yield name, Score.of(name, float(np.square(made - real).mean()))


def score_images(
    model: Model,
    data: Dataset,
    seed: int,
    *,
    num: int = NUM_IMAGES,
    more: Sequence[Extractor] = (),
) -> Iterator[tuple[str, Score]]:
    """Score a model of images in the features of its own networks; without any, in pixels.

    Args:
        model: The trained system.
        data: Its data.
        seed: Of the images and the metrics.
        num: Images a side of a comparison, at most.
        more: Other networks to measure in.

    Yields:
        Each score by its name (see :mod:`scgan.metrics.meanings`).
    """
    num = compared(data, num)
    fake = model.sample(num, torch.Generator(model.device).manual_seed(seed)).cpu()
    networks = [*extractors_of(model), *more] or [PIXELS]
    yield from compare_images(data.train, fake, networks, seed, held_out=data.test, num_max=num)
    if isinstance(model, Clustering):
        yield from _clusters(model, data, seed)


def compared(data: Dataset, num: int) -> int:
    """Images a side of a comparison: ``num``, as far as two disjoint sets of real images go."""
    return min(num, (len(data.train) + len(data.test)) // 2)


def extractors_of(model: Any) -> list[Extractor]:
    """A model's own networks in whose features images are compared."""
    return list(model.extractors.values()) if isinstance(model, Measured) else []
