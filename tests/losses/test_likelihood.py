"""The negative log-likelihood against a loop over rows and against a known entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.likelihood import negative_log_likelihood


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_equals_the_density_a_flow_and_row_at_a_time():
    omega, slope = randn(3, 5, 4, seed=0), randn(3, 5, seed=1)
    found = negative_log_likelihood(omega, slope)
    for k in range(3):
        total = 0.0
        for b in range(5):
            density = math.exp(float(slope[k, b]))
            for value in omega[k, b].tolist():
                density *= math.exp(-(value**2) / 2) / math.sqrt(2 * math.pi)
            total -= math.log(density) / 5
        assert_close(found[k].item(), total)


def test_of_the_true_density_it_is_the_entropy():
    """Rows of N(0, 9 I) seen at a third of their size."""
    omega = randn(200_000, 2, seed=2)
    slope = torch.full((200_000,), -2 * math.log(3), dtype=torch.float64)
    entropy = 2 * (0.5 * math.log(2 * math.pi * math.e) + math.log(3))
    assert negative_log_likelihood(omega, slope).item() == pytest.approx(entropy, abs=0.01)
