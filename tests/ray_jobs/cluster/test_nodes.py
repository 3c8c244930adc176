"""What a cluster may grow to, and what is planned on it."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import ray

from ray_jobs.cluster import nodes, waiting
from ray_jobs.cluster.resources import Resources, check_bundles, num_places, plan
from ray_jobs.tuning.settings import TuneSettings

HEAD = {"CPU": 0, nodes.HEAD_RESOURCE: 1.0}
CONFIG = {
    "max_workers": 10,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "max_workers": 0},
        "gpu_on_demand": {"resources": {"CPU": 8, "GPU": 2}, "priority": 0, "max_workers": 4},
        "gpu_spot": {"resources": {"CPU": 4, "GPU": 1}, "priority": 10, "max_workers": 8},
    },
}


@pytest.fixture
def cluster(monkeypatch):
    """Sets the nodes that are there, and the file of the autoscaler, if one is found."""

    def there(*resources, config=None):
        found = [{"Alive": True, "Resources": each} for each in resources]
        gone = {"Alive": False, "Resources": {"CPU": 99, "GPU": 99}}
        monkeypatch.setattr(ray, "nodes", lambda: [*found, gone])
        monkeypatch.setattr(nodes, "autoscaling_config", lambda: config)

    return there


def test_types_that_are_preferred_come_first_up_to_the_clusters_limit():
    spot, on_demand = {"CPU": 4, "GPU": 1}, {"CPU": 8, "GPU": 2}
    assert nodes.workers_of(CONFIG) == [spot] * 8 + [on_demand] * 2
    one = {"head": {}, "worker": {"resources": {"CPU": 2}}}
    config = {"max_workers": 3, "head_node_type": "head", "available_node_types": one}
    assert nodes.workers_of(config) == [{"CPU": 2}] * 3  # a type's limit is the cluster's


def test_workers_that_are_there_are_no_others_than_those_that_may_come(cluster):
    cluster(HEAD, {"CPU": 4, "GPU": 1}, config=CONFIG)
    assert nodes.total(nodes.present(), "GPU") == 1
    assert nodes.total(nodes.possible(), "GPU") == 12
    cluster(HEAD, {"CPU": 4, "GPU": 1})
    assert nodes.total(nodes.possible(), "GPU") == 1


def test_places_are_counted_node_by_node():
    there = [{"CPU": 3, "GPU": 1}, {"CPU": 8}, {"CPU": 1, "GPU": 1}]
    assert nodes.places(there, {"CPU": 2}) == 1 + 4
    assert nodes.places(there, {"CPU": 1, "GPU": 0.25}) == 3 + 0 + 1
    assert nodes.places([{"GPU": 0.3}], {"GPU": 0.1}) == 3


def test_from_cold_a_stage_gets_one_worker_with_a_gpu_and_tasks_all_there_may_be(cluster):
    cluster(HEAD, config=CONFIG)
    found = plan(Resources())
    assert (found.num_workers, found.worker_gpus, found.task_gpus) == (1, 1.0, 0.25)
    assert found.slots == 8 * 4 + 2 * 8
    cluster(HEAD, *[{"CPU": 4, "GPU": 1}] * 3, config=CONFIG)
    assert plan(Resources()).num_workers == 3
    asked = plan(Resources(num_workers=12))
    assert (asked.min_workers, asked.num_workers) == (12, 12)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"num_workers": 13}, "num_workers is 13, but the cluster holds 12 such workers"),
        ({"cpus_per_task": 9}, "cpus_per_task is 9, but the largest node has 8 CPUs"),
        ({"gpus_per_task": 3}, "gpus_per_task is 3, but the largest node has 2 GPUs"),
    ],
)
def test_what_no_type_of_node_can_hold_is_refused_from_cold(cluster, asked, message):
    cluster(HEAD, config=CONFIG)
    with pytest.raises(ValueError, match=message):
        plan(Resources(**asked))


def test_what_a_job_may_take_bounds_it_where_that_is_said(cluster):
    cluster(HEAD, config=CONFIG)
    found = plan(Resources(num_gpus=2))
    assert (found.num_workers, found.slots) == (2, 8)
    assert num_places({"CPU": 1, "GPU": 0.5}, Resources(num_gpus=3, num_cpus=4)) == 4
    assert plan(Resources(num_gpus=2, gpus_per_task=0)).slots == 1


def test_trials_are_counted_on_what_may_come(cluster):
    cluster(HEAD, config=CONFIG)
    check_bundles([{"CPU": 4, "GPU": 1}] * 12, Resources(), "less")
    with pytest.raises(ValueError, match="13 x 4 CPUs and 1 GPUs.* room for 12; less"):
        check_bundles([{"CPU": 4, "GPU": 1}] * 13, Resources(), "less")
    cluster(HEAD)
    check_bundles([{"CPU": 4, "GPU": 1}], Resources(num_gpus=1), "less")  # as far as is known


@pytest.mark.parametrize(
    ("there", "asked", "gpus"),
    [
        ({"config": CONFIG}, {}, 0.25),
        ({"config": CONFIG}, {"workers": 2}, 1.0),
        ({"config": CONFIG}, {"gpus": 0.0}, 0.0),
        ({"config": CONFIG}, {"gpus": 0.5}, 0.5),
        ({}, {}, 0.0),
    ],
)
def test_a_trial_takes_a_share_of_a_gpu_where_there_are_any(cluster, there, asked, gpus):
    cluster(HEAD, **there)
    found = TuneSettings(**asked).with_gpus(Resources())
    assert found.gpus == gpus
    assert [bundle.get("GPU", 0) for bundle in found.bundles] == [gpus] * found.workers


def test_the_autoscalers_file_is_found_by_its_command_line(monkeypatch, tmp_path):
    (tmp_path / "config.yaml").write_text(json.dumps(CONFIG))
    here = SimpleNamespace(gcs_address="10.0.0.1:6379")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: here)
    words = [f"--autoscaling-config={tmp_path}/config.yaml", "--gcs-address=10.0.0.1:6379"]
    command = [sys.executable, "-c", "print('up', flush=True); input()", *words]
    monitor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert monitor.stdout.readline() == b"up\n"  # before, its words need not be there yet
        assert nodes.autoscaling_config() == CONFIG
        here.gcs_address = "10.0.0.2:6379"  # of another cluster
        assert nodes.autoscaling_config() is None
    finally:
        monitor.communicate(b"\n", timeout=30)
    here.gcs_address = "10.0.0.1:6379"
    assert nodes.autoscaling_config() is None


@pytest.mark.parametrize(
    ("there", "asked", "waits"),
    [
        ([HEAD], {}, True),
        ([HEAD], {"num_gpus": 1}, False),
        ([HEAD, {"CPU": 1}], {}, False),
    ],
)
def test_a_first_node_is_waited_for_where_nothing_tells_what_may_come(
    cluster, monkeypatch, there, asked, waits
):
    waited = []
    cluster(*there)
    monkeypatch.setattr(
        waiting.StageTimeout, "await_room", lambda self, call: waited.append(self.bundles)
    )
    waiting.await_first_node(Resources(**asked), 0.0)
    assert waited == [[{"CPU": 1.0}]] * waits


def test_what_is_coming_is_said(monkeypatch):
    from ray.autoscaler.v2 import sdk

    def node(name):
        return SimpleNamespace(ray_node_type_name=name)

    launches = [SimpleNamespace(ray_node_type_name="spot", count=2)]
    failed = [SimpleNamespace(ray_node_type_name="spot", details="no capacity")]
    status = SimpleNamespace(
        pending_nodes=[node("spot"), node("other")], pending_launches=launches, failed_launches=[]
    )
    here = SimpleNamespace(gcs_address="10.0.0.1:6379")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: here)
    monkeypatch.setattr(sdk, "get_cluster_status", lambda address: status)
    assert nodes.coming() == "; starting 1 other and 3 spot"
    status.failed_launches = failed
    assert nodes.coming().endswith("; spot could not be started: no capacity")
    monkeypatch.setattr(sdk, "get_cluster_status", None)
    assert nodes.coming() == ""
