"""What of a table looks odd, said before training: marks of no value, far values, labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from scgan.data.tables.schema import Schema
from scgan.data.tables.values import present
from scgan.data.telling import listed, tell

MAX_ROWS = 100_000  # looked at
MIN_DISTINCT = 8  # values that make a rest from which others are far
MAX_FAR = 4  # values of a column
# How far from the next a value is, in spans of all the rest: one that is repeated, or a single one.
FAR_REPEATED, FAR_SINGLE = 2.0, 20.0
NUM_REPEATED = 3
NUM_CLASSES = 20  # that numbers with fractions may stand for


# Where a column has few values, one that is far may be a class: but not nines, the ends of a type,
# or what is beyond all units.
_NINES = re.compile(r"-?99+(\.9*)?")
_ENDS = {-(2.0**15), 2.0**15 - 1, 2.0**16 - 1, -(2.0**31), 2.0**31 - 1, 2.0**32 - 1}
_HUGE = 1e19


@dataclass(frozen=True)
class Far:
    """A value far from all others of its column.

    Args:
        value: The value.
        count: In how many rows it is.
        share: In how many of all, per cent.
    """

    value: float | np.datetime64
    count: int
    share: float

    @property
    def text(self) -> str:
        """The value as it is typed."""
        return f"{self.value:.12g}" if isinstance(self.value, float) else str(self.value)

    def __str__(self) -> str:
        """As a message has it: ``-9999 (20.1 %)``."""
        return f"{self.text} ({'1 row' if self.count == 1 else f'{self.share:.3g} %'})"


def far_values(values: np.ndarray) -> list[Far]:
    """Values far below or above all others, as marks of no value are, and single outliers.

    Args:
        values: Numbers or points in time ``[N]``.

    Returns:
        At most four, the farthest first.
    """
    every = values.astype(np.int64 if values.dtype.kind == "M" else values.dtype).astype(np.float64)
    rows = every[:: max(1, len(every) // MAX_ROWS)]
    distinct, counts = np.unique(rows[np.isfinite(rows)], return_counts=True)
    found = list[Far]()

    while len(distinct) > 1 and len(found) < MAX_FAR:
        place = _far_place(distinct, counts)
        if place is None:
            break

        there = every == distinct[place]
        first = values[there][0]
        value = first if values.dtype.kind == "M" else float(first)
        found.append(Far(value, int(there.sum()), 100 * float(there.mean())))
        distinct, counts = np.delete(distinct, place), np.delete(counts, place)

    return found


def _far_place(distinct: np.ndarray, counts: np.ndarray) -> int | None:
    """The lowest or the highest of different values, 0 or -1, if it is far from the others."""
    if len(distinct) > 2:
        below = (distinct[1] - distinct[0]) / (distinct[-1] - distinct[1])
        above = (distinct[-1] - distinct[-2]) / (distinct[-2] - distinct[0])
    else:  # a mark beside the one value that there is
        below, above = (distinct[1] - distinct[0]) / np.maximum(1, np.abs(distinct[::-1])) / 10

    place = -1 if above > below else 0
    repeated = bool(counts[place] >= NUM_REPEATED)
    if max(below, above) >= (FAR_REPEATED if repeated else FAR_SINGLE):
        return place if len(distinct) > MIN_DISTINCT or _is_mark(float(distinct[place])) else None

    # A negative mark of what is never negative is one even beside high values.
    lone = distinct[0] < 0 <= distinct[1] and counts[0] >= NUM_REPEATED
    return 0 if lone and _is_mark(float(distinct[0])) else None


def _is_mark(value: float) -> bool:
    nines = _NINES.fullmatch(f"{value:.12g}") is not None
    return nines or value in _ENDS or abs(value) >= _HUGE


def tell_far(source: str, columns: Mapping[str, np.ndarray], remedy: str | None = None) -> None:
    """Say which columns hold values far from the rest.

    Args:
        source: What messages call the table.
        columns: Name to values ``[N]``.
        remedy: What to do where they stand for no value; None for the command line's flag.
    """
    there = {name: present(values) for name, values in columns.items()}
    for kinds, what in (("iuf", "values"), ("M", "times")):
        taken = {name: values for name, values in there.items() if values.dtype.kind in kinds}
        found = {name: far for name, values in taken.items() if (far := far_values(values))}
        if not found:
            continue

        told = [f"{name!r} {listed(far)}" for name, far in found.items()]
        marks = sorted({far.text for far in chain.from_iterable(found.values())})[:8]
        flag = f"--data.missing_values {','.join(marks)} --data.missing drop"
        advice = "leave them empty" if what == "times" else remedy or flag
        tell(
            source,
            f"{what} far from all others: {listed(told)}; if they stand for no value: {advice}",
        )


def tell_categories(source: str, schema: Schema) -> None:
    """Say which columns of texts are taken as categories."""
    texts = [c for c in schema.columns if c.dtype == "str" and c.categories is not None]
    plain = [c for c in texts if c.meaning is None or c.meaning.levels is None]
    if plain:
        told = [f"{c.name!r} ({len(c.categories or ())} different)" for c in plain]
        tell(source, f"texts, taken as categories: {listed(told)}")


def are_classes(labels: np.ndarray) -> bool:
    """Whether labels ``[N]`` stand for classes: texts or numbers that come again and again."""
    fractions = labels.dtype.kind == "f" and bool((labels != np.round(labels)).any())
    most = NUM_CLASSES if fractions else max(NUM_CLASSES, len(labels) // 10)
    return len(np.unique(labels)) <= most


def tell_labels(source: str, label: str | None, labels: np.ndarray | None) -> None:
    """Say that a label is no class."""
    if labels is not None and not are_classes(labels):
        num = len(np.unique(labels))
        tell(
            source,
            f"label {label!r} has {num} different values in {len(labels)} rows: it is no class, so "
            "that nothing is scored by it",
        )
