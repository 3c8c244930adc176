"""ClusterGAN's reading of the latent against a loop."""

from __future__ import annotations

import math

import pytest
import torch

from scgan.losses.clustergan import encoder_loss


@pytest.mark.parametrize(("beta_n", "beta_c"), [(10.0, 10.0), (0.0, 10.0), (2.0, 0.0)])
def test_encoder_loss_equals_a_loop(beta_n, beta_c):
    generator = torch.Generator().manual_seed(0)
    z, z_hat, logits = (torch.randn(4, 3, generator=generator) for _ in range(3))
    y, squares, entropy = torch.tensor([0, 2, 1, 1]), 0.0, 0.0
    for i in range(4):
        squares += sum((float(z[i, j]) - float(z_hat[i, j])) ** 2 for j in range(3))
        weights = [math.exp(value) for value in logits[i].tolist()]
        entropy -= math.log(weights[y[i]] / sum(weights))

    loss = encoder_loss(z, z_hat, logits, y, beta_n=beta_n, beta_c=beta_c)
    assert float(loss.continuous) == pytest.approx(squares / 12)
    assert float(loss.discrete) == pytest.approx(entropy / 4)
    assert float(loss.total) == pytest.approx(beta_n * squares / 12 + beta_c * entropy / 4)
