"""Readers: Arrow tables, and files of parquet and Feather, to columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from scgan.data.raw import Raw, arrow_errors

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX = "__index_level_"
_BUFFER = 2**20  # bytes of a column that are read at once


@dataclass(frozen=True)
class Footer:
    """What the end of a parquet file says of it.

    Attributes:
        names: Of its columns, without an index.
        index: Of the columns that pandas marks as the rows' index.
        types: numpy's type of each column, an index's too; None where it says none.
        rows: Their number.
    """

    names: tuple[str, ...]
    index: tuple[str, ...]
    types: dict[str, np.dtype | None]
    rows: int


def read_parquet(path: Path) -> Raw:
    """Read a parquet file, without the index that pandas adds.

    Raises:
        ValueError: If it can't be read.
    """
    from pyarrow import parquet

    with arrow_errors(path), parquet.ParquetFile(path) as file:
        return from_arrow(file.read())


def read_feather(path: Path) -> Raw:
    """Read an Arrow file (Feather, version 2), or a stream of Arrow batches.

    Raises:
        ValueError: If it can't be read.
    """
    import pyarrow as pa

    with arrow_errors(path), pa.OSFile(str(path)) as file:
        magic = file.read(6)
        file.seek(0)
        of_file = magic == b"ARROW1"
        opened = pa.ipc.open_file(file) if of_file else pa.ipc.open_stream(file)
        with opened as reader:
            return from_arrow(reader.read_all())


def read_footer(path: Path | BinaryIO) -> Footer:
    """What the end of a parquet file says of its columns; of the file, or of its last bytes."""
    from pyarrow import parquet

    meta = parquet.read_metadata(path)
    schema = meta.schema.to_arrow_schema()
    index = _index(schema)
    types = {field.name: _numpy_type(field.type) for field in schema}
    names = tuple(name for name in schema.names if name not in index)
    return Footer(names, tuple(index), types, meta.num_rows)


def parquet_batches(path: Path, names: Sequence[str], num_rows: int) -> Iterator[Raw]:
    """Read some columns of a parquet file batch by batch, whatever its row groups' size.

    Args:
        path: The file.
        names: Columns to read.
        num_rows: Most rows of a batch.

    Yields:
        The columns of the rows that follow.

    Raises:
        ValueError: If it can't be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with (
        arrow_errors(path),
        parquet.ParquetFile(path, buffer_size=_BUFFER, page_checksum_verification=True) as file,
    ):
        for batch in file.iter_batches(num_rows, columns=list(names), use_threads=False):
            yield from_arrow(pa.Table.from_batches([batch]))


def from_arrow(table: pa.Table) -> Raw:
    """An Arrow table's columns; what its own metadata marks as an index is not among its names."""
    import pyarrow as pa

    columns, missing, untyped = {}, {}, set[str]()
    for name, column in zip(table.column_names, table.columns, strict=True):
        columns[name], mask = _arrow_column(column)
        if mask is not None:
            missing[name] = mask
        if pa.types.is_null(column.type):
            untyped.add(name)

    index = _index(table.schema)
    names = tuple(name for name in table.column_names if name not in index)
    return Raw(names, columns, missing, untyped=frozenset(untyped))


def _index(schema: pa.Schema) -> list[str]:
    """Columns that are the index of the data frame that was written."""
    try:
        marked = json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
    except (KeyError, TypeError, ValueError):
        marked = []

    named = [name for name in marked if isinstance(name, str) and name in schema.names]
    return [*named, *(n for n in schema.names if n.startswith(_INDEX) and n not in named)]


def _numpy_type(kind: pa.DataType) -> np.dtype | None:
    import pyarrow as pa

    if pa.types.is_null(kind):
        return None
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return np.dtype(kind.to_pandas_dtype()) if is_plain else np.dtype(object)


def _arrow_column(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    import pyarrow as pa

    mask = column.is_null().to_numpy() if column.null_count else None
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan), mask

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)

    if mask is not None:
        column = _fill(column)

    values = column.to_numpy()
    return values, mask


def _fill(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put some value where there is none, so that integers stay integers."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_integer(column.type) or kinds.is_floating(column.type):
        return column.fill_null(pa.scalar(0).cast(column.type))

    if kinds.is_boolean(column.type):
        return column.fill_null(False)

    if kinds.is_string(column.type) or kinds.is_large_string(column.type):
        return column.fill_null("")

    return column
