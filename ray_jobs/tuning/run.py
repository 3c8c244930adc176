"""A search from its first check to the registered model, top to bottom.

Checks; the study, opened by its one driver (:mod:`guard`); stages that all trials share; trials,
each proposed (:mod:`propose`), run (:mod:`trial`) and told to the study; the best point trained at
full length; everything in MLflow (:mod:`record`).
"""

from __future__ import annotations

import functools
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import click
from optuna.trial import TrialState
from ray.tune.schedulers import FIFOScheduler

from ray_jobs.cluster.resources import Resources, check_bundles, num_places
from ray_jobs.cluster.session import folder_beside
from ray_jobs.cluster.waiting import StageTimeout, await_first_node
from ray_jobs.tuning import guard
from ray_jobs.tuning import settings as tune_settings
from ray_jobs.tuning.executor import TaskExecutor
from ray_jobs.tuning.pictures import draw
from ray_jobs.tuning.progress import SearchCallback, SearchProgress
from ray_jobs.tuning.propose import MAX_RESTARTS, Halving, StudySearcher
from ray_jobs.tuning.record import SearchRecord
from ray_jobs.tuning.settings import Search, TuneSettings
from ray_jobs.tuning.study import (
    best,
    costs,
    count,
    enqueue_first,
    num_finished,
    open_study,
    open_warm,
)
from ray_jobs.tuning.trial import TrialPlan, fit_fixed_stages, plan_trials, run_trial
from scgan import systems
from scgan.cli import commands, console
from scgan.config import override
from scgan.data.split import validation_split
from scgan.metrics.scores import Score
from scgan.pipeline import run as pipeline
from scgan.pipeline.listeners import Listener, added
from scgan.pipeline.spec import Spec
from scgan.report.page import publish
from scgan.store.artifacts import ArtifactStore, digest
from scgan.store.opening import sqlite_uri
from scgan.tracking.tracker import MLflowTracker

ENVIRONMENT: Mapping[str, str] = {  # the study is the one record: no snapshots, no result files
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def search(
    spec: Spec,
    settings: TuneSettings,
    store_url: str,
    resources: Resources | None = None,
    *,
    as_json: bool = False,
) -> bool:
    """Run a search to its end: trials, the best one trained at full length, everything in MLflow.

    Args:
        spec: The run at full length whose settings are searched.
        settings: How.
        store_url: Where artifacts lie.
        resources: Of what no trial trains.
        as_json: End with one JSON object.

    Returns:
        Whether enough trials succeeded.

    Raises:
        ValueError: For anything wrong in what is asked for, before any trial.
    """
    # Everything that can be wrong is found before anything is started.
    settings, spec, space = tune_settings.resolve(settings, spec)
    whole = pipeline.prepare(spec)
    settings = tune_settings.with_metrics(settings, spec, whole)
    commands.check_scorable(whole)
    data = validation_split(whole, settings.validation, spec.seed)
    tune_settings.check_space(tune_settings.trial_spec(spec, settings), space, data)
    store, executor = ArtifactStore(store_url), TaskExecutor(resources or Resources())
    name, warm = str(settings.study), None

    if settings.warm_start:
        warm = open_warm(settings.warm_start, settings.database(settings.warm_start, store_url))

    database = settings.database(name, store_url)
    common = tune_settings.description(spec, space, settings, store_url)
    opened = functools.partial(open_study, database, name, common, settings.metric, spec.seed)

    with guard.guarded(database, name, opened) as study:
        asked = Search(spec, space, settings, whole, data, store, study, database, executor)
        plan = plan_trials(asked)
        if num_missing(asked) > 0:
            asked = _joined(asked)

        enqueue_first(study, space, plan.spec.config, settings.trials, warm)
        tracker = open_tracker(store_url)
        with open_record(asked, tracker) as record:
            _run_trials(asked, plan, record)
            scores = _train_best(asked, tracker, record, as_json=as_json)
            enough = _enough(asked)
            held_out = {name: score.value for name, score in scores.items()}
            status = "FINISHED" if enough else "FAILED"
            record.finish(draw(study, asked.metrics), held_out, status)

    return enough


def _joined(search: Search) -> Search:
    """Join the cluster, and fill in what depends on it.

    Raises:
        ValueError: If it can't hold a trial, not when grown either.
    """
    guard.join()
    resources = search.executor.resources
    await_first_node(resources, search.executor.started)
    settings = search.settings.with_gpus(resources)
    check_bundles(settings.bundles, resources, "lower --cpus, --gpus or --workers")
    return replace(search, settings=settings)


def num_missing(search: Search) -> int:
    """How many trials have not ended, of those asked for."""
    return search.settings.trials - num_finished(search.study)


def open_tracker(store_url: str) -> MLflowTracker:
    """The way to MLflow: the address of the environment, else a file in or beside the store.

    Raises:
        ValueError: If MLflow can't be used.
    """
    database = folder_beside(store_url) / "mlflow.db"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(database)
    with guard.machine_lock(uri):  # a new experiment is made by one
        return MLflowTracker.open(uri)


def open_record(search: Search, tracker: MLflowTracker) -> SearchRecord:
    """The search's entry in MLflow, begun."""
    record = SearchRecord(search, tracker.client, tracker.experiment_id)
    record.begin()
    return record


def _run_trials(search: Search, plan: TrialPlan, record: SearchRecord) -> None:
    """Fit what all trials share, then run those that are missing."""
    if num_missing(search) > 0:
        start = time.monotonic()
        with guard.machine_lock(f"{search.store.url} {search.data.fingerprint}"):
            fit_fixed_stages(search, plan)

        with SearchProgress(search.study, search.settings.trials, search.metrics[0]) as shown:
            callback = SearchCallback(search.store, shown, record.sync, search.executor.meter)
            run_missing_trials(search, plan, callback)

        before = search.study.user_attrs.get("seconds", 0.0)
        search.study.set_user_attr("seconds", before + time.monotonic() - start)

    record.sync()


def run_missing_trials(search: Search, plan: TrialPlan, callback: SearchCallback) -> None:
    """Have Tune run the trials that are missing, as many at a time as the cluster holds when grown.

    Raises:
        KeyboardInterrupt: If a person stopped it.
    """
    os.environ |= ENVIRONMENT
    # It misses files that the study is instead of, and shows tracebacks of failures whose causes
    # the study has.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)

    resources, bundles = search.executor.resources, search.settings.bundles
    waiting = StageTimeout("the first trial", resources, search.executor.started, bundles)
    waiting.await_room(lambda: None)
    places = num_places(bundles[0], resources) // len(bundles)
    most = int(places) + 1  # one waits, so that no place does

    # Trials in flight when Ray killed a worker for memory are tried again one at a time.
    suspects = 0
    while (missing := num_missing(search)) > 0:
        num = min(suspects, missing) or missing
        searcher = StudySearcher(search, callback.error_of)
        at_once = 1 if suspects else most
        fit = functools.partial(_fit_with_tune, search, plan, searcher, callback, num, at_once)

        if (killed := guard.memory_kill(fit)) is not None:
            suspects = searcher.record_memory_kill(killed)
            continue

        if num_missing(search) > missing - num:
            raise KeyboardInterrupt

        suspects = 0


def _fit_with_tune(
    search: Search,
    plan: TrialPlan,
    searcher: StudySearcher,
    callback: SearchCallback,
    num_trials: int,
    at_once: int,
) -> None:
    from ray import tune

    scheduler = FIFOScheduler()
    if plan.rungs:
        scheduler = Halving(search.metrics[0], plan.rungs)
        scheduler.remember(search.study)

    bundles = tune.PlacementGroupFactory(search.settings.bundles)
    trainable = tune.with_parameters(run_trial, plan=plan)

    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_resources(trainable, bundles),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=num_trials,
                max_concurrent_trials=at_once,  # and, for a cluster to grow, as many that wait
                reuse_actors=True,  # a new process for each trial would spend seconds on imports
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=f"search-{digest(search.name)[:8]}",
                storage_path=folder,
                callbacks=[callback],
                failure_config=tune.FailureConfig(max_failures=MAX_RESTARTS),
                verbose=0,
            ),
        ).fit()


def _train_best(
    search: Search, tracker: MLflowTracker, record: SearchRecord, *, as_json: bool
) -> dict[str, Score]:
    """Train the best point at full length, score it on the held-out rows, register and tell it.

    Returns:
        The scores; none where no trial is complete.
    """
    for line in costs(search.study).lines():
        click.echo(line, err=True)

    top = best(search.study)
    if top is None:
        if as_json:
            commands.show_scores({}, search.name, as_json=True, **_told(search))
        return {}

    point = "  ".join(f"{key}={value}" for key, value in top.params.items())
    value = f"{search.metrics[0]} {top.values[0]:.4g}"
    click.echo(f"best: trial {top.number}, {value}: {point}", err=True)

    spec = replace(search.spec, config=override(search.spec.config, top.params))
    systems.load(spec.system).check(spec.config, search.whole)
    terminal = console.Terminal()
    listeners: list[Listener] = [terminal, tracker, *added()]
    outcome = pipeline.run(
        spec, search.whole, search.store, search.executor, listeners, pictures=True
    )
    report = publish(outcome, search.store, tracker)
    record.adopt(tracker.run_id, spec.run_id)
    version = record.register(search.name, spec.run_id)
    terminal.say_time()

    where = {"run": spec.run_id, "store": search.store.url, "report": report}
    told = {**where, "registered_version": version, **_told(search)}
    commands.show_scores(outcome.scores, spec.run_id, as_json, **told)
    if not as_json:
        if version:
            click.echo(f"registered as models:/{search.name}@best (version {version})")
        click.echo(f"report:  {report}\ncompare: {tracker.address}")

    return dict(outcome.scores)


def _told(search: Search) -> dict[str, Any]:
    """What a search's JSON says of its trials."""
    counts, top = count(search.study), best(search.study)
    numbers = {
        "asked": search.settings.trials,
        "complete": counts[TrialState.COMPLETE],
        "pruned": counts[TrialState.PRUNED],
        "failed": counts[TrialState.FAIL],
    }

    found = None
    if top is not None:
        values = dict(zip(search.metrics, top.values, strict=True))
        found = {"trial": top.number, "values": values, "params": top.params}

    training = asdict(costs(search.study))
    return {"study": search.name, "trials": numbers, "training": training, "best": found}


def _enough(search: Search) -> bool:
    """Whether few enough trials failed; says why they did."""
    finished = num_finished(search.study)
    failed = search.study.get_trials(deepcopy=False, states=[TrialState.FAIL])

    if failed:
        causes = sorted({trial.user_attrs.get("cause", "") for trial in failed} - {""})
        first = f"the first of {len(causes)} causes: {causes[0]}"
        click.echo(f"{len(failed)} of {finished} trials failed, {first}", err=True)

    return len(failed) <= search.settings.max_failed * finished and best(search.study) is not None
