"""Groups of images that their views share, which a network learns beside a generator's game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scgan.data.images.augment import AFFINE_DRAWS, affine_views
from scgan.losses.information import information_loss
from scgan.training.loop import descend
from scgan.training.runtime import Runtime


@dataclass(frozen=True)
class Perturbed:
    """What is done at random to a batch of images, the same on one worker and on several.

    Args:
        batch_size: Images of a batch, over all workers.
        draw: The random numbers, where the images are.
        runtime: Which of them are this worker's.
    """

    batch_size: int
    draw: torch.Generator
    runtime: Runtime

    def noisy(self, x: Tensor, deviation: float) -> Tensor:
        """This worker's samples ``[B / W, ...]`` with Gaussian noise on them."""
        if deviation == 0:
            return x
        shape = (self.batch_size, *x.shape[1:])
        noise = torch.randn(shape, generator=self.draw, device=x.device)
        return x + deviation * self.runtime.share(noise)

    def viewed(self, x: Tensor, strength: float) -> Tensor:
        """A view of each of this worker's images ``[B / W, C, H, W]``; gradients pass."""
        shape = (self.batch_size, AFFINE_DRAWS)
        draws = torch.rand(shape, generator=self.draw, device=x.device)
        return affine_views(x, self.runtime.share(draws), strength)


def learn_groups(
    logits_of: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    views: Tensor,
    weights: Tensor,
    runtime: Runtime,
) -> Tensor:
    """A network's step alone, towards groups of real images that their views share.

    Args:
        logits_of: The network, from images to logits of the groups, ``[B, K]``.
        optimizer: Of its weights.
        x: This worker's images.
        views: One of each.
        weights: Shares of the groups, ``[K]``.
        runtime: Where it runs.

    Returns:
        The loss, of all workers' images.

    Source: [IMSAT]; see :func:`scgan.losses.information.information_loss`.
    """
    logits, shared = logits_of(torch.cat([x, views])).split(len(x))
    loss = information_loss(runtime.gather(logits), runtime.gather(shared), weights)
    descend(optimizer, loss)
    return loss
