r"""The mapping networks: one small adversarial autoencoder a cluster, all of them stacked.

Each works in its cluster's own coordinates: centred, rotated to the principal axes and scaled.
There the decoder is the identity plus a small network that starts at zero, so that a mapper begins
as its cluster's Gaussian and is refined.

=========  ==============  ====================================================
symbol     shape           meaning
=========  ==============  ====================================================
``eps``    ``[K, B, d]``   codes of the encoder of stage 1, a row a cluster
``v``      ``[K, B, d]``   the same in each cluster's own coordinates
``omega``  ``[K, B, q]``   codes of the autoencoders, N(0, I) when trained
=========  ==============  ====================================================
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scgan.nn.stacked import StackedMLP


class Whitening(nn.Module):
    """Each cluster's own coordinates.

    Args:
        num_clusters: K.
        dim: d.
    """

    centre: Tensor
    axes: Tensor
    scale: Tensor

    def __init__(self, num_clusters: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(num_clusters, 1, dim))
        self.register_buffer("axes", torch.eye(dim).repeat(num_clusters, 1, 1))
        self.register_buffer("scale", torch.ones(num_clusters, 1, dim))

    @torch.no_grad()
    def fit(self, clusters: Sequence[Tensor], floor: float) -> None:
        """Take each cluster's centre, principal axes (largest first) and standard deviations.

        Args:
            clusters: Each cluster's codes, ``[n_k, d]``.
            floor: Least scale of an axis, as a share of the cluster's largest; keeps axes that the
                data hardly uses from being blown up to noise.
        """
        for k, eps in enumerate(clusters):
            rows = eps.double()
            centred = rows - rows.mean(0)
            variance, axes = torch.linalg.eigh(centred.T @ centred / len(rows))
            std = variance.clamp_min(0).sqrt().flip(0)
            self.centre[k, 0] = rows.mean(0)
            self.axes[k] = axes.flip(1)
            self.scale[k, 0] = std.clamp_min(max(float(std[0]) * floor, 1e-12))

    def forward(self, eps: Tensor) -> Tensor:
        """Codes to own coordinates, ``[K, B, d]``."""
        return torch.bmm(eps - self.centre, self.axes) / self.scale

    def inverse(self, v: Tensor, which: Tensor | slice = slice(None)) -> Tensor:
        """Own coordinates of clusters ``which`` back to codes."""
        return torch.bmm(v * self.scale[which], self.axes[which].mT) + self.centre[which]


class Mappers(nn.Module):
    r"""K adversarial autoencoders with their code discriminators.

    Args:
        dim: d, dimension of eps.
        code_dim: q, dimension of omega, at most d.
        width: Width of the hidden layers.
        num_layers: Hidden layers of each network.
        generators: One a cluster, for its initial weights.

    Source: [SCGAN] Sec. 2.2. Differs: own coordinates a cluster, residual networks.
    """

    def __init__(
        self,
        dim: int,
        code_dim: int,
        *,
        width: int,
        num_layers: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        hidden = [width] * num_layers
        self.dim, self.code_dim = dim, code_dim
        self.whitening = Whitening(len(generators), dim)
        self.encoder = StackedMLP([dim, *hidden, code_dim], generators, last_gain=0.0)
        self.decoder = StackedMLP([code_dim, *hidden, dim], generators, last_gain=0.0)
        self.discriminator = StackedMLP([code_dim, *hidden, 1], generators)

    def encode(self, v: Tensor) -> Tensor:
        """q(omega | eps), deterministic: own coordinates ``[K, B, d]`` to codes ``[K, B, q]``."""
        return v[..., : self.code_dim] + self.encoder(v)

    def decode(self, omega: Tensor, which: Tensor | None = None) -> Tensor:
        """p(eps | omega): codes ``[K, B, q]`` to own coordinates ``[K, B, d]``."""
        return nn.functional.pad(omega, (0, self.dim - self.code_dim)) + self.decoder(omega, which)

    @torch.no_grad()
    def sample(self, k: Tensor, generator: torch.Generator, tile: int = 64) -> Tensor:
        """Draw eps from the clusters named row by row.

        Rows of one cluster are put together in tiles, so that the cost is a batched product however
        unequal the clusters are.

        Args:
            k: Cluster of each row, ``[N]``, integers in [0, K).
            generator: Draws omega.
            tile: Rows of a tile.

        Returns:
            Codes, ``[N, d]``, in the order of ``k``.
        """
        shape = (len(k), self.code_dim)
        omega = torch.randn(shape, generator=generator, device=generator.device).to(k.device)

        # Where each row goes: the tiles of its cluster, one row after the other.
        order = k.argsort(stable=True)
        counts = torch.bincount(k, minlength=len(self.whitening.centre))
        tiles = (counts + tile - 1) // tile
        which = torch.repeat_interleave(torch.arange(len(counts), device=k.device), tiles)
        start = (counts.cumsum(0) - counts)[k[order]]
        first_tile = (tiles.cumsum(0) - tiles)[k[order]]
        slot = first_tile * tile + torch.arange(len(k), device=k.device) - start

        padded = omega.new_zeros(len(which) * tile, self.code_dim)
        padded[slot] = omega[order]
        v = self.decode(padded.view(len(which), tile, -1), which)
        eps = self.whitening.inverse(v, which).view(len(which) * tile, -1)[slot]

        return torch.empty_like(eps).index_copy_(0, order, eps)
