"""A mixture whose weights are known: what it finds where one that learns them does not."""

from __future__ import annotations

import pytest
import torch

from scgan.clustering import weighted
from scgan.clustering.mixtures import fit_mixture
from scgan.clustering.weighted import fit_weighted_mixture, principal_axes


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def a_light_group(num=1000, light=20):
    """A light group beside a heavy one that is no Gaussian: two lines that meet."""
    x = torch.randn(num, 3, generator=seeded(), dtype=torch.float64) * 0.2
    x[light:, 0] += torch.linspace(-2, 2, num - light, dtype=torch.float64)
    x[light:, 1] += 2 * torch.linspace(-2, 2, num - light, dtype=torch.float64).abs()
    x[:light, 2] += 3
    return x / x[:, 0].std()


def test_shares_are_the_weights_and_the_light_group_is_found():
    x, weights = a_light_group(), torch.tensor([0.02, 0.98])
    shares = fit_weighted_mixture(x, weights, seeded())
    assert shares.shape == (1000, 2) and torch.allclose(shares.sum(1), shares.new_ones(1000))
    assert torch.allclose(shares.mean(0), weights.double(), atol=1e-3)
    assert (shares.argmax(1) == (torch.arange(1000) >= 20)).double().mean() > 0.995
    # Learned weights split the heavy group instead.
    learned = fit_mixture(x, 2, 0).predict(x.numpy())
    assert min((learned == k).mean() for k in range(2)) > 0.1


def test_the_start_decides_and_the_seed_does_the_start():
    x, weights = a_light_group(), torch.tensor([0.3, 0.7])
    one, again = (fit_weighted_mixture(x, weights, seeded(5), num_starts=1) for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, fit_weighted_mixture(x, weights, seeded(6), num_starts=1))


def test_the_likeliest_start_is_kept():
    x, weights = a_light_group(), torch.tensor([0.02, 0.98])
    found = [fit_weighted_mixture(x, weights, seeded(s), num_starts=1) for s in range(8)]
    right = [bool((shares[:20, 0] > 0.5).all()) for shares in found]
    assert not all(right)  # of these starts some are wrong
    many = fit_weighted_mixture(x, weights, seeded(right.index(False)), num_starts=12)
    assert (many[:20, 0] > 0.5).all()


def test_all_rows_are_assigned_by_what_some_tell(monkeypatch):
    monkeypatch.setattr(weighted, "NUM_ROWS", 500)
    x, weights = a_light_group(), torch.tensor([0.02, 0.98])
    shares = fit_weighted_mixture(x, weights, seeded())
    assert (shares.argmax(1) == (torch.arange(1000) >= 20)).double().mean() > 0.99


def test_a_rows_gap_counts_as_its_weight():
    gaps = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    weights = torch.tensor([0.75, 0.25], dtype=torch.float64)
    assert torch.equal(
        weighted._spread(gaps, weights), torch.diag(torch.tensor([0.75, 1.0])).double()
    )


def test_densities_are_of_normals():
    x = torch.randn(7, 3, generator=seeded(), dtype=torch.float64)
    factor = torch.randn(2, 3, 3, generator=seeded(1), dtype=torch.float64)
    sigma = factor @ factor.mT + torch.eye(3)
    normal = torch.distributions.MultivariateNormal(x[:2], sigma)
    found = weighted._log_density(x, x[:2], sigma)
    assert torch.allclose(found, normal.log_prob(x[:, None]))


@pytest.mark.parametrize("dim", [2, 30])
def test_axes_are_uncorrelated_and_the_first_is_the_widest(dim):
    x = torch.randn(500, dim, generator=seeded()) * torch.linspace(1, 3, dim) + 7
    rows = principal_axes(x)
    assert rows.shape == (500, min(dim, 20))
    spread = torch.cov(rows.T)
    assert torch.allclose(spread, torch.diag(spread.diag()), atol=1e-6)
    assert spread[0, 0] == pytest.approx(1, abs=0.01) and (spread.diag().diff() < 0).all()
    images = torch.rand(30, 1, 4, 4, generator=seeded())
    assert torch.equal(principal_axes(images), principal_axes(images.flatten(1)))
    assert principal_axes(torch.ones(9, 3)).isfinite().all()
