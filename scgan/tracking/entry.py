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
        stepless: Whether all its metrics that must not be written twice have step 0: their latest
            values are then all there is to know, where else each one's history is asked for.
    """

    def __init__(
        self,
        client: Any,
        experiment_id: str,
        name: str,
        tags: Mapping[str, str],
        *,
        stepless: bool = False,
    ) -> None:
        self.client, self.experiment_id, self.name = client, experiment_id, name
        self.keys, self.stepless = dict(tags), stepless
        self.id, self.status, self.start = "", "", 0
        self.complete = False
        self.tags: Mapping[str, str] = {}
        self.params: set[str] = set()
        self.points: dict[tuple[str, int], float] = {}

    def open(self) -> None:
        """Find the run with the tags, or make it; nothing where that is done."""
        if self.id:
            return

        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in self.keys.items())
        found = self.client.search_runs([self.experiment_id], query, max_results=1)
        tags = {**self.keys, **origin()}
        self.fill(
            found[0]
            if found
            else self.client.create_run(self.experiment_id, tags=tags, run_name=self.name)
        )

    def fill(self, run: Any) -> None:
        """Take over what a run that was found holds."""
        self.tags, self.params, self.status = run.data.tags, set(run.data.params), run.info.status
        self.complete = self.tags.get(COMPLETE) == "true" and self.status == "FINISHED"

        if not self.complete:
            self._read_points(run)
        self.id, self.start = run.info.run_id, run.info.start_time

    def _read_points(self, run: Any) -> None:
        for key, value in run.data.metrics.items():
            if self.stepless:
                self.points[key, 0] = value
            else:
                history = self.client.get_metric_history(run.info.run_id, key)
                self.points |= {(key, point.step): point.value for point in history}

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
        self.client.set_tag(self.id, COMPLETE, "true")
        self.set_status(status)
        self.complete = True

    def reopen(self) -> None:
        """Let it run again, incomplete."""
        if self.complete:
            self._read_points(self.client.get_run(self.id))
            self.client.set_tag(self.id, COMPLETE, "false")
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
        self, points: Points, timestamp: int | None = None, *, replace: bool = False
    ) -> None:
        """Log metrics that are not there yet.

        Args:
            points: Their keys, values and steps.
            timestamp: Of all of them, in milliseconds; now by default.
            replace: Log also what is there with another value.
        """
        from mlflow.entities import Metric

        timestamp = int(time.time() * 1000) if timestamp is None else timestamp
        new = {}

        for key, value, step in points:
            known = self.points.get((key, step))
            if known is None or (replace and known != value):
                new[key, step] = Metric(key, value, timestamp, step)

        for batch in _batches(list(new.values()), MAX_METRICS):
            self.client.log_batch(self.id, metrics=batch)
            self.points |= {(metric.key, metric.step): metric.value for metric in batch}

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
