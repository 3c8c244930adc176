"""MMGAN's losses against loops written from the paper, and where they are flat."""

from __future__ import annotations

import math

import pytest
import torch

from scgan.losses.mmgan import (
    Game,
    Judged,
    cluster_cross_entropy,
    conditional_relativistic_loss,
    critic_loss,
    generator_loss,
    means_by_cluster,
    relativistic_loss,
)

K, B = 4, 9
SIDES = [True, False]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def judged(seed=0):
    """Logits in float64; no real sample is in the last cluster, but prior ones are."""
    random = seeded(seed)
    real, paired, prior = torch.randn(3, B, generator=random, dtype=torch.float64) * 2
    k = torch.randint(K - 1, (B,), generator=random)
    k_prior = torch.arange(B) % K
    return Judged(real, k, paired, prior, k_prior)


def log_sigmoid(value):
    return -math.log1p(math.exp(-value))


def slow_conditional(j, divisor, of_critic):
    """Every expectation as a loop; D of a real sample and of a generated one, as printed."""
    real_terms, fake_terms = [], []
    for x, k in zip(j.real.tolist(), j.k.tolist(), strict=True):
        mates = [c for c, mate in zip(j.paired.tolist(), j.k.tolist(), strict=True) if mate == k]
        real_terms.append(x - sum(mates) / len(mates))
    for fake, k in zip(j.prior.tolist(), j.k_prior.tolist(), strict=True):
        mates = [c for c, mate in zip(j.real.tolist(), j.k.tolist(), strict=True) if mate == k]
        if divisor == "batch":
            mean = sum(mates) / B
        else:
            mean = sum(mates) / len(mates) if mates else sum(j.real.tolist()) / B
        fake_terms.append(fake - mean)
    up, down = (real_terms, fake_terms) if of_critic else (fake_terms, real_terms)
    return -sum(map(log_sigmoid, up)) / B - sum(log_sigmoid(-value) for value in down) / B


def slow_rsgan(ahead, behind):
    pairs = zip(ahead.tolist(), behind.tolist(), strict=True)
    return -sum(log_sigmoid(a - b) for a, b in pairs) / B


def slow_sgan(j, fake, of_critic):
    if not of_critic:
        return -sum(map(log_sigmoid, fake.tolist())) / B
    real = -sum(map(log_sigmoid, j.real.tolist())) / B
    return real - sum(log_sigmoid(-value) for value in fake.tolist()) / B


def side(j, game, of_critic):
    if of_critic:
        return critic_loss(j, game)
    return generator_loss(j, torch.zeros(B, K).double(), game, alpha=0.0).total


def test_a_pair_is_told_apart_by_the_difference_of_its_logits():
    j = judged()
    assert relativistic_loss(j.real, j.prior).mean().item() == pytest.approx(
        slow_rsgan(j.real, j.prior)
    )
    assert relativistic_loss(j.real, j.real).tolist() == pytest.approx([math.log(2)] * B)


@pytest.mark.parametrize("divisor", ["cluster", "batch"])
def test_a_clusters_mean(divisor):
    j = judged()
    found = means_by_cluster(j.real, j.k, K, divisor)
    for k in range(K):
        mine = j.real[j.k == k]
        if divisor == "batch":
            expected = mine.sum() / B
        else:
            expected = mine.mean() if len(mine) else j.real.mean()
        assert found[k].item() == pytest.approx(expected.item())
    assert found[K - 1] == (j.real.mean() if divisor == "cluster" else 0)


@pytest.mark.parametrize("divisor", ["cluster", "batch"])
@pytest.mark.parametrize("of_critic", SIDES)
def test_crasgan_is_the_papers_expectations(divisor, of_critic):
    j = judged()
    loss = conditional_relativistic_loss(
        j, Game(K, "crasgan", "both", divisor), of_critic=of_critic
    )
    assert loss.item() == pytest.approx(slow_conditional(j, divisor, of_critic))
    flat = Judged(*(torch.zeros(B) if t.is_floating_point() else t for t in j))
    game = Game(K, "crasgan", "both", divisor)
    flat_loss = conditional_relativistic_loss(flat, game, of_critic=of_critic)
    assert flat_loss.item() == pytest.approx(2 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("of_critic", SIDES)
@pytest.mark.parametrize("batches", ["both", "paired", "prior"])
@pytest.mark.parametrize("critic", ["sgan", "rsgan"])
def test_the_critic_sees_the_batches_that_are_set(critic, batches, of_critic):
    j = judged()
    fakes = {"both": [j.paired, j.prior], "paired": [j.paired], "prior": [j.prior]}[batches]
    expected = []
    for fake in fakes:
        pair = (j.real, fake) if of_critic else (fake, j.real)
        slow = slow_rsgan(*pair) if critic == "rsgan" else slow_sgan(j, fake, of_critic)
        expected.append(slow)
    loss = side(j, Game(K, critic, batches, "cluster"), of_critic)
    assert loss.item() == pytest.approx(sum(expected) / len(expected))


@pytest.mark.parametrize("of_critic", SIDES)
def test_crasgan_on_one_batch(of_critic):
    """Paired, the partner stands for the prior sample; unpaired, all are of one cluster."""
    j = judged()
    paired = j._replace(prior=j.paired, k_prior=j.k)
    expected = slow_conditional(paired, "cluster", of_critic)
    loss = side(j, Game(K, "crasgan", "paired", "cluster"), of_critic)
    assert loss.item() == pytest.approx(expected)

    zero = torch.zeros_like(j.k)
    unpaired = Judged(j.real, zero, j.prior, j.prior, zero)
    expected = slow_conditional(unpaired, "cluster", of_critic)
    loss = side(j, Game(K, "crasgan", "prior", "cluster"), of_critic)
    assert loss.item() == pytest.approx(expected)


def test_alpha_weighs_the_clusters_cross_entropy():
    j, scores = judged(), torch.randn(B, K, generator=seeded(2), dtype=torch.float64)
    slow = []
    for row, k in zip(scores.tolist(), j.k_prior.tolist(), strict=True):
        slow.append(math.log(sum(map(math.exp, row))) - row[k])
    assert cluster_cross_entropy(scores, j.k_prior).item() == pytest.approx(sum(slow) / B)
    assert cluster_cross_entropy(torch.zeros(B, K), j.k_prior).item() == pytest.approx(math.log(K))

    game = Game(K, "rsgan", "both", "cluster")
    loss = generator_loss(j, scores, game, alpha=0.3)
    assert loss.cross_entropy.item() == pytest.approx(sum(slow) / B)
    assert loss.total.item() == pytest.approx(loss.g_loss.item() + 0.3 * sum(slow) / B)
    assert loss.g_loss.item() == pytest.approx(side(j, game, of_critic=False).item())
