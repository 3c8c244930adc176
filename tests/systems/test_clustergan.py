"""ClusterGAN's own: its latent, every network's updates by hand, what is drawn and read."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.capabilities import SoftClustering
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.systems.clustergan import SYSTEM, ClusterGANSettings, build_networks, draw_latent
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")
TINY = {"batch_size": 16, "num_samples": 16 * 10, "width": 16, "num_clusters": 3, "code_dim": 2}
TINY |= {"schedule": "constant", "ema_half_life": 1e-6, "learning_rate": 3e-4}


@pytest.fixture(scope="module")
def data():
    source = DataConfig(source="ring", num_train=300, num_test=300)
    return prepare(Spec("clustergan", source, SYSTEM.presets["smoke"]))


def config_of(**changes):
    changes = {f"gan.{key}": value for key, value in {**TINY, **changes}.items()}
    return override(SYSTEM.presets["smoke"], changes)


def fitted(data, **changes):
    config = config_of(**changes)
    (stage,) = SYSTEM.stages(data)
    return config, stage.fit(stage.view(config), ("all",), Inputs(data, {}, 0), Runtime())


def test_the_latent_is_a_narrow_gaussian_beside_the_clusters_one_hot():
    y = torch.arange(3).repeat(5000)
    z = draw_latent(y, 3, ClusterGANSettings(code_dim=4), torch.Generator().manual_seed(0))
    assert z.shape == (15_000, 7)
    assert_close(z[:, :4].std(0), torch.full((4,), 0.1), rtol=0.03, atol=0)
    assert torch.equal(z[:, 4:], torch.nn.functional.one_hot(y, 3).float())


def descend(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def test_a_training_is_the_papers_objective_by_hand(data):
    config, artifact = fitted(data, beta_n=3.0, beta_c=2.0)
    c, inputs = config.gan, Inputs(data, {}, 0)
    networks = build_networks(c, 3, (2,), inputs.generator("gan", "weights"))
    g, e, d = networks["generator"], networks["encoder"], networks["discriminator"]
    rows, noise = inputs.generator("gan", "batches"), inputs.generator("gan", "noise")
    g_adam = torch.optim.Adam([*g.parameters(), *e.parameters()], 3e-4, betas=(0.5, 0.99))
    d_adam = torch.optim.Adam(d.parameters(), 1e-3, betas=(0.5, 0.99))

    for _ in range(10):
        x = data.train[torch.randint(300, (16,), generator=rows)]
        y = torch.randint(3, (16,), generator=noise)
        z = torch.cat([0.1 * torch.randn(16, 2, generator=noise), torch.eye(3)[y]], 1)
        value = d(x).sigmoid().log().mean() + (1 - d(g(z)).sigmoid()).log().mean()
        descend(d_adam, -value)
        read = e(g(z))
        squares = (read[:, :2] - z[:, :2]).square().mean()
        entropy = -read[:, 2:].softmax(1)[torch.arange(16), y].log().mean()
        fooled = -d(g(z)).sigmoid().log().mean()
        descend(g_adam, fooled + 3 * squares + 2 * entropy)

    for name, network in (("generator", g), ("encoder", e)):
        for key, weight in network.state_dict().items():
            assert_close(artifact.tensors[f"{name}.{key}"], weight, rtol=0, atol=2e-4)
    last = artifact.meta["curve"][-1]
    found = [last[key] for key in ("d_loss", "g_loss", "continuous", "discrete")]
    expected = [-value.item(), fooled.item(), squares.item(), entropy.item()]
    assert found == pytest.approx(expected, abs=2e-3)


def test_a_cluster_is_drawn_by_its_number_and_read_by_the_encoder(data):
    config, artifact = fitted(data)
    model, fed = SYSTEM.model(config, {"gan": artifact}, CPU), []
    assert isinstance(model, SoftClustering)
    model.generator.register_forward_pre_hook(lambda module, args: fed.append(args[0]))
    model.sample(3000, torch.Generator().manual_seed(0), chunk=2000)
    model.sample(50, torch.Generator().manual_seed(0), cluster=1)
    shares = torch.bincount(torch.cat(fed[:2])[:, 2:].argmax(1)) / 3000
    assert_close(shares, torch.full((3,), 1 / 3), rtol=0, atol=0.03)
    assert fed[2][:, 2:].argmax(1).eq(1).all() and len(fed) == 3

    p = model.encoder(data.test)[:, 2:].softmax(1)
    assert_close(model.probabilities(data.test), p)
    assert torch.equal(model.assign(data.test), p.argmax(1))
    assert torch.equal(model.counts, torch.bincount(model.assign(data.train), minlength=3))


def test_clusters_are_as_many_as_classes(data):
    assert fitted(data, num_clusters=None)[1].meta["num_clusters"] == 8
