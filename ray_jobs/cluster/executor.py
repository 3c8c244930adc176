"""Fits a stage's units on Ray: several data-parallel workers under Ray Train, all else as tasks.

What one worker trains alone needs no group, whose start takes some ten seconds: it is a task, too,
in a process that has imported PyTorch for the stage before. ``resources.num_workers 1`` asks for a
group all the same.
"""

from __future__ import annotations

import functools
import math
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import ray
import torch

from ray_jobs.cluster.backend import choose_backend
from ray_jobs.cluster.cards import device_here, keep_to_share
from ray_jobs.cluster.meter import Meter
from ray_jobs.cluster.progress import Stopped, new_progress_actor
from ray_jobs.cluster.resources import Plan, Resources, plan
from ray_jobs.cluster.waiting import StageTimeout, await_first_node
from scgan.contract import Units
from scgan.pipeline.executor import Job, Reporter, fit_part
from scgan.training.heartbeat import heartbeat
from scgan.training.runtime import Progress, Runtime

POLL_SECONDS = 0.5
FILE_TASKS = 8  # tasks a slot, of a stage that goes through files


class RayExecutor:
    """Fits units on the cluster that this process is connected to.

    Args:
        resources: What a run may take.
        started: When the job began, ``time.monotonic()``; now by default.
        meter: The job's; its own by default.

    Raises:
        ValueError: If no node can hold what is asked for, or workers can't talk as asked for.
    """

    def __init__(
        self, resources: Resources, started: float | None = None, meter: Meter | None = None
    ) -> None:
        self.resources = resources
        self.meter = meter or Meter(resources.prices)
        self.started = time.monotonic() if started is None else started
        await_first_node(resources, self.started)
        self.plan: Plan = plan(resources)
        # By how PyTorch was built: the driver's node need not have a GPU itself.
        gpus = self.plan.worker_gpus if torch.backends.cuda.is_built() else 0.0
        self.backend = choose_backend(resources.backend, gpus, self.plan.num_workers)

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Have every unit fitted and stored.

        Raises:
            RuntimeError: If a unit can't be fitted, with the worker's own message; or if there is
                no room or time left.
        """
        actor = new_progress_actor()
        reference = ray.put(job)
        report.used(self.meter.read())

        together = job.definition.data_parallel
        if together and self.plan.in_group:
            self._train(job, reference, units, actor, report)
        else:
            packs = [units] if together else self.packs(units, by_file=job.definition.by_file)
            gpus = self.plan.worker_gpus if together else self.plan.task_gpus
            self.run_tasks(reference, packs, actor, report, job.stage, gpus)

        report.used(self.meter.read())

    def packs(self, units: Units, *, by_file: bool = False) -> list[Units]:
        """Cut units into as many tasks as the cluster holds; files into more, to lose little."""
        if by_file:
            size = -(-len(units) // (FILE_TASKS * self.plan.slots))
        else:
            size = self.resources.clusters_per_task or -(-len(units) // self.plan.slots)
        return [units[start : start + size] for start in range(0, len(units), size)]

    def run_tasks(
        self,
        job: Any,
        packs: Sequence[Units],
        actor: Any,
        report: Reporter,
        stage: str,
        gpus: float,
    ) -> None:
        """Fit each pack in a task, and wait for all.

        Raises:
            RuntimeError: If a task failed, after the others have ended.
        """
        bundle = _bundle(self.plan.cpus, gpus)
        timeout = StageTimeout(stage, self.resources, self.started, [bundle])
        timeout.await_room(functools.partial(self.meter.tell, report))

        task = ray.remote(**self.task_options(gpus))(fit_on_task)
        every = self.resources.checkpoint_seconds
        running = {task.remote(job, pack, actor, every): pack for pack in packs}
        pending, errors = list(running), []

        while pending:
            done, pending = ray.wait(pending, num_returns=len(pending), timeout=POLL_SECONDS)
            if _relay(actor, report) or done:
                timeout.reset()

            self.meter.tell(report)
            if pending and (reason := timeout.expired()):
                for reference in pending:
                    ray.cancel(reference, force=True)

                raise RuntimeError(reason)

            for reference in done:
                try:
                    ray.get(reference)
                    report.fitted(running[reference])
                except ray.exceptions.RayError as error:
                    errors.append(error)

        if errors:
            several = f"{len(errors)} of {len(packs)} tasks failed; the first: "
            words = several if len(packs) > 1 else ""
            raise RuntimeError(f"{words}{_cause(errors[0])}") from errors[0]

    def task_options(self, gpus: float) -> dict[str, Any]:
        """Ray's options of each task."""
        options: dict[str, Any] = {
            "num_cpus": self.plan.cpus,
            "max_retries": self.resources.max_retries,
        }
        if gpus:
            # A process a task, so that its GPU memory is given back when it ends.
            options |= {"num_gpus": gpus, "max_calls": 1}
        return options

    def _train(self, definition: Job, job: Any, units: Units, actor: Any, report: Reporter) -> None:
        bundles = [_bundle(self.plan.cpus, self.plan.worker_gpus)] * self.plan.min_workers
        timeout = StageTimeout(definition.stage, self.resources, self.started, bundles)
        timeout.await_room(functools.partial(self.meter.tell, report))

        loop = {
            "job": job,
            "units": list(units),
            "actor": actor,
            "checkpoint_every": self.resources.checkpoint_seconds,
        }

        trainer = self._trainer(f"{definition.key}-{uuid.uuid4().hex[:8]}", loop, bundles[0])
        stop, reasons = threading.Event(), list[str]()
        monitor = functools.partial(_monitor, stop, actor, report, timeout, self.meter, reasons)
        relay = threading.Thread(target=monitor, daemon=True)
        relay.start()
        failure = None

        try:
            trainer.fit()
        except ray.train.TrainingFailedError as error:
            failure = error
        finally:
            stop.set()
            relay.join()

        if reasons:
            raise RuntimeError(reasons[0])

        if failure is not None:
            raise RuntimeError(_cause(failure)) from failure

        report.fitted(units)

    def _trainer(self, name: str, loop: dict[str, Any], bundle: dict[str, float]) -> Any:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        on_gpus = bool(self.plan.worker_gpus)
        timeout = self.resources.timeout_minutes
        fewest, most = self.plan.min_workers, self.plan.num_workers

        return TorchTrainer(
            fit_on_worker,
            train_loop_config=loop,
            torch_config=TorchConfig(backend=self.backend),
            scaling_config=ScalingConfig(
                num_workers=(fewest, most) if fewest < most else most,
                use_gpu=on_gpus,
                resources_per_worker=bundle,
                # Another number of workers goes on from the last checkpoint: what was done since is
                # done again.
                elastic_resize_monitor_interval_s=2 * self.resources.checkpoint_seconds,
            ),
            run_config=RunConfig(
                name=name,
                storage_path=tempfile.gettempdir() + "/scgan-train",
                failure_config=FailureConfig(
                    max_failures=self.resources.max_retries,
                    # Each try to start a group, where nodes were lost, takes Ray a minute.
                    controller_failure_limit=-1 if timeout is None else math.ceil(timeout),
                ),
            ),
        )


def fit_on_task(job: Job, units: Units, actor: Any, checkpoint_every: float) -> None:
    """Fit some units in a Ray task, on its share of a GPU where it has one."""
    report = _writer(actor, units[0])
    runtime = Runtime(device_here(), report=report, checkpoint_every=checkpoint_every)

    with heartbeat(actor.beat.remote):
        fit_part(job, units, runtime)


def fit_on_worker(config: dict[str, Any]) -> None:
    """Fit a unit in a Ray Train worker, together with the others of its group."""
    from ray.train import get_context
    from ray.train.torch import get_device

    context = get_context()
    device = (
        get_device() if torch.cuda.is_available() else torch.device("cpu")
    )  # of logical GPUs alone
    keep_to_share()

    runtime = Runtime(
        device,
        rank=context.get_world_rank(),
        world_size=context.get_world_size(),
        report=_writer(config["actor"], "all"),
        checkpoint_every=config["checkpoint_every"],
    )

    try:
        with heartbeat(config["actor"].beat.remote):
            fit_part(ray.get(config["job"]), config["units"], runtime)
    except Stopped:
        if (
            runtime.world_size > 1
        ):  # the others are in the middle of a collective: only an error ends them
            raise


def _bundle(cpus: float, gpus: float) -> dict[str, float]:
    return {"CPU": cpus} | ({"GPU": gpus} if gpus else {})


def _writer(actor: Any, pack: str) -> Callable[[Progress], None]:
    def write(progress: Progress) -> None:
        if not ray.get(actor.write.remote(pack, progress)):
            raise Stopped(pack)

    return write


def _relay(actor: Any, report: Reporter) -> bool:
    """Hand on what the workers wrote; whether any sent a heartbeat."""
    latest, alive = ray.get(actor.read.remote())
    for pack, progress in latest.items():
        report.progress(pack, progress)
    return alive


def _monitor(
    stop: threading.Event,
    actor: Any,
    report: Reporter,
    timeout: StageTimeout,
    meter: Meter,
    reasons: list[str],
) -> None:
    """Relay until stopped; let the workers end when the time is over, and keep the reason."""
    while not stop.wait(POLL_SECONDS):
        if _relay(actor, report):
            timeout.reset()
        meter.tell(report)
        if not reasons and (reason := timeout.expired()):
            reasons.append(reason)
            actor.stop.remote()
    _relay(actor, report)


def _cause(error: BaseException) -> str:
    """The innermost message of a chain of wrapped errors, in one line."""
    while True:
        inner = getattr(error, "cause", None) or error.__cause__
        failures = getattr(error, "worker_failures", None)
        if failures:
            inner = next(iter(failures.values()))

        if not isinstance(inner, BaseException) or inner is error:
            break

        error = inner

    return next(
        (line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__
    )
