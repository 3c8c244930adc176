"""Proper scores: losses that are least where samples are distributed as data are."""

from __future__ import annotations

from torch import Tensor
from torch.linalg import vector_norm


def energy_score(first: Tensor, second: Tensor, x: Tensor) -> Tensor:
    r"""Energy score of two samples, estimated without bias: half their distances to the data.

    .. math:: \tfrac12 \lVert s_1 - x \rVert + \tfrac12 \lVert s_2 - x \rVert
              - \tfrac12 \lVert s_1 - s_2 \rVert

    Its mean is least where samples, given what all three share, are distributed as x is: drawn
    nearer to what is typical, they lose by the last term more than they gain.

    Args:
        first: A sample for each row, ``[B, D]``.
        second: Another, ``[B, D]``.
        x: Data, ``[B, D]``.

    Returns:
        ``[B]``, in x's units.

    Source: [SCORING-RULES] Sec. 4.3, beta 1.
    """
    distances = vector_norm(first - x, dim=1) + vector_norm(second - x, dim=1)
    return (distances - vector_norm(first - second, dim=1)) / 2
