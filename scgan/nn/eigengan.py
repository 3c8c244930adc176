r"""EigenGAN for images: a convolutional generator fed from a linear subspace at every layer.

========  ==========================  =============================================
symbol    shape                       meaning
========  ==========================  =============================================
``eps``   ``[B, E]``                  the core latent
``y``     ``[B, A]``                  attributes: one-hot, or each in [0, 1]
``z``     ``[B, num_blocks, q]``      noise, one vector of N(0, I_q) a layer
========  ==========================  =============================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scgan.nn.mlp import initialise
from scgan.nn.subspace import SubspaceLayer

SLOPE = 0.2

UpsamplingName = Literal["transposed", "resize"]


def num_blocks(size: int) -> int:
    """Doublings from the 4 or 7 pixels that the generator starts with to ``size``."""
    base = base_size(size)
    return (size // base).bit_length() - 1


def base_size(size: int) -> int:
    """Pixels a side that the generator starts with: 7 for 28, 4 for powers of two."""
    return 7 if size % 7 == 0 else 4


class AttributeMapper(nn.Module):
    r"""Linear mapper :math:`r_\psi(\varepsilon \mid y, \varepsilon_0)`, without activation.

    Args:
        num_attributes: A.
        code_dim: E.
        generator: Draws the initial weights.
        balanced: Whether an attribute starts with as much weight as all of eps; else it has about
            one E-th of that, as in the code of [INFOSCC-GAN].

    Source: [INFOSCC-GAN] Sec. 2.3, and its code. Differs: the start, where it is balanced.
    """

    def __init__(
        self,
        num_attributes: int,
        code_dim: int,
        generator: torch.Generator,
        *,
        balanced: bool = True,
    ) -> None:
        super().__init__()
        self.attributes = nn.Linear(num_attributes, num_attributes)
        self.join = nn.Linear(num_attributes + code_dim, code_dim)
        initialise(self, generator)
        if balanced:
            with torch.no_grad():
                nn.init.eye_(self.attributes.weight).mul_(math.sqrt(code_dim))

    def forward(self, eps: Tensor, y: Tensor) -> Tensor:
        """Codes ``[B, E]`` from Gaussian ``eps`` ``[B, E]`` and attributes ``[B, A]``."""
        return self.join(torch.cat([self.attributes(y), eps], 1))


class EigenBlock(nn.Module):
    """Doubles the image: features and the layer's subspace, added twice.

    Args:
        before: Channels in.
        after: Channels out.
        size: Pixels a side of the input.
        noise_dim: Dimensions of the subspace.
        noise_scale: Largest initial importance of the noise.
        generator: Draws the subspace's initial basis.
        upsampling: By transposed convolutions, or by repeating pixels before a convolution, which
            leaves no checkerboard.

    Source: [EIGENGAN] Sec. 3, and the code of [INFOSCC-GAN]; [CHECKERBOARD] for ``"resize"``.
    """

    def __init__(
        self,
        before: int,
        after: int,
        size: int,
        noise_dim: int,
        noise_scale: float,
        generator: torch.Generator,
        upsampling: UpsamplingName = "transposed",
    ) -> None:
        super().__init__()
        self.shape = (before, size, size)
        self.project = nn.ConvTranspose2d(before, before, 1)
        self.project_up = _doubling(before, after, upsampling)
        self.up = _doubling(before, after, upsampling)
        self.same = nn.ConvTranspose2d(after, after, 3, 1, 1)
        initialise(self, generator)
        self.subspace = SubspaceLayer(before * size * size, noise_dim, noise_scale, generator)

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """Map features ``[B, before, S, S]`` and noise ``[B, q]`` to ``[B, after, 2 S, 2 S]``."""
        phi = self.subspace(z).view(-1, *self.shape)
        h = self.up(F.leaky_relu(h + self.project(phi), SLOPE))
        return self.same(F.leaky_relu(h + self.project_up(phi), SLOPE))


def _doubling(before: int, after: int, upsampling: UpsamplingName) -> nn.Module:
    if upsampling == "transposed":
        return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, 1, 1))


class ImageGenerator(nn.Module):
    """Stochastic generator of images, conditional where it has attributes.

    Args:
        channels: C.
        size: Pixels a side: 28, or a power of two from 8.
        code_dim: E.
        noise_dim: q, dimensions of each layer's subspace.
        noise_scale: Largest initial importance of the noise.
        width: Channels of the last layer; each layer before has twice as many.
        max_width: At most as many.
        num_attributes: A; 0 for the unconditional EigenGAN.
        generator: Draws the initial weights.
        upsampling: How a layer doubles the image.
        balanced: Whether an attribute starts with as much weight as all of eps.

    Source: [EIGENGAN] Sec. 3; [INFOSCC-GAN] Sec. 2.3.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        *,
        code_dim: int,
        noise_dim: int,
        noise_scale: float,
        width: int,
        max_width: int,
        num_attributes: int,
        generator: torch.Generator,
        upsampling: UpsamplingName = "transposed",
        balanced: bool = True,
    ) -> None:
        super().__init__()
        count, base = num_blocks(size), base_size(size)
        widths = [min(max_width, width * 2 ** (count - i)) for i in range(count + 1)]

        self.code_dim, self.num_attributes = code_dim, num_attributes
        self.noise_shape = (count, noise_dim)
        self.base = (widths[0], base, base)
        self.input = nn.Linear(code_dim, widths[0] * base * base)
        self.output = nn.Conv2d(widths[-1], channels, 7, 1, 3)
        initialise(self, generator)
        self.mapper: AttributeMapper | None = None
        if num_attributes:
            self.mapper = AttributeMapper(num_attributes, code_dim, generator, balanced=balanced)

        noise = (noise_dim, noise_scale, generator, upsampling)
        self.blocks = nn.ModuleList(
            EigenBlock(widths[i], widths[i + 1], base * 2**i, *noise) for i in range(count)
        )

    def bases(self) -> list[Tensor]:
        """U of every layer, ``[q, width]`` each."""
        return [block.get_parameter("subspace.U") for block in self.blocks]

    def importances(self) -> list[Tensor]:
        """L of every layer, ``[q]`` each."""
        return [block.get_parameter("subspace.L") for block in self.blocks]

    def forward(self, eps: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Generate.

        Args:
            eps: Core latents, N(0, I), ``[B, E]``.
            z: Noise, ``[B, num_blocks, q]``.
            y: Attributes, ``[B, A]``, one-hot or each in [0, 1]; None where there are none.

        Returns:
            Images in [-1, 1], ``[B, C, size, size]``.
        """
        if self.mapper is not None:
            eps = self.mapper(eps, y)
        h = self.input(eps).view(-1, *self.base)
        for block, noise in zip(self.blocks, z.unbind(1), strict=True):
            h = block(h, noise)
        return torch.tanh(self.output(F.leaky_relu(h, SLOPE)))

    def latents(self, num: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw eps ``[num, E]`` and z ``[num, num_blocks, q]`` from N(0, I), on its device."""
        device = generator.device
        eps = torch.randn(num, self.code_dim, generator=generator, device=device)
        return eps, torch.randn(num, *self.noise_shape, generator=generator, device=device)


TRAVERSED = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
"""Coefficients that a dimension takes in a traversal: [INFOSCC-GAN]'s code."""


@torch.no_grad()
def traverse(
    network: ImageGenerator,
    generator: torch.Generator,
    y: Tensor | None = None,
    values: Sequence[float] = TRAVERSED,
) -> list[Tensor]:
    """Move along each dimension of each layer's subspace, all else fixed.

    Args:
        network: The generator.
        generator: Draws the image that is moved.
        y: Its attributes, ``[1, A]``; None where there are none.
        values: Coefficients that a dimension takes, T of them.

    Returns:
        For each layer ``[q, T, C, H, W]``, the dimensions in falling order of their importance.

    Source: [EIGENGAN] Sec. 4.1.
    """
    eps, z = network.latents(1, generator)
    steps = torch.tensor(values, device=z.device)
    strips = []

    eps = eps.expand(len(steps), -1)
    y = None if y is None else y.expand(len(steps), -1)

    for layer, importance in enumerate(network.importances()):
        rows = []
        for dimension in importance.abs().argsort(descending=True).tolist():
            moved = z.repeat(len(steps), 1, 1)
            moved[:, layer, dimension] = steps
            rows.append(network(eps, moved, y))

        strips.append(torch.stack(rows))

    return strips
