"""The disk is full within a run: one line, nothing broken; with room again the run goes on."""

from __future__ import annotations

import subprocess

import pytest

from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.store.storage import StorageError

pytestmark = pytest.mark.faults


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "scgan-test", disk], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")

    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)):
                pass
        except OSError:
            pass


class Fill:
    """A listener that takes all room when a stage begins."""

    def __init__(self, disk, stage):
        self.disk, self.stage = disk, stage

    def __getattr__(self, name):
        return lambda *args: None

    def stage_started(self, stage, num_units):
        if stage == self.stage:
            fill(self.disk)


@pytest.mark.parametrize("stage", ["encode", "cluster", "map", "decode", "refine"])
def test_a_full_disk(undisturbed, spec, small_disk, stage):
    store = ArtifactStore(str(small_disk / "runs"))
    with pytest.raises(StorageError, match=r"can't be written: No space left on device$"):
        fit_stages(spec, prepare(spec), store, LocalExecutor(), [Fill(small_disk, stage)])

    assert not [path for path in (small_disk / "runs").rglob(".part-*")]
    assert store.load(undisturbed.stages[stage].key) is None
    (small_disk / "filler").unlink()
    fitted = fit_stages(spec, prepare(spec), store, LocalExecutor())
    stages = list(undisturbed.stages)
    assert [name for name, each in fitted.items() if each.new] == stages[stages.index(stage) :]
    undisturbed.assert_same(store)


def test_what_is_replaced_stays_when_the_new_does_not_fit(small_disk):
    import torch

    store = ArtifactStore(str(small_disk))
    store.save("encode-1", Artifact({"w": torch.ones(10)}))
    fill(small_disk)
    with pytest.raises(StorageError):
        store.save("encode-1", Artifact({"w": torch.zeros(4_000_000)}))
    assert torch.equal(store.load("encode-1").tensors["w"], torch.ones(10))


def test_the_command_says_it_in_one_line(small_disk, start, end):
    fill(small_disk)
    ended = end(start(small_disk / "runs"))
    assert ended.code == 2 and "Traceback" not in ended.err
    assert (
        ended.err.splitlines()[-1].startswith("error: ") and "No space left on device" in ended.err
    )
