"""What a search writes into MLflow: a run for the search, a child a trial, all of it derived from the study.

Every entry is found again by tags and every value is written once, so that a search taken up again,
or a step done twice, adds nothing. A failing MLflow costs the search nothing but the entries, which
the next :meth:`sync` makes up.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ray_jobs.tuning.study import FINISHED, best
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import ArtifactStore
from scgan.tracking.content import curve_points, origin, usage_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_log = logging.getLogger(__name__)

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
}
MAX_METRICS = 1000  # in a call: MLflow's limit


@dataclass
class Child:
    """A trial's entry.

    Args:
        id: MLflow's.
        points: Metrics that it has, by key and step.
        closed: Whether nothing is missing.
    """

    id: str
    points: set[tuple[str, int]] = field(default_factory=set)
    closed: bool = False


class SearchRecord:
    """A search's entry with its children.

    Args:
        client: An ``mlflow.MlflowClient``.
        experiment_id: Where it lies.
        study: The study that it shows.
        metrics: What is minimised.
        store: Where the trials' artifacts lie, with their curves.
    """

    def __init__(
        self,
        client: Any,
        experiment_id: str,
        study: optuna.Study,
        metrics: Sequence[str],
        store: ArtifactStore,
    ) -> None:
        self.client, self.experiment_id = client, experiment_id
        self.study, self.metrics, self.store = study, tuple(metrics), store
        self.id, self.start = "", 0
        self.children: dict[int, Child] = {}
        self.warned = False

    def begin(self, params: Mapping[str, Any]) -> None:
        """Find the search's entry and its children, or make it."""
        name = self.study.study_name
        found = self._search(f"tags.`scgan.search` = '{name}'")

        if found:
            run = found[0]
        else:
            tags = {"scgan.search": name, **origin()}
            run = self.client.create_run(self.experiment_id, tags=tags, run_name=f"search {name}")

        self.id, self.start = run.info.run_id, run.info.start_time
        self._params(
            self.id, {key: value for key, value in params.items() if key not in run.data.params}
        )
        self.client.update_run(self.id, "RUNNING")

        for child in self._search(f"tags.`mlflow.parentRunId` = '{self.id}'"):
            if "scgan.trial" in child.data.tags:
                known = self.children[int(child.data.tags["scgan.trial"])] = self._known(child)
                if not known.closed:
                    self.client.update_run(known.id, "RUNNING")

    def _search(self, query: str) -> list[Any]:
        found, token = [], None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], query, max_results=500, page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def _known(self, run: Any) -> Child:
        closed = run.data.tags.get("scgan.complete") == "true"
        points = set()
        if not closed:
            for key in run.data.metrics:
                history = self.client.get_metric_history(run.info.run_id, key)
                points |= {(key, point.step) for point in history}
        return Child(run.info.run_id, points, closed)

    def sync(self, usage: Usage | None = None) -> None:
        """Bring the children up to the study; what MLflow does not take now is tried again next time.

        Args:
            usage: What the search holds of the cluster, to be logged with it.
        """
        try:
            if usage is not None:
                self._log_usage(usage)

            for trial in self.study.get_trials(deepcopy=False):
                if trial.state != TrialState.WAITING and trial.params:
                    self._sync_trial(trial)
        except Exception as error:
            if not self.warned:
                _log.warning(
                    "MLflow does not take the search's entries now, and will later (%s)", error
                )
                self.warned = True

    def _sync_trial(self, trial: FrozenTrial) -> None:
        child = self.children.get(trial.number)
        if child is None:
            tags = {
                "mlflow.parentRunId": self.id,
                "scgan.trial": str(trial.number),
                **origin_once(),
            }

            run = self.client.create_run(
                self.experiment_id, tags=tags, run_name=f"trial {trial.number}"
            )
            child = self.children[trial.number] = Child(run.info.run_id)
            self._params(child.id, trial.params)

        if child.closed:
            return

        self._points(child, _rungs(trial, self.metrics))
        if trial.state in FINISHED:
            self._close(trial, child)

    def _close(self, trial: FrozenTrial, child: Child) -> None:
        account = trial.user_attrs.get("account", {})
        if trial.state == TrialState.COMPLETE:
            self._points(
                child,
                (
                    (k, v, 0)
                    for k, v in trial.user_attrs.get("scores", {}).items()
                    if k not in self.metrics
                ),
            )

            last = list(account.get("keys", {}))[-1:]
            for stage in last:
                artifact = self.store.load(account["keys"][stage])
                self._points(child, curve_points(stage, artifact) if artifact else ())

        self._points(
            child, ((f"{stage}/seconds", s, 0) for stage, s in account.get("seconds", {}).items())
        )
        self.client.set_tag(child.id, "scgan.state", STATES[trial.state])

        if "deaths" in trial.user_attrs:
            self.client.set_tag(
                child.id, "scgan.deaths", "; ".join(trial.user_attrs["deaths"])[:4000]
            )

        if "cause" in trial.user_attrs:
            self.client.set_tag(child.id, "scgan.cause", trial.user_attrs["cause"][:4000])

        self.client.set_tag(child.id, "scgan.complete", "true")
        self.client.set_terminated(
            child.id, "FAILED" if trial.state == TrialState.FAIL else "FINISHED"
        )
        child.closed = True

    def finish(
        self, pictures: Mapping[str, Figure], final: Mapping[str, float], status: str
    ) -> None:
        """Log best values, pictures and the table of trials, and close the search's entry."""
        top = best(self.study)
        if top is not None:
            values = {
                f"best/{name}": value for name, value in zip(self.metrics, top.values, strict=True)
            }
            self._log_values(
                {**values, **{f"held_out/{name}": value for name, value in final.items()}}
            )
            self.client.set_tag(self.id, "scgan.best_trial", str(top.number))
            for key, value in top.params.items():
                self.client.set_tag(self.id, f"best.{key}", str(value))

        for name, figure in pictures.items():
            self.client.log_figure(
                self.id, figure, f"pictures/{name}.png", save_kwargs={"dpi": 150}
            )

        self.client.log_dict(self.id, table(self.study, self.metrics), "trials.json")
        tables = json.dumps(
            [{"path": "trials.json", "type": "table"}]
        )  # by which the UI finds them
        self.client.set_tag(self.id, "mlflow.loggedArtifacts", tables)
        self.client.set_terminated(self.id, status)

    def close(self, status: str) -> None:
        """Close the search's entry and those of trials in flight, which a search taken up again opens again."""
        self.sync()
        try:
            for child in self.children.values():
                if not child.closed:
                    self.client.set_terminated(child.id, "KILLED")
            self.client.set_terminated(self.id, status)
        except Exception as error:  # what ended the search is to be seen, not this
            _log.warning("MLflow does not take the search's end (%s)", error)

    def register(self, name: str, run_tag: str) -> str | None:
        """Register a pipeline run's model under the alias ``best``; one that is there already keeps its version.

        Args:
            name: Of the registered model.
            run_tag: The pipeline run's name, by which its entry is found.

        Returns:
            The version; None where MLflow has no such model.
        """
        from mlflow.exceptions import MlflowException

        found = self._search(f"tags.`scgan.run_id` = '{run_tag}'")
        model_uri = found[0].data.tags.get("scgan.model_uri") if found else None
        if model_uri is None:
            return None

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

        source, run_id = self._source(model_uri), found[0].info.run_id
        known = [
            v for v in self.client.search_model_versions(f"name = '{name}'") if v.source == source
        ]
        version = known[0] if known else self.client.create_model_version(name, source, run_id)
        self.client.set_registered_model_alias(name, "best", version.version)

        return str(version.version)

    def _source(self, model_uri: str) -> str:
        """Where the registry finds the model: a server by its id, a database only by its files."""
        if str(self.client.tracking_uri).startswith("http"):
            return model_uri
        return str(
            self.client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location
        )

    def _log_values(self, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        known = self.client.get_run(self.id).data.metrics
        now = int(time.time() * 1000)
        new = [
            Metric(key, value, now, 0) for key, value in values.items() if known.get(key) != value
        ]
        self.client.log_batch(self.id, metrics=new)

    def _log_usage(self, usage: Usage) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = usage_points(usage, max(0, now - self.start) // 1000)
        self.client.log_batch(
            self.id, metrics=[Metric(key, value, now, step) for key, value, step in points]
        )

    def _points(self, child: Child, points: Any) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = [
            Metric(key, value, now, step)
            for key, value, step in points
            if (key, step) not in child.points
        ]

        for start in range(0, len(new), MAX_METRICS):
            self.client.log_batch(child.id, metrics=new[start : start + MAX_METRICS])

        child.points |= {(metric.key, metric.step) for metric in new}

    def _params(self, run_id: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        rows = [Param(key, str(value)[:6000]) for key, value in params.items()]
        for start in range(0, len(rows), 100):
            self.client.log_batch(run_id, params=rows[start : start + 100])


def _rungs(trial: FrozenTrial, metrics: Sequence[str]) -> Iterator[tuple[str, float, int]]:
    for step, value in trial.intermediate_values.items():
        yield metrics[0], value, step
    if len(metrics) > 1 and trial.state == TrialState.COMPLETE:
        for name, value in zip(metrics, trial.values, strict=True):
            yield name, value, 0


_origin: dict[str, str] = {}


def origin_once() -> dict[str, str]:
    """The tags of :func:`scgan.tracking.content.origin`, which asks git, kept."""
    if not _origin:
        _origin.update(origin())
    return _origin


def table(study: optuna.Study, metrics: Sequence[str]) -> dict[str, list]:
    """The trials, a row each, as MLflow's tables are written: ``columns`` and ``data``."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.state in FINISHED]
    keys = sorted({key for trial in trials for key in trial.params})
    columns = ["trial", "state", *metrics, *keys, "on the Pareto front", "cause"]

    front = (
        {trial.number for trial in study.best_trials}
        if any(t.state == TrialState.COMPLETE for t in trials)
        else set()
    )

    data = []
    for trial in trials:
        values = trial.values or [None] * len(metrics)
        row = [trial.number, STATES[trial.state], *values, *(trial.params.get(key) for key in keys)]
        data.append([*row, trial.number in front, trial.user_attrs.get("cause", "")])

    return {"columns": columns, "data": data}
