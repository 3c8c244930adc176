"""SC-GAN's objectives against loops over clusters and rows, and at points that a pencil reaches."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.scgan import (
    conditional_entropy,
    decoder_loss,
    discriminator_loss,
    mapper_loss,
)


def randn(*shape, seed):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def log_sigmoid(logit):
    return -math.log(1 + math.exp(-float(logit)))


def square_error(x, x_hat):
    """Mean over the rows and columns of two matrices, an entry at a time."""
    entries = [
        (float(x_hat[b, i]) - float(x[b, i])) ** 2 for b in range(len(x)) for i in range(x.shape[1])
    ]
    return math.fsum(entries) / len(entries)


def pull(logits):
    """Mean over rows of the non-saturating generator's side."""
    return math.fsum(-log_sigmoid(logit) for logit in logits[:, 0]) / len(logits)


def test_conditional_entropy_is_an_error_a_cluster():
    x, x_hat = randn(3, 5, 2, seed=0), randn(3, 5, 2, seed=1)
    slow = [square_error(x[k], x_hat[k]) for k in range(3)]
    assert_close(conditional_entropy(x, x_hat), torch.tensor(slow, dtype=torch.float64))
    assert_close(conditional_entropy(x, x + 3), torch.full((3,), 9.0, dtype=torch.float64))
    assert conditional_entropy(x[0], x_hat[0]).shape == ()


@pytest.mark.parametrize("lambda_eps", [0.0, 0.3, 10.0])
def test_mapper_loss_equals_equation_2_a_cluster_and_row_at_a_time(lambda_eps):
    v, v_hat, logits = randn(3, 5, 4, seed=0), randn(3, 5, 4, seed=1), randn(3, 5, 1, seed=2)
    weights = {"adversarial_weight": 0.3, "lambda_eps": lambda_eps}
    found = mapper_loss(v, v_hat, logits, **weights, adversarial="non_saturating")
    for k in range(3):
        divergence, entropy = pull(logits[k]), square_error(v[k], v_hat[k])
        assert_close(found.divergence[k].item(), divergence)
        assert_close(found.entropy[k].item(), entropy)
        assert_close(found.total[k].item(), 0.3 * divergence + lambda_eps * entropy)


def test_mapper_loss_of_a_perfect_autoencoder_that_fools_its_discriminator_by_half():
    v, zero = randn(2, 5, 4, seed=0), torch.zeros(2, 5, 1, dtype=torch.float64)
    weights = {"adversarial_weight": 1.0, "lambda_eps": 7.0}
    perfect = mapper_loss(v, v, zero, **weights, adversarial="non_saturating")
    assert_close(perfect.total, torch.full((2,), math.log(2), dtype=torch.float64))
    shifted = mapper_loss(v, v + 2, zero, **weights, adversarial="least_squares")
    assert_close(shifted.total, torch.full((2,), 1 + 7 * 4.0, dtype=torch.float64))


@pytest.mark.parametrize("on", [(), ("generated",), ("reconstructed", "generated")])
@pytest.mark.parametrize(("reconstruction_weight", "lambda_x"), [(1.0, 0.2), (100.0, 0.7)])
def test_decoder_loss_equals_equation_4_a_row_at_a_time(reconstruction_weight, lambda_x, on):
    """With each divergence that is on, and without those that are off."""
    x, x_hat = randn(6, 3, seed=0), randn(6, 3, seed=1)
    logits = {name: randn(6, 1, seed=seed) for seed, name in enumerate(on, 2)}
    weights = {"reconstructed": 1.0, "generated": lambda_x}
    found = decoder_loss(
        x,
        x_hat,
        logits,
        reconstruction_weight=reconstruction_weight,
        weights=weights,
        adversarial="non_saturating",
    )
    entropy = square_error(x, x_hat)
    assert_close(found.entropy.item(), entropy)
    total = reconstruction_weight * entropy
    for name in on:
        assert_close(found.divergences[name].item(), pull(logits[name]))
        total += weights[name] * pull(logits[name])
    assert found.divergences.keys() == set(on)
    assert_close(found.total.item(), total)


def test_decoder_loss_by_hand():
    x = torch.zeros(4, 2)
    logits = {"reconstructed": torch.full((4, 1), 0.5), "generated": torch.full((2, 1), -2.0)}
    weights = {"reconstructed": 1.0, "generated": 3.0}
    found = decoder_loss(
        x, x + 0.1, logits, reconstruction_weight=10.0, weights=weights, adversarial="hinge"
    )
    assert_close(found.total.item(), 10 * 0.01 - 0.5 + 3 * 2.0)


def test_discriminator_loss_equals_a_loop_and_its_penalty_the_squared_slope():
    """Of K linear discriminators, whose gradient is their weight at every row."""
    real, fake, weight = randn(3, 5, 2, seed=0), randn(3, 5, 2, seed=1), randn(3, 2, 1, seed=2)
    real.requires_grad_()
    logits = torch.bmm(real, weight), torch.bmm(fake, weight)
    found = discriminator_loss(real, *logits, r1_weight=0.4, adversarial="non_saturating")
    real = real.detach()
    for k in range(3):
        told = 0.0
        for b in range(5):
            told -= log_sigmoid(real[k, b] @ weight[k, :, 0]) / 5
            told -= log_sigmoid(-(fake[k, b] @ weight[k, :, 0])) / 5
        assert_close(found.d_loss[k].item(), told)
        slope = sum(float(w) ** 2 for w in weight[k, :, 0])
        assert_close(found.total[k].item(), told + 0.4 * slope)


def test_discriminator_loss_without_a_penalty_needs_no_gradient():
    zero = torch.zeros(4, 1)
    found = discriminator_loss(
        torch.zeros(4, 2), zero, zero, r1_weight=0.0, adversarial="non_saturating"
    )
    assert_close(found.total.item(), 2 * math.log(2))
    assert_close(found.d_loss, found.total)
