"""Rows of a table with the columns beside those of interest, such as the user's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scgan.config import suggest
from scgan.data.tables.checking import Choice, Missing, checked
from scgan.data.tables.reading import read_raw
from scgan.data.tables.values import Meanings


@dataclass(frozen=True, eq=False)
class Keyed:
    """Checked columns, and others of the same rows as they are.

    Attributes:
        columns: Name to values ``[N]``, masked where they are missing.
        keys: Name to values of any type ``[N]``, None where there is no value.
        dropped: Rows left out for missing values of the checked columns.
        meanings: Name to what a key is beyond numpy's type.
    """

    columns: Mapping[str, np.ndarray]
    keys: Mapping[str, np.ndarray]
    dropped: int
    meanings: Meanings


def read_keyed(
    path: Path, name: str, columns: Sequence[str], keep: Sequence[str] | None, missing: Missing
) -> Keyed:
    """Read some columns of a table, and keep others beside them.

    Args:
        path: The file, or a folder of them.
        name: What messages call it.
        columns: Columns to check.
        keep: Columns of any kind to keep; None keeps all others.
        missing: What to do with rows that hold NaN, infinity or no value in ``columns``.

    Returns:
        The rows.

    Raises:
        ValueError: In one line, for whatever is wrong with the file or the request.
    """
    raw = read_raw(path)
    kept = [other for other in raw.names if other not in columns] if keep is None else keep
    for other in kept:
        if other not in raw.columns:
            raise ValueError(f"{name}: there is no column {other!r}{suggest(other, raw.columns)}")

    # Numbers of the rows take the labels' place, to tell which are left.
    numbered = np.arange(raw.num_rows)
    table = checked(name, raw, Choice(tuple(columns), None, missing), labels=numbered)
    keys: dict[str, np.ndarray] = {}
    for other in kept:
        values = raw.columns[other]
        if other in raw.missing:
            values = values.astype(object)
            values[raw.missing[other]] = None
        keys[other] = values if table.labels is None else values[table.labels]

    meanings = {other: raw.meanings[other] for other in kept if other in raw.meanings}
    return Keyed(table.columns, keys, table.dropped, meanings)
