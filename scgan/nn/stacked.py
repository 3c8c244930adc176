"""Many small networks of one shape trained as one: a leading dimension K, one product a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """K linear layers side by side, ``[K, B, in] -> [K, B, out]``.

    Each is drawn from its own generator, so that a network's weights don't depend on its
    neighbours.

    Args:
        in_features: Input width.
        out_features: Output width.
        generators: One a network.
        gain: Factor on the initial weights; 0 starts at the zero map.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        generators: Sequence[torch.Generator],
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        bound = gain / math.sqrt(in_features)
        shape = (in_features + 1, out_features)
        drawn = torch.stack([torch.rand(shape, generator=generator) for generator in generators])
        drawn = (2 * drawn - 1) * bound
        self.weight = nn.Parameter(drawn[:, :-1].contiguous())  # [K, in, out]
        self.bias = nn.Parameter(drawn[:, -1:].contiguous())  # [K, 1, out]

    def forward(self, x: Tensor, which: Tensor | None = None) -> Tensor:
        """Apply network k to ``x[k]``, or network ``which[t]`` to ``x[t]``."""
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if which is not None:
            weight, bias = weight[which], bias[which]

        # A batched product with one column or row takes another routine, of other rounding, if K
        # is 1.
        if weight.shape[2] == 1:
            return (x * weight.mT).sum(2, keepdim=True) + bias
        if weight.shape[1] == 1:
            return x * weight + bias
        return torch.baddbmm(bias, x, weight)


class StackedMLP(nn.Module):
    """K multilayer perceptrons, ``[K, B, sizes[0]] -> [K, B, sizes[-1]]``.

    Args:
        sizes: Widths from input to output.
        generators: One a network.
        last_gain: Factor on the last layer's initial weights.
    """

    def __init__(
        self, sizes: Sequence[int], generators: Sequence[torch.Generator], last_gain: float = 1.0
    ) -> None:
        super().__init__()
        widths = list(zip(sizes[:-1], sizes[1:], strict=True))
        gains = [1.0] * (len(widths) - 1) + [last_gain]
        self.layers = nn.ModuleList(
            StackedLinear(before, after, generators, gain)
            for (before, after), gain in zip(widths, gains, strict=True)
        )

    def forward(self, x: Tensor, which: Tensor | None = None) -> Tensor:
        """Apply network k to ``x[k]``, or network ``which[t]`` to ``x[t]``."""
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else nn.functional.leaky_relu(x, 0.2), which)
        return x
