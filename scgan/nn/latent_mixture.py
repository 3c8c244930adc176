"""A Gaussian mixture as the latent space of a generator, its means and deviations learned."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LISTED_UP_TO = 12  # dimensions whose vertices are listed; of more, distinct ones are drawn


class LatentMixture(nn.Module):
    r"""Equally likely Gaussians, :math:`\tilde z = \mu(y) + \sigma(y) z`, :math:`z \sim N(0, I)`.

    Args:
        num_clusters: K, at most ``2 ** dim``.
        dim: d.
        sigma: Deviations at the start.
        sigma_floor: The least deviation.
        generator: Draws the vertices that the means start from.

    Attributes:
        mu: Means, ``[K, d]``: at the start distinct vertices of :math:`\{-1, 1\}^d`.
        sigma: Deviations, ``[K]``.

    Source: [MMGAN] Figure 2, Cluster Initialization.
    """

    def __init__(
        self,
        num_clusters: int,
        dim: int,
        *,
        sigma: float,
        sigma_floor: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.mu = nn.Parameter(vertices(num_clusters, dim, generator))
        self.sigma = nn.Parameter(torch.full((num_clusters,), sigma))
        self.sigma_floor = sigma_floor

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """Codes ``[B, d]`` of clusters ``y`` ``[B, K]``, one-hot, and standard noise ``[B, d]``."""
        return y @ self.mu + (y @ self.sigma)[:, None] * z

    @torch.no_grad()
    def hold(self) -> None:
        """Bring deviations that an optimiser's step took below the floor back to it."""
        self.sigma.clamp_(min=self.sigma_floor)

    def log_prob(self, z: Tensor, log_weights: Tensor) -> Tensor:
        r"""Log density of codes, :math:`\log \sum_k w_k N(z \mid \mu_k, \sigma_k^2 I)`.

        Args:
            z: Codes, ``[N, d]``.
            log_weights: Of the clusters: ``[K]``, or ``[N, K]`` of each code.

        Returns:
            In nats, ``[N]``.

        Source: [MMGAN] inference on the latent space.
        """
        squared = (z[:, None] - self.mu).square().sum(2) / self.sigma.square()  # [N, K]
        scale = z.shape[1] * (self.sigma.log() + math.log(2 * math.pi) / 2)
        return torch.logsumexp(log_weights - squared / 2 - scale, 1)


class MixtureGenerator(nn.Module):
    """A generator behind a latent mixture.

    Args:
        latent: From a cluster and noise to a code.
        core: From codes ``[B, d]`` to samples.

    Source: [MMGAN] Figure 2.
    """

    def __init__(self, latent: LatentMixture, core: nn.Module) -> None:
        super().__init__()
        self.latent, self.core = latent, core

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """Samples of clusters ``y`` ``[B, K]``, one-hot, and noise ``[B, d]``."""
        return self.core(self.latent(y, z))


def likeliest(scores: Tensor, *, straight_through: bool) -> Tensor:
    """The likeliest cluster, one-hot ``[B, K]``, by logits ``[B, K]``.

    Args:
        scores: The logits.
        straight_through: Whether gradients reach them, as if the choice were the probabilities.
    """
    y = F.one_hot(scores.argmax(1), scores.shape[1]).to(scores)
    if not straight_through:
        return y
    p = scores.softmax(1)
    return y + p - p.detach()


def vertices(num: int, dim: int, generator: torch.Generator) -> Tensor:
    r"""Distinct vertices of :math:`\{-1, 1\}^d`, drawn at random, ``[num, dim]``.

    Raises:
        ValueError: If the cube has fewer.
    """
    if num > 2**dim:
        raise ValueError(f"a cube of {dim} dimensions has {2**dim} vertices, not {num}")

    if dim <= LISTED_UP_TO:
        numbers = torch.randperm(2**dim, generator=generator)[:num, None]
        return 2.0 * (numbers >> torch.arange(dim) & 1) - 1

    drawn = torch.empty(0, dim)
    while len(drawn) < num:
        more = 2.0 * torch.randint(2, (num, dim), generator=generator) - 1
        drawn = torch.cat([drawn, more]).unique(dim=0)
    return drawn[torch.randperm(len(drawn), generator=generator)[:num]]
