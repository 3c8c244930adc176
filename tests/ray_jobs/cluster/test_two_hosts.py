"""Encoder and mappers on two hosts that share only a network give what they give on one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("unshare", "nsenter", "ip"))), reason="no unshare, nsenter or ip"
    ),
]

ROOT = Path(__file__).parents[3]
ADDRESSES = ("10.77.0.1", "10.77.0.2")
RAY_PORT, S3_PORT = 6379, 9000

# Process 1 of a host: of the machine's files it can write none, its own are gone with it. It ends
# with its input.
HOST = (
    'mount -t tmpfs tmpfs "$1" && mount -t tmpfs tmpfs /dev/shm && '
    "mount -o remount,bind,ro / && echo up && exec cat"
)

# Prints the hashes of each artifact's tensors, and its plain values.
DRIVER = """
import json, os, time
import boto3, ray
from ray_jobs.cluster import executor
from ray_jobs.cluster.resources import Resources
from scgan import systems
from scgan.store.artifacts import ArtifactStore
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec

def noting(fit, stage_of):
    # Leave a line in a file of the host on which something is fitted.
    def noted(*arguments):
        stage = stage_of(arguments[0])
        with open(os.environ["HOME"] + "/fitted", "a") as file:
            file.write(stage + "\\n")
        if stage == "map":  # else the first host is done with all before the other has a process
            time.sleep(10 * (len(ray.nodes()) - 1))
        fit(*arguments)
    return noted

executor.fit_on_worker = noting(executor.fit_on_worker, lambda loop: "encode")
executor.fit_on_task = noting(executor.fit_on_task, lambda job: job.stage)
lengths = {"encoder.num_samples": 16_384, "clusters.num_clusters": 8, "mappers.num_samples": 9_600}
config = override(systems.load("scgan").presets["smoke"], lengths)
spec = Spec("scgan", DataConfig(source="ring", num_train=600, num_test=400), config)
ray.init(log_to_driver=False)
boto3.client("s3").create_bucket(Bucket="bucket")
store, resources = ArtifactStore("s3://bucket/runs"), Resources(num_workers=2, clusters_per_task=2)
wanted = ("encode", "cluster", "map")
fit_stages(spec, prepare(spec), store, executor.RayExecutor(resources), only=wanted)
manifests = {key: store.manifest(key) for key in store.keys()}
hashes = {}
for key, manifest in manifests.items():
    hashes[key] = [file["sha256"] for file in manifest["files"].values()]
print(json.dumps([hashes, {key: manifest["meta"] for key, manifest in manifests.items()}]))
"""


@dataclass(frozen=True)
class Host:
    """Namespaces of network, mounts and processes, which live as long as the process ``pid``."""

    address: str
    folder: str
    logs: Path
    pid: int
    started: list[subprocess.Popen]

    def start(self, *words):
        """Start a command on the host; gives the process and the file with what it says."""
        there = (
            "nsenter",
            f"--target={self.pid}",
            "--net",
            "--mount",
            "--pid",
            "--",
            "env",
            "-C",
            str(ROOT),
        )
        environment = {
            **os.environ,
            **{name: self.folder for name in ("HOME", "TMPDIR", "RAY_TMPDIR")},
            "PYTHONPATH": str(ROOT),
            # else by the machine's name, which leads to loopback here
            "GLOO_SOCKET_IFNAME": "eth0",
            "AWS_ENDPOINT_URL": f"http://{ADDRESSES[0]}:{S3_PORT}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        log = self.logs / f"{self.address}-{len(self.started)}.log"
        with log.open("w") as file:
            command, streams = [*there, *map(str, words)], {"stdout": file, "stderr": file}
            self.started.append(
                subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **streams)
            )
        return self.started[-1], log

    def read(self, name):
        """A file of the host's own."""
        path = Path(f"/proc/{self.pid}/root{self.folder}/{name}")
        return path.read_text() if path.exists() else ""


@contextlib.contextmanager
def started_host(address, folder, logs):
    """A host with a file system of its own at ``folder``."""
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    streams = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    holder = subprocess.Popen([*command, "sh", "-c", HOST, "sh", folder], **streams)
    started = []
    try:
        said = holder.stdout.readline().strip()
        if said != "up":
            pytest.skip(f"no namespaces can be made here: {said}")
        yield Host(address, folder, logs, psutil.Process(holder.pid).children()[0].pid, started)
    finally:
        holder.communicate(timeout=30)
        for process in started:
            process.wait(30)


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no network can be made here: {done.stderr.strip()}")


@contextlib.contextmanager
def cabled_hosts(logs):
    """Two hosts with a cable between them, each with files of its own at the same path."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="scgan-host-"))
        first, second = (
            stack.enter_context(started_host(address, folder, logs)) for address in ADDRESSES
        )
        ip(
            "link",
            "add",
            "eth0",
            "netns",
            first.pid,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            second.pid,
        )
        for host in (first, second):
            for words in (
                ("link", "set", "lo", "up"),
                ("addr", "add", f"{host.address}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                (
                    "route",
                    "add",
                    "default",
                    "dev",
                    "eth0",
                ),  # by which Ray finds the host's own address
            ):
                subprocess.run(
                    ["nsenter", f"--target={host.pid}", "--net", "ip", *words], check=True
                )
        yield first, second


def fitted(count, logs, wait_until):
    """Fit on one or two hosts that have two CPUs in all.

    Returns:
        What the driver prints, and the stages that were fitted on each host.
    """
    with cabled_hosts(logs) as hosts:
        head, programs, gcs = hosts[0], Path(sys.executable).parent, f"{ADDRESSES[0]}:{RAY_PORT}"
        sizes = (f"--num-cpus={2 // count}", "--object-store-memory=100000000")
        _, log = head.start(programs / "moto_server", "-H", head.address, "-p", S3_PORT)
        wait_until(lambda: "Running on" in log.read_text(), seconds=60)
        for host in hosts[:count]:
            role = (
                ("--head", f"--port={RAY_PORT}", "--include-dashboard=false")
                if host is head
                else ("--address", gcs)
            )
            own = (f"--node-ip-address={host.address}", *sizes, *role)
            _, log = host.start(programs / "ray", "start", "--block", "--disable-usage-stats", *own)
            wait_until(lambda log=log: "Ray runtime started" in log.read_text(), seconds=120)
        driver, log = head.start("env", f"RAY_ADDRESS={gcs}", sys.executable, "-c", DRIVER)
        wait_until(lambda: driver.poll() is not None, seconds=300)
        assert driver.returncode == 0, log.read_text()
        return json.loads(log.read_text().splitlines()[-1]), [
            host.read("fitted").split() for host in hosts
        ]


def test_two_hosts_that_share_no_files_give_what_one_gives(processes, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    expected, stages = fitted(1, tmp_path / "one", processes[1])
    assert (
        sorted(stages[0]) == ["cluster", "encode", "encode", "map", "map", "map", "map"]
        and not stages[1]
    )
    found, stages = fitted(2, tmp_path / "two", processes[1])
    assert [each.count("encode") for each in stages] == [1, 1]
    assert all("map" in each for each in stages) and sum(each.count("map") for each in stages) == 4
    assert len(found[0]) == 3 and found == expected  # bit for bit
