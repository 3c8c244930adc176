"""Noise with modes, the prior that they are drawn by, and what reads them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from scgan.nn.inversion import Inversion, Prior, engineered_noise


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noise_is_its_mode_and_uniform_noise_about_it_that_does_not_overlap():
    y = torch.arange(3).repeat(5000)
    z = engineered_noise(y, 3, 2, 0.3, seeded())
    assert z.shape == (15_000, 5)
    around = z - torch.nn.functional.one_hot(y, 5)
    assert -0.3 <= around.min() < -0.29 and 0.29 < around.max() <= 0.3
    assert around.mean(0).abs().max() < 0.02
    assert_close(around.std(0), torch.full((5,), 0.6 / 12**0.5), rtol=0.05, atol=0)
    assert torch.equal(z[:, :3].argmax(1), y)
    assert torch.equal(z, engineered_noise(y, 3, 2, 0.3, seeded()))


def test_modes_are_drawn_by_their_weights_whatever_these_sum_to():
    prior = Prior([1, 2, 5])
    assert_close(prior.weights, torch.tensor([0.125, 0.25, 0.625]))
    y = prior.draw(40_000, seeded())
    assert_close(torch.bincount(y) / len(y), prior.weights, rtol=0, atol=0.01)
    assert torch.equal(y, prior.draw(40_000, seeded()))
    assert prior.draw(0, seeded()).shape == (0,)


def test_weights_carry_no_gradient_but_the_logits_learn():
    prior = Prior([1.0, 1.0])
    assert not prior.weights.requires_grad and prior.logits.requires_grad


def h(head):
    h1 = nn.Linear(2, 4)
    network = Inversion(h1, 3, 4, head)
    x = torch.randn(5, 2, generator=seeded(1))
    return network, x, h1(x)


def test_h2_reads_the_noise_that_h1_found():
    network, x, z_hat = h("softmax")
    found, logits = network(x)
    assert_close(found, z_hat)
    assert_close(logits, 10 * (z_hat @ network.h2.weight.T + network.h2.bias))
    assert_close(network(x, torch.zeros(5, dtype=torch.long))[1], logits)


def test_cosines_have_a_margin_in_training_alone():
    network, x, z_hat = h("additive_margin")
    assert network.h2.bias is None
    w, y = network.h2.weight, torch.tensor([0, 1, 2, 0, 1])
    cosines = torch.stack([nn.functional.cosine_similarity(z_hat, row[None]) for row in w], 1)
    assert_close(network(x)[1], 30 * cosines)
    cosines[torch.arange(5), y] -= 0.4
    assert_close(network(x, y)[1], 30 * cosines)


def test_without_h2_the_modes_are_those_dimensions_of_the_noise():
    network, x, z_hat = h(None)
    assert network.h2 is None
    assert_close(network(x)[1], z_hat[:, :3])


@pytest.mark.parametrize("spread", [0.1, 0.49])
def test_modes_are_apart_for_any_spread_below_a_half(spread):
    z = engineered_noise(torch.tensor([0, 1]).repeat(2000), 2, 0, spread, seeded())
    own, other = z.gather(1, torch.tensor([[0], [1]]).repeat(2000, 1)), z.min(1).values
    assert own.min() > other.max()
