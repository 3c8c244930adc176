"""Discriminators of images, all called with attributes: three look at them, two leave them aside.

``multiclass``, ``projection`` and ``attributes`` judge an image given its attributes, D(x | y);
``global`` and ``patch`` judge the image alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from scgan.nn.eigengan import SLOPE, base_size, num_blocks
from scgan.nn.mlp import initialise

DiscriminatorName = Literal["global", "patch", "attributes", "multiclass", "projection"]


class GlobalDiscriminator(nn.Module):
    """One logit an image: the generator's mirror, without normalisation.

    Args:
        channels: C.
        size: Pixels a side.
        width: Channels of the first layer; each level has twice as many.
        max_width: At most as many.
        num_logits: Logits an image.

    Source: [INFOSCC-GAN] Sec. 4.3.1, and its code.
    """

    def __init__(
        self, channels: int, size: int, *, width: int, max_width: int, num_logits: int = 1
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 7, 1, 3), nn.LeakyReLU(SLOPE)]

        for _ in range(num_blocks(size)):
            after = min(max_width, 2 * width)
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.LeakyReLU(SLOPE)]
            layers += [nn.Conv2d(width, after, 3, 2, 1), nn.LeakyReLU(SLOPE)]
            width = after

        layers += [nn.Conv2d(width, width, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Flatten()]
        layers += [
            nn.Linear(width * base_size(size) ** 2, max_width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(max_width, num_logits),
        ]

        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Logits ``[B, num_logits]`` of images ``[B, C, size, size]``."""
        return self.layers(x)


class MulticlassDiscriminator(nn.Module):
    r"""Discriminators :math:`D(x \mid y)` that share all layers but the last: a logit an attribute.

    An image with several attributes gets the mean of their logits; one with none, a logit of its
    own.

    Args:
        trunk: From images to ``A + 1`` logits.

    Source: [INFOSCC-GAN] Sec. 2.3, and its code.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits ``[B, 1]`` of images ``[B, C, size, size]`` with y ``[B, A]`` in {0, 1}."""
        return (self.trunk(x) * shares(y)).sum(1, keepdim=True)


class ProjectionDiscriminator(nn.Module):
    r"""A logit of the image alone, and to it the projection of its features on its attributes.

    .. math:: D(x \mid y) = \psi(\phi(x)) + \sum_a y_a (v_a^\top \phi(x) + b_a)

    All images teach :math:`\psi`, where each logit of ``multiclass`` learns from its attribute's
    alone: with many attributes those are few.

    Args:
        trunk: From images to ``A + 1`` logits by its last, linear layer: those of v and b, and
            psi's.

    Source: [PROJECTION] Eq. (3). Differs: an attribute has a bias, too.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits ``[B, 1]`` of images ``[B, C, size, size]`` with y ``[B, A]`` in {0, 1}."""
        projections, psi = self.trunk(x).tensor_split([-1], 1)  # [B, A], [B, 1]
        return psi + (y * projections).sum(1, keepdim=True)


class PatchDiscriminator(nn.Module):
    """A logit a patch, by 4x4 convolutions.

    Args:
        channels: C.
        size: Pixels a side.
        width: Channels of the first layer.
        max_width: At most as many.

        normalised: Whether its inner layers are, over groups of channels.

    It halves an image as often as the generator doubles it: 2 x 2 logits, or 5 x 5 of 28 pixels,
    each of which sees the whole image, if from another place.

    Source: [INFOSCC-GAN] Sec. 4.3.1, and its code, [PIX2PIX] App. 6.1.2. Differs: groups, not
        batches, are normalised, so that an image's logits depend on it alone (R1, several workers).
    """

    GROUPS = 8

    def __init__(
        self, channels: int, size: int, *, width: int, max_width: int, normalised: bool = True
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]

        for stride in (*[2] * (num_blocks(size) - 1), 1):
            after = min(max_width, 2 * width)
            layers.append(nn.Conv2d(width, after, 4, stride, 1))
            if normalised:
                layers.append(nn.GroupNorm(self.GROUPS, after))
            layers.append(nn.LeakyReLU(SLOPE))
            width = after

        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Logits ``[B, 1, H', W']`` of images ``[B, C, size, size]``."""
        return self.layers(x)


class AttributeDiscriminators(nn.Module):
    r"""A discriminator an attribute, :math:`D(x \mid y)`: each sees only the images that have it.

    An image with several gets the mean of their logits; one with none, a discriminator of its own.

    Args:
        num_attributes: A.
        make: Makes one discriminator, of one logit an image.

    Source: [INFOSCC-GAN] Sec. 2.3.
    """

    def __init__(self, num_attributes: int, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(make() for _ in range(num_attributes + 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits ``[B, 1]`` of images ``[B, C, size, size]`` with y ``[B, A]`` in {0, 1}."""
        logits = x.new_zeros(len(x), 1)
        for member, weight in zip(self.members, shares(y).T, strict=True):
            rows = weight.nonzero()[:, 0]
            logits = logits.index_add(0, rows, weight[rows, None] * member(x[rows]))
        return logits


def shares(y: Tensor) -> Tensor:
    """Each present attribute's share of an image, the last of having none: ``[B, A + 1]``."""
    has = torch.cat([y, (y.sum(1, keepdim=True) == 0).to(y)], 1)
    return has / has.sum(1, keepdim=True)


def build_discriminator(
    name: DiscriminatorName,
    channels: int,
    size: int,
    *,
    width: int,
    max_width: int,
    num_attributes: int,
    generator: torch.Generator,
    spectral: bool = False,
) -> nn.Module:
    """A new discriminator, its weights drawn from ``generator``.

    Args:
        name: Which.
        channels: C.
        size: Pixels a side.
        width: Channels of the first layer.
        max_width: At most as many.
        num_attributes: A.
        generator: Draws the initial weights.
        spectral: Whether every layer's weights are divided by their largest singular value, in
            place of any other normalisation.

    Source: [SNGAN] Sec. 2.1, ``spectral``.
    """
    widths = {"width": width, "max_width": max_width}
    discriminator: nn.Module

    if name == "patch":
        discriminator = PatchDiscriminator(channels, size, **widths, normalised=not spectral)
    elif name == "global":
        discriminator = GlobalDiscriminator(channels, size, **widths)
    elif name in ("multiclass", "projection"):
        trunk = GlobalDiscriminator(channels, size, **widths, num_logits=num_attributes + 1)
        by = MulticlassDiscriminator if name == "multiclass" else ProjectionDiscriminator
        discriminator = by(trunk)
    else:
        discriminator = AttributeDiscriminators(
            num_attributes, lambda: GlobalDiscriminator(channels, size, **widths)
        )

    initialise(discriminator, generator)
    if spectral:
        _bound(discriminator, generator)
    return discriminator


def _bound(network: nn.Module, generator: torch.Generator) -> None:
    """Put every layer under spectral normalisation."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.random.fork_rng(devices=[]):  # PyTorch draws its first vectors globally
        seed = int(torch.randint(2**62, (), generator=generator))
        torch.default_generator.manual_seed(seed)
        for layer in layers:
            nn.utils.parametrizations.spectral_norm(layer)
