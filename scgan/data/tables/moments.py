"""The schema of a table that is read batch by batch: what of it can be joined."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scgan.data.tables.column import Column, distance_from, exponent_of, value_range
from scgan.data.tables.scales import decimals_of
from scgan.data.tables.schema import Schema


class Moments:
    """Measures columns batch by batch: what :meth:`Schema.fit` finds at once, but for rounding.

    Distances are taken from the lowest value of the first batch; means and squared deviations are
    joined pairwise. Of two columns whose bytes are all equal, the second is a duplicate.

    Source: [CHAN].
    """

    def __init__(self) -> None:
        # Type, lowest value and exponent of the first batch.
        self.origins: dict[str, tuple[str, int | float, int]] = {}
        self.ranges: dict[str, tuple[int | float, int | float]] = {}
        # Rows, mean, sum of squared deviations.
        self.sums: dict[str, tuple[int, float, float]] = {}
        self.digests: dict[str, hashlib._Hash] = {}
        # Of floats, digits after the point; None where they are many.
        self.decimals: dict[str, int | None] = {}

    def add(self, values: Mapping[str, np.ndarray]) -> None:
        """Measure some more rows.

        Args:
            values: Name to finite values ``[N]``, the same names in every call.

        Raises:
            ValueError: If a column's type is another than in the first call.
        """
        for name, array in values.items():
            if not len(array):
                continue

            low, high = value_range(array)
            origin = (array.dtype.name, low, exponent_of(array.dtype, low, high))
            dtype, origin_low, exponent = self.origins.setdefault(name, origin)

            if array.dtype.name != dtype:
                raise ValueError(
                    f"column {name!r} is {array.dtype.name}, but {dtype} before; make it one type"
                )

            before = self.ranges.get(name, (low, high))
            self.ranges[name] = (min(low, before[0]), max(high, before[1]))

            with np.errstate(over="ignore", invalid="ignore"):  # refused in `_column`
                d = distance_from(array, origin_low, exponent)
                mean = float(d.mean())
                self.sums[name] = _joined(
                    self.sums.get(name), (len(d), mean, float(np.square(d - mean).sum()))
                )

            self._add_decimals(name, array)
            self.digests.setdefault(name, hashlib.sha256()).update(np.ascontiguousarray(array).data)

    def _add_decimals(self, name: str, values: np.ndarray) -> None:
        if values.dtype.kind != "f" or self.decimals.get(name, 0) is None:
            return
        found = decimals_of(values)
        self.decimals[name] = None if found is None else max(found, self.decimals.get(name) or 0)

    def hashes(self) -> list[str]:
        """sha256 of all values of each column so far."""
        return [digest.hexdigest() for digest in self.digests.values()]

    def schema(self) -> Schema:
        """The schema of the rows so far, at least one.

        Raises:
            ValueError: If a column's values lie more than 150 orders of magnitude apart.
        """
        columns: list[Column] = []
        first: dict[tuple[str, str], str] = {}

        for name, digest in self.digests.items():
            column = self._column(name)
            source = first.setdefault((column.dtype, digest.hexdigest()), name)
            if column.kind == "modelled" and source != name:
                column = replace(column, kind="duplicate", source=source)

            columns.append(column)

        return Schema(tuple(columns))

    def _column(self, name: str) -> Column:
        (dtype, origin, origin_exponent), (low, high) = self.origins[name], self.ranges[name]
        if low == high:
            return Column(name, dtype, "constant", low, high, 0, 0.0, 1.0)

        num, mean, squares = self.sums[name]
        if not math.isfinite(squares):
            raise ValueError(
                f"column {name!r} goes from {low:g} to {high:g}: too far to be measured; leave it "
                "out"
            )

        # From the first batch's unit and origin to those of all rows.
        exponent = exponent_of(np.dtype(dtype), low, high)
        shift = origin_exponent - exponent
        if exponent == 0:
            offset = float(origin - low)
        else:
            offset = math.ldexp(origin, -exponent) - math.ldexp(low, -exponent)

        center = math.ldexp(mean, shift) + offset
        spread = math.ldexp(math.sqrt(squares / num), shift)
        decimals = self.decimals.get(name)
        return Column(
            name, dtype, "modelled", low, high, exponent, center, spread, decimals=decimals
        )


def _joined(
    a: tuple[int, float, float] | None, b: tuple[int, float, float]
) -> tuple[int, float, float]:
    """Rows, mean and sum of squared deviations of two sets together."""
    if a is None:
        return b
    num, step = a[0] + b[0], b[1] - a[1]
    return num, a[1] + step * b[0] / num, a[2] + b[2] + step * step * a[0] * b[0] / num
