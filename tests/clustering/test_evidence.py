"""How many clusters held-out codes speak for, where that is known."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import multivariate_normal

from scgan.clustering.evidence import choose_num_clusters, log_likelihood
from scgan.clustering.in_memory import fit_clusters


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(num, per=400):
    """Equal Gaussians far apart, in random order."""
    centres = 30 * torch.cartesian_prod(torch.arange(num / 2), torch.arange(2.0))
    k = torch.randint(num, (num * per,), generator=seeded(1))
    return centres[k] + torch.randn(num * per, 2, generator=seeded(2))


def choose(eps, **changes):
    return choose_num_clusters(eps, **{"min_rows": 16, "max_iter": 20, "seed": 0, **changes})


@pytest.mark.parametrize("num", [4, 16])
def test_as_many_clusters_as_there_are(num):
    chosen, evidence = choose(blobs(num))
    assert chosen == num and evidence[num] > evidence[1] + 1
    entropy = math.log(num) + math.log(2 * math.pi * math.e)
    assert evidence[num] == pytest.approx(-entropy, abs=0.1)


def test_one_cluster_of_one_gaussian_in_many_dimensions():
    """More clusters explain the codes they are of better, but not others."""
    eps = torch.randn(3000, 10, generator=seeded(3))
    chosen, evidence = choose(eps)
    assert chosen == 1 and list(evidence) == [1, 4, 16, 64]  # of 2,400 codes, 16 a cluster


def test_too_few_codes_are_one_cluster():
    assert choose(torch.randn(4, 2)) == (1, {})
    chosen, evidence = choose(torch.randn(300, 2, generator=seeded(4)), min_rows=100)
    assert chosen == 1 and list(evidence) == [1]


def test_the_likelihood_is_that_of_the_mixture_a_code_at_a_time():
    eps, held_out = blobs(4, per=50), torch.randn(20, 2, generator=seeded(5)) * 20
    clusters = fit_clusters(eps, 3, min_rows=2, max_iter=9, mini_batch_above=10**6, seed=0)
    total = 0.0
    for code in held_out.double().numpy():
        density = 0.0
        for k in range(3):
            rows = eps[clusters.k == k].double()
            covariance = torch.cov(rows.T, correction=0) + 1e-4 * torch.eye(2)
            known = multivariate_normal(rows.mean(0).numpy(), covariance.numpy())
            density += len(rows) / len(eps) * known.pdf(code)
        total += math.log(density) / 20
    assert log_likelihood(eps, clusters, held_out) == pytest.approx(total)


def test_codes_that_are_held_out_and_k_means_are_of_the_seed():
    eps = blobs(4)
    assert choose(eps)[1] == choose(eps)[1] != choose(eps, seed=1)[1]
