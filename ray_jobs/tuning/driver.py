"""A search from its first check to the registered model."""

from __future__ import annotations

import os
from dataclasses import replace

import click
import optuna
import ray

from ray_jobs.executor import Board, RayExecutor, Report
from ray_jobs.resources import Resources
from ray_jobs.session import connect
from ray_jobs.tuning.costs import costs
from ray_jobs.tuning.lease import Lease
from ray_jobs.tuning.pictures import draw
from ray_jobs.tuning.record import SearchRecord
from ray_jobs.tuning.request import Request
from ray_jobs.tuning.running import run_trials
from ray_jobs.tuning.study import FINISHED, begin, best, count, num_missing, open_study, open_warm
from ray_jobs.tuning.trials import TrialPlan
from scgan import commands, execution, pipeline, systems
from scgan.artifacts import ArtifactStore
from scgan.config import leaves, override
from scgan.data.dataset import Dataset
from scgan.search import Space, describe, validation_split
from scgan.systems.base import Units


def search(request: Request) -> bool:
    """Run a search to its end: trials, the best one trained at full length, everything in MLflow.

    Args:
        request: What is asked for.

    Returns:
        Whether enough trials succeeded.

    Raises:
        ValueError: For anything wrong in the request, before any trial.
    """
    whole = pipeline.prepare(request.spec)
    data = validation_split(whole, request.validation, request.spec.seed)
    plan = request.plan()
    request.check_space(data)
    store = ArtifactStore(request.store_url)
    warm = open_warm(request.warm_start, request.database(request.warm_start)) if request.warm_start else None
    study = open_study(
        request.database(request.study), request.study, request.description(), request.metrics, request.spec.seed
    )
    if num_missing(study, request.trials) > 0:
        connect()
        request.check_resources()
    lease = Lease(study, request.database(request.study))
    lease.take()
    try:
        begin(study, request.space, plan.spec.config, request.trials, warm)
        record = open_record(request, study, store)
        return _search(request, study, lease, record, plan, data)
    finally:
        lease.give_back()


def _search(
    request: Request, study: optuna.Study, lease: Lease, record: SearchRecord, plan: TrialPlan, data: Dataset
) -> bool:
    try:
        if num_missing(study, request.trials) > 0:
            fit_fixed_stages(request, study, plan, data)
            run_trials(request, study, lease, plan, data, record.sync)
        record.sync()
        for line in costs(study, request.spec.system):
            click.echo(line, err=True)
        scores = _train_best(request, study, record)
    except BaseException as error:
        record.close("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    enough = _enough(request, study)
    record.finish(draw(study, request.metrics), scores, "FINISHED" if enough else "FAILED")
    return enough


def open_record(request: Request, study: optuna.Study, store: ArtifactStore) -> SearchRecord:
    """The search's entry in MLflow, begun.

    Raises:
        ValueError: If MLflow can't be used.
    """
    from scgan.tracking import MLflowTracker

    default = f"sqlite:///{commands.folder_of(request.store_url) / 'mlflow.db'}"
    tracker = MLflowTracker.open(os.environ.get("MLFLOW_TRACKING_URI") or default)
    record = SearchRecord(tracker.client, tracker.experiment_id, study, request.metrics, store)
    settings = {key: value for key, value in leaves(request.trial_spec().config) if key not in request.space}
    about = {"system": request.spec.system, "data.source": request.spec.data.source, "seed": request.spec.seed}
    shown = {"metrics": ", ".join(request.metrics), "length": request.length, "validation": request.validation}
    space = {f"space.{key}": domain for key, domain in describe(request.space).items()}
    record.begin({**about, **shown, **space, **settings})
    return record


def fixed_stages(system: str, space: Space) -> tuple[str, ...]:
    """Names of the stages that no searched setting touches, directly or through a stage they need."""
    sections = {key.partition(".")[0] for key in space}
    touched: set[str] = set()
    for stage in systems.load(system).stages:
        if sections & set(stage.sections) or touched & set(stage.needs):
            touched.add(stage.name)
    return tuple(stage.name for stage in systems.load(system).stages if stage.name not in touched)


class TaskExecutor:
    """Fits on the cluster; a stage that one worker trains in a plain task, without the start of a worker group.

    Args:
        resources: What a run may take.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    def warm_up(self) -> None:
        """Connect, if the search has not."""
        connect()

    def fit(self, job: execution.Job, units: Units, report: Report) -> None:
        """Have every unit fitted and stored."""
        connect()
        executor = RayExecutor(self.resources)
        if job.definition.data_parallel and executor.plan.num_workers > 1:
            executor.fit(job, units, report)
        else:
            board = ray.remote(num_cpus=0)(Board).remote()
            executor.run_tasks(ray.put(job), executor.packs(units), board, report)


def fit_fixed_stages(request: Request, study: optuna.Study, plan: TrialPlan, data: Dataset) -> None:
    """Fit what all trials share, once, before them."""
    fixed = fixed_stages(plan.spec.system, request.space)
    if not fixed:
        return
    store, shared = ArtifactStore(request.store_url), dict(study.user_attrs.get("shared", {}))
    fitted = pipeline.fit_stages(plan.spec, data, store, TaskExecutor(request.resources), only=fixed)
    for name, stage in fitted.items():
        if stage.new:
            shared[stage.key] = stage.seconds
        how = f"fitted once for all trials, {stage.seconds:.1f} s" if stage.new else "from the store"
        click.echo(f"{name}: {how}", err=True)
    study.set_user_attr("shared", shared)


def _train_best(request: Request, study: optuna.Study, record: SearchRecord) -> dict[str, float]:
    """Train the best point on all training rows at full length, score it on the held-out rows, and register it."""
    top = best(study)
    if top is None:
        return {}
    settings = "  ".join(f"{key}={value}" for key, value in top.params.items())
    click.echo(f"best: trial {top.number}, {request.metrics[0]} {top.values[0]:.4g}: {settings}", err=True)
    spec = replace(request.spec, config=override(request.spec.config, top.params))
    folder, executor = commands.folder_of(request.store_url), TaskExecutor(request.resources)
    outcome = commands.run_and_show(spec, request.store_url, executor, folder=folder, as_json=request.as_json)
    version = record.register(request.study, spec.run_id)
    if version is not None:
        click.echo(f"registered: models:/{request.study}@best (version {version})", err=True)
    return {name: score.value for name, score in outcome.scores.items()}


def _enough(request: Request, study: optuna.Study) -> bool:
    counts = count(study)
    finished, failed = sum(counts[state] for state in FINISHED), counts[optuna.trial.TrialState.FAIL]
    if failed:
        causes = sorted({t.user_attrs.get("cause", "") for t in study.get_trials(deepcopy=False)} - {""})
        click.echo(f"{failed} of {finished} trials failed, the first of {len(causes)} causes: {causes[0]}", err=True)
    return failed <= request.max_failed * finished and best(study) is not None
