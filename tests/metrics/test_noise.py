"""The spread of the noise against what codes leave open, of distributions with known answers."""

from __future__ import annotations

import math

import pytest
import torch

from scgan.metrics.noise import spread_ratio


def rows(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spread", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("num", [2, 16])
def test_of_noise_of_known_width(spread, num):
    """Rows lie a half about their codes' means, the decoder's draws ``spread`` times as far."""
    mean = 5 * rows(20_000, 3, seed=0)
    x = mean + 0.5 * rows(20_000, 3, seed=1)
    draws = mean + spread * 0.5 * rows(num, 20_000, 3, seed=2)
    assert spread_ratio(draws, x) == pytest.approx(spread, rel=0.05)


def test_equals_the_definition_written_out():
    draws, x = rows(3, 2, 2, seed=0), 4 * rows(2, 2, seed=1)
    spread = left = 0.0
    for n in range(2):
        for d in range(2):
            values = [float(draws[s, n, d]) for s in range(3)]
            mean = sum(values) / 3
            spread += sum((value - mean) ** 2 for value in values) / 2 / 4
            left += (float(x[n, d]) - mean) ** 2 / 4
    assert spread_ratio(draws, x) == pytest.approx(math.sqrt(spread / (left - spread / 3)))


def test_at_its_ends():
    x = rows(10, 2, seed=0)
    assert spread_ratio(x.expand(4, 10, 2) + 1, x) == 0
    assert spread_ratio(x.expand(4, 10, 2), x) == 0
    assert spread_ratio(torch.stack([x + 1, x - 1]), x) == math.inf


@pytest.mark.parametrize("shape", [(1, 10, 2), (4, 9, 2), (10, 2)])
def test_refuses_what_does_not_go_together(shape):
    with pytest.raises(ValueError, match=r"draws must be \[S, N, D\]"):
        spread_ratio(torch.zeros(shape), torch.zeros(10, 2))
