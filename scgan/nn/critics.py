"""Critics of rows of a table: which batch is real, judged a row or some rows at a time."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from scgan.nn.eigengan import SLOPE
from scgan.nn.mlp import initialise

CriticNormalisation = Literal["none", "layer", "spectral"]


class Critic(nn.Module):
    """A perceptron with leaky rectifiers that gives a logit to every ``pack`` rows.

    Rectifiers bend sharply, which smooth activations don't: on samples of MAGIC too thin in one
    direction held-out accuracy after six seconds of training was 0.88 with leaky rectifiers, 0.55
    with SiLU, and 0.90 with SiLU after layer normalisation.

    Args:
        data_dim: D, columns.
        width: Units of a hidden layer.
        num_layers: Hidden layers, at least 1.
        normalisation: ``"layer"`` normalises the units of each hidden layer over themselves, row by
            row; ``"spectral"`` divides each layer's weights by their largest singular value, so
            that the critic is Lipschitz; ``"none"`` does neither.
        pack: Rows that are judged at once: what a single row can't show, that samples are too
            alike, a pack does.
        generator: Draws the initial weights.

    Source: [PACGAN] Sec. 3, packing; [SNGAN] Sec. 2.1, spectral normalisation.
    """

    def __init__(
        self,
        data_dim: int,
        *,
        width: int,
        num_layers: int,
        normalisation: CriticNormalisation,
        pack: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.pack = pack
        sizes = [pack * data_dim, *[width] * num_layers, 1]
        linear = [nn.Linear(*size) for size in zip(sizes[:-1], sizes[1:], strict=True)]
        layers: list[nn.Module] = []

        for layer in linear:
            initialise(layer, generator)
            layers.append(_bounded(layer, generator) if normalisation == "spectral" else layer)
            if layer is linear[-1]:
                break
            if normalisation == "layer":
                layers.append(nn.LayerNorm(width))
            layers.append(nn.LeakyReLU(SLOPE))

        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B / pack, 1]`` of rows ``[B, D]``, each of ``pack`` rows in a run."""
        return self.layers(x.reshape(len(x) // self.pack, -1))


def _bounded(layer: nn.Linear, generator: torch.Generator) -> nn.Module:
    """The layer, spectrally normalised; PyTorch draws its first singular vectors globally."""
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return spectral_norm(layer)
