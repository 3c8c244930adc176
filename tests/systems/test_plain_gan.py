"""The plain GAN's own: both networks' updates by hand, its average, ring's modes, what it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from scgan import systems
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.metrics.scores import mode_scores
from scgan.nn.dcgan import Sizes, build_generator, build_reader
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.systems.plain_gan import SYSTEM
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")
KINDS = {"table": DataConfig(source="ring", num_train=500, num_test=500)}
KINDS |= {"images": DataConfig(source="digits")}


def dataset(data):
    return prepare(Spec("plain_gan", data, SYSTEM.presets["smoke"]))


def fitted(data, changes):
    config = override(SYSTEM.presets["smoke"], changes)
    (stage,) = SYSTEM.stages(data)
    artifact = stage.fit(stage.view(config), ("all",), Inputs(data, {}, 0), Runtime())
    return config, artifact


def ascend(adam, network, value):
    slopes = torch.autograd.grad(-value, [*network.parameters()])
    for weight, slope in zip(network.parameters(), slopes, strict=True):
        weight.grad = slope
    adam.step()


def by_hand(c, data, steps):
    """Algorithm 1, written from the paper: D up its objective, then G up log D(G(z)); averaged."""
    inputs = Inputs(data, {}, 0)
    weights = inputs.generator("gan", "weights")
    shape, sizes = data.train.shape[1:], Sizes(c.width, c.num_layers, c.image_width)
    g = build_generator(c.code_dim, shape, sizes, weights, nn.SiLU)
    d = build_reader(shape, 1, sizes, weights, nn.SiLU)
    rows, noise = inputs.generator("gan", "batches"), inputs.generator("gan", "noise")

    g_adam = torch.optim.Adam(g.parameters(), c.learning_rate, betas=(0.5, 0.99))
    d_adam = torch.optim.Adam(d.parameters(), c.d_learning_rate, betas=(0.5, 0.99))
    average, losses = None, []

    for number in range(steps):
        x = data.train[torch.randint(len(data.train), (c.batch_size,), generator=rows)]
        x = x.float() / 127.5 - 1 if data.kind == "images" else x
        z = torch.randn(c.batch_size, c.code_dim, generator=noise)

        made = g(z)  # once, as the generator of images counts what it normalises over
        real, fake = d(x).sigmoid(), d(made.detach()).sigmoid()
        value = (real.log() + (1 - fake).log()).mean()
        ascend(d_adam, d, value)

        reward = d(made).sigmoid().log().mean()
        ascend(g_adam, g, reward)

        losses.append((-value.item(), -reward.item()))
        half_life = min(c.ema_half_life, 0.05 * number * c.batch_size)
        keep = 0.5 ** (c.batch_size / half_life) if number else 0.0
        now = {key: w.detach().clone() for key, w in g.state_dict().items()}
        for key, _ in g.named_parameters():  # what is counted, not learned, is the network's own
            now[key] = keep * (average[key] if number else 0) + (1 - keep) * now[key]
        average = now

    return average, losses


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_is_algorithm_1_by_hand(kind):
    data, steps = dataset(KINDS[kind]), 40
    changes = {"gan.batch_size": 8, "gan.num_samples": 8 * steps, "gan.schedule": "constant"}
    changes |= {"gan.learning_rate": 3e-4, "gan.width": 16, "gan.image_width": 8}
    changes |= {"gan.ema_half_life": 10}
    config, artifact = fitted(data, changes)

    average, losses = by_hand(config.gan, data, steps)
    made = artifact.section("generator")
    assert made.keys() == average.keys()
    assert all(torch.allclose(made[key], average[key], atol=2e-4) for key in made)

    curve = artifact.meta["curve"]
    assert [point["d_loss"] for point in curve] == pytest.approx([d for d, _ in losses], abs=2e-3)
    assert [point["g_loss"] for point in curve] == pytest.approx([g for _, g in losses], abs=2e-3)


def test_ring_has_all_its_modes_after_a_smoke_training():
    data = dataset(DataConfig(source="ring", num_train=20_000, num_test=500))
    config, artifact = fitted(data, {})
    model = SYSTEM.model(config, {"gan": artifact}, CPU)

    columns = data.table_schema.decode(model.sample(20_000, torch.Generator().manual_seed(0)))
    raw = torch.stack([torch.as_tensor(column) for column in columns.values()], 1)
    scores = mode_scores(raw, data.toy.modes(), data.toy.mode_std, data.toy.mode_weights)
    assert scores["modes_captured"].value >= 7


def test_no_rows_and_many_rows_are_drawn():
    data = dataset(KINDS["table"])
    config, artifact = fitted(data, {"gan.num_samples": 64})
    model = SYSTEM.model(config, {"gan": artifact}, CPU)
    assert model.sample(0, torch.Generator()).shape == (0, 2)

    draws = [model.sample(50, torch.Generator().manual_seed(1), chunk=n) for n in (7, 50)]
    assert torch.allclose(*draws, atol=1e-6)


def test_a_search_is_offered_what_it_can_be_measured_by():
    data = dataset(KINDS["table"])
    names = {"sliced_wasserstein", "energy_distance", "c2st_error"}
    assert set(SYSTEM.objectives(data)) == names
    assert SYSTEM.stages(replace(data, stream=object())) == ()
    assert systems.load("plain_gan") is SYSTEM
