"""Data by its source: a toy set is drawn, a table or images are read and split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from scgan.config import suggest
from scgan.data.dataset import BUNDLED, DATA_VERSION, DIGITS, SHAPES, DataConfig, Dataset
from scgan.data.fingerprint import fingerprint
from scgan.data.formats import READERS, local_path
from scgan.data.images.finding import find_images
from scgan.data.images.reading import decode_images
from scgan.data.images.schema import Size
from scgan.data.images.sources import Source, read_digits
from scgan.data.images.synthetic import read_shapes
from scgan.data.listing import ARCHIVES, kind_of
from scgan.data.mixture import Toy
from scgan.data.remote import on_disk
from scgan.data.split import split, split_images, spreading
from scgan.data.tables.checking import Choice
from scgan.data.tables.oddities import tell_categories, tell_far, tell_labels
from scgan.data.tables.parts import Parts, find_parts
from scgan.data.tables.reading import read_local
from scgan.data.tables.schema import Schema
from scgan.data.tables.streaming import measure
from scgan.data.toy import TOYS

# What only the one or the other kind of data has; any other value than the default is refused for
# the other kind.
TABLE_SETTINGS = (
    *("columns", "missing", "missing_values", "scale", "scales", "relations"),
    *("stream", "shard_rows"),
)
IMAGE_SETTINGS = ("image_size", "channels", "attributes", "damaged")
SIZE_OF_DIGITS: Size = 28  # their own is 8 pixels, which no network is built for


def load(config: DataConfig, seed: int) -> Dataset:
    """Draw a toy set, or read and split a table or images.

    Args:
        config: Which data.
        seed: Seed of the run, at least 0: of a toy's rows, and of the split.

    Returns:
        The rows or images; the same for the same arguments.

    Raises:
        ValueError: In one line, if the source is unknown or its contents can't be used.
    """
    if config.source in TOYS:
        _refuse(config, "a toy set", (*TABLE_SETTINGS, *IMAGE_SETTINGS, "label"))
        return _draw(TOYS[config.source], config.num_train, config.num_test, seed)

    if config.source == DIGITS:
        _refuse(config, "a set of images", ("label",))
        return _load_images(config, read_digits(), seed, config.image_size or SIZE_OF_DIGITS)

    if config.source == SHAPES:
        _refuse(config, "a set of images", ("label",))
        return _load_images(config, read_shapes(), seed, config.image_size)

    path = Path(config.source) if config.source.startswith("s3://") else local_path(config.source)
    check_is_path(config.source)

    if parts := find_parts(config.source, config.stream):
        _refuse(config, "a table", IMAGE_SETTINGS)
        return _stream(path.stem, config, parts, seed)

    with on_disk(config.source) as local:
        source = find_images(local, config.label, config.source)
        if source is not None:
            return _load_images(config, source, seed, config.image_size)

        _refuse(config, "a table", IMAGE_SETTINGS)
        table = read_local(config.source, local, _choice(config))

    tell_far(config.source, table.columns)
    tell_labels(config.source, config.label or "y", table.labels)

    data = split(path.stem, table, config.test_fraction, seed, config.scaling)
    tell_categories(config.source, data.table_schema)
    return data


def check_is_path(source: str) -> None:
    """Refuse a word that is neither a bundled set nor looks like a path.

    Raises:
        ValueError: In one line, with the nearest bundled set.
    """
    path = Path(source) if source.startswith("s3://") else local_path(source)
    known = kind_of(path) in {*READERS, *ARCHIVES}
    if source.startswith("s3://") or "/" in source or known or path.exists():
        return
    raise ValueError(
        f"unknown data {source!r}{suggest(source, BUNDLED)} (a path or s3://bucket/key will do, "
        "too)"
    )


def _refuse(config: DataConfig, what: str, settings: Sequence[str]) -> None:
    default = DataConfig()
    for name in settings:
        if getattr(config, name) != getattr(default, name):
            raise ValueError(f"{config.source!r} is {what}: it has no --data.{name} to choose")


def _choice(config: DataConfig) -> Choice:
    return Choice(config.columns, config.label, config.missing, config.missing_values)


def _load_images(config: DataConfig, source: Source, seed: int, size: Size | None) -> Dataset:
    _refuse(config, "a set of images", TABLE_SETTINGS)
    images = decode_images(
        config.source, source, size, config.channels, config.attributes, config.damaged
    )
    return split_images(Path(config.source).stem, images, config.test_fraction, seed)


def _stream(name: str, config: DataConfig, paths: Sequence[str], seed: int) -> Dataset:
    parts = Parts.open(config.source, paths, _choice(config), config.test_fraction, seed)
    found = measure(parts, config.num_train, config.num_test, config.shard_rows, config.scaling)
    tell_far(config.source, found.train.columns)
    tell_labels(config.source, config.label, found.train.labels)
    tell_categories(config.source, found.schema)

    return Dataset(
        name=name,
        train=found.schema.encode(found.train.columns, spreading(seed)),
        test=found.schema.encode(found.test.columns),
        schema=found.schema,
        train_labels=found.train.labels,
        test_labels=found.test.labels,
        toy=None,
        fingerprint=found.fingerprint,
        dropped=found.dropped,
        stream=found.stream,
    )


def _draw(toy: Toy, num_train: int, num_test: int, seed: int) -> Dataset:
    # A generator for each part, so that the size of one changes nothing in the other.
    parts, labels = [], []
    for part, num in enumerate((num_train, num_test)):
        state = np.random.SeedSequence((seed, part)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) % 2**63)
        points, pieces = toy.sample_labelled(num, generator)
        x0, x1 = points.numpy().T.copy()
        parts.append({"x0": x0, "x1": x1})
        labels.append(None if pieces is None else pieces.numpy())

    train, test = parts
    schema = Schema.fit(train)

    return Dataset(
        name=toy.name,
        train=schema.encode(train),
        test=schema.encode(test),
        schema=schema,
        train_labels=labels[0],
        test_labels=labels[1],
        toy=toy,
        fingerprint=fingerprint(
            ("toy", DATA_VERSION, toy.name, num_train, num_test, seed),
            [piece for piece in labels if piece is not None],
        ),
        dropped=0,
    )
