"""Whether a stochastic decoder's noise stands for what its codes leave open."""

from __future__ import annotations

import math

from torch import Tensor


def spread_ratio(draws: Tensor, x: Tensor) -> float:
    r"""Spread over the noise at a fixed code, against what the data has left given the code.

    .. math:: \sqrt{\mathbb{E} \operatorname{Var}_z g(\varepsilon, z) \,/\,
              \mathbb{E} (x - \mathbb{E}_z g(\varepsilon, z))^2}

    Args:
        draws: Each row's code decoded with S independent noises, ``[S, N, D]``, S at least 2.
        x: The rows, ``[N, D]``.

    Returns:
        The ratio, 0 or more: 1 where the noise is as wide as the rows' distance from their codes'
        means, 0 of a deterministic decoder, infinite where codes leave nothing open. The mean over
        S draws errs by a share 1 / S of the variance, which is taken off.

    Raises:
        ValueError: If there are fewer than two draws, or the shapes don't go together.

    Source: none.
    """
    if draws.ndim != 3 or len(draws) < 2 or draws.shape[1:] != x.shape or not x.numel():
        shapes = f"{tuple(draws.shape)} and {tuple(x.shape)}"
        raise ValueError(f"draws must be [S, N, D] of rows [N, D], S at least 2, got {shapes}")

    draws, x = draws.double(), x.double()
    spread = float(draws.var(0).mean())
    left = float((x - draws.mean(0)).square().mean()) - spread / len(draws)

    if left <= 0:
        return math.inf if spread > 0 else 0.0
    return math.sqrt(spread / left)
