"""How an experiment's page opens: on its runs, with the columns that tell them apart.

MLflow keeps the view behind a *Share* link as a tag of the experiment; an address that names the
tag opens with it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scgan.tracking.content import FLOOR, RATIO, SPACE, VALIDATION

KEY = "scgan"  # of the view, in the page's address
TAG = f"mlflow.sharedViewState.{KEY}"
QUERY = f"workflowType=machine_learning&viewStateShareKey={KEY}"
MAX_SETTINGS, MAX_SCORES = 10, 6  # columns
WIDTHS = {"attributes.`Run Name`": 300, "runDateAndNestInfo": 130, "duration": 70}  # pixels
WIDTH = 125  # of another column
MAX_RUNS = 200  # newest ones, by which columns are chosen
FIRST = ("system", "data.source", "seed")  # settings of every run


def refresh(client: Any, experiment_id: str) -> None:
    """Choose the columns anew, by the runs that are there.

    Args:
        client: An ``mlflow.MlflowClient``.
        experiment_id: The experiment.
    """
    runs = _tagged(client, experiment_id, "scgan.run_id")
    searches = _tagged(client, experiment_id, "scgan.search")
    settings = differing([run.data.params for run in runs])
    for search in searches:
        searched = filter(lambda key: key.startswith(SPACE), search.data.params)
        settings += [key.removeprefix(SPACE) for key in searched]

    scores = score_columns([run.data.metrics for run in (*searches, *runs)])
    shown = json.dumps(view(list(dict.fromkeys(settings))[:MAX_SETTINGS], scores))
    client.set_experiment_tag(experiment_id, TAG, shown)


def _tagged(client: Any, experiment_id: str, tag: str) -> list[Any]:
    query = f"tags.`{tag}` LIKE '%'"
    return list(client.search_runs([experiment_id], query, max_results=MAX_RUNS))


def differing(runs: Sequence[Mapping[str, str]]) -> list[str]:
    """Parameters that differ between runs, those of one system among its own runs."""
    found = [key for key in FIRST if _differs(key, runs)]
    for system in dict.fromkeys(params.get("system") for params in runs):
        own = [params for params in runs if params.get("system") == system]
        found += [key for key in _keys(own) if _differs(key, own)]

    return [key for key in dict.fromkeys(found) if key in FIRST or not key.startswith("data.")]


def score_columns(runs: Iterable[Mapping[str, float]]) -> list[str]:
    """What trials are compared by, then final scores: no stage's metrics, and no floors."""
    keys = _keys(runs)
    trials = [key for key in keys if key.startswith(VALIDATION)]
    scores = [key for key in keys if "/" not in key and not key.endswith((FLOOR, RATIO))]
    return trials[:MAX_SCORES] + scores[:MAX_SCORES]


def _differs(key: str, runs: Sequence[Mapping[str, str]]) -> bool:
    return len({params.get(key) for params in runs}) > 1


def _keys(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The keys of all, each once, in their order."""
    return list(dict.fromkeys(itertools.chain.from_iterable(runs)))


def view(settings: Sequence[str], scores: Sequence[str]) -> dict[str, Any]:
    """What MLflow's page keeps of a view, newest runs first."""
    own = [f"params.`{key}`" for key in settings] + [f"metrics.`{key}`" for key in scores]
    return {
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": ["attributes.`Duration`", *own],
        "columnOrder": [*WIDTHS, *own],
        "columnWidths": WIDTHS | dict.fromkeys(own, WIDTH),
        "runsExpanded": {},
    }


def page(experiment_id: str) -> str:
    """The page of the runs, behind a server's address."""
    return f"/#/experiments/{experiment_id}/runs?{QUERY}"
