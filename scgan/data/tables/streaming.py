"""A table in parquet files that is read part by part, never whole."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scgan.config import suggest
from scgan.data.formats import parquet_batches, parquet_names
from scgan.data.images.parquet import has_images
from scgan.data.remote import list_parquet, on_disk
from scgan.data.tables.reading import Missing, Table, check_names, checked, table_files
from scgan.data.tables.schema import Moments, Schema

STREAM_VERSION = (
    1  # part of every fingerprint: raise it when the same files come to give other rows
)

STREAM_ABOVE = 2**29
"""Bytes of parquet above which a table is streamed where nothing else is said."""

BATCH_ROWS = 2**17
SHARD_VALUES = 2**22
"""Numbers of a shard where nothing else is said: 16 MiB of them are in memory at once."""

# of more rows, shards grow: a shard is gathered from all parts, in at least one read a part
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

    if source.startswith("s3://"):
        sizes = list_parquet(source)
    else:
        path = Path(source).expanduser()
        files = (
            sorted(path.rglob("*.parquet"))
            if path.is_dir()
            else [path]
            if path.suffix == ".parquet"
            else []
        )

        files = [file for file in files if file.is_file() and not file.name.startswith((".", "_"))]
        sizes = {str(file): file.stat().st_size for file in files}
        if stream and not sizes:
            table_files(path)  # says what is wrong with the path, if anything is

    if stream:
        if not sizes:
            raise ValueError(
                f"{source}: only .parquet, or a folder of such files, can be streamed; convert it"
            )

        return tuple(sizes)

    if sum(sizes.values()) <= STREAM_ABOVE:
        return ()

    with on_disk(next(iter(sizes))) as first:
        return () if has_images(first) else tuple(sizes)


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
        """Choose the columns by the first file's; the arguments are the attributes, None for all columns.

        Raises:
            ValueError: If the file can't be read.
        """
        with on_disk(paths[0]) as first:
            names = parquet_names(first)
        chosen = (
            tuple(name for name in names if name != label) if columns is None else tuple(columns)
        )
        return cls(tuple(paths), chosen, label, missing, test_fraction, seed)

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

    def columns(self, table: Table, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Some rows of a batch, by a mask ``[N]``."""
        return {name: table.columns[name][rows] for name in self.names}


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
            yield self.parts.columns(table, train), (deal[train] * self.num_shards).astype(np.int32)


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


def measure(parts: Parts, num_train: int, num_test: int, shard_rows: int | None) -> Measured:
    """Read a table once: its schema, its size, and samples to have in memory.

    Args:
        parts: Its files.
        num_train: Most rows of the sample of training rows.
        num_test: The same of the rows held out.
        shard_rows: Training rows of a shard; None for :data:`SHARD_VALUES` numbers.

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
            train.add(1 - place, table, ~held_out)
            test.add(place, table, held_out)

            try:
                moments.add(parts.columns(table, ~held_out))
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None

        rows.append((train.seen, test.seen))

    if min(train.seen, test.seen) < 2:
        raise ValueError(
            f"{parts.paths[0]}: {train.seen} rows to train, {test.seen} to test; each needs at least 2: give more "
            "rows, or another --data.test_fraction"
        )

    schema, samples = moments.schema(), (train.table(parts.names), test.table(parts.names))
    if schema.dim == 0:
        raise ValueError(f"{parts.paths[0]}: all columns are constant; there is nothing to learn")

    stream = Stream(parts, train.seen, test.seen, _num_shards(train.seen, schema.dim, shard_rows))
    drawn = (
        rows,
        parts.names,
        parts.test_fraction,
        parts.seed,
        stream.num_shards,
        num_train,
        num_test,
    )

    return Measured(stream, schema, *samples, dropped, _fingerprint(drawn, moments, samples))


def _fingerprint(drawn: object, moments: Moments, samples: Sequence[Table]) -> str:
    digest = hashlib.sha256(repr(("stream", STREAM_VERSION, drawn)).encode())
    for column in moments.digests.values():
        digest.update(column.digest())
    for table in samples:
        for array in (*table.columns.values(), *(() if table.labels is None else (table.labels,))):
            digest.update(repr((array.dtype.str, array.shape)).encode() + array.tobytes())
    return digest.hexdigest()


def _num_shards(num_rows: int, dim: int, shard_rows: int | None) -> int:
    return min(MAX_SHARDS, max(1, num_rows // (shard_rows or max(1, SHARD_VALUES // dim))))


class Sample:
    """The rows of the lowest ranks among all that were added: a random sample, where ranks are random.

    Args:
        size: Most rows.

    Attributes:
        seen: Rows that were added.
    """

    def __init__(self, size: int) -> None:
        self.size, self.bound, self.seen = size, math.inf, 0
        self.batches: list[tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None]] = []

    def add(self, ranks: np.ndarray, table: Table, mask: np.ndarray) -> None:
        """Add the rows of a table that a mask names, by their ranks: both ``[N]``."""
        self.seen += int(mask.sum())
        low = mask & (ranks < self.bound)
        labels = None if table.labels is None else table.labels[low]
        self.batches.append(
            (ranks[low], {name: table.columns[name][low] for name in table.names}, labels)
        )
        if sum(len(ranks) for ranks, _, _ in self.batches) > 2 * self.size:
            self._cut()

    def _cut(self) -> None:
        """Keep the lowest ranks, in their order."""
        ranks, columns, labels = zip(*self.batches, strict=True)
        joined = np.concatenate(ranks)
        order = np.argsort(joined)[: self.size]
        if len(order) == self.size:
            self.bound = joined[order[-1]]

        chosen = {
            name: np.concatenate([batch[name] for batch in columns])[order] for name in columns[0]
        }
        told = None if labels[0] is None else np.concatenate(labels)[order]
        self.batches = [(joined[order], chosen, told)]

    def table(self, names: tuple[str, ...]) -> Table:
        """The sample, in the order of its ranks, hence at random."""
        self._cut()
        ((_, columns, labels),) = self.batches
        return Table(names, columns, labels, 0)
