"""MMGAN's E taught groups of images that their views share: when, on what, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from tests.systems import test_mmgan
from tests.systems.test_mmgan import KINDS, dataset, fitted, settings
from tests.training.test_loop import Memory

BATCH = 16
VIEWS = {"gan.start": "views", "gan.batch_size": BATCH, "gan.num_samples": BATCH * 12}
VIEWS |= {"gan.start_share": 0.5, "gan.r1_weight": 0.0, "gan.read_views": 0.7}


@pytest.fixture(scope="module")
def digits():
    return dataset(KINDS["images"])


def training(data, **changes):
    """A training, and what its networks are fed."""
    made = test_mmgan.training(data, **{**VIEWS, **changes})
    fed = {name: [] for name in ("generator", "encoder", "critic")}
    for name, calls in fed.items():
        note = calls.append
        network = getattr(made, name)
        network.register_forward_hook(lambda _, given, out, note=note: note((given[0], out)))
    return made, fed


def weights_of(*networks):
    return [w.detach().clone() for network in networks for w in network.parameters()]


def test_e_alone_learns_from_real_images_before_the_game_and_on_in_it(digits):
    made, fed = training(digits)
    before = weights_of(made.generator, made.critic)
    for number in range(6):
        assert set(made.step(number)) == {"information"}
    assert len(fed["encoder"]) == 6 and not fed["generator"] and not fed["critic"]
    assert all(map(torch.equal, before, weights_of(made.generator, made.critic)))

    losses = made.step(6)
    assert set(losses) == {"information", "d_loss", "g_loss", "cross_entropy"}
    assert len(fed["generator"]) == 1 and len(fed["encoder"]) == 9


def test_its_groups_are_of_one_size_and_shared_by_an_image_and_its_view(digits):
    made, fed = training(digits, **{"gan.read_views": 0.4, "gan.read_noise": 0.1})
    loss = float(made.step(0)["information"].detach())
    ((seen, logits),) = fed["encoder"]
    real, views = seen.split(BATCH)
    data = digits.train.float() / 127.5 - 1
    assert (real[:, None] == data).flatten(2).all(2).any(1).all()
    gaps = (views[:, None] - real).flatten(2).square().sum(2)
    assert (gaps.argmin(1) == torch.arange(BATCH)).float().mean() > 0.8  # each of its own image

    p, q = logits.detach().double().softmax(1).split(BATCH)
    mean = torch.cat([p, q]).mean(0)
    by_hand = (p * (p / q).log()).sum(1).mean() - 0.1 * (p * p.log()).sum(1).mean()
    by_hand += 2 * (mean * (3 * mean).log()).sum()
    assert loss == pytest.approx(float(by_hand), abs=1e-4)


def test_views_go_as_far_as_they_are_to_through_as_much_noise(digits):
    def views(**changes):
        made, fed = training(digits, **changes)
        made.step(0)
        return fed["encoder"][0][0].split(BATCH)

    real, far = views(**{"gan.read_noise": 0.0})
    same, near = views(**{"gan.read_noise": 0.0, "gan.read_views": 0.01})
    assert torch.equal(real, same)
    assert (near - real).square().mean() < 0.1 * (far - real).square().mean()
    _, noisy = views(**{"gan.read_noise": 0.5})
    corner = (..., slice(2), slice(2))  # black in every digit
    assert far[corner].std() < 0.05 < 0.2 < noisy[corner].std()


def test_samples_teach_the_generator_their_clusters_but_not_e(digits, monkeypatch):
    moved = {}
    for alpha in (0.0, 30.0):
        made, fed = training(digits, **{"gan.alpha": alpha, "gan.sigma": 1.0})
        monkeypatch.setattr(made, "_group", lambda x: torch.zeros(()))
        before = weights_of(made.encoder)
        made.step(6)
        assert all(map(torch.equal, before, weights_of(made.encoder)))
        assert all(w.grad is None for w in made.encoder.parameters())
        moved[alpha] = torch.cat([w.flatten() for w in weights_of(made.generator)])

        # E puts real images as they are into clusters, and tells samples' from views of them.
        (real, scores), (views, _) = fed["encoder"]
        ((y, made_of),) = fed["generator"]
        assert torch.equal(y[:BATCH].argmax(1), scores.argmax(1)) and len(real) == BATCH
        prior = made_of[BATCH:]
        assert not torch.allclose(views, prior)
    assert not torch.equal(moved[0.0], moved[30.0])


def test_the_stored_e_follows_from_the_first_step(digits):
    made, _ = training(digits, **{"gan.ema_half_life": 1e-3})
    for number in range(3):
        made.step(number)
    average = made.averages["encoder"].module
    for name, weight in made.encoder.named_parameters():
        assert_close(average.get_parameter(name), weight)


def test_what_e_has_learned_of_groups_is_taken_up_where_it_was(digits):
    config = settings(**VIEWS)
    whole, kept = fitted(digits, config), Memory()
    for until in (BATCH * 4, BATCH * 9, None):
        artifact = fitted(digits, config, checkpoints=kept, until=until)
    assert all(torch.equal(artifact.tensors[key], whole.tensors[key]) for key in whole.tensors)


def test_shapes_are_told_apart_whose_sizes_and_places_differ_more(digits, bars_and_discs):
    images, y = bars_and_discs(0.5)
    changes = {"gan.num_clusters": 2, "gan.batch_size": 64, "gan.read_noise": 0.2}
    changes |= {"gan.image_width": 16, "gan.width": 64, "gan.num_samples": 64_000}
    data = replace(digits, train=images, test=images, train_labels=None, test_labels=None)
    made, _ = training(data, **changes)
    for number in range(150):
        made.step(number)
    with torch.no_grad():
        found = made.encoder(images.float() / 127.5 - 1).argmax(1)
    right = (found == y).float().mean()
    assert max(right, 1 - right) > 0.95
