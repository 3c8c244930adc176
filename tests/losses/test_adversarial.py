"""Adversarial pairs against their formulas, closed forms and the optimum of a fixed game."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.adversarial import PAIRS


def sigmoid(t):
    return 1 / (1 + math.exp(-t))


SLOW_D = {
    "non_saturating": lambda r, f: -math.log(sigmoid(r)) - math.log(1 - sigmoid(f)),
    "hinge": lambda r, f: max(0, 1 - r) + max(0, 1 + f),
    "hinge_clipped": lambda r, f: max(0, 1 - r) + max(0, 1 + f),
    "least_squares": lambda r, f: (r - 1) ** 2 + f**2,
    "quartic": lambda r, f: ((r - 1) ** 2) ** 2 + (f**2) ** 2,
}
SLOW_G = {
    "non_saturating": lambda f: -math.log(sigmoid(f)),
    "hinge": lambda f: -f,
    "hinge_clipped": lambda f: max(0, 1 - f),
    "least_squares": lambda f: (f - 1) ** 2,
    "quartic": lambda f: ((f - 1) ** 2) ** 2,
}


@pytest.mark.parametrize("name", PAIRS)
def test_both_sides_equal_the_formula(name):
    generator = torch.Generator().manual_seed(0)
    real, fake = 2 * torch.randn(2, 3, 5, dtype=torch.float64, generator=generator)
    pair = PAIRS[name]
    slow_d = [
        SLOW_D[name](r, f)
        for r, f in zip(real.flatten().tolist(), fake.flatten().tolist(), strict=True)
    ]
    slow_g = [SLOW_G[name](f) for f in fake.flatten().tolist()]
    assert_close(pair.d_loss(real, fake), torch.tensor(slow_d, dtype=torch.float64).view(3, 5))
    assert_close(pair.g_loss(fake), torch.tensor(slow_g, dtype=torch.float64).view(3, 5))


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [
        ("non_saturating", 2 * math.log(2), math.log(2)),
        ("hinge", 2.0, 0.0),
        ("hinge_clipped", 2.0, 1.0),
        ("least_squares", 1.0, 1.0),
        ("quartic", 1.0, 1.0),
    ],
)
def test_closed_form_at_zero_logits(name, d, g):
    zero = torch.zeros(4, dtype=torch.float64)
    assert_close(PAIRS[name].d_loss(zero, zero).mean().item(), d)
    assert_close(PAIRS[name].g_loss(zero).mean().item(), g)


@pytest.mark.parametrize("name", PAIRS)
def test_the_generator_is_pulled_towards_larger_logits(name):
    fake = torch.tensor([-0.5], requires_grad=True)
    PAIRS[name].g_loss(fake).sum().backward()
    assert fake.grad.item() < 0


def test_extreme_logits_stay_finite():
    extreme = torch.tensor([-1e4, 1e4])
    for pair in PAIRS.values():
        assert torch.isfinite(pair.d_loss(extreme, -extreme)).all()
        assert torch.isfinite(pair.g_loss(extreme)).all()
