"""Distances of a column's values from its lowest one, and values at distances."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scgan.data.tables.values import Level


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


def common_step(values: np.ndarray, low: int | float) -> int:
    """The largest integer that divides all distances from ``low``, at least 1."""
    offset = _wrap(values) - np.uint64(int(low) % 2**64)
    return max(1, int(np.gcd.reduce(np.minimum(offset, ~offset + np.uint64(1)))))


def places_of(name: str, values: np.ndarray, categories: Sequence[Level]) -> np.ndarray:
    """Places ``[N]`` of values among the categories of a column, float64.

    Raises:
        ValueError: For one that is not among them.
    """
    known = np.array(categories, dtype=values.dtype.type)
    order = np.argsort(known)
    places = order[np.searchsorted(known, values, sorter=order).clip(max=len(known) - 1)]
    odd = values[known[places] != values]
    if len(odd):
        raise ValueError(
            f"column {name!r} holds {odd.tolist()[0]!r}, which is none of the {len(known)} "
            f"categories that were fitted"
        )
    return places.astype(np.float64)


def _wrap(values: np.ndarray) -> np.ndarray:
    signed = values.astype(np.int64) if values.dtype.kind == "i" else values
    return signed.astype(np.uint64)


def add_steps(low: int, high: int, distance: np.ndarray, grid: int) -> np.ndarray:
    """Integers at distances ``[N]`` of so many steps of a grid from ``low``, at most ``high``."""
    span = (high - low) // grid
    steps = np.rint(np.maximum(distance, 0.0))
    # float(span) may round above the span, and above 2^64 where no integer type follows.
    at_end = steps >= float(span)
    offset = np.where(at_end, np.uint64(span), np.where(at_end, 0.0, steps).astype(np.uint64))
    return offset * np.uint64(grid) + np.uint64(low % 2**64)
