"""Noise with modes, and the network that reads it off the samples that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scgan.data.images.schema import as_floats
from scgan.losses.nemgan import additive_margin

HeadName = Literal["softmax", "additive_margin"]
ROWS_AT_ONCE = 8192  # that are read at once
SHARPNESS = 10.0  # of the linear layer: modes that are 1 apart in z are told apart for certain
SCALE, MARGIN = 30.0, 0.4  # of the additive margin: [NEMGAN] code


class Prior(nn.Module):
    r"""Weights of the modes, :math:`\alpha = \mathrm{softmax}(a)`.

    Args:
        weights: To start with, ``[K]``, positive; normalised here.

    Source: [NEMGAN] Sec. 3.1; [NEMGAN-P] code, where they are learned.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(weights, dtype=torch.float32).log())

    @property
    def weights(self) -> Tensor:
        """The weights, ``[K]``, summing to 1; without gradients."""
        return self.logits.detach().softmax(0)

    def draw(self, num: int, generator: torch.Generator) -> Tensor:
        """Draw modes ``[num]`` by their weights; as they are drawn, no gradient reaches these."""
        weights = self.weights.to(generator.device)
        if num == 0:
            return torch.empty(0, dtype=torch.long, device=generator.device)
        return torch.multinomial(weights, num, replacement=True, generator=generator)


def engineered_noise(
    y: Tensor, num_modes: int, code_dim: int, spread: float, generator: torch.Generator
) -> Tensor:
    r"""Noise whose modes don't overlap: :math:`z = (e_y, 0) + U(-s, s)^{K + L}`.

    Args:
        y: The modes, ``[B]``.
        num_modes: K.
        code_dim: L, dimensions beside those of the modes.
        spread: :math:`s < 1/2`.
        generator: Draws the continuous part, on its device.

    Returns:
        ``[B, K + L]``.

    Source: [NEMGAN] Sec. 3.1, and its code, which has the modes in every fifth dimension.
    """
    shape = (len(y), num_modes + code_dim)
    uniform = torch.rand(shape, generator=generator, device=generator.device)
    z = spread * (2 * uniform - 1)
    z[:, :num_modes] += F.one_hot(y, num_modes)
    return z


class Inversion(nn.Module):
    r"""Reads noise and mode off a sample, :math:`\hat z = h_1(x), \hat y = h_2(\hat z)`.

    Args:
        h1: From samples ``[B, ...]`` to :math:`\hat z` ``[B, code_dim]``.
        num_modes: K.
        code_dim: Dimensions of z.
        head: What h2 is: a linear layer; the cosines to K directions, with a margin in training;
            or None, for the dimensions of z that hold the modes (the ablation without h2).

    Source: [NEMGAN] Sec. 2.1, [AM-SOFTMAX] Eq. (6) for ``"additive_margin"``.
    """

    def __init__(self, h1: nn.Module, num_modes: int, code_dim: int, head: HeadName | None) -> None:
        super().__init__()
        self.h1, self.num_modes, self.head = h1, num_modes, head
        self.h2: nn.Linear | None = None
        if head is not None:
            self.h2 = nn.Linear(code_dim, num_modes, bias=head == "softmax")

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read samples.

        Args:
            x: Samples, ``[B, ...]``.
            y: Their modes, ``[B]``, in training, for the margin; None where they are asked for.

        Returns:
            The noise, ``[B, code_dim]``, and logits of the modes, ``[B, K]``.
        """
        z_hat = self.h1(x)
        if self.h2 is None:
            return z_hat, z_hat[:, : self.num_modes]
        if self.head == "softmax":
            return z_hat, SHARPNESS * self.h2(z_hat)

        cosines = F.linear(F.normalize(z_hat, dim=1), F.normalize(self.h2.weight, dim=1))
        if y is None:
            return z_hat, SCALE * cosines
        return z_hat, additive_margin(cosines, y, SCALE, MARGIN)


@torch.no_grad()
def read(inversion: nn.Module, x: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Noise ``[N, noise_dim]`` and logits of the modes ``[N, K]`` of rows or images.

    Args:
        inversion: The network.
        x: Rows, or images, uint8 or in [-1, 1]: ``[N, ...]``.
        device: Where the network lies.
    """
    found = [inversion(as_floats(rows.to(device))) for rows in x.split(ROWS_AT_ONCE)]
    z_hat, logits = zip(*found, strict=True)
    return torch.cat(z_hat), torch.cat(logits)
