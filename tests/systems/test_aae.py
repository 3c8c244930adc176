"""The clustering AAE's own: its priors, every network's updates by hand, codes drawn and read."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.capabilities import Reconstructing, SoftClustering
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.nn.dcgan import BalancedLogits
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.systems.aae import SYSTEM, AAESettings, build_networks, draw_code
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")
TINY = {"batch_size": 16, "num_samples": 16 * 10, "width": 16, "num_clusters": 3, "code_dim": 2}
TINY |= {"schedule": "constant", "ema_half_life": 1e-6, "learning_rate": 3e-4}


@pytest.fixture(scope="module")
def data():
    source = DataConfig(source="ring", num_train=300, num_test=300)
    return prepare(Spec("aae", source, SYSTEM.presets["smoke"]))


def fitted(data, **changes):
    changes = {f"aae.{key}": value for key, value in {**TINY, **changes}.items()}
    config = override(SYSTEM.presets["smoke"], changes)
    (stage,) = SYSTEM.stages(data)
    return config, stage.fit(stage.view(config), ("all",), Inputs(data, {}, 0), Runtime())


def test_codes_are_one_hot_and_gaussian():
    y, z = draw_code(9000, 3, 4, torch.Generator().manual_seed(0))
    assert_close(y.mean(0), torch.full((3,), 1 / 3), rtol=0, atol=0.02)
    assert y.sum(1).eq(1).all() and y.max(1).values.eq(1).all()
    assert_close(z.std(0), torch.ones(4), rtol=0.03, atol=0)


def descend(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def test_a_training_is_the_papers_two_games_by_hand(data):
    config, artifact = fitted(data, prior_weight=0.5)
    c, inputs = config.aae, Inputs(data, {}, 0)
    e, g, d_y, d_z = build_networks(c, 3, (2,), inputs.generator("aae", "weights"))
    rows, noise = inputs.generator("aae", "batches"), inputs.generator("aae", "noise")
    adam = torch.optim.Adam([*e.parameters(), *g.parameters()], 3e-4, betas=(0.5, 0.99))
    d_adam = torch.optim.Adam([*d_y.parameters(), *d_z.parameters()], 1e-3, betas=(0.5, 0.99))

    for _ in range(10):
        x = data.train[torch.randint(300, (16,), generator=rows)]
        k = torch.randint(3, (16,), generator=noise)
        omega = torch.randn(16, 2, generator=noise)
        y, z = e(x)[:, :3].softmax(1), e(x)[:, 3:]
        of_y = d_y(torch.eye(3)[k]).sigmoid().log() + (1 - d_y(y.detach()).sigmoid()).log()
        of_z = d_z(omega).sigmoid().log() + (1 - d_z(z.detach()).sigmoid()).log()
        descend(d_adam, -of_y.mean() - of_z.mean())
        squares = (g(torch.cat([y, z], 1)) - x).square().mean()
        fooled = -d_y(y).sigmoid().log().mean() - d_z(z).sigmoid().log().mean()
        descend(adam, squares + 0.5 * fooled)

    for name, network in (("encoder", e), ("decoder", g)):
        for key, weight in network.state_dict().items():
            assert_close(artifact.tensors[f"{name}.{key}"], weight, rtol=0, atol=2e-4)
    last = artifact.meta["curve"][-1]
    expected = [-of_y.mean().item(), -of_z.mean().item(), squares.item()]
    found = [last[key] for key in ("d_clusters", "d_style", "reconstruction")]
    assert found == pytest.approx(expected, abs=2e-3)
    assert last["clusters"] + last["style"] == pytest.approx(fooled.item(), abs=2e-3)


def test_codes_are_drawn_by_number_and_read_by_the_encoder(data):
    config, artifact = fitted(data)
    model, fed = SYSTEM.model(config, {"aae": artifact}, CPU), []
    assert isinstance(model, SoftClustering) and isinstance(model, Reconstructing)
    p, x_hat = model.encoder(data.test)[:, :3].softmax(1), model.reconstruct(data.test)
    assert_close(model.probabilities(data.test), p)
    assert torch.equal(model.assign(data.test), p.argmax(1))
    assert torch.equal(model.counts, torch.bincount(model.assign(data.train), minlength=3))
    assert_close(x_hat, model.decoder(torch.cat([p, model.encoder(data.test)[:, 3:]], 1)))

    model.decoder.register_forward_pre_hook(lambda module, args: fed.append(args[0]))
    model.sample(3000, torch.Generator().manual_seed(0), chunk=2000)
    model.sample(50, torch.Generator().manual_seed(0), cluster=1)
    assert_close(torch.cat(fed[:2])[:, :3].mean(0), torch.full((3,), 1 / 3), rtol=0, atol=0.03)
    assert fed[2][:, :3].argmax(1).eq(1).all() and len(fed) == 3


def test_clusters_are_as_many_as_classes(data):
    assert fitted(data, num_clusters=None)[1].meta["num_clusters"] == 8


def test_images_are_read_balanced_and_have_the_papers_style():
    """No cluster of the digits is left out, by the network as it reads, not as it trains."""
    digits = prepare(Spec("aae", DataConfig(source="digits"), SYSTEM.presets["smoke"]))
    changes = {"num_samples": 256 * 100, "batch_size": 256, "learning_rate": 1e-3}
    config, artifact = fitted(digits, num_clusters=None, code_dim=None, **changes)
    model = SYSTEM.model(config, {"aae": artifact}, CPU)
    assert model.encoder(digits.test[:2].float()).shape == (2, 10 + 5)
    assert torch.equal(model.counts, torch.bincount(model.assign(digits.train), minlength=10))
    assert model.counts.min() > 0.02 * len(digits.train)
    assert model.sample(3, torch.Generator()).shape == (3, *digits.train.shape[1:])
    assert fitted(digits, code_dim=3)[1].tensors["decoder.0.weight"].shape[1] == 3 + 3


def test_rows_are_read_as_they_are(data):
    networks = build_networks(AAESettings(), 3, (2,), torch.Generator())
    assert not any(isinstance(part, BalancedLogits) for part in networks.encoder.modules())
    assert networks.decoder(torch.zeros(1, 3 + 2)).shape == (1, 2)
