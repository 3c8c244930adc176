"""Tune, set up so that the study is the one record: no snapshots, no files of results, workers used again."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import optuna
import ray

from ray_jobs.tuning.claims import Claims
from ray_jobs.tuning.lease import Lease
from ray_jobs.tuning.request import RUNG_FACTOR, Request
from ray_jobs.tuning.study import FINISHED, StudySearch, num_missing
from ray_jobs.tuning.trials import TrialPlan, run_trial
from ray_jobs.tuning.watch import Board, Watch
from scgan.artifacts import ArtifactStore, digest
from scgan.data.dataset import Dataset

ENVIRONMENT: Mapping[str, str] = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial reports its cause and no metric
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def run_trials(
    request: Request, study: optuna.Study, lease: Lease, plan: TrialPlan, data: Dataset, sync: Callable[[], None]
) -> None:
    """Have Tune run the trials that are missing, as many at a time as the cluster holds.

    Args:
        request: What is asked for.
        study: Where trials are kept.
        lease: This driver's.
        plan: What the trials have in common.
        data: Training and validation rows.
        sync: Brings MLflow up to the study.

    Raises:
        KeyboardInterrupt: If a person stopped it.
    """
    from ray import tune

    os.environ |= ENVIRONMENT
    # It misses files that the study is instead of, and shows tracebacks of failures whose causes the study has.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    claims = ray.remote(num_cpus=0)(Claims).remote()
    with Board(study, request.trials, request.metrics[0]) as board, tempfile.TemporaryDirectory() as folder:
        watch = Watch(claims, ArtifactStore(request.store_url), lease, board, sync)
        trainable = tune.with_parameters(run_trial, plan=plan, data=data, claims=claims)
        tuner = tune.Tuner(
            tune.with_resources(trainable, tune.PlacementGroupFactory(request.bundles)),
            tune_config=tune.TuneConfig(
                search_alg=StudySearch(study, request.space, request.metrics, watch.error_of),
                scheduler=_scheduler(request, study, plan),
                num_samples=num_missing(study, request.trials),
                reuse_actors=True,  # a new process for each trial would spend seconds on imports
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=f"search-{digest(request.study)[:8]}",
                storage_path=folder,
                callbacks=[watch],
                failure_config=tune.FailureConfig(max_failures=0),
                verbose=0,
            ),
        )
        tuner.fit()
    if num_missing(study, request.trials) > 0:
        raise KeyboardInterrupt


def _scheduler(request: Request, study: optuna.Study, plan: TrialPlan) -> Any:
    """ASHA that knows what earlier calls' trials had at the rungs, or none."""
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    if not request.asha:
        return FIFOScheduler()
    (metric,) = request.metrics
    asha = ASHAScheduler(
        time_attr="samples",
        metric=metric,
        mode="min",
        max_t=plan.total,
        grace_period=plan.rungs[0],
        reduction_factor=RUNG_FACTOR,
    )
    for trial in study.get_trials(deepcopy=False, states=FINISHED):
        before: Any = SimpleNamespace(trial_id=f"trial {trial.number}")
        asha.on_trial_add(None, before)
        for samples, value in sorted(trial.intermediate_values.items()):
            asha.on_trial_result(None, before, {"samples": samples, metric: value})
    return asha
