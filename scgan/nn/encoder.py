"""The contrastive encoder of tables."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from scgan.nn.mlp import MLP, by_rows, initialise


class Projection(nn.Module):
    """What an encoder trains: a perceptron, or an isometry and what a perceptron adds to it.

    Args:
        data_dim: D.
        code_dim: d.
        width: Width of the hidden layers.
        num_layers: Hidden layers.
        stretch: Of the isometry that it starts as, to be learnt further; None for a perceptron
            alone.
        potential: Whether a last column gives the potential of a code.
        generator: Draws the initial weights.
    """

    def __init__(
        self,
        data_dim: int,
        code_dim: int,
        *,
        width: int,
        num_layers: int,
        stretch: float | None,
        potential: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        num = code_dim + potential
        self.mlp = MLP([data_dim, *[width] * num_layers, num])
        initialise(self, generator)
        self.linear: nn.Parameter | None = None

        if stretch is not None:
            most = max(data_dim, code_dim)
            rotation = torch.linalg.qr(torch.randn(most, most, generator=generator)).Q
            start = stretch * rotation[:data_dim, :code_dim]
            self.linear = nn.Parameter(nn.functional.pad(start, (0, num - code_dim)))
            for parameter in self.mlp[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Projections ``[B, d]``, or ``[B, d + 1]`` with a potential, of data ``[B, D]``."""
        projected = self.mlp(x)
        return projected if self.linear is None else projected + x @ self.linear


class Encoder(nn.Module):
    """Deterministic encoder x -> eps, its codes centred and scaled once it is trained.

    Args:
        data_dim: D.
        code_dim: d.
        generator: Draws the initial weights.
        projection: What else :class:`Projection` is told.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        data_dim: int,
        code_dim: int,
        *,
        generator: torch.Generator,
        **projection: Any,
    ) -> None:
        super().__init__()
        self.code_dim = code_dim
        self.net = Projection(data_dim, code_dim, generator=generator, **projection)
        self.register_buffer("centre", torch.zeros(code_dim))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Codes ``[B, d]`` of data ``[B, D]``."""
        return (self.net(x)[:, : self.code_dim] - self.centre) / self.scale

    @torch.no_grad()
    def fit_scale(self, x: Tensor) -> None:
        """Centre the codes of ``x`` and give them unit mean variance; angles and ratios stay."""
        raw = self.net(x)[:, : self.code_dim]
        self.centre.copy_(raw.mean(0))
        self.scale.copy_((raw - self.centre).square().mean().sqrt())

    @torch.no_grad()
    def embed(self, x: Tensor) -> Tensor:
        """Codes of many rows, without gradients."""
        return by_rows(self, x)
