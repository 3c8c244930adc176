"""Nodes die, resources never come, a deadline passes, a cluster grows from nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch.testing import assert_close

from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.resources import Resources
from scgan.pipeline.run import fit_stages, prepare
from scgan.stages.tables.encode import load_encoder
from scgan.store.artifacts import ArtifactStore

pytestmark = [pytest.mark.faults, pytest.mark.ray]

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import json, os, sys
sys.path[:0] = [{root!r}, {here!r}]
import ray
import conftest as scene
from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.resources import Resources
from scgan.store.artifacts import ArtifactStore
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec

spec = Spec.from_json(json.loads(os.environ["SPEC"]))
store = ArtifactStore(os.environ["STORE"])

def answer(*values):  # Ray writes on standard output too
    with open(os.environ["ANSWER"], "w") as file:
        json.dump(values, file)
"""

NODES = """
import psutil
from ray.cluster_utils import Cluster

# One CPU a node beside the head, so that a fit is alone on a node and one node is spare.
head = {{"num_cpus": 0, "include_dashboard": False}}
cluster = Cluster(initialize_head=True, connect=False, head_node_args=head)
nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
ray.init(address=cluster.address, log_to_driver=False)
lost = []

def busy(node):
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    titles = [" ".join(child.cmdline()) for child in raylet.children(recursive=True)]
    return any(title.startswith(("ray::fit_on", "ray::RayTrain")) for title in titles)

def lose(stage, progress):
    if stage == {stage!r} and not lost and progress.samples > 0.2 * progress.total:
        lost.extend([node for node in nodes if busy(node)][:1])
        for node in lost:
            cluster.remove_node(node, allow_graceful=False)

executor = RayExecutor(Resources(checkpoint_seconds=0.2, num_workers=1, clusters_per_task=2))
fitted = fit_stages(spec, prepare(spec), store, executor, [scene.Listener(lose)])
answer(len(lost), [name for name, each in fitted.items() if each.new])
ray.shutdown()
cluster.shutdown()
"""


def python(code, spec, store, **environment):
    """Run code that ends with ``answer(...)`` in a process of its own."""
    path = Path(f"{store.url}-answer.json")
    preamble = PREAMBLE.format(root=str(ROOT), here=str(Path(__file__).parent))

    environment = {
        **os.environ,
        "SPEC": json.dumps(spec.to_json()),
        "STORE": store.url,
        "ANSWER": str(path),
        **environment,
    }

    command = [sys.executable, "-c", preamble + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(path.read_text())


@pytest.mark.parametrize("stage", ["encode", "map", "decode"])
def test_a_node_dies(undisturbed, spec, tmp_path, stage):
    store = undisturbed.copy_without(tmp_path / "runs", stage)
    assert python(NODES.format(stage=stage), spec, store) == [1, [stage]]
    undisturbed.assert_same(store)


ELASTIC = """
import threading, time
from ray.cluster_utils import Cluster
from ray_jobs.cluster import executor as executing
from scgan.training.state import TrainState

log, total, fit = os.environ["LOG"], spec.config.encoder.num_samples, executing.fit_on_worker

def groups():
    return [json.loads(line) for line in open(log)] if os.path.exists(log) else []

def gated(config):
    # The first group stops at a third until it ends, the second at two thirds, with a checkpoint.
    number, context, over, add = len(groups()) + 1, ray.train.get_context(), [], TrainState.add

    def slow_add(state, losses):
        if not over and context.get_world_rank() == 0:
            with open(log, "a") as file:
                print(json.dumps([context.get_world_size(), state.samples]), file=file)
        over.append(number < 3 and 3 * state.samples > number * total)
        if over[-1]:
            time.sleep(300 if sum(over) > 1 else 1.5)
        add(state, losses)

    TrainState.add = slow_add
    fit(config)

def await_gate(number):
    while not seen or 3 * seen[-1] <= number * total or len(groups()) < number:
        assert training.is_alive()
        time.sleep(0.1)
    time.sleep(2)  # the checkpoint follows the report

head = {"num_cpus": 1, "include_dashboard": False}
cluster = Cluster(initialize_head=True, connect=False, head_node_args=head)
node = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
executing.fit_on_worker = gated
executor = RayExecutor(Resources(checkpoint_seconds=0.2, num_workers=2, min_workers=1))
seen, fitted = [], {}
listener = scene.Listener(lambda stage, progress: seen.append(progress.samples))
arguments = (spec, prepare(spec), store, executor, [listener])
training = threading.Thread(target=lambda: fitted.update(fit_stages(*arguments)), daemon=True)
training.start()
await_gate(1)
cluster.remove_node(node, allow_graceful=False)
await_gate(2)
cluster.add_node(num_cpus=1)
training.join()
answer(groups(), [name for name, each in fitted.items() if each.new])
ray.shutdown()
cluster.shutdown()
"""


def test_the_encoder_goes_on_with_fewer_workers_and_takes_new_ones_in(undisturbed, spec, tmp_path):
    """Of two nodes one dies, later a new one comes; training goes on from its last checkpoint."""
    store = undisturbed.copy_without(tmp_path / "runs", "encode")

    # A minute otherwise, for which a new group is waited for that counts on the lost node.
    environment = {"LOG": str(tmp_path / "groups"), "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "5"}
    groups, new = python(ELASTIC, spec, store, **environment)
    total = spec.config.encoder.num_samples
    assert [workers for workers, _ in groups] == [2, 1, 2] and new == ["encode"]
    assert groups[0][1] == 0 and groups[1][1] > total / 3 and groups[2][1] > 2 * total / 3
    key, data = undisturbed.stages["encode"].key, prepare(spec).test
    artifacts = undisturbed.stages["encode"].artifact, store.load(key)
    codes = [load_encoder(spec.config.encoder, artifact).embed(data) for artifact in artifacts]
    assert_close(*codes, rtol=0, atol=2e-3)


@pytest.mark.parametrize("stage", ["encode", "map"])
def test_what_can_never_come_is_said_and_given_up(
    ray_head, undisturbed, spec, tmp_path, stage, caplog, monkeypatch
):
    """The cluster has no GPU and does not grow."""
    monkeypatch.setattr("ray_jobs.cluster.waiting.SAY_EVERY", 1.0)
    store = undisturbed.copy_without(tmp_path / "runs", stage)
    executor = RayExecutor(Resources(num_gpus=1, gpus_per_task=0.5, timeout_minutes=0.1))
    needs = {"encode": "1 x 1 CPU and 1 GPU", "map": "1 x 1 CPU and 0.5 GPU"}[stage]
    with pytest.raises(RuntimeError, match=f"^{stage} waits for {needs}") as caught:
        fit_stages(spec, prepare(spec), store, executor)

    found = re.fullmatch(
        r".* for (\d+) s; the cluster has 2 CPU and 0 GPU, free \d CPU and 0 GPU, "
        r"longer than resources\.timeout_minutes allows",
        str(caught.value),
    )
    assert int(found.group(1)) >= 6  # 0.1 minutes, and what a busy machine takes on top of it
    assert caplog.text.count(f"{stage} waits for {needs}") >= 3


@pytest.mark.parametrize("stage", ["encode", "map", "decode"])
def test_a_deadline_ends_the_job_and_the_next_goes_on(
    ray_head, undisturbed, spec, listener, tmp_path, stage, monkeypatch
):
    """The time is over once the stage has been heard of, by the clock that deadlines go by."""
    ahead = []
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(ahead))
    monkeypatch.setattr("ray_jobs.cluster.waiting.time", clock)
    store = undisturbed.copy_without(tmp_path / "runs", stage)
    executor = RayExecutor(Resources(deadline_minutes=60, checkpoint_seconds=0.2))

    with pytest.raises(RuntimeError, match=f"^{stage}: the job's time is over"):
        fit_stages(
            spec, prepare(spec), store, executor, [listener(lambda *progress: ahead.append(3600))]
        )

    assert store.load(undisturbed.stages[stage].key) is None
    heard = listener()
    fit_stages(spec, prepare(spec), store, RayExecutor(Resources(checkpoint_seconds=0.2)), [heard])
    undisturbed.assert_same(store)


GROWTH = """
import time

ray.init(address=os.environ["HEAD"], log_to_driver=False)
before = len([node for node in ray.nodes() if node["Alive"]])
executor = RayExecutor(Resources(num_gpus=2, gpus_per_worker=1, num_workers=1, clusters_per_task=2))
fit_stages(spec, prepare(spec), store, executor)
most = len(ray.nodes())
end = time.monotonic() + 90
while len([node for node in ray.nodes() if node["Alive"]]) > 1 and time.monotonic() < end:
    time.sleep(0.5)
answer(before, most > 1, len([node for node in ray.nodes() if node["Alive"]]))
"""


def test_a_cluster_grows_from_nothing_by_the_jobs_demand_and_shrinks(
    undisturbed, spec, growing_head, tmp_path
):
    store = ArtifactStore(str(tmp_path / "runs"))
    with growing_head({"CPU": 1, "GPU": 1}) as head:
        assert python(GROWTH, spec, store, HEAD=head.address) == [1, True, 1]

    undisturbed.assert_same(store)
