"""The clock jumps by a day within each stage; what is measured and waited for does not."""

from __future__ import annotations

import time

import pytest

from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.store.artifacts import ArtifactStore
from scgan.store.inventory import waste

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_the_clock_jumps(undisturbed, spec, listener, tmp_path, monkeypatch, jump):
    true_time, jumped = time.time, []
    monkeypatch.setattr(time, "time", lambda: true_time() + sum(jumped))
    store = ArtifactStore(str(tmp_path))
    heard = listener(lambda stage, progress: jumped.append(jump) if len(jumped) < 1 else None)
    fitted = fit_stages(spec, prepare(spec), store, LocalExecutor(), [heard])
    assert jumped and all(0 <= each.seconds < 120 for each in fitted.values())
    undisturbed.assert_same(store)


def test_a_clock_that_is_behind_removes_nothing_young(undisturbed, tmp_path, monkeypatch):
    """Files from the future count as young."""
    store = undisturbed.copy_without(tmp_path / "runs")
    monkeypatch.setattr(time, "time", lambda true_time=time.time: true_time() - 30 * 86_400)
    assert waste(store, hours=24) == []
