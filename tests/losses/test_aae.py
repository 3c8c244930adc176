"""The clustering AAE's objective against a loop."""

from __future__ import annotations

import math

import pytest
import torch

from scgan.losses.aae import autoencoder_loss


@pytest.mark.parametrize("weight", [0.1, 3.0])
def test_autoencoder_loss_equals_a_loop(weight):
    generator = torch.Generator().manual_seed(0)
    x, x_hat = (torch.randn(4, 3, generator=generator) for _ in range(2))
    y, z = (torch.randn(4, 1, generator=generator) for _ in range(2))
    squares = sum(
        (a - b) ** 2 for a, b in zip(x.flatten().tolist(), x_hat.flatten().tolist(), strict=True)
    )
    fooled = [sum(math.log(1 + math.exp(-v)) for v in d.flatten().tolist()) / 4 for d in (y, z)]

    loss = autoencoder_loss(x, x_hat, y, z, prior_weight=weight)
    found = [float(value) for value in loss]
    expected = [squares / 12, *fooled, squares / 12 + weight * sum(fooled)]
    assert found == pytest.approx(expected)
