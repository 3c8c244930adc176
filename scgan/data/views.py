"""Contrastive views of a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def noise_views(x: Tensor, std: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    r"""Make the two views of each row by additive Gaussian noise.

    .. math:: x^{(i)} = x + \sigma n^{(i)}, \quad n^{(i)} \sim \mathcal{N}(0, I), \quad i = 1, 2

    Args:
        x: Standardised rows, shape ``[B, D]``.
        std: :math:`\sigma \geq 0`, in standard deviations of a column.
        generator: Source of the noise, on the device of ``x``.

    Returns:
        Both views, each ``[B, D]``, of the dtype of ``x``.

    Source: [SCGAN] Sec. 2.1: "augmentations based on the addition of small noise to the
        input data".
    """
    noise = torch.randn(2, *x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return x + std * noise[0], x + std * noise[1]
