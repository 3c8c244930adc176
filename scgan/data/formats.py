"""Readers: one file of a known format to named arrays, with what is missing marked."""

from __future__ import annotations

import contextlib
import difflib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


FOLDER_SUFFIXES = (".parquet", ".csv")
"""Of files that a folder can hold as the parts of one table."""

HIDDEN = (".", "_")
"""How the names of files begin that other programs leave in such a folder."""

_INDEX = "__index_level_"
_BUFFER = 2**20  # bytes of a column that are read at once


@dataclass(frozen=True)
class Raw:
    """Columns as a file has them, before any check.

    Attributes:
        names: All names of the file, also repeated ones.
        columns: Name to values ``[N]`` of any type.
        missing: Name to mask ``[N]``, True where the file has no value; only columns where there is
            such a row.
        label: Name of the column that the format itself marks as labels, or None.
    """

    names: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    missing: Mapping[str, np.ndarray]
    label: str | None = None

    @property
    def num_rows(self) -> int:
        """Rows, N, of a file with columns of one length."""
        return len(self.columns[self.names[0]])


def files_of(folder: Path, *suffixes: str) -> list[Path]:
    """The files of these kinds in a folder and below, in the order of names, hidden ones not."""
    found = [path for path in sorted(folder.rglob("*")) if path.suffix in suffixes]
    return [path for path in found if path.is_file() and not path.name.startswith(HIDDEN)]


def read_npy(path: Path) -> Raw:
    """Read a 2-D array as the columns x0, x1, ...

    Raises:
        ValueError: If it is not such an array.
    """
    array = load_numpy(path)
    if not isinstance(array, np.ndarray) or array.ndim != 2:
        shape = list(array.shape) if isinstance(array, np.ndarray) else "of an .npz archive"
        raise ValueError(f"{path}: the array has shape {shape}; a table needs [rows, columns]")
    return _from_matrix(array, {}, None)


def read_npz(path: Path) -> Raw:
    """Read an archive of a matrix, or of 1-D arrays as columns.

    The matrix is ``X``, ``x`` or the only 2-D array. Of the 1-D arrays of its length ``y`` is
    marked as the labels; any can be asked for by name, as the label or a column.

    Raises:
        ValueError: If the archive holds neither, or arrays of different lengths.
    """
    arrays = load_numpy(path)
    if isinstance(arrays, np.ndarray):
        raise ValueError(f"{path}: this is a single array; rename it to .npy")

    flat = {name: array for name, array in arrays.items() if array.ndim == 1}
    matrices = [name for name, array in arrays.items() if array.ndim == 2]

    for key in ("X", "x", *(matrices if len(matrices) == 1 else ())):
        if key in matrices:
            num = len(arrays[key])
            beside = {name: array for name, array in flat.items() if len(array) == num}
            return _from_matrix(arrays[key], beside, "y" if "y" in beside else None)

    if not flat or len(flat) < len(arrays) or len(set(map(len, flat.values()))) > 1:
        shapes = [f"{name} {list(array.shape)}" for name, array in arrays.items()]
        raise ValueError(
            f"{path}: a table needs a 2-D array X, or 1-D arrays of one length; found "
            f"{', '.join(shapes[:8]) or 'nothing'}"
        )

    return Raw(tuple(flat), flat, {})


def read_csv(path: Path) -> Raw:
    """Read comma-separated values under a line of names.

    Raises:
        ValueError: If it can't be read so.
    """
    from pyarrow import csv

    empty = csv.ConvertOptions(strings_can_be_null=True)
    with arrow_errors(path):
        table = csv.read_csv(path, convert_options=empty)

    names = table.column_names
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise ValueError(
            f"{path}: one column named {names[0][:40]!r}; separate the columns by commas"
        )

    if all(map(_is_number, names)):
        raise ValueError(
            f"{path}: the first line holds numbers ({', '.join(names[:3])}); it must name the "
            "columns"
        )

    return _from_arrow(table)


def read_parquet(path: Path) -> Raw:
    """Read a parquet file, without the index that pandas adds.

    Raises:
        ValueError: If it can't be read.
    """
    from pyarrow import parquet

    with arrow_errors(path), parquet.ParquetFile(path) as file:
        table = file.read()

    index = [name for name in table.column_names if name.startswith(_INDEX)]
    return _from_arrow(table.drop_columns(index) if index else table)


def parquet_names(path: Path) -> tuple[str, ...]:
    """Names of a parquet file's columns, by its footer, without the index that pandas adds.

    Raises:
        ValueError: If it can't be read.
    """
    from pyarrow import parquet

    with arrow_errors(path):
        names = parquet.read_schema(path).names
    return tuple(name for name in names if not name.startswith(_INDEX))


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
            yield _from_arrow(pa.Table.from_batches([batch]))


READERS: dict[str, Callable[[Path], Raw]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
"""A reader for every suffix that is allowed."""


def table_files(path: Path) -> list[Path]:
    """The file at a path, or the tables in the folder there, in the order of their names.

    Raises:
        ValueError: In one line, if there is none, or there are several kinds.
    """
    allowed = f"allowed are {', '.join(READERS)}, or a folder of .parquet, of .csv or of images"
    if path.is_dir():
        found = files_of(path, *FOLDER_SUFFIXES)
        if not found:
            raise ValueError(f"{path}: no table and no images in this folder; {allowed}")

        if found != files_of(path, found[0].suffix):
            raise ValueError(f"{path}: both .parquet and .csv files in this folder; keep one kind")

        return found

    if not path.exists():
        beside = os.listdir(path.parent) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{path}: there is no such file or folder{hint}")

    if path.suffix not in READERS:
        raise ValueError(f"{path}: unknown kind of file {path.suffix!r}; {allowed}")

    return [path]


def load_numpy(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """Read an array, or an archive of arrays by their names, without ever unpickling.

    Raises:
        ValueError: If it can't be read so.
    """
    # Opened here, as numpy leaves a damaged archive open.
    with path.open("rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise _unreadable(path, error) from None


@contextlib.contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Within it, whatever pyarrow says of a file becomes a ValueError of one line."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())
    with path.open("rb") as file:
        # numpy calls whatever it does not know a pickle; a pickle of protocol 2 or later begins
        # with this byte.
        pickled = file.read(1) == b"\x80"

    if pickled or "Object arrays" in reason:
        return ValueError(
            f"{path}: holds pickled Python objects, which are never loaded; save arrays of numbers"
        )

    detail = "" if "pickle" in reason else f" ({reason[:160]})"
    return ValueError(
        f"{path}: can't be read as {path.suffix}, it is damaged, cut short or another format"
        + detail
    )


def _from_matrix(matrix: np.ndarray, beside: Mapping[str, np.ndarray], label: str | None) -> Raw:
    columns = {f"x{i}": matrix[:, i] for i in range(matrix.shape[1])}
    clash = [name for name in beside if name in columns]
    if clash:
        raise ValueError(
            f"array {clash[0]!r} has the name of a column of the matrix; rename the array"
        )
    return Raw(tuple(columns), {**columns, **beside}, {}, label)


def _from_arrow(table: pa.Table) -> Raw:
    columns, missing = {}, {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        columns[name], mask = _arrow_column(column)
        if mask is not None:
            missing[name] = mask
    return Raw(tuple(table.column_names), columns, missing)


def _arrow_column(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    import pyarrow as pa

    mask = column.is_null().to_numpy() if column.null_count else None
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan), mask

    if mask is not None:
        column = _fill(column)

    values = column.to_numpy()
    return values, mask


def _fill(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put some value where there is none, so that integers stay integers."""
    import pyarrow as pa

    if (
        pa.types.is_integer(column.type)
        or pa.types.is_floating(column.type)
        or pa.types.is_boolean(column.type)
    ):
        return column.fill_null(pa.scalar(0).cast(column.type))

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.fill_null("")

    return column


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
