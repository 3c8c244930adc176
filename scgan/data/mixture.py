"""What a toy set is, and the simplest kind: a mixture of Gaussians."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Toy(ABC):
    """A distribution in the plane.

    Attributes:
        name: Key in ``TOYS``.
    """

    name: str

    @abstractmethod
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """Draw independent points.

        Args:
            num: How many, at least 0.
            generator: Source of randomness; the points are made on its device.

        Returns:
            Points, shape ``[num, 2]``, float32.
        """

    def sample_labelled(self, num: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Draw as :meth:`sample` does, and say which piece each point is of.

        Returns:
            Points ``[num, 2]``, and the number of each one's piece ``[num]``; None for a set that
            is not made of pieces.
        """
        return self.sample(num, generator), None

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density, computed in float64.

        Args:
            x: Points, shape ``[N, 2]``.

        Returns:
            Shape ``[N]``, float64, in nats; ``-inf`` outside the support.

        Raises:
            ValueError: If the set has no known density.
        """
        raise ValueError(f"{self.name} has no known density")

    @property
    def has_density(self) -> bool:
        """Whether ``log_prob`` is implemented; a set added without it can still be trained on."""
        return type(self).log_prob is not Toy.log_prob

    def modes(self) -> Tensor | None:
        """Centres of the modes, shape ``[M, 2]``, float32; None without separate modes."""
        return None

    @property
    def mode_std(self) -> Tensor | None:
        """Standard deviation of each mode, shape ``[M]``, float32; None without modes."""
        return None

    @property
    def mode_weights(self) -> Tensor | None:
        """Probability of each mode, shape ``[M]``, float32, sums to 1; None without modes."""
        return None


@dataclass(frozen=True)
class GaussianMixture(Toy):
    r"""Isotropic Gaussians of given weights and widths.

    .. math:: p(x) = \sum_m w_m \, \mathcal{N}(x; c_m, s_m^2 I)

    Attributes:
        centers: One pair a mode.
        stds: :math:`s_m > 0`, one a mode.
        weights: :math:`w_m`, one a mode, summing to 1.
    """

    centers: tuple[tuple[float, float], ...]
    stds: tuple[float, ...]
    weights: tuple[float, ...]

    @override
    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        return self.sample_labelled(num, generator)[0]

    @override
    def sample_labelled(self, num: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        weights = torch.tensor(self.weights, dtype=torch.float64, device=device)
        uniform = torch.rand(num, generator=generator, device=device, dtype=torch.float64)

        # A mode by its weight, the last one for what rounding left of 1; then a point of it.
        k = torch.searchsorted(weights.cumsum(0), uniform, right=True)
        k = k.clamp_max(len(self.weights) - 1)
        centers = torch.tensor(self.centers, device=device)[k]
        stds = torch.tensor(self.stds, device=device)[k, None]

        return centers + stds * torch.randn(num, 2, generator=generator, device=device), k

    @override
    def log_prob(self, x: Tensor) -> Tensor:
        centers = x.new_tensor(self.centers, dtype=torch.float64)
        stds = x.new_tensor(self.stds, dtype=torch.float64)
        weights = x.new_tensor(self.weights, dtype=torch.float64)
        squared = ((x.double()[:, None] - centers) / stds[:, None]).square().sum(-1)  # [N, M]
        return torch.logsumexp(weights.log() - LOG_2PI - 2 * stds.log() - squared / 2, dim=1)

    @override
    def modes(self) -> Tensor:
        return torch.tensor(self.centers)

    @property
    @override
    def mode_std(self) -> Tensor:
        return torch.tensor(self.stds)

    @property
    @override
    def mode_weights(self) -> Tensor:
        return torch.tensor(self.weights)
