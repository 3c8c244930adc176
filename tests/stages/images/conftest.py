"""A record of a stage's training: what enters its networks, every update, and what is stored."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from scgan.contract import Inputs
from scgan.data.images.schema import ImageSchema
from scgan.stages.images import generate
from scgan.stages.images.encode import ImageEncoderSettings, build_image_encoder
from scgan.store.artifacts import Artifact
from scgan.training.loop import train
from scgan.training.runtime import Runtime


@dataclass(frozen=True)
class Call:
    """A network's inputs and output."""

    network: str
    inputs: tuple[Any, ...]
    output: torch.Tensor
    training: bool


@dataclass(frozen=True)
class Update:
    """An optimiser's step: gradients by parameter's name, and all weights before it."""

    network: str
    options: dict[str, Any]
    gradients: dict[str, torch.Tensor]
    weights: dict[str, dict[str, torch.Tensor]]


class Step(list):
    """Calls and updates of one step, in order."""

    def calls(self, network):
        return [event for event in self if isinstance(event, Call) and event.network == network]

    def updates(self, network):
        return [event for event in self if isinstance(event, Update) and event.network == network]


@dataclass
class Record:
    """Of a training: what happened in each step, in order, and the weights after it."""

    modules: dict[str, torch.nn.Module] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)
    after: list[dict[str, dict[str, torch.Tensor]]] = field(default_factory=list)

    def calls(self, network):
        return [event for step in self.steps for event in step.calls(network)]

    def updates(self, network):
        return [event for step in self.steps for event in step.updates(network)]

    def twin(self, network, weights):
        """The network with the weights of another moment, its gradients empty."""
        twin = copy.deepcopy(self.modules[network]).requires_grad_(True)
        twin.load_state_dict(weights[network])
        twin.zero_grad()
        return twin

    @staticmethod
    def gradients(network):
        """By parameter's name; zeros where nothing came."""
        return {
            name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
            for name, p in network.named_parameters()
        }

    def weights(self):
        return {name: cloned(module.state_dict()) for name, module in self.modules.items()}


def cloned(tensors):
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@contextlib.contextmanager
def _watching(record, state):
    record.modules = {name: state.modules[name] for name in state.modules if name != "average"}

    def called(name):
        def hook(module, inputs, output):
            kept = tuple(t.detach().clone() for t in inputs)
            event = Call(name, kept, output.detach().clone(), module.training)
            record.steps[-1].append(event)

        return record.modules[name].register_forward_hook(hook)

    def stepped(optimizer, *ignored):
        name = next(name for name, one in state.optimizers.items() if one is optimizer)
        network, (group,) = record.modules[name], optimizer.param_groups
        assert [id(p) for p in group["params"]] == [id(p) for p in network.parameters()]
        options = {key: value for key, value in group.items() if key != "params"}
        event = Update(name, options, record.gradients(network), record.weights())
        record.steps[-1].append(event)

    handles = [called(name) for name in record.modules]
    handles.append(register_optimizer_step_pre_hook(stepped))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@pytest.fixture
def recorded(monkeypatch):
    """``recorded(module, fit, config, inputs)``: the artifact, and the record of its training."""

    def run(module, fit, config, inputs, runtime=None):
        record = Record()

        def spying(state, step, c, **rest):
            def recording_step():
                record.steps.append(Step())
                losses = step()
                record.losses.append({name: float(loss.detach()) for name, loss in losses.items()})
                record.after.append(record.weights())
                return losses

            with _watching(record, state):
                return train(state, recording_step, c, **rest)

        monkeypatch.setattr(module, "train", spying)
        return fit(config, ("all",), inputs, runtime or Runtime()), record

    return run


NAMES = ("red", "green", "blue")
REAL_LOSS = torch.tensor([[0.3, 0.9, 1.2], [0.8, 0.2, 0.5]])
ENCODER = ImageEncoderSettings(projection_dim=8)


def _images(num, seed):
    """Noise of different brightness and contrast; no two images are alike."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num, 1, 1, 1)
    level = torch.rand(shape, generator=generator)
    noise = torch.rand(num, 1, 28, 28, generator=generator)
    return (255 * (0.6 * level + 0.4 * noise)).to(torch.uint8)


def _encoder(seed=1):
    """Untrained, its batch statistics not the identity: evaluation differs from training."""
    generator = torch.Generator().manual_seed(seed)
    encoder = build_image_encoder(ENCODER, 1, 28, generator)
    for name, tensor in encoder.named_buffers():
        if name.endswith("running_mean"):
            tensor.copy_(0.05 * torch.randn(tensor.shape, generator=generator))
        if name.endswith("running_var"):
            tensor.copy_(0.1 + 0.2 * torch.rand(tensor.shape, generator=generator))
    return encoder.eval()


@pytest.fixture(scope="session")
def world():
    """Images with labels of the test's own, an encoder, and attributes with a linear classifier."""
    images, encoder = _images(24, 0), _encoder()
    one = torch.tensor([0, 0, 1, 0, 2, 1] * 4)[
        torch.randperm(24, generator=torch.Generator().manual_seed(4))
    ]
    bits = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 1, 0], [1, 1, 1]] * 4)
    many = bits[torch.randperm(24, generator=torch.Generator().manual_seed(2))]
    generator = torch.Generator().manual_seed(3)
    linear = {
        "classifier.weight": torch.randn(3, encoder.num_features, generator=generator) / 4,
        "classifier.bias": torch.randn(3, generator=generator),
    }
    made = {"encode": _stored(encoder)}

    def inputs(kind="one", seed=0):
        y = one if kind == "one" else many
        rows = torch.nn.functional.one_hot(one, 3) if kind == "one" else many
        combinations, counts = torch.unique(rows, dim=0, return_counts=True)
        allowed = REAL_LOSS[0] if kind == "one" else REAL_LOSS
        found = {"y": y, "combinations": combinations.byte(), "counts": counts}
        tensors = {**found, **linear, "real_loss": allowed}
        found = Artifact(tensors, {"kind": kind, "names": list(NAMES), "space": "features"})
        data = SimpleNamespace(
            train=images, train_labels=y.numpy(), schema=ImageSchema(1, 28, NAMES, kind)
        )
        return Inputs(data, {**made, "attributes": found}, seed)

    return SimpleNamespace(
        images=images,
        x=images.float() / 127.5 - 1,
        y={"one": torch.nn.functional.one_hot(one, 3).float(), "many": many.float()},
        labels={"one": one, "many": many},
        encoder=encoder,
        linear=linear,
        inputs=inputs,
        settings=ENCODER,
        more=_images,
    )


def _stored(encoder):
    tensors = {f"encoder.{name}": t for name, t in encoder.state_dict().items()}
    return Artifact(tensors, {"channels": 1, "size": 28, "curve": []})


SMALL_GENERATOR = {
    "code_dim": 4,
    "width": 4,
    "d_width": 8,
    "max_width": 8,
    "noise_dim": 2,
    "noise_scale": 2.0,
    "r1_every": 3,
    "batch_size": 5,
    "num_samples": 20,
}


@pytest.fixture
def train_generator(world, recorded):
    """``train_generator(kind, **settings)``: its artifact, and the record of the training.

    With ``kind=None`` the unconditional one.
    """

    def run(kind="one", *, seed=0, runtime=None, **changes):
        settings = generate.ConditionalSettings if kind else generate.GeneratorSettings
        regularised = {"classification_weight": 3.0, "energy_weight": 0.0} if kind else {}
        c = settings(**{**SMALL_GENERATOR, **regularised, **changes})
        config = SimpleNamespace(encoder=world.settings, generator=c)
        fit = generate.generate_conditionally if kind else generate.generate
        inputs = world.inputs(kind or "one", seed)
        artifact, record = recorded(generate, fit, config, inputs, runtime)
        return SimpleNamespace(c=c, kind=kind, artifact=artifact, record=record, world=world)

    return run
