"""Noise and views of a batch, of one worker and of two, and a step towards shared groups."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from scgan.data.images.augment import affine_views
from scgan.stages.image_groups import Perturbed, learn_groups
from scgan.training.runtime import Runtime


def perturbed(**where):
    return Perturbed(8, torch.Generator().manual_seed(0), Runtime(**where))


def images(num=8):
    return torch.rand(num, 1, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_noise_has_its_deviation_and_none_draws_none():
    x = torch.zeros(8, 1, 28, 28)
    assert perturbed().noisy(x, 0.3).std().item() == pytest.approx(0.3, rel=0.05)
    assert perturbed().noisy(x, 0.0) is x


def test_views_are_of_the_strength_that_is_asked_for():
    x, draws = images(), torch.rand(8, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(perturbed().viewed(x, 0.4), affine_views(x, draws, 0.4))


def test_workers_have_their_shares_of_the_batch_that_one_would_have():
    x, whole = images(), perturbed()
    noisy, views = whole.noisy(x, 0.5), whole.viewed(x, 0.9)
    for rank in (0, 1):
        mine = slice(4 * rank, 4 * rank + 4)
        part = perturbed(rank=rank, world_size=2)
        assert torch.equal(part.noisy(x[mine], 0.5), noisy[mine])
        assert torch.allclose(part.viewed(x[mine], 0.9), views[mine], atol=1e-6)


@dataclass(frozen=True)
class Doubled(Runtime):
    """One of two workers, whose neighbour has twice its numbers."""

    def gather(self, rows):
        return torch.cat([rows, 2 * rows])


@pytest.mark.parametrize("runtime", [Runtime(), Doubled()])
def test_a_step_descends_the_loss_of_all_workers_images_and_views(runtime):
    weights, draw = torch.tensor([0.2, 0.8]), torch.Generator().manual_seed(2)
    x, views = torch.randn(2, 5, 3, generator=draw)
    network = nn.Linear(3, 2, bias=False)
    start = torch.randn(2, 3, generator=draw) * 3
    network.weight.data.copy_(start)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    found = learn_groups(network, optimizer, x, views, weights, runtime)

    w = start.clone().requires_grad_()
    p_logits, q_logits = (runtime.gather(rows @ w.T) for rows in (x, views))
    p, q = p_logits.softmax(1), q_logits.softmax(1)
    known, mean = p.detach(), torch.cat([p, q]).mean(0)
    loss = (known * (known / q).log()).sum(1).mean() - 0.1 * (p * p.log()).sum(1).mean()
    loss = loss + 2 * (mean * (mean / weights).log()).sum()
    (slope,) = torch.autograd.grad(loss, w)
    assert found.item() == pytest.approx(loss.item(), rel=1e-4)
    assert torch.allclose(network.weight.detach(), start - 0.1 * slope, atol=1e-4)
