"""A table that is in memory and can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scgan.data.tables.values import Meanings, join_meanings
from scgan.data.tables.values import concatenated as joined_values


@dataclass(frozen=True, eq=False)
class Table:
    """Checked columns: finite numbers, texts or times, of one length, at least one row.

    Attributes:
        names: Columns in the user's order.
        columns: Name to values ``[N]``, in the user's type; masked where they are missing.
        labels: One a row, ``[N]``, numbers or text; None where no label was named.
        dropped: Rows left out for missing values.
        lacking: How many rows of each column had none.
        meanings: Name to what a column is beyond numpy's type, where it is more.
    """

    names: tuple[str, ...]
    columns: dict[str, np.ndarray]
    labels: np.ndarray | None
    dropped: int
    lacking: Counter[str] = field(default_factory=Counter)
    meanings: Meanings = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Rows that are left, N."""
        return len(next(iter(self.columns.values())))

    def take(self, rows: np.ndarray) -> Table:
        """Some of the rows, by their places or by a mask ``[N]``."""
        columns = {name: array[rows] for name, array in self.columns.items()}
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, columns=columns, labels=labels)


def concatenated(tables: Sequence[Table]) -> Table:
    """The rows of tables of the same columns, one table after the other, as one."""
    first = tables[0]
    columns: dict[str, np.ndarray] = {}
    for name in first.names:
        columns[name] = joined_values([table.columns[name] for table in tables])

    labels = [table.labels for table in tables if table.labels is not None]
    dropped = sum(table.dropped for table in tables)
    together = np.concatenate(labels) if labels else None
    meanings = join_meanings([table.meanings for table in tables], first.names)
    return Table(first.names, columns, together, dropped, meanings=meanings)
