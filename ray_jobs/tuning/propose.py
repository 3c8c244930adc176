"""What is tried, and how long: Optuna proposes a trial's point, halving stops the worse ones early.

Both are Tune's plug-ins, a searcher and a scheduler, and both go on from what the study holds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from typing_extensions import override

from ray_jobs.tuning.settings import Search
from ray_jobs.tuning.study import FINISHED, count, trials_in_flight
from ray_jobs.tuning.trial import RUNG_FACTOR
from scgan.space import Domain, Range, ordered

# of a trial whose worker died; what fails in it otherwise would fail again, and is not repeated
MAX_RESTARTS = 1
# Ray's words for it
OUT_OF_MEMORY = re.compile(r"[^\n]*(?:running low on memory|OutOfMemory)[^\n]*")


class StudySearcher(Searcher):  # type: ignore[misc]
    """Tune's searcher on a study: trials that were in flight go on, every end is told as it was.

    Tune's own for Optuna tells a stopped trial as complete, and leaves one that ended in NaN
    running for ever.

    Args:
        search: The search.
        error_of: What Tune knows of a trial whose worker is gone, by the trial's id.
    """

    def __init__(self, search: Search, error_of: Callable[[str], str]) -> None:
        super().__init__()
        self.study, self.metrics = search.study, search.metrics
        self.domains = ordered(search.space)
        self.in_flight = trials_in_flight(search.study, search.database)
        self.error_of = error_of
        self.trials: dict[str, optuna.trial.Trial] = {}  # by Tune's id, until they end

    @override
    def suggest(self, trial_id: str) -> dict[str, Any]:
        trial = self.in_flight.pop(0) if self.in_flight else self.study.ask()
        self.trials[trial_id] = trial
        point: dict[str, Any] = {}
        for key, domain in self.domains:  # those that depend on another are behind it
            if domain.when is None or point.get(domain.when.key) in domain.when.values:
                point[key] = _suggest(trial, key, domain)
        return point

    @override
    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if len(self.metrics) > 1 or self.metrics[0] not in result:
            return
        trial, rung = self.trials[trial_id], result["samples"]
        known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if rung not in known:  # the last one comes again with a trial's end
            trial.report(result[self.metrics[0]], rung)

    @override
    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if trial_id not in self.trials:
            return

        trial, result = self.trials[trial_id], result or {}
        deaths, cause = causes_of_death(self.error_of(trial_id)), result.get("cause")
        if error:
            cause = deaths[-1] if deaths else "dead worker: nothing is known of it"

        if "account" in result:
            trial.set_user_attr("account", json.loads(result["account"]))
        if deaths:
            trial.set_user_attr("deaths", deaths)

        if cause is not None:
            self._fail(trial_id, cause)
        elif result.get("final"):
            trial.set_user_attr("scores", json.loads(result["scores"]))
            self.on_trial_result(trial_id, result)
            self._tell(trial_id, values=[result[name] for name in self.metrics])
        elif self.metrics[0] in result:
            self.on_trial_result(trial_id, result)
            self._tell(trial_id, state=TrialState.PRUNED)

    def record_memory_kill(self, text: str) -> int:
        """Record an out-of-memory kill. If only one trial was running, it is the one that died.

        Args:
            text: What Ray said.

        Returns:
            How many trials are in flight now, one of which is the one that was killed.
        """
        if len(self.trials) == 1:
            ((trial_id, trial),) = self.trials.items()
            deaths = [*trial.user_attrs.get("deaths", []), *causes_of_death(text)]
            trial.set_user_attr("deaths", deaths)
            if len(deaths) > MAX_RESTARTS:
                self._fail(trial_id, deaths[-1])

        return count(self.study)[TrialState.RUNNING]

    def _fail(self, trial_id: str, cause: str) -> None:
        self.trials[trial_id].set_user_attr("cause", cause)
        self._tell(trial_id, state=TrialState.FAIL)

    def _tell(self, trial_id: str, **how: Any) -> None:
        self.study.tell(self.trials.pop(trial_id), **how)

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune's own snapshot of a search, which is never read, holds none of this."""
        return (dict, ())

    @override
    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        pass  # the study is the record


def _suggest(trial: optuna.trial.Trial, key: str, domain: Domain) -> Any:
    if not isinstance(domain, Range):
        return trial.suggest_categorical(key, list(domain.options))
    if domain.whole:
        return trial.suggest_int(key, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(key, domain.low, domain.high, log=domain.log)


def causes_of_death(text: str) -> list[str]:
    """Why a trial's worker died, each time that it did, from what Tune wrote down of it."""
    causes = []
    for part in re.split(r"^Failure # \d+ .*$", text, flags=re.MULTILINE):
        if lines := [line.strip() for line in part.splitlines() if line.strip()]:
            short = OUT_OF_MEMORY.search(part)
            line = short[0] if short else lines[-1].partition(" Some common causes")[0]
            causes.append(f"{'out of memory' if short else 'dead worker'}: {line[:400]}")
    return causes


class Halving(FIFOScheduler):  # type: ignore[misc]
    """At each rung one of ``factor`` trials goes on, and whichever is the best so far.

    Tune's own ASHA lets every trial go on that is in the best part of those before it. Under a
    searcher that gets better that is more than half of them, most of which differ from the best by
    less than the noise.

    Args:
        metric: What is minimised.
        rungs: Samples at which trials are compared.
        factor: At each rung one of so many goes on.

    Source: Li et al., A System for Massively Parallel Hyperparameter Tuning (MLSys 2020), Algorithm
        2. Differs: a trial that may not go on when it reaches a rung is stopped, not paused.
    """

    def __init__(self, metric: str, rungs: Sequence[int], factor: int = RUNG_FACTOR) -> None:
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
        """Whether a trial at a rung goes on; one that was begun again is not counted twice."""
        values = self.values[rung]
        if name in values:
            return True

        rank = sum(other <= value for other in values.values())
        values[name] = value
        places = math.ceil(len(values) / self.factor)
        goes_on = rank == 0 or (rank < places and self.gone_on[rung] < places)
        self.gone_on[rung] += goes_on

        return goes_on

    @override
    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        rung = result.get("samples")
        if rung not in self.values or self.goes_on(trial.trial_id, rung, result[self.metric_name]):
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)
