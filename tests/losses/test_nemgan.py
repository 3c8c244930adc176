"""NEMGAN's terms against loops written from the paper, closed forms and their slopes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.adversarial import PAIRS
from scgan.losses.nemgan import (
    additive_margin,
    discriminator_loss,
    generator_loss,
    mode_divergence,
    noise_reconstruction,
    prior_divergence,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("p", [1, 2])
def test_reconstruction_is_the_norm_a_sample_and_dimension_at_a_time(p):
    z, z_hat = drawn(4, 3), drawn(4, 3, seed=1)
    total = 0.0
    for i in range(4):
        for j in range(3):
            total += abs(float(z[i, j] - z_hat[i, j])) ** p
    assert float(noise_reconstruction(z, z_hat, p)) == pytest.approx(total / 12)
    assert noise_reconstruction(z, z, p) == 0


def test_mode_divergence_is_the_kl_of_each_samples_own_mode():
    logits, y = drawn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    total = 0.0
    for row, mode in zip(logits, y, strict=True):
        known = [float(k == mode) for k in range(4)]
        guess = [math.exp(v) / sum(map(math.exp, row.tolist())) for v in row.tolist()]
        total += sum(p * math.log(p / q) for p, q in zip(known, guess, strict=True) if p > 0)
    assert float(mode_divergence(logits, y)) == pytest.approx(total / 5)
    assert float(mode_divergence(torch.zeros(5, 4), y)) == pytest.approx(math.log(4))


def test_mixed_up_modes_are_not_forgiven_for_equal_means():
    y = torch.tensor([0, 1])
    right = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    assert mode_divergence(right, y) < 1e-3 < 8 < mode_divergence(right.flip(0), y)


def test_margin_is_taken_from_the_right_modes_cosine_alone():
    cosines, y = torch.tensor([[0.5, 0.1, -1.0], [0.2, 0.9, 0.0]]), torch.tensor([2, 1])
    expected = torch.tensor([[15.0, 3.0, -42.0], [6.0, 15.0, 0.0]])
    assert_close(additive_margin(cosines, y, 30.0, 0.4), expected)
    assert_close(additive_margin(cosines, y, 30.0, 0.0), 30 * cosines)


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_the_discriminators_loss_weighs_generated_samples(name):
    real, fake = drawn(6).requires_grad_(), drawn(6, seed=1).requires_grad_()
    weights = torch.tensor([0.2, 0.2, 0.2, 1.8, 1.8, 1.8], dtype=torch.float64)
    loss = discriminator_loss(real, fake, name, weights)
    pair = PAIRS[name].d_loss
    # A sample of weight 1.8 counts as nine of weight 0.2.
    places = [0, 1, 2, *[3, 4, 5] * 9]
    repeated = pair(torch.zeros(30, dtype=torch.float64), fake[places]).mean()
    zero = torch.zeros(6, dtype=torch.float64)
    by_hand = pair(real, zero).mean() + repeated - pair(zero, zero).mean()
    assert_close(loss, by_hand)

    slopes = torch.autograd.grad(discriminator_loss(real, fake, name), [real, fake])
    weighted = torch.autograd.grad(loss, [real, fake])
    assert_close(weighted[0], slopes[0])
    assert_close(weighted[1], weights * slopes[1])
    ones = discriminator_loss(real, fake, name, torch.ones_like(weights))
    assert_close(ones, discriminator_loss(real, fake, name))


def test_prior_divergence_is_a_sum_over_modes_and_its_slope_a_difference():
    h, a = drawn(6, 3).softmax(1), drawn(3, seed=2).requires_grad_()
    loss = prior_divergence(h, a)
    alpha, expected = a.detach().softmax(0), 0.0
    for k in range(3):
        found = sum(float(row[k]) for row in h) / 6
        expected += found * math.log(found / float(alpha[k]))
    assert float(loss.detach()) == pytest.approx(expected)

    loss.backward()
    assert_close(a.grad, alpha - h.mean(0))
    assert float(prior_divergence(h, h.mean(0).log())) == pytest.approx(0.0, abs=1e-9)


def test_a_mode_that_is_never_found_costs_nothing():
    h = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert float(prior_divergence(h, torch.zeros(2))) == pytest.approx(math.log(2))


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("of_z", "of_y"), [(1.0, 1.0), (100.0, 1.0), (0.0, 2.0), (3.0, 0.0)])
def test_generator_loss_equals_equation_1_term_by_term(of_z, of_y, p):
    d, z, z_hat = drawn(4, 1), drawn(4, 6), drawn(4, 6, seed=1)
    logits, y = drawn(4, 3, seed=3), torch.tensor([0, 1, 2, 1])
    loss = generator_loss(
        *(d, z, z_hat, logits, y),
        reconstruction_weight=of_z,
        mode_weight=of_y,
        adversarial="non_saturating",
        p=p,
    )

    fooled = sum(math.log(1 + math.exp(-float(v))) for v in d) / 4
    norm = sum(abs(float(v)) ** p for v in (z - z_hat).flatten()) / 24
    kl = -sum(float(row.log_softmax(0)[k]) for row, k in zip(logits, y, strict=True)) / 4
    assert [float(v) for v in loss[:3]] == pytest.approx([fooled, norm, kl])
    assert float(loss.total) == pytest.approx(fooled + of_z * norm + of_y * kl)


def test_the_adversarial_term_is_that_of_the_pair():
    d, zero, y = drawn(4, 1), torch.zeros(4, 2), torch.zeros(4, dtype=torch.long)
    for name, pair in PAIRS.items():
        loss = generator_loss(
            *(d, zero, zero, zero, y), reconstruction_weight=0, mode_weight=0, adversarial=name
        )
        assert_close(loss.total, pair.g_loss(d).mean())
