"""The contrastive encoder of tables."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scgan.nn.mlp import MLP, by_rows, initialise


class Encoder(nn.Module):
    """Deterministic encoder x -> eps, its codes centred and scaled once it is trained.

    Args:
        data_dim: D.
        code_dim: d.
        width: Width of the hidden layers.
        num_layers: Hidden layers.
        generator: Draws the initial weights.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        data_dim: int,
        code_dim: int,
        *,
        width: int,
        num_layers: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.net = MLP([data_dim, *[width] * num_layers, code_dim])
        initialise(self, generator)
        self.register_buffer("centre", torch.zeros(code_dim))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Codes ``[B, d]`` of data ``[B, D]``."""
        return (self.net(x) - self.centre) / self.scale

    @torch.no_grad()
    def fit_scale(self, x: Tensor) -> None:
        """Centre the codes of ``x`` and give them unit mean variance; angles and ratios stay."""
        raw = self.net(x)
        self.centre.copy_(raw.mean(0))
        self.scale.copy_((raw - self.centre).square().mean().sqrt())

    @torch.no_grad()
    def embed(self, x: Tensor) -> Tensor:
        """Codes of many rows, without gradients."""
        return by_rows(self, x)
