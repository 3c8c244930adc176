"""The latent mixture: where it starts, what it draws, its density, and the choice of a cluster."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal

from scgan.nn.latent_mixture import LatentMixture, MixtureGenerator, likeliest, vertices


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mixture(num=3, dim=4, sigma=0.5, floor=0.1):
    return LatentMixture(num, dim, sigma=sigma, sigma_floor=floor, generator=seeded())


@pytest.mark.parametrize(("num", "dim"), [(1, 1), (8, 3), (5, 4), (40, 30), (4096, 12)])
def test_means_start_at_distinct_vertices(num, dim):
    found = vertices(num, dim, seeded())
    assert found.shape == (num, dim) and found.abs().eq(1).all()
    assert len(found.unique(dim=0)) == num
    assert torch.equal(found, vertices(num, dim, seeded()))
    if 2**dim > num > 1:
        assert not torch.equal(found, vertices(num, dim, seeded(1)))


def test_a_cube_has_no_more_vertices_than_it_has():
    with pytest.raises(ValueError, match="a cube of 3 dimensions has 8 vertices, not 9"):
        vertices(9, 3, seeded())


def test_every_vertex_is_as_likely():
    drawn = torch.cat([vertices(2, 3, seeded(seed)) for seed in range(600)])
    assert drawn.mean(0).abs().max() < 0.12
    many = vertices(5000, 13, seeded())  # of 8,192, so that some are drawn more than once
    assert len(many.unique(dim=0)) == 5000 and many.mean(0).abs().max() < 0.07
    far = torch.cat([vertices(3, 20, seeded(seed)) for seed in range(200)])
    assert far.mean(0).abs().max() < 0.18


def test_a_code_is_its_clusters_mean_and_deviation_times_noise():
    latent = mixture()
    with torch.no_grad():
        latent.sigma.copy_(torch.tensor([0.5, 2.0, 3.0]))
    z = torch.randn(3, 4, generator=seeded(1))
    codes = latent(torch.eye(3), z)
    for k in range(3):
        assert torch.allclose(codes[k], latent.mu[k] + latent.sigma[k] * z[k])
    assert mixture(sigma=0.7).sigma.tolist() == pytest.approx([0.7] * 3)


def test_deviations_below_the_floor_are_brought_back_to_it():
    latent = mixture(floor=0.2)
    with torch.no_grad():
        latent.sigma.copy_(torch.tensor([-1.0, 0.19, 0.9]))
    latent.hold()
    assert latent.sigma.tolist() == pytest.approx([0.2, 0.2, 0.9])


def test_the_density_is_that_of_the_mixture():
    latent, z = mixture(), torch.randn(5, 4, generator=seeded(2))
    with torch.no_grad():
        latent.sigma.copy_(torch.tensor([0.3, 1.0, 2.0]))
    weights = torch.rand(5, 3, generator=seeded(3))
    weights /= weights.sum(1, keepdim=True)
    for row in range(5):
        total = 0.0
        for k in range(3):
            normal = Normal(latent.mu[k], latent.sigma[k])
            total += weights[row, k].item() * math.exp(normal.log_prob(z[row]).sum().item())
        found = latent.log_prob(z, weights.log())[row].item()
        assert found == pytest.approx(math.log(total), rel=1e-4)


def test_the_choice_is_one_hot_and_passes_gradients_on_if_it_is_to():
    scores = torch.randn(6, 3, generator=seeded(4), requires_grad=True)
    probe = torch.randn(6, 3, generator=seeded(5))
    hard = likeliest(scores, straight_through=False)
    assert hard.sum(1).eq(1).all() and torch.equal(hard.argmax(1), scores.argmax(1))
    assert not hard.requires_grad

    y = likeliest(scores, straight_through=True)
    assert torch.allclose(y, hard, atol=1e-6)
    (y * probe).sum().backward()
    soft = scores.detach().clone().requires_grad_()
    (soft.softmax(1) * probe).sum().backward()
    assert torch.allclose(scores.grad, soft.grad, atol=1e-6) and scores.grad.abs().sum() > 0


def test_a_generator_is_fed_the_mixtures_codes():
    latent, core = mixture(), torch.nn.Linear(4, 2)
    y, z = torch.eye(3), torch.randn(3, 4, generator=seeded(6))
    assert torch.equal(MixtureGenerator(latent, core)(y, z), core(latent(y, z)))
