"""What the fault tests share: a small run, done once without a fault, and ways to break things."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

STAGES = ("encode", "cluster", "map", "decode", "refine")
# Seconds, not milliseconds, in each loop, so that there is a middle in which something can break.
LENGTHS = {
    "encoder.num_samples": 131_072,
    "mappers.num_samples": 384_000,
    "decoder.num_samples": 131_072,
    "decoder.max_passes": 1000,
    "refine.num_trees": 400,
}
DATA = {"source": "ring", "num_train": 600, "num_test": 400}


@pytest.fixture(scope="session")
def spec():
    changes = {**LENGTHS, "clusters.num_clusters": 4}
    return Spec(
        "scgan", DataConfig(**DATA), override(systems.load("scgan").presets["smoke"], changes)
    )


@pytest.fixture(scope="session")
def words(spec):
    """The command line of the same run, without the store."""
    changes = {**LENGTHS, "clusters.num_clusters": 4, "data.num_train": 600, "data.num_test": 400}
    pairs = (word for key, value in changes.items() for word in (f"--{key}", str(value)))
    return ["--data", "ring", "--preset", "smoke", *pairs, "--json"]


@dataclass(frozen=True)
class Undisturbed:
    """The run without a fault: its stages, and the folder of its store."""

    stages: dict
    folder: Path

    def assert_same(self, store, stages=STAGES):
        """Bit for bit what this run made lies in another store.

        Only the curve of several packs, a sum in their order, may differ in its last digits.
        """
        for name in stages:
            ours, theirs = self.stages[name].artifact, store.load(self.stages[name].key)
            assert theirs is not None, name

            curve = [pytest.approx(point, rel=1e-5) for point in ours.meta.get("curve", ())]
            assert list(theirs.meta.get("curve", ())) == curve, name
            assert {**ours.meta, "curve": []} == {**theirs.meta, "curve": []}, name

            for key, tensor in ours.tensors.items():
                assert torch.equal(theirs.tensors[key], tensor), (name, key)

    def copy_without(self, folder, *stages):
        """A store that holds the run less some stages."""
        store = ArtifactStore(str(shutil.copytree(self.folder, folder)))
        for stage in stages:
            store.delete(self.stages[stage].key)
        return store


@pytest.fixture(scope="session")
def undisturbed(spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return Undisturbed(
        fit_stages(spec, prepare(spec), ArtifactStore(str(folder)), LocalExecutor()), folder
    )


class Listener:
    """Calls ``at(stage, progress)`` at each progress; keeps where each stage began."""

    def __init__(self, at=lambda stage, progress: None):
        self.at, self.first, self.fitted = at, {}, []

    def __getattr__(self, name):
        return lambda *args: None

    def stage_started(self, stage, num_units):
        self.fitted.append(stage)

    def progress(self, stage, progress):
        self.first.setdefault(stage, progress.samples)
        self.at(stage, progress)


@pytest.fixture
def listener():
    return Listener


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str
    first: dict

    @property
    def result(self):
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def start(words, tmp_path):
    """Start a run in a process of its own: ``start(store, die_at=..., ray=..., **environment)``."""
    number = iter(range(1000))

    def begin(store, die_at=None, ray=False, **environment):
        log = tmp_path / f"progress-{next(number)}.log"
        settings = {
            "words": [*words, "--store", str(store)],
            "log": str(log),
            "die_at": die_at,
            "ray": ray,
        }

        environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
            **environment,
        }

        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "driver.py"), json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

        process.log = log
        return process

    return begin


@pytest.fixture
def end():
    """Wait for a started run."""

    def wait(process, seconds=240):
        out, err = process.communicate(timeout=seconds)
        first = {}
        for line in process.log.read_text().splitlines() if process.log.exists() else ():
            stage, samples = line.split()
            first.setdefault(stage, int(samples))
        return Ended(process.returncode, out, err, first)

    return wait


@pytest.fixture
def until():
    def wait(done, seconds=60):
        limit = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < limit, f"not within {seconds} s"
            time.sleep(0.05)

    return wait


HEAD_ID = "fffffffffffffffffffffffffffffffffffffffffffffffffff00000"
COMMANDS = (
    *("cluster_synced_files", "initialization_commands", "setup_commands", "head_setup_commands"),
    *("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands"),
)


@pytest.fixture
def growing_head(another_head, tmp_path):
    """A head of no CPU with Ray's autoscaler of processes: ``growing_head(worker, most=2)``."""

    def begin(worker, most=2, **environment):
        nodes = {"node_config": {}, "min_workers": 0}
        config = {
            "cluster_name": "fake",
            "max_workers": most,
            "idle_timeout_minutes": 0.1,
            "provider": {
                # by its own name Ray looks for defaults that its wheel does not hold
                "type": "external",
                "module": "ray.autoscaler._private.fake_multi_node.node_provider"
                ".FakeMultiNodeProvider",
                "head_node_id": HEAD_ID,
                "launch_multiple": True,
            },
            "auth": {},
            "head_node_type": "ray.head.default",
            "available_node_types": {
                "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                "worker": {"resources": worker, "max_workers": most, **nodes},
            },
            "upscaling_speed": 1.0,
            **{key: {} for key in ("docker", "file_mounts")},
            **{key: [] for key in COMMANDS},
        }

        settings = {
            "RAY_FAKE_CLUSTER": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
            **environment,
        }
        log = tmp_path / "head.log"
        return another_head(log, "--num-cpus=0", autoscaling=config, **settings)

    return begin
