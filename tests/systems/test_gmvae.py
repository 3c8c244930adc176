"""The GMVAE's own: its codes and decodings, its step by hand, what is drawn and read."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.capabilities import Reconstructing, SoftClustering
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.data.images.schema import as_floats
from scgan.losses.gmvae import Gaussians, negative_elbo
from scgan.nn.dcgan import BalancedLogits
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.systems.gmvae import SYSTEM, GMVAESettings, MixtureAutoencoder
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")
TINY = {"batch_size": 16, "num_samples": 16 * 10, "width": 16, "num_clusters": 3, "code_dim": 2}
TINY |= {"schedule": "constant", "ema_half_life": 1e-6, "decoder_std": 0.5}


@pytest.fixture(scope="module")
def data():
    source = DataConfig(source="ring", num_train=300, num_test=300)
    return prepare(Spec("gmvae", source, SYSTEM.presets["smoke"]))


def fitted(data, **changes):
    changes = {f"vae.{key}": value for key, value in {**TINY, **changes}.items()}
    config = override(SYSTEM.presets["smoke"], changes)
    (stage,) = SYSTEM.stages(data)
    return config, stage.fit(stage.view(config), ("all",), Inputs(data, {}, 0), Runtime())


def test_a_training_raises_the_bound_by_hand(data):
    config, artifact = fitted(data)
    inputs = Inputs(data, {}, 0)
    network = MixtureAutoencoder(config.vae, 3, (2,), inputs.generator("vae", "weights"))
    rows, noise = inputs.generator("vae", "batches"), inputs.generator("vae", "noise")
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(10):
        x = data.train[torch.randint(300, (16,), generator=rows)]
        omega = torch.randn(16, 3, 2, generator=noise)
        h = network.reader(x).relu()
        x_hat, mean, log_var = [], [], []
        for k in range(3):
            read = network.codes(torch.cat([h, torch.eye(3)[k].expand(16, -1)], 1))
            mean.append(read[:, :2])
            log_var.append(read[:, 2:])
            x_hat.append(network.decoder(mean[k] + (log_var[k] / 2).exp() * omega[:, k]))

        q = Gaussians(torch.stack(mean, 1), torch.stack(log_var, 1))
        prior = Gaussians(network.mean, network.log_var)
        terms = (x, torch.stack(x_hat, 1), q, prior, network.clusters(h), 0.5)
        loss = negative_elbo(*terms).total
        adam.zero_grad()
        loss.backward()
        adam.step()

    for key, weight in network.state_dict().items():
        assert_close(artifact.tensors[f"network.{key}"], weight, rtol=0, atol=2e-4)
    assert artifact.meta["curve"][-1]["total"] == pytest.approx(loss.item(), abs=2e-3)


def test_codes_are_drawn_of_their_cluster_and_rows_have_noise(data):
    config, artifact = fitted(data)
    model, fed = SYSTEM.model(config, {"vae": artifact}, CPU), []
    assert isinstance(model, SoftClustering) and isinstance(model, Reconstructing)
    network = model.network
    network.mean.copy_(torch.tensor([[-50.0, 0.0], [0.0, 50.0], [50.0, 0.0]]))
    network.log_var.copy_(torch.tensor([[0.0, 0.0], [1.0, -2.0], [0.0, 0.0]]))
    hook = network.decoder.register_forward_pre_hook(lambda module, args: fed.append(args[0]))
    model.sample(3000, torch.Generator().manual_seed(0), chunk=2000)
    x = model.sample(4000, torch.Generator().manual_seed(0), cluster=1, chunk=4000)
    hook.remove()

    k = torch.cdist(torch.cat(fed[:2]), network.mean).argmin(1)
    assert_close(torch.bincount(k) / 3000, torch.full((3,), 1 / 3), rtol=0, atol=0.03)
    z = fed[2]
    deviation = (network.log_var[1] / 2).exp()
    assert_close(z.mean(0), network.mean[1], rtol=0, atol=0.1)
    assert_close(z.std(0), deviation, rtol=0.05, atol=0)
    assert_close((x - network.decoder(z)).std(), torch.tensor(0.5), rtol=0.05, atol=0)


def test_rows_are_read_and_rebuilt_by_their_likeliest_cluster(data):
    config, artifact = fitted(data)
    model = SYSTEM.model(config, {"vae": artifact}, CPU)
    logits, q = model.network.encode(data.test)
    assert_close(model.probabilities(data.test), logits.softmax(1))
    k = model.assign(data.test)
    assert torch.equal(k, logits.argmax(1))
    assert_close(model.reconstruct(data.test), model.network.decoder(q.mean[torch.arange(300), k]))
    assert torch.equal(model.counts, torch.bincount(model.assign(data.train), minlength=3))


def test_clusters_are_as_many_as_classes(data):
    assert fitted(data, num_clusters=None)[1].meta["num_clusters"] == 8


def test_images_are_read_balanced_and_have_more_code_and_deviation():
    digits = prepare(Spec("gmvae", DataConfig(source="digits"), SYSTEM.presets["smoke"]))
    usual = {"num_clusters": None, "code_dim": None, "decoder_std": None}
    changes = {"num_samples": 64 * 10, "batch_size": 64, "image_width": 4, **usual}
    config, artifact = fitted(digits, **changes)
    model = SYSTEM.model(config, {"vae": artifact}, CPU)
    assert model.network.mean.shape == (10, 10) and model.network.std == 0.5
    assert torch.equal(model.counts, torch.bincount(model.assign(digits.train), minlength=10))
    logits, _ = model.network.train().encode(as_floats(digits.train[:500]))
    assert_close(logits.mean(0), torch.zeros(10), rtol=0, atol=1e-4)

    config, artifact = fitted(digits, code_dim=3, decoder_std=0.2)
    network = SYSTEM.model(config, {"vae": artifact}, CPU).network
    assert network.mean.shape == (3, 3) and network.std == 0.2


def test_rows_are_read_as_they_are():
    network = MixtureAutoencoder(GMVAESettings(), 3, (2,), torch.Generator())
    assert not any(isinstance(part, BalancedLogits) for part in network.modules())
    assert network.mean.shape == (3, 2) and network.std == 0.1
