"""NEMGAN's own: every network's updates by hand, each term's switch, the prior, the labels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from scgan import systems
from scgan.capabilities import Reconstructing, SoftClustering
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.data.labels import read_labels
from scgan.nn.inversion import engineered_noise
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages import noise_gan
from scgan.systems.nemgan import SYSTEM, NEMGANSettings, build_networks, num_modes_of
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")
KINDS = {"table": DataConfig(source="ring", num_train=500, num_test=500)}
KINDS |= {"images": DataConfig(source="digits")}
TINY = {"noise_spread": 0.3, "reconstruction_weight": 1.0, "d_learning_rate": 1e-3}
TINY |= {"batch_size": 16, "num_samples": 16 * 12, "width": 16, "image_width": 8}
TINY |= {
    "num_clusters": 3,
    "code_dim": 2,
    "schedule": "constant",
    "ema_half_life": 40,
    "read_noise": 0.0,
}


def dataset(config=KINDS["table"], **changes):
    return prepare(Spec("nemgan", config, config_of(**changes)))


def config_of(**changes):
    changes = {f"gan.{key}": value for key, value in changes.items()}
    return override(SYSTEM.presets["smoke"], changes)


def fitted(data, seed=0, runtime=None, **changes):
    config = config_of(**{**TINY, **changes})
    (stage,) = SYSTEM.stages(data)
    inputs = Inputs(data, {}, seed)
    return config, stage.fit(stage.view(config), ("all",), inputs, runtime or Runtime())


def trained(data, **changes):
    config, artifact = fitted(data, **changes)
    return SYSTEM.model(config, {"gan": artifact}, CPU), artifact


# The game, by hand


def descend(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def by_hand(c, data, steps):
    """Eq. (1) in the paper's words: D up its objective, then g and h down theirs; averaged."""
    inputs = Inputs(data, {}, 0)
    prior, g, h, d = build_networks(c, 3, data.train.shape[1:], inputs.generator("gan", "weights"))
    rows, noise = inputs.generator("gan", "batches"), inputs.generator("gan", "noise")
    both = [*g.parameters(), *h.parameters()]
    g_adam = torch.optim.Adam(both, c.learning_rate, betas=(0.5, 0.99))
    d_adam = torch.optim.Adam(d.parameters(), c.d_learning_rate, betas=(0.5, 0.99))
    average, losses = None, []

    for number in range(steps):
        x = data.train[torch.randint(len(data.train), (c.batch_size,), generator=rows)]
        x = x.float() / 127.5 - 1 if data.kind == "images" else x
        y = torch.multinomial(prior.weights, c.batch_size, replacement=True, generator=noise)
        z = engineered_noise(y, 3, c.code_dim, c.noise_spread, noise)

        x.requires_grad_()
        logits, fake = d(x), d(g(z)).sigmoid()
        value = (logits.sigmoid().log() + (1 - fake).log()).mean()
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        penalty = slope.flatten(1).square().sum(1).mean() if number % c.r1_every == 0 else 0.0
        descend(d_adam, -value + c.r1_every * c.r1_weight * penalty)

        made = g(z)
        z_hat, modes = h(made)
        fooled = -d(made).sigmoid().log().mean()
        norm = sum((a - b).abs().sum() for a, b in zip(z, z_hat, strict=True)) / z.numel()
        kl = -torch.stack([row.softmax(0)[k].log() for row, k in zip(modes, y, strict=True)]).mean()
        descend(g_adam, fooled + c.reconstruction_weight * norm + c.mode_weight * kl)

        losses.append([-value.item(), fooled.item(), norm.item(), kl.item()])
        half_life = min(c.ema_half_life, 0.05 * number * c.batch_size)
        keep = 0.5 ** (c.batch_size / half_life) if number else 0.0
        now = {f"generator.{name}": w.detach().clone() for name, w in g.state_dict().items()}
        now |= {f"inversion.{name}": w.detach().clone() for name, w in h.state_dict().items()}
        average = {k: keep * (average[k] if number else 0) + (1 - keep) * w for k, w in now.items()}

    return average, losses


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_is_equation_1_by_hand(kind):
    data = dataset(KINDS[kind])
    weights = {"reconstruction_weight": 3.0, "mode_weight": 2.0, "weights": (1.0, 2.0, 5.0)}
    weights |= {"r1_weight": 0.3, "r1_every": 5}
    config, artifact = fitted(data, **weights, learning_rate=3e-4)
    average, losses = by_hand(config.gan, data, steps=12)
    for name in [name for name in average if name.endswith(("weight", "bias"))]:
        assert_close(artifact.tensors[name], average[name], rtol=0, atol=2e-4)

    curve = artifact.meta["curve"]
    columns = dict(
        zip(("d_loss", "g_loss", "reconstruction", "modes"), zip(*losses, strict=True), strict=True)
    )
    for key, column in columns.items():
        assert [point[key] for point in curve] == pytest.approx(list(column), abs=2e-3)
    assert_close(artifact.tensors["prior.logits"].softmax(0), torch.tensor([0.125, 0.25, 0.625]))


# What each network is fed


class Watched:
    """A training whose networks' inputs and gradients are kept, a list a step."""

    def __init__(self, data, seed=0, num_modes=3, **changes):
        c = config_of(**{**TINY, **changes}).gan
        inputs = Inputs(data, {}, seed)
        networks = build_networks(
            c, num_modes, data.train.shape[1:], inputs.generator("gan", "weights")
        )
        self.training = noise_gan.Training(c, networks, inputs, Runtime())
        self.fed = {"generator": [], "inversion": [], "discriminator": []}
        for name, calls in self.fed.items():
            getattr(networks, name).register_forward_pre_hook(
                lambda module, args, calls=calls: calls.append([t.detach().clone() for t in args])
            )

    def moved(self, times=1):
        """Names of the networks that ``times`` steps change, and the last one's losses."""
        t = self.training
        networks = {"generator": t.generator, "inversion": t.inversion}
        networks |= {"discriminator": t.discriminator, "prior": t.prior}
        before = {name: [p.clone() for p in net.parameters()] for name, net in networks.items()}
        for _ in range(times):
            losses = t.step()
            t.state.samples += t.c.batch_size
        changed = {
            name
            for name, net in networks.items()
            if not all(map(torch.equal, before[name], net.parameters()))
        }
        return changed, losses


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


# The switches


@pytest.mark.parametrize(
    ("of_z", "of_y", "reads"), [(1.0, 1.0, True), (0.0, 1.0, True), (1.0, 0.0, False)]
)
def test_each_term_has_a_switch(of_z, of_y, reads):
    watched = Watched(dataset(), reconstruction_weight=of_z, mode_weight=of_y)
    t = watched.training
    assert (t.inversion.h2 is not None) == reads
    losses = watched.moved()[1]
    assert set(losses) == {"d_loss", "g_loss", "reconstruction", "modes"}


def gradient_of_generator(**changes):
    """The generator's gradients of its first step, as one vector."""
    watched = Watched(dataset(), **changes)
    watched.moved()
    return torch.cat([p.grad.flatten() for p in watched.training.generator.parameters()])


def test_the_plain_gan_has_noise_of_modes_but_does_not_learn_by_the_inversion():
    """Its h reads what it makes, for whoever asks, and the generator's gradient is D's alone."""
    plain = {"reconstruction_weight": 0.0, "mode_weight": 0.0}
    watched = Watched(dataset(), **plain)
    assert "inversion" in watched.moved()[0]
    t = watched.training
    before = torch.cat([p.grad.flatten() for p in t.generator.parameters()])

    twin = Watched(dataset(), **plain).training
    y = twin.prior.draw(16, twin.draws["noise"])
    z = engineered_noise(y, 3, 2, 0.3, twin.draws["noise"])
    real = twin.data[torch.randint(len(twin.data), (16,), generator=twin.draws["batches"])]
    d_loss = -twin.discriminator(real).sigmoid().log().mean()
    d_loss = d_loss - (1 - twin.discriminator(twin.generator(z).detach()).sigmoid()).log().mean()
    descend(twin.optimizers["discriminator"], d_loss)
    twin.generator.zero_grad()
    (-twin.discriminator(twin.generator(z)).sigmoid().log().mean()).backward()
    alone = torch.cat([p.grad.flatten() for p in twin.generator.parameters()])
    assert_close(before, alone)


def test_the_terms_change_what_the_generator_learns_by():
    both = gradient_of_generator()
    assert not torch.allclose(both, gradient_of_generator(reconstruction_weight=0.0), atol=1e-6)
    assert not torch.allclose(both, gradient_of_generator(mode_weight=5.0), atol=1e-6)
    assert not torch.allclose(both, gradient_of_generator(norm=2), atol=1e-6)


def test_the_adversarial_loss_is_the_one_that_is_set():
    losses = Watched(dataset(), adversarial="least_squares").moved()[1]
    assert losses["d_loss"].item() == pytest.approx(1.0, abs=0.3)
    usual = Watched(dataset()).moved()[1]["d_loss"]
    assert usual.item() == pytest.approx(2 * math.log(2), abs=0.3)


def test_a_margin_makes_the_modes_harder_in_training():
    watched = Watched(dataset(), head="additive_margin")
    losses = watched.moved()[1]
    fake, y = watched.fed["inversion"][0]
    plain = torch.nn.functional.cross_entropy(watched.training.inversion(fake)[1], y)
    assert losses["modes"] > plain + 5


# Labels


def labelled_data(values):
    """Ring's rows with labels of the test's own, text or numbers."""
    data = dataset()
    return replace(data, train_labels=np.array(values), test_labels=np.array(values))


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


# The model


def test_what_is_drawn_of_a_mode_is_of_its_noise_and_else_of_all_by_the_prior():
    model, artifact = trained(dataset(), weights=(1.0, 1.0, 8.0))
    assert isinstance(model, SoftClustering) and isinstance(model, Reconstructing)
    fed = []
    model.generator.register_forward_pre_hook(lambda module, args: fed.append(args[0]))
    model.sample(4000, torch.Generator().manual_seed(0), chunk=1500)
    assert [len(z) for z in fed] == [1500, 1500, 1000]
    shares = torch.bincount(torch.cat(fed)[:, :3].argmax(1)) / 4000
    assert_close(shares, torch.tensor([0.1, 0.1, 0.8]), rtol=0, atol=0.02)
    assert model.cluster_columns["weight"] == pytest.approx([0.1, 0.1, 0.8])

    fed.clear()
    model.sample(50, torch.Generator().manual_seed(0), cluster=1)
    assert fed[0][:, :3].argmax(1).eq(1).all()
    assert model.sample(0, torch.Generator()).shape == (0, 2)
    (option,) = model.options
    assert option.name == "cluster" and option.below == 3


def test_the_mode_of_a_row_is_the_inversions_and_the_counts_are_of_training_rows():
    data = dataset()
    model, artifact = trained(data)
    p = model.inversion(data.test)[1].softmax(1)
    assert_close(model.probabilities(data.test), p)
    assert torch.equal(model.assign(data.test), p.argmax(1))
    assert_close(p.sum(1), torch.ones(500))
    counts = torch.bincount(model.assign(data.train), minlength=3)
    assert torch.equal(model.counts, counts) and counts.sum() == 500


def test_inference_is_the_generator_of_what_h1_reads():
    data = dataset()
    model, _ = trained(data)
    x_hat = model.generator(model.inversion.h1(data.test))
    assert_close(model.reconstruct(data.test), x_hat)


def test_images_are_read_as_bytes_and_as_floats_alike():
    data = dataset(KINDS["images"])
    model, _ = trained(data)
    x = data.test[:40]
    assert_close(model.probabilities(x), model.probabilities(x.float() / 127.5 - 1))
    assert model.reconstruct(x).shape == x.shape


def test_what_is_not_set_is_as_usual_for_rows_or_for_images():
    given = NEMGANSettings(noise_spread=0.2)
    assert noise_gan.choices_of(given, (5,)) == (2, 0.2, 1.0, 0.0)
    assert noise_gan.choices_of(given, (1, 28, 28)) == (10, 0.2, 5.0, 1.0)
    zero = NEMGANSettings(reconstruction_weight=0.0, code_dim=0)
    assert noise_gan.choices_of(zero, (5,))[::2] == (0, 0.0)


def test_networks_have_their_settings_sizes():
    c = NEMGANSettings(num_clusters=4, code_dim=6, width=32, num_layers=1, weights=(1, 1, 1, 1))
    prior, g, h, d = build_networks(c, 4, (5,), torch.Generator().manual_seed(0))
    z_hat, modes = h(g(torch.randn(3, 10)))
    assert z_hat.shape == (3, 10) and modes.shape == (3, 4) and d(torch.randn(3, 5)).shape == (3, 1)
    kinds = [type(layer).__name__ for layer in g], [type(layer).__name__ for layer in d]
    assert kinds == (["Linear", "ReLU", "Linear"], ["Linear", "LeakyReLU", "Linear"])
    assert d[1].negative_slope == 0.2


# What is refused, offered, scored and drawn


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"num_clusters": 3, "weights": (0.5, 0.5)},
            "gan.weights are 0.5, 0.5; give .* 3, numbers",
        ),
        ({"num_clusters": 2, "weights": (1.0, 0.0)}, "numbers above 0"),
        ({"num_clusters": 3, "labelled": 0.1}, "labels have 8 values, each a mode"),
        ({"start": "mixture", "labelled": 0.1}, "taught either groups or labels; choose one"),
        ({"start": "views", "labelled": 0.1}, "taught either groups or labels; choose one"),
        ({"start": "views"}, "read_views 0 and .* groups need views"),
        ({"start": "views", "read_views": 1, "start_share": 1}, "generator some of the training"),
        ({"read_views": 0.5}, "read_views is 0.5, but ring is a table and only images have views"),
    ],
)
def test_settings_that_the_data_cannot_bear_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataset(**changes)


def test_modes_are_as_many_as_set_or_weights_or_classes_or_ten():
    ring, board = dataset(), dataset(DataConfig(source="checkerboard", num_train=50, num_test=50))
    assert num_modes_of(NEMGANSettings(num_clusters=5), ring) == 5
    assert num_modes_of(NEMGANSettings(weights=(1, 2, 3)), ring) == 3
    assert num_modes_of(NEMGANSettings(), ring) == 8
    assert num_modes_of(NEMGANSettings(), board) == 10


def test_labels_that_are_not_there_cannot_be_shown():
    with pytest.raises(ValueError, match="labelled is 0.1, but checkerboard has no labels"):
        dataset(DataConfig(source="checkerboard", num_train=50, num_test=50), labelled=0.1)


def test_streamed_data_has_no_stages_and_the_system_is_found():
    assert SYSTEM.stages(replace(dataset(), stream=object())) == ()
    assert systems.load("nemgan") is SYSTEM and "paper" in SYSTEM.presets


def test_scores_say_how_modes_match():
    data = dataset()
    model, _ = trained(data)
    found = dict(SYSTEM.evaluate(model, data, 0))
    assert {"prior_distance", "mode_share_distance", "mode_kl_mean", "label_nmi"} <= set(found)
    assert read_labels(data).names == tuple(map(str, range(8)))


def test_rows_without_a_label_are_no_class_of_their_own():
    data = labelled_data([""] * 400 + ["a"] * 50 + ["b"] * 50)
    model, _ = trained(data)
    model.assign = lambda x: (torch.arange(len(x)) >= 50).long()
    found = dict(SYSTEM.evaluate(model, data, 0))
    assert found["label_purity"].value == found["label_hungarian"].value == 1
