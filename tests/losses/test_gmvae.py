"""The GMVAE's bound against sums over rows and clusters, and PyTorch's divergence."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence
from torch.testing import assert_close

from scgan.losses.gmvae import Gaussians, gaussian_kl, negative_elbo


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_divergence_of_gaussians_is_pytorchs():
    q, p = Gaussians(drawn(3, 4), drawn(3, 4, seed=1)), Gaussians(drawn(4, seed=2), drawn(4))
    first, second = (Normal(g.mean, (g.log_var / 2).exp()) for g in (q, p))
    assert_close(gaussian_kl(q, p), kl_divergence(first, second).sum(1))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 3)])
def test_the_bound_is_a_sum_over_rows_and_clusters(shape):
    x, x_hat, logits = drawn(3, *shape), drawn(3, 2, *shape, seed=1), drawn(3, 2, seed=2)
    q = Gaussians(drawn(3, 2, 4, seed=3), drawn(3, 2, 4, seed=4))
    prior = Gaussians(drawn(2, 4, seed=5), drawn(2, 4, seed=6))
    terms = [0.0, 0.0, 0.0]
    for i in range(3):
        weights = logits[i].softmax(0)
        terms[2] += kl_divergence(Categorical(weights), Categorical(torch.ones(2))) / 3
        for k in range(2):
            terms[0] -= weights[k] * Normal(x_hat[i, k], 0.3).log_prob(x[i]).sum() / 3
            posterior = Normal(q.mean[i, k], (q.log_var[i, k] / 2).exp())
            cluster = Normal(prior.mean[k], (prior.log_var[k] / 2).exp())
            terms[1] += weights[k] * kl_divergence(posterior, cluster).sum() / 3

    loss = negative_elbo(x, x_hat, q, prior, logits, 0.3)
    assert [float(v) for v in loss] == pytest.approx([*map(float, terms), float(sum(terms))])
