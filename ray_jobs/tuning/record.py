"""What a search writes into MLflow: a run for the search, a child a trial, derived from the study.

Every entry is found again by tags and every value is written once, so that a search taken up again,
or a step done twice, adds nothing. A failing MLflow costs the search nothing but the entries, which
the next :meth:`SearchRecord.sync` makes up.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ray_jobs.tuning.settings import Search
from ray_jobs.tuning.study import FINISHED, best
from scgan.config import leaves
from scgan.pipeline.executor import Usage
from scgan.space import describe
from scgan.tracking import view
from scgan.tracking.content import SPACE, VALIDATION, curve_points, usage_points
from scgan.tracking.entry import NOTE, Entry, find_runs
from scgan.tracking.naming import listed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_log = logging.getLogger(__name__)

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
}
STATUSES = {  # a trial that was stopped early is not shown as one that ended
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}
PARENT, VERSIONS = "mlflow.parentRunId", "mlflow.modelVersions"  # MLflow's tags
MAX_TAG = 4000  # letters: what a page shows of a cause


class SearchRecord:
    """A search's entry with its children.

    Within it a search runs; what ends the search early closes the entries.

    Args:
        search: The search.
        client: An ``mlflow.MlflowClient``.
        experiment_id: Where the entry lies.
    """

    def __init__(self, search: Search, client: Any, experiment_id: str) -> None:
        self.search, self.study, self.metrics = search, search.study, search.metrics
        self.client, self.experiment_id = client, experiment_id
        name, tags = f"search {search.name}", {"scgan.search": search.name}
        self.parent = Entry(client, experiment_id, name, tags)
        self.children: dict[int, Entry] = {}
        self.keys = [key for key, _ in leaves(search.spec.config)]
        self.warned = False

    def __enter__(self) -> SearchRecord:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self.close("FAILED" if issubclass(kind, Exception) else "KILLED")

    def begin(self) -> None:
        """Find the search's entry and its children, or make it."""
        self.parent.open()
        self.parent.log_params(_params(self.search))
        self.parent.set_tags({NOTE: _note(self.search)})
        self.parent.set_status("RUNNING")
        query = f"tags.`{PARENT}` = '{self.parent.id}'"

        for run in find_runs(self.client, self.experiment_id, query):
            if "scgan.trial" in run.data.tags:
                child = self._child(int(run.data.tags["scgan.trial"]))
                child.fill(run)
                if not child.complete:
                    child.set_status("RUNNING")

    def _child(self, number: int) -> Entry:
        if number not in self.children:
            tags = {PARENT: self.parent.id, "scgan.trial": str(number)}
            name = f"trial {number}"
            self.children[number] = Entry(self.client, self.experiment_id, name, tags)
        return self.children[number]

    def sync(self, usage: Usage | None = None) -> None:
        """Bring the children up to the study; what MLflow doesn't take is tried again next time.

        Args:
            usage: What the search holds of the cluster, to be logged with it.
        """
        try:
            if usage is not None:
                step = max(0, int(time.time() * 1000) - self.parent.start) // 1000
                self.parent.log_metrics(usage_points(usage, step))

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
        child = self._child(trial.number)
        if child.complete:
            return

        point = " ".join(listed(trial.params, self.keys))
        child.name = f"trial {trial.number} {point}"
        child.open()
        child.log_params(trial.params)
        child.log_metrics(_rungs(trial, self.metrics))
        if trial.state not in FINISHED:
            return

        child.log_metrics(self._end(trial))
        told = {"scgan.state": STATES[trial.state]}
        if "deaths" in trial.user_attrs:
            told["scgan.deaths"] = "; ".join(trial.user_attrs["deaths"])[:MAX_TAG]
        if "cause" in trial.user_attrs:
            told["scgan.cause"] = trial.user_attrs["cause"][:MAX_TAG]
        if trial.state == TrialState.PRUNED:
            told["mlflow.runName"] = f"{child.name} · stopped early"

        child.set_tags(told)
        child.finish(STATUSES[trial.state])

    def _end(self, trial: FrozenTrial) -> Iterator[tuple[str, float, int]]:
        """Seconds of a trial's stages; of a complete one its scores and its last stage's curve."""
        account = trial.user_attrs.get("account", {})
        for stage, seconds in account.get("seconds", {}).items():
            yield f"{stage}/seconds", seconds, 0

        if trial.state != TrialState.COMPLETE:
            return

        for name, value in trial.user_attrs.get("scores", {}).items():
            if name not in self.metrics:
                yield f"{VALIDATION}{name}", value, 0

        for stage, key in list(account.get("keys", {}).items())[-1:]:
            artifact = self.search.store.load(key)
            yield from curve_points(stage, artifact) if artifact else ()

    def finish(
        self, pictures: Mapping[str, Figure], final: Mapping[str, float], status: str
    ) -> None:
        """Log best values, pictures and the table of trials, and close the search's entry."""
        parent, top = self.parent, best(self.study)
        if top is not None:
            values = dict(zip(self.metrics, top.values, strict=True))
            points = [(f"{VALIDATION}{name}", value, 0) for name, value in values.items()]
            points += [(name, value, 0) for name, value in final.items()]
            parent.log_metrics(points, replace=True)
            told = {f"best.{key}": str(value) for key, value in top.params.items()}
            parent.set_tags({"scgan.best_trial": str(top.number), **told})

        for name, figure in pictures.items():
            path = f"pictures/{name}.png"
            self.client.log_figure(
                parent.id, figure, path, save_kwargs={"dpi": 150, "bbox_inches": "tight"}
            )

        parent.log_table("trials.json", *table(self.study, self.metrics))
        parent.set_status(status)
        view.refresh(self.client, self.experiment_id)

    def adopt(self, run_id: str | None, run: str) -> None:
        """Put the best point's run under the search, and link it.

        Args:
            run_id: MLflow's id of its entry; None where MLflow has not taken it.
            run: Its name in the store.
        """
        if run_id is None:
            return
        if PARENT not in self.client.get_run(run_id).data.tags:
            self.client.set_tag(run_id, PARENT, self.parent.id)

        top = best(self.study)
        trial = self.children.get(top.number) if top is not None else None
        links = [f"Best, trained at full length: [{run}]({_link(self.experiment_id, run_id)})"]
        if trial is not None and trial.id:
            link = _link(self.experiment_id, trial.id)
            links.append(f"the trial that found it: [{trial.name}]({link})")
        self.parent.set_tags({NOTE: f"{'; '.join(links)}.\n\n{_note(self.search)}"})

    def close(self, status: str) -> None:
        """Close the entries of the search and of trials in flight; the same search opens them."""
        self.sync()
        try:
            for child in self.children.values():
                if child.id and not child.complete:
                    child.set_status("KILLED")
            self.parent.set_status(status)
        except Exception as error:  # what ended the search is to be seen, not this
            _log.warning("MLflow does not take the search's end (%s)", error)

    def register(self, name: str, run_tag: str) -> str | None:
        """Register a run's model under the alias ``best``; one that is there keeps its version.

        Args:
            name: Of the registered model.
            run_tag: The pipeline run's name, by which its entry is found.

        Returns:
            The version; None where MLflow has no such model.
        """
        from mlflow.exceptions import MlflowException

        query = f"tags.`scgan.run_id` = '{run_tag}'"
        run = next(find_runs(self.client, self.experiment_id, query), None)
        model_uri = None if run is None else run.data.tags.get("scgan.model_uri")
        if run is None or model_uri is None:
            return None

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

        source, model_id = self._source(model_uri), model_uri.rpartition("/")[2]
        versions = self.client.search_model_versions(f"name = '{name}'")
        known = [version for version in versions if version.source == source]
        if not known:
            known = [
                self.client.create_model_version(
                    name, source, run.info.run_id, model_id=model_id, description=_note(self.search)
                )
            ]
        number = str(known[0].version)
        self._link_version(model_id, {"name": name, "version": int(number)})
        self.client.set_registered_model_alias(name, "best", number)
        return number

    def _link_version(self, model_id: str, version: dict[str, Any]) -> None:
        """Show a version on the model's page, as MLflow's own ``register_model`` does."""
        tags = self.client.get_logged_model(model_id).tags
        linked = json.loads(tags.get(VERSIONS, "[]"))
        if version not in linked:
            told = {VERSIONS: json.dumps([*linked, version])}
            self.client.set_logged_model_tags(model_id, told)

    def _source(self, model_uri: str) -> str:
        """Where the registry finds the model: a server by its id, a database by its files."""
        if str(self.client.tracking_uri).startswith("http"):
            return model_uri
        model = self.client.get_logged_model(model_uri.removeprefix("models:/"))
        return str(model.artifact_location)


def _params(search: Search) -> dict[str, Any]:
    """What was asked for: the space, and the settings that are not searched."""
    spec, settings = search.trial_spec, search.settings
    config = {key: value for key, value in leaves(spec.config) if key not in search.space}
    return {
        "system": spec.system,
        "data.source": spec.data.source,
        "seed": spec.seed,
        "metrics": ", ".join(search.metrics),
        "length": settings.length,
        "validation": settings.validation,
        **{f"{SPACE}{key}": _words(told) for key, told in describe(search.space).items()},
        **config,
    }


def _note(search: Search) -> str:
    """A search's description, in Markdown."""
    spec, settings = search.trial_spec, search.settings
    space = ", ".join(f"`{key}` {_words(told)}" for key, told in describe(search.space).items())
    return (
        f"**Search** of {spec.system} on {search.whole.name}: {settings.trials} trials, least "
        f"{' and '.join(search.metrics)} on {settings.validation:.0%} of the training rows "
        f"(`{VALIDATION}…`); the best is trained on all and scored on the held-out part.\n\n"
        f"Searched: {space}."
    )


def _words(domain: Mapping[str, Any]) -> str:
    """A domain as a person reads it."""
    if "options" in domain:
        return f"one of {', '.join(map(str, domain['options']))}"
    scale = ", evenly in its logarithm" if domain.get("log") else ""
    return f"{domain['low']:g} to {domain['high']:g}{scale}"


def _link(experiment_id: str, run_id: str) -> str:
    return f"#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def _rungs(trial: FrozenTrial, metrics: Sequence[str]) -> Iterator[tuple[str, float, int]]:
    for step, value in trial.intermediate_values.items():
        yield f"{VALIDATION}{metrics[0]}", value, step
    if len(metrics) > 1 and trial.state == TrialState.COMPLETE:
        for name, value in zip(metrics, trial.values, strict=True):
            yield f"{VALIDATION}{name}", value, 0


def table(study: optuna.Study, metrics: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Names of the columns, and the finished trials, a row each."""
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    keys = sorted(set[str]().union(*(trial.params for trial in trials)))
    complete = any(trial.state == TrialState.COMPLETE for trial in trials)
    front = {trial.number for trial in study.best_trials} if complete else set()
    rows = []

    for trial in trials:
        values = trial.values or [None] * len(metrics)
        point = [trial.params.get(key) for key in keys]
        cause = trial.user_attrs.get("cause", "")
        state = STATES[trial.state]
        rows.append([trial.number, state, *values, *point, trial.number in front, cause])

    # MLflow's page takes a dot in a column's name for a path, and shows nothing.
    settings = [key.replace(".", "/") for key in keys]
    return ["trial", "state", *metrics, *settings, "on the Pareto front", "cause"], rows
