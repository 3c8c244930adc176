"""What data-parallel workers talk by: NCCL between GPUs, gloo on CPUs and where a GPU is shared."""

from __future__ import annotations

import logging
from typing import Literal

BackendName = Literal["auto", "nccl", "gloo"]

_log = logging.getLogger(__name__)


def choose_backend(wanted: BackendName, gpus: float, workers: int) -> Literal["nccl", "gloo"]:
    """The backend of a group of workers.

    Args:
        wanted: What is set.
        gpus: Of each worker; 0 where they run on CPUs.
        workers: How many.

    Returns:
        What is set, or by ``"auto"`` NCCL where each worker has a whole GPU, else gloo.

    Raises:
        ValueError: If NCCL is asked for where there are no GPUs, or where workers share one.
    """
    shared = workers > 1 and 0 < gpus < 1
    if wanted == "nccl" and not gpus:
        raise ValueError(
            "resources.backend is nccl, which talks between GPUs, but workers have none: take auto "
            "or gloo"
        )

    if wanted == "nccl" and shared:
        raise ValueError(
            f"resources.backend is nccl, which refuses two workers on one GPU, but each of "
            f"{workers} has {gpus:g} of one: take resources.gpus_per_worker 1, or gloo"
        )

    if wanted == "auto" and shared:
        _log.warning(
            "%d workers with %g of a GPU each share GPUs, which NCCL refuses: they talk by gloo, "
            "by way of the CPU",
            workers,
            gpus,
        )

    if wanted != "auto":
        return wanted
    return "nccl" if gpus and not shared else "gloo"
