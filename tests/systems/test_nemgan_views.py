"""NEMGAN's h begun on groups of images that their views share: when, on what, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from scgan.data.dataset import DataConfig
from tests.systems.nemgan_training import Watched, dataset

BATCH = 16
TINY = {"start": "views", "read_views": 0.7, "batch_size": BATCH, "num_samples": BATCH * 12}
TINY |= {"start_share": 0.5, "r1_weight": 0.0}


@pytest.fixture(scope="module")
def digits():
    return dataset(DataConfig(source="digits"))


def training(data, **changes):
    """A training, and what its networks are fed."""
    watched = Watched(data, num_modes=changes.get("num_clusters", 3), **{**TINY, **changes})
    return watched.training, watched.fed


def stepped(t, times=1):
    for _ in range(times):
        losses = t.step()
        t.state.samples += t.c.batch_size
    return {name: float(loss.detach()) for name, loss in losses.items()}


def test_h_alone_learns_from_real_images_and_views_before_the_game_and_on_in_it(digits):
    t, fed = training(digits)
    before = [w.clone() for net in (t.generator, t.discriminator) for w in net.parameters()]
    assert set(stepped(t, 6)) == {"information"} and len(fed["inversion"]) == 6
    assert not fed["generator"] and not fed["discriminator"]
    after = [w for net in (t.generator, t.discriminator) for w in net.parameters()]
    assert all(map(torch.equal, before, after))

    losses = stepped(t)
    assert {"information", "d_loss", "g_loss", "modes"} <= set(losses)
    assert len(fed["generator"]) == 1 and len(fed["inversion"]) == 9


def test_the_loss_is_that_of_a_batch_its_own_views_and_the_modes_weights(digits):
    changes = {"weights": (1.0, 2.0, 5.0), "num_clusters": 3}
    t, fed = training(digits, **changes)
    loss = stepped(t)["information"]
    ((seen,),) = fed["inversion"]
    real, views = seen.split(BATCH)
    data = digits.train.float() / 127.5 - 1
    assert (real[:, None] == data).flatten(2).all(2).any(1).all()
    gaps = (views[:, None] - real).flatten(2).square().sum(2)
    assert (gaps.argmin(1) == torch.arange(BATCH)).float().mean() > 0.8  # each of its own image
    assert gaps.diagonal().min() > 1e-3

    before, _ = training(digits, **changes)
    p, q = (before.inversion(x)[1].detach().double().softmax(1) for x in (real, views))
    mean, weights = torch.cat([p, q]).mean(0), torch.tensor([0.125, 0.25, 0.625]).double()
    by_hand = (p * (p / q).log()).sum(1).mean() - 0.1 * (p * p.log()).sum(1).mean()
    by_hand += 2 * (mean * (mean / weights).log()).sum()
    assert loss == pytest.approx(float(by_hand), abs=1e-4)


def test_samples_teach_the_generator_their_modes_but_not_h(digits, monkeypatch):
    moved = {}
    for weight in (1.0, 30.0):
        t, _ = training(digits, reconstruction_weight=0.0, mode_weight=weight)
        stepped(t, 6)
        monkeypatch.setattr(t, "_group", lambda: torch.zeros(()))
        before = [w.clone() for w in t.inversion.parameters()]
        stepped(t)
        assert all(map(torch.equal, before, t.inversion.parameters()))
        # Several workers wait for a gradient of each weight.
        assert all(w.grad is not None for w in t.inversion.parameters())
        moved[weight] = torch.cat([w.detach().flatten() for w in t.generator.parameters()])
    assert not torch.equal(moved[1.0], moved[30.0])


def test_views_are_read_through_noise(digits):
    plain, noisy = (training(digits, read_noise=noise) for noise in (0.0, 0.5))
    for t, _ in (plain, noisy):
        stepped(t)
    (bare,), (seen,) = plain[1]["inversion"][0], noisy[1]["inversion"][0]
    assert torch.equal(bare[:BATCH], seen[:BATCH])
    assert not torch.equal(bare[BATCH:], seen[BATCH:])


def test_the_stored_inversion_follows_from_the_first_step(digits):
    t, _ = training(digits, ema_half_life=1e-3)
    stepped(t, 3)
    average = t.averages["inversion"].module
    for name, weight in t.inversion.named_parameters():
        assert_close(average.get_parameter(name), weight)


def test_shapes_of_unequal_numbers_are_told_apart_by_their_shares(digits, bars_and_discs):
    images, y = bars_and_discs(0.3)
    data = replace(digits, train=images, test=images, train_labels=None, test_labels=None)

    changes = {"weights": (0.7, 0.3), "num_clusters": 2, "batch_size": 64, "read_noise": 0.2}
    changes |= {"image_width": 16, "width": 64, "num_samples": 64 * 1000, "read_views": 1.0}
    t, _ = training(data, **changes)
    stepped(t, 150)
    with torch.no_grad():
        found = t.inversion.eval()(images.float() / 127.5 - 1)[1].argmax(1)
    assert (found == y).float().mean() > 0.95
