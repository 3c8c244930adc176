"""A table in parquet files that is read part by part, never whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scgan.config import suggest
from scgan.data.fingerprint import fingerprint
from scgan.data.formats import files_of, parquet_batches, parquet_names, table_files
from scgan.data.images.parquet import has_images
from scgan.data.remote import list_parquet, on_disk
from scgan.data.tables.moments import Moments
from scgan.data.tables.reading import (
    Missing,
    Table,
    check_names,
    checked,
    concatenated,
)
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema

# Part of every fingerprint: raise it when the same files come to give other rows.
STREAM_VERSION = 1

STREAM_ABOVE = 2**29
"""Bytes of parquet above which a table is streamed where nothing else is said."""

BATCH_ROWS = 2**17
DEFAULT_SCALING = Scaling()
SHARD_VALUES = 2**22
"""Numbers of a shard where nothing else is said: 16 MiB of them are in memory at once."""

# Of more rows, shards grow: a shard is gathered from all parts, in at least one read a part.
MAX_SHARDS = 256


def find_parts(source: str, stream: bool | None) -> tuple[str, ...]:
    """The files of a table that is to be streamed.

    Args:
        source: A path or ``s3://`` address.
        stream: What was asked for; None streams what is larger than :data:`STREAM_ABOVE`.

    Returns:
        Paths or addresses, in the order of their names; none where the table is to be read whole.

    Raises:
        ValueError: If it is to be streamed, but is no parquet.
    """
    if stream is False:
        return ()

    sizes = list_parquet(source) if source.startswith("s3://") else _sizes(Path(source))
    if stream and not sizes:
        if not source.startswith("s3://"):
            table_files(Path(source).expanduser())  # a path that isn't there has its own error
        raise ValueError(
            f"{source}: only .parquet, or a folder of such files, can be streamed; convert it"
        )

    if stream or not sizes:
        return tuple(sizes)

    if sum(sizes.values()) <= STREAM_ABOVE:
        return ()

    # Images are decoded, which makes them larger than their files; they are never streamed.
    with on_disk(next(iter(sizes))) as first:
        return () if has_images(first) else tuple(sizes)


def _sizes(path: Path) -> dict[str, int]:
    """The .parquet files at a path or below it, and their sizes in bytes."""
    path = path.expanduser()
    files = files_of(path, ".parquet") if path.is_dir() else [path]
    return {str(f): f.stat().st_size for f in files if f.suffix == ".parquet" and f.is_file()}


@dataclass(frozen=True)
class Parts:
    """Parquet files, how their rows are read, and what is drawn for each row.

    Attributes:
        paths: The files, on disk or ``s3://``.
        names: Columns to model, in this order.
        label: Column kept apart, or None.
        missing: What to do with rows that hold NaN, infinity or no value.
        test_fraction: Share of the rows that no stage sees.
        seed: Of what is drawn.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    label: str | None
    missing: Missing
    test_fraction: float
    seed: int

    @classmethod
    def open(
        cls,
        paths: Sequence[str],
        columns: Sequence[str] | None,
        label: str | None,
        missing: Missing,
        test_fraction: float,
        seed: int,
    ) -> Parts:
        """Choose the columns by the first file's; ``columns`` None takes all but the label.

        Raises:
            ValueError: If the file can't be read.
        """
        if columns is None:
            with on_disk(paths[0]) as first:
                columns = [name for name in parquet_names(first) if name != label]
        return cls(tuple(paths), tuple(columns), label, missing, test_fraction, seed)

    def batches(self, part: int) -> Iterator[tuple[Table, np.ndarray, np.ndarray]]:
        """Read a file.

        Args:
            part: Its place in ``paths``.

        Yields:
            A batch of checked rows, and two uniform numbers in [0, 1) a row, ``[N]`` each: the same
            for the same row of the same file, however it is read. Rows whose first number is below
            ``test_fraction`` are held out.

        Raises:
            ValueError: In one line, for whatever is wrong with the file.
        """
        rng = np.random.default_rng((self.seed, part))
        wanted = [*self.names, *(() if self.label is None else (self.label,))]

        with on_disk(self.paths[part]) as path:
            names = parquet_names(path)
            check_names(path, names, path, names)

            for name in wanted:
                if name not in names:
                    raise ValueError(f"{path}: there is no column {name!r}{suggest(name, names)}")

            for raw in parquet_batches(path, wanted, BATCH_ROWS):
                table = checked(str(path), raw, self.names, self.label, self.missing, whole=False)
                place, deal = rng.random((table.num_rows, 2)).T
                yield table, place, deal


@dataclass(frozen=True)
class Stream:
    """A table larger than memory: how it is read, and what one pass over it found.

    Attributes:
        parts: Its files.
        num_train: Training rows.
        num_test: Rows held out, of which a sample is in memory.
        num_shards: Random shares of the training rows, one of which is in memory at a time.
    """

    parts: Parts
    num_train: int
    num_test: int
    num_shards: int

    def train_rows(self, part: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """The training rows of a file, batch by batch.

        Args:
            part: Its place in ``parts.paths``.

        Yields:
            Name to values ``[N]``, in the user's units; and the shard of each row, ``[N]``.
        """
        for table, place, deal in self.parts.batches(part):
            train = place >= self.parts.test_fraction
            yield table.take(train).columns, (deal[train] * self.num_shards).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Measured:
    """What the first pass over a streamed table finds.

    Attributes:
        stream: The table.
        schema: Fitted on its training rows.
        train: A random sample of the training rows, in the user's units.
        test: A random sample of the rows held out.
        dropped: Rows left out for missing values.
        fingerprint: sha256 of all training rows, the held-out sample, and how rows are drawn.
    """

    stream: Stream
    schema: Schema
    train: Table
    test: Table
    dropped: int
    fingerprint: str


def measure(
    parts: Parts,
    num_train: int,
    num_test: int,
    shard_rows: int | None,
    scaling: Scaling = DEFAULT_SCALING,
) -> Measured:
    """Read a table once: its schema, its size, and samples to have in memory.

    Args:
        parts: Its files.
        num_train: Most rows of the sample of training rows.
        num_test: The same of the rows held out.
        shard_rows: Training rows of a shard; None for :data:`SHARD_VALUES` numbers.
        scaling: The columns' scales; ranks are those of the sample of training rows, which are off
            by less than ``1.36 / sqrt(num_train)`` with a probability of 95 %, and reach as far as
            all rows do.

    Returns:
        What was found; the same for the same rows.

    Raises:
        ValueError: In one line, if a file can't be read or used.
    """
    moments, train, test = Moments(), Sample(num_train), Sample(num_test)
    rows, dropped = list[tuple[int, int]](), 0  # to train on and held out, after each file

    for part, path in enumerate(parts.paths):
        for table, place, _ in parts.batches(part):
            dropped += table.dropped
            held_out = place < parts.test_fraction
            train_rows, test_rows = table.take(~held_out), table.take(held_out)
            train.add(1 - place[~held_out], train_rows)
            test.add(place[held_out], test_rows)

            try:
                moments.add(train_rows.columns)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None

        rows.append((train.seen, test.seen))

    if min(train.seen, test.seen) < 2:
        raise ValueError(
            f"{parts.paths[0]}: {train.seen} rows to train, {test.seen} to test; each needs at "
            "least 2: give more rows, or another --data.test_fraction"
        )

    train_rows, test_rows = train.table(), test.table()
    schema = moments.schema().learnable(parts.paths[0])
    schema = schema.adapted(train_rows.columns, scaling, parts.seed)
    num_shards = _num_shards(train.seen, schema.dim, shard_rows)
    stream = Stream(parts, train.seen, test.seen, num_shards)

    sizes = (num_shards, num_train, num_test)
    drawn = ("stream", STREAM_VERSION, rows, parts.names, parts.test_fraction, parts.seed, sizes)
    arrays = [train_rows.labels, *train_rows.columns.values()]
    arrays += [test_rows.labels, *test_rows.columns.values()]
    told = fingerprint((drawn, scaling, moments.hashes()), arrays)

    return Measured(stream, schema, train_rows, test_rows, dropped, told)


def _num_shards(num_rows: int, dim: int, shard_rows: int | None) -> int:
    rows = shard_rows or max(1, SHARD_VALUES // dim)
    return min(MAX_SHARDS, max(1, num_rows // rows))


class Sample:
    """The rows of the lowest ranks among all that were added: a random sample, if ranks are random.

    Args:
        size: Most rows.

    Attributes:
        seen: Rows that were added.
    """

    def __init__(self, size: int) -> None:
        self.size, self.bound, self.seen = size, math.inf, 0
        self.batches: list[tuple[np.ndarray, Table]] = []

    def add(self, ranks: np.ndarray, table: Table) -> None:
        """Add the rows of a table by their ranks, ``[N]``."""
        self.seen += len(ranks)
        low = ranks < self.bound
        self.batches.append((ranks[low], table.take(low)))
        if sum(len(ranks) for ranks, _ in self.batches) > 2 * self.size:
            self._cut()

    def _cut(self) -> None:
        """Keep the lowest ranks, in their order."""
        ranks, tables = zip(*self.batches, strict=True)
        joined = np.concatenate(ranks)
        order = np.argsort(joined)[: self.size]
        if len(order) == self.size:
            self.bound = joined[order[-1]]

        self.batches = [(joined[order], concatenated(tables).take(order))]

    def table(self) -> Table:
        """The sample, in the order of its ranks, hence at random."""
        self._cut()
        ((_, table),) = self.batches
        return table
