"""The report of a run: one HTML file that opens from disk, with everything in it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from scgan.capabilities import cluster_table
from scgan.config import Settings, leaves
from scgan.figures import tables
from scgan.figures.style import png
from scgan.metrics.scores import Score
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.stored import sample_command
from scgan.report.facts import attribute_rows, column_rows, data_sentence, number
from scgan.store.artifacts import ArtifactStore, versions

if TYPE_CHECKING:
    from scgan.tracking.tracker import MLflowTracker

NUM_TILES = 4
NUM_CLUSTERS_MAX = 1000  # rows of the table of clusters


def write_report(outcome: Outcome, store: ArtifactStore) -> tuple[str, str]:
    """Write a run's report into the store.

    Args:
        outcome: The run, its pictures drawn.
        store: Where it lies.

    Returns:
        Where the report is, a path or an S3 address, and its HTML.
    """
    html = render_report(outcome, store.url)
    name = f"{outcome.spec.run_id}/report.html"
    store.storage.write(name, html.encode())
    return f"{store.url}/{name}", html


def publish(outcome: Outcome, store: ArtifactStore, tracker: MLflowTracker | None) -> str:
    """Write a run's report into the store, and it and its pictures into MLflow.

    Those of a repeated run stay as they are.

    Args:
        outcome: The run, its pictures drawn.
        store: Where it lies.
        tracker: Where it is logged, if anywhere.

    Returns:
        Where the report is: a path or an S3 address.
    """
    name = f"{outcome.spec.run_id}/report.html"
    if not outcome.trained and store.storage.read(name) is not None:
        return f"{store.url}/{name}"

    place, html = write_report(outcome, store)
    if tracker is not None:
        tracker.log_pictures(outcome.pictures)
        tracker.log_report(html)
    return place


def render_report(outcome: Outcome, store_url: str) -> str:
    """Make the report.

    Args:
        outcome: The run; the first sentence of a picture's caption is its title.
        store_url: Where the run lies, for the commands.

    Returns:
        HTML that needs no other file; whatever a user named is escaped.
    """
    from importlib import resources

    from jinja2 import Environment, StrictUndefined

    text = (
        resources.files("scgan.report")
        .joinpath("templates/report.html.j2")
        .read_text(encoding="utf-8")
    )

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text).render(**_content(outcome, store_url))


def _content(outcome: Outcome, store_url: str) -> dict[str, Any]:
    """All that the template shows, as text."""
    spec, data = outcome.spec, outcome.data
    scores = [_score_row(key, score) for key, score in outcome.scores.items()]
    with_floor = [row for row in scores if row["floor"] != "–"]
    counted = f"{data.num_train:,} training {data.unit}, {data.num_test:,} held out"
    curves = {name: a.meta["curve"] for name, a in outcome.artifacts.items() if a.meta.get("curve")}
    pictures = [_picture(caption, content) for caption, content in outcome.pictures.items()]
    made_with = [f"{name} {version}" for name, version in versions().items()]

    return {
        "title": f"{spec.system} on {data.name}",
        "run_id": spec.run_id,
        "seed": spec.seed,
        "facts": f"{counted} · {data.schema.summary}",
        "tiles": with_floor[:NUM_TILES] or scores[:NUM_TILES],
        "scores": scores,
        "pictures": pictures,
        "clusters": _clusters(outcome.model),
        "curves": _embed(png(tables.curves(curves))) if curves else "",
        "data_sentence": data_sentence(data),
        "columns": list(column_rows(data)),
        "attributes": list(attribute_rows(data)),
        "unit": data.unit,
        "fingerprint": data.fingerprint,
        "settings": [
            *_settings(spec.config, type(spec.config)()),
            *_settings(spec.data, type(spec.data)(), "data."),
        ],
        "timings": list(_timings(outcome)),
        "versions": ", ".join(made_with),
        "command": sample_command(spec, store_url, data.kind),
        "options": outcome.model.options,
    }


def _score_row(key: str, score: Score) -> dict[str, str]:
    against, beside = "–", "" if score.better == "none" else f"{score.better} is better"
    if score.floor is not None and score.against == "difference":
        against = f"{score.value - score.floor:+.3f}"
        beside = f"its floor is {number(score.floor)}"
    elif score.floor:
        against = f"{score.value / score.floor:.2f} ×"
        beside = f"{against} its floor, {number(score.floor)}"

    return {
        "key": key,
        "label": score.label or key,
        "value": number(score.value),
        "floor": number(score.floor),
        "against": against,
        "beside": beside,
        "better": "–" if score.better == "none" else score.better,
        "meaning": score.meaning,
    }


def _picture(caption: str, content: bytes) -> dict[str, str]:
    title, _, text = caption.partition(". ")
    return {"title": title.rstrip("."), "text": text, "content": _embed(content)}


def _embed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _clusters(model: Any) -> dict[str, Any] | None:
    """The table and picture of a model that has clusters."""
    columns = cluster_table(model)
    if not columns:
        return None

    counts = torch.tensor(columns["rows"])
    largest = counts.argsort(descending=True, stable=True)[:NUM_CLUSTERS_MAX].sort().values.tolist()
    known = [name for name in columns if name not in ("cluster", "rows", "weight")]
    rows = []
    for k in largest:
        figures = [number(columns[name][k]) for name in known]
        rows.append([str(k), f"{columns['rows'][k]:,}", f"{columns['weight'][k]:.2%}", *figures])

    titles = [name.capitalize() for name in known]
    return {
        "titles": ["Cluster", "Training rows", "Weight in sampling", *titles],
        "rows": rows,
        "left_out": len(counts) - len(rows),
        "picture": _embed(png(tables.clusters(counts, {name: columns[name] for name in known}))),
        "wide": bool(known),
    }


def _settings(config: Settings, default: Settings, prefix: str = "") -> Iterator[dict[str, Any]]:
    defaults = dict(leaves(default))
    meanings = dict(_meanings(type(config)))

    for key, value in leaves(config):
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        yield {
            "key": prefix + key,
            "value": shown.lower() if isinstance(value, bool) or value is None else shown,
            "changed": value != defaults[key],
            "meaning": meanings[key],
        }


def _meanings(kind: type[Settings], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from _meanings(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.description or ""


def _timings(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """How long each stage took; scoring and pictures too, where they are known."""
    for name, seconds in outcome.seconds.items():
        stored = name in outcome.artifacts and name not in outcome.trained
        yield name, "from the store" if stored else f"{seconds:.1f} s"
