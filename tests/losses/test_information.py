"""The information between samples and groups that views share, against loops and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.information import information_loss

EVEN = torch.full((4,), 0.25, dtype=torch.float64)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_loops(logits, views, weights):
    """Certainty weighs 0.1, shares 2; of probabilities as numbers."""
    p = [row.softmax(0).tolist() for row in logits]
    q = [row.softmax(0).tolist() for row in views]
    agreement = entropy = 0.0
    for one, other in zip(p, q, strict=True):
        for a, b in zip(one, other, strict=True):
            agreement += a * math.log(a / b) / len(p)
            entropy -= a * math.log(a) / len(p)

    shares = 0.0
    for k, weight in enumerate(weights):
        mean = sum(row[k] for row in p + q) / (2 * len(p))
        shares += mean * math.log(mean / weight)
    return agreement + 0.1 * entropy + 2 * shares


def test_it_is_a_loop_over_samples_and_groups():
    logits, views = drawn(6, 4), drawn(6, 4, seed=1)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    found = information_loss(logits, views, weights)
    assert float(found) == pytest.approx(by_loops(logits, views, weights.tolist()))


def test_nothing_is_lost_by_sure_groups_of_their_shares_that_views_keep():
    sure = 200 * torch.eye(4, dtype=torch.float64)
    assert float(information_loss(sure, sure, EVEN)) == pytest.approx(0, abs=1e-9)
    assert float(information_loss(sure, sure.roll(1, 0), EVEN)) > 100  # views in other groups
    unsure = torch.zeros(4, 4, dtype=torch.float64)
    assert float(information_loss(unsure, unsure, EVEN)) == pytest.approx(0.1 * math.log(4))


def test_one_group_of_all_costs_its_surplus_and_is_finite():
    one = torch.tensor([[500.0, 0.0, 0.0, 0.0]] * 3, requires_grad=True)
    loss = information_loss(one, one, EVEN.float())
    assert float(loss.detach()) == pytest.approx(2 * math.log(4))
    loss.backward()
    assert one.grad.isfinite().all()


def test_a_view_follows_its_sample_and_not_the_other_way():
    logits, views = drawn(1, 4).requires_grad_(), drawn(1, 4, seed=1).requires_grad_()
    weights = torch.cat([logits, views]).detach().softmax(1).mean(0)  # no slope of the shares
    information_loss(logits, views, weights).backward()
    assert_close(views.grad, (views.softmax(1) - logits.softmax(1)).detach())

    p = logits.detach().softmax(1)
    entropy = -(p * p.log()).sum()
    assert_close(logits.grad, -0.1 * p * (p.log() + entropy))
