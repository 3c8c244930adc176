"""What scheduling costs as tasks get many, by tasks that sleep on logical GPUs."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from typing import Any, cast

import click
from pydantic import Field
from typing_extensions import override

from ray_jobs.benchmarks.showing import show
from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.resources import Resources
from ray_jobs.cluster.session import connect
from scgan.config import Settings
from scgan.contract import Inputs, Stage, Units
from scgan.pipeline.executor import Executor, Job
from scgan.pipeline.run import train_stage
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.training.runtime import Progress, Runtime

FEW = 4  # tasks by which the start of a process is measured, two at a time


class Naps(Settings):
    """A stage of tasks that sleep."""

    tasks: int = Field(ge=1, description="Units of the stage; what is varied: no default.")
    seconds: float = Field(ge=0, description="Length of a unit, s; the command gives it.")


def nap(config: Naps, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Sleep as a mapper would train: report progress, and say in an artifact when it ended."""
    runtime.report(Progress(0, 1, {}))
    time.sleep(config.seconds)
    runtime.report(Progress(1, 1, {}, config.seconds))
    return Artifact(meta={"ended": time.time()})


def _joined(parts: Sequence[Artifact]) -> Artifact:
    return Artifact(meta={"ended": max(part.meta["ended"] for part in parts)})


def _units(config: Naps, inputs: Inputs) -> list[str]:
    return [str(i) for i in range(config.tasks)]


class NapJob(Job):
    """A job of no system."""

    @property
    @override
    def definition(self) -> Stage:
        return Stage("map", (), (), nap, _units, _joined)


class Reusing(RayExecutor):
    """Keeps the processes of tasks on GPUs: what is measured is scheduling, not their start."""

    @override
    def task_options(self, gpus: float) -> dict[str, Any]:
        return super().task_options(gpus) | {"max_calls": 0}


def measure(executor: RayExecutor, tasks: int, seconds: float) -> dict[str, float]:
    """Run a stage of sleeping tasks through the pipeline and the executor.

    Args:
        executor: Whose plan says how many run at once.
        tasks: How many in all.
        seconds: That each sleeps.

    Returns:
        Seconds in all, and from the last task's end to the joined artifact; the share of them in
        which the places of tasks were not slept in; a task's part of that, in seconds of one place;
        seconds of this process's CPU a task.
    """
    naps = Naps(tasks=tasks, seconds=seconds)
    # Tasks of an interrupted run still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = ArtifactStore(folder)
        job = NapJob("", "map", naps, "map-naps", {}, cast(Inputs, None), store.url)

        start, cpu = time.time(), time.process_time()
        artifact = train_stage(job, store, cast(Executor, executor), [])
        wall, cpu = time.time() - start, time.process_time() - cpu

    places = min(executor.plan.slots, tasks)
    asleep = math.ceil(tasks / places) * seconds

    return {
        "seconds": wall,
        "joining_seconds": start + wall - artifact.meta["ended"],
        "scheduler_share": 1 - asleep / wall,
        "place_seconds_a_task": (wall - asleep) * places / tasks,
        "driver_cpu_seconds_a_task": cpu / tasks,
    }


def growth(
    gpus: float, gpus_per_task: float, counts: Sequence[int], seconds: float
) -> list[dict[str, float]]:
    """How the scheduler's share grows with the tasks; Ray is up and has these logical GPUs.

    Args:
        gpus: That Ray has.
        gpus_per_task: Of each task.
        counts: Of tasks.
        seconds: That each sleeps.

    Returns:
        A row a count: what :func:`measure` says, with ``share_of_minutes``, what scheduling and the
        start of a process of its own would take of the time of tasks that train for a minute.
    """
    cpus = 0.001  # they sleep; CPUs are not what limits them
    alone = RayExecutor(Resources(gpus_per_task=gpus / 2, cpus_per_task=cpus, clusters_per_task=1))
    begin = measure(alone, FEW, 0.0)["place_seconds_a_task"]

    resources = Resources(gpus_per_task=gpus_per_task, cpus_per_task=cpus, clusters_per_task=1)
    reusing = Reusing(resources)
    measure(reusing, 2 * reusing.plan.slots, 0.5)  # so long that each place has its process then

    rows = []
    for count in counts:
        row = measure(reusing, count, seconds)
        lost = begin + row["place_seconds_a_task"]
        about = {
            "tasks": count,
            "at_once": min(reusing.plan.slots, count),
            "process_start_seconds": begin,
        }

        rows.append({**about, **row, "share_of_minutes": lost / (lost + 60)})

    return rows


@click.command("scale")
@click.option("--gpus", default=64, show_default=True, help="Logical GPUs of a private Ray.")
@click.option("--gpus-per-task", default=1.0, show_default=True, help="Of each task, a process.")
@click.option("--tasks", default="64,250,1000", show_default=True, help="Comma-separated counts.")
@click.option("--seconds", default=1.0, show_default=True, help="That each task sleeps.")
def command(gpus: int, gpus_per_task: float, tasks: str, seconds: float) -> None:
    """The scheduler's share of the time of many mapper tasks, by their number."""
    connect(num_gpus=gpus)
    for row in growth(gpus, gpus_per_task, [int(count) for count in tasks.split(",")], seconds):
        show(**row)
