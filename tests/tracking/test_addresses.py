"""MLflow's address and experiment: defaults, what is shown of them, and what is refused."""

from __future__ import annotations

import shlex
import shutil
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from scgan.store import opening
from scgan.store.opening import sqlite_path, sqlite_uri
from scgan.tracking import tracker as tracking
from scgan.tracking.tracker import MLflowTracker, redacted


def test_an_address_is_shown_without_its_password():
    assert redacted("postgresql://me:pw@host/db") == "postgresql://me:***@host/db"
    assert redacted("http://host:5000/a@b:c@d") == "http://host:5000/a@b:c@d"
    tracker = MLflowTracker(None, "http://me:pw@host:5000/", "3")
    runs = "/#/experiments/3/runs?workflowType=machine_learning&viewStateShareKey=scgan"
    assert tracker.address == f"http://me:***@host:5000{runs}"
    tracker = MLflowTracker(None, "sqlite:////a/mlflow.db", "3")
    command = "mlflow ui --backend-store-uri sqlite:////a/mlflow.db"
    assert tracker.address == f"{command}  # http://127.0.0.1:5000{runs}"
    for folder in ("my runs", "a#b", "a%20b", "it's"):
        tracker = MLflowTracker(None, f"sqlite:////{folder}/mlflow.db", "3")
        words = shlex.split(tracker.address, comments=True)
        assert words == ["mlflow", "ui", "--backend-store-uri", f"sqlite:////{folder}/mlflow.db"]


def test_the_default_is_sqlite_here_with_artifacts_beside(uri, migrated, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copy(migrated, "mlflow.db")
    tracker = MLflowTracker.open()
    assert tracker.uri == f"sqlite:///{tmp_path}/here/mlflow.db"
    made = tracker._client.get_experiment(tracker._experiment_id)
    assert made.artifact_location == (tmp_path / "here" / "mlartifacts").as_uri()
    assert made.tags["mlflow.experimentKind"] == "custom_model_development"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert MLflowTracker.open().uri == uri


def test_the_experiment_is_the_users(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "myteam")
    for given, name in ((None, "myteam"), ("other", "other")):
        tracker = MLflowTracker.open(uri, given)
        assert tracker.client.get_experiment(tracker.experiment_id).name == name


def test_the_experiment_is_the_users_by_its_id(uri, monkeypatch):
    client = MLflowTracker.open(uri, "theirs").client
    theirs = client.get_experiment_by_name("theirs").experiment_id
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", theirs)
    assert MLflowTracker.open(uri).experiment_id == theirs
    assert MLflowTracker.open(uri, "other").experiment_id != theirs  # what is said in code wins

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    assert MLflowTracker.open(uri).experiment_id == theirs
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    with pytest.raises(ValueError, match="NAME is 'other': unset one of them") as both:
        MLflowTracker.open(uri)

    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    client.delete_experiment(theirs)
    for asked in (theirs, "4711", "no number"):
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", asked)
        with pytest.raises(ValueError, match=f"ID is '{asked}', and there is no such") as gone:
            MLflowTracker.open(uri)
    assert "\n" not in f"{both.value}{gone.value}"


def test_a_deleted_experiment_is_named(uri):
    tracker = MLflowTracker.open(uri)
    tracker._client.delete_experiment(tracker._experiment_id)
    with pytest.raises(ValueError, match="experiment 'scgan' was deleted") as info:
        MLflowTracker.open(uri)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("silent", [False, True])
def test_a_server_that_is_not_there_is_said_in_seconds(uri, monkeypatch, silent):
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()  # takes the call and never answers
            monkeypatch.setattr(tracking, "FIRST_TIMEOUT", "1")
        port = listener.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(ValueError, match="no server answers there") as info:
            MLflowTracker.open(f"http://me:hush-hush@127.0.0.1:{port}")
    assert time.monotonic() - start < 8
    assert "\n" not in str(info.value)
    assert "hush-hush" not in str(info.value)
    assert f"127.0.0.1:{port}" in str(info.value)


def test_mlflow_knows_the_variables_that_are_set():
    from mlflow import environment_variables

    for name in tracking.ENVIRONMENT:
        assert getattr(environment_variables, name).name == name


def test_a_users_timeouts_are_left_alone(uri, monkeypatch):
    import os

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    MLflowTracker.open(uri)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


@pytest.mark.parametrize(
    "bad", ["file:/tmp/mlruns", "nonsense://x", "sqlite:////proc/no/mlflow.db"]
)
def test_other_wrong_addresses_are_one_line(uri, bad):
    with pytest.raises(ValueError, match="MLFLOW_TRACKING_URI") as info:
        MLflowTracker.open(bad)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "my runs"])
def test_the_database_of_an_odd_store_is_in_it(migrated, tmp_path, name):
    (tmp_path / name).mkdir()
    database = tmp_path / name / "mlflow.db"
    shutil.copy(migrated, database)
    uri = sqlite_uri(database)
    assert sqlite_path(uri) == database
    tracker = MLflowTracker.open(uri)
    assert tracker.uri == uri and [path.name for path in tmp_path.iterdir()] == [name]
    made = tracker.client.get_experiment(tracker.experiment_id)
    assert made.artifact_location == (tmp_path / name / "mlartifacts").as_uri()


def test_an_older_sqlalchemy_reads_addresses_as_they_are(monkeypatch):
    monkeypatch.setattr(opening, "version", lambda package: "2.0.40")
    assert sqlite_uri(Path("/a%20b/m.db")) == "sqlite:////a%20b/m.db"
    assert sqlite_path("sqlite:////a%20b/m.db") == Path("/a%20b/m.db")
    with pytest.raises(ValueError, match=r"can't lie in a folder with \? in its name"):
        sqlite_uri(Path("/a?b/m.db"))
