"""What NEMGAN's networks are fed: samples, noise, views, groups, labels; and the prior."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from scgan.data.dataset import DataConfig
from scgan.stages import noise_gan
from tests.systems.nemgan_training import Watched, dataset, labelled_data, trained

# What each network is fed


def test_discriminator_and_inversion_see_the_samples_of_one_noise():
    watched = Watched(dataset())
    watched.moved()
    ((z,),) = watched.fed["generator"]
    judged, deceived = watched.fed["discriminator"]
    (read,) = watched.fed["inversion"]
    assert z.shape == (16, 5) and judged[0].shape == (32, 2)
    assert torch.equal(judged[0][16:], deceived[0]) and torch.equal(read[0], deceived[0])
    assert torch.equal(read[1], z[:, :3].argmax(1))
    in_data = (judged[0][:16, None] == watched.training.data).all(2).any(1)
    assert in_data.all()


@pytest.mark.parametrize(
    ("done", "least", "left"),
    [
        (0, 0, 1.0),
        (6, 0, 1.0),
        (8, 0, 1 / 3),
        (9, 0, 0.0),
        (11, 0, 0.0),
        (8, 0.4, 0.6),
        (9, 1, 1.0),
    ],
)
def test_the_inversion_reads_through_noise_and_the_discriminator_does_not(done, least, left):
    """All of it in the first half of the 12 steps, what is left in the last quarter."""
    noisy = {"read_noise": 0.5, "read_noise_left": least}
    watched = Watched(dataset(), **noisy, batch_size=4000, num_samples=4000 * 12)
    watched.training.state.samples = 4000 * done
    watched.moved()
    judged, deceived = watched.fed["discriminator"]
    (read,) = watched.fed["inversion"]
    noise = read[0] - deceived[0]
    assert torch.equal(judged[0][4000:], deceived[0])
    assert_close(noise.std(0), torch.full((2,), 0.5 * left), rtol=0.05, atol=1e-6)
    assert abs((noise * deceived[0]).mean()) < 0.02


def test_modes_are_read_off_views_and_noise_off_the_samples():
    data = dataset(DataConfig(source="digits"))
    tiny = {"read_noise": 0.0, "batch_size": 16}
    plain, watched = (Watched(data, read_views=views, **tiny) for views in (0.0, 0.7))
    plain.moved()
    losses = {name: float(loss.detach()) for name, loss in watched.moved()[1].items()}
    (seen,), (read,) = plain.fed["inversion"], watched.fed["inversion"]
    assert read[0].shape[0] == 32 and torch.equal(read[0][:16], seen[0])
    assert torch.equal(read[1][:16], seen[1]) and torch.equal(read[1][16:], seen[1])
    assert (read[0][16:] - seen[0]).flatten(1).abs().amax(1).min() > 0.01  # each one's own

    before = Watched(data, read_views=0.7, **tiny).training.inversion
    z_hat, modes = (part.detach() for part in before(read[0], read[1]))
    ((z,),) = watched.fed["generator"]
    told = F.cross_entropy(modes[16:], read[1][:16])
    assert losses["reconstruction"] == pytest.approx(float((z - z_hat[:16]).abs().mean()), abs=1e-5)
    assert losses["modes"] == pytest.approx(float(told), abs=1e-5)


@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_noise_has_the_settings_spread(spread):
    watched = Watched(dataset(), noise_spread=spread, batch_size=2000)
    watched.moved()
    ((z,),) = watched.fed["generator"]
    assert z[:, 3:].abs().max() == pytest.approx(spread, rel=0.01)


def test_modes_are_drawn_by_the_prior():
    watched = Watched(dataset(), weights=(1.0, 1.0, 8.0), batch_size=5000)
    watched.moved()
    ((z,),) = watched.fed["generator"]
    shares = torch.bincount(z[:, :3].argmax(1)) / 5000
    assert_close(shares, torch.tensor([0.1, 0.1, 0.8]), rtol=0, atol=0.02)


def test_modes_are_drawn_evenly_and_the_discriminator_weighs_them():
    settings = {"weights": (1.0, 1.0, 8.0), "batch_size": 5000, "draw": "even"}
    watched = Watched(dataset(), **settings)
    losses = watched.moved()[1]
    ((z,),) = watched.fed["generator"]
    k = z[:, :3].argmax(1)
    assert_close(torch.bincount(k) / 5000, torch.full((3,), 1 / 3), rtol=0, atol=0.03)

    # The loss of the discriminator as it was before the step.
    before = Watched(dataset(), **settings).training.discriminator
    real, fake = before(watched.fed["discriminator"][0][0])[:, 0].detach().double().split(5000)
    weights = torch.tensor([0.3, 0.3, 2.4], dtype=torch.float64)[k]
    loss_real, loss_fake = torch.log1p(torch.exp(-real)), torch.log1p(torch.exp(fake))
    by_hand = (loss_real + weights * loss_fake).mean()
    by_hand += math.log(2) * (1 - weights.mean())  # the constant of weights of another mean
    assert float(losses["d_loss"].detach()) == pytest.approx(float(by_hand), abs=1e-5)
    assert abs(by_hand - (loss_real + loss_fake).mean()) > 1e-4


def groups(num=400):
    """A tenth of the rows far from the others, the first ones."""
    x = 0.1 * torch.randn(num, 2, generator=torch.Generator().manual_seed(0))
    x[: num // 10] += torch.tensor([1.0, -1.0])
    return replace(dataset(), train=x, test=x, train_labels=None, test_labels=None, toy=None)


def test_a_mixtures_groups_teach_the_inversion_before_the_first_step_and_for_a_while():
    mixture = {"start": "mixture", "weights": (0.1, 0.9), "num_clusters": 2}
    watched = Watched(groups(), num_modes=2, **mixture, supervise_every=1, start_share=0.5)
    t = watched.training
    assert torch.equal(t.y, (torch.arange(400) >= 40).long()) and len(t.labelled) == 400
    t._lesson()
    _, y = watched.fed["inversion"][0]
    assert 0 < y.sum() < 16  # both groups alike often, as far as 16 rows tell

    watched.fed["inversion"].clear()
    assert "labels" in watched.moved()[1]
    lessons = t.c.supervised_steps * (noise_gan.START_LESSONS + 1)
    assert len(watched.fed["inversion"]) == lessons + 1
    assert "labels" in watched.moved(5)[1] and "labels" not in watched.moved()[1]
    assert (t.inversion(t.data)[1].argmax(1) == t.y).float().mean() > 0.98


def test_a_mixtures_groups_of_real_rows_are_as_often_as_its_modes_if_these_are_drawn_evenly():
    settings = {"start": "mixture", "weights": (0.1, 0.9), "batch_size": 3000}
    settings |= {"prior": "learned", "prior_start": 0}
    far = {}
    for draw in ("prior", "even"):
        watched = Watched(groups(), num_modes=2, draw=draw, **settings)
        losses = watched.moved()[1]
        judged = watched.fed["discriminator"][0][0]
        real = judged[:3000]
        far[draw] = float((real[:, 0] > 0.5).float().mean())
        assert (real[:100, None] == groups().train).all(2).any(1).all()

        # The prior learns from rows as they are.
        *_, (rows, *_) = watched.fed["inversion"]
        assert float((rows[:, 0] > 0.5).float().mean()) == pytest.approx(0.1, abs=0.02)

        # No sample weighs more than another.
        before = Watched(groups(), num_modes=2, draw=draw, **settings).training.discriminator
        logits, made = before(judged)[:, 0].detach().double().split(3000)
        by_hand = (torch.log1p(torch.exp(-logits)) + torch.log1p(torch.exp(made))).mean()
        assert float(losses["d_loss"].detach()) == pytest.approx(float(by_hand), abs=1e-5)

    assert far["prior"] == pytest.approx(0.1, abs=0.02)
    assert far["even"] == pytest.approx(0.5, abs=0.03)


def test_lessons_have_all_labels_alike_often():
    watched = Watched(labelled_data(["a"] * 450 + ["b"] * 50), labelled=1.0, batch_size=3000)
    watched.training._lesson()
    _, y = watched.fed["inversion"][0]
    assert 0.47 < y.float().mean() < 0.53


def test_a_fixed_prior_stays_and_a_learned_one_waits_for_its_start():
    assert Watched(dataset()).moved(12)[0] == {"generator", "inversion", "discriminator"}
    watched = Watched(dataset(), prior="learned", prior_start=0.5)
    changed, losses = watched.moved(6)
    assert "prior" not in changed and "prior" not in losses
    changed, losses = watched.moved(1)
    assert "prior" in changed and losses["prior"] >= 0


def test_a_learned_prior_goes_towards_the_modes_found_in_real_rows():
    watched = Watched(dataset(), prior="learned", prior_start=0.0)
    t = watched.training
    read, x = t.inversion(t.data[:64])[1].softmax(1).mean(0).detach(), t.data[:64]
    t._learn_prior(x)
    assert_close(t.prior.logits.grad, t.prior.weights.new_full((3,), 1 / 3) - read)
    assert all(p.grad is None for p in t.inversion.parameters())
    for _ in range(2000):
        t._learn_prior(x)
    assert_close(t.prior.weights, read, rtol=0, atol=0.01)


# Labels


def test_a_lesson_is_due_after_every_so_many_steps_and_teaches_the_inversion_alone():
    data = labelled_data(["a", "b"] * 250)
    watched = Watched(data, labelled=0.1, supervise_every=3, supervised_steps=4)
    assert "labels" not in watched.moved(2)[1]
    assert "labels" in watched.moved(1)[1] and "labels" not in watched.moved(1)[1]

    t = watched.training
    generator = [p.clone() for p in t.generator.parameters()]
    before, h = len(watched.fed["inversion"]), [p.clone() for p in t.inversion.parameters()]
    t._lesson()
    assert len(watched.fed["inversion"]) - before == 4
    assert all(map(torch.equal, generator, t.generator.parameters()))
    assert not any(map(torch.equal, h, t.inversion.parameters()))


def test_lessons_are_of_the_chosen_rows_with_their_own_labels():
    """A twentieth of each label's rows by the run's seed; text is numbered in ascending order."""
    data = labelled_data(["zebra"] * 400 + ["ape"] * 100)
    watched = Watched(data, labelled=0.05)
    t = watched.training
    assert torch.bincount(t.y[t.labelled]).tolist() == [5, 20]
    assert t.y[:400].eq(1).all() and t.y[400:].eq(0).all()
    t._lesson()

    for x, y in watched.fed["inversion"]:
        places = (x[:, None] == data.train).all(2).long().argmax(1)
        assert set(places.tolist()) <= set(t.labelled.tolist()) and len(places.unique()) > 5
        assert torch.equal(t.y[places], y)
    again, other = Watched(data, labelled=0.05), Watched(data, seed=1, labelled=0.05)
    assert torch.equal(again.training.labelled, t.labelled)
    assert not torch.equal(other.training.labelled, t.labelled)


def test_rows_without_a_label_are_never_shown():
    data = labelled_data(([""] * 9 + ["a"] + [""] * 9 + ["b"]) * 25)
    t = Watched(data, labelled=1.0).training
    assert t.labelled.tolist() == list(range(9, 500, 10))
    assert len(Watched(data, labelled=0.0).training.labelled) == 0


def test_labels_make_the_modes_theirs():
    """Two tight groups whose labels are known for a twentieth: mode 0 is the first name's."""
    x = torch.randn(600, 2, generator=torch.Generator().manual_seed(0)) * 0.05
    names = np.array(["left", "right"])[torch.arange(600) % 2]
    x[:, 0] += torch.where(torch.arange(600) % 2 == 0, -1.0, 1.0)
    data = replace(dataset(), train=x, train_labels=names, test=x, test_labels=names, toy=None)
    changes = {"num_clusters": 2, "labelled": 0.05, "supervise_every": 5}
    model, _ = trained(data, **changes, num_samples=16 * 100)
    assert torch.equal(model.assign(x), torch.arange(600) % 2)
