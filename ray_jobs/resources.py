"""What a run may take of a cluster, and whether the cluster has it."""

from __future__ import annotations

import math

import ray
from pydantic import Field

from scgan.config import Settings


class Resources(Settings):
    """How stages are spread; never changes a result."""

    num_workers: int | None = Field(None, ge=1, description="data-parallel workers; none: one a GPU, one without GPUs")
    gpus_per_worker: float = Field(1.0, ge=0, description="of each data-parallel worker, where there are GPUs")
    gpus_per_task: float = Field(0.25, ge=0, description="of each mapper task, where there are GPUs")
    cpus_per_task: float = Field(1.0, gt=0, description="CPUs of each worker and task")
    clusters_per_task: int | None = Field(None, ge=1, description="none: the clusters spread over all tasks at once")
    max_retries: int = Field(3, ge=0, description="times that a worker or task that died is started again")


class Plan(Settings):
    """The resources of one run on the cluster that is there.

    Args:
        num_workers: Data-parallel workers.
        worker_gpus: GPUs of each.
        task_gpus: GPUs of each task.
        cpus: CPUs of each worker and task.
        slots: Tasks that can run at once.
    """

    num_workers: int
    worker_gpus: float
    task_gpus: float
    cpus: float
    slots: int


def plan(resources: Resources) -> Plan:
    """Fit the settings to the cluster.

    Raises:
        ValueError: If a single worker or task is larger than any node, so that it could never start.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = sum(node.get("GPU", 0) for node in nodes)
    worker_gpus = resources.gpus_per_worker if gpus else 0.0
    task_gpus = resources.gpus_per_task if gpus else 0.0
    for what, wanted in (("gpus_per_worker", worker_gpus), ("gpus_per_task", task_gpus)):
        most = max(node.get("GPU", 0) for node in nodes)
        if wanted > most:
            raise ValueError(f"resources.{what} is {wanted:g}, but the largest node has {most:g} GPUs")
    most = max(node.get("CPU", 0) for node in nodes)
    if resources.cpus_per_task > most:
        raise ValueError(
            f"resources.cpus_per_task is {resources.cpus_per_task:g}, but the largest node has {most:g} CPUs"
        )
    per_gpu = math.inf if not task_gpus else sum(node.get("GPU", 0) // task_gpus for node in nodes)
    per_cpu = sum(node.get("CPU", 0) // resources.cpus_per_task for node in nodes)
    workers = resources.num_workers or max(1, int(gpus // worker_gpus) if worker_gpus else 1)
    fit = sum(
        min(
            node.get("CPU", 0) // resources.cpus_per_task,
            node.get("GPU", 0) // worker_gpus if worker_gpus else math.inf,
        )
        for node in nodes
    )
    if workers > fit:
        raise ValueError(f"resources.num_workers is {workers}, but the cluster holds {int(fit)} such workers")
    return Plan(
        num_workers=workers,
        worker_gpus=worker_gpus,
        task_gpus=task_gpus,
        cpus=resources.cpus_per_task,
        slots=max(1, int(min(per_gpu, per_cpu))),
    )
