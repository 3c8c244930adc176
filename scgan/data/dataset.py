"""What every stage starts from: standardised rows or images, and the settings that choose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from scgan.config import Settings
from scgan.data.images.reading import Damaged
from scgan.data.images.schema import Channels, ImageSchema, Size
from scgan.data.mixture import Toy
from scgan.data.tables.checking import Missing
from scgan.data.tables.scales import ScaleChoice, Scaling
from scgan.data.tables.schema import Schema
from scgan.data.tables.streaming import Stream
from scgan.data.toy import TOYS

# Part of every fingerprint: raise it when the same source comes to give other rows, so that old
# artifacts are not taken.
DATA_VERSION = 3

DIGITS = "digits"
"""The bundled set of images: scikit-learn's handwritten digits."""

SHAPES = "shapes"
"""The drawn set of images with forty attributes."""

BUNDLED = (*TOYS, DIGITS, SHAPES)
"""Names of the sets that need no file."""


class DataConfig(Settings):
    """Which data, and how it is split."""

    source: str = Field(
        "checkerboard",
        min_length=1,
        description="name of a toy set, digits, shapes, a path, or s3://bucket/key; a toy set by "
        "default, which needs no file",
    )
    columns: tuple[str, ...] | None = Field(
        None, description="columns of a table to model, in this order; none, the default, for all"
    )
    label: str | None = Field(
        None,
        description="column with the labels of a table, kept out of training and used in "
        "evaluation, or with the classes of images; none, as not every file has one",
    )
    missing: Missing = Field(
        "error",
        description="rows with NaN, infinity or no value: an error, so that none is lost unasked; "
        "drop; or model, which learns where values are missing, so that samples lack them alike",
    )
    scale: ScaleChoice = Field(
        "auto",
        description="what columns are modelled on: linear, their own scale; ranks, which bear "
        "grids, repeated values, tails and edges, and which categories and gaps always are; or, by "
        "default, what is cheaper of each column",
    )
    scales: tuple[str, ...] = Field(
        (), description="scales of single columns, NAME=linear or NAME=ranks; none by default"
    )
    relations: bool = Field(
        True,
        description="columns that others determine (sums, products, momenta, angles, masses) are "
        "found and computed, and of those that they nearly determine the rest is modelled: no "
        "model meets such a sheet exactly",
    )
    missing_values: tuple[float, ...] = Field(
        (),
        description="numbers that stand for no value in any column of a table, -9999,99.99; none, "
        "as no number is known to be one",
    )
    test_fraction: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share that no stage sees, of rows, or of images without a test part of their "
        "own; a fifth is enough to score by and leaves most to learn from",
    )
    num_train: int = Field(
        128_000,
        ge=2,
        le=100_000_000,
        description="training rows that are drawn of a toy set, or kept in memory of a stream; "
        "many, as they cost little",
    )
    num_test: int = Field(
        128_000,
        ge=2,
        le=100_000_000,
        description="test rows that are drawn of a toy set, or kept in memory of a stream; as many "
        "as to train on",
    )
    stream: bool | None = Field(
        None,
        description="read .parquet part by part, never whole; none streams what is above 512 MiB, "
        "which in memory may be several times as large",
    )
    shard_rows: int | None = Field(
        None,
        ge=1024,
        description="training rows of a stream in memory at once; none for 4 million numbers, "
        "16 MiB of them",
    )
    image_size: Size | None = Field(
        None,
        description="side of the images in pixels; none for their own, or the nearest allowed "
        "below it, so that none is enlarged",
    )
    channels: Channels | None = Field(
        None, description="1 for grey, 3 for colour; none for the images' own"
    )
    attributes: tuple[str, ...] | None = Field(
        None,
        description="attributes of images to take, or classes, in this order; none, the default, "
        "for all",
    )
    damaged: Damaged = Field(
        "error",
        description="images that can't be read: an error, so that none is lost unasked, or skip",
    )

    @property
    def scaling(self) -> Scaling:
        """The scales of a table's columns."""
        return Scaling(self.scale, self.scales, self.relations)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows or images for training, and some that no stage sees.

    Attributes:
        name: The toy set, or the file's name without its suffix.
        train: A table's rows, each column on its scale: ``[N, D]``, float32, values that rows share
            spread over their step or ranks; of a streamed table a random sample.
            Pictures: ``[N, C, H, W]``, uint8, of which a batch becomes floats where it is used
            (:func:`scgan.data.images.schema.to_float`).
        test: The test part, ``[M, D]`` or ``[M, C, H, W]``, shared values left in the middle.
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
        """What the data is, as a system's ``examples`` say what it takes."""
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
