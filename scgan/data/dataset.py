"""What every stage starts from: standardised rows or images, split once, with their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from scgan.config import Settings, suggest
from scgan.data.formats import READERS
from scgan.data.images.reading import Damaged, ImageSet, decode_images, find_images
from scgan.data.images.schema import Channels, ImageSchema, Size
from scgan.data.images.sources import Source, read_digits
from scgan.data.remote import on_disk
from scgan.data.tables.reading import Missing, Table, read_table
from scgan.data.tables.schema import Schema
from scgan.data.tables.streaming import Parts, Stream, find_parts, measure
from scgan.data.toy import TOYS, Toy

# Part of every fingerprint: raise it when the same source comes to give other rows, so that old
# artifacts are not taken.
DATA_VERSION = 1


DIGITS = "digits"
"""The bundled set of images: scikit-learn's handwritten digits."""

BUNDLED = (*TOYS, DIGITS)
"""Names of the sets that need no file."""


class DataConfig(Settings):
    """Which data, and how it is split."""

    source: str = Field(
        "checkerboard",
        min_length=1,
        description="name of a toy set, digits, a path, or s3://bucket/key",
    )
    columns: tuple[str, ...] | None = Field(
        None, description="columns of a table to model, in this order; none for all"
    )
    label: str | None = Field(
        None,
        description="column of a table kept out of training and used in evaluation; the classes of images",
    )
    missing: Missing = Field(
        "error", description="rows with NaN or infinity: an error, or left out"
    )
    test_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share that no stage sees, of rows, or of images without a test part",
    )
    num_train: int = Field(
        128_000, ge=2, le=100_000_000, description="training rows of a toy set, or kept of a stream"
    )
    num_test: int = Field(
        128_000, ge=2, le=100_000_000, description="test rows of a toy set, or kept of a stream"
    )
    stream: bool | None = Field(
        None, description="read .parquet part by part, never whole; none: above 512 MiB of it"
    )
    shard_rows: int | None = Field(
        None,
        ge=1024,
        description="training rows of a stream in memory at once; none: 4 million numbers",
    )
    image_size: Size | None = Field(
        None,
        description="side of the images in pixels; none for their own, or the nearest allowed below it",
    )
    channels: Channels | None = Field(
        None, description="1 for grey, 3 for colour; none for the images' own"
    )
    attributes: tuple[str, ...] | None = Field(
        None, description="attributes of images to take, or classes, in this order; none for all"
    )
    damaged: Damaged = Field(
        "error", description="images that can't be read: an error, or left out"
    )


# What only the one or the other kind of data has; any other value than the default is refused for
# the other kind.
TABLE_SETTINGS = ("columns", "missing", "stream", "shard_rows")
IMAGE_SETTINGS = ("image_size", "channels", "attributes", "damaged")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows or images for training, and some that no stage sees.

    Attributes:
        name: The toy set, or the file's name without its suffix.
        train: A table's rows, standardised: ``[N, D]``, float32; of a streamed one a random sample.
            Pictures: ``[N, C, H, W]``, uint8, of which a batch becomes floats where it is used
            (:func:`scgan.data.images.schema.to_float`).
        test: The same of the test part, ``[M, D]`` or ``[M, C, H, W]``.
        schema: From and to the user's columns and units, fitted on the training rows; or what
            images have in common.
        train_labels: Shape ``[N]``, or None. Of images: int64 ``[N]``, the place of the class in
            ``schema.attributes``; or uint8 ``[N, A]``, which attributes are there.
        test_labels: The same of the test part.
        toy: The distribution the rows are from, where it is known.
        fingerprint: sha256 of everything above; equal if and only if the rows are.
        dropped: Rows left out for missing values, or damaged images.
        stream: Of a table larger than memory, where all its rows are; else None.
    """

    name: str
    train: Tensor
    test: Tensor
    schema: Schema | ImageSchema
    train_labels: np.ndarray | None
    test_labels: np.ndarray | None
    toy: Toy | None
    fingerprint: str
    dropped: int
    stream: Stream | None = None

    @property
    def num_train(self) -> int:
        """Training rows or images in all, in memory or not."""
        return len(self.train) if self.stream is None else self.stream.num_train

    @property
    def num_test(self) -> int:
        """Rows or images held out in all, in memory or not."""
        return len(self.test) if self.stream is None else self.stream.num_test

    @property
    def kind(self) -> Literal["table", "images"]:
        """What the data is, as a system's ``kind`` says what it takes."""
        return "table" if isinstance(self.schema, Schema) else "images"

    @property
    def table_schema(self) -> Schema:
        """The schema of a table.

        Raises:
            ValueError: For images.
        """
        if not isinstance(self.schema, Schema):
            raise ValueError(f"{self.name} holds images, not a table")
        return self.schema

    @property
    def image_schema(self) -> ImageSchema:
        """The schema of images.

        Raises:
            ValueError: For a table.
        """
        if not isinstance(self.schema, ImageSchema):
            raise ValueError(f"{self.name} holds a table, not images")
        return self.schema

    @property
    def unit(self) -> str:
        """What it is counted in: ``"rows"`` or ``"images"``."""
        return "rows" if self.kind == "table" else "images"

    def describe(self) -> dict[str, Any]:
        """Plain values for a log: sizes, what the schema says, fingerprint."""
        return {
            "name": self.name,
            f"train_{self.unit}": self.num_train,
            f"test_{self.unit}": self.num_test,
            f"dropped_{self.unit}": self.dropped,
            **self.schema.describe(),
            "labelled": self.train_labels is not None,
            "fingerprint": self.fingerprint,
        }


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
        return _load_images(config, read_digits(), seed, own_size=28)

    path = Path(config.source).expanduser()
    is_path = (
        config.source.startswith("s3://")
        or "/" in config.source
        or path.suffix in READERS
        or path.exists()
    )

    if not is_path:
        raise ValueError(
            f"unknown data {config.source!r}{suggest(config.source, BUNDLED)} (a path or s3://bucket/key will do, too)"
        )

    if paths := find_parts(config.source, config.stream):
        _refuse(config, "a table", IMAGE_SETTINGS)
        return _stream(path.stem, config, paths, seed)

    with on_disk(config.source) as local:
        source = find_images(local, config.label)
        if source is not None:
            return _load_images(config, source, seed)

        _refuse(config, "a table", IMAGE_SETTINGS)
        table = read_table(local, config.columns, config.label, config.missing)

    return split(path.stem, table, config.test_fraction, seed)


def _refuse(config: DataConfig, what: str, settings: Sequence[str]) -> None:
    default = DataConfig()
    for name in settings:
        if getattr(config, name) != getattr(default, name):
            raise ValueError(f"{config.source!r} is {what}: it has no --data.{name} to choose")


def _load_images(
    config: DataConfig, source: Source, seed: int, own_size: Size | None = None
) -> Dataset:
    _refuse(config, "a set of images", TABLE_SETTINGS)
    size = config.image_size or own_size
    images = decode_images(
        config.source, source, size, config.channels, config.attributes, config.damaged
    )
    return split_images(Path(config.source).stem, images, config.test_fraction, seed)


def split_images(name: str, images: ImageSet, test_fraction: float, seed: int) -> Dataset:
    """Hold out the source's own test part, or a random one where it has none.

    Args:
        name: For logs.
        images: The images.
        test_fraction: Share of a random test part, in (0, 1).
        seed: Seed of its permutation, at least 0.

    Returns:
        The images.

    Raises:
        ValueError: If a part has fewer than two images.
    """
    train, labels, test, test_labels = (
        images.train,
        images.train_labels,
        images.test,
        images.test_labels,
    )

    if test is None:
        num_test = round(test_fraction * len(train))
        order = np.random.default_rng(seed).permutation(len(train))
        test, train = train[order[:num_test]], train[order[num_test:]]
        if labels is not None:
            test_labels, labels = labels[order[:num_test]], labels[order[num_test:]]

    if min(len(train), len(test)) < 2:
        raise ValueError(
            f"{name}: {len(train)} images to train, {len(test)} to test; each needs at least 2: give more images, "
            "or another --data.test_fraction"
        )

    digest = hashlib.sha256(repr(("images", DATA_VERSION, images.schema)).encode())
    for array in (train, labels, test, test_labels):
        digest.update(repr(None if array is None else (array.dtype.str, array.shape)).encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).data)

    x, x_test = (torch.from_numpy(np.ascontiguousarray(part)) for part in (train, test))
    return Dataset(
        name,
        x,
        x_test,
        images.schema,
        labels,
        test_labels,
        None,
        digest.hexdigest(),
        images.dropped,
    )


def split(name: str, table: Table, test_fraction: float, seed: int) -> Dataset:
    """Split a table at random and standardise it by its training part.

    Args:
        name: For logs.
        table: The rows.
        test_fraction: Share of the test part, in (0, 1).
        seed: Seed of the permutation, at least 0.

    Returns:
        The rows.

    Raises:
        ValueError: If a part has fewer than two rows, or all columns are constant.
    """
    num_test = round(test_fraction * table.num_rows)
    if min(num_test, table.num_rows - num_test) < 2:
        raise ValueError(
            f"{name}: {table.num_rows} rows give {table.num_rows - num_test} to train, {num_test} to test; "
            "each needs at least 2: give more rows, or another --data.test_fraction"
        )

    order = np.random.default_rng(seed).permutation(table.num_rows)
    rows = {"train": order[num_test:], "test": order[:num_test]}
    parts = {
        part: {n: table.columns[n][index] for n in table.names} for part, index in rows.items()
    }
    schema = Schema.fit(parts["train"])

    if schema.dim == 0:
        raise ValueError(
            f"{name}: all columns are constant ({', '.join(schema.names[:8])}); there is nothing to learn"
        )

    labels = table.labels
    return Dataset(
        name=name,
        train=schema.encode(parts["train"]),
        test=schema.encode(parts["test"]),
        schema=schema,
        train_labels=None if labels is None else labels[rows["train"]],
        test_labels=None if labels is None else labels[rows["test"]],
        toy=None,
        fingerprint=_fingerprint(table, test_fraction, seed),
        dropped=table.dropped,
    )


def whole(name: str, table: Table) -> Dataset:
    """Standardise a table of which every row is trained on: nothing is held out.

    Args:
        name: For logs.
        table: The rows.

    Returns:
        The rows, an empty test part beside them.

    Raises:
        ValueError: If there are fewer than two rows, or all columns are constant.
    """
    if table.num_rows < 2:
        raise ValueError(f"{name}: {table.num_rows} rows can't be learned from; give at least 2")

    schema = Schema.fit(table.columns)
    if schema.dim == 0:
        raise ValueError(f"{name}: all columns are constant; there is nothing to learn")

    train = schema.encode(table.columns)
    fingerprint = _fingerprint(table, test_fraction=0.0, seed=0)
    return Dataset(
        name, train, train[:0], schema, table.labels, None, None, fingerprint, table.dropped
    )


def _stream(name: str, config: DataConfig, paths: Sequence[str], seed: int) -> Dataset:
    parts = Parts.open(
        paths, config.columns, config.label, config.missing, config.test_fraction, seed
    )
    found = measure(parts, config.num_train, config.num_test, config.shard_rows)

    return Dataset(
        name=name,
        train=found.schema.encode(found.train.columns),
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
    parts = []
    for part, num in enumerate((num_train, num_test)):
        state = np.random.SeedSequence((seed, part)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) % 2**63)
        points = toy.sample(num, generator).numpy()
        parts.append({f"x{i}": np.ascontiguousarray(points[:, i]) for i in range(points.shape[1])})

    schema = Schema.fit(parts[0])
    digest = hashlib.sha256(
        repr(("toy", DATA_VERSION, toy.name, num_train, num_test, seed)).encode()
    )
    train, test = (schema.encode(part) for part in parts)

    return Dataset(toy.name, train, test, schema, None, None, toy, digest.hexdigest(), dropped=0)


def _fingerprint(table: Table, test_fraction: float, seed: int) -> str:
    digest = hashlib.sha256(
        repr(("table", DATA_VERSION, table.names, test_fraction, seed)).encode()
    )
    arrays = [table.columns[name] for name in table.names] + (
        [] if table.labels is None else [table.labels]
    )

    for array in arrays:
        digest.update(repr((array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())

    return digest.hexdigest()
