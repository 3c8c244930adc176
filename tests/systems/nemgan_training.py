"""NEMGAN trained small: its data, settings and models, and a training that is watched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages import noise_gan
from scgan.systems.nemgan import SYSTEM, build_networks
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


def clones(tensors):
    return [tensor.detach().clone() for tensor in tensors]


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
                lambda module, args, calls=calls: calls.append(clones(args))
            )

    def moved(self, times=1):
        """Names of the networks that ``times`` steps change, and the last one's losses."""
        t = self.training
        networks = {"generator": t.generator, "inversion": t.inversion}
        networks |= {"discriminator": t.discriminator, "prior": t.prior}
        before = {name: clones(net.parameters()) for name, net in networks.items()}
        for _ in range(times):
            losses = t.step()
            t.state.samples += t.c.batch_size
        changed = {
            name
            for name, net in networks.items()
            if not all(map(torch.equal, before[name], net.parameters()))
        }
        return changed, losses


def labelled_data(values):
    """Ring's rows with labels of the test's own, text or numbers."""
    data = dataset()
    return replace(data, train_labels=np.array(values), test_labels=np.array(values))
