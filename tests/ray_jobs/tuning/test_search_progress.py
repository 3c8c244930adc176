"""What a search shows of itself while it runs, and what it tidies up."""

from __future__ import annotations

import time
from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from ray_jobs.tuning.progress import SearchCallback, SearchProgress
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import ArtifactStore


def study_of(*values):
    """Complete trials with these values."""
    study = optuna.create_study(direction="minimize")
    for value in values:
        add(study, value)
    return study


def add(study, value):
    params, domains = {"a.x": value / 10}, {"a.x": FloatDistribution(0, 1)}
    study.add_trial(create_trial(value=value, params=params, distributions=domains))


def test_a_search_shows_and_logs_what_it_holds(tmp_path, capsys):
    usage, told = Usage(2, 4.0, 2.5, 8.0, 4.0, 1.234), []
    shown = SearchProgress(study_of(), 4, "energy_distance")
    meter = SimpleNamespace(due=lambda: None if told else usage)
    callback = SearchCallback(ArtifactStore(str(tmp_path)), shown, told.append, meter)
    for _ in range(2):
        callback.synced = float("-inf")
        callback.on_step_end(0, [])
    assert told == [usage, None]
    shown.show(at_once=True)
    assert capsys.readouterr().err.splitlines()[-1].endswith("nodes 2  GPUs 2.5/4  cost 1.23")


def test_the_time_left_is_by_the_trials_that_ended_since_it_began(monkeypatch):
    study = study_of(1.0, 2.0, 3.0)
    shown = SearchProgress(study, 8, "loss")
    monkeypatch.setattr(time, "monotonic", lambda: shown.began + 60)
    assert shown._cells()["left"] == "?"
    for value in (4.0, 5.0):
        add(study, value)
    assert shown._cells()["left"] == "90 s"
    assert shown._cells()["trials"] == "5/8"


def test_below_the_table_are_the_five_best_trials_the_best_first():
    shown = SearchProgress(study_of(5.0, 2.0, 6.0, 1.0, 4.0, 3.0), 8, "loss")
    assert [line.split() for line in str(shown._table().caption).splitlines()] == [
        ["3", "1", "a.x", "0.1"],
        ["1", "2", "a.x", "0.2"],
        ["5", "3", "a.x", "0.3"],
        ["4", "4", "a.x", "0.4"],
        ["0", "5", "a.x", "0.5"],
    ]


@pytest.mark.parametrize(
    ("result", "deleted"),
    [
        ({"account": '{"part": "p"}'}, ["p.checkpoint"]),
        ({"account": '{"part": "p"}', "final": True}, []),
        ({"account": '{"part": ""}'}, []),
        ({}, []),
    ],
)
def test_the_checkpoint_of_a_trial_that_was_stopped_early_is_deleted(result, deleted):
    found = []
    callback = SearchCallback(SimpleNamespace(delete=found.append), None, None, None)
    callback.on_trial_complete(0, [], SimpleNamespace(last_result=result))
    assert found == deleted
