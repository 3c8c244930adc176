"""Numbers that were written to so many significant digits, as in many a text file."""

from __future__ import annotations

import numpy as np

MOST_DECIMALS = 300  # that numpy rounds to; what would need more is left as it is
MOST = 9  # digits that are looked for; more are no sign of how numbers were written


def digits_of(values: np.ndarray) -> int | None:
    """Fewest significant digits that write all values of a float64 column.

    Args:
        values: ``[N]``, finite.

    Returns:
        1 to 9; None where they need more, and of other types, whose own precision is no more.
    """
    if values.dtype != np.float64:
        return None
    for digits in range(1, MOST + 1):
        # Most columns need more: look at few rows first.
        if all(np.array_equal(to_digits(rows, digits), rows) for rows in (values[:64], values)):
            return digits
    return None


def to_digits(values: np.ndarray, digits: int) -> np.ndarray:
    """Values ``[N]``, float64, as they are when written to so many significant digits."""
    rounded = values.copy()
    there = values != 0
    place = np.zeros(len(values), dtype=int)
    place[there] = np.floor(np.log10(np.abs(values[there])))

    for size in np.unique(place[there]):
        decimals = int(digits - 1 - size)
        if abs(decimals) <= MOST_DECIMALS:
            rows = there & (place == size)
            rounded[rows] = np.round(values[rows], decimals)
    return rounded
