"""Contrastive losses against the paper's loop, closed forms, and their own joined batch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.contrastive import CONTRASTIVE, mutual_information, nt_xent


def cosine(a, b):
    return float(a @ b) / float(a.norm() * b.norm())


def negative_squared_distance(a, b):
    return -float(((a - b) ** 2).sum())


def with_potential(a, b):
    return negative_squared_distance(a[:-1], b[:-1]) + float(b[-1])


SIMILARITY = {
    "nt_xent": cosine,
    "gaussian_info_nce": negative_squared_distance,
    "isometric_info_nce": with_potential,
}


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


@pytest.mark.slow
def test_an_isometry_and_the_density_as_potential_make_the_best_similarity():
    """Of views of N(0, I) the mutual information is known; another scale or potential is worse."""
    sigma, num, generator = 0.5, 4000, torch.Generator().manual_seed(3)
    x, n0, n1 = torch.randn(3, num, 1, dtype=torch.float64, generator=generator)
    views = x + sigma * n0, x + sigma * n1
    # p(x1 | x0) is N(r x0, v (1 - r^2)), and -log p(x1) is x1^2 / 2 v, where r is the correlation.
    v = 1 + sigma**2
    r = 1 / v
    truth = -math.log(1 - r**2) / 2

    def bound(stretch, curvature):
        u = [torch.cat([stretch * view, curvature * view.square()], 1) for view in views]
        loss = CONTRASTIVE["isometric_info_nce"](*u, 1.0)
        return mutual_information(loss, num).item()

    # The quadratic form of log p(x1 | x0) / p(x1), up to what x0 alone decides.
    stretch = math.sqrt(r / (2 * v * (1 - r**2)))
    curvature = stretch**2 - r**2 / (2 * v * (1 - r**2))
    best = bound(stretch, curvature)
    assert best == pytest.approx(truth, abs=0.05)
    for worse in ((stretch, 0.0), (1.4 * stretch, curvature), (0.7 * stretch, curvature)):
        assert bound(*worse) < best - 0.005


def test_the_estimate_is_bounded_by_the_candidates():
    u = torch.arange(8.0)[:, None] * 100
    loss = CONTRASTIVE["gaussian_info_nce"](u, u, 1.0)
    assert mutual_information(loss, 8).item() == pytest.approx(math.log(15))
    nothing = CONTRASTIVE["gaussian_info_nce"](0 * u, 0 * u, 1.0)
    assert mutual_information(nothing, 8).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("u1", "temperature", "message"),
    [(torch.ones(3, 2), 0.5, "differ in shape"), (torch.ones(2, 2), 0.0, "positive")],
)
def test_refuses_wrong_input(u1, temperature, message):
    with pytest.raises(ValueError, match=message):
        nt_xent(torch.ones(2, 2), u1, temperature)
