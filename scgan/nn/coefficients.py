"""Coordinates of an EigenGAN's noise that are chosen, not drawn.

A dimension's name is ``layer.dimension``: layers are counted from 1, the coarsest, and a layer's
dimensions by falling importance, as pictures of its subspace have them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor


def dimension_names(importances: Sequence[Tensor]) -> tuple[str, ...]:
    """The dimensions' names, from the importances ``[q]`` of each layer's."""
    return tuple(
        f"{1 + place // len(importances[0])}.{1 + place % len(importances[0])}"
        for place in range(len(importances) * len(importances[0]))
    )


def places(importances: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Layer and coordinate of each name, counted from 0."""
    orders = [layer.abs().argsort(descending=True, stable=True).tolist() for layer in importances]
    found: list[tuple[int, int]] = []
    for layer, order in enumerate(orders):
        found += [(layer, place) for place in order]
    return found


def with_coefficients(z: Tensor, importances: Sequence[Tensor], chosen: Tensor | None) -> Tensor:
    """Put what is chosen in the place of what was drawn.

    Args:
        z: Noise, ``[B, layers, q]``.
        importances: Of each layer's dimensions, ``[q]`` each.
        chosen: A coefficient for each name, ``[layers * q]``, NaN where the noise stays; or None.

    Returns:
        The noise, ``[B, layers, q]``.
    """
    if chosen is None:
        return z
    z = z.clone()
    for (layer, coordinate), value in zip(places(importances), chosen.tolist(), strict=True):
        if not math.isnan(value):
            z[:, layer, coordinate] = value
    return z
