"""Modes that anybody's samples capture: of a known mixture, or combinations of classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scgan.data.dataset import DataConfig, Dataset
from scgan.data.images.finding import find_images
from scgan.data.images.reading import decode_images
from scgan.data.images.schema import as_floats
from scgan.data.loading import check_is_path, load
from scgan.data.remote import on_disk
from scgan.data.tables.reading import read_table
from scgan.data.tables.table import Table
from scgan.data.toy import TOYS
from scgan.metrics.modes import NUM_SAMPLES, NUM_STACKED, class_coverage
from scgan.metrics.scores import Score, mode_scores
from scgan.pipeline.classifier import classifier_of
from scgan.stages.images.judge import Judge
from scgan.store.artifacts import ArtifactStore

SPREAD, WEIGHT = "spread", "weight"  # columns of a mixture's table beside the centres'
IMAGES_AT_ONCE = 4096  # that are classified at once


class Mixture(NamedTuple):
    """Where the modes of a distribution are.

    Args:
        names: Of the columns, D.
        centres: ``[K, D]``.
        spreads: Standard deviation of each mode in every column, ``[K]``.
        weights: Of the modes, ``[K]``; None for equal ones.
    """

    names: tuple[str, ...]
    centres: Tensor
    spreads: Tensor
    weights: Tensor | None


def score_modes(
    samples: str,
    reference: str,
    *,
    num: int | None = None,
    seed: int = 0,
    store: str = "runs",
) -> tuple[dict[str, Score], int]:
    """Count the modes that samples capture, their high-quality share and the divergence.

    Args:
        samples: Path or ``s3://`` address of a table with the columns of the mixture; or of images,
            each of whose channels is an image as the reference has them (stacked MNIST).
        reference: A toy set with modes, or path or address of a table with a mode a row: its centre
            in the samples' columns, ``spread`` its standard deviation, ``weight`` where modes
            differ in it; or of grey images with a class each.
        num: Samples that are counted, drawn at random; None for 2,500, of images 26,000.
        seed: Of the draw.
        store: Where the classifier of the reference's images is kept.

    Returns:
        The scores, and how many samples were counted: all where there are fewer than ``num``.

    Raises:
        ValueError: In one line, if a table can't be read or has no such columns.

    Source: [VEEGAN] Sec. 4.
    """
    if reference not in TOYS:
        check_is_path(reference)
        if (images := _images(reference)) is not None:
            return _score_stacked(samples, images, num or NUM_STACKED, seed, store)

    mixture = read_mixture(reference)
    rows = _matrix(read_table(samples, mixture.names))
    counted = _some(rows, num or NUM_SAMPLES, seed)
    scores = mode_scores(counted, mixture.centres, mixture.spreads, mixture.weights)
    return scores, len(counted)


def stacked_scores(images: Tensor, judge: Judge) -> dict[str, Score]:
    """The combinations of classes that images have in their channels.

    Args:
        images: ``[N, S, H, W]``, uint8 or floats in [-1, 1].
        judge: Classifier of a channel alone.

    Returns:
        ``modes_captured``, ``modes_total`` and ``modes_kl_divergence`` (nats).
    """
    channels = images.flatten(0, 1)[:, None]
    found = [judge.classify(as_floats(x)).argmax(1) for x in channels.split(IMAGES_AT_ONCE)]
    classes = torch.cat(found).unflatten(0, images.shape[:2])
    coverage = class_coverage(classes, judge.head.out_features)
    values = {
        "modes_captured": coverage.num_captured,
        "modes_total": coverage.num_modes,
        "modes_kl_divergence": coverage.kl_divergence,
    }
    return {name: Score.of(name, value) for name, value in values.items()}


def _score_stacked(
    samples: str, reference: Dataset, num: int, seed: int, store: str
) -> tuple[dict[str, Score], int]:
    schema = reference.image_schema
    if schema.channels != 1:
        raise ValueError(f"{reference.name}: classes of a channel are learned from grey images")

    judge = classifier_of(reference, ArtifactStore(store))
    with on_disk(samples) as local:
        source = find_images(local, None, samples)
        if source is None:
            raise ValueError(f"{samples} holds no images, but {reference.name} does")
        made = decode_images("--samples", source, schema.size, None, None, "error").train

    images = torch.from_numpy(np.ascontiguousarray(made))
    counted = _some(images, num, seed)
    return stacked_scores(counted, judge), len(counted)


def _images(reference: str) -> Dataset | None:
    """The reference's images; None for a table."""
    with on_disk(reference) as local:
        if find_images(local, None, reference) is None:
            return None
    return load(DataConfig(source=reference), 0)


def _some(rows: Tensor, num: int, seed: int) -> Tensor:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return rows[order[:num]]


def read_mixture(reference: str) -> Mixture:
    """A toy set's modes by its name, or a mixture from a table.

    Raises:
        ValueError: In one line, for a toy set without modes or a table that is no mixture.
    """
    if reference in TOYS:
        toy = TOYS[reference]
        centres, spreads = toy.modes(), toy.mode_std
        if centres is None or spreads is None:
            known = [name for name, other in TOYS.items() if other.modes() is not None]
            raise ValueError(
                f"{reference} has no modes to count; those that do: {', '.join(known)}"
            )
        return Mixture(("x0", "x1"), centres, spreads, toy.mode_weights)

    check_is_path(reference)
    table = read_table(reference)
    names = tuple(name for name in table.names if name not in (SPREAD, WEIGHT))
    if SPREAD not in table.names or not names:
        raise ValueError(
            f"{reference}: a mixture needs the columns of its centres and a column {SPREAD!r}, "
            f"found {', '.join(table.names)}"
        )

    weights = table.columns.get(WEIGHT)
    return Mixture(
        names,
        _matrix(Table(names, {name: table.columns[name] for name in names}, None, 0)),
        torch.from_numpy(table.columns[SPREAD].astype(np.float64)),
        None if weights is None else torch.from_numpy(weights.astype(np.float64)),
    )


def _matrix(table: Table) -> Tensor:
    """The columns beside each other, float64 ``[N, D]``."""
    columns = [table.columns[name].astype(np.float64) for name in table.names]
    return torch.from_numpy(np.stack(columns, axis=1))
