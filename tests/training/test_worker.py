"""What the loop does between steps, in numbers: rates, averages, means, shares of a batch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scgan.training.loop import GAN_BETAS, adam, train
from scgan.training.runtime import Runtime
from scgan.training.settings import SCHEDULES, TrainingSettings
from scgan.training.state import Average, TrainState


def test_schedules_at_a_quarter_a_half_and_three_quarters():
    expected = {
        "constant": (1, 1, 1),
        "linear": (0.75, 0.5, 0.25),
        "late_linear": (1, 1, 0.5),
        "cosine": tuple(0.5 + 0.5 * math.cos(math.pi * done) for done in (0.25, 0.5, 0.75)),
    }
    assert expected.keys() == SCHEDULES.keys()
    for name, values in expected.items():
        assert [SCHEDULES[name](done) for done in (0.25, 0.5, 0.75)] == pytest.approx(values)


def test_every_step_has_the_rate_of_the_samples_seen_and_the_curve_the_means():
    """Losses that come now and then are means over the steps that had them."""
    network, rates = nn.Linear(1, 1), []
    optimizers = {"a": adam(network, 0.5), "b": adam(network, 0.25, betas=GAN_BETAS)}
    state = TrainState({}, optimizers, {})

    def step():
        rates.append([o.param_groups[0]["lr"] for o in optimizers.values()])
        number = state.samples // 10
        now_and_then = {"seldom": torch.tensor(float(number))} if number % 4 == 0 else {}
        return {"loss": torch.tensor(float(number)), **now_and_then}

    c = TrainingSettings(batch_size=10, num_samples=8000, learning_rate=0.5, schedule="linear")
    curve = train(state, step, c, name="toy", runtime=Runtime())
    assert len(rates) == 800 and state.samples == 8000
    for number in (0, 1, 400, 799):
        assert rates[number] == pytest.approx([0.5 - number / 1600, 0.25 - number / 3200])

    first = {"samples": 80, "loss": pytest.approx(3.5), "seldom": pytest.approx(2)}
    second = {"samples": 160, "loss": pytest.approx(11.5), "seldom": pytest.approx(10)}
    assert curve[:2] == [first, second]
    assert optimizers["a"].defaults["betas"] == (0.9, 0.999) and GAN_BETAS == (0.5, 0.99)
    assert optimizers["b"].defaults["betas"] == GAN_BETAS
    assert optimizers["a"].defaults["weight_decay"] == 0


def test_a_weights_past_counts_half_after_the_half_life():
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, half_life=40, batch_size=10)
    nn.init.constant_(network.weight, 1.0)
    for _ in range(200):
        average.update(network)

    nn.init.constant_(network.weight, 0.0)
    for expected in (2**-0.25, 2**-0.5, 2**-0.75, 0.5):
        average.update(network)
        assert average.module.weight.item() == pytest.approx(expected, rel=1e-4)


def test_workers_share_a_batch_evenly_and_what_is_left_over_is_nobodys():
    batch = torch.arange(11)
    shares = [Runtime(rank=rank, world_size=3).share(batch) for rank in range(3)]
    assert [share.tolist() for share in shares] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert torch.equal(Runtime().share(batch), batch)
    assert Runtime().gather(batch) is batch and Runtime().mean(batch) is batch


def test_mixed_precision_only_where_it_is_asked_for():
    layer, x = nn.Linear(2, 2), torch.randn(3, 2)
    with Runtime().autocast("bf16"):
        assert layer(x).dtype == torch.bfloat16
    with Runtime().autocast("fp32"):
        assert layer(x).dtype == torch.float32


@pytest.mark.parametrize("until", [3, None])
def test_a_worker_that_is_not_the_first_reports_and_saves_nothing(until):
    said = []

    class Checkpoints:
        def load(self):
            return None

        def save(self, state):
            said.append(state)

    how = {"checkpoints": Checkpoints(), "checkpoint_every": 0, "until": until}
    runtime = Runtime(rank=1, report=said.append, **how)
    c = TrainingSettings(batch_size=1, num_samples=5, learning_rate=1.0, schedule="constant")
    train(TrainState({}, {}, {}), lambda: {"loss": torch.ones(())}, c, name="x", runtime=runtime)
    assert said == []
