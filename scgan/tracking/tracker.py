"""What a run writes into MLflow: a run a pipeline, a child a stage.

Everything is found again by tags, so that a run taken up again goes on in the entry that is there,
and a repeated one adds nothing. Training comes first: what MLflow does not take is kept and sent
again later, and never stops a run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from typing_extensions import override

from scgan import systems
from scgan.data.dataset import Dataset
from scgan.pipeline.executor import Usage
from scgan.pipeline.listeners import Listener
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact
from scgan.store.opening import sqlite_path, sqlite_uri
from scgan.tracking import view
from scgan.tracking.machine import MachineMetrics
from scgan.tracking.outbox import Outbox, one_line, redacted
from scgan.tracking.run import PipelineRun
from scgan.training.runtime import Progress

_log = logging.getLogger(__name__)

# Set where the user has not: MLflow's own would wait four minutes for a server that refuses, and
# seventeen for one that is silent; and its log lines and bars would run through the progress bars.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    # seconds; long enough for a server that hands a model on to S3
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
FIRST_TIMEOUT = "5"  # seconds, of the request that asks whether there is a server at all

MAX_PICTURE = 24  # letters of a picture's file

# Of an experiment: MLflow's UI opens it on its runs, where it would else take it for work on a
# language model.
KIND = {"mlflow.experimentKind": "custom_model_development"}


class MLflowTracker(Listener):
    """A listener that logs runs to MLflow; used where the pipeline is driven, not by workers.

    Args:
        client: An ``mlflow.MlflowClient``.
        uri: The address that the client uses.
        experiment_id: Where runs are logged.
    """

    LIVE_EVERY = 5.0  # seconds between batches of losses while a stage runs
    RETRY_AFTER = 30.0  # seconds in which a failing MLflow is left alone, at least

    def __init__(self, client: Any, uri: str, experiment_id: str) -> None:
        self.uri = uri
        self._client = client
        self._experiment_id = experiment_id
        self._outbox = Outbox(self.RETRY_AFTER)
        self._run: PipelineRun | None = None
        self._stages: set[str] = set()
        self._live: list[tuple[str, float, int]] = []
        self._latest: Mapping[str, float] = {}
        self._sent = 0.0
        self._machine = MachineMetrics()

    @classmethod
    def open(cls, uri: str | None = None, experiment: str | None = None) -> MLflowTracker:
        """Connect, and make the database and the experiment where they are missing.

        Args:
            uri: Address of a server or database; by default ``MLFLOW_TRACKING_URI``, else
                ``mlflow.db`` here.
            experiment: The experiment's name; by default that of ``MLFLOW_EXPERIMENT_NAME`` or
                ``MLFLOW_EXPERIMENT_ID``, as MLflow's own clients obey them, else ``scgan``.

        Returns:
            The tracker.

        Raises:
            ValueError: In one line, within about ten seconds, if MLflow can't be used there.
        """
        uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        if uri.startswith("sqlite:///"):
            uri = sqlite_uri(sqlite_path(uri)) + "".join(uri.partition("?")[1:])

        ours = {
            name: value
            for name, value in ENVIRONMENT.items()
            if os.environ.get(name, value) == value
        }

        first = {name: FIRST_TIMEOUT for name in ours if name == "MLFLOW_HTTP_REQUEST_TIMEOUT"}
        os.environ.update(ours | first)
        from mlflow import MlflowClient

        try:
            logging.getLogger("mlflow.store.db.utils").setLevel(
                logging.WARNING
            )  # else each new database is news
            with _alone(uri):
                client = MlflowClient(tracking_uri=uri)
                tracker = cls(client, uri, _experiment(client, uri, experiment))
            _remove_stray(uri)
            return tracker
        except Exception as error:
            raise ValueError(
                f"MLflow at {redacted(uri)} can't be used ({one_line(error)}); start it, or set "
                "MLFLOW_TRACKING_URI to another, or to sqlite:///mlflow.db"
            ) from None
        finally:
            os.environ.update(ours)

    @property
    def client(self) -> Any:
        """The ``mlflow.MlflowClient``."""
        return self._client

    @property
    def experiment_id(self) -> str:
        """Where runs are logged."""
        return self._experiment_id

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the pipeline's run, None while MLflow has not taken it."""
        return self._run.parent.id or None if self._run else None

    @property
    def model_uri(self) -> str | None:
        """``models:/...`` of the trained system, None where none is logged."""
        return self._run.model_uri if self._run else None

    @property
    def address(self) -> str:
        """Where a person can look: the page of the runs; of a file, behind the command for it."""
        page = view.page(self._experiment_id)
        if self.uri.startswith(("http://", "https://")):
            return redacted(self.uri).rstrip("/") + page
        command = shlex.join(["mlflow", "ui", "--backend-store-uri", redacted(self.uri)])
        return f"{command}  # http://127.0.0.1:5000{page}"

    @override
    def run_started(self, spec: Spec, data: Dataset) -> None:
        # Scoring and pictures are told as stages, too, but are no children of the run.
        self._stages = {stage.name for stage in systems.load(spec.system).stages(data)}
        self._run = run = PipelineRun(self._client, self._experiment_id, spec)
        self._live, self._latest = [], {}
        self._later(partial(run.begin, data))
        _log.info("MLflow shows this run and others at %s", self.address)
        self._machine.start(run.parent, self.uri)

    @override
    def stage_started(self, stage: str, num_units: int) -> None:
        if stage not in self._stages:
            return
        self._live, self._latest = [], {}
        self._later(partial(self._running.begin_stage, stage, num_units))

    @override
    def progress(self, stage: str, progress: Progress) -> None:
        if stage not in self._stages:
            return

        # Under keys of their own, a batch every five seconds: they are what one pack of units last
        # said, not the stage's curve.
        if progress.metrics and dict(progress.metrics) != self._latest:
            self._latest = dict(progress.metrics)
            self._live += [
                (f"live/{name}", value, progress.samples) for name, value in self._latest.items()
            ]
        if time.monotonic() - self._sent >= self.LIVE_EVERY:
            self._send_live(stage)

    @override
    def units_fitted(self, stage: str, done: int, num_units: int) -> None:
        if stage in self._stages:
            self._live.append(("live/units_fitted", float(done), done))

    @override
    def resources_used(self, usage: Usage) -> None:
        self._later(partial(self._running.log_usage, usage, _now()))

    @override
    def stage_finished(self, stage: str, artifact: Artifact, seconds: float | None) -> None:
        if stage not in self._stages:
            return
        self._send_live(stage)
        self._later(partial(self._running.finish_stage, stage, artifact, seconds, _now()))

    @override
    def run_finished(self, outcome: Outcome) -> None:
        self._machine.stop()
        self._later(partial(self._running.finish, outcome, _now()))
        self._close()

    @override
    def run_failed(self, error: BaseException) -> None:
        self._machine.stop()
        self._later(partial(self._running.fail, error))
        self._close()

    def log_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Log PNG files by caption; those of a repeated run that are there stay as they are."""
        files = {
            f"{number:02d}-{picture_name(caption)}.png": content
            for number, (caption, content) in enumerate(pictures.items(), 1)
        }
        self._later(partial(self._running.log_pictures, files))
        self._close()

    def log_report(self, html: str) -> None:
        """Log a report as ``report.html``; that of a repeated run stays as it is."""
        self._later(partial(self._running.log_report, html))
        self._close()

    @property
    def _running(self) -> PipelineRun:
        if self._run is None:
            raise RuntimeError("no run was started")
        return self._run

    def _send_live(self, stage: str) -> None:
        if self._live:
            self._later(partial(self._running.log_points, stage, self._live, _now()))
            self._live = []
        else:
            self._outbox.flush()
        self._sent = time.monotonic()

    def _later(self, call: Callable[[], None]) -> None:
        self._outbox.put(call)
        self._outbox.flush()

    def _close(self) -> None:
        """Try once more, now; what still fails is made up for by the same run started again."""
        self._outbox.flush(at_once=True)
        if self._outbox.calls:
            _log.warning(
                "MLflow at %s has not taken all of the run: the same command again logs what is "
                "missing",
                redacted(self.uri),
            )


def picture_name(caption: str) -> str:
    """A picture's file: the first words of its title, as many as a list of files shows."""
    name = ""
    for word in re.findall(r"[a-z0-9]+", caption.partition(". ")[0].lower()):
        if name and len(name) + 1 + len(word) > MAX_PICTURE:
            break
        name += f"-{word}" if name else word
    return name or "picture"


def _experiment(client: Any, uri: str, name: str | None) -> str:
    """The experiment's id; a new one beside a SQLite file has its artifacts beside it too."""
    asked = None if name else os.environ.get("MLFLOW_EXPERIMENT_ID")
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if asked:
        return _by_id(client, asked, name)

    name = name or "scgan"
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise ValueError(
                f"its experiment {name!r} was deleted: restore it, or give another name"
            )

        return str(found.experiment_id)

    beside = (
        (sqlite_path(uri).parent / "mlartifacts").as_uri() if uri.startswith("sqlite:///") else None
    )
    return str(client.create_experiment(name, beside, KIND))


def _by_id(client: Any, asked: str, name: str | None) -> str:
    """The id that ``MLFLOW_EXPERIMENT_ID`` gives, if it is an experiment's, of this name if any."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_experiment(asked)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        found = None

    if found is None or found.lifecycle_stage != "active":
        raise ValueError(
            f"MLFLOW_EXPERIMENT_ID is {asked!r}, and there is no such experiment: unset it, or "
            "give MLFLOW_EXPERIMENT_NAME instead"
        )

    if name not in {None, found.name}:
        raise ValueError(
            f"MLFLOW_EXPERIMENT_ID is {asked!r}, the experiment {found.name!r}, but "
            f"MLFLOW_EXPERIMENT_NAME is {name!r}: unset one of them"
        )
    return asked


@contextlib.contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Keep others away while a SQLite file is made: two that make it at once break it."""
    if not uri.startswith("sqlite:///"):
        yield
        return
    database = sqlite_path(uri)
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(database.with_name(f"{database.name}.lock"), timeout=120):
        yield


def _remove_stray(uri: str) -> None:
    """Remove the empty folder that MLflow makes by an address's letters, where they are quoted."""
    folder = Path(uri.removeprefix("sqlite:///")).parent
    if uri.startswith("sqlite:///") and folder != sqlite_path(uri).parent:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _now() -> int:
    """Milliseconds, as MLflow counts; taken with the value, so that sending twice is once."""
    return int(time.time() * 1000)
