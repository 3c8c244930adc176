"""Readers: Arrow tables, and files of parquet and Feather, to columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from scgan.data.raw import Raw, arrow_errors
from scgan.data.tables.values import PLAIN, Meaning, Meanings, mask_of

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX = "__index_level_"
_PANDAS_TYPE = re.compile(r"U?Int\d+|Float\d+|boolean|string")
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
        if magic[:4] == b"FEA1":
            raise ValueError(f"{path}: Feather of version 1, of 2016; write it as version 2")
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
    columns, missing, meanings = {}, {}, {}
    own = _pandas_types(table.schema)
    for name, column in zip(table.column_names, table.columns, strict=True):
        columns[name], mask, meaning = _arrow_column(column)
        meaning = replace(meaning, pandas=own.get(name))
        if mask is not None:
            missing[name] = mask
        if meaning != PLAIN:
            meanings[name] = meaning

    index = _index(table.schema)
    names = tuple(name for name in table.column_names if name not in index)
    untyped = frozenset(name for name, meaning in meanings.items() if meaning.empty)
    return Raw(names, columns, missing, untyped=untyped, meanings=meanings)


def from_objects(values: np.ndarray, meaning: Meaning) -> tuple[np.ndarray, np.ndarray, Meaning]:
    """Python's objects ``[N]`` as numbers, times or texts, if Arrow takes them so; their gaps."""
    import pyarrow as pa

    none = np.zeros(len(values), dtype=bool)
    try:
        array = pa.chunked_array([pa.array(values, from_pandas=True)])
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return values, none, meaning

    found, mask, own = _arrow_column(array)
    if own.empty:
        return values, none, meaning
    return found, none if mask is None else mask, own if meaning == PLAIN else meaning


def _of_pandas(schema: pa.Schema, key: str) -> list[Any]:
    """What pandas has noted of the data frame that was written."""
    try:
        noted = json.loads((schema.metadata or {})[b"pandas"])[key]
    except (KeyError, TypeError, ValueError):
        return []
    return noted if isinstance(noted, list) else []


def _pandas_types(schema: pa.Schema) -> dict[str, str]:
    """Types that pandas has beside numpy's, by the columns' names."""
    noted = [entry for entry in _of_pandas(schema, "columns") if isinstance(entry, dict)]
    types = {str(entry.get("name")): str(entry.get("numpy_type")) for entry in noted}
    return {name: kind for name, kind in types.items() if _PANDAS_TYPE.fullmatch(kind)}


def _index(schema: pa.Schema) -> list[str]:
    """Columns that are the index of the data frame that was written."""
    marked = _of_pandas(schema, "index_columns")
    named = [name for name in marked if isinstance(name, str) and name in schema.names]
    return [*named, *(n for n in schema.names if n.startswith(_INDEX) and n not in named)]


def _numpy_type(kind: pa.DataType) -> np.dtype | None:
    import pyarrow as pa

    if pa.types.is_null(kind):
        return None
    values, _, _ = _arrow_column(pa.chunked_array([], kind))
    return values.dtype


def _arrow_column(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None, Meaning]:
    """Values, the mask of those that are missing, and what they mean."""
    import pyarrow as pa

    kinds = pa.types
    mask = column.is_null().to_numpy() if column.null_count else None
    if kinds.is_null(column.type):
        return np.full(len(column), np.nan), mask, Meaning(empty=True)

    meaning = PLAIN
    if kinds.is_dictionary(column.type):
        column, meaning = _categorical(column)
        mask = column.is_null().to_numpy() if column.null_count else None
    elif kinds.is_timestamp(column.type):
        meaning = Meaning(zone=column.type.tz)
    elif kinds.is_time(column.type):
        return *_times_of_day(column), Meaning(clock=True)
    elif kinds.is_large_string(column.type):
        meaning = Meaning(large=True)

    return (column if mask is None else _fill(column)).to_numpy(), mask, meaning


def _categorical(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Meaning]:
    """A dictionary's values, and all that it allows."""
    import pyarrow as pa

    kind, kinds = column.type.value_type, pa.types
    column = column.unify_dictionaries()
    levels = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    known = tuple(level for level in levels if level is not None)
    plain = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind)
    text = kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)
    meaning = Meaning(levels=known, ordered=column.type.ordered) if plain or text else PLAIN
    return column.cast(kind), meaning


def _times_of_day(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    import pyarrow as pa

    mask = column.is_null().to_numpy() if column.null_count else None
    whole = pa.int32() if pa.types.is_time32(column.type) else pa.int64()
    passed = column.cast(whole).cast(pa.int64()).fill_null(0).to_numpy()
    return passed.view(f"timedelta64[{column.type.unit}]"), mask


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


def to_arrow(
    columns: Mapping[str, np.ndarray], meanings: Meanings = MappingProxyType({})
) -> pa.Table:
    """Columns as an Arrow table.

    Args:
        columns: Name to values ``[N]``; what is masked becomes null, NaN stays.
        meanings: What they are beyond numpy's types.
    """
    import pyarrow as pa

    table = pa.table({n: arrow_array(v, meanings.get(n, PLAIN)) for n, v in columns.items()})
    noted = [
        {"name": n, "field_name": n, "pandas_type": None, "numpy_type": m.pandas, "metadata": None}
        for n, m in meanings.items()
        if m.pandas is not None
    ]
    if not noted:
        return table
    about = {"index_columns": [], "column_indexes": [], "columns": noted}
    return table.replace_schema_metadata({"pandas": json.dumps(about)})


def arrow_array(values: np.ndarray, meaning: Meaning) -> pa.Array:
    """A column as Arrow's own type of it."""
    import pyarrow as pa

    if meaning.empty:
        return pa.nulls(len(values))

    data, mask = np.ma.getdata(values), mask_of(values)
    if data.dtype.kind == "f":
        mask = mask & ~np.isnan(data)
    if meaning.levels is not None:
        return _dictionary(data, mask, meaning)
    if data.dtype.kind == "U":
        return pa.array(data, pa.large_string() if meaning.large else pa.string(), mask=mask)

    if meaning.clock:
        unit = np.datetime_data(data.dtype)[0]
        passed = pa.array(data.astype(np.int64), mask=mask)
        short = unit in {"s", "ms"}
        return (
            passed.cast(pa.int32()).cast(pa.time32(unit)) if short else passed.view(pa.time64(unit))
        )

    array = pa.array(data, mask=mask)
    return array.view(pa.timestamp(array.type.unit, meaning.zone)) if meaning.zone else array


def _dictionary(data: np.ndarray, mask: np.ndarray, meaning: Meaning) -> pa.Array:
    """Values as places in all that their type allows."""
    import pyarrow as pa

    levels = np.array(meaning.levels, dtype=data.dtype.type)
    order = np.argsort(levels)
    places = order[np.searchsorted(levels, data, sorter=order).clip(max=len(levels) - 1)]
    small = np.min_scalar_type(-len(levels))  # signed, as pandas writes them
    known = pa.array(levels, pa.string()) if levels.dtype.kind == "U" else pa.array(levels)
    indices = pa.array(places.astype(small), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, known, ordered=meaning.ordered)
