"""A worker keeps to its share of a GPU: what Ray counts is what PyTorch is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import ray
import torch

from ray_jobs.cluster import cards


@pytest.fixture
def worker(monkeypatch):
    """A worker with so much of a GPU; what it tells PyTorch."""
    told = []

    def begin(gpus, cuda=True):
        assigned = {"CPU": 1.0} | ({"GPU": gpus} if gpus else {})
        context = SimpleNamespace(get_assigned_resources=lambda: assigned)
        monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
        monkeypatch.setattr(ray, "get_gpu_ids", lambda: [0] if gpus else [])
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", told.append)
        return told

    return begin


@pytest.mark.parametrize(
    ("gpus", "cuda", "device", "told"),
    [
        (0.25, True, "cuda", [0.25]),
        (1.0, True, "cuda", []),
        (2.0, True, "cuda", []),
        (0.0, True, "cpu", []),  # a machine's GPU that is another's
        (0.5, False, "cpu", []),  # a logical GPU
    ],
)
def test_a_share_of_a_gpu_bounds_the_memory(worker, gpus, cuda, device, told):
    found = worker(gpus, cuda)
    assert cards.device_here().type == device
    assert found == told


@pytest.mark.ray
def test_ray_tells_a_task_and_a_trial_their_shares(ray_head):
    """A trial's share is of a bundle of its placement group."""
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    def share():
        return ray.get_runtime_context().get_assigned_resources().get("CPU")

    assert ray.get(ray.remote(num_cpus=0.25)(share).remote()) == 0.25
    group = placement_group([{"CPU": 0.5}])
    try:
        place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
        task = ray.remote(num_cpus=0.5, scheduling_strategy=place)(share)
        assert ray.get(task.remote(), timeout=60) == 0.5
    finally:
        remove_placement_group(group)
