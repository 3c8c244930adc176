"""A search from its first check to the registered model."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any, cast

import click
import optuna
import ray

from ray_jobs.cluster.executor import RayExecutor, new_board
from ray_jobs.cluster.meter import Meter
from ray_jobs.cluster.resources import Resources
from ray_jobs.cluster.session import connect
from ray_jobs.tuning.final import train_best
from ray_jobs.tuning.lease import Lease, one_at_a_time
from ray_jobs.tuning.pictures import draw
from ray_jobs.tuning.record import SearchRecord
from ray_jobs.tuning.request import Request
from ray_jobs.tuning.running import run_trials
from ray_jobs.tuning.study import FINISHED, begin, best, count, num_missing, open_study, open_warm
from ray_jobs.tuning.trials import Account, TrialPlan
from scgan import systems
from scgan.cli import commands
from scgan.config import leaves
from scgan.contract import Units
from scgan.data.dataset import Dataset
from scgan.pipeline import executor as execution
from scgan.pipeline import run as pipeline
from scgan.space import Space, describe, validation_split
from scgan.store.artifacts import ArtifactStore
from scgan.tracking.tracker import MLflowTracker

TERMINATED = 128 + signal.SIGTERM  # a shell's exit code of a process that SIGTERM ended

_terminated = threading.Event()


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
    commands.check_scorable(whole)
    data = validation_split(whole, request.validation, request.spec.seed)
    plan = request.plan()
    request.check_space(data)
    store = ArtifactStore(request.store_url)

    warm = (
        open_warm(request.warm_start, request.database(request.warm_start))
        if request.warm_start
        else None
    )

    database = request.database(request.study)
    with one_at_a_time(database):
        study = open_study(
            database, request.study, request.description(), request.metrics, request.spec.seed
        )

    if num_missing(study, request.trials) > 0:
        join()
        request.check_resources()

    lease = Lease(study, database)
    lease.take()

    try:
        begin(study, request.space, plan.spec.config, request.trials, warm)
        tracker = open_tracker(request)
        record = open_record(request, study, store, tracker)
        return _search(request, study, lease, record, tracker, plan, data)
    except SystemExit as end:
        if not _terminated.is_set():
            raise

        click.echo("stopped; the same command goes on", err=True)
        raise SystemExit(
            TERMINATED
        ) from end  # where Ray was being waited for, it has made the code 1
    finally:
        lease.give_back()


def join() -> None:
    """Join the cluster; from then on SIGTERM ends this process as Ctrl-C does, its entries closed, with 143."""
    if connect():

        def end(*signal_and_frame: Any) -> None:
            _terminated.set()
            raise SystemExit(TERMINATED)

        signal.signal(signal.SIGTERM, end)  # Ray has just set its own, which exits with 15


def _search(
    request: Request,
    study: optuna.Study,
    lease: Lease,
    record: SearchRecord,
    tracker: MLflowTracker,
    plan: TrialPlan,
    data: Dataset,
) -> bool:
    meter, store = Meter(request.resources.prices), record.store
    try:
        if num_missing(study, request.trials) > 0:
            start = time.monotonic()
            with one_at_a_time(f"{store.url} {data.fingerprint}"):
                fit_fixed_stages(request, study, plan, data, meter)
            run_trials(request, study, lease, plan, data, record.sync, meter)

            seconds = study.user_attrs.get("seconds", 0.0) + time.monotonic() - start
            study.set_user_attr("seconds", seconds)

        record.sync()
        scores = train_best(request, study, record, tracker, TaskExecutor(request.resources, meter))
    except BaseException as error:
        record.close("FAILED" if isinstance(error, Exception) else "KILLED")
        raise

    enough = _enough(request, study)
    held_out = {name: score.value for name, score in scores.items()}
    record.finish(draw(study, request.metrics), held_out, "FINISHED" if enough else "FAILED")

    return enough


def open_tracker(request: Request) -> MLflowTracker:
    """The way to MLflow: the address of the environment, else a file beside the store.

    Raises:
        ValueError: If MLflow can't be used.
    """
    default = f"sqlite:///{commands.folder_of(request.store_url) / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or default
    with one_at_a_time(uri):
        return MLflowTracker.open(uri)


def open_record(
    request: Request, study: optuna.Study, store: ArtifactStore, tracker: MLflowTracker
) -> SearchRecord:
    """The search's entry in MLflow, begun."""
    record = SearchRecord(tracker.client, tracker.experiment_id, study, request.metrics, store)
    settings = {
        key: value for key, value in leaves(request.trial_spec().config) if key not in request.space
    }

    about = {
        "system": request.spec.system,
        "data.source": request.spec.data.source,
        "seed": request.spec.seed,
    }

    shown = {
        "metrics": ", ".join(request.metrics),
        "length": request.length,
        "validation": request.validation,
    }

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
        meter: The search's.
    """

    def __init__(self, resources: Resources, meter: Meter) -> None:
        self.resources, self.meter = resources, meter

    def warm_up(self) -> None:
        """Connect, if the search has not."""
        join()

    def fit(self, job: execution.Job, units: Units, report: execution.Reporter) -> None:
        """Have every unit fitted and stored."""
        join()
        executor = RayExecutor(self.resources, meter=self.meter)
        if job.definition.data_parallel and executor.plan.num_workers > 1:
            executor.fit(job, units, report)
        else:
            board = new_board()
            executor.run_tasks(ray.put(job), executor.packs(units), board, report)


def fit_fixed_stages(
    request: Request, study: optuna.Study, plan: TrialPlan, data: Dataset, meter: Meter
) -> None:
    """Fit what all trials share, once, before them."""
    fixed = fixed_stages(plan.spec.system, request.space)
    if not fixed:
        return

    store, account = ArtifactStore(request.store_url, probe=False), Account()
    shared = dict(study.user_attrs.get("shared", {}))
    executor, listener = TaskExecutor(request.resources, meter), cast(pipeline.Listener, account)
    fitted = pipeline.fit_stages(plan.spec, data, store, executor, [listener], only=fixed)

    for name, stage in fitted.items():
        if stage.new:
            shared[stage.key] = account.loops.get(name, stage.seconds)

        how = (
            f"fitted once for all trials, {stage.seconds:.1f} s" if stage.new else "from the store"
        )
        click.echo(f"{name}: {how}", err=True)

    study.set_user_attr("shared", shared)


def _enough(request: Request, study: optuna.Study) -> bool:
    counts = count(study)
    finished, failed = (
        sum(counts[state] for state in FINISHED),
        counts[optuna.trial.TrialState.FAIL],
    )

    if failed:
        causes = sorted(
            {t.user_attrs.get("cause", "") for t in study.get_trials(deepcopy=False)} - {""}
        )
        click.echo(
            f"{failed} of {finished} trials failed, the first of {len(causes)} causes: {causes[0]}",
            err=True,
        )

    return failed <= request.max_failed * finished and best(study) is not None
