r"""The mapping networks: a small model a cluster that shapes N(0, I) into its codes, all stacked.

Each works in its cluster's own coordinates: centred, rotated to the principal axes and scaled. In
these, every kind begins as its cluster's Gaussian and is refined.

=========  ==============  ====================================================
symbol     shape           meaning
=========  ==============  ====================================================
``eps``    ``[K, B, d]``   codes of the encoder of stage 1, a row a cluster
``v``      ``[K, B, d]``   the same in each cluster's own coordinates
``omega``  ``[K, B, q]``   what they are made of, N(0, I)
=========  ==============  ====================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from scgan.clustering.mixtures import Components
from scgan.nn.flows import SplineFlows
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
    r"""K maps from N(0, I) to codes: these, without a network, to a Gaussian a cluster.

    Args:
        num_clusters: K.
        dim: d, dimension of eps.
        code_dim: q, dimension of omega, at most d; the axes after the first q stay 0.
    """

    def __init__(self, num_clusters: int, dim: int, code_dim: int) -> None:
        super().__init__()
        self.dim, self.code_dim = dim, code_dim
        self.whitening = Whitening(num_clusters, dim)

    def decode(self, omega: Tensor, which: Tensor | None = None) -> Tensor:
        """Omega ``[K, B, q]`` to own coordinates ``[K, B, d]``, by map t or map ``which[t]``."""
        return nn.functional.pad(omega, (0, self.dim - self.code_dim))

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


class AutoencoderMappers(Mappers):
    r"""K adversarial autoencoders with their code discriminators.

    The decoder is the identity plus a small network that starts at zero.

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
        super().__init__(len(generators), dim, code_dim)
        hidden = [width] * num_layers
        self.encoder = StackedMLP([dim, *hidden, code_dim], generators, last_gain=0.0)
        self.decoder = StackedMLP([code_dim, *hidden, dim], generators, last_gain=0.0)
        self.discriminator = StackedMLP([code_dim, *hidden, 1], generators)

    def encode(self, v: Tensor) -> Tensor:
        """q(omega | eps), deterministic: own coordinates ``[K, B, d]`` to codes ``[K, B, q]``."""
        return v[..., : self.code_dim] + self.encoder(v)

    @override
    def decode(self, omega: Tensor, which: Tensor | None = None) -> Tensor:
        return super().decode(omega) + self.decoder(omega, which)


class MixtureMappers(Mappers):
    """A mixture of Gaussians a cluster: one for each of its components, and their weights.

    Args:
        num_clusters: K.
        num_components: M, at most; components that a cluster leaves out weigh nothing.
        dim: d, dimension of eps.
    """

    weights: Tensor

    def __init__(self, num_clusters: int, num_components: int, dim: int) -> None:
        super().__init__(num_clusters * num_components, dim, dim)
        self.register_buffer("weights", torch.zeros(num_clusters, num_components))

    @torch.no_grad()
    def put(self, k: int, own: Whitening, components: Components) -> None:
        """Take over a cluster's mixture.

        Args:
            k: The cluster.
            own: Its own coordinates, in which the mixture was fitted.
            components: M of them, or fewer.
        """
        weights, means, covariances = (values.float() for values in components)
        number = k * self.weights.shape[1] + torch.arange(len(weights))
        self.weights[k, : len(weights)] = weights
        self.whitening.centre[number] = own.inverse(means[None]).transpose(0, 1)

        # A component's root in the codes' coordinates; its singular vectors are principal axes.
        root = own.axes * own.scale @ torch.linalg.cholesky(covariances)  # [M, d, d]
        axes, scale, _ = torch.linalg.svd(root)
        self.whitening.axes[number] = axes
        self.whitening.scale[number, 0] = scale

    def components(self, k: int, own: Whitening) -> Components:
        """A cluster's mixture in coordinates ``own``, double precision: what :meth:`put` takes."""
        number = self.weights[k].nonzero()[:, 0]
        centre, axes, scale = (
            t[k * self.weights.shape[1] + number].double() for t in self.whitening.buffers()
        )
        to_own = (own.axes[0] / own.scale[0]).double()  # [d, d]
        root = to_own.T @ (axes * scale)
        means = (centre[:, 0] - own.centre[0].double()) @ to_own
        return Components(self.weights[k, number].double(), means, root @ root.mT)

    @override
    def sample(self, k: Tensor, generator: torch.Generator, tile: int = 8) -> Tensor:
        # Where the weights' running sums, cluster after cluster, pass k + u: that is many times as
        # fast as a multinomial draw a row.
        device = generator.device
        ends = self.weights.to(device).double().cumsum(1)
        ends = ends / ends[:, -1:] + torch.arange(len(ends), device=device)[:, None]
        u = torch.rand(len(k), dtype=torch.double, generator=generator, device=device)
        number = torch.searchsorted(ends.flatten(), k.to(device) + u, right=True)
        return super().sample(number.to(k.device), generator, tile)


class FlowMappers(Mappers):
    r"""A normalising flow a cluster, on the axes that carry its variance, and the others by those.

    Codes of data of fewer dimensions lie on a sheet, which has no density. So the flow is of a
    cluster's first ``num_axes`` principal axes, and an axis v_i beyond them is Gaussian given
    those:

    .. math:: p(v) = p_\text{flow}(v_{\le q}) \prod_{i > q}
              \mathcal{N}(v_i; f_i(v_{\le q}), \sigma_i^2)

    Args:
        dim: d, dimension of eps and of omega.
        num_axes: Axes that the flow models, at most d.
        num_couplings: Coupling layers of a flow.
        num_pieces: Pieces of its splines.
        width: Width of the hidden layers.
        num_layers: Hidden layers of each network.
        generators: One a cluster, for its initial weights.

    Source: [SCGAN] Sec. 2.2: "one can use Flows".
    """

    LEAST_SPREAD = 1e-3  # own coordinates; less than that is nothing

    def __init__(
        self,
        dim: int,
        num_axes: int,
        *,
        num_couplings: int,
        num_pieces: int,
        width: int,
        num_layers: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__(len(generators), dim, dim)
        self.num_axes = num_axes
        self.flows = SplineFlows(
            num_axes,
            num_couplings=num_couplings,
            num_pieces=num_pieces,
            width=width,
            num_layers=num_layers,
            generators=generators,
        )

        num_other, hidden = dim - num_axes, [width] * num_layers
        if num_other:
            self.others = StackedMLP([num_axes, *hidden, num_other], generators, last_gain=0.0)
            self.log_spread = nn.Parameter(torch.zeros(len(generators), 1, num_other))

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Own coordinates to omega, ``[K, B, d]``, and the determinant's log, ``[K, B]``."""
        omega, slope = self.flows(v[..., : self.num_axes])
        if self.num_axes == self.dim:
            return omega, slope

        log_spread = self._log_spread()
        error = v[..., self.num_axes :] - self.others(v[..., : self.num_axes])
        return torch.cat([omega, error / log_spread.exp()], -1), slope - log_spread.sum(-1)

    @override
    def decode(self, omega: Tensor, which: Tensor | None = None) -> Tensor:
        v = self.flows.inverse(omega[..., : self.num_axes], which)
        if self.num_axes == self.dim:
            return v

        log_spread = self._log_spread()
        spread = (log_spread if which is None else log_spread[which]).exp()
        others = self.others(v, which) + spread * omega[..., self.num_axes :]
        return torch.cat([v, others], -1)

    def _log_spread(self) -> Tensor:
        return self.log_spread.clamp_min(math.log(self.LEAST_SPREAD))
