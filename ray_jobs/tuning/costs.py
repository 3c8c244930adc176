"""What a search trained, and what it would have cost without sharing: read from the study."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
from optuna.trial import TrialState

from scgan import systems


def costs(study: optuna.Study, system: str) -> Iterator[str]:
    """Say how often each stage was fitted, and the seconds of training against every trial trained whole.

    A trial that was stopped early counts, trained whole, with the mean time of the complete ones' last stage.
    """
    trials = [t for t in study.get_trials(deepcopy=False) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
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
    lasts = [a["seconds"][last] for state, a in accounts if state == TrialState.COMPLETE and last in a["seconds"]]
    usual = sum(lasts) / len(lasts) if lasts else 0.0
    whole = 0.0
    for state, account in accounts:
        for stage in stages[:-1]:
            whole += seconds_of.get(account["keys"].get(stage, ""), 0.0)
        whole += usual if state == TrialState.PRUNED else account["seconds"].get(last, usual)
    told = ", ".join(f"{stage} {number} x" for stage, number in fits.items())
    yield f"fitted: {told}, for {len(trials)} trials"
    if whole:
        yield f"training: {spent:.1f} s, {spent / whole:.0%} of the {whole:.1f} s of every trial trained whole"
