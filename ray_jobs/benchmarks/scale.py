"""What scheduling costs as tasks get many: the executor's own path, with tasks that sleep on logical GPUs."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from typing import Any, cast

from pydantic import Field

from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.resources import Resources
from scgan.config import Settings
from scgan.contract import Inputs, Stage, Units
from scgan.pipeline.executor import Executor, Job
from scgan.pipeline.run import train_stage
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.training.runtime import Progress, Runtime

FEW = 4  # tasks by which the start of a process is measured, two at a time


class Naps(Settings):
    """A stage of tasks that sleep.

    Args:
        tasks: How many, a unit each.
        seconds: That each sleeps.
    """

    tasks: int = Field(ge=1)
    seconds: float = Field(ge=0)


def nap(config: Naps, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Sleep as a mapper would train: telling how far it is, and leaving an artifact that says when it ended."""
    runtime.report(Progress(0, 1, {}))
    time.sleep(config.seconds)
    runtime.report(Progress(1, 1, {}, config.seconds))
    return Artifact(meta={"ended": time.time()})


def _joined(parts: Sequence[Artifact]) -> Artifact:
    return Artifact(meta={"ended": max(part.meta["ended"] for part in parts)})


class NapJob(Job):
    """A job of no system."""

    @property
    def definition(self) -> Stage:
        """The stage."""
        return Stage(
            "map",
            (),
            (),
            nap,
            lambda config, inputs: [str(i) for i in range(config.tasks)],
            _joined,
        )


class Reusing(RayExecutor):
    """Keeps the processes of tasks on GPUs, so that what is measured is scheduling and not their start."""

    def task_options(self) -> dict[str, Any]:
        """The resources of a task, for processes that live on."""
        return super().task_options() | {"max_calls": 0}


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
    with tempfile.TemporaryDirectory(
        ignore_cleanup_errors=True
    ) as folder:  # tasks of an interrupted run still write
        store = ArtifactStore(folder)
        job = NapJob(
            "",
            "map",
            Naps(tasks=tasks, seconds=seconds),
            "map-naps",
            {},
            cast(Inputs, None),
            store.url,
        )

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
    reusing = Reusing(
        Resources(gpus_per_task=gpus_per_task, cpus_per_task=cpus, clusters_per_task=1)
    )
    measure(
        reusing, 2 * reusing.plan.slots, 0.5
    )  # for so long that each place has its process then
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
