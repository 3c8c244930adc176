"""Anybody's samples scored against a reference, by the metrics that every run ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from scgan.capabilities import Measured
from scgan.data.images.finding import find_images
from scgan.data.images.reading import decode_images
from scgan.data.images.schema import ImageSchema
from scgan.data.images.sources import Source
from scgan.data.remote import on_disk
from scgan.data.split import split
from scgan.data.tables.checking import Choice
from scgan.data.tables.reading import read_local
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema
from scgan.data.tables.table import Table
from scgan.data.telling import listed, tell
from scgan.metrics.image_scores import compare_images
from scgan.metrics.images import Extractor, load_extractor
from scgan.metrics.kept import kept_scores
from scgan.metrics.scores import Score, compare_rows
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import ArtifactStore

ALL = Choice()
OWN = ("encoder", "judge")  # before the name of a run, whose network measures


def score_files(
    samples: str,
    reference: str,
    seed: int,
    *,
    choice: Choice = ALL,
    extractors: Sequence[str] = (),
    store: str = "runs",
) -> dict[str, Score]:
    """Score samples against real rows or images, whichever the reference holds.

    Args:
        samples: Path or s3:// address of the samples.
        reference: Path or s3:// address of the real data.
        seed: Of everything random.
        choice: Columns of tables to compare, by name; None for all of the reference but its label.
            What is done about missing values of either.
        extractors: Networks to measure images in: ``inception:path``, ``resnet50:path``,
            ``encoder:RUN``, ``judge:RUN``.
        store: Where such runs lie.

    Returns:
        Scores beside their floors.

    Raises:
        ValueError: In one line, if a file or network can't be read, or the two don't go together.
    """
    with on_disk(reference) as real, on_disk(samples) as made:
        images = find_images(real, None, reference)
        generated = find_images(made, None, samples)

        if images is None:
            if extractors:
                raise ValueError(f"{reference} is a table: leave --extractor out")

            if generated is not None:
                raise ValueError(f"{samples} holds images, but {reference} is a table")

            table = read_local(reference, real, choice)
            own = replace(choice, columns=table.names, label=None)
            rows = read_local(samples, made, own, compared=choice.columns is None)
            return score_tables(rows, table, seed, reference)

        if choice != ALL:
            raise ValueError(
                f"{reference} holds images: leave --data.columns, --data.label and --data.missing "
                "out"
            )

        if generated is None:
            raise ValueError(f"{samples} holds no images, but {reference} does")

        return _score_images(generated, images, extractors, store, seed)


def _score_images(
    generated: Source, real: Source, extractors: Sequence[str], store: str, seed: int
) -> dict[str, Score]:
    """Both in one size, that of a run's encoder where one measures, else the real images' own."""
    if not extractors:
        raise ValueError(
            "images are compared in a network's features: give --extractor inception:PATH or "
            "encoder:RUN"
        )

    networks, size, channels = [], None, None
    for name in extractors:
        network, schema = _network(name, store)
        networks.append(network)
        if schema is not None:
            size, channels = schema.size, schema.channels

    reference = decode_images("--reference", real, size, channels, None, "error")
    size, channels = reference.schema.size, reference.schema.channels
    samples = decode_images("--samples", generated, size, channels, None, "error")

    x, fake = (
        torch.from_numpy(
            np.concatenate([images.train, *([] if images.test is None else [images.test])])
        )
        for images in (reference, samples)
    )

    return dict(compare_images(x, fake, networks, seed))


def _network(name: str, store: str) -> tuple[Extractor, ImageSchema | None]:
    """A network, and what images it takes if that is fixed."""
    kind, _, run = name.partition(":")
    if kind not in OWN:
        return load_extractor(name), None

    stored = open_run(run, ArtifactStore(store, write=False))
    if not isinstance(stored.schema, ImageSchema):
        raise ValueError(f"{name}: this run is on a table; it has no {kind} of images")

    own = stored.model.extractors if isinstance(stored.model, Measured) else {}
    if kind not in own:
        known = " or ".join(f"{other}:{run}" for other in own) or "another run"
        raise ValueError(f"{name}: a run of {stored.spec.system} has no {kind}; take {known}")
    return own[kind], stored.schema


def score_tables(samples: Table, reference: Table, seed: int, name: str) -> dict[str, Score]:
    """Score a table of samples against a table of real rows.

    Half of the reference stands for the support (and gives the scale of each column), half is
    compared with. Columns that are constant there, or repeat another, are in no distance: of them,
    and of ranges, it is told how often the samples keep to them.

    Args:
        samples: With the reference's columns.
        reference: Real rows.
        seed: Of the split and the metrics.
        name: What messages call the reference.

    Returns:
        Scores beside their floors.

    Raises:
        ValueError: In one line, if rows are too few.
    """
    # A column that others determine in the reference need not be so in the samples.
    data = split(name, reference, 0.5, seed, Scaling(relations=False))
    schema = data.table_schema
    _tell_not_compared(name, schema)
    rows = schema.knowing(samples.columns).encode(samples.columns)
    kept = kept_scores(samples.columns, reference.columns, schema)
    places = schema.categorical
    compared = compare_rows(rows, data.test, data.train, seed=seed, categorical=places)
    return dict(kept) | dict(compared)


def _tell_not_compared(name: str, schema: Schema) -> None:
    constant = [repr(column.name) for column in schema.columns if column.kind == "constant"]
    repeated = [f"{c.name!r} (of {c.source!r})" for c in schema.columns if c.kind == "duplicate"]
    for what, columns in (("constant", constant), ("a repetition", repeated)):
        if columns:
            tell(name, f"in no distance, as it is {what}: {listed(columns)}")
