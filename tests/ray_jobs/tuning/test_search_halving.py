"""Early stopping: how many go on from a rung, and which."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from ray_jobs.tuning.propose import Halving

RUNGS = (10, 30)


def go_on(values, rung=10):
    halving = Halving("loss", RUNGS, 3)
    return [halving.goes_on(str(i), rung, value) for i, value in enumerate(values)]


@pytest.mark.parametrize("seed", range(20))
def test_a_third_goes_on_and_whoever_is_the_best_so_far(seed):
    draw = random.Random(seed)
    values = [draw.random() for _ in range(60)]
    gone_on, places_used = go_on(values), 0
    for i, value in enumerate(values):
        is_best, places = value == min(values[: i + 1]), math.ceil((i + 1) / 3)
        in_best_third = sorted(values[: i + 1]).index(value) < places
        assert gone_on[i] == (is_best or (in_best_third and places_used < places))
        places_used += gone_on[i]
    assert 0.2 * 60 < sum(gone_on) <= 0.4 * 60


def test_a_searcher_that_finds_ever_the_same_has_a_third_of_its_trials_trained_whole():
    values = [1.0 - 0.3 * (i > 10) + 0.01 * random.Random(i).random() for i in range(90)]
    assert sum(go_on(values)) <= 30 + 6


def test_ties_and_the_first_trial():
    assert go_on([1.0]) == [True]
    assert go_on([1.0] * 4) == [True, False, False, False]
    assert go_on([3.0, 2.0, 1.0]) == [True, True, True]


def test_a_trial_begun_again_is_not_counted_twice():
    halving = Halving("loss", RUNGS, 3)
    assert [halving.goes_on("a", 10, 1.0) for _ in range(5)] == [True] * 5
    assert len(halving.values[10]) == 1 and halving.gone_on == {10: 1, 30: 0}


def test_who_may_not_go_on_is_stopped():
    halving, told = Halving("loss", RUNGS, 3), []
    for name, samples, loss in (("a", 10, 1.0), ("b", 10, 2.0), ("b", 20, 2.0), ("c", 10, 0.5)):
        trial, result = SimpleNamespace(trial_id=name), {"samples": samples, "loss": loss}
        told.append(halving.on_trial_result(None, trial, result))
    assert told == ["CONTINUE", "STOP", "CONTINUE", "CONTINUE"]  # 20 is no rung


def test_earlier_trials_are_remembered():
    study = optuna.create_study()
    for steps in ({10: 0.5, 30: 0.4, 90: 0.3}, {10: 0.6}, {10: 0.7, 30: 0.6}):
        state = TrialState.COMPLETE if 90 in steps else TrialState.PRUNED
        study.add_trial(
            create_trial(state=state, value=min(steps.values()), intermediate_values=steps)
        )
    halving = Halving("loss", RUNGS, 3)
    halving.remember(study)
    assert [sorted(halving.values[rung].values()) for rung in RUNGS] == [
        [0.5, 0.6, 0.7],
        [0.4, 0.6],
    ]
    assert halving.gone_on == {10: 2, 30: 1}
    assert not halving.goes_on("new", 10, 0.55)  # second of four, but two places are two gone on
    assert halving.goes_on("newer", 10, 0.45)
