"""Plain fully connected networks, their weights drawn from an explicit generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

ROWS_AT_ONCE = {"cpu": 8_192}  # with 65,536, decoding the same rows took 3.7 times as long
ROWS_AT_ONCE_ELSEWHERE = 65_536


def by_rows(network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Apply a network to many rows, some at a time.

    Args:
        network: From batches of the inputs to one of the output.
        inputs: Each ``[N, ...]``.

    Returns:
        Its outputs, ``[N, ...]``.
    """
    num = ROWS_AT_ONCE.get(inputs[0].device.type, ROWS_AT_ONCE_ELSEWHERE)
    batches = [x.split(num) for x in inputs]
    return torch.cat(list(map(network, *batches)))


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights and biases of linear and convolutional layers anew.

    They are uniform between -1 and 1 over the root of the fan-in. PyTorch's constructors draw from
    the global generator; this makes a network a function of its seed alone.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            # PyTorch's own fan-in, transposed layers included.
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in (layer.weight, layer.bias):
                if parameter is not None:
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)


Activation = Callable[[], nn.Module]
"""Makes an activation."""


class MLP(nn.Sequential):
    """Linear layers with an activation between them.

    Args:
        sizes: Widths from input to output, at least two.
        activation: Makes the activation between layers.
    """

    def __init__(self, sizes: Sequence[int], activation: Activation = nn.SiLU) -> None:
        layers: list[nn.Module] = []
        for before, after in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(before, after), activation()]
        super().__init__(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., sizes[0]]`` to ``[..., sizes[-1]]``."""
        return super().forward(x)
