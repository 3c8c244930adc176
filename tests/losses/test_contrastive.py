"""Contrastive losses against the paper's loop, closed forms, and their own joined batch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.contrastive import CONTRASTIVE, nt_xent


def cosine(a, b):
    return float(a @ b) / float(a.norm() * b.norm())


def negative_squared_distance(a, b):
    return -float(((a - b) ** 2).sum())


SIMILARITY = {"nt_xent": cosine, "gaussian_info_nce": negative_squared_distance}


def slow(name, u0, u1, temperature):
    """SimCLR's Algorithm 1, a pair at a time."""
    u = [row for pair in zip(u0, u1, strict=True) for row in pair]  # views side by side
    total = 0.0
    for i in range(len(u)):
        j = i + 1 if i % 2 == 0 else i - 1
        scores = [math.exp(SIMILARITY[name](u[i], u[m]) / temperature) for m in range(len(u))]
        total -= math.log(scores[j] / math.fsum(scores[m] for m in range(len(u)) if m != i))
    return total / len(u)


@pytest.mark.parametrize("name", CONTRASTIVE)
@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("temperature", [0.3, 0.5, 2.0])
def test_equals_the_slow_loop(name, size, dim, temperature):
    generator = torch.Generator().manual_seed(size * 10 + dim)
    u0, u1 = torch.randn(2, size, dim, dtype=torch.float64, generator=generator)
    expected = slow(name, u0, u1, temperature)
    assert_close(CONTRASTIVE[name](u0, u1, temperature).item(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_identical_embeddings_give_log_of_the_candidates(name):
    u = torch.ones(8, 3, dtype=torch.float64)
    assert_close(CONTRASTIVE[name](u, u, 0.5).item(), math.log(2 * 8 - 1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_is_symmetric_in_the_views(name):
    u0, u1 = torch.randn(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert_close(CONTRASTIVE[name](u0, u1, 0.3), CONTRASTIVE[name](u1, u0, 0.3))


def test_nt_xent_is_free_of_scale_and_the_gaussian_of_shifts():
    u0, u1 = torch.randn(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert_close(nt_xent(u0, u1, 0.3), nt_xent(7 * u0, 0.1 * u1, 0.3))
    gaussian = CONTRASTIVE["gaussian_info_nce"]
    assert_close(gaussian(u0, u1, 0.3), gaussian(u0 + 3, u1 + 3, 0.3))


@pytest.mark.parametrize("name", CONTRASTIVE)
def test_workers_with_gathered_negatives_average_to_the_joined_batch(name):
    u0, u1 = torch.randn(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    shares = [
        CONTRASTIVE[name](u0[rows], u1[rows], 0.3, gathered=(u0, u1), rank=rank)
        for rank, rows in enumerate((slice(0, 3), slice(3, 6)))
    ]
    assert_close(sum(shares) / 2, CONTRASTIVE[name](u0, u1, 0.3))


@pytest.mark.parametrize(
    ("u1", "temperature", "message"),
    [(torch.ones(3, 2), 0.5, "differ in shape"), (torch.ones(2, 2), 0.0, "positive")],
)
def test_refuses_wrong_input(u1, temperature, message):
    with pytest.raises(ValueError, match=message):
        nt_xent(torch.ones(2, 2), u1, temperature)
