"""Trials that want the same artifact at the same time: one trains it, and its death passes the work on."""

from __future__ import annotations

import time

import pytest
import ray
import torch

from ray_jobs.tuning.claims import (
    DEAD_AFTER,
    ClaimingStore,
    Claims,
    find_claims,
    open_claims,
    signs_of_life,
)
from scgan.store.artifacts import Artifact, ArtifactStore

pytestmark = pytest.mark.ray


@pytest.fixture
def claims(ray_head, tmp_path):
    """Those on a store at ``tmp_path``."""
    return open_claims(ArtifactStore(str(tmp_path)).url)


def make(url, holder, seconds=0.3):
    """What a trial does with a stage: ask, train if it must, store. Returns whether it trained."""
    store = ClaimingStore(url, holder)
    if store.load("cluster-1") is not None:
        return False
    time.sleep(seconds)
    store.save("cluster-1", Artifact({"by": torch.tensor([1.0])}))
    return True


def test_two_at_once_train_it_once_also_where_their_searches_differ(claims, tmp_path):
    task = ray.remote(num_cpus=0.5)(make)
    trained = ray.get([task.remote(str(tmp_path), f"driver {i // 2}/trial {i}") for i in range(4)])
    assert sorted(trained) == [False, False, False, True]
    assert make(str(tmp_path), "driver 3/later") is False


def test_the_death_of_a_holder_passes_the_work_on(claims, tmp_path):
    dead = ClaimingStore(str(tmp_path), "driver/dead")
    assert dead.load("cluster-1") is None
    waiting = ray.remote(num_cpus=0.5)(make).remote(str(tmp_path), "driver/alive")
    done, _ = ray.wait([waiting], timeout=1.0)
    assert not done
    claims.drop.remote("driver/dead")
    assert ray.get(waiting, timeout=20) is True


def test_a_driver_that_was_killed_holds_nothing_after_a_while(monkeypatch):
    now = 0.0
    monkeypatch.setattr("ray_jobs.tuning.claims.time.monotonic", lambda: now)
    claims = Claims()
    assert claims.take("map-1", "killed/a") and claims.take("map-2", "alive/a")
    now = DEAD_AFTER - 1
    claims.alive("alive")
    assert not claims.take("map-1", "other/b") and not claims.take("map-2", "other/b")
    now = DEAD_AFTER + 1
    assert claims.take("map-1", "other/b") and not claims.take("map-2", "other/b")


def test_claims_that_ended_with_their_search_are_asked_for_anew(claims, tmp_path):
    store = ClaimingStore(str(tmp_path), "driver/a")
    assert store.load("map-1") is None
    ray.kill(claims)
    anew = open_claims(store.url)
    assert store.load("map-2") is None
    assert ray.get(anew.take.remote("map-2", "driver/b")) is False


def test_a_running_driver_shows_signs_of_life(ray_head, tmp_path, monkeypatch):
    monkeypatch.setattr("ray_jobs.tuning.claims.BEAT_EVERY", 0.05)
    with signs_of_life(str(tmp_path), "driver"):
        for _ in range(2):  # the second is begun anew
            claims = find_claims(str(tmp_path))
            time.sleep(0.5)
            assert "driver" in ray.get(claims.__ray_call__.remote(lambda actor: actor.seen))
            ray.kill(claims)
            time.sleep(0.5)


def test_parts_and_other_keys_are_not_in_the_way(claims, tmp_path):
    one, other = (ClaimingStore(str(tmp_path), f"driver/{name}") for name in ("one", "other"))
    assert one.load("map-1") is None and one.load("map-1") is None  # its own claim
    assert other.load("map-2") is None and other.load("map-1.part-0") is None
    one.save("map-1.part-0", Artifact())
    assert ray.get(claims.take.remote("map-1", "driver/other")) is False
    one.save("map-1", Artifact())
    assert ray.get(claims.take.remote("map-1", "driver/other")) is True
    assert sorted(ArtifactStore(str(tmp_path)).keys()) == ["map-1", "map-1.part-0"]
