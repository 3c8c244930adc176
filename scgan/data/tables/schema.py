"""The schema of a table: how columns become standardised floats, and those columns again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

# The rows of a fit lie within sqrt(N) standard deviations; others are held where their squares stay
# finite.
FARTHEST = 1e6

Kind = Literal["modelled", "constant", "duplicate"]


@dataclass(frozen=True)
class Column:
    r"""One column: its type, its range on the training rows and its standardisation.

    .. math:: d = (v - low) / 2^{exponent}, \quad z = (d - center) / spread

    The distance d is exact for integers of 64 bits and can't overflow for floats.

    Attributes:
        name: As in the user's table.
        dtype: numpy's name of the type, e.g. ``"float32"``, ``"uint8"``, ``"bool"``.
        kind: ``"modelled"``; ``"constant"``: always ``low``; ``"duplicate"``: equal to the column
            ``source``.
        low: Lowest value on the training rows, an int for integers and bool.
        high: Highest one.
        exponent: For floats the power of two that brings the column into [-1, 1]; 0 for integers,
            constants.
        center: Mean of d.
        spread: Standard deviation of d; 1 for a constant.
        source: Name of the column a duplicate repeats, else None.
    """

    name: str
    dtype: str
    kind: Kind
    low: int | float
    high: int | float
    exponent: int
    center: float
    spread: float
    source: str | None = None

    @property
    def mean(self) -> float:
        """Mean on the training rows, in the user's units."""
        return math.ldexp(math.ldexp(float(self.low), -self.exponent) + self.center, self.exponent)

    @property
    def scale(self) -> float:
        """Standard deviation on the training rows, in the user's units; 1 for a constant."""
        return math.ldexp(self.spread, self.exponent)

    @property
    def is_integer(self) -> bool:
        """Whether samples are rounded: integers and bool."""
        return np.dtype(self.dtype).kind in "iub"

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Values in the user's units to z, float64, shape ``[N]``."""
        exact = values if self.is_integer else values.astype(np.float64)
        distance = distance_from(exact, self.low, self.exponent)
        return np.clip((distance - self.center) / self.spread, -FARTHEST, FARTHEST)

    def restore(self, z: np.ndarray) -> np.ndarray:
        """z, float64 ``[N]``, to the column's type; integers rounded, within the observed range."""
        dtype = np.dtype(self.dtype)
        distance = z * self.spread + self.center
        if self.is_integer:
            return _add_steps(self.low, self.high, distance).astype(dtype)
        limit = float(np.finfo(dtype).max)
        with np.errstate(over="ignore"):  # clipped in the next line
            values = np.ldexp(math.ldexp(self.low, -self.exponent) + distance, self.exponent)
        return np.clip(values, -limit, limit).astype(dtype)


@dataclass(frozen=True)
class Schema:
    """The columns of a table in the user's order.

    Attributes:
        columns: One a column of the table, modelled or not.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, values: Mapping[str, np.ndarray]) -> Schema:
        """Measure the columns in float64.

        Args:
            values: Training rows: name to finite values, each ``[N]``, N >= 1, of a boolean,
                integer or float type.

        Returns:
            The schema.
        """
        columns: list[Column] = []
        for name, array in values.items():
            column = _measure(name, array)
            for before in columns:
                if _same(before, column) and np.array_equal(values[before.name], array):
                    column = replace(column, kind="duplicate", source=before.name)
                    break

            columns.append(column)

        return cls(tuple(columns))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the user's order."""
        return tuple(c.name for c in self.columns)

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that a model sees, in the order of the encoded tensor."""
        return tuple(c for c in self.columns if c.kind == "modelled")

    @property
    def dim(self) -> int:
        """Number of modelled columns, D."""
        return len(self.modelled)

    def learnable(self, source: str) -> Schema:
        """The schema itself.

        Args:
            source: What messages call the table.

        Raises:
            ValueError: If there is nothing to learn, as every column is constant.
        """
        if self.dim == 0:
            names = ", ".join(self.names[:8])
            raise ValueError(
                f"{source}: all columns are constant ({names}); there is nothing to learn"
            )
        return self

    def encode(self, columns: Mapping[str, np.ndarray]) -> Tensor:
        """Standardise the modelled columns.

        Args:
            columns: Name to values ``[N]``, at least the modelled ones; others are left out.

        Returns:
            Shape ``[N, D]``, float32; each column of mean 0 and variance 1 on the rows of
            :meth:`fit`.

        Raises:
            ValueError: If a modelled column is missing.
        """
        missing = [c.name for c in self.modelled if c.name not in columns]
        if missing:
            listed = ", ".join(map(repr, missing))
            raise ValueError(f"columns {listed} are missing; needed: {', '.join(self.names)}")

        rows = len(next(iter(columns.values()))) if columns else 0
        encoded = np.empty((rows, self.dim), dtype=np.float32)
        for i, column in enumerate(self.modelled):
            encoded[:, i] = column.standardise(np.asarray(columns[column.name]))

        return torch.from_numpy(encoded)

    def decode(self, x: Tensor) -> dict[str, np.ndarray]:
        """Bring standardised rows back into the user's units, names, order and types.

        Args:
            x: Shape ``[N, D]``.

        Returns:
            Name to values ``[N]``, also of the constant and duplicate columns.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
        """
        z = x.detach().cpu().double().numpy()
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(
                f"samples have shape {list(z.shape)}; this schema needs [N, {self.dim}]"
            )

        if not np.isfinite(z).all():
            raise ValueError(
                f"{int((~np.isfinite(z)).any(1).sum())} of {len(z)} samples are not finite"
            )

        restored = {c.name: c.restore(z[:, i]) for i, c in enumerate(self.modelled)}
        for column in self.columns:
            if column.kind == "constant":
                restored[column.name] = np.full(len(z), column.low, dtype=column.dtype)
            elif column.source is not None:
                restored[column.name] = restored[column.source].copy()

        return {name: restored[name] for name in self.names}

    @property
    def summary(self) -> str:
        """In a few words: ``"12 modelled columns"``."""
        return f"{self.dim} modelled {'column' if self.dim == 1 else 'columns'}"

    def describe(self) -> dict[str, Any]:
        """Plain values for a log: the columns, and which are not modelled."""
        return {
            "columns": list(self.names),
            "modelled_columns": self.dim,
            "constant_columns": [c.name for c in self.columns if c.kind == "constant"],
            "duplicate_columns": [c.name for c in self.columns if c.kind == "duplicate"],
        }

    def to_json(self) -> str:
        """Text that :meth:`from_json` turns into an equal schema."""
        return json.dumps([asdict(c) for c in self.columns])

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read what :meth:`to_json` wrote."""
        entries: list[dict[str, Any]] = json.loads(text)
        return cls(tuple(Column(**entry) for entry in entries))


def _measure(name: str, values: np.ndarray) -> Column:
    low, high = value_range(values)
    dtype = values.dtype.name
    if low == high:
        return Column(name, dtype, "constant", low, high, 0, 0.0, 1.0)

    exponent = exponent_of(values.dtype, low, high)
    distance = distance_from(values, low, exponent)
    center, spread = float(distance.mean()), float(distance.std())
    return Column(name, dtype, "modelled", low, high, exponent, center, spread)


def value_range(values: np.ndarray) -> tuple[int | float, int | float]:
    """Lowest and highest of at least one value, ints for integers and bool."""
    low, high = values.min().item(), values.max().item()
    if values.dtype.kind == "f":
        return low + 0.0, high + 0.0  # -0.0 to 0.0, so that one constant has one value
    return int(low), int(high)


def exponent_of(dtype: np.dtype, low: int | float, high: int | float) -> int:
    """Of floats, the power of two that brings them into [-1, 1]; 0 for integers."""
    return math.frexp(max(abs(low), abs(high)))[1] if dtype.kind == "f" else 0


def distance_from(values: np.ndarray, low: int | float, exponent: int) -> np.ndarray:
    """Distances d from ``low``, float64 ``[N]``: see :class:`Column`."""
    if values.dtype.kind == "f":
        return np.ldexp(values.astype(np.float64), -exponent) - math.ldexp(low, -exponent)
    # Differences modulo 2^64 are exact for every 64-bit type. Rows below ``low`` (not among those
    # fitted) are counted down.
    offset = _wrap(values) - np.uint64(int(low) % 2**64)
    below = -(~offset + np.uint64(1)).astype(np.float64)
    return np.where(values >= low, offset.astype(np.float64), below)


def _wrap(values: np.ndarray) -> np.ndarray:
    signed = values.astype(np.int64) if values.dtype.kind == "i" else values
    return signed.astype(np.uint64)


def _add_steps(low: int | float, high: int | float, distance: np.ndarray) -> np.ndarray:
    span = int(high) - int(low)
    steps = np.rint(np.maximum(distance, 0.0))
    # float(span) may round above the span, and above 2^64 where no integer type follows.
    at_end = steps >= float(span)
    offset = np.where(at_end, np.uint64(span), np.where(at_end, 0.0, steps).astype(np.uint64))
    return offset + np.uint64(int(low) % 2**64)


def _same(a: Column, b: Column) -> bool:
    """Whether ``b`` may repeat the modelled column ``a``, by all that was measured of them."""
    return a.kind == "modelled" and replace(a, name=b.name) == b
