"""Mixtures fitted on from where they are: the split against its moments, the fit against a loop."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal
from torch.testing import assert_close

from scgan.clustering.mixtures import LEAST_VARIANCE, Components, go_on
from scgan.nn.mappers import MixtureMappers, Whitening
from scgan.stages.tables import refit
from scgan.stages.tables.refit import refit_mixtures, split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def components_of(num=3, dim=2, seed=0):
    root = torch.randn(num, dim, dim, generator=seeded(seed)).double()
    weights = torch.rand(num, generator=seeded(seed + 1)).double()
    means = 3 * torch.randn(num, dim, generator=seeded(seed + 2)).double()
    return Components(weights / weights.sum(), means, root @ root.mT + 0.1 * torch.eye(dim))


def test_a_gaussian_is_split_along_its_longest_axis_and_its_moments_stay():
    one, two = components_of(), split(components_of())
    assert_close(two.weights, one.weights.repeat_interleave(2) / 2)
    for number, (mean, covariance) in enumerate(zip(one.means, one.covariances, strict=True)):
        pair = slice(2 * number, 2 * number + 2)
        assert_close(two.means[pair].mean(0), mean)
        between = (two.means[pair] - mean).T @ (two.means[pair] - mean) / 2
        assert_close(two.covariances[pair].mean(0) + between, covariance)
        step = two.means[2 * number] - mean
        variance = torch.linalg.eigvalsh(covariance)
        assert_close(step @ covariance @ step / (step @ step), variance[-1])
        assert_close(step @ step, 0.49 * variance[-1])
        assert torch.linalg.eigvalsh(two.covariances[2 * number])[0] > 0


def test_going_on_is_expectation_maximisation_from_where_it_is():
    """Written plainly, three rounds."""
    rows = torch.randn(500, 2, generator=seeded(5)).double()
    weights, means, covariances = components_of()
    for _ in range(3):
        density = torch.stack(
            [
                w.log() + MultivariateNormal(mean, covariance).log_prob(rows)
                for w, mean, covariance in zip(weights, means, covariances, strict=True)
            ],
            1,
        )
        shares = density.softmax(1)
        mass = shares.sum(0)
        weights, means = mass / len(rows), shares.T @ rows / mass[:, None]
        for number in range(3):
            centred = rows - means[number]
            spread = (shares[:, number, None] * centred).T @ centred / mass[number]
            covariances[number] = spread + LEAST_VARIANCE * torch.eye(2)
    found = go_on(rows.float(), components_of(), 3)
    for mine, theirs in zip(found, (weights, means, covariances), strict=True):
        assert_close(mine.double(), theirs, atol=2e-3, rtol=2e-3)


def mixtures_of():
    """Two clusters, of two Gaussians and of one, far from each other."""
    mappers = MixtureMappers(2, 2, 2)
    own = Whitening(1, 2)
    pair = components_of(2)
    mappers.put(0, own, pair)
    alone = components_of(1, seed=7)
    mappers.put(1, own, alone._replace(means=alone.means + 50))
    return mappers


def test_the_components_are_what_was_put():
    own = Whitening(1, 2)
    own.fit([torch.randn(50, 2, generator=seeded(3)) * torch.tensor([3.0, 0.2]) + 5], 1e-3)
    mappers, given = MixtureMappers(3, 4, 2), components_of(2)
    mappers.put(1, own, given)
    for found, expected in zip(mappers.components(1, own), given, strict=True):
        assert found.dtype == torch.double
        assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_each_cluster_is_fitted_to_its_codes(seed):
    """Codes of a narrower mixture than there was; the other cluster has too few."""
    mappers = mixtures_of()
    eps = torch.randn(4000, 2, generator=seeded(seed)) * 0.3 + torch.tensor([1.0, -1.0])
    k = torch.zeros(4000, dtype=torch.long)
    k[:19] = 1
    made = refit_mixtures(mappers, eps, k)
    assert made.weights.shape == (2, 4)
    assert_close(made.weights.sum(1), torch.ones(2))
    drawn = made.sample(torch.zeros(20_000, dtype=torch.long), seeded(8))
    assert_close(drawn.mean(0), eps[19:].mean(0), atol=0.02, rtol=0)
    assert_close(drawn.std(0), eps[19:].std(0), atol=0.02, rtol=0)

    ones = torch.ones(20_000, dtype=torch.long)
    before, after = (m.sample(ones, seeded(8)) for m in (mappers, made))
    assert_close(before.mean(0), after.mean(0), atol=0.1, rtol=0)
    assert_close(torch.cov(before.T), torch.cov(after.T), atol=0.15, rtol=0.1)


def test_as_many_rounds_as_are_set(monkeypatch):
    rounds = []

    def noted(rows, components, num_rounds):
        rounds.append((len(rows), len(components.weights), num_rounds))
        assert_close(rows.std(0), torch.ones(2), atol=0.05, rtol=0)  # own coordinates
        return components

    monkeypatch.setattr(refit, "go_on", noted)
    eps = 5 * torch.randn(2000, 2, generator=seeded(1)) + 9
    made = refit_mixtures(mixtures_of(), eps, torch.arange(2000) % 2)
    assert rounds == [(1000, 4, refit.ROUNDS), (1000, 2, refit.ROUNDS)]
    whole = made.sample(torch.zeros(20_000, dtype=torch.long), seeded(2))
    plain = mixtures_of().sample(torch.zeros(20_000, dtype=torch.long), seeded(3))
    assert_close(whole.mean(0), plain.mean(0), atol=0.1, rtol=0)
