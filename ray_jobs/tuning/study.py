"""The study: trials as Optuna keeps them in a database, the one record that a search goes on from."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search.optuna import OptunaSearch

from scgan.config import Settings
from scgan.space import Domain, Range, Space, every_point, ordered, start_point
from scgan.store.artifacts import digest
from scgan.tracking.outbox import redacted

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# of a trial whose worker died; what fails in it otherwise would fail again, and is not repeated
MAX_RESTARTS = 1
NUM_WARM = 10  # best trials of another study that are tried first
OUT_OF_MEMORY = re.compile(
    r"[^\n]*(?:running low on memory|OutOfMemory)[^\n]*"
)  # Ray's words for it


def open_study(
    storage_url: str, name: str, description: Mapping[str, Any], metrics: Sequence[str], seed: int
) -> optuna.Study:
    """Open a study, or begin it.

    Args:
        storage_url: SQLAlchemy's address of the database.
        name: The study's.
        description: What its trials have in common; a study begun with another is refused.
        metrics: What is minimised.
        seed: Of the sampler.

    Returns:
        The study, with its sampler.

    Raises:
        ValueError: If the database can't be used, or the study was begun with another description.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    plain = json.loads(json.dumps(description))
    study = _create(storage_url, name, metrics)
    begun = study.user_attrs.get("description")

    if begun != plain and all(
        t.state == TrialState.WAITING for t in study.get_trials(deepcopy=False)
    ):
        optuna.delete_study(study_name=name, storage=study._storage)  # no trial was run: begun anew
        study, begun = _create(storage_url, name, metrics), None

    if begun is None:
        study.set_user_attr("description", plain)
    elif begun != plain:
        raise ValueError(
            f"the study {name!r} was begun with another {_difference(begun, plain)}; repeat its command, or begin one "
            "under another --study"
        )

    study.sampler = _sampler(seed, len(study.get_trials(deepcopy=False)))
    return study


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first thing that differs, with the keys in it that do."""
    name = next(key for key in other if one.get(key) != other[key])
    old, new = one.get(name), other[name]
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{name} ({old} then, {new} now)"
    keys = [key for key in {**old, **new} if old.get(key, name) != new.get(key, name)]
    return f"{name} (of {', '.join(sorted(keys)[:4])})"


def _create(storage_url: str, name: str, metrics: Sequence[str]) -> optuna.Study:
    directions = ["minimize"] * len(metrics)
    try:
        storage = optuna.storages.RDBStorage(storage_url)
        study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True
        )
    except Exception as error:
        text = redacted(" ".join(str(error).split())[:200])
        raise ValueError(
            f"the study's database {redacted(storage_url)!r} can't be used: {text}"
        ) from None

    return study


def _sampler(seed: int, num_before: int) -> optuna.samplers.BaseSampler:
    """Multivariate TPE; one that goes on must not draw again what the one before it drew."""
    number = int(digest([seed, num_before])[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=number, multivariate=True, group=True, constant_liar=True
        )


def begin(
    study: optuna.Study, space: Space, config: Settings, num_trials: int, warm: optuna.Study | None
) -> None:
    """Queue the first trials of a new study: the settings' own values, another study's best, all of a small space."""
    if "begun" in study.user_attrs:
        return

    points = [start_point(space, config)]
    if warm is not None:
        done = [
            t for t in warm.get_trials(deepcopy=False, states=[TrialState.COMPLETE]) if t.values
        ]
        for trial in sorted(done, key=lambda t: t.values[0])[:NUM_WARM]:
            points.append(_fitted_in(trial.params, space, config))

    points += [point for point in every_point(space, num_trials) if point not in points]
    for point in points[:num_trials]:
        study.enqueue_trial(point, skip_if_exists=True)

    study.set_user_attr("begun", True)


def _fitted_in(params: Mapping[str, Any], space: Space, config: Settings) -> dict[str, Any]:
    """Another study's point in this space: what it lacks from the settings, what lies outside moved in."""
    point = start_point(space, config)
    return {key: space[key].nearest(params.get(key, value)) for key, value in point.items()}


def open_warm(name: str, storage_url: str) -> optuna.Study:
    """Another study, to start from.

    Raises:
        ValueError: If there is none.
    """
    try:
        return optuna.load_study(study_name=name, storage=optuna.storages.RDBStorage(storage_url))
    except Exception:
        raise ValueError(
            f"there is no study {name!r} to start from in {redacted(storage_url)!r}"
        ) from None


def num_missing(study: optuna.Study, asked: int) -> int:
    """How many trials have not ended, of those asked for."""
    counts = count(study)
    return asked - sum(counts[state] for state in FINISHED)


def count(study: optuna.Study) -> dict[TrialState, int]:
    """How many trials are in each state."""
    trials = study.get_trials(deepcopy=False)
    return {state: sum(trial.state == state for trial in trials) for state in TrialState}


class StudySearch(OptunaSearch):  # type: ignore[misc]
    """Tune's searcher on a durable study: trials that were in flight go on, and every end is told for what it is.

    Tune's own tells a stopped trial as complete, and leaves one that ended in NaN running for ever.

    Args:
        study: The study, with its sampler.
        space: What is searched.
        metrics: What is minimised.
        error_of: What Tune knows of a trial whose worker is gone, by the trial's id.
        at_once: Trials that may be under way at a time; None for as many as the cluster holds.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        metrics: Sequence[str],
        error_of: Callable[[str], str],
        at_once: int | None = None,
    ) -> None:
        self.domains = ordered(space)
        several = len(metrics) > 1

        super().__init__(
            space=self.point,
            metric=list(metrics) if several else metrics[0],
            mode=["min"] * len(metrics) if several else "min",
            sampler=study.sampler,
            study_name=study.study_name,
            storage=study._storage,
        )

        self.metrics = tuple(metrics)
        self.in_flight = [
            trial._trial_id for trial in study.get_trials(states=[TrialState.RUNNING])
        ]
        self.error_of, self.at_once = error_of, at_once

    def point(self, trial: Any) -> None:
        """Have Optuna suggest each setting, those that depend on another only where it has the value."""
        chosen: dict[str, Any] = {}
        for key, domain in self.domains:
            if domain.when is None or chosen.get(domain.when.key) in domain.when.values:
                chosen[key] = _suggest(trial, key, domain)

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The point of a trial that was in flight, else a new one; None while no more may be under way."""
        if self.at_once is not None and len(self._under_way()) >= self.at_once:
            return None
        if trial_id not in self._ot_trials and self.in_flight:
            self._ot_trials[trial_id] = optuna.trial.Trial(self._ot_study, self.in_flight.pop(0))
        return super().suggest(trial_id)

    def number(self, trial_id: str) -> int:
        """The study's number of one of Tune's trials."""
        return int(self._ot_trials[trial_id].number)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep a rung's value."""
        if len(self.metrics) == 1 and self.metrics[0] in result:
            trial = self._ot_trials[trial_id]
            known = self._ot_study._storage.get_trial(trial._trial_id).intermediate_values
            if result["samples"] not in known:  # the last one comes again with a trial's end
                trial.report(result[self.metrics[0]], result["samples"])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell how the trial ended: complete, stopped early, or failed with its cause."""
        trial, result = self._ot_trials[trial_id], result or {}
        if trial_id in self._completed_trials:
            return

        if "account" in result:
            trial.set_user_attr("account", json.loads(result["account"]))

        if deaths := causes_of_death(self.error_of(trial_id)):
            trial.set_user_attr("deaths", deaths)

        cause = (
            (deaths or ["dead worker: nothing is known of it"])[-1]
            if error
            else result.get("cause")
        )

        if cause is not None:
            trial.set_user_attr("cause", cause)
            self._tell(trial_id, state=TrialState.FAIL)
        elif result.get("final"):
            trial.set_user_attr("scores", json.loads(result["scores"]))
            self.on_trial_result(trial_id, result)
            self._tell(trial_id, values=[result[name] for name in self.metrics])
        elif self.metrics[0] in result:
            self.on_trial_result(trial_id, result)
            self._tell(trial_id, state=TrialState.PRUNED)

    def _under_way(self) -> list[str]:
        return [trial_id for trial_id in self._ot_trials if trial_id not in self._completed_trials]

    def bear_memory_kill(self, text: str) -> int:
        """Ray killed a worker for memory, which ends Tune: of a trial that was alone this is the death.

        Args:
            text: What Ray said.

        Returns:
            How many trials are in flight now, one of which is the one that was killed.
        """
        under_way = self._under_way()
        if len(under_way) == 1:
            trial = self._ot_trials[under_way[0]]
            deaths = [*trial.user_attrs.get("deaths", []), *causes_of_death(text)]
            trial.set_user_attr("deaths", deaths)

            if len(deaths) > MAX_RESTARTS:
                trial.set_user_attr("cause", deaths[-1])
                self._tell(under_way[0], state=TrialState.FAIL)

        return count(self._ot_study)[TrialState.RUNNING]

    def _tell(self, trial_id: str, **how: Any) -> None:
        self._ot_study.tell(self._ot_trials[trial_id], **how)
        self._completed_trials.add(trial_id)

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune's own snapshot of a search, which is never read, holds none of this."""
        return (dict, ())

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the study is the record."""


def causes_of_death(text: str) -> list[str]:
    """Why a trial's worker died, each time that it did, from what Tune wrote down of it."""
    causes = []
    for part in re.split(r"^Failure # \d+ .*$", text, flags=re.MULTILINE):
        if lines := [line.strip() for line in part.splitlines() if line.strip()]:
            short = OUT_OF_MEMORY.search(part)
            line = short[0] if short else lines[-1].partition(" Some common causes")[0]
            causes.append(f"{'out of memory' if short else 'dead worker'}: {line[:400]}")
    return causes


def _suggest(trial: Any, key: str, domain: Domain) -> Any:
    if not isinstance(domain, Range):
        return trial.suggest_categorical(key, list(domain.options))
    if domain.whole:
        return trial.suggest_int(key, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(key, domain.low, domain.high, log=domain.log)


def best(study: optuna.Study) -> FrozenTrial | None:
    """The complete trial that is best at the first metric, which with several lies on the Pareto front."""
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return min(done, key=lambda trial: tuple(trial.values), default=None)
