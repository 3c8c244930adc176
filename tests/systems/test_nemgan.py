"""NEMGAN: every network's updates by hand, and each term's switch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.contract import Inputs
from scgan.nn.inversion import engineered_noise
from scgan.systems.nemgan import build_networks
from tests.systems.nemgan_training import KINDS, Watched, dataset, fitted

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
