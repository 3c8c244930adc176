"""Contrastive losses against the paper's loop, closed forms, and their own joined batch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.contrastive import (
    CONTRASTIVE,
    barlow_twins,
    byol,
    byol_momentum,
    mutual_information,
    nt_xent,
)


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


def two(num, dim, seed=0):
    return torch.randn(
        2, num, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize(("num", "dim"), [(1, 3), (6, 2), (5, 7)])
def test_byol_equals_the_slow_loop_and_its_closed_form(num, dim):
    q, target = two(num, dim)
    apart, cosines = 0.0, 0.0
    for one, other in zip(q, target, strict=True):
        for a, b in zip(one / one.norm(), other / other.norm(), strict=True):
            apart += float(a - b) ** 2 / num
        cosines += cosine(one, other) / num
    found = byol(q, target).item()
    assert_close(found, apart, rtol=1e-12, atol=0)
    assert_close(found, 2 - 2 * cosines, rtol=1e-12, atol=1e-12)


def test_byol_is_free_of_scale_and_lies_between_0_and_4():
    q, target = two(6, 4)
    assert_close(byol(7 * q, 0.1 * target), byol(q, target))
    assert byol(q, 3 * q).item() == pytest.approx(0, abs=1e-12)
    assert byol(q, -q).item() == pytest.approx(4)


def test_byols_momentum_starts_at_the_base_and_ends_at_1():
    assert byol_momentum(0.9, 0.0) == pytest.approx(0.9)
    assert byol_momentum(0.9, 0.5) == pytest.approx(0.95)
    assert byol_momentum(0.9, 1.0) == 1.0
    assert byol_momentum(0.9, 1 / 3) == pytest.approx(1 - 0.1 * (math.cos(math.pi / 3) + 1) / 2)


@pytest.mark.parametrize(("num", "dim"), [(2, 3), (9, 2), (5, 6)])
@pytest.mark.parametrize("weight", [0.0, 5e-3, 2.0])
def test_barlow_twins_equals_the_slow_loop(num, dim, weight):
    u0, u1 = two(num, dim, seed=num)
    total = 0.0
    for i in range(dim):
        for j in range(dim):
            a = [float(value - u0[:, i].mean()) for value in u0[:, i]]
            b = [float(value - u1[:, j].mean()) for value in u1[:, j]]
            product = math.fsum(x * y for x, y in zip(a, b, strict=True))
            norms = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
            c = product / norms
            total += (1 - c) ** 2 if i == j else weight * c**2
    assert_close(barlow_twins(u0, u1, weight).item(), total, rtol=1e-9, atol=1e-12)


def test_barlow_twins_wants_the_identity():
    """0 where views agree and dimensions are uncorrelated; Q for views that share nothing."""
    u = torch.linalg.qr(two(64, 4)[0] - two(64, 4)[0].mean(0)).Q
    assert barlow_twins(u, 5 * u + 1, 1.0).item() == pytest.approx(0, abs=1e-10)
    assert barlow_twins(u[:, :2], u[:, 2:], 1.0).item() == pytest.approx(2)
    assert barlow_twins(u[:, [0, 0]], u[:, [0, 0]], 0.3).item() == pytest.approx(0.6)


def test_a_dimension_that_says_nothing_costs_1_and_is_finite():
    u = two(8, 3)[0]
    u[:, 1] = 4.0
    assert torch.isfinite(barlow_twins(u, u, 0.0))
    assert barlow_twins(u, u, 0.0).item() == pytest.approx(1)


def test_views_of_other_shapes_are_refused():
    for loss in (byol, lambda a, b: barlow_twins(a, b, 1.0)):
        with pytest.raises(ValueError, match="differ in shape"):
            loss(torch.ones(2, 2), torch.ones(3, 2))
