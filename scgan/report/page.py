"""The report of a run: one HTML file that opens from disk, with everything in it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from scgan import systems
from scgan.config import Settings, leaves
from scgan.figures import tables as draw
from scgan.figures.style import png
from scgan.metrics.scores import Score
from scgan.pipeline.run import Outcome
from scgan.pipeline.stored import sample_command
from scgan.report.facts import attribute_rows, column_rows, data_sentence, number
from scgan.store.artifacts import Artifact, ArtifactStore, versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scgan.tracking.tracker import MLflowTracker


@dataclass(frozen=True)
class Metric:
    """How a metric is explained.

    Args:
        label: For the table.
        meaning: What it says, in plain words.
        against: How it is compared with its floor.
    """

    label: str
    meaning: str
    against: Literal["ratio", "difference"] = "ratio"


# By name, or by what a name begins with: image metrics say with what extractor and how many images,
# fid_encoder_10k.
METRICS: Mapping[str, Metric] = {
    "sliced_wasserstein": Metric(
        "Sliced Wasserstein-1",
        "How far probability must be moved to turn the samples into the data, averaged over directions, "
        "in standard deviations.",
    ),
    "energy_distance": Metric(
        "Energy distance",
        "A distance between two distributions, by distances between their rows; 0 only if they are equal.",
    ),
    "off_support_fraction": Metric(
        "Off-support fraction",
        "Share of samples farther from the data than 99.9 % of real rows: samples where none should be.",
    ),
    "c2st_accuracy": Metric(
        "Classifier accuracy (C2ST)",
        "How often a classifier tells samples from data: 0.5 is guessing, 1 is always.",
        "difference",
    ),
    "modes_captured": Metric(
        "Modes captured", "Modes with at least one sample within 3 of their standard deviations."
    ),
    "modes_total": Metric("Modes in all", "Modes of the true distribution."),
    "high_quality_share": Metric(
        "High-quality share", "Share of samples within 3 standard deviations of their nearest mode."
    ),
    "modes_kl_divergence": Metric(
        "Divergence over modes",
        "How far the samples' shares of the modes are from the true ones: KL divergence, in nats.",
    ),
    "mapper_distance_median": Metric(
        "Mapper distance, median",
        "How far a mapper's codes are from its cluster's: sliced Wasserstein-1 in the cluster's own coordinates.",
    ),
    "mapper_distance_worst": Metric("Mapper distance, worst", "The same of the worst cluster."),
    "label_nmi": Metric(
        "Clusters and labels, NMI",
        "How much of the labels the clusters tell, normalised mutual information: 0 nothing, 1 the same partition.",
    ),
    "label_purity": Metric(
        "Clusters and labels, purity",
        "Share of held-out rows whose label is the commonest of their cluster.",
    ),
    "reconstruction_mse": Metric(
        "Reconstruction error",
        "Mean square difference between held-out rows and their reconstructions, in standardised columns.",
    ),
    "reconstruction_mse_data_units": Metric(
        "Reconstruction error, data units",
        "The same in the data's own units, as papers give it for toy sets.",
    ),
    "fid": Metric(
        "Fréchet distance (FID)",
        "How far means and covariances of the samples' features are from real images'; only figures with the same "
        "extractor and number of images compare.",
    ),
    "kid": Metric(
        "Kernel distance (KID)",
        "Squared maximum mean discrepancy of the features, without bias: around 0 for real images.",
        "difference",
    ),
    "is": Metric(
        "Inception Score",
        "How sure a classifier is of each sample, and how evenly its classes are met: from 1 to their number.",
    ),
    "chamfer_sum": Metric(
        "Chamfer distance, real to generated",
        "Sum over real images of the squared distance to the nearest sample, in a common 3-D t-SNE: as published.",
    ),
    "chamfer_mean": Metric(
        "Chamfer distance, both ways", "The mean instead, and from samples to real images, too."
    ),
    "control_accuracy": Metric(
        "Attribute control accuracy",
        "How often a classifier finds in a sample the attribute that was asked for.",
    ),
    "control_accuracy_worst": Metric(
        "Attribute control accuracy, worst", "The same of the worst attribute."
    ),
    "judge_control_accuracy": Metric(
        "Attribute control accuracy, judge",
        "The same by a classifier of its own, trained on real images, that the generator never saw.",
    ),
    "judge_control_accuracy_worst": Metric(
        "Attribute control accuracy, judge, worst", "The same of the worst attribute."
    ),
    "diversity": Metric(
        "Diversity in an attribute",
        "Root mean square difference of two samples with the same attribute, beside that of real images: less is a "
        "collapse, more is noise.",
    ),
}
NUM_TILES = 4
NUM_CLUSTERS_MAX = 1000  # rows of the table of clusters


def write_report(outcome: Outcome, store: ArtifactStore) -> str:
    """Draw a run's pictures and write its report into the store.

    Args:
        outcome: The run.
        store: Where it lies.

    Returns:
        Where the report is: a path or an S3 address.
    """
    place, _, _ = _write(outcome, store)
    return place


def publish(outcome: Outcome, store: ArtifactStore, tracker: MLflowTracker) -> str:
    """Write a run's report into the store, and it and its pictures into MLflow; a repeated run's stay as they are.

    Args:
        outcome: The run.
        store: Where it lies.
        tracker: Where it is logged.

    Returns:
        Where the report is: a path or an S3 address.
    """
    name = f"{outcome.spec.run_id}/report.html"
    if not outcome.trained and store.storage.read(name) is not None:
        return f"{store.url}/{name}"
    place, pictures, html = _write(outcome, store)
    tracker.log_pictures(pictures)
    tracker.log_report(html)
    return place


def _write(outcome: Outcome, store: ArtifactStore) -> tuple[str, Mapping[str, Figure], str]:
    spec = outcome.spec
    pictures = systems.load(spec.system).figures(outcome.model, outcome.data, spec.seed)
    html = render_report(outcome, pictures, store.url)
    name = f"{spec.run_id}/report.html"
    store.storage.write(name, html.encode())
    return f"{store.url}/{name}", pictures, html


def render_report(outcome: Outcome, figures: Mapping[str, Figure], store_url: str) -> str:
    """Make the report.

    Args:
        outcome: The run.
        figures: The system's pictures by caption; a caption's first sentence is its title.
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
    spec, data = outcome.spec, outcome.data
    keys = sorted(outcome.scores, key=lambda key: [*METRICS, key].index(explained_by(key) or key))
    scores = [_score_row(key, outcome.scores[key]) for key in keys]
    curves = {name: a.meta["curve"] for name, a in outcome.artifacts.items() if a.meta.get("curve")}
    settings = [
        *_settings(spec.config, type(spec.config)()),
        *_settings(spec.data, type(spec.data)(), "data."),
    ]

    return environment.from_string(text).render(
        title=f"{spec.system} on {data.name}",
        run_id=spec.run_id,
        seed=spec.seed,
        facts=f"{data.num_train:,} training {data.unit}, {data.num_test:,} held out · {data.schema.summary}",
        tiles=[row for row in scores if row["floor"] != "–"][:NUM_TILES] or scores[:NUM_TILES],
        scores=scores,
        pictures=[_picture(caption, figure) for caption, figure in figures.items()],
        clusters=_clusters(outcome.artifacts),
        curves=_embed(draw.curves(curves)) if curves else "",
        data_sentence=data_sentence(data),
        columns=list(column_rows(data)),
        attributes=list(attribute_rows(data)),
        unit=data.unit,
        fingerprint=data.fingerprint,
        settings=settings,
        timings=list(_timings(outcome)),
        versions=", ".join(f"{name} {version}" for name, version in versions().items()),
        command=sample_command(spec, store_url),
    )


def explained_by(score: str) -> str | None:
    """The longest entry of METRICS that a score's name is or begins with, up to an underscore; None without one."""
    return max(
        (name for name in METRICS if f"{score}_".startswith(f"{name}_")), key=len, default=None
    )


def _score_row(key: str, score: Score) -> dict[str, str]:
    entry = explained_by(key)
    metric = METRICS[entry] if entry else Metric(key, "")
    extra = key.removeprefix(entry or key).strip("_")
    better = "–" if score.better == "none" else score.better
    against, beside = "–", "" if score.better == "none" else f"{better} is better"

    if score.floor is not None and metric.against == "difference":
        against = f"{score.value - score.floor:+.3f}"
        beside = f"its floor is {number(score.floor)}"
    elif score.floor:
        against = f"{score.value / score.floor:.2f} ×"
        beside = f"{against} its floor, {number(score.floor)}"

    return {
        "key": key,
        "label": ", ".join([metric.label, *extra.split("_")]) if extra else metric.label,
        "value": number(score.value),
        "floor": number(score.floor),
        "against": against,
        "beside": beside,
        "better": better,
        "meaning": metric.meaning,
    }


def _picture(caption: str, figure: Figure) -> dict[str, str]:
    title, _, text = caption.partition(". ")
    return {"title": title.rstrip("."), "text": text, "content": _embed(figure)}


def _embed(figure: Figure) -> str:
    return base64.b64encode(png(figure)).decode()


def _clusters(artifacts: Mapping[str, Artifact]) -> dict[str, Any] | None:
    """The table and picture of a system that has a stage ``cluster``."""
    if "cluster" not in artifacts:
        return None

    counts = artifacts["cluster"].tensors["counts"]
    mapper = artifacts.get("map", Artifact())
    quality: list[float] | None = mapper.meta.get("quality")
    largest = counts.argsort(descending=True, stable=True)[:NUM_CLUSTERS_MAX].sort().values.tolist()

    rows = [
        {
            "number": i,
            "size": f"{int(counts[i]):,}",
            "weight": f"{float(counts[i] / counts.sum()):.2%}",
            "quality": number(quality[i]) if quality else "",
        }
        for i in largest
    ]

    return {
        "rows": rows,
        "left_out": len(counts) - len(rows),
        "has_quality": bool(quality),
        "picture": _embed(draw.clusters(counts, quality)),
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
    for name in outcome.artifacts:
        trained = name in outcome.trained
        yield name, f"{outcome.seconds[name]:.1f} s" if trained else "from the store"
    if "evaluate" in outcome.seconds:
        yield "evaluate", f"{outcome.seconds['evaluate']:.1f} s"
