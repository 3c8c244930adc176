"""Fits a stage's units on Ray: data-parallel stages under Ray Train, independent units as tasks."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import ray
import torch

from ray_jobs.resources import Plan, Resources, plan
from scgan.execution import Job, fit_part
from scgan.systems.base import Units
from scgan.training.runtime import Progress, Runtime

POLL_SECONDS = 0.5

Report = Callable[[str, Progress], None]


class Board:
    """An actor: workers anywhere write how far they are, and the driver reads it."""

    def __init__(self) -> None:
        self.latest: dict[str, Progress] = {}

    def write(self, pack: str, progress: Progress) -> None:
        """Replace a pack's progress."""
        self.latest[pack] = progress

    def read(self) -> dict[str, Progress]:
        """What has changed since the last reading."""
        latest, self.latest = self.latest, {}
        return latest


class RayExecutor:
    """Fits units on the cluster that this process is connected to.

    Args:
        resources: What a run may take.

    Raises:
        ValueError: If no node can hold what is asked for.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.plan: Plan = plan(resources)

    def fit(self, job: Job, units: Units, report: Report) -> None:
        """Have every unit fitted and stored.

        Raises:
            RuntimeError: If a unit can't be fitted, with the worker's own message.
        """
        board = ray.remote(num_cpus=0)(Board).remote()
        reference = ray.put(job)
        if job.definition.data_parallel:
            self._train(job, reference, units, board, report)
        else:
            self.run_tasks(reference, self.packs(units), board, report)

    def packs(self, units: Units) -> list[Units]:
        """Cut units into tasks, as many at once as the cluster holds."""
        size = self.resources.clusters_per_task or -(-len(units) // self.plan.slots)
        return [units[start : start + size] for start in range(0, len(units), size)]

    def run_tasks(self, job: Any, packs: Sequence[Units], board: Any, report: Report) -> None:
        """Fit each pack in a task, and wait for all.

        Raises:
            RuntimeError: If a task failed, after the others have ended.
        """
        options: dict[str, Any] = {"num_cpus": self.plan.cpus, "max_retries": self.resources.max_retries}
        if self.plan.task_gpus:
            # A process a task, so that its GPU memory is given back when it ends.
            options |= {"num_gpus": self.plan.task_gpus, "max_calls": 1}
        task = ray.remote(**options)(fit_on_task)
        pending = [task.remote(job, pack, board) for pack in packs]
        errors = []
        while pending:
            done, pending = ray.wait(pending, num_returns=len(pending), timeout=POLL_SECONDS)
            _relay(board, report)
            for reference in done:
                try:
                    ray.get(reference)
                except ray.exceptions.RayError as error:
                    errors.append(error)
        if errors:
            raise RuntimeError(
                f"{len(errors)} of {len(packs)} tasks failed; the first: {_cause(errors[0])}"
            ) from errors[0]

    def _train(self, definition: Job, job: Any, units: Units, board: Any, report: Report) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        resources = {"CPU": self.plan.cpus}
        if self.plan.worker_gpus:
            resources["GPU"] = self.plan.worker_gpus
        trainer = TorchTrainer(
            fit_on_worker,
            train_loop_config={"job": job, "units": list(units), "board": board},
            torch_config=TorchConfig(backend="nccl" if self.plan.worker_gpus and torch.cuda.is_available() else "gloo"),
            scaling_config=ScalingConfig(
                num_workers=self.plan.num_workers,
                use_gpu=bool(self.plan.worker_gpus),
                resources_per_worker=resources,
            ),
            run_config=RunConfig(
                name=f"{definition.key}-{uuid.uuid4().hex[:8]}",
                storage_path=tempfile.gettempdir() + "/scgan-train",
                failure_config=FailureConfig(max_failures=self.resources.max_retries),
            ),
        )
        stop = threading.Event()
        relay = threading.Thread(target=_relay_until, args=(stop, board, report), daemon=True)
        relay.start()
        try:
            trainer.fit()
        except ray.train.TrainingFailedError as error:
            raise RuntimeError(_cause(error)) from error
        finally:
            stop.set()
            relay.join()


def fit_on_task(job: Job, units: Units, board: Any) -> None:
    """Fit some units in a Ray task, on its share of a GPU where it has one."""
    device = torch.device("cuda" if ray.get_gpu_ids() and torch.cuda.is_available() else "cpu")
    fit_part(job, units, Runtime(device, report=_writer(board, units[0]), amp=device.type == "cuda"))


def fit_on_worker(config: dict[str, Any]) -> None:
    """Fit a unit in a Ray Train worker, together with the others of its group."""
    from ray.train import get_context
    from ray.train.torch import get_device

    context, device = get_context(), get_device()
    runtime = Runtime(
        device,
        rank=context.get_world_rank(),
        world_size=context.get_world_size(),
        report=_writer(config["board"], "all"),
        amp=device.type == "cuda",
    )
    fit_part(ray.get(config["job"]), config["units"], runtime)


def _writer(board: Any, pack: str) -> Callable[[Progress], None]:
    def write(progress: Progress) -> None:
        board.write.remote(pack, progress)

    return write


def _relay(board: Any, report: Report) -> None:
    for pack, progress in ray.get(board.read.remote()).items():
        report(pack, progress)


def _relay_until(stop: threading.Event, board: Any, report: Report) -> None:
    while not stop.wait(POLL_SECONDS):
        _relay(board, report)
    _relay(board, report)


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
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
