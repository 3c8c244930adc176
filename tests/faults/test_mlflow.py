"""MLflow's server goes away within a run: training goes on, and nothing to be logged is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from mlflow import MlflowClient

from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import prepare, run
from scgan.store.artifacts import ArtifactStore
from scgan.tracking.tracker import MLflowTracker

pytestmark = pytest.mark.faults


class Server:
    """`mlflow server` on a SQLite file, which can be ended and started again."""

    def __init__(self, folder, port, wait_until, answers, end_with_children):
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self.port, self.tools = port, (wait_until, answers, end_with_children)
        self.process = None

    def start(self):
        wait_until, answers, _ = self.tools
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]

        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = {**os.environ, "MLFLOW_TRACKING_URI": ""}

        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=environment,
            )

        wait_until(lambda: answers(f"{self.url}/health"), seconds=120)

    def stop(self):
        if self.process is not None:
            self.tools[2](self.process.pid)
            self.process.wait(30)
            self.process = None


@pytest.fixture
def server(tmp_path, processes):
    server = Server(tmp_path, *processes)
    server.start()
    yield server
    server.stop()


def points(client, name):
    (experiment,) = (e for e in client.search_experiments() if e.name == name)
    runs = client.search_runs([experiment.experiment_id])
    found = {}
    for each in runs:
        for key in each.data.metrics:
            if not key.startswith("live/") and not key.endswith("seconds"):
                history = client.get_metric_history(each.info.run_id, key)
                found[each.data.tags.get("scgan.stage", "run"), key] = [
                    (p.step, p.value) for p in history
                ]

    return found, [each.info.status for each in runs]


class Away:
    """A listener that ends the server when a stage begins, and starts it again later."""

    def __init__(self, server, stage, seconds):
        self.server, self.stage, self.seconds, self.back = server, stage, seconds, None

    def __getattr__(self, name):
        return lambda *args: None

    def stage_started(self, stage, num_units):
        if stage == self.stage:
            self.server.stop()
            self.back = threading.Timer(self.seconds, self.server.start)
            self.back.start()

    def run_finished(self, outcome):
        self.back.join()


@pytest.mark.parametrize("stage", ["encode", "decode"])
def test_the_server_away_in_a_stage(undisturbed, spec, server, tmp_path, stage, monkeypatch):
    monkeypatch.setattr(MLflowTracker, "RETRY_AFTER", 1.0)
    data = prepare(spec)
    calm, away = (ArtifactStore(str(tmp_path / name)) for name in ("calm", "away"))
    run(spec, data, calm, LocalExecutor(), [MLflowTracker.open(server.url, "calm")])
    tracker = MLflowTracker.open(server.url, "away")
    run(spec, data, away, LocalExecutor(), [Away(server, stage, 8.0), tracker])
    undisturbed.assert_same(away)
    client = MlflowClient(server.url)
    (expected, _), (found, statuses) = points(client, "calm"), points(client, "away")
    assert found == expected and len(found) > 10 and set(statuses) == {"FINISHED"}
