"""Relations that are linear in some coordinates, solved by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np

from scgan.data.tables.relations import Linear, Relation, forward

FORMS: tuple[Linear, ...] = get_args(Linear)

LARGEST = 1e100  # whose squares are finite
TINY = 1e-150  # whose squares are not 0


def allowed(form: Linear, values: np.ndarray) -> bool:
    """Whether a column has such coordinates."""
    small = bool(np.abs(values).max() < LARGEST)
    return small and (form != "product" or bool((values > 0).all()))


def solved(
    form: Linear, values: np.ndarray, others: Mapping[str, np.ndarray], matters: float
) -> Relation:
    """The relation by least squares, of the sources that make up more than ``matters`` of it."""
    target, names, known = forward(form, values), list(others), row_weights(form, values)
    mean = np.average(target, weights=known**2)
    left = known * (target - mean)
    while True:
        matrix = np.stack([forward(form, others[name]) for name in names], axis=1)
        centre = np.average(matrix, axis=0, weights=known**2)
        matrix = known[:, None] * (matrix - centre)
        scale = np.maximum(np.linalg.norm(matrix, axis=0), TINY)
        weights = np.linalg.lstsq(matrix / scale, left, rcond=None)[0]
        matter = np.abs(weights) > matters * np.linalg.norm(left)
        if matter.all() or not matter.any():
            break
        names = [name for name, it in zip(names, matter, strict=True) if it]

    raw = weights / scale
    return Relation(form, tuple(names), tuple(raw.tolist()), float(mean - centre @ raw))


def row_weights(form: Linear, values: np.ndarray) -> np.ndarray:
    """How much each row counts, ``[N]``: large squares would hide what small ones show."""
    if form != "squares":
        return np.ones(len(values))
    squares = np.square(values)
    return np.maximum(squares.mean(), TINY) / np.maximum(squares, 1e-3 * squares.mean() + TINY)


def orthogonal_part(unit: np.ndarray, basis: list[np.ndarray]) -> np.ndarray:
    """The part of a vector ``[N]`` that is orthogonal to these orthonormal ones."""
    for _ in range(2):  # twice, or rounding leaves some of them in
        for direction in basis:
            unit = unit - (direction @ unit) * direction
    return unit


def standardised(values: np.ndarray) -> np.ndarray | None:
    """Centred, of length 1; None for what does not vary."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-12 * np.abs(values).max() * len(values) ** 0.5 else None
