"""A trial of several workers: its own process is the first, tasks in its bundles the others."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Callable
from typing import Any

import ray
import torch
import torch.distributed as dist

from ray_jobs.cluster.backend import choose_backend
from ray_jobs.cluster.cards import device_here
from scgan.contract import Units
from scgan.pipeline.executor import Job, fit_part
from scgan.training.runtime import Runtime

DEATHS = (
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.OutOfMemoryError,
)
GRACE = 5.0  # seconds for helpers to end in when the first worker has failed
TIMEOUT = datetime.timedelta(minutes=5)  # after which a worker that waits for a dead one gives up


class DeadHelper(RuntimeError):
    """A worker of a trial's group died; the trial can be begun again."""


def run_in_group(call: Callable[[Runtime], Any], workers: int, runtime: Runtime) -> Any:
    """Call a function in workers that train together, and return what the first one's returns.

    Args:
        call: Takes the worker's runtime; the same in all of them.
        workers: How many, the calling process among them.
        runtime: Of the calling process.

    Returns:
        What ``call`` returns here.

    Raises:
        DeadHelper: If a helper's process died.
    """
    if workers == 1:
        return call(runtime)

    from ray.util.placement_group import get_current_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    group, helpers = get_current_placement_group(), []
    gpus = group.bundle_specs[1].get("GPU", 0.0) if runtime.device.type == "cuda" else 0.0
    backend = choose_backend("auto", gpus, workers)
    address = f"tcp://{ray.util.get_node_ip_address()}:{_free_port()}"

    for rank in range(1, workers):
        bundle = group.bundle_specs[rank]
        size = {"num_cpus": bundle.get("CPU", 0), "num_gpus": bundle.get("GPU", 0)}
        place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
        task = ray.remote(**size, max_retries=0, scheduling_strategy=place)(_member)
        helpers.append(task.remote(call, rank, workers, address, backend))

    try:
        result = _member(call, 0, workers, address, backend, runtime)
        ray.get(helpers)
    except Exception:
        _end(helpers)
        raise

    return result


def _end(helpers: list[Any]) -> None:
    """End the helpers of a group that failed; where that is because one of them died, say so."""
    ended, _ = ray.wait(helpers, num_returns=len(helpers), timeout=GRACE)
    for helper in helpers:
        ray.cancel(helper, force=True)

    for helper in ended:
        try:
            ray.get(helper)
        except DEATHS as end:
            raise DeadHelper(str(end)) from None
        except ray.exceptions.RayError:
            pass  # it failed as the first worker did, whose error is told


def _member(
    call: Callable[[Runtime], Any],
    rank: int,
    workers: int,
    address: str,
    backend: str,
    runtime: Runtime | None = None,
) -> Any:
    """One worker's part: join the group, call, leave it."""
    torch.set_num_threads(1)
    device = (runtime or runtime_here()).device
    dist.init_process_group(
        backend, init_method=address, rank=rank, world_size=workers, timeout=TIMEOUT
    )

    try:
        result = call(Runtime(device, rank=rank, world_size=workers))
        return result if rank == 0 else None
    finally:
        dist.destroy_process_group()


def runtime_here() -> Runtime:
    """The runtime of this process: its share of a GPU where it has one."""
    return Runtime(device_here())


def fit_units(job: Job, units: Units, workers: int, runtime: Runtime) -> None:
    """Fit a stage's units and store them: together where it is data-parallel, else spread."""
    if job.definition.data_parallel:
        run_in_group(lambda at: fit_part(job, units, at), workers, runtime)
        return

    size = -(-len(units) // workers)
    packs = [units[start : start + size] for start in range(0, len(units), size)]

    if len(packs) == 1:
        fit_part(job, units, runtime)
        return

    def fit_pack(at: Runtime) -> None:
        if at.rank < len(packs):
            fit_part(job, packs[at.rank], runtime_here())

    run_in_group(fit_pack, workers, runtime)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
