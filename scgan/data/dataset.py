"""What every stage starts from: standardised rows, split once, with their fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from scgan.config import Settings, suggest
from scgan.data.formats import READERS
from scgan.data.schema import Schema
from scgan.data.table import Table, read_table
from scgan.data.toy import TOYS, Toy

# Part of every fingerprint: raise it when the same source comes to give other rows, so that old artifacts are
# not taken.
DATA_VERSION = 1


class DataConfig(Settings):
    """Which data, and how it is split."""

    source: str = Field("checkerboard", min_length=1, description="name of a toy set, a path, or s3://bucket/key")
    columns: tuple[str, ...] | None = Field(
        None, description="columns of a table to model, in this order; none for all"
    )
    label: str | None = Field(None, description="column of a table kept out of training and used in evaluation")
    missing: Literal["error", "drop"] = Field("error", description="rows with NaN or infinity: an error, or left out")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of a table's rows that no stage sees")
    num_train: int = Field(128_000, ge=2, le=100_000_000, description="training rows drawn from a toy set")
    num_test: int = Field(128_000, ge=2, le=100_000_000, description="test rows drawn from a toy set")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows for training and rows that no stage sees.

    Attributes:
        name: The toy set, or the file's name without its suffix.
        train: Standardised, shape ``[N, D]``, float32.
        test: Standardised by the training rows, shape ``[M, D]``, float32.
        schema: From and to the user's columns and units; fitted on the training rows.
        train_labels: Shape ``[N]``, or None.
        test_labels: Shape ``[M]``, or None.
        toy: The distribution the rows are from, where it is known.
        fingerprint: sha256 of everything above; equal if and only if the rows are.
        dropped: Rows of the file left out for missing values.
    """

    name: str
    train: Tensor
    test: Tensor
    schema: Schema
    train_labels: np.ndarray | None
    test_labels: np.ndarray | None
    toy: Toy | None
    fingerprint: str
    dropped: int

    def describe(self) -> dict[str, Any]:
        """Plain values for a log: sizes, columns that are not modelled, fingerprint."""
        kinds = {kind: [c.name for c in self.schema.columns if c.kind == kind] for kind in ("constant", "duplicate")}
        return {
            "name": self.name,
            "train_rows": len(self.train),
            "test_rows": len(self.test),
            "dropped_rows": self.dropped,
            "columns": list(self.schema.names),
            "modelled_columns": self.schema.dim,
            "constant_columns": kinds["constant"],
            "duplicate_columns": kinds["duplicate"],
            "labelled": self.train_labels is not None,
            "fingerprint": self.fingerprint,
        }


def load(config: DataConfig, seed: int) -> Dataset:
    """Draw a toy set, or read and split a table.

    Args:
        config: Which data.
        seed: Seed of the run, at least 0: of a toy's rows, and of a table's split.

    Returns:
        The rows; the same for the same arguments.

    Raises:
        ValueError: In one line, if the source is unknown or its rows can't be used.
    """
    if config.source in TOYS:
        if config.columns is not None or config.label is not None:
            raise ValueError(f"{config.source!r} is a toy set: it has no --data.columns to choose and no --data.label")
        return _draw(TOYS[config.source], config.num_train, config.num_test, seed)
    path = Path(config.source).expanduser()
    is_path = config.source.startswith("s3://") or "/" in config.source or path.suffix in READERS or path.exists()
    if not is_path:
        raise ValueError(
            f"unknown data {config.source!r}{suggest(config.source, TOYS)} (a path or s3://bucket/key will do, too)"
        )
    table = read_table(config.source, config.columns, config.label, config.missing)
    return split(path.stem, table, config.test_fraction, seed)


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
    parts = {part: {n: table.columns[n][index] for n in table.names} for part, index in rows.items()}
    schema = Schema.fit(parts["train"])
    if schema.dim == 0:
        raise ValueError(f"{name}: all columns are constant ({', '.join(schema.names[:8])}); there is nothing to learn")
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
    return Dataset(name, train, train[:0], schema, table.labels, None, None, fingerprint, table.dropped)


def _draw(toy: Toy, num_train: int, num_test: int, seed: int) -> Dataset:
    # A generator for each part, so that the size of one changes nothing in the other.
    parts = []
    for part, num in enumerate((num_train, num_test)):
        state = np.random.SeedSequence((seed, part)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) % 2**63)
        points = toy.sample(num, generator).numpy()
        parts.append({f"x{i}": np.ascontiguousarray(points[:, i]) for i in range(points.shape[1])})
    schema = Schema.fit(parts[0])
    digest = hashlib.sha256(repr(("toy", DATA_VERSION, toy.name, num_train, num_test, seed)).encode())
    train, test = (schema.encode(part) for part in parts)
    return Dataset(toy.name, train, test, schema, None, None, toy, digest.hexdigest(), dropped=0)


def _fingerprint(table: Table, test_fraction: float, seed: int) -> str:
    digest = hashlib.sha256(repr(("table", DATA_VERSION, table.names, test_fraction, seed)).encode())
    arrays = [table.columns[name] for name in table.names] + ([] if table.labels is None else [table.labels])
    for array in arrays:
        digest.update(repr((array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
