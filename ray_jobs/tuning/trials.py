"""A trial: the stages of one point of the space, shared ones from the store, the last one scored at rungs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch

from ray_jobs.tuning.group import DeadHelper, fit_units, here, run_in_group
from scgan import systems
from scgan.config import override
from scgan.contract import Units
from scgan.data.dataset import Dataset
from scgan.metrics.objectives import measure
from scgan.pipeline.executor import Job, Reporter, Usage
from scgan.pipeline.run import Listener, fit_stages
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.training.loop import NonFiniteLoss
from scgan.training.runtime import Progress, Runtime, StoredCheckpoints


@dataclass(frozen=True)
class TrialPlan:
    """What all trials of a search have in common.

    Args:
        spec: The run that a trial's point changes.
        store_url: Where artifacts lie.
        metrics: What is searched for.
        rungs: Samples of the last stage after which a trial is scored and may be stopped.
        total: Samples of the last stage in all.
        workers: That train a trial together.
    """

    spec: Spec
    store_url: str
    metrics: tuple[str, ...]
    rungs: tuple[int, ...]
    total: int
    workers: int = 1

    @property
    def last_stage(self) -> str:
        """Name of the stage that is trained in pieces."""
        return systems.load(self.spec.system).stages[-1].name


class Account:
    """A listener that keeps a trial's stages: artifacts, keys, seconds of what was trained, and in loops alone."""

    def __init__(self) -> None:
        self.artifacts: dict[str, Artifact] = {}
        self.keys: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.loops: dict[str, float] = {}
        self.part = ""

    def stage_started(self, stage: str, num_units: int) -> None:
        """A stage begins to be trained."""

    def progress(self, stage: str, progress: Progress) -> None:
        """Keep the time in the loop, start-up apart."""
        self.loops[stage] = progress.seconds

    def units_fitted(self, stage: str, done: int, num_units: int) -> None:
        """Some units are fitted."""

    def resources_used(self, usage: Usage) -> None:
        """What a stage runs on."""

    def stage_finished(self, stage: str, artifact: Artifact, seconds: float | None) -> None:
        """Keep the artifact."""
        self.artifacts[stage] = artifact

    def text(self) -> str:
        """What the study keeps, as JSON."""
        return json.dumps({"keys": self.keys, "seconds": self.seconds, "part": self.part})


class StepwiseExecutor:
    """Fits units here, with the trial's other workers if it has any; the last stage in pieces, each looked at.

    Args:
        plan: The search's.
        account: Where keys and seconds are kept.
        look: Called at each rung with the samples seen and what the stage has made so far.
    """

    def __init__(
        self, plan: TrialPlan, account: Account, look: Callable[[int, Artifact], None]
    ) -> None:
        self.plan, self.account, self.look = plan, account, look
        self.runtime = here()

    def warm_up(self) -> None:
        """Nothing to begin."""

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Fit every unit as one part."""
        self.account.keys |= {**job.provenance["upstream"], job.stage: job.key}
        if job.stage == self.plan.last_stage:
            self._fit_to_the_rungs(job, units)
        self._timed(job, lambda: fit_units(job, units, self.plan.workers, self.runtime))

    def _fit_to_the_rungs(self, job: Job, units: Units) -> None:
        self.account.part = job.part_key(units)
        checkpoints = StoredCheckpoints(
            ArtifactStore(job.store_url, probe=False), f"{self.account.part}.checkpoint"
        )
        saved = checkpoints.load()
        seen = saved.meta["samples"] if saved else 0

        for rung in self.plan.rungs:
            if rung < seen:  # scored before this trial was interrupted
                continue

            def fit(at: Runtime, rung: int = rung) -> Artifact:
                at = replace(at, checkpoints=checkpoints, until=rung)
                return job.definition.fit(job.config, units, job.inputs, at)

            workers = self.plan.workers if job.definition.data_parallel else 1
            part = self._timed(job, partial(run_in_group, fit, workers, self.runtime))
            part = Artifact(part.tensors, {**part.meta, "units": list(units)})
            self.look(rung, job.definition.merge([part]))

    def _timed(self, job: Job, fit: Callable[[], Any]) -> Any:
        start = time.monotonic()
        try:
            return fit()
        finally:
            before = self.account.seconds.get(job.stage, 0.0)
            self.account.seconds[job.stage] = before + time.monotonic() - start


def run_trial(point: dict[str, Any], *, plan: TrialPlan, data: Dataset) -> None:
    """Train and score one point; called by Tune, in a worker of its own.

    What goes wrong is reported as the trial's ``cause``, so that only a dead worker is Tune's to
    notice: it begins the trial again.

    Args:
        point: Values of the searched settings.
        plan: The rest.
        data: Training and validation rows.
    """
    from ray import tune

    torch.set_num_threads(1)  # as everywhere: small networks crawl with more
    store, account = ArtifactStore(plan.store_url, probe=False), Account()

    try:
        spec = replace(plan.spec, config=override(plan.spec.config, point))
        scores = _train(spec, plan, data, store, account)

        tune.report(
            {
                "samples": plan.total,
                "final": True,
                "account": account.text(),
                "scores": json.dumps(scores),
                **scores,
            }
        )
    except DeadHelper:
        raise
    except Exception as error:
        if account.part:
            store.delete(f"{account.part}.checkpoint")

        tune.report({"cause": cause_of(error), "account": account.text()})


def _train(
    spec: Spec, plan: TrialPlan, data: Dataset, store: ArtifactStore, account: Account
) -> dict[str, float]:
    from ray import tune

    system = systems.load(spec.system)
    system.check(spec.config, data)

    def look(rung: int, artifact: Artifact) -> None:
        model = system.model(
            spec.config, {**account.artifacts, plan.last_stage: artifact}, torch.device("cpu")
        )
        values = measure(
            model, data, {name: system.metrics[name] for name in plan.metrics}, spec.seed
        )
        tune.report({"samples": rung, "account": account.text(), **values})

    fitted = fit_stages(
        spec, data, store, StepwiseExecutor(plan, account, look), [cast(Listener, account)]
    )
    account.keys = {name: stage.key for name, stage in fitted.items()}
    model = system.model(spec.config, account.artifacts, torch.device("cpu"))

    return measure(model, data, system.metrics, spec.seed)


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
