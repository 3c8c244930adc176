"""Tables of numbers from a user's files, checked before anything trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from scgan.data.formats import READERS, table_files
from scgan.data.listing import kind_of, partitions, split_inside, tell_copies, tell_unread, walk
from scgan.data.raw import Raw, from_arrays
from scgan.data.remote import on_disk
from scgan.data.tables.checking import (
    IN_PYTHON,
    Choice,
    Missing,
    check_names,
    checked,
    tell_index,
)
from scgan.data.tables.joining import joined, shared_names, with_cells
from scgan.data.tables.table import Table
from scgan.data.telling import listed, tell


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    missing: Missing = "error",
    missing_values: Sequence[float] = (),
) -> Table:
    """Read a table from a file, a folder of files, or S3.

    Args:
        path: A file of a kind in :data:`scgan.data.formats.READERS`, a folder of .parquet, of .csv
            or of .feather files (joined in the order of their names, with the columns that the
            names of their folders say), or ``s3://bucket/key`` for any of these.
        columns: The columns to take, in this order; None for all of them but the label.
        label: A column, or an array beside the matrix of an .npz, that is kept apart. ``y`` beside
            a matrix always is.
        missing: ``"error"``; ``"drop"`` to leave out rows with NaN, infinity or no value in a
            column that is taken; or ``"model"`` to keep them, masked, except for infinity.
        missing_values: Numbers that stand for no value, in any column.

    Returns:
        The table.

    Raises:
        ValueError: In one line, for whatever is wrong with the file or the request.
    """
    taken = None if columns is None else tuple(columns)
    choice = Choice(taken, label, missing, tuple(missing_values))
    with on_disk(str(path)) as local:
        return read_local(str(path), local, choice)


def read_local(source: str, path: Path, choice: Choice, *, compared: bool = False) -> Table:
    """The same of a file or folder of this machine.

    Args:
        source: What messages call it.
        path: Where it lies.
        choice: What is taken of it.
        compared: Whether it is said which columns are not taken.
    """
    raw = _read_all(source, path, choice)
    rest = [name for name in raw.names if name not in (choice.wanted or raw.names)]
    if compared and rest:
        tell(source, f"columns that are not compared: {listed(rest)}")
    return checked(source, raw, replace(choice, label=choice.label or raw.label))


def _read_all(source: str, local: Path, choice: Choice) -> Raw:
    """All parts of a table, as one."""
    files = table_files(local)
    if not local.is_dir():
        raw = _read(local)
        check_names(local, raw.names)
        return raw

    names = [file.relative_to(local) for file in files]
    tell_unread(source, [file.relative_to(local) for file in walk(local)], names)
    tell_copies(source, files)
    parts = list[tuple[str, Raw]]()

    for file, cells in zip(files, partitions(source, names), strict=True):
        raw = _read(file)
        check_names(file, raw.names)
        parts.append((str(file), with_cells(str(file), raw, cells)))

    own = [(part, raw.names) for part, raw in parts]
    every = [(part, tuple(raw.columns)) for part, raw in parts]  # an index among them
    shared = shared_names(source, own if choice.wanted is None else every, choice.wanted)
    if choice.label is not None and choice.label not in shared:
        shared = (*shared, *shared_names(source, every, [choice.label]))

    if choice.columns is None:
        found = set[str]().union(*(raw.columns for _, raw in parts))
        tell_index(source, sorted(found.difference(shared)))

    return joined(source, parts, shared)


def read_raw(path: Path) -> Raw:
    """What a table's file, or the files of a folder, hold, before any check of their values."""
    return _read_all(str(path), path, Choice())


def from_columns(
    columns: Mapping[str, np.ndarray], labels: np.ndarray | None = None, missing: Missing = "error"
) -> Table:
    """Make a table of arrays, under the same checks as :func:`read_table`.

    Args:
        columns: Name to values ``[N]``; where an array is masked its values are missing.
        labels: One a row, or None.
        missing: What to do with rows that hold NaN or infinity.

    Returns:
        The table.

    Raises:
        ValueError: In one line, for whatever is wrong with the arrays.
    """
    choice, raw = Choice(missing=missing), from_arrays(columns)
    return checked("the data", raw, choice, labels=labels, remedies=IN_PYTHON)


def from_raw(raw: Raw, name: str = "X", missing: Missing = "error") -> Table:
    """The same of columns whose missing values are known, of what messages call ``name``."""
    return checked(name, raw, Choice(missing=missing), remedies=IN_PYTHON)


def _read(path: Path) -> Raw:
    try:
        if split_inside(path)[0].stat().st_size == 0:
            raise ValueError(f"{path}: the file is empty")
        return READERS[kind_of(path)](path)
    except OSError as error:
        raise ValueError(f"{path}: can't be read: {error.strerror or error}") from None
