"""Runs repeated, killed, failed or trained anew, and MLflow away: nothing is lost or doubled."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from scgan.tracking.tracker import MLflowTracker
from scgan.training.runtime import Progress
from tests.tracking.conftest import STAGES, content, entries, history, play, repeated, tracker_of


def delete_runs(uri: str) -> None:
    """Delete every run of the experiment, as a person would in the UI."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    for run in entries(uri).values():
        client.delete_run(run.info.run_id)


def test_a_repeated_run_adds_nothing_and_asks_little(uri, outcome):
    play(MLflowTracker.open(uri), outcome)
    before = content(uri), {name: run.info.end_time for name, run in entries(uri).items()}
    tracker, server = tracker_of(uri)
    play(tracker, repeated(outcome))
    assert server.calls == {"search_runs": 1}
    assert tracker.model_uri is not None
    assert before == (content(uri), {name: run.info.end_time for name, run in entries(uri).items()})


def test_a_run_that_was_killed_goes_on_in_its_entry(uri, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    play(MLflowTracker.open(uri), outcome)
    wanted = content(uri)
    directory = Path(uri.removeprefix("sqlite:///")).parent
    other = f"sqlite:///{directory / 'other' / 'mlflow.db'}"
    (directory / "other").mkdir()
    shutil.copy(directory / "mlflow.db", directory / "other" / "mlflow.db")
    delete_runs(other)

    killed = MLflowTracker.open(other)
    play(killed, outcome, STAGES[:1])
    killed.stage_started("cluster", 1)
    del killed
    assert {run.info.status for run in entries(other).values()} == {"RUNNING", "FINISHED"}
    play(
        MLflowTracker.open(other), replace(outcome, trained=("cluster", "map", "decode", "refine"))
    )
    assert content(other) == wanted


def test_a_stage_killed_halfway_has_no_point_twice(uri, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    killed = MLflowTracker.open(uri)
    killed.run_started(outcome.spec, outcome.data)
    killed.stage_started("encode", 1)
    killed.progress("encode", Progress(512, 2048, {"nt_xent": 3.0}))
    first = killed.run_id
    tracker = MLflowTracker.open(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("encode", 1)
    tracker.progress("encode", Progress(512, 2048, {"nt_xent": 3.0}))
    tracker.progress("encode", Progress(700, 2048, {"nt_xent": 2.5}))
    assert tracker.run_id == first
    assert history(uri, entries(uri)["encode"]) == {"live/nt_xent": [(512, 3.0), (700, 2.5)]}


def test_a_stage_from_the_store_is_logged_without_its_seconds(uri, outcome):
    play(MLflowTracker.open(uri), replace(outcome, trained=("decode", "refine")))
    metrics = entries(uri)[outcome.spec.run_id].data.metrics
    assert [key for key in metrics if key.startswith("encode/")]
    assert "encode/seconds" not in metrics
    assert metrics["decode/seconds"] == 1.5


def test_a_run_trained_anew_is_reopened_and_has_a_new_model(uri, outcome):
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome)
    before, old = content(uri), tracker.model_uri
    play(tracker, replace(outcome, trained=("encode",)), STAGES[:1])
    assert {run.info.status for run in entries(uri).values()} == {"RUNNING", "FINISHED"}
    play(tracker, replace(outcome, trained=()), STAGES[1:])
    assert tracker.model_uri != old
    assert content(uri) == before


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("the loss"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(1), "KILLED"),
    ],
)
def test_a_failed_run_says_so_and_can_be_taken_up(uri, outcome, error, status):
    tracker = MLflowTracker.open(uri)
    play(tracker, outcome, STAGES[:1])
    tracker.stage_started("cluster", 1)
    tracker.run_failed(error)
    found = entries(uri)
    assert {name: run.info.status for name, run in found.items()} == {
        outcome.spec.run_id: status,
        "encode": "FINISHED",
        "cluster": status,
    }
    assert found[outcome.spec.run_id].data.tags["scgan.error"] == type(error).__name__
    play(MLflowTracker.open(uri), replace(outcome, trained=("cluster", "map", "decode", "refine")))
    assert {run.info.status for run in entries(uri).values()} == {"FINISHED"}


@pytest.mark.parametrize("away", ["start", "middle"])
def test_an_outage_loses_nothing(uri, migrated, tmp_path, outcome, caplog, monkeypatch, away):
    monkeypatch.setattr(MLflowTracker, "RETRY_AFTER", 0.0)
    monkeypatch.setattr(MLflowTracker, "LIVE_EVERY", 0.0)
    play(MLflowTracker.open(uri), outcome)
    (tmp_path / "other").mkdir()
    other = f"sqlite:///{shutil.copy(migrated, tmp_path / 'other')}"
    tracker, server = tracker_of(other)
    server.down = away == "start"
    play(tracker, outcome, STAGES[:1])
    server.down = True
    play(tracker, outcome, STAGES[1:3])
    (warning,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "no route" in warning.getMessage()
    server.down = False
    play(tracker, outcome, STAGES[3:])
    assert content(other) == content(uri)


def test_a_server_that_is_away_at_the_end_is_made_up_for_by_the_same_command(uri, outcome, caplog):
    tracker, server = tracker_of(uri)
    play(tracker, outcome, STAGES[:3])
    server.down = True
    play(tracker, outcome, STAGES[3:])
    assert "the same command again" in caplog.text
    assert entries(uri)[outcome.spec.run_id].info.status == "RUNNING"
    play(MLflowTracker.open(uri), repeated(outcome))
    found = entries(uri)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert found[outcome.spec.run_id].data.metrics["sliced_wasserstein"] == 0.06
    assert [k for k in found[outcome.spec.run_id].data.metrics if k.startswith("decode/")]


def test_an_outage_is_not_waited_for_again_and_again(uri, outcome):
    tracker, server = tracker_of(uri)
    tracker.run_started(outcome.spec, outcome.data)
    tracker.stage_started("encode", 1)
    server.down = True
    server.calls.clear()
    for i in range(100):
        tracker._sent = 0.0  # as if five seconds were over
        tracker.progress("encode", Progress(i, 100, {"nt_xent": float(i)}))
    assert server.calls.total() == 1


def test_a_lost_answer_makes_no_second_entry(uri, migrated, tmp_path, outcome, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "RETRY_AFTER", 0.0)
    play(MLflowTracker.open(uri), outcome)
    (tmp_path / "other").mkdir()
    other = f"sqlite:///{shutil.copy(migrated, tmp_path / 'other')}"
    tracker, server = tracker_of(other)
    server.lose = {"create_run", "log_batch", "log_inputs", "set_tag", "set_terminated", "log_dict"}
    play(tracker, outcome)
    for _ in range(10):
        tracker._close()
    assert not server.lose
    assert content(other, live=False) == content(uri, live=False)


def test_what_mlflow_refuses_does_not_hold_up_the_rest(uri, outcome, caplog):
    tracker, server = tracker_of(uri)
    server.refuse = {"log_inputs"}
    play(tracker, outcome)
    assert "not like this" in caplog.text
    assert {run.info.status for run in entries(uri).values()} == {"FINISHED"}
