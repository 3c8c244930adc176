"""Under Ray the same is trained: one worker, two workers, any packing, a task that dies."""

from __future__ import annotations

import itertools
import os
import shutil
import time

import pytest
import torch
from torch.testing import assert_close

from ray_jobs.cluster import executor
from ray_jobs.cluster.executor import RayExecutor, fit_on_task
from ray_jobs.cluster.resources import Resources, plan
from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.stages.tables.encode import load_encoder
from scgan.store.artifacts import ArtifactStore

pytestmark = pytest.mark.ray

LENGTHS = {"encoder.num_samples": 4096, "mappers.num_samples": 512, "decoder.num_samples": 4096}


def spec_of(**changes):
    config = override(
        systems.load("scgan").presets["smoke"], {**LENGTHS, "clusters.num_clusters": 5, **changes}
    )
    return Spec("scgan", DataConfig(source="two_spirals", num_train=1000, num_test=1000), config)


@pytest.fixture(scope="module")
def local_store(tmp_path_factory):
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def local(local_store):
    return fit_stages(
        spec_of(), prepare(spec_of()), ArtifactStore(str(local_store)), LocalExecutor()
    )


@pytest.fixture
def store_without(local, local_store, tmp_path):
    """A store that holds what this process trained, less some stages."""

    def make(*stages):
        folder = shutil.copytree(local_store, tmp_path / "runs")
        store = ArtifactStore(str(folder))
        for stage in stages:
            store.delete(local[stage].key)
        return store

    return make


class Heard:
    """A listener that remembers the progress, and what it hears of units and of the cluster."""

    def __init__(self):
        self.progressed, self.units, self.usages = {}, {}, []

    def __getattr__(self, name):
        return lambda *args: None

    def progress(self, stage, progress):
        self.progressed[stage] = progress

    def units_fitted(self, stage, done, num_units):
        self.units.setdefault(stage, []).append((done, num_units))

    def resources_used(self, usage):
        self.usages.append(usage)


def same_tensors(there, here):
    return all(torch.equal(there[key], here[key]) for key in here)


def test_tasks_give_what_this_process_gives_bit_for_bit(ray_head, local, tmp_path, monkeypatch):
    monkeypatch.setattr("ray_jobs.cluster.meter.READ_EVERY", 0.0)
    heard = Heard()
    ray_executor = RayExecutor(
        Resources(clusters_per_task=2, prices={"head": 3600.0})  # so that a second costs 1
    )
    start = time.monotonic()
    fitted = fit_stages(
        spec_of(), prepare(spec_of()), ArtifactStore(str(tmp_path)), ray_executor, [heard]
    )
    for name in local:
        assert fitted[name].key == local[name].key
        assert same_tensors(fitted[name].artifact.tensors, local[name].artifact.tensors)
    assert heard.progressed["encode"].samples == 4096
    assert (heard.progressed["map"].samples, heard.progressed["map"].total) == (3 * 512, 3 * 512)
    assert heard.units["encode"] == [(0, 1), (1, 1)]
    done = [count for count, _ in heard.units["map"]]
    assert done[0] == 0 and sorted(b - a for a, b in itertools.pairwise(done)) == [1, 2, 2]
    assert {(found.nodes, found.cpus) for found in heard.usages} == {(1, 2.0)}
    assert max(found.cpus_in_use for found in heard.usages) >= 1.0
    costs = [found.cost for found in heard.usages]
    assert (
        costs == sorted(costs)
        and 0.5 * (time.monotonic() - start) < costs[-1] < time.monotonic() - start
    )


@pytest.mark.parametrize("stage", ["encode", pytest.param("decode", marks=pytest.mark.slow)])
def test_one_worker_of_a_group_gives_what_this_process_gives_bit_for_bit(
    ray_head, local, store_without, monkeypatch, stage
):
    monkeypatch.setattr("ray_jobs.cluster.meter.READ_EVERY", 0.0)
    heard = Heard()
    ray_executor = RayExecutor(Resources(num_workers=1, prices={"head": 3600.0}))
    fitted = fit_stages(spec_of(), prepare(spec_of()), store_without(stage), ray_executor, [heard])
    assert [name for name, found in fitted.items() if found.new] == [stage]
    assert fitted[stage].key == local[stage].key
    assert same_tensors(fitted[stage].artifact.tensors, local[stage].artifact.tensors)
    assert (heard.progressed[stage].samples, heard.units[stage]) == (4096, [(0, 1), (1, 1)])
    assert {(found.nodes, found.cpus) for found in heard.usages} == {(1, 2.0)}
    assert max(found.cpus_in_use for found in heard.usages) >= 1.0
    costs = [found.cost for found in heard.usages]
    assert costs == sorted(costs) and costs[-1] > 0


@pytest.mark.slow
def test_two_workers_train_as_one_on_the_joined_batch(ray_head, local, store_without):
    data = prepare(spec_of())
    fitted = fit_stages(
        spec_of(), data, store_without("encode", "decode"), RayExecutor(Resources(num_workers=2))
    )
    assert [name for name, stage in fitted.items() if stage.new] == ["encode", "decode"]
    # Weights may drift where the loss is flat (a shift of all codes): what is compared is codes and
    # losses.
    settings = spec_of().config.encoder
    there, here = (stages["encode"].artifact for stages in (fitted, local))
    codes = [load_encoder(settings, artifact).embed(data.test) for artifact in (there, here)]
    assert_close(*codes, rtol=0, atol=2e-3)
    for ours, theirs in zip(here.meta["curve"], there.meta["curve"], strict=True):
        assert_close(theirs["isometric_info_nce"], ours["isometric_info_nce"], rtol=1e-4, atol=0)
    there, here = (stages["decode"].artifact for stages in (fitted, local))
    for name in here.tensors:
        assert_close(there.tensors[name], here.tensors[name], rtol=0, atol=5e-3)
    for ours, theirs in zip(here.meta["curve"], there.meta["curve"], strict=True):
        assert_close(theirs["reconstruction"], ours["reconstruction"], rtol=1e-2, atol=0)


def test_a_task_that_dies_is_started_again_and_only_its_own_clusters(
    ray_head, local, store_without, tmp_path, monkeypatch
):
    died, log = tmp_path / "died", tmp_path / "log"

    def dying(job, units, board, checkpoint_every):
        with log.open("a") as file:
            file.write(f"{','.join(units)}\n")
        if "2" in units and not died.exists():
            died.touch()
            os._exit(1)
        fit_on_task(job, units, board, checkpoint_every)

    monkeypatch.setattr(executor, "fit_on_task", dying)
    ray_executor = RayExecutor(Resources(clusters_per_task=2))
    fitted = fit_stages(spec_of(), prepare(spec_of()), store_without("map"), ray_executor)
    assert same_tensors(fitted["map"].artifact.tensors, local["map"].artifact.tensors)
    assert sorted(log.read_text().split()) == ["0,1", "2,3", "2,3", "4"]


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("mappers", r"tasks failed; the first: map, .*is (nan|inf) after \d"),
        ("encoder", r"^encode: \w+ is (nan|inf) after \d"),
    ],
)
def test_a_failing_unit_ends_the_run_with_its_own_message(ray_head, store_without, stage, message):
    spec = spec_of(**{f"{stage}.learning_rate": 1e30})
    with pytest.raises(RuntimeError, match=message):
        fit_stages(spec, prepare(spec), store_without(), RayExecutor(Resources(max_retries=0)))


def test_the_plan_fits_the_cluster(ray_head):
    assert plan(Resources()).slots == 2 and plan(Resources()).num_workers == 1
    assert [plan(Resources(num_workers=n)).in_group for n in (None, 1, 2)] == [False, True, True]
    assert plan(Resources(cpus_per_task=0.5)).slots == 4
    elastic = plan(Resources(num_workers=9, min_workers=2))
    assert (elastic.min_workers, elastic.num_workers) == (2, 9)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"cpus_per_task": 64}, "the largest node has 2 CPUs"),
        ({"num_workers": 9}, "num_workers is 9, but the cluster holds 2 such workers"),
        (
            {"num_workers": 9, "min_workers": 3},
            "min_workers is 3, but the cluster holds 2 such workers",
        ),
        ({"num_workers": 2, "min_workers": 3}, "min_workers is 3, more than the 2 workers"),
    ],
)
def test_what_no_node_can_hold_is_refused(ray_head, resources, message):
    with pytest.raises(ValueError, match=message):
        plan(Resources(**resources))
