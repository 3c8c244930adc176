"""Tune, set up so that the study is the one record: no snapshots, no files of results, workers used again."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import optuna
import ray
from ray.tune.schedulers import FIFOScheduler

from ray_jobs.cluster.meter import Meter
from ray_jobs.tuning.halving import Halving
from ray_jobs.tuning.lease import Lease
from ray_jobs.tuning.request import RUNG_FACTOR, Request
from ray_jobs.tuning.study import MAX_RESTARTS, StudySearch, num_missing
from ray_jobs.tuning.trials import TrialPlan, run_trial
from ray_jobs.tuning.watch import Board, Watch
from scgan.data.dataset import Dataset
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import ArtifactStore, digest

ENVIRONMENT: Mapping[str, str] = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial reports its cause and no metric
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def run_trials(
    request: Request,
    study: optuna.Study,
    lease: Lease,
    plan: TrialPlan,
    data: Dataset,
    sync: Callable[[Usage | None], None],
    meter: Meter,
) -> None:
    """Have Tune run the trials that are missing, as many at a time as the cluster holds.

    Args:
        request: What is asked for.
        study: Where trials are kept.
        lease: This driver's.
        plan: What the trials have in common.
        data: Training and validation rows.
        sync: Brings MLflow up to the study.
        meter: Reads what the search holds.

    Raises:
        KeyboardInterrupt: If a person stopped it.
    """
    from ray import tune

    os.environ |= ENVIRONMENT

    # It misses files that the study is instead of, and shows tracebacks of failures whose causes
    # the study has.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with Board(study, request.trials, request.metrics[0]) as board:
        store = ArtifactStore(request.store_url, probe=False)
        watch = Watch(store, lease, board, sync, meter)
        trainable = tune.with_parameters(run_trial, plan=plan, data=data)

        # trials in flight when Ray killed a worker for memory: these are tried again one at a time
        suspects = 0
        while (missing := num_missing(study, request.trials)) > 0:
            trials = min(suspects, missing) or missing
            searcher = StudySearch(
                study, request.space, request.metrics, watch.error_of, 1 if suspects else None
            )

            try:
                _fit(request, trainable, searcher, _scheduler(request, study, plan), watch, trials)
            except RuntimeError as error:  # any of its own that Tune does not know
                if not isinstance(error.__cause__, ray.exceptions.OutOfMemoryError):
                    raise

                suspects = searcher.bear_memory_kill(str(error.__cause__))
                continue

            if num_missing(study, request.trials) > missing - trials:
                raise KeyboardInterrupt

            suspects = 0


def _fit(
    request: Request,
    trainable: Any,
    searcher: StudySearch,
    scheduler: FIFOScheduler,
    watch: Watch,
    trials: int,
) -> None:
    """Have Tune run so many trials."""
    from ray import tune

    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_resources(trainable, tune.PlacementGroupFactory(request.bundles)),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=trials,
                reuse_actors=True,  # a new process for each trial would spend seconds on imports
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=f"search-{digest(request.study)[:8]}",
                storage_path=folder,
                callbacks=[watch],
                failure_config=tune.FailureConfig(max_failures=MAX_RESTARTS),
                verbose=0,
            ),
        ).fit()


def _scheduler(request: Request, study: optuna.Study, plan: TrialPlan) -> FIFOScheduler:
    """Halving that knows what earlier calls' trials had at the rungs, or none."""
    if not request.asha:
        return FIFOScheduler()
    halving = Halving(request.metrics[0], plan.rungs, RUNG_FACTOR)
    halving.remember(study)
    return halving
