"""Reader: parquet files with encoded images and their labels, as Hugging Face has them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scgan.config import suggest
from scgan.data.images.decoding import Encoded, is_image
from scgan.data.images.folders import TEST_NAMES
from scgan.data.images.sources import Source, labelled
from scgan.data.raw import arrow_errors
from scgan.data.telling import listed, tell

if TYPE_CHECKING:
    import pyarrow as pa

NUM_LOOKED_AT = 32  # cells of a column of bytes
_LABELS = ("label", "labels", "y", "class")


def has_images(path: Path) -> bool:
    """Whether a parquet file has a column of images; False also for a file that can't be read."""
    import pyarrow as pa

    try:
        return _image_column(path) is not None
    except (pa.ArrowException, OSError):
        return False


def read_image_parquet(files: Sequence[Path], label: str | None) -> Source:
    """Read a column of encoded images, ``{bytes, path}`` or binary, and their labels.

    Files named ``test-...`` (or ``validation-...``) are the test part where others are there.

    Args:
        files: Of the same columns.
        label: The column of classes; None for ``label``, ``labels``, ``y`` or ``class``, or for all
            columns of true and false as attributes.

    Returns:
        The source.

    Raises:
        ValueError: If a file can't be read, there is no such label, or the labels can't be used.
    """
    parts: dict[str, list[Path]] = {}
    for file in files:
        parts.setdefault(_part(file), []).append(file)

    # Files of one part alone are all there is, whatever its name.
    test = next(filter(parts.__contains__, TEST_NAMES), None) if len(parts) > 1 else None
    training = files if test is None else parts.get("train", [])
    if rest := [] if test is None else [name for name in parts if name not in {"train", test}]:
        tell(files[0].parent, f"files that are not read: {listed(rest)}")

    images, values, names = _table(training, label)
    test_images, test_values, _ = (None, None, None) if test is None else _table(parts[test], label)

    try:
        return labelled(images, values, test_images, test_values, names)
    except ValueError as error:
        raise ValueError(f"{files[0].parent if len(files) > 1 else files[0]}: {error}") from None


def _part(file: Path) -> str:
    """``"train"`` or the test part's name, by the beginning of the file's name."""
    start = file.stem.lower().replace("_", "-").partition("-")[0]
    return start if start in TEST_NAMES else "train"


def _table(
    files: Iterable[Path], label: str | None
) -> tuple[list[Encoded], np.ndarray | None, list[str] | None]:
    from pyarrow import parquet

    images: list[Encoded] = []
    values: list[np.ndarray] = []
    names: list[str] | None = None

    for file in files:
        with arrow_errors(file):
            schema = parquet.read_schema(file)
            column = _image_column(file)

        if column is None:
            raise ValueError(f"{file}: there is no column of images here, as in the other files")

        labels = _label_columns(file, schema, label)
        rest = [name for name in schema.names if name not in {column, *labels}]
        if rest and not images:
            tell(file, f"columns that are not read: {listed(rest)}")
        with arrow_errors(file):
            table = parquet.read_table(file, columns=[column, *labels])

        for row, cell in enumerate(_cells(table[column]), start=1):
            images.append(Encoded(f"{file.name} row {row}", _bytes(cell)))

        if labels:
            values.append(_values(file, table.select(labels)))
            names = labels if values[-1].ndim == 2 else _class_names(schema, labels[0])

    if values and len({array.shape[1:] for array in values}) > 1:
        raise ValueError(f"{file}: its label columns are not those of the other files")

    return images, np.concatenate(values) if values else None, names


def _image_column(path: Path) -> str | None:
    """The first column whose cells are bytes of an image, or have bytes beside a path."""
    import pyarrow as pa
    from pyarrow import parquet

    for field in parquet.read_schema(path):
        kind = field.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return str(field.name)

        is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        if is_bytes and _begins_with_image(path, field.name):
            return str(field.name)

    return None


def _begins_with_image(path: Path, column: str) -> bool:
    """Whether one of the first cells is an image: a table's column of bytes has none."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        first = next(file.iter_batches(NUM_LOOKED_AT, columns=[column]), None)
    cells = [] if first is None else first.column(0).to_pylist()
    return any(is_image(cell) for cell in cells if cell)


def _cells(column: pa.ChunkedArray) -> Iterable[Any]:
    # Chunk by chunk: one array of all the bytes could not be addressed by 32 bits.
    return chain.from_iterable(chunk.to_pylist() for chunk in column.chunks)


def _bytes(cell: Any) -> bytes:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    return content or b""


def _label_columns(file: Path, schema: pa.Schema, label: str | None) -> list[str]:
    import pyarrow as pa

    if label is not None:
        if label not in schema.names:
            raise ValueError(f"{file}: there is no column {label!r}{suggest(label, schema.names)}")
        return [label]
    known = [name for name in _LABELS if name in schema.names]
    return known[:1] or [field.name for field in schema if pa.types.is_boolean(field.type)]


def _values(file: Path, table: pa.Table) -> np.ndarray:
    """One column's values ``[N]``, or several of true and false as ``[N, A]``."""
    empty = [name for name in table.column_names if table[name].null_count]
    if empty:
        raise ValueError(
            f"{file}: {table[empty[0]].null_count} rows have no value in the label column "
            f"{empty[0]!r}"
        )

    columns = [table[name].to_numpy() for name in table.column_names]
    if len(columns) > 1:
        return np.stack(columns, 1)

    return np.array(columns[0].tolist()) if columns[0].dtype.kind == "O" else columns[0]


def _class_names(schema: pa.Schema, label: str) -> list[str] | None:
    """The classes' names where the file has them as Hugging Face's ``ClassLabel``."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        names = about["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return list(map(str, names))
