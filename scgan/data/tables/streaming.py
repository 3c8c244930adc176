"""A table in parquet files that is read part by part, never whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scgan.data.fingerprint import fingerprint
from scgan.data.tables.checking import BY_FLAG
from scgan.data.tables.moments import Moments
from scgan.data.tables.parts import Parts
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema
from scgan.data.tables.table import Table, concatenated

# Part of every fingerprint: raise it when the same files come to give other rows.
STREAM_VERSION = 3

DEFAULT_SCALING = Scaling()
SHARD_VALUES = 2**22
"""Numbers of a shard where nothing else is said: 16 MiB of them are in memory at once."""

# Of more rows, shards grow: a shard is gathered from all parts, in at least one read a part.
MAX_SHARDS = 256


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
    lacking = Counter[str]()

    for part, path in enumerate(parts.paths):
        for table, place, _ in parts.batches(part):
            dropped += table.dropped
            lacking += table.lacking
            held_out = place < parts.test_fraction
            train_rows, test_rows = table.take(~held_out), table.take(held_out)
            train.add(1 - place[~held_out], train_rows)
            test.add(place[held_out], test_rows)

            try:
                moments.add(train_rows.columns, train_rows.meanings)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None

        rows.append((train.seen, test.seen))

    left = train.seen + test.seen
    if min(train.seen, test.seen) < 2 and dropped > left:
        worst = lacking.most_common(1)[0][0]
        raise ValueError(
            f"{parts.paths[0]}: {left} of {left + dropped} rows are left without missing values, "
            f"most of which are in {worst!r}: {BY_FLAG.empty}"
        )

    if min(train.seen, test.seen) < 2:
        raise ValueError(
            f"{parts.paths[0]}: {train.seen} rows to train, {test.seen} to test; each needs at "
            "least 2: give more rows, or another --data.test_fraction"
        )

    train_rows, test_rows = train.table(), test.table()
    try:
        schema = moments.schema().knowing(test_rows.columns)
    except ValueError as error:
        raise ValueError(f"{parts.paths[0]}: {error}") from None

    schema = schema.learnable(parts.paths[0]).adapted(train_rows.columns, scaling, parts.seed)
    num_shards = _num_shards(train.seen, schema.dim, shard_rows)
    stream = Stream(parts, train.seen, test.seen, num_shards)

    sizes = (num_shards, num_train, num_test)
    drawn: tuple[object, ...] = ("stream", STREAM_VERSION, rows, parts.names)
    drawn = (*drawn, parts.test_fraction, parts.seed, sizes)
    if schema.meanings:
        drawn = (*drawn, schema.meanings)
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
