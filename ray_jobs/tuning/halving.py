"""Early stopping: asynchronous successive halving, by the samples that a trial has seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import optuna
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from ray_jobs.tuning.study import FINISHED


class Halving(FIFOScheduler):  # type: ignore[misc]
    """At each rung one of ``factor`` trials goes on, and whichever is the best so far; the others are stopped.

    Tune's own ASHA lets every trial go on that is in the best part of those before it. Under a
    searcher that gets better that is more than half of them, most of which differ from the best by
    less than the noise.

    Args:
        metric: What is minimised.
        rungs: Samples at which trials are compared.
        factor: At each rung one of so many goes on.

    Source: Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020), Algorithm
        2. Differs: a trial
    that may not go on when it reaches a rung is stopped, not paused.
    """

    def __init__(self, metric: str, rungs: Sequence[int], factor: int) -> None:
        super().__init__()
        self.metric_name, self.factor = metric, factor
        self.values: dict[int, dict[str, float]] = {rung: {} for rung in rungs}
        self.gone_on = dict.fromkeys(rungs, 0)

    def remember(self, study: optuna.Study) -> None:
        """Take up what earlier calls' trials had at the rungs."""
        for trial in study.get_trials(deepcopy=False, states=FINISHED):
            for rung, value in trial.intermediate_values.items():
                if rung in self.values:
                    self.values[rung][f"earlier {trial.number}"] = value
                    self.gone_on[rung] += rung < max(trial.intermediate_values)

    def goes_on(self, name: str, rung: int, value: float) -> bool:
        """Whether a trial that is at a rung goes on; one that was begun again is not counted twice."""
        values = self.values[rung]
        if name in values:
            return True

        rank = sum(other <= value for other in values.values())
        values[name] = value
        places = math.ceil(len(values) / self.factor)
        goes_on = rank == 0 or (rank < places and self.gone_on[rung] < places)
        self.gone_on[rung] += goes_on

        return goes_on

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Tune's question after each report."""
        rung = result.get("samples")
        if rung not in self.values or self.goes_on(trial.trial_id, rung, result[self.metric_name]):
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)
