r"""How strongly an attribute is there, measured off pixels where the truth is known.

A ridge regression from coarse pixels to strengths, fitted to images whose strengths are known:

.. math:: \hat s = W \, \mathrm{pool}(x) + b, \quad
          \min \lVert \hat s - s \rVert^2 + \lambda \lVert W \rVert^2

What it makes of other such images is the ceiling of what it can make of generated ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scgan.metrics.images import floats

SIDE = 16  # pixels that images are averaged to
RIDGE = 1e-3  # lambda, of a mean over images


@dataclass(frozen=True)
class StrengthReader:
    """A linear map from images to strengths.

    Args:
        weights: ``[C * 16 * 16 + 1, G]``, the last row the constant.
    """

    weights: Tensor

    @classmethod
    def fit(cls, images: Tensor, strengths: Tensor) -> StrengthReader:
        """Fit it.

        Args:
            images: uint8 or floating point in [-1, 1], ``[N, C, H, W]``, at least 16 pixels a side.
            strengths: In [0, 1], ``[N, G]``.

        Returns:
            The map.
        """
        x, s = _coarse(images), strengths.double()
        penalty = RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
        penalty[-1, -1] = 0  # of the constant
        return cls(torch.linalg.solve(x.T @ x + penalty, x.T @ s))

    def read(self, images: Tensor) -> Tensor:
        """Strengths ``[N, G]`` of images ``[N, C, H, W]``; near [0, 1], not held to it."""
        return (_coarse(images) @ self.weights).float()


def _coarse(images: Tensor) -> Tensor:
    """Colours of the image averaged to 16 by 16, and 1: ``[N, C * 256 + 1]``."""
    parts = [F.adaptive_avg_pool2d(floats(rows.cpu()), SIDE) for rows in images.split(500)]
    x = torch.cat(parts).flatten(1).double()
    return torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)


def agreement(asked: Tensor, measured: Tensor) -> tuple[float, float]:
    """How strengths that are measured follow those that were asked for.

    Args:
        asked: ``[N]``.
        measured: ``[N]``.

    Returns:
        Their correlation in [-1, 1], and the slope of measured against asked: 1 where an attribute
        comes in as far as it is asked to.
    """
    a, m = asked.double() - asked.double().mean(), measured.double() - measured.double().mean()
    both = (a @ m) / len(a)
    spread = (a.square().mean() * m.square().mean()).sqrt().clamp_min(1e-12)
    return float(both / spread), float(both / a.square().mean().clamp_min(1e-12))
