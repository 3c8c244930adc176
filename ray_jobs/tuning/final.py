"""How a search ends: its best point trained at full length, scored on held-out rows, registered, told."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click
import optuna
from optuna.trial import TrialState

from ray_jobs.tuning.costs import costs
from ray_jobs.tuning.record import SearchRecord
from ray_jobs.tuning.request import Request
from ray_jobs.tuning.study import best, count
from scgan.cli import commands, console
from scgan.config import override
from scgan.metrics.scores import Score
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import Executor
from scgan.report.page import publish
from scgan.store.artifacts import ArtifactStore
from scgan.tracking.tracker import MLflowTracker


def train_best(
    request: Request,
    study: optuna.Study,
    record: SearchRecord,
    tracker: MLflowTracker,
    executor: Executor,
) -> dict[str, Score]:
    """Train the best point on all training rows at full length, score it on the held-out rows, register and tell it.

    Args:
        request: What was asked for.
        study: Its trials.
        record: The search's entry in MLflow.
        tracker: Logs the training.
        executor: Who trains.

    Returns:
        The scores; none where no trial is complete.
    """
    for line in costs(study, request.spec.system).lines():
        click.echo(line, err=True)

    top = best(study)
    if top is None:
        if request.as_json:
            commands.show_scores({}, request.study, as_json=True, **_told(request, study))

        return {}

    settings = "  ".join(f"{key}={value}" for key, value in top.params.items())
    click.echo(
        f"best: trial {top.number}, {request.metrics[0]} {top.values[0]:.4g}: {settings}", err=True
    )
    spec = replace(request.spec, config=override(request.spec.config, top.params))
    terminal, store = console.Terminal(), ArtifactStore(request.store_url, probe=False)
    outcome = pipeline.run(spec, pipeline.prepare(spec), store, executor, [terminal, tracker])
    report = publish(outcome, store, tracker)
    version = record.register(request.study, spec.run_id)
    terminal.say_time()

    fields = {
        "run": spec.run_id,
        "store": store.url,
        "report": report,
        "registered_version": version,
    }

    commands.show_scores(
        outcome.scores, spec.run_id, request.as_json, **fields, **_told(request, study)
    )
    if not request.as_json:
        registered = (
            f"registered as models:/{request.study}@best (version {version})\n" if version else ""
        )
        click.echo(f"{registered}report:  {report}\ncompare: {tracker.address}")

    return dict(outcome.scores)


def _told(request: Request, study: optuna.Study) -> dict[str, Any]:
    """What a search's JSON says of its trials."""
    counts, top, spent = count(study), best(study), costs(study, request.spec.system)
    states = {
        "complete": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
    }

    numbers = {"asked": request.trials, **{name: counts[state] for name, state in states.items()}}
    values = None if top is None else dict(zip(request.metrics, top.values, strict=True))
    found = None if top is None else {"trial": top.number, "values": values, "params": top.params}

    return {"study": request.study, "trials": numbers, "training": asdict(spent), "best": found}
