"""What is trained: stages that all trials share, and a trial's own, the last one in pieces."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import torch
from typing_extensions import override

from ray_jobs.cluster.group import DeadHelper, fit_units, run_in_group, runtime_here
from scgan import systems
from scgan.config import leaves
from scgan.config import override as changed
from scgan.contract import Units
from scgan.data.dataset import Dataset
from scgan.metrics.objectives import measure
from scgan.pipeline.executor import Job, Reporter
from scgan.pipeline.listeners import Listener
from scgan.pipeline.run import fit_stages
from scgan.pipeline.spec import Spec
from scgan.space import Space
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.training.loop import NonFiniteLoss
from scgan.training.runtime import Progress, Runtime, StoredCheckpoints

if TYPE_CHECKING:
    from ray_jobs.tuning.settings import Search

LENGTH = "num_samples"  # the setting of every training's length
RUNG_FACTOR = 3  # of halving: a third of the trials goes on from each rung, three times as long
NUM_RUNGS = 2  # before the end


@dataclass(frozen=True)
class TrialPlan:
    """What all trials of a search have in common, for their processes.

    Args:
        spec: The run that a trial's point changes.
        data: Training and validation rows.
        store_url: Where artifacts lie.
        metrics: What is searched for.
        stage: Name of the stage that is trained in pieces.
        total: Samples of that stage in all.
        rungs: Samples of it after which a trial is scored and may be stopped.
        workers: That train a trial together.
    """

    spec: Spec
    data: Dataset
    store_url: str
    metrics: tuple[str, ...]
    stage: str
    total: int
    rungs: tuple[int, ...]
    workers: int = 1


def plan_trials(search: Search) -> TrialPlan:
    """Find out which stage is trained in pieces, and where its rungs are.

    Raises:
        ValueError: If trials are to be stopped early, and there can be no rungs.
    """
    spec, settings = search.trial_spec, search.settings
    stage, length = last_training(spec, search.data)
    total = dict(leaves(spec.config)).get(length, 1)
    rungs: tuple[int, ...] = ()

    if settings.stops_early:
        least = RUNG_FACTOR**NUM_RUNGS
        if length in search.space or total < least:
            raise ValueError(
                f"early stopping needs a fixed {length} of at least {least}; give --stop none"
            )

        first = math.ceil(total / least)
        rungs = tuple(first * RUNG_FACTOR**i for i in range(NUM_RUNGS))

    return TrialPlan(
        spec,
        search.data,
        search.store.url,
        search.metrics,
        stage,
        total,
        rungs,
        settings.workers,
    )


def last_training(spec: Spec, data: Dataset) -> tuple[str, str]:
    """What a trial spends its time on: the last data-parallel stage that has a length.

    Args:
        spec: The run.
        data: Its data.

    Returns:
        The stage's name and the key of its length, which is in a section that no earlier stage
        reads; a system without such a stage has its last one, and a key that no setting has.
    """
    known = {key for key, _ in leaves(spec.config)}
    stages = systems.load(spec.system).stages(data)
    found, read = (stages[-1].name, f"{stages[-1].name}.{LENGTH}"), set[str]()

    for stage in stages:
        own = [f"{section}.{LENGTH}" for section in stage.sections if section not in read]
        read |= set(stage.sections)
        lengths = [key for key in own if key in known]
        if stage.data_parallel and lengths:
            found = stage.name, lengths[-1]

    return found


class Account(Listener):
    """Keeps a trial's stages: artifacts, keys, seconds of what was trained, and in loops alone."""

    def __init__(self) -> None:
        self.artifacts: dict[str, Artifact] = {}
        self.keys: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.loops: dict[str, float] = {}
        self.part = ""

    @override
    def progress(self, stage: str, progress: Progress) -> None:
        self.loops[stage] = progress.seconds

    @override
    def stage_finished(self, stage: str, artifact: Artifact, seconds: float | None) -> None:
        self.artifacts[stage] = artifact

    def text(self) -> str:
        """What the study keeps, as JSON."""
        return json.dumps({"keys": self.keys, "seconds": self.seconds, "part": self.part})


def fixed_stages(spec: Spec, data: Dataset, space: Space) -> tuple[str, ...]:
    """Names of the stages that no searched setting touches, directly or by a stage they need."""
    sections = {key.partition(".")[0] for key in space}
    touched, fixed = set[str](), []
    for stage in systems.load(spec.system).stages(data):
        if sections & set(stage.sections) or touched & set(stage.needs):
            touched.add(stage.name)
        else:
            fixed.append(stage.name)
    return tuple(fixed)


def fit_fixed_stages(search: Search, plan: TrialPlan) -> None:
    """Fit what all trials share, once, before them."""
    fixed = fixed_stages(plan.spec, search.data, search.space)
    if not fixed:
        return

    account = Account()
    shared = dict(search.study.user_attrs.get("shared", {}))
    fitted = fit_stages(
        plan.spec, search.data, search.store, search.executor, [account], only=fixed
    )

    for name, stage in fitted.items():
        if stage.new:
            shared[stage.key] = account.loops.get(name, stage.seconds)
            click.echo(f"{name}: fitted once for all trials, {stage.seconds:.1f} s", err=True)
        else:
            click.echo(f"{name}: from the store", err=True)

    search.study.set_user_attr("shared", shared)


class StepwiseExecutor:
    """Fits units here, with the trial's other workers; one stage in pieces, each scored.

    Args:
        plan: The search's.
        account: Where keys and seconds are kept.
        score: Called at each rung with the samples seen and what the stage has made so far.
    """

    def __init__(
        self, plan: TrialPlan, account: Account, score: Callable[[int, Artifact], None]
    ) -> None:
        self.plan, self.account, self.score = plan, account, score
        self.runtime = runtime_here()

    def warm_up(self) -> None:
        """Nothing to begin."""

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Fit every unit as one part."""
        self.account.keys |= {**job.provenance["upstream"], job.stage: job.key}
        if job.stage == self.plan.stage:
            self._fit_to_the_rungs(job, units)
        self._timed(job, lambda: fit_units(job, units, self.plan.workers, self.runtime))

    def _fit_to_the_rungs(self, job: Job, units: Units) -> None:
        store = ArtifactStore(job.store_url, probe=False)
        self.account.part = job.part_key(units)
        checkpoints = StoredCheckpoints(store, f"{self.account.part}.checkpoint")
        saved = checkpoints.load()
        seen = saved.meta["samples"] if saved else 0
        workers = self.plan.workers if job.definition.data_parallel else 1

        for rung in self.plan.rungs:
            if rung < seen:  # scored before this trial was interrupted
                continue

            def fit(at: Runtime, rung: int = rung) -> Artifact:
                at = replace(at, checkpoints=checkpoints, until=rung)
                return job.definition.fit(job.config, units, job.inputs, at)

            part = self._timed(job, partial(run_in_group, fit, workers, self.runtime))
            part = Artifact(part.tensors, {**part.meta, "units": list(units)})
            self.score(rung, job.definition.merge([part]))

    def _timed(self, job: Job, fit: Callable[[], Any]) -> Any:
        start = time.monotonic()
        try:
            return fit()
        finally:
            before = self.account.seconds.get(job.stage, 0.0)
            self.account.seconds[job.stage] = before + time.monotonic() - start


def run_trial(point: dict[str, Any], *, plan: TrialPlan) -> None:
    """Train and score one point; called by Tune, in a worker of its own.

    What goes wrong is reported as the trial's ``cause``, so that only a dead worker is Tune's to
    notice: it begins the trial again.

    Args:
        point: Values of the searched settings.
        plan: The rest.
    """
    from ray import tune

    torch.set_num_threads(1)  # as everywhere: small networks crawl with more
    store = ArtifactStore(plan.store_url, probe=False)
    account = Account()

    try:
        spec = replace(plan.spec, config=changed(plan.spec.config, point))
        scores = _train(spec, plan, store, account)
        told = {"account": account.text(), "scores": json.dumps(scores)}
        tune.report({"samples": plan.total, "final": True, **told, **scores})
    except DeadHelper:
        raise
    except Exception as error:
        if account.part:
            store.delete(f"{account.part}.checkpoint")
        tune.report({"cause": cause_of(error), "account": account.text()})


def _train(spec: Spec, plan: TrialPlan, store: ArtifactStore, account: Account) -> dict[str, float]:
    """Fit a trial's stages, reporting what is searched for at each rung, and score the result."""
    from ray import tune

    system, data = systems.load(spec.system), plan.data
    system.check(spec.config, data)
    objectives = system.objectives(data)
    searched = {name: objectives[name] for name in plan.metrics}

    def report_rung(rung: int, artifact: Artifact) -> None:
        artifacts = {**account.artifacts, plan.stage: artifact}
        model = system.model(spec.config, artifacts, executor.runtime.device)
        values = measure(model, data, searched, spec.seed)
        tune.report({"samples": rung, "account": account.text(), **values})

    executor = StepwiseExecutor(plan, account, report_rung)
    fitted = fit_stages(spec, data, store, executor, [account])
    account.keys = {name: stage.key for name, stage in fitted.items()}
    model = system.model(spec.config, account.artifacts, executor.runtime.device)

    return measure(model, data, objectives, spec.seed)


CAUSES: Mapping[str, tuple[type[BaseException], ...]] = {
    "not a number": (NonFiniteLoss, FloatingPointError),
    "out of memory": (MemoryError, torch.OutOfMemoryError),
}


def cause_of(error: BaseException) -> str:
    """Why a trial failed, in one line."""
    text = " ".join(str(error).split())[:400]
    for cause, kinds in CAUSES.items():
        if isinstance(error, kinds):
            return f"{cause}: {text or type(error).__name__}"
    return f"error: {type(error).__name__}: {text}"
