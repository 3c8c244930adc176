"""What a search shows of itself while it runs."""

from __future__ import annotations

from types import SimpleNamespace

import optuna

from ray_jobs.tuning.progress import SearchCallback, SearchProgress
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import ArtifactStore


def test_a_search_shows_and_logs_what_it_holds(tmp_path, capsys):
    usage, told = Usage(2, 4.0, 2.5, 8.0, 4.0, 1.234), []
    shown = SearchProgress(optuna.create_study(direction="minimize"), 4, "energy_distance")
    meter = SimpleNamespace(due=lambda: None if told else usage)
    callback = SearchCallback(ArtifactStore(str(tmp_path)), shown, told.append, meter)
    for _ in range(2):
        callback.synced = float("-inf")
        callback.on_step_end(0, [])
    assert told == [usage, None]
    shown.show(at_once=True)
    assert capsys.readouterr().err.splitlines()[-1].endswith("nodes 2  GPUs 2.5/4  cost 1.23")
