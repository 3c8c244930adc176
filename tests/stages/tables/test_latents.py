"""The four latent models against what they are by definition."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.nn.mappers import AutoencoderMappers
from scgan.stages.tables.latents import (
    CentreLatents,
    GaussianLatents,
    MappingLatents,
    RealLatents,
    draw_clusters,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_gaussian_latents_have_the_codes_moments():
    codes = (
        torch.randn(5000, 3, generator=seeded(1))
        @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 0, 0]])
        + 4
    )
    drawn = GaussianLatents(codes).sample(200_000, seeded())
    assert_close(drawn.mean(0), codes.mean(0), rtol=0, atol=0.03)
    assert_close(torch.cov(drawn.T), torch.cov(codes.T), rtol=0, atol=0.06)
    # Third moments tell a Gaussian from a resampling of skewed codes.
    skewed = torch.randn(5000, 1, generator=seeded(2)).exp()
    assert (
        abs(
            float(((GaussianLatents(skewed).sample(100_000, seeded()) - skewed.mean()) ** 3).mean())
        )
        < 0.5
    )


def test_centre_latents_are_a_mixture_of_the_clusters():
    centres, spread = torch.tensor([[-5.0, 0.0], [5.0, 1.0]]), torch.tensor([0.5, 2.0])
    drawn = CentreLatents(centres, spread, torch.tensor([300.0, 100.0])).sample(40_000, seeded())
    left = drawn[:, 0] < -1.5
    assert_close(left.float().mean().item(), 0.75, rtol=0, atol=0.02)
    assert_close(drawn[left].std(0), torch.full((2,), 0.5), rtol=0.03, atol=0)
    only = CentreLatents(centres, spread, torch.ones(2)).sample(20_000, seeded(), cluster=1)
    assert_close(only.mean(0), centres[1], rtol=0, atol=0.06)
    assert_close(only.std(0), torch.full((2,), 2.0), rtol=0.03, atol=0)


def test_mapping_latents_follow_the_weights():
    mappers = AutoencoderMappers(2, 2, width=4, num_layers=1, generators=[seeded(1), seeded(2)])
    mappers.whitening.centre[1] += 100
    latents = MappingLatents(mappers, torch.tensor([1.0, 3.0]))
    drawn = latents.sample(20_000, seeded())
    assert_close((drawn[:, 0] > 50).float().mean().item(), 0.75, rtol=0, atol=0.02)
    assert (latents.sample(500, seeded(), cluster=0)[:, 0] < 50).all()


def test_real_latents_are_codes():
    codes, k = torch.arange(10.0).view(5, 2), torch.tensor([0, 1, 0, 1, 1])
    latents = RealLatents(codes, k)
    drawn = latents.sample(5000, seeded())
    rows = {tuple(row) for row in drawn.tolist()}
    assert rows == {tuple(row) for row in codes.tolist()}
    assert {tuple(r) for r in latents.sample(100, seeded(), cluster=0).tolist()} == {
        (0.0, 1.0),
        (4.0, 5.0),
    }


def test_clusters_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no cluster 2; there are clusters 0 to 1"):
        draw_clusters(torch.ones(2), 5, seeded(), 2)
    with pytest.raises(ValueError, match="has no clusters"):
        GaussianLatents(torch.randn(5, 2)).sample(3, seeded(), cluster=0)
    with pytest.raises(ValueError, match="no training code of cluster 1"):
        RealLatents(torch.randn(2, 2), torch.zeros(2, dtype=torch.long)).sample(
            3, seeded(), cluster=1
        )
