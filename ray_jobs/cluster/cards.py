"""A worker's GPU, or its share of one: what Ray counts, PyTorch is told to keep to."""

from __future__ import annotations

import ray
import torch


def device_here() -> torch.device:
    """This worker's device: its GPU, or its share of one, where it was given any, else the CPU."""
    if not (ray.get_gpu_ids() and torch.cuda.is_available()):
        return torch.device("cpu")
    keep_to_share()
    return torch.device("cuda")


def keep_to_share() -> None:
    """Bound what PyTorch takes of a shared GPU's memory to this worker's share.

    One that needs more fails by itself, with an error that says so, instead of its neighbours. What
    CUDA itself takes in each process, some hundred megabytes, is not counted in it.
    """
    share = ray.get_runtime_context().get_assigned_resources().get("GPU", 0.0)
    if 0 < share < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)
