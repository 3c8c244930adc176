"""Normalising flows: exact in both directions, their density one, and learnt as it is."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.likelihood import negative_log_likelihood
from scgan.nn.flows import BOUND, SplineFlows, halves, spline


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def flows_of(dim, num=3, *, bent=0.3, num_couplings=4, width=16):
    """Flows that bend: new ones are the identity."""
    flows = SplineFlows(
        dim,
        num_couplings=num_couplings,
        num_pieces=5,
        width=width,
        num_layers=2,
        generators=[seeded(i) for i in range(num)],
    ).double()
    for number, parameter in enumerate(flows.parameters()):
        drawn = torch.randn(parameter.shape, generator=seeded(50 + number), dtype=torch.float64)
        parameter.data += bent * drawn
    return flows


def rows(*shape, seed=9):
    return 1.5 * torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


# Splines


def test_a_spline_is_the_papers_a_value_at_a_time():
    """Durkan et al., Eqs. (4) and (5), from widths, heights and slopes of its own."""
    raw = torch.randn(14, 40, generator=seeded(1), dtype=torch.float64)
    x = torch.linspace(-BOUND + 1e-6, BOUND - 1e-6, 40, dtype=torch.float64)
    y, slope = spline(x, raw)

    for i in range(40):
        shares = [raw[part, i].softmax(0) for part in (slice(0, 5), slice(5, 10))]
        w, h = (2 * BOUND * (1e-3 + (1 - 5e-3) * share) for share in shares)
        inner = 1e-3 + torch.log1p(torch.exp(raw[10:, i] + math.log(math.expm1(0.999))))
        delta = [1.0, *inner.tolist(), 1.0]
        left, low, k = -BOUND, -BOUND, 0
        while left + w[k] < x[i]:
            left, low, k = left + w[k], low + h[k], k + 1
        xi, s = (x[i] - left) / w[k], h[k] / w[k]
        below = s + (delta[k + 1] + delta[k] - 2 * s) * xi * (1 - xi)
        assert_close(y[i], low + h[k] * (s * xi**2 + delta[k] * xi * (1 - xi)) / below)
        above = delta[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + delta[k] * (1 - xi) ** 2
        assert_close(slope[i], torch.log(s**2 * above / below**2))


def test_a_spline_goes_back_and_forth_and_leaves_what_is_outside():
    raw = torch.randn(23, 1000, generator=seeded(2), dtype=torch.float64)
    x = torch.linspace(-7, 7, 1000, dtype=torch.float64)
    y, slope = spline(x, raw)
    again, back = spline(y, raw, inverse=True)
    assert_close(again, x, rtol=0, atol=1e-9)
    assert_close(back, -slope, rtol=0, atol=1e-9)
    outside = x.abs() >= BOUND
    assert torch.equal(y[outside], x[outside]) and (slope[outside] == 0).all()
    assert (y[~outside].abs() < BOUND).all() and (y - x)[~outside].abs().max() > 0.5


def test_a_spline_of_zeros_is_the_identity():
    x = torch.linspace(-7, 7, 100, dtype=torch.float64)
    y, slope = spline(x, torch.zeros(23, 100, dtype=torch.float64))
    assert_close(y, x, rtol=0, atol=1e-12)
    assert_close(slope, torch.zeros_like(x), rtol=0, atol=1e-12)


# Couplings


@pytest.mark.parametrize("dim", [2, 3, 5, 8, 17])
def test_after_two_couplings_a_digit_each_axis_was_changed_given_each_other(dim):
    num = 2 * math.ceil(math.log2(dim))
    found = halves(dim, num)
    assert len(found) == num
    pairs = {(i, j) for kept, changed in found for i in kept for j in changed}
    assert pairs == {(i, j) for i in range(dim) for j in range(dim) if i != j}
    for kept, changed in found:
        assert kept and changed and sorted(kept + changed) == list(range(dim))
    assert halves(dim, num + 2)[-2:] == found[:2]


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_the_determinant_is_that_of_the_jacobian_and_the_inverse_exact(dim):
    flows, v = flows_of(dim, bent=0.15), rows(3, 6, dim)
    omega, slope = flows(v)
    assert (omega - v).abs().max() > 0.1
    assert_close(flows.inverse(omega), v, rtol=0, atol=1e-9)

    jacobian = torch.autograd.functional.jacobian(lambda t: flows(t)[0].sum(1), v)
    for k in range(3):
        for b in range(6):  # of a row's omega by that row
            own = jacobian[k, :, k, b]
            assert_close(torch.linalg.slogdet(own).logabsdet, slope[k, b])


def test_a_row_goes_through_the_flow_that_is_named():
    flows, omega = flows_of(3), rows(3, 4, 3)
    which = torch.tensor([2, 0, 0, 1])
    found = flows.inverse(omega[[1, 0, 2, 1]], which)
    for t, k in enumerate(which.tolist()):
        alone = flows.inverse(omega[[1, 0, 2, 1]][t].expand(3, -1, -1))[k]
        assert_close(found[t], alone)


@pytest.mark.parametrize("dim", [1, 2])
def test_the_density_integrates_to_one(dim):
    ticks = torch.linspace(-7, 7, 701, dtype=torch.float64)
    cell = float(ticks[1] - ticks[0]) ** dim
    grid = torch.cartesian_prod(*[ticks] * dim).view(1, -1, dim)
    flows = flows_of(dim, num=1, bent=0.2)
    with torch.no_grad():
        omega, slope = flows(grid)
    density = (-omega.square().sum(-1) / 2 + slope).exp() / (2 * math.pi) ** (dim / 2)
    assert float(density.sum()) * cell == pytest.approx(1, abs=4e-3)
    normal = (-grid.square().sum(-1) / 2).exp() / (2 * math.pi) ** (dim / 2)
    assert float((density - normal).abs().sum()) * cell > 0.1  # another density than N(0, I)


def test_a_new_flow_is_the_identity_whose_density_is_standard_normal():
    flows = flows_of(4, bent=0.0)
    v = rows(3, 10, 4)
    omega, slope = flows(v)
    assert_close(omega, v, rtol=0, atol=1e-9)
    assert_close(slope, torch.zeros(3, 10, dtype=torch.float64), rtol=0, atol=1e-9)


def test_flows_learn_known_densities_side_by_side():
    """A banana and two bumps, whose entropies are known: the likelihood comes near to them."""

    def draw(num, seed):
        a, b = torch.randn(2, num, generator=seeded(seed))
        banana = torch.stack([a, 0.5 * a.square() - 0.5 + 0.3 * b], 1)
        side = 2.0 * torch.randint(2, (num,), generator=seeded(seed + 1)) - 1
        return torch.stack([banana, torch.stack([side + 0.25 * a, b], 1)])

    normal = 0.5 * math.log(2 * math.pi * math.e)
    entropies = torch.tensor([2 * normal + math.log(0.3), 2 * normal + math.log(2 * 0.25)])
    flows = SplineFlows(
        2, num_couplings=4, num_pieces=8, width=16, num_layers=1, generators=[seeded(), seeded(1)]
    )
    adam = torch.optim.Adam(flows.parameters(), 1e-2)
    first = negative_log_likelihood(*flows(draw(4000, 100)))
    for step in range(250):
        loss = negative_log_likelihood(*flows(draw(256, 200 + 2 * step))).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()

    with torch.no_grad():
        left = negative_log_likelihood(*flows(draw(20_000, 100))) - entropies
        assert (first - entropies > 0.3).all() and (left < 0.08).all() and (left > -0.03).all()
        made = flows.inverse(torch.randn(2, 5000, 2, generator=seeded(3)))
    off = (made[0, :, 1] - 0.5 * made[0, :, 0].square() + 0.5).abs()
    assert (off < 1).float().mean() > 0.98
    assert (made[1, :, 0].abs() < 0.3).float().mean() < 0.05  # between the bumps


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_a_flow_and_its_gradient_are_its_own_to_the_bit_however_many_are_beside_it(dim):
    def gradients(numbers):
        flows = flows_of(dim, num=5).float()
        for parameter in flows.parameters():
            parameter.data = parameter.data[numbers].contiguous()
        omega, slope = flows(rows(5, 128, dim).float()[numbers])
        negative_log_likelihood(omega, slope).sum().backward()
        return [omega, slope, *(parameter.grad for parameter in flows.parameters())]

    together = gradients([0, 1, 2, 3, 4])
    for numbers in ([1], [4, 2], [0, 3, 1]):
        for one, all_of_them in zip(gradients(numbers), together, strict=True):
            assert torch.equal(one, all_of_them[numbers])
