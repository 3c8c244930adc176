"""The loop: what it counts, that a killed fit goes on bit for bit, that nonsense stops it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from scgan.nn.mlp import MLP, initialise
from scgan.store.artifacts import Artifact
from scgan.training.blocks import Blocks
from scgan.training.loop import NonFiniteLoss, adversarial_step, descend, frozen, train
from scgan.training.runtime import Runtime
from scgan.training.settings import SCHEDULES, TrainingSettings
from scgan.training.state import Average, TrainState


class Killed(Exception):
    pass


class Memory:
    """Checkpoints in memory, as artifacts; can end the process after some saves."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.state: Artifact | None = None
        self.saves, self.kill_after = 0, kill_after

    def load(self):
        return self.state

    def save(self, state):
        self.state = Artifact(
            {name: t.clone() for name, t in state.tensors.items()}, dict(state.meta)
        )
        self.state.meta["curve"] = list(state.meta["curve"])
        self.saves += 1
        if self.saves == self.kill_after:
            raise Killed


def regression(checkpoints=None, num_samples=6400, schedule="late_linear", runtime=None):
    network, generator = MLP([2, 8, 1]), torch.Generator().manual_seed(0)
    initialise(network, generator)
    average = Average(network, 500, 32)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    state = TrainState(
        {"network": network, "average": average}, {"adam": optimizer}, {"batches": generator}
    )

    def step():
        x = torch.randn(32, 2, generator=generator)
        loss = (network(x)[:, 0] - x.prod(1)).square().mean()
        descend(optimizer, loss)
        average.update(network)
        return {"mse": loss}

    runtime = runtime or Runtime(checkpoints=checkpoints, checkpoint_every=0.0)
    c = TrainingSettings(
        batch_size=32, num_samples=num_samples, learning_rate=1e-2, schedule=schedule
    )
    assert train(state, step, c, name="toy", runtime=runtime) is state.curve
    return state


def test_a_killed_fit_goes_on_bit_for_bit():
    whole = regression()
    memory = Memory(kill_after=77)
    with pytest.raises(Killed):
        regression(memory)
    memory.kill_after = None
    resumed = regression(memory)
    assert memory.saves > 77 and memory.saves < 77 + 200
    for name in ("network", "average"):
        for a, b in zip(
            whole.modules[name].parameters(), resumed.modules[name].parameters(), strict=True
        ):
            assert torch.equal(a, b)
    assert whole.curve == resumed.curve


def test_a_checkpoint_of_other_code_is_named():
    memory = Memory(kill_after=2)
    with pytest.raises(Killed):
        regression(memory)

    renamed = {f"{name}.other": t for name, t in memory.state.tensors.items()}
    memory.state = Artifact(renamed, memory.state.meta)
    with pytest.raises(RuntimeError, match="^toy: the checkpoint in the store is of other code .*"):
        regression(memory)


def test_the_curve_has_even_points_that_are_means():
    state = regression(num_samples=32 * 1000)
    assert len(state.curve) == 100
    assert state.curve[0]["samples"] == 320 and state.curve[-1]["samples"] == 32_000
    assert state.curve[-1]["mse"] < 0.1 * state.curve[0]["mse"]


def test_short_fits_get_a_point_a_step():
    assert [point["samples"] for point in regression(num_samples=96).curve] == [32, 64, 96]


def test_learning_rate_follows_the_schedule():
    state = regression(num_samples=320, schedule="linear")
    (group,) = state.optimizers["adam"].param_groups
    assert_close(group["lr"], 1e-2 * (1 - 288 / 320))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_start_at_one_and_never_rise(name):
    values = [SCHEDULES[name](i / 50) for i in range(51)]
    assert values[0] == 1 and all(a >= b >= 0 for a, b in zip(values, values[1:], strict=False))


def test_progress_is_reported_to_the_end():
    seen = []
    regression(runtime=Runtime(report=seen.append))
    assert (seen[-1].samples, seen[-1].total) == (6400, 6400)
    assert seen[-1].metrics.keys() == {"mse"}


def test_a_loss_that_is_not_finite_stops_the_fit_and_says_where():
    state = TrainState({}, {}, {})
    losses = iter([1.0] * 5 + [math.nan] * 100)
    with pytest.raises(
        NonFiniteLoss, match=r"map, clusters 3 to 5: d_loss is nan after \d+ samples"
    ):
        train(
            state,
            lambda: {"d_loss": torch.tensor(next(losses))},
            TrainingSettings(
                batch_size=10, num_samples=1000, learning_rate=1.0, schedule="constant"
            ),
            name="map, clusters 3 to 5",
            runtime=Runtime(),
        )
    assert state.samples <= 70


def test_adversarial_step_keeps_each_sides_gradients_apart():
    generator_network, discriminator = nn.Linear(1, 1), nn.Linear(1, 1)
    g_optimizer = torch.optim.SGD(generator_network.parameters(), 0.1)
    d_optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    x = torch.ones(4, 1)
    before = [p.clone() for p in (*generator_network.parameters(), *discriminator.parameters())]
    adversarial_step(
        discriminators=[discriminator],
        d_optimizer=d_optimizer,
        d_loss=lambda: discriminator(generator_network(x).detach()).mean(),
        g_optimizer=g_optimizer,
        g_loss=lambda: -discriminator(generator_network(x)).mean(),
    )
    # The generator's step is the second: down the gradient by the discriminator as it is now.
    assert torch.equal(generator_network.weight.grad, -discriminator.weight)
    after = [*generator_network.parameters(), *discriminator.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    d_gradient = [p.grad.clone() for p in discriminator.parameters()]
    with frozen([discriminator]):
        descend(g_optimizer, -discriminator(generator_network(x)).mean())
    assert all(
        torch.equal(a, p.grad) for a, p in zip(d_gradient, discriminator.parameters(), strict=True)
    )
    assert all(p.requires_grad for p in discriminator.parameters())


def test_blocks_redraw_the_same_numbers_at_any_step_and_do_not_repeat():
    def draw(generators):
        return torch.stack([torch.randn(4, 2, generator=generator) for generator in generators])

    def at(blocks, step):
        block, place = blocks.at(step)
        return block[:, place].clone()

    straight = Blocks(draw, [1, 2], length=4)
    rows = [at(straight, step) for step in range(12)]
    fresh = Blocks(draw, [1, 2], length=4)
    assert torch.equal(at(fresh, 6), rows[6])
    alone = Blocks(draw, [2], length=4)
    assert torch.equal(at(alone, 9)[0], rows[9][1])
    assert len({float(row[0, 0]) for row in rows}) == 12


def test_the_average_forgets_its_start_in_a_short_training():
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, half_life=1e9, batch_size=10)
    for value in range(1, 101):
        nn.init.constant_(network.weight, float(value))
        average.update(network)
    assert 85 < average.module.weight.item() < 100
