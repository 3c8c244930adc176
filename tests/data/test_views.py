"""Contrastive views."""

import torch

from scgan.data.views import noise_views


def test_noise_has_its_std_and_the_views_are_independent() -> None:
    x = torch.full((20_000, 2), 3.0)
    first, second = noise_views(x, 0.25, torch.Generator().manual_seed(0))
    for view in (first, second):
        assert view.shape == x.shape and view.dtype == x.dtype
        assert torch.allclose(view.mean(0), torch.tensor(3.0), atol=0.01)
        assert torch.allclose(view.std(0), torch.tensor(0.25), atol=0.006)
    correlation = torch.corrcoef(torch.cat((first, second), dim=1).T)
    assert (correlation - torch.eye(4)).abs().max() < 0.03


def test_same_generator_same_views_and_no_noise_no_change() -> None:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    once, again = (noise_views(x, 0.1, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(once[0], again[0]) and torch.equal(once[1], again[1])
    still = noise_views(x, 0.0, torch.Generator().manual_seed(2))
    assert torch.equal(still[0], x) and torch.equal(still[1], x)
