"""What a search trained, and what it would have cost without sharing and early stops: read from the study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from scgan import systems


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
        told = ", ".join(f"{stage} {number} x" for stage, number in self.fits.items())
        yield f"fitted: {told}, for {self.trials} trials"
        if self.whole:
            share = f"{self.spent / self.whole:.0%} of the {self.whole:.1f} s of every trial trained whole"
            yield f"training: {self.spent:.1f} s, {share}"


def costs(study: optuna.Study, system: str) -> Costs:
    """Count a search's fits and add up their seconds."""
    trials = [
        t
        for t in study.get_trials(deepcopy=False)
        if t.state in (TrialState.COMPLETE, TrialState.PRUNED)
    ]

    accounts = [(t.state, t.user_attrs.get("account", {"keys": {}, "seconds": {}})) for t in trials]
    stages = [stage.name for stage in systems.load(system).stages]
    seconds_of: dict[str, float] = study.user_attrs.get("shared", {}).copy()
    fits = dict.fromkeys(stages, 0)
    spent = sum(seconds_of.values())
    for key in seconds_of:
        fits[key.rpartition("-")[0]] += 1

    for _, account in accounts:
        for stage, seconds in account["seconds"].items():
            fits[stage] += 1
            spent += seconds
            seconds_of[account["keys"].get(stage, "")] = seconds

    last = stages[-1]
    lasts = [
        a["seconds"][last]
        for state, a in accounts
        if state == TrialState.COMPLETE and last in a["seconds"]
    ]

    usual = sum(lasts) / len(lasts) if lasts else 0.0
    whole = 0.0

    for state, account in accounts:
        for stage in stages[:-1]:
            whole += seconds_of.get(account["keys"].get(stage, ""), 0.0)

        whole += usual if state == TrialState.PRUNED else account["seconds"].get(last, usual)

    return Costs(fits, len(trials), spent, whole)
