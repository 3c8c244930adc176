"""The schema of a table that is read batch by batch: what of it can be joined."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from scgan.data.tables.column import Column
from scgan.data.tables.digits import digits_of
from scgan.data.tables.distances import common_step, distance_from, exponent_of, value_range
from scgan.data.tables.measuring import (
    as_numbers,
    categorical,
    is_categorical,
    measured,
    type_name,
)
from scgan.data.tables.scales import decimals_of
from scgan.data.tables.schema import Schema
from scgan.data.tables.taking import among_numbers, too_many
from scgan.data.tables.values import PLAIN, Level, Meaning, Meanings, are_nan, bytes_of, present

Sums = tuple[int, float, float]
"""Rows, mean, sum of squared deviations."""


@dataclass
class _Measure:
    """What is known of a column so far.

    Attributes:
        dtype: Its type.
        meaning: What it is beyond that.
        digest: Of all its values.
        rows: Their number, with and without a value.
        gaps: Rows without one; None where no batch had any.
        nan: Whether all of those are NaN.
        counts: Of categories, how often each is.
        origin: Lowest value and exponent of the first batch, from which distances are taken.
        ends: Lowest and highest value.
        sums: Of the distances.
        decimals: Of floats, digits after the point; None where they are many.
        digits: Of floats, significant ones; None where they are many.
        grid: Of times, what divides all distances.
    """

    dtype: str
    meaning: Meaning
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    rows: int = 0
    gaps: int | None = None
    nan: bool = True
    counts: Counter[Level] = field(default_factory=Counter)
    origin: tuple[int | float, int] | None = None
    ends: tuple[int | float, int | float] = (0, 0)
    sums: Sums | None = None
    decimals: int | None = 0
    digits: int | None = 0
    grid: int = 0

    def add(self, values: np.ndarray) -> None:
        """Measure some more rows, at least one."""
        for content in bytes_of(values):
            self.digest.update(content)

        there = present(values)
        self.rows += len(values)
        if isinstance(values, np.ma.MaskedArray):
            self.gaps = (self.gaps or 0) + len(values) - len(there)
            self.nan = self.nan and are_nan(values)

        if is_categorical(values.dtype, self.meaning):
            known, counts = np.unique(there, return_counts=True)
            self.counts.update(dict(zip(known.tolist(), counts.tolist(), strict=True)))
        elif len(there):
            self._add_numbers(as_numbers(there))

    def _add_numbers(self, values: np.ndarray) -> None:
        low, high = value_range(values)
        if self.origin is None:
            self.origin, self.ends = (low, exponent_of(values.dtype, low, high)), (low, high)
        self.ends = (min(low, self.ends[0]), max(high, self.ends[1]))

        with np.errstate(over="ignore", invalid="ignore"):  # refused in `column`
            d = distance_from(values, *self.origin)
            mean = float(d.mean())
            self.sums = _joined(self.sums, (len(d), mean, float(np.square(d - mean).sum())))

        if values.dtype.kind == "f":
            self.decimals = _most(self.decimals, values, decimals_of)
            self.digits = _most(self.digits, values, digits_of)
        else:
            self.grid = math.gcd(self.grid, *_steps(values, self.origin[0]))

    def column(self, name: str) -> Column:
        """The column of the rows so far.

        Raises:
            ValueError: If its values lie more than 150 orders of magnitude apart.
        """
        meaning = None if self.meaning == PLAIN else self.meaning
        column = Column(name, self.dtype, "constant", 0, 0, 0, 0.0, 1.0, meaning=meaning)
        if self.gaps is not None:
            nan = self.nan and np.dtype(self.dtype).kind == "f"
            column = replace(column, gaps=self.gaps / self.rows, nan=nan)

        if self.counts:
            return categorical(column, self.counts)
        if self.sums is None or self.origin is None:
            return column

        low, high = self.ends
        num, mean, squares = self.sums
        if not math.isfinite(squares):
            raise ValueError(
                f"column {name!r} goes from {low:g} to {high:g}: too far to be measured; leave it "
                "out"
            )

        # From the first batch's unit and origin to those of all rows.
        origin, origin_exponent = self.origin
        dtype = np.dtype(self.dtype)
        exponent = exponent_of(dtype, low, high)
        shift = origin_exponent - exponent
        if exponent == 0:
            offset = float(origin - low)
        else:
            offset = math.ldexp(origin, -exponent) - math.ldexp(low, -exponent)

        grid = max(1, self.grid) if column.is_time else 1
        center = (math.ldexp(mean, shift) + offset) / grid
        spread = math.ldexp(math.sqrt(squares / num), shift) / grid
        column = replace(column, grid=grid)
        if dtype.kind == "f":
            column = replace(column, decimals=self.decimals, digits=self.digits)
        return measured(column, low, high, exponent, (center, spread))


def _most(
    before: int | None, values: np.ndarray, needed: Callable[[np.ndarray], int | None]
) -> int | None:
    """Digits that write earlier batches and these values; None where they are many."""
    if before is None:
        return None
    found = needed(values)
    return None if found is None else max(found, before)


class Moments:
    """Measures columns batch by batch: what :meth:`Schema.fit` finds at once, but for rounding.

    Distances are taken from the lowest value of the first batch; means and squared deviations are
    joined pairwise. Of two columns whose bytes are all equal, the second is a duplicate.

    Source: [CHAN].
    """

    def __init__(self) -> None:
        self.measures: dict[str, _Measure] = {}

    def add(self, values: Mapping[str, np.ndarray], meanings: Meanings | None = None) -> None:
        """Measure some more rows.

        Args:
            values: Name to values ``[N]``, the same names in every call.
            meanings: What columns are beyond numpy's types.

        Raises:
            ValueError: If a column's type is another than in the first call, or it has too many
                categories.
        """
        for name, array in values.items():
            if not len(array):
                continue

            dtype, meaning = type_name(array.dtype), (meanings or {}).get(name, PLAIN)
            measure = self.measures.setdefault(name, _Measure(dtype, meaning))
            if dtype != measure.dtype:
                raise ValueError(
                    f"column {name!r} is {dtype}, but {measure.dtype} before; make it one type"
                )

            try:
                measure.meaning = measure.meaning.joined(meaning)
            except ValueError as error:
                raise ValueError(f"column {name!r} {error}") from None

            measure.add(array)
            _check_categories(name, measure, None)

    def hashes(self) -> list[str]:
        """sha256 of all values of each column so far."""
        return [measure.digest.hexdigest() for measure in self.measures.values()]

    def schema(self) -> Schema:
        """The schema of the rows so far, at least one.

        Raises:
            ValueError: If a column's values lie more than 150 orders of magnitude apart, or it has
                too many categories.
        """
        columns: list[Column] = []
        first: dict[tuple[str, Meaning, str], str] = {}

        for name, measure in self.measures.items():
            _check_categories(name, measure, sum(measure.counts.values()))
            column = measure.column(name)
            told = (column.dtype, measure.meaning, measure.digest.hexdigest())
            source = first.setdefault(told, name)
            if column.kind == "modelled" and source != name:
                column = replace(column, kind="duplicate", source=source)

            columns.append(column)

        return Schema(tuple(columns))


def _check_categories(name: str, measure: _Measure, rows: int | None) -> None:
    reason = too_many(len(measure.counts), rows)
    texts = [*map(str, measure.counts)] if rows is not None and measure.dtype == "str" else []
    if texts and (numbers := among_numbers(texts, rows or 0)):
        odd, why = numbers
        reason = why if odd is None else f"text ({odd[:40]!r}) {why}"

    if reason:
        raise ValueError(f"column {name!r} holds {reason}; leave it out, or name it as the label")


def _steps(values: np.ndarray, origin: int | float) -> tuple[int, int]:
    """What divides all distances between the values, and their lowest one's from the origin."""
    low = int(values.min())
    return common_step(values, low) if int(values.max()) > low else 0, abs(low - int(origin))


def _joined(a: Sums | None, b: Sums) -> Sums:
    """Rows, mean and sum of squared deviations of two sets together."""
    if a is None:
        return b
    num, step = a[0] + b[0], b[1] - a[1]
    return num, a[1] + step * b[0] / num, a[2] + b[2] + step * step * a[0] * b[0] / num
