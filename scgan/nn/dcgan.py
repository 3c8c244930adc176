"""Generators and readers of rows or images, after DCGAN: rectifiers, strided convolutions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scgan.nn.eigengan import SLOPE, base_size, num_blocks
from scgan.nn.mlp import MLP, Activation, initialise

leaky_relu = functools.partial(nn.LeakyReLU, SLOPE)


@dataclass(frozen=True)
class Sizes:
    """How large the networks are.

    Args:
        width: Units of a hidden layer.
        num_layers: Hidden layers of rows' networks.
        image_width: Channels at half the images' size, doubled at each halving.
    """

    width: int
    num_layers: int
    image_width: int

    def channels(self, size: int) -> list[int]:
        """Channels at each size of a layer, from half the images' size to the smallest."""
        return [self.image_width * 2**i for i in range(num_blocks(size))]


def build_generator(
    noise_dim: int,
    shape: Sequence[int],
    sizes: Sizes,
    generator: torch.Generator,
    activation: Activation = nn.ReLU,
) -> nn.Module:
    """A new generator, from noise ``[B, noise_dim]`` to rows ``[B, D]`` or images in [-1, 1].

    Args:
        noise_dim: Dimensions of the noise.
        shape: Of a sample: ``[D]`` or ``[C, H, W]``.
        sizes: Of the layers.
        generator: Draws the initial weights.
        activation: Of rows' networks.

    Source: [DCGAN] Sec. 3: normalised over the batch, as without it a noise of small variance
        collapses; rows are not.
    """
    network: nn.Sequential
    if len(shape) == 1:
        network = MLP([noise_dim, *[sizes.width] * sizes.num_layers, *shape], activation)
    else:
        network = _image_generator(noise_dim, shape[0], shape[1], sizes)
    initialise(network, generator)
    return network


def _image_generator(noise_dim: int, channels: int, size: int, sizes: Sizes) -> nn.Sequential:
    base, widths = base_size(size), sizes.channels(size)[::-1]
    layers: list[nn.Module] = [
        nn.Linear(noise_dim, widths[0] * base**2),
        nn.Unflatten(1, (widths[0], base, base)),
    ]
    for i, before in enumerate(widths):
        last = i == len(widths) - 1
        after = channels if last else widths[i + 1]
        up = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=last)  # else the next mean takes it
        layers += [nn.BatchNorm2d(before), nn.ReLU(), up]

    return nn.Sequential(*layers, nn.Tanh())


class BalancedLogits(nn.Module):
    """The logits of clusters, the first of what is read, normalised over the batch, and one scale.

    Softmax of others saturates within thousands of images at one cluster for all of them.

    Args:
        num_clusters: K.
    """

    def __init__(self, num_clusters: int) -> None:
        super().__init__()
        self.num_clusters = num_clusters
        self.norm = nn.BatchNorm1d(num_clusters, affine=False)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, read: Tensor) -> Tensor:
        """Of what is read, ``[B, K + d]``; the d others stay as they are."""
        logits, others = read.tensor_split([self.num_clusters], 1)
        return torch.cat([self.scale * self.norm(logits), others], 1)


def build_reader(
    shape: Sequence[int],
    outputs: int,
    sizes: Sizes,
    generator: torch.Generator,
    activation: Activation = leaky_relu,
) -> nn.Module:
    """A new network from rows ``[B, D]`` or images ``[B, C, H, W]`` to ``[B, outputs]``.

    Args:
        shape: Of a sample: ``[D]`` or ``[C, H, W]``.
        outputs: Numbers a sample: a discriminator's logit, or what is read off it.
        sizes: Of the layers.
        generator: Draws the initial weights.
        activation: Of rows' networks.

    Source: [DCGAN] Sec. 3. Differs: not normalised, and images have a hidden layer at the end.
    """
    network: nn.Sequential
    if len(shape) == 1:
        network = MLP([*shape, *[sizes.width] * sizes.num_layers, outputs], activation)
    else:
        network = _image_reader(shape[0], shape[1], outputs, sizes)
    initialise(network, generator)
    return network


def _image_reader(channels: int, size: int, outputs: int, sizes: Sizes) -> nn.Sequential:
    widths = sizes.channels(size)
    layers: list[nn.Module] = []
    for before, after in zip([channels, *widths[:-1]], widths, strict=True):
        layers += [nn.Conv2d(before, after, 4, 2, 1), leaky_relu()]

    flat = widths[-1] * base_size(size) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, sizes.width), leaky_relu()]
    return nn.Sequential(*layers, nn.Linear(sizes.width, outputs))
