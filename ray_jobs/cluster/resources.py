"""What a run may take of a cluster, and whether the cluster has it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import ray
from pydantic import BeforeValidator, Field

from ray_jobs.cluster.backend import BackendName
from ray_jobs.cluster.meter import named_prices
from scgan.config import Settings


class Resources(Settings):
    """How stages are spread; never changes a result."""

    num_workers: int | None = Field(
        None, ge=1, description="data-parallel workers; none: one a GPU, one without GPUs"
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
        None, gt=0, description="GPUs that the cluster may grow to; none: those it has"
    )
    num_cpus: float | None = Field(
        None, gt=0, description="CPUs that the cluster may grow to; none: those it has"
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


class Plan(Settings):
    """The resources of one run on the cluster that is there.

    Args:
        num_workers: Data-parallel workers.
        min_workers: As few of them do, for as long as the others have no room.
        worker_gpus: GPUs of each.
        task_gpus: GPUs of each task.
        cpus: CPUs of each worker and task.
        slots: Tasks that can run at once.
    """

    num_workers: int
    min_workers: int
    worker_gpus: float
    task_gpus: float
    cpus: float
    slots: int


def plan(resources: Resources) -> Plan:
    """Fit the settings to the cluster: the nodes that are there, or what it may grow to.

    Raises:
        ValueError: If a single worker or task is larger than any node, so that it could never
            start; if there is no room for the fewest workers.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    grows = resources.num_gpus is not None or resources.num_cpus is not None
    gpus = max(sum(node.get("GPU", 0) for node in nodes), resources.num_gpus or 0)
    worker_gpus = resources.gpus_per_worker if gpus else 0.0
    task_gpus = resources.gpus_per_task if gpus else 0.0
    workers = resources.num_workers or max(1, int(gpus // worker_gpus) if worker_gpus else 1)
    fewest = resources.min_workers or workers

    if fewest > workers:
        raise ValueError(
            f"resources.min_workers is {fewest}, more than the {workers} workers that a stage "
            "has at most"
        )

    if grows:  # by nodes of unknown size: what can't start is waited for, and said
        slots = _grown_slots(resources, gpus, task_gpus)
    else:
        _check_sizes(resources, nodes, worker_gpus, task_gpus)
        fit = _held(nodes, resources.cpus_per_task, worker_gpus)

        if fewest > fit:
            name = "min_workers" if resources.min_workers else "num_workers"
            raise ValueError(
                f"resources.{name} is {fewest}, but the cluster holds {int(fit)} such workers"
            )

        per_gpu = (
            math.inf if not task_gpus else sum(node.get("GPU", 0) // task_gpus for node in nodes)
        )
        slots = min(per_gpu, sum(node.get("CPU", 0) // resources.cpus_per_task for node in nodes))

    return Plan(
        num_workers=workers,
        min_workers=fewest,
        worker_gpus=worker_gpus,
        task_gpus=task_gpus,
        cpus=resources.cpus_per_task,
        slots=max(1, int(slots)),
    )


def _grown_slots(resources: Resources, gpus: float, task_gpus: float) -> float:
    per_gpu = gpus // task_gpus if task_gpus else math.inf
    per_cpu = resources.num_cpus // resources.cpus_per_task if resources.num_cpus else math.inf
    return min(per_gpu, per_cpu)


def _check_sizes(
    resources: Resources, nodes: list[dict], worker_gpus: float, task_gpus: float
) -> None:
    for what, kind, wanted in (
        ("gpus_per_worker", "GPU", worker_gpus),
        ("gpus_per_task", "GPU", task_gpus),
        ("cpus_per_task", "CPU", resources.cpus_per_task),
    ):
        most = max(node.get(kind, 0) for node in nodes)
        if wanted > most:
            raise ValueError(
                f"resources.{what} is {wanted:g}, but the largest node has {most:g} {kind}s; of a "
                "cluster that grows, give resources.num_gpus or resources.num_cpus"
            )


def _held(nodes: list[dict], cpus: float, gpus: float) -> float:
    return sum(
        min(node.get("CPU", 0) // cpus, node.get("GPU", 0) // gpus if gpus else math.inf)
        for node in nodes
    )


def check_bundles(bundles: Sequence[Mapping[str, float]], advice: str) -> None:
    """Refuse equal bundles of resources that the cluster can't hold at once.

    Raises:
        ValueError: For such bundles, with the advice.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = bundles[0].get("CPU", 0.0), bundles[0].get("GPU", 0.0)
    places = _held(nodes, cpus, gpus)

    if places < len(bundles):
        asked = f"{len(bundles)} x {cpus:g} CPUs and {gpus:g} GPUs, a trial's"
        most_cpus = max(node.get("CPU", 0) for node in nodes)
        most_gpus = max(node.get("GPU", 0) for node in nodes)
        raise ValueError(
            f"{asked}, fit nowhere: the largest node has {most_cpus:g} CPUs and {most_gpus:g} "
            f"GPUs, the cluster room for {places:g}; {advice}"
        )
