"""Parquet files of a store: rows that a fit writes and later fits read, never all in memory."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scgan.store.storage import Storage, StorageError

if TYPE_CHECKING:
    from pyarrow import parquet

# Rows of neighbouring values of the sorting column share a row group where they are fewer.
MIN_GROUP_ROWS = 1024


@dataclass(frozen=True)
class TableFile:
    """A parquet file of a store.

    Args:
        name: Relative to the store, ``artifacts/<key>/<label>-<hash>.parquet``.
        sha256: Of its bytes.
        bytes: Their number.
        rows: Its rows.
    """

    name: str
    sha256: str
    bytes: int
    rows: int


class Tables:
    """Writes the parquet files of an artifact, and reads those of any.

    Args:
        storage: Of the store.
        key: The artifact's key.
    """

    def __init__(self, storage: Storage, key: str) -> None:
        self.storage, self.key = storage, key

    def write(
        self, label: str, columns: Mapping[str, np.ndarray], by: str | None = None
    ) -> TableFile:
        """Put a file there, whole or not at all; the same rows under a label are the same file.

        Args:
            label: Begins its name.
            columns: Name to values ``[N]``.
            by: A column of integers that the rows are sorted by, so that :meth:`read` can pick rows
                by its values.

        Returns:
            The file.
        """
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table(dict(columns))
        sink = pa.BufferOutputStream()
        how = {
            "use_dictionary": False,
            "compression": "NONE",
            "write_page_checksum": True,
            "store_schema": False,
        }

        with parquet.ParquetWriter(sink, table.schema, **how) as writer:
            for start, end in _groups(len(table), None if by is None else columns[by]):
                rows = end - start
                writer.write_table(table.slice(start, rows), row_group_size=max(1, rows))

        content = sink.getvalue().to_pybytes()
        checksum = hashlib.sha256(content).hexdigest()
        name = f"artifacts/{self.key}/{label}-{checksum[:16]}.parquet"
        self.storage.write(name, content)

        return TableFile(name, checksum, len(content), len(table))

    def read(
        self, file: TableFile, by: str | None = None, values: Sequence[int] = ()
    ) -> dict[str, np.ndarray]:
        """Read a file, or the rows of some values of its sorting column and no others.

        Args:
            file: As :meth:`write` returned it.
            by: The column that its rows are sorted by; None reads all.
            values: Those to read.

        Returns:
            Name to values ``[N]``, the column ``by`` among them.

        Raises:
            StorageError: If the file is missing or damaged: it is removed then, so that its
                artifact counts as missing and is made again.
        """
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with self.storage.open(file.name) as source:
                with parquet.ParquetFile(source, page_checksum_verification=True) as opened:
                    groups = range(opened.num_row_groups)
                    wanted = groups if by is None else _holding(opened, by, values)
                    table = opened.read_row_groups(list(wanted), use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            if getattr(error, "errno", None) not in {None, errno.ENOENT}:
                raise  # the machine's own trouble: it says nothing of the file

            self.storage.delete(file.name)
            reason = " ".join(str(error).split())[:160]
            raise StorageError(
                f"{self.storage.url}: {file.name} is missing or damaged ({reason}); "
                "the same command makes it again"
            ) from None

        columns = {name: table[name].to_numpy() for name in table.column_names}
        if by is None:
            return columns

        keep = np.isin(columns[by], np.asarray(values))
        return columns if keep.all() else {name: array[keep] for name, array in columns.items()}


def _groups(num_rows: int, values: np.ndarray | None) -> Iterator[tuple[int, int]]:
    """Row groups: one for all, or cut where sorted values change and enough rows came together."""
    start = 0
    if values is not None:
        for end in np.flatnonzero(np.diff(values)) + 1:
            if end - start >= MIN_GROUP_ROWS:
                yield start, int(end)
                start = int(end)
    yield start, num_rows


def _holding(opened: parquet.ParquetFile, by: str, values: Sequence[int]) -> Iterator[int]:
    """Row groups whose range of the sorting column holds one of the values."""
    ordered = np.sort(np.asarray(values))
    place = opened.schema_arrow.get_field_index(by)

    for group in range(opened.num_row_groups):
        found = opened.metadata.row_group(group).column(place).statistics
        if found is None or not found.has_min_max:  # of no rows
            continue

        first = np.searchsorted(ordered, found.min)
        if first < len(ordered) and ordered[first] <= found.max:
            yield group
