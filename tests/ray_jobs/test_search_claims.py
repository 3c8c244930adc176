"""Trials that want the same artifact at the same time: one trains it, and its death passes the work on."""

from __future__ import annotations

import time

import pytest
import ray
import torch

from ray_jobs.tuning.claims import ClaimingStore, Claims
from scgan.artifacts import Artifact, ArtifactStore

pytestmark = pytest.mark.ray


@pytest.fixture
def claims(ray_head):
    return ray.remote(num_cpus=0)(Claims).remote()


def make(url, claims, holder, seconds=0.3):
    """What a trial does with a stage: ask, train if it must, store. Returns whether it trained."""
    store = ClaimingStore(url, claims, holder)
    if store.load("cluster-1") is not None:
        return False
    time.sleep(seconds)
    store.save("cluster-1", Artifact({"by": torch.tensor([1.0])}))
    return True


def test_two_at_once_train_it_once(claims, tmp_path):
    task = ray.remote(num_cpus=0.5)(make)
    trained = ray.get([task.remote(str(tmp_path), claims, f"trial {i}") for i in range(4)])
    assert sorted(trained) == [False, False, False, True]
    assert make(str(tmp_path), claims, "later") is False


def test_the_death_of_a_holder_passes_the_work_on(claims, tmp_path):
    dead = ClaimingStore(str(tmp_path), claims, "dead")
    assert dead.load("cluster-1") is None
    waiting = ray.remote(num_cpus=0.5)(make).remote(str(tmp_path), claims, "alive")
    done, _ = ray.wait([waiting], timeout=1.0)
    assert not done
    claims.drop.remote("dead")
    assert ray.get(waiting, timeout=20) is True


def test_parts_and_other_keys_are_not_in_the_way(claims, tmp_path):
    one, other = (ClaimingStore(str(tmp_path), claims, name) for name in ("one", "other"))
    assert one.load("map-1") is None and one.load("map-1") is None  # its own claim
    assert other.load("map-2") is None and other.load("map-1.part-0") is None
    one.save("map-1.part-0", Artifact())
    assert ray.get(claims.take.remote("map-1", "other")) is False
    one.save("map-1", Artifact())
    assert ray.get(claims.take.remote("map-1", "other")) is True
    assert list(ArtifactStore(str(tmp_path)).keys()) == ["map-1", "map-1.part-0"]
