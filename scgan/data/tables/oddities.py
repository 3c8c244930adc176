"""What of a table looks odd, said before training: marks of no value, far values, labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from scgan.data.listing import listed
from scgan.data.tables.values import present

MAX_ROWS = 100_000  # looked at
MIN_DISTINCT = 5  # values that make a rest from which others are far
MAX_FAR = 4  # values of a column
# How far from the next a value is, in spans of all the rest: one that is repeated, or a single one.
FAR_REPEATED, FAR_SINGLE = 2.0, 20.0
NUM_REPEATED = 3
NUM_CLASSES = 20  # that numbers with fractions may stand for

_log = logging.getLogger(__name__)


class Far(NamedTuple):
    """A value far from all others of its column, and in what share of its rows it is."""

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
    marks = {f"{one.value:.12g}" for far in found.values() for one in far}
    flag = f"--data.missing_values {','.join(sorted(marks)[:8])} --data.missing drop"
    _log.warning(
        "%s: values far from all others: %s; if they stand for no value: %s",
        *(source, listed(told), remedy or flag),
    )


def _far_of(values: np.ndarray) -> list[Far]:
    return far_values(values) if values.dtype.kind in "iuf" else []


def are_classes(labels: np.ndarray) -> bool:
    """Whether labels ``[N]`` stand for classes: texts or numbers that come again and again."""
    fractions = labels.dtype.kind == "f" and bool((labels != np.round(labels)).any())
    most = NUM_CLASSES if fractions else max(NUM_CLASSES, len(labels) // 10)
    return len(np.unique(labels)) <= most


def tell_labels(source: str, label: str | None, labels: np.ndarray | None) -> None:
    """Say that a label is no class."""
    if labels is not None and not are_classes(labels):
        _log.warning(
            "%s: label %r has %d different values in %d rows: it is no class, so that nothing is "
            "scored by it",
            *(source, label, len(np.unique(labels)), len(labels)),
        )
