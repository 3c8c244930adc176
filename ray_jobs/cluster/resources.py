"""What a run may take of a cluster, and whether the cluster has it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from ray_jobs.cluster.backend import BackendName
from ray_jobs.cluster.meter import named_prices
from ray_jobs.cluster.nodes import Node, largest, places, possible, present, total
from scgan.config import Settings


class Resources(Settings):
    """How stages are spread; never changes a result."""

    num_workers: int | None = Field(
        None,
        ge=1,
        description="data-parallel workers, under Ray Train; none: one a GPU that is there, and "
        "where that is one worker, a task",
    )
    min_workers: int | None = Field(
        None,
        ge=1,
        description="with which a stage goes on when nodes go; takes more as they come; none: all",
    )
    gpus_per_worker: float = Field(
        1.0, ge=0, description="of each data-parallel worker, where there are GPUs"
    )
    gpus_per_task: float = Field(
        0.25, ge=0, description="of each mapper task, where there are GPUs"
    )
    cpus_per_task: float = Field(1.0, gt=0, description="CPUs of each worker and task")
    backend: BackendName = Field(
        "auto",
        description="what data-parallel workers talk by; auto: nccl where each has GPUs of its "
        "own, else gloo, which is slower but lets workers share a GPU",
    )
    clusters_per_task: int | None = Field(
        None, ge=1, description="none: the clusters spread over all tasks at once"
    )
    max_retries: int = Field(
        3, ge=0, description="times that a worker or task that died is started again"
    )
    num_gpus: float | None = Field(
        None, gt=0, description="GPUs that the job may make the cluster grow to; none: as it may"
    )
    num_cpus: float | None = Field(
        None, gt=0, description="CPUs that the job may make the cluster grow to; none: as it may"
    )
    timeout_minutes: float | None = Field(
        None, gt=0, description="to wait for room or a worker; none: for ever, and say so"
    )
    deadline_minutes: float | None = Field(
        None, gt=0, description="after which the job ends, unfinished; none: never"
    )
    checkpoint_seconds: float = Field(
        30.0, gt=0, description="between checkpoints: what is lost when a worker dies"
    )
    prices: Annotated[dict[str, Annotated[float, Field(ge=0)]], BeforeValidator(named_prices)] = (
        Field(
            {},
            description="of a node's hour, for the cost so far: head=0.2,gpu_spot=0.4 by node "
            "type, or one for all",
        )
    )

    @property
    def unknown_growth(self) -> bool:
        """Whether the cluster grows by nodes of unknown size, to what is said here."""
        return self.num_gpus is not None or self.num_cpus is not None


class Plan(Settings):
    """The resources of one run on the cluster that is there.

    Args:
        num_workers: Data-parallel workers.
        min_workers: As few of them do, for as long as the others have no room.
        in_group: Whether they are a group of Ray Train, where one alone could be a task.
        worker_gpus: GPUs of each.
        task_gpus: GPUs of each task.
        cpus: CPUs of each worker and task.
        slots: Tasks that can run at once.
    """

    num_workers: int
    min_workers: int
    in_group: bool
    worker_gpus: float
    task_gpus: float
    cpus: float
    slots: int


def plan(resources: Resources) -> Plan:
    """Fit the settings to the cluster: the nodes that are there, or those that may come.

    Data-parallel workers are by default as many as there are GPUs now, or as many as
    ``resources.num_gpus`` says: no cluster grows to its limit for a stage that was not asked to
    take all of it. Tasks spread over everything that may come.

    Raises:
        ValueError: If a single worker or task is larger than any node, so that it could never
            start; if there is no room for the fewest workers.
    """
    there, nodes = present(), possible()
    on_gpus = has_gpus(resources)
    worker_gpus = resources.gpus_per_worker if on_gpus else 0.0
    task_gpus = resources.gpus_per_task if on_gpus else 0.0

    now = max(total(there, "GPU"), resources.num_gpus or 0)
    workers = resources.num_workers or max(1, int(now // worker_gpus) if worker_gpus else 1)
    fewest = resources.min_workers or workers
    if fewest > workers:
        raise ValueError(
            f"resources.min_workers is {fewest}, more than the {workers} workers that a stage "
            "has at most"
        )

    task = {"CPU": resources.cpus_per_task, "GPU": task_gpus}
    if not resources.unknown_growth:  # else what can't start is waited for, and said
        worker = {"CPU": resources.cpus_per_task, "GPU": worker_gpus}
        _check_sizes(resources, nodes, worker_gpus, task_gpus)
        _check_workers(resources, fewest, places(nodes, worker))

    return Plan(
        num_workers=workers,
        min_workers=fewest,
        in_group=workers > 1 or resources.num_workers is not None,
        worker_gpus=worker_gpus,
        task_gpus=task_gpus,
        cpus=resources.cpus_per_task,
        slots=max(1, int(num_places(task, resources))),
    )


def has_gpus(resources: Resources) -> bool:
    """Whether the cluster has GPUs, or may come to have some."""
    return bool(resources.num_gpus or total(possible(), "GPU"))


def num_places(bundle: Mapping[str, float], resources: Resources) -> float:
    """How many equal bundles the cluster holds at once when it has grown."""
    if not resources.unknown_growth:
        return places(possible(), bundle)

    grown = {"GPU": max(total(present(), "GPU"), resources.num_gpus or 0)}
    if resources.num_cpus is not None:  # else nodes of GPUs have CPUs enough, too
        grown["CPU"] = resources.num_cpus

    held = places([grown], {kind: bundle.get(kind, 0) for kind in grown})
    return held if math.isfinite(held) else max(1.0, total(present(), "CPU"))


def _check_sizes(
    resources: Resources, nodes: Sequence[Node], worker_gpus: float, task_gpus: float
) -> None:
    for what, kind, wanted in (
        ("gpus_per_worker", "GPU", worker_gpus),
        ("gpus_per_task", "GPU", task_gpus),
        ("cpus_per_task", "CPU", resources.cpus_per_task),
    ):
        most = largest(nodes, kind)
        if wanted > most:
            raise ValueError(
                f"resources.{what} is {wanted:g}, but the largest node has {most:g} {kind}s; of a "
                "cluster that grows, give resources.num_gpus or resources.num_cpus"
            )


def _check_workers(resources: Resources, fewest: int, held: float) -> None:
    if fewest > held:
        name = "min_workers" if resources.min_workers else "num_workers"
        raise ValueError(
            f"resources.{name} is {fewest}, but the cluster holds {int(held)} such workers"
        )


def check_bundles(
    bundles: Sequence[Mapping[str, float]], resources: Resources, advice: str
) -> None:
    """Refuse equal bundles of resources that the cluster can't hold at once, not when grown either.

    Raises:
        ValueError: For such bundles, with the advice.
    """
    nodes, bundle = possible(), bundles[0]
    held = num_places(bundle, resources)

    if held < len(bundles):
        cpus, gpus = bundle.get("CPU", 0.0), bundle.get("GPU", 0.0)
        asked = f"{len(bundles)} x {cpus:g} CPUs and {gpus:g} GPUs, a trial's"
        raise ValueError(
            f"{asked}, fit nowhere: the largest node has {largest(nodes, 'CPU'):g} CPUs and "
            f"{largest(nodes, 'GPU'):g} GPUs, the cluster room for {held:g}; {advice}"
        )
