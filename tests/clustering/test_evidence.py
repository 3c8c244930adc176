"""How many clusters held-out codes speak for, where that is known."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import multivariate_normal

from scgan.clustering import evidence
from scgan.clustering.evidence import choose_num_clusters, log_likelihood
from scgan.clustering.in_memory import fit_clusters
from scgan.clustering.mixtures import fit_mixture


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(num, per=400):
    """Equal Gaussians far apart, in random order."""
    centres = 30 * torch.cartesian_prod(torch.arange(num / 2), torch.arange(2.0))
    k = torch.randint(num, (num * per,), generator=seeded(1))
    return centres[k] + torch.randn(num * per, 2, generator=seeded(2))


def choose(eps, **changes):
    return choose_num_clusters(eps, **{"min_rows": 16, "max_iter": 20, "seed": 0, **changes})


@pytest.mark.parametrize("num", [4, 64])
def test_enough_clusters_for_as_many_blobs_as_there_are(num):
    """Four clusters of sixteen Gaussians are enough for sixty-four blobs, one is not."""
    chosen, tried = choose(blobs(num, per=1920 // num))
    entropy = math.log(num) + math.log(2 * math.pi * math.e)
    assert tried[chosen] == max(tried.values()) == pytest.approx(-entropy, abs=0.5)
    assert num == 4 or chosen >= 4 and tried[1] < tried[chosen] - 0.1


def test_of_more_codes_than_are_looked_at_the_largest_number_that_is_nearly_as_good(monkeypatch):

    def nearest(clusters):  # K-means may have dissolved some
        return min(found, key=lambda num: abs(num - len(clusters.counts)))

    found = {1: -5.0, 4: -4.0, 16: -4.05, 64: -4.2, 256: -4.3}
    monkeypatch.setattr(evidence, "log_likelihood", lambda train, c, *others: found[nearest(c)])
    monkeypatch.setattr(evidence, "CANDIDATES", (1, 4, 16, 64))
    assert choose(blobs(4, per=500))[0] == 4
    monkeypatch.setattr(evidence, "LEAST_ROWS", 1999)
    assert choose(blobs(4, per=500))[0] == 16
    found[16] = -5.0  # far worse: no more are tried
    assert list(choose(blobs(4, per=500))[1]) == [1, 4, 16]


@pytest.mark.parametrize(
    ("least", "most", "looked_at"), [(100, 9000, 500), (800, 9000, 800), (100, 450, 450)]
)
def test_a_quarter_of_the_codes_is_looked_at_within_bounds(monkeypatch, least, most, looked_at):
    seen = []

    def told(train, clusters, held_out, *others):
        seen.append(torch.cat([train, held_out]))
        return 0.0

    monkeypatch.setattr(evidence, "log_likelihood", told)
    monkeypatch.setattr(evidence, "LEAST_ROWS", least)
    monkeypatch.setattr(evidence, "MOST_ROWS", most)
    choose(blobs(4, per=500))
    assert {len(codes) for codes in seen} == {looked_at}
    assert len(seen[0].unique(dim=0)) == looked_at


def test_one_cluster_of_one_gaussian_in_many_dimensions():
    """More clusters explain the codes they are of better, but not others."""
    eps = torch.randn(1000, 10, generator=seeded(3))
    chosen, tried = choose(eps)
    assert chosen == 1 and list(tried)[:2] == [1, 4]


def test_too_few_codes_are_one_cluster():
    assert choose(torch.randn(4, 2)) == (1, {})
    chosen, tried = choose(torch.randn(300, 2, generator=seeded(4)), min_rows=100)
    assert chosen == 1 and list(tried) == [1]


def test_the_likelihood_is_that_of_the_mixture_a_code_at_a_time():
    eps = blobs(4, per=50)
    held_out = eps[:20] + torch.randn(20, 2, generator=seeded(5))
    clusters = fit_clusters(eps, 3, min_rows=2, max_iter=9, mini_batch_above=10**6, seed=0)
    total = 0.0
    for code in held_out.double().numpy():
        density = 0.0
        for k in range(3):
            rows = eps[clusters.k == k]
            fit = fit_mixture(rows, max(1, min(16, len(rows) // 8)), seed=5)
            for weight, mean, covariance in zip(
                fit.weights_, fit.means_, fit.covariances_, strict=True
            ):
                share = len(rows) / len(eps) * weight
                density += share * multivariate_normal(mean, covariance).pdf(code)
        total += math.log(density) / 20
    assert log_likelihood(eps, clusters, held_out, 16, 5) == pytest.approx(total)


def test_codes_that_are_held_out_and_k_means_are_of_the_seed():
    eps = blobs(4, per=100)
    assert choose(eps)[1] == choose(eps)[1] != choose(eps, seed=1)[1]
