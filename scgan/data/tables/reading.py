"""Tables of numbers from a user's files, checked before anything trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from scgan.config import suggest
from scgan.data.formats import READERS, Raw, table_files
from scgan.data.remote import on_disk

Missing = Literal["error", "drop"]

NUM_LISTED = 8  # columns in a message


@dataclass(frozen=True, eq=False)
class Table:
    """Checked columns: finite numbers, of one length, at least one row.

    Attributes:
        names: Columns in the user's order.
        columns: Name to values ``[N]``, boolean, integer or float, in the user's type.
        labels: One a row, ``[N]``, numbers or text; None where no label was named.
        dropped: Rows left out for missing values.
    """

    names: tuple[str, ...]
    columns: dict[str, np.ndarray]
    labels: np.ndarray | None
    dropped: int

    @property
    def num_rows(self) -> int:
        """Rows that are left, N."""
        return len(next(iter(self.columns.values())))

    def take(self, rows: np.ndarray) -> Table:
        """Some of the rows, by their places or by a mask ``[N]``."""
        columns = {name: array[rows] for name, array in self.columns.items()}
        labels = None if self.labels is None else self.labels[rows]
        return Table(self.names, columns, labels, self.dropped)


def concatenated(tables: Sequence[Table]) -> Table:
    """The rows of tables of the same columns, one table after the other, as one."""
    first = tables[0]
    columns: dict[str, np.ndarray] = {}
    for name in first.names:
        columns[name] = np.concatenate([table.columns[name] for table in tables])

    labels = [table.labels for table in tables if table.labels is not None]
    dropped = sum(table.dropped for table in tables)
    return Table(first.names, columns, np.concatenate(labels) if labels else None, dropped)


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    missing: Missing = "error",
) -> Table:
    """Read a table from a file, a folder of files, or S3.

    Args:
        path: .npy, .npz, .csv, .parquet, a folder of .parquet or of .csv files (joined in the order
            of their names), or ``s3://bucket/key`` for any of these.
        columns: The columns to take, in this order; None for all of them but the label.
        label: A column, or an array beside the matrix of an .npz, that is kept apart. ``y`` beside
            a matrix always is.
        missing: ``"error"``, or ``"drop"`` to leave out rows with NaN, infinity or no value in a
            column that is taken.

    Returns:
        The table.

    Raises:
        ValueError: In one line, for whatever is wrong with the file or the request.
    """
    with on_disk(str(path)) as local:
        raw = read_raw(local)
        return checked(str(path), raw, columns, label or raw.label, missing)


def read_raw(path: Path) -> Raw:
    """What a table's file, or the files of a folder, hold, before any check of their values."""
    return _join([(file, _read(file)) for file in table_files(path)])


def from_columns(
    columns: Mapping[str, np.ndarray], labels: np.ndarray | None = None, missing: Missing = "error"
) -> Table:
    """Make a table of arrays, under the same checks as :func:`read_table`.

    Args:
        columns: Name to values ``[N]``.
        labels: One a row, or None.
        missing: What to do with rows that hold NaN or infinity.

    Returns:
        The table.

    Raises:
        ValueError: In one line, for whatever is wrong with the arrays.
    """
    raw = Raw(tuple(columns), {name: np.asarray(array) for name, array in columns.items()}, {})
    return checked("the data", raw, None, None, missing, labels=labels)


def _read(path: Path) -> Raw:
    try:
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: the file is empty")
        return READERS[path.suffix](path)
    except OSError as error:
        raise ValueError(f"{path}: can't be read: {error.strerror or error}") from None


def _join(parts: list[tuple[Path, Raw]]) -> Raw:
    first_path, first = parts[0]
    for path, raw in parts:
        check_names(path, raw.names, first_path, first.names)

    if len(parts) == 1:
        return first

    columns: dict[str, np.ndarray] = {}
    missing: dict[str, np.ndarray] = {}
    for name in first.names:
        values = [raw.columns[name] for _, raw in parts]
        columns[name] = np.concatenate(values)

        masks = [raw.missing.get(name, np.zeros(raw.num_rows, bool)) for _, raw in parts]
        missing[name] = np.concatenate(masks)

    return Raw(first.names, columns, missing)


def check_names(path: Path, names: Sequence[str], first_path: Path, first: Sequence[str]) -> None:
    """Refuse a file whose columns are repeated, unnamed, or not those of its folder's first file.

    Raises:
        ValueError: In one line, for such a file.
    """
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"{path}: column {name!r} appears {count} times; rename one")

    if "" in names:
        where = names.index("") + 1
        raise ValueError(
            f"{path}: column {where} has no name; name it, or save without the index (index=False)"
        )

    if set(names) != set(first):
        odd = sorted(set(names) ^ set(first))[0]
        raise ValueError(
            f"{path}: not the columns of {first_path.name}: {odd!r} is in one of the two only"
        )


def checked(
    source: str,
    raw: Raw,
    columns: Sequence[str] | None,
    label: str | None,
    missing: Missing,
    *,
    labels: np.ndarray | None = None,
    whole: bool = True,
) -> Table:
    """Choose columns of what a file holds, and check them.

    Args:
        source: What messages call it.
        raw: The columns.
        columns: Those to take, in this order; None for all but the label.
        label: The column that is kept apart, or None.
        missing: What to do with rows that hold NaN, infinity or no value.
        labels: One a row, where they are no column.
        whole: Whether these are all rows there are; of a batch of them none may be left.

    Returns:
        The table.

    Raises:
        ValueError: In one line, for whatever is wrong.
    """
    names = _chosen(source, raw, columns, label)
    values: dict[str, np.ndarray] = {}
    for name in names:
        values[name] = _numbers(source, name, raw.columns[name], raw.missing.get(name))

    # The labels are looked at as a column is, where they are one.
    taken = dict(values)
    if label is not None:
        taken[label] = labels = _labels(source, label, raw.columns[label])

    _check_lengths(source, [*values.values(), *(() if labels is None else (labels,))])
    table = Table(names, values, labels, 0)
    bad = _bad_rows(taken, raw.missing)
    if not bad:
        return table

    # Rows without a value are an error, or left out.
    some = np.logical_or.reduce(list(bad.values()))
    if missing == "error":
        raise ValueError(
            f"{source}: NaN, infinity or no value in {_listed(bad)}: {int(some.sum())} of "
            f"{len(some)} rows; --data.missing drop goes on without them"
        )

    if whole and some.all():
        raise ValueError(
            f"{source}: no rows are left without NaN, infinity or missing values; see "
            f"{_listed(bad)}"
        )

    return replace(table.take(~some), dropped=int(some.sum()))


def _check_lengths(source: str, arrays: Sequence[np.ndarray]) -> None:
    lengths = set(map(len, arrays))
    if len(lengths) > 1:
        raise ValueError(f"{source}: columns and labels differ in length: {sorted(lengths)}")

    if lengths == {0}:
        raise ValueError(f"{source}: there are no rows")


def _chosen(
    source: str, raw: Raw, columns: Sequence[str] | None, label: str | None
) -> tuple[str, ...]:
    for name in (*(columns or ()), *([label] if label is not None else [])):
        if name not in raw.columns:
            what = "label" if name == label else "column"
            raise ValueError(f"{source}: there is no {what} {name!r}{suggest(name, raw.columns)}")

    if columns is None:
        names = tuple(name for name in raw.names if name != label)
    else:
        names = tuple(columns)
        if len(set(names)) < len(names):
            often, _ = Counter(names).most_common(1)[0]
            raise ValueError(f"{source}: --data.columns names {often!r} more than once")

        if label in names:
            raise ValueError(
                f"{source}: {label!r} is both the label and one of --data.columns; leave it out of "
                "one"
            )

    if not names:
        raise ValueError(f"{source}: no columns are left to model")

    return names


def _numbers(source: str, name: str, values: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Refuse what is no column of numbers; bring the rest to native byte order, contiguous."""
    remedy = "leave it out with --data.columns, or name it as --data.label"
    kind = values.dtype.kind

    if values.ndim != 1:
        raise ValueError(
            f"{source}: column {name!r} has shape {list(values.shape)}; a column needs [rows]"
        )

    if kind in "OUST":
        first = _first_text(values, missing)
        raise ValueError(f"{source}: column {name!r} holds {first}; {remedy}")

    if kind not in "biuf" or values.dtype.itemsize > 8:
        what = "dates or times" if kind in "Mm" else f"{values.dtype.name} values"
        raise ValueError(
            f"{source}: column {name!r} holds {what}, which can't be modelled; make it numbers, or "
            f"{remedy}"
        )

    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _first_text(values: np.ndarray, missing: np.ndarray | None) -> str:
    for row, value in enumerate(values.tolist()):
        if missing is not None and missing[row]:
            continue

        if not isinstance(value, (str, bytes)):
            return f"{type(value).__name__} objects (row {row + 1})"

        try:
            float(value)
        except ValueError:
            return f"text ({value[:40]!r} in row {row + 1})"

    return "numbers written as text; save them as numbers"


def _labels(source: str, label: str, values: np.ndarray) -> np.ndarray:
    if values.ndim != 1:
        raise ValueError(
            f"{source}: label {label!r} has shape {list(values.shape)}; labels need [rows]"
        )
    if values.dtype.kind == "O":
        return np.array(list(map(str, values.tolist())), dtype=np.str_)
    return np.ascontiguousarray(values)


def _bad_rows(
    columns: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Of each column with NaN, infinity or no value, a mask ``[N]`` of such rows."""
    bad: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        mask = missing.get(name, np.zeros(len(values), dtype=bool))
        if values.dtype.kind == "f":
            mask = mask | ~np.isfinite(values)

        if mask.any():
            bad[name] = mask

    return bad


def _listed(bad: Mapping[str, np.ndarray]) -> str:
    """The columns with bad rows, and how many each has."""
    counts = [f"{name!r} ({int(mask.sum())})" for name, mask in bad.items()]
    more = f" and {len(counts) - NUM_LISTED} more columns" if len(counts) > NUM_LISTED else ""
    return ", ".join(counts[:NUM_LISTED]) + more
