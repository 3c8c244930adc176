"""From cold: a head of no CPU and workers from zero, the commands as they are submitted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TOY = ("--data", "ring", "--data.num_train", 600, "--data.num_test", 400, "--seed", 3)
TINY = (*TOY, "--preset", "smoke", "--clusters.num_clusters", 4, *SHORT, "--json")
SECONDS = 600  # in all; on a free machine a minute, of which the node takes about 10


def submit(head, script, *words):
    command = [str(Path(sys.executable).parent / "ray"), "job", "submit"]
    # Without a working directory: nodes that are processes share its copies, and a new node's agent
    # removes them.
    command += ["--address", head.dashboard, "--"]
    command += [sys.executable, str(ROOT / "ray_jobs" / f"{script}.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


def result(done):
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("full_pipeline", ()),
        ("search", ("--trials", 3, "--stop", "none", "--only", "decoder.lambda_x")),
    ],
)
def test_a_job_makes_the_cluster_grow_and_says_what_it_waits_for(
    growing_head, tmp_path, script, words
):
    """No flag says how far it grows: the autoscaler's node types do."""
    with growing_head({"CPU": 1, "GPU": 1}, PYTHONPATH=str(ROOT)) as head:
        start = time.monotonic()
        done = submit(head, script, *TINY, *words, "--store", tmp_path / "runs")
        seconds = time.monotonic() - start

    told = result(done)
    assert seconds < SECONDS
    said = done.stdout + done.stderr
    print(re.findall(r"[^\n]*(?:waits|there is room)[^\n]*", said), f"{seconds:.0f} s")
    first = r"encode waits for 1 x 1 CPU and 1 GPU for \d+ s; the cluster has 0 CPU and 0 GPU"
    assert re.search(rf"{first}, free 0 CPU and 0 GPU; starting 1 worker", said)
    assert re.search(r": there is room, after \d+ s", said)
    if script == "search":
        assert told["trials"]["complete"] == 3
    else:
        assert told["trained"] == ["encode", "cluster", "map", "decode", "refine"]
