"""Several runs at once in one store: the same command, other seeds, ten jobs."""

from __future__ import annotations

import pytest

from scgan.store.artifacts import ArtifactStore
from scgan.store.inventory import damages

pytestmark = pytest.mark.faults


def test_the_same_command_twice_at_once(undisturbed, start, end, tmp_path):
    both = [end(process) for process in [start(tmp_path / "runs"), start(tmp_path / "runs")]]
    for ended in both:
        assert ended.code == 0, ended.err
    store = ArtifactStore(str(tmp_path / "runs"))
    undisturbed.assert_same(store)
    assert both[0].result["scores"] == both[1].result["scores"]
    assert list(damages(store)) == [] and not [key for key in store.keys() if ".part-" in key]


def test_one_is_killed_while_the_other_goes_on(undisturbed, start, end, tmp_path):
    killed, other = start(tmp_path / "runs", die_at="decode"), start(tmp_path / "runs")
    assert end(killed).code == -9
    ended = end(other)
    assert ended.code == 0, ended.err
    undisturbed.assert_same(ArtifactStore(str(tmp_path / "runs")))


def test_ten_jobs_at_once(undisturbed, start, end, tmp_path):
    """Ten of the same command: whoever comes late finds what is there."""
    processes = [
        start(tmp_path / "runs", MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/{i}.db")
        for i in range(10)
    ]
    for ended in [end(process, seconds=500) for process in processes]:
        assert ended.code == 0, ended.err

    store = ArtifactStore(str(tmp_path / "runs"))
    undisturbed.assert_same(store)
    assert list(damages(store)) == []
