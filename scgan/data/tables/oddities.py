"""What of a table looks odd, said before training: marks of no value, far values, labels."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Far:
    """A value far from all others of its column.

    Args:
        value: The value.
        count: In how many rows it is.
        share: In how many of all, per cent.
    """

    value: float
    count: int
    share: float

    def __str__(self) -> str:
        """As a message has it: ``-9999 (20.1 %)``."""
        rows = "1 row" if self.count == 1 else f"{self.share:.3g} %"
        return f"{self.value:.12g} ({rows})"


def far_values(values: np.ndarray) -> list[Far]:
    """Values far below or above all others, as marks of no value are, and single outliers.

    Args:
        values: Numbers ``[N]``.

    Returns:
        At most four, the farthest first.
    """
    rows = values[:: max(1, len(values) // MAX_ROWS)].astype(np.float64)
    distinct, counts = np.unique(rows[np.isfinite(rows)], return_counts=True)
    found = list[Far]()

    while len(distinct) > MIN_DISTINCT and len(found) < MAX_FAR:
        below = (distinct[1] - distinct[0]) / (distinct[-1] - distinct[1])
        above = (distinct[-1] - distinct[-2]) / (distinct[-2] - distinct[0])
        place = -1 if above > below else 0
        far = FAR_REPEATED if counts[place] >= NUM_REPEATED else FAR_SINGLE
        if max(below, above) < far:
            break

        count = int((values == distinct[place]).sum())
        found.append(Far(float(distinct[place]), count, 100 * count / len(values)))
        distinct, counts = np.delete(distinct, place), np.delete(counts, place)

    return found


def tell_far(source: str, columns: Mapping[str, np.ndarray], remedy: str | None = None) -> None:
    """Say which columns hold values far from the rest.

    Args:
        source: What messages call the table.
        columns: Name to values ``[N]``.
        remedy: What to do where they stand for no value; None for the command line's flag.
    """
    there = {name: present(values) for name, values in columns.items()}
    found = {name: far for name, values in there.items() if (far := _far_of(values))}
    if not found:
        return

    told = [f"{name!r} {listed(far)}" for name, far in found.items()]
    marks = {f"{far.value:.12g}" for far in chain.from_iterable(found.values())}
    flag = f"--data.missing_values {','.join(sorted(marks)[:8])} --data.missing drop"
    advice = f"if they stand for no value: {remedy or flag}"
    tell(source, f"values far from all others: {listed(told)}; {advice}")


def _far_of(values: np.ndarray) -> list[Far]:
    return far_values(values) if values.dtype.kind in "iuf" else []


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
