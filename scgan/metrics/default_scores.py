"""How a system is scored if it doesn't say otherwise: by what its data is and its model can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scgan.capabilities import Clustering, Measured, Model, Reconstructing
from scgan.data.dataset import Dataset
from scgan.data.tables.oddities import are_classes
from scgan.metrics.image_scores import PIXELS, compare_images
from scgan.metrics.images import Extractor
from scgan.metrics.scores import Score, compare_rows, label_scores, mode_scores

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
    yield from compare_rows(samples, data.test, data.train, seed=seed)

    if isinstance(model, Reconstructing):
        yield from _reconstruction(model, data)
    labels = data.test_labels
    if isinstance(model, Clustering) and labels is not None and are_classes(labels):
        yield from label_scores(labels, model.assign(data.test).cpu()).items()

    # In the data's own units, by the modes of a distribution that is known.
    toy = data.toy
    if toy is not None and (modes := toy.modes()) is not None and toy.mode_std is not None:
        raw = torch.from_numpy(np.stack(list(columns.values()), axis=1))
        yield from mode_scores(raw, modes, toy.mode_std, toy.mode_weights).items()


def _reconstruction(model: Reconstructing, data: Dataset) -> Iterator[tuple[str, Score]]:
    error = (model.reconstruct(data.test).cpu() - data.test).square()
    yield "reconstruction_mse", Score.of("reconstruction_mse", float(error.mean()))

    if data.toy is not None:
        name = "reconstruction_mse_data_units"
        scale = [column.scale for column in data.table_schema.modelled]
        squares = error.double() * torch.tensor(scale, dtype=torch.float64).square()
        yield name, Score.of(name, float(squares.mean()))


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


def compared(data: Dataset, num: int) -> int:
    """Images a side of a comparison: ``num``, as far as two disjoint sets of real images go."""
    return min(num, (len(data.train) + len(data.test)) // 2)


def extractors_of(model: Any) -> list[Extractor]:
    """A model's own networks in whose features images are compared."""
    return list(model.extractors.values()) if isinstance(model, Measured) else []


def class_labels(data: Dataset, num: int) -> Tensor | None:
    """Classes of the first held-out images, ``[num]``; None where they have none."""
    labels = data.test_labels
    if labels is None or labels.ndim != 1:
        return None
    return torch.from_numpy(labels[:num])
