"""The energy score against a loop, and that nothing scores below the data's own distribution."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.energy import energy_score


def test_equals_the_slow_loop():
    generator = torch.Generator().manual_seed(0)
    first, second, x = torch.randn(3, 5, 4, dtype=torch.float64, generator=generator)
    expected = [
        (math.dist(a, c) + math.dist(b, c) - math.dist(a, b)) / 2
        for a, b, c in zip(first.tolist(), second.tolist(), x.tolist(), strict=True)
    ]
    assert_close(energy_score(first, second, x), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("scale", "shift"), [(0.7, 0.0), (1.4, 0.0), (0.0, 0.0), (1.0, 0.5)])
def test_samples_narrower_wider_or_shifted_score_worse_than_the_datas_own(scale, shift):
    generator = torch.Generator().manual_seed(0)
    first, second, x = torch.randn(3, 100_000, 3, generator=generator)
    own = energy_score(first, second, x).mean()
    other = energy_score(scale * first + shift, scale * second + shift, x).mean()
    assert other > own + 0.01


def test_its_gradient_is_finite_where_samples_coincide():
    first = torch.ones(2, 3, requires_grad=True)
    energy_score(first, torch.ones(2, 3), torch.ones(2, 3)).sum().backward()
    assert torch.equal(first.grad, torch.zeros(2, 3))
