"""Measuring a column: its type, range, mean and deviation, and its categories by their counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scgan.data.tables.column import Column, Kind
from scgan.data.tables.digits import digits_of
from scgan.data.tables.distances import common_step, distance_from, exponent_of, value_range
from scgan.data.tables.scales import decimals_of
from scgan.data.tables.values import Level, Meaning, are_nan, mask_of, present


def measure_column(name: str, values: np.ndarray, meaning: Meaning | None = None) -> Column:
    """Measure a column, in float64, on its own scale.

    Args:
        name: The column's.
        values: At least one value ``[N]``, finite, or masked where it is missing.
        meaning: What it is beyond numpy's type.
    """
    there, dtype = present(values), type_name(values.dtype)
    column = Column(name, dtype, "constant", 0, 0, 0, 0.0, 1.0, meaning=meaning)
    if isinstance(values, np.ma.MaskedArray):
        gaps = float(mask_of(values).mean())
        column = replace(column, gaps=gaps, nan=are_nan(values))

    if not len(there):
        return column
    if is_categorical(values.dtype, meaning):
        known, counts = np.unique(there, return_counts=True)
        return categorical(column, dict(zip(known.tolist(), counts.tolist(), strict=True)))

    numbers = as_numbers(there)
    low, high = value_range(numbers)
    exponent = exponent_of(numbers.dtype, low, high)
    grid = common_step(numbers, low) if column.is_time else 1
    distance = distance_from(numbers, low, exponent) / grid
    decimals = decimals_of(numbers) if numbers.dtype.kind == "f" else None
    digits = digits_of(numbers)
    moments = (float(distance.mean()), float(distance.std()))
    column = replace(column, grid=grid, decimals=decimals, digits=digits)
    return measured(column, low, high, exponent, moments)


def measured(
    column: Column, low: int | float, high: int | float, exponent: int, moments: tuple[float, float]
) -> Column:
    """A column by its range and the mean and deviation of its distances."""
    center, spread = moments
    if low == high:
        kind: Kind = "constant" if not column.gaps else "modelled"
        return replace(column, kind=kind, low=low, high=high, grid=1, decimals=None, digits=None)
    return replace(
        column, kind="modelled", low=low, high=high, exponent=exponent, center=center, spread=spread
    )


def categorical(column: Column, counts: Mapping[Level, int]) -> Column:
    """A column of categories by how often each is; the most frequent first."""
    known = sorted(counts, key=lambda value: (-counts[value], value))
    column = replace(column, categories=tuple(known))
    moments = _moments(np.array([counts[value] for value in known]))
    return measured(column, 0, len(known) - 1, 0, moments)


def _moments(counts: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of places by how often each is."""
    places, shares = np.arange(len(counts)), counts / max(1, counts.sum())
    center = float(places @ shares)
    return center, float(np.sqrt(np.square(places - center) @ shares)) or 1.0


def type_name(dtype: np.dtype) -> str:
    """The name of a type, of texts without their length."""
    return "str" if dtype.kind == "U" else dtype.name


def is_categorical(dtype: np.dtype, meaning: Meaning | None) -> bool:
    """Whether values are categories: texts, and whatever has a categorical type."""
    return dtype.kind == "U" or (meaning is not None and meaning.levels is not None)


def as_numbers(values: np.ndarray) -> np.ndarray:
    """Times as the integers that count their unit, others as they are."""
    return values.astype(np.int64) if values.dtype.kind in "Mm" else values


def first_component(rows: np.ndarray) -> np.ndarray:
    """Where rows ``[N, D]`` lie on their first principal component, ``[N]``."""
    centred = rows - rows.mean(0)
    _, axes = np.linalg.eigh(np.atleast_2d(np.cov(centred.T)))
    axis = axes[:, -1]
    return centred @ (axis if axis.sum() >= 0 else -axis)


def in_order_of(score: np.ndarray, column: Column, values: np.ndarray) -> Column:
    """A column of categories with these in the order of their rows' mean score.

    Args:
        score: A number a row, ``[N]``.
        column: The column.
        values: Its values, ``[N]``; categories that no row has stay last.
    """
    d = column.distance(values)
    k = d[d >= 0].astype(np.int64)
    num = len(column.categories or ())
    counts = np.bincount(k, minlength=num)
    sums = np.bincount(k, score[d >= 0], minlength=num)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)

    order = np.argsort(means, kind="stable")
    known = tuple(column.categories[place] for place in order)  # type: ignore[index]
    center, spread = _moments(counts[order])
    return replace(column, categories=known, center=center, spread=spread)
