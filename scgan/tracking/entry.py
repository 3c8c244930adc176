"""An entry of MLflow, found again by its tags or made, in which every value is written once.

What is done twice, by a run taken up again or a call made again after an outage, leaves one entry
with one of each value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scgan.tracking.content import Points, origin
from scgan.tracking.naming import made_by

NOTE = "mlflow.note.content"  # MLflow's tag of a description
COMPLETE = "scgan.complete"  # the tag of an entry that holds all that it will ever hold
MAX_LETTERS, MAX_PARAMS, MAX_METRICS = 6000, 100, 1000  # of a parameter; in a call: MLflow's limits
PAGE = 500  # runs that are asked for at a time


class Entry:
    """An MLflow run and what it holds already.

    Args:
        client: An ``mlflow.MlflowClient``.
        experiment_id: Where it lies.
        name: Its name, where it must be made.
        tags: By which it is found.
    """

    def __init__(self, client: Any, experiment_id: str, name: str, tags: Mapping[str, str]) -> None:
        self.client, self.experiment_id, self.name = client, experiment_id, name
        self.keys = dict(tags)
        self.id, self.status, self.start = "", "", 0
        self.complete = False
        self.tags: dict[str, str] = {}
        self.params: set[str] = set()
        self.unread: set[str] = set()  # metrics that it had when it was found
        self.points: dict[tuple[str, int], Any] = {}

    def open(self) -> None:
        """Find the run with the tags, or make it; nothing where that is done."""
        if self.id:
            return

        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in self.keys.items())
        found = self.client.search_runs([self.experiment_id], query, max_results=1)
        tags = {**self.keys, **origin(), **made_by()}
        self.fill(
            found[0]
            if found
            else self.client.create_run(self.experiment_id, tags=tags, run_name=self.name)
        )

    def fill(self, run: Any) -> None:
        """Take over what a run that was found holds."""
        self.tags, self.params = dict(run.data.tags), set(run.data.params)
        self.status, self.unread = run.info.status, set(run.data.metrics)
        self.complete = self.tags.get(COMPLETE) == "true" and self.status != "RUNNING"
        self.id, self.start = run.info.run_id, run.info.start_time

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set the tags that are not there yet, or have other values."""
        for key, value in tags.items():
            if self.tags.get(key) != value:
                self.client.set_tag(self.id, key, value)
                self.tags[key] = value

    def set_status(self, status: str) -> None:
        """Say how it stands, in MLflow's word: RUNNING, FINISHED, FAILED or KILLED."""
        if self.status == status:
            return
        if status == "RUNNING":
            self.client.update_run(self.id, status)
        else:
            self.client.set_terminated(self.id, status)
        self.status = status

    def finish(self, status: str = "FINISHED") -> None:
        """Mark it as complete, and close it."""
        self.set_tags({COMPLETE: "true"})
        self.set_status(status)
        self.complete = True

    def reopen(self) -> None:
        """Let it run again, incomplete."""
        self.set_tags({COMPLETE: "false"} if self.complete else {})
        self.complete = False
        self.set_status("RUNNING")

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log the parameters that are not there yet."""
        from mlflow.entities import Param

        new = [
            Param(key, str(value)[:MAX_LETTERS])
            for key, value in params.items()
            if key not in self.params
        ]

        for batch in _batches(new, MAX_PARAMS):
            self.client.log_batch(self.id, params=batch)
            self.params |= {param.key for param in batch}

    def log_metrics(
        self,
        points: Points,
        timestamp: int | None = None,
        *,
        replace: bool = False,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Log metrics that are not there yet.

        Args:
            points: Their keys, values and steps.
            timestamp: Of all of them, in milliseconds; now by default.
            replace: Log also what is there with another value.
            about: What they were measured of, ``model_id`` and the data set's ``dataset_name`` and
                ``dataset_digest``, which then has them too.
        """
        from mlflow.entities import Metric

        timestamp = int(time.time() * 1000) if timestamp is None else timestamp
        new = {}

        for key, value, step in points:
            self._read(key)
            known = self.points.get((key, step))
            if known is None or (replace and known.value != value):
                new[key, step] = Metric(key, value, timestamp, step, **about or {})
            elif about:  # with its first timestamp, by which the entry takes no second one
                new[key, step] = Metric(key, known.value, known.timestamp, step, **about)

        for batch in _batches(list(new.values()), MAX_METRICS):
            self.client.log_batch(self.id, metrics=batch)
            self.points |= {(metric.key, metric.step): metric for metric in batch}

    def _read(self, key: str) -> None:
        """Ask for the points of a metric that the entry had when it was found, once."""
        if key in self.unread:
            history = self.client.get_metric_history(self.id, key)
            self.points |= {(key, point.step): point for point in history}
            self.unread.remove(key)

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table as MLflow's own call does, which would append to one that is there."""
        table = {"columns": list(columns), "data": [list(row) for row in rows]}
        self.client.log_dict(self.id, table, name)
        tables = json.dumps([{"path": name, "type": "table"}])  # by which the UI finds them
        self.client.set_tag(self.id, "mlflow.loggedArtifacts", tables)


def find_runs(client: Any, experiment_id: str, query: str) -> Iterator[Any]:
    """All runs of an experiment that fit a query, however many."""
    token = None
    while True:
        page = client.search_runs([experiment_id], query, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _batches(items: list, size: int) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
