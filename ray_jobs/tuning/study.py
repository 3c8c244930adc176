"""The study: trials as Optuna keeps them in a database, the one record that a search goes on from.

All that is read from it is here too: how many trials there are, the best, what their training cost.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from scgan.config import Settings
from scgan.space import Space, every_point, start_point
from scgan.store.artifacts import digest
from scgan.tracking.outbox import redacted

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
NUM_WARM = 10  # best trials of another study that are tried first


def open_study(
    database: str, name: str, description: Mapping[str, Any], metrics: Sequence[str], seed: int
) -> optuna.Study:
    """Open a study, or begin it.

    Args:
        database: SQLAlchemy's address.
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
    study = _create(database, name, metrics)
    begun = study.user_attrs.get("description")

    trials = study.get_trials(deepcopy=False)
    if begun != plain and all(trial.state == TrialState.WAITING for trial in trials):
        optuna.delete_study(study_name=name, storage=database)  # no trial was run: begun anew
        study, begun = _create(database, name, metrics), None

    if begun is None:
        study.set_user_attr("description", plain)
    elif begun != plain:
        raise ValueError(
            f"the study {name!r} was begun with another {_difference(begun, plain)}; repeat its "
            "command, or begin one under another --study"
        )

    study.sampler = _sampler(seed, len(trials))
    return study


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first thing that differs, with the keys in it that do."""
    name = next(key for key in other if one.get(key) != other[key])
    old, new = one.get(name), other[name]
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{name} ({old} then, {new} now)"
    keys = [key for key in {**old, **new} if old.get(key, name) != new.get(key, name)]
    return f"{name} (of {', '.join(sorted(keys)[:4])})"


def _create(database: str, name: str, metrics: Sequence[str]) -> optuna.Study:
    try:
        return optuna.create_study(
            storage=optuna.storages.RDBStorage(database),
            study_name=name,
            directions=["minimize"] * len(metrics),
            load_if_exists=True,
        )
    except Exception as error:
        text = redacted(" ".join(str(error).split())[:200])
        raise ValueError(
            f"the study's database {redacted(database)!r} can't be used: {text}"
        ) from None


def _sampler(seed: int, num_before: int) -> optuna.samplers.BaseSampler:
    """Multivariate TPE; one that goes on must not draw again what the one before it drew."""
    number = int(digest([seed, num_before])[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=number, multivariate=True, group=True, constant_liar=True
        )


def open_warm(name: str, database: str) -> optuna.Study:
    """Another study, to start from.

    Raises:
        ValueError: If there is none.
    """
    try:
        return optuna.load_study(study_name=name, storage=optuna.storages.RDBStorage(database))
    except Exception:
        raise ValueError(
            f"there is no study {name!r} to start from in {redacted(database)!r}"
        ) from None


def enqueue_first(
    study: optuna.Study, space: Space, config: Settings, num: int, warm: optuna.Study | None
) -> None:
    """Queue a new study's first trials.

    They are the settings' own values, another study's best, and all of a small space.

    Args:
        study: The study; nothing is queued where that was done before.
        space: What is searched.
        config: The settings.
        num: Trials in all.
        warm: The other study.
    """
    if "begun" in study.user_attrs:
        return

    points = [start_point(space, config)]
    if warm is not None:
        done = warm.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        for trial in sorted(done, key=lambda trial: trial.values[0])[:NUM_WARM]:
            # What it lacks comes from the settings, what lies outside is moved in.
            own = start_point(space, config).items()
            points.append({key: space[key].nearest(trial.params.get(key, v)) for key, v in own})

    points += [point for point in every_point(space, num) if point not in points]
    for point in points[:num]:
        study.enqueue_trial(point, skip_if_exists=True)

    study.set_user_attr("begun", True)


def trials_in_flight(study: optuna.Study, database: str) -> list[optuna.trial.Trial]:
    """Trials that were begun and not ended, to be gone on with."""
    storage = optuna.storages.RDBStorage(database)
    study_id = storage.get_study_id_from_name(study.study_name)
    trials = []
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
        trials.append(optuna.trial.Trial(study, trial_id))
    return trials


def count(study: optuna.Study) -> Counter[TrialState]:
    """How many trials are in each state."""
    return Counter(trial.state for trial in study.get_trials(deepcopy=False))


def num_finished(study: optuna.Study) -> int:
    """How many trials have ended, in whatever way."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def best(study: optuna.Study) -> FrozenTrial | None:
    """The complete trial that is best at the first metric, and so on the Pareto front."""
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return min(done, key=lambda trial: tuple(trial.values), default=None)


@dataclass(frozen=True)
class Costs:
    """A search's training.

    Args:
        fits: How often each stage was fitted.
        trials: That were complete or stopped early.
        spent: Seconds of training.
        whole: Seconds if every trial had been trained whole; a stopped one's last stage counts as
            the mean of the complete ones'.
    """

    fits: Mapping[str, int]
    trials: int
    spent: float
    whole: float

    def lines(self) -> Iterator[str]:
        """Say it."""
        fits = ", ".join(f"{stage} {number} x" for stage, number in self.fits.items())
        yield f"fitted: {fits}, for {self.trials} trials"
        if self.whole:
            share = f"{self.spent / self.whole:.0%} of the {self.whole:.1f} s"
            yield f"training: {self.spent:.1f} s, {share} of every trial trained whole"


def costs(study: optuna.Study) -> Costs:
    """Count a search's fits and add up their seconds, from what the study keeps of them."""
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])
    accounts = [(t.state, t.user_attrs["account"]) for t in trials if "account" in t.user_attrs]
    seconds_of: dict[str, float] = dict(study.user_attrs.get("shared", {}))  # by artifact
    stages = max((list(account["keys"]) for _, account in accounts), key=len, default=[])
    fits = dict.fromkeys(stages, 0)
    spent = sum(seconds_of.values())
    complete: dict[str, list[float]] = {}  # seconds of a stage, of trials that were not stopped

    for key in seconds_of:
        stage = key.rpartition("-")[0]
        fits[stage] = fits.get(stage, 0) + 1

    for state, account in accounts:
        for stage, seconds in account["seconds"].items():
            fits[stage] = fits.get(stage, 0) + 1
            spent += seconds
            seconds_of[account["keys"].get(stage, "")] = seconds
            if state == TrialState.COMPLETE:
                complete.setdefault(stage, []).append(seconds)

    usual = {stage: sum(took) / len(took) for stage, took in complete.items()}
    whole = 0.0

    for state, account in accounts:
        *before, last = account["keys"] or [""]
        whole += sum(seconds_of.get(account["keys"][stage], 0.0) for stage in before)
        if state == TrialState.PRUNED:
            whole += sum(usual.get(stage, 0.0) for stage in stages[len(before) :])
        else:
            whole += account["seconds"].get(last, usual.get(last, 0.0))

    return Costs(fits, len(trials), spent, whole)
