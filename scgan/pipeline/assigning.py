"""What ``scgan cluster`` finds: the clusters of anybody's rows or images by a stored run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scgan.capabilities import Clustering, cluster_probabilities
from scgan.data.images.finding import find_images
from scgan.data.images.reading import decode_images
from scgan.data.images.schema import ImageSchema
from scgan.data.remote import on_disk
from scgan.data.tables.checking import Missing
from scgan.data.tables.keys import read_keyed
from scgan.data.tables.values import Meanings
from scgan.pipeline.stored import StoredRun

IMAGE = "image"  # column with an image's number
ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Assigned:
    """Rows with their clusters.

    Attributes:
        columns: Keys, then ``cluster``, ``probability`` of it, and ``probability_0`` ... of each
            cluster, all ``[N]``.
        counts: Rows of each cluster, ``[K]``.
        dropped: Rows left out for missing values.
        meanings: What keys are beyond numpy's types.
    """

    columns: Mapping[str, np.ndarray]
    counts: Tensor
    dropped: int
    meanings: Meanings


def assign(
    stored: StoredRun,
    source: str,
    *,
    keep: Sequence[str] | None = None,
    missing: Missing | None = None,
) -> Assigned:
    """Find the clusters of rows or images that a run was not trained on.

    Args:
        stored: A run whose model clusters.
        source: Path or ``s3://`` address of a table with the run's columns, or of images.
        keep: Columns of the table to keep beside the clusters; None keeps all that the run does
            not model, as a key or a label. Images are numbered from 0 in the order of the source.
        missing: What to do with rows that hold NaN, infinity or no value; None for what the run
            did.

    Returns:
        The rows, in the order of the source.

    Raises:
        ValueError: In one line, if the model has no clusters, or the data can't be read or is of
            another kind.
    """
    model = stored.model
    if not isinstance(model, Clustering):
        raise ValueError(f"a run of {stored.spec.system} has no clusters: {stored.spec.run_id}")

    with on_disk(source) as path:
        if isinstance(stored.schema, ImageSchema):
            x, dropped = _images(path, source, stored.schema), 0
            keys: Mapping[str, np.ndarray] = {IMAGE: np.arange(len(x))}
            meanings: Meanings = {}
        else:
            names = [column.name for column in stored.schema.modelled]
            found = read_keyed(path, source, names, keep, missing or stored.spec.data.missing)
            keys, meanings, dropped = found.keys, found.meanings, found.dropped
            try:
                x = stored.schema.encode(found.columns)
            except ValueError as error:  # a category or a gap that the run never saw
                raise ValueError(f"{source}: {error}") from None

    clusters = _clusters(model, x)
    taken = sorted(keys.keys() & clusters.keys())
    if taken:
        raise ValueError(f"{source}: a column is named {taken[0]!r} already; name others to keep")

    counts = torch.from_numpy(np.bincount(clusters["cluster"], minlength=len(model.counts)))
    return Assigned({**keys, **clusters}, counts, dropped, meanings)


def _images(path: Path, name: str, schema: ImageSchema) -> Tensor:
    """All images of a source in the run's size, uint8 ``[N, C, H, W]``."""
    source = find_images(path, None, name)
    if source is None:
        raise ValueError(f"{name} holds no images, but the run was trained on images")
    found = decode_images(name, source, schema.size, schema.channels, None, "error")
    parts = [found.train, *([] if found.test is None else [found.test])]
    return torch.from_numpy(np.concatenate(parts))


def _clusters(model: Clustering, x: Tensor) -> dict[str, np.ndarray]:
    """Cluster of each row, its probability, and that of each cluster."""
    parts = [
        (model.assign(rows), cluster_probabilities(model, rows)) for rows in x.split(ROWS_AT_ONCE)
    ]
    k, p = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
    own = p.gather(1, k[:, None])[:, 0]

    found = {"cluster": k.numpy(), "probability": own.numpy()}
    for number, column in enumerate(p.T):
        found[f"probability_{number}"] = column.contiguous().numpy()
    return found
