"""What a fit owes the device it runs on: a state taken up anywhere, copies that nobody waits for.

No card is needed: tensors on the device ``meta`` lie somewhere else than those of a checkpoint.
"""

from __future__ import annotations

import logging
from itertools import chain

import pytest
import torch
from torch import nn

from scgan.store.artifacts import Artifact
from scgan.training.loop import descend, train
from scgan.training.runtime import Runtime
from scgan.training.settings import TrainingSettings
from scgan.training.state import Average, TrainState


def fit(device="cpu"):
    """A network, its average, optimiser and random numbers, as they are before the first step."""
    network = nn.Linear(2, 1, device=device)
    modules = {"network": network, "average": Average(network, 100.0, 10)}
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    return TrainState(modules, {"adam": optimizer}, {"noise": torch.Generator().manual_seed(5)})


def trained(state):
    """The same after three steps, its losses not yet put away."""
    network, (noise,) = state.modules["network"], state.generators.values()
    for _ in range(3):
        x = torch.randn(10, 2, generator=noise)
        loss = network(x).square().mean()
        descend(state.optimizers["adam"], loss)
        state.modules["average"].update(network)
        state.add({"loss": loss})
        state.samples += 10
    return state


def stored(state):
    """The state as a store gives it back: on the CPU, a copy."""
    made = state.to_artifact()
    return Artifact({name: t.detach().clone() for name, t in made.tensors.items()}, dict(made.meta))


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_everything_that_is_restored_lies_where_the_fit_runs():
    before, after = trained(fit()), fit("meta")
    after.restore(stored(before), torch.device("meta"))

    moments = [
        value
        for moved in after.optimizers["adam"].state.values()
        for name, value in moved.items()
        if name != "step"
    ]
    assert len(moments) == 4
    assert {t.device.type for t in chain(moments, after.sums.values())} == {"meta"}
    assert after.sums.keys() == {"loss"} and after.counts == {"loss": 3}


def test_sums_that_were_restored_take_new_losses():
    after = fit()
    after.restore(stored(trained(fit())), torch.device("meta"))
    after.add({"loss": torch.ones((), device="meta")})
    assert after.sums["loss"].device.type == "meta" and after.counts == {"loss": 4}


def test_the_loop_restores_onto_its_own_device():
    class Saved:
        def load(self):
            return stored(trained(fit()))

        def save(self, state):
            pass

    after = fit()
    c = TrainingSettings(batch_size=10, num_samples=30, learning_rate=1.0, schedule="constant")
    runtime = Runtime(torch.device("meta"), checkpoints=Saved())
    train(after, lambda: {}, c, name="toy", runtime=runtime)
    assert after.sums["loss"].device.type == "meta"


def of_a_gpu(artifact):
    """A checkpoint as a GPU's fit leaves it: its generators' states say nothing to a CPU."""
    tensors = dict(artifact.tensors)
    del tensors["generator.noise.cpu"]
    return Artifact(tensors | {"generator.noise.cuda": torch.zeros(16).byte()}, artifact.meta)


def test_random_numbers_go_on_where_they_were_on_the_same_kind_of_device():
    before, after = trained(fit()), fit()
    after.restore(stored(before), torch.device("cpu"))
    (one,), (other,) = before.generators.values(), after.generators.values()
    assert torch.equal(torch.randn(4, generator=one), torch.randn(4, generator=other))


def test_on_another_kind_of_device_they_begin_anew_and_a_line_says_so(caplog):
    drawn = []
    for samples in (30, 30, 40):
        state = trained(fit())
        state.samples = samples
        after = fit()
        with caplog.at_level(logging.WARNING):
            after.restore(of_a_gpu(stored(state)), torch.device("cpu"))
        drawn.append(torch.randn(4, generator=after.generators["noise"]))

    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    start = torch.Generator().manual_seed(5)
    assert not torch.equal(drawn[0], torch.randn(4, generator=start))
    assert caplog.messages[0] == (
        "the fit began on a cuda device and goes on on a cpu one, which draws other random "
        "numbers (noise) from 30 samples on"
    )


def test_the_number_of_updates_of_an_average_is_never_fetched_from_a_gpu():
    network = nn.Linear(2, 1, device="meta")
    average = Average(network, 100.0, 10)
    for _ in range(2):
        average.update(network)
    assert average.num_updates.device.type == "cpu" and average.num_updates == 2
    assert average.module.weight.device.type == "meta"


class Rows:
    """Notes what is done to it, as a tensor would do it."""

    def __init__(self):
        self.done = []

    def pin_memory(self):
        self.done.append("pinned")
        return self

    def to(self, device, non_blocking):
        self.done.append((device.type, non_blocking))
        return self


@pytest.mark.parametrize(
    ("device", "done"), [("cuda", ["pinned", ("cuda", True)]), ("cpu", [("cpu", True)])]
)
def test_rows_are_copied_to_a_gpu_from_pinned_memory(device, done):
    assert Runtime(torch.device(device)).copy(Rows()).done == done
