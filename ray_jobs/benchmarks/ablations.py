"""Ablations of SC-GAN: each part off, or the paper's in its place, at the default preset's length.

Stages before the part that is changed are those of the default, trained once. Every result is a
line of ``ablations.jsonl`` in a folder, and is not found again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from threadpoolctl import threadpool_limits

from ray_jobs.benchmarks.courses import View
from ray_jobs.benchmarks.race import NUM_SAMPLES, scores_of_columns
from ray_jobs.benchmarks.race_report import values_of
from ray_jobs.benchmarks.showing import Results, table
from scgan import systems
from scgan.config import override, shortened
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.toy import PAPER_TOYS
from scgan.metrics.comparing import beats
from scgan.metrics.meanings import meaning_of
from scgan.metrics.scores import Score
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages
from scgan.pipeline.spec import Spec
from scgan.reproductions import markdown_table, mean_and_std
from scgan.store.artifacts import ArtifactStore

KEY = ("data", "variant", "seed", "budget")  # of a result
SHOWN = (  # those that a set has, in this order
    "c2st_accuracy",
    "c2st_network",
    "off_support_exact",
    "sliced_wasserstein",
    "energy_distance",
    "density",
    "coverage",
    "closer_share",
    "detection_xgboost",
)


class Variant(NamedTuple):
    """A part changed.

    Args:
        settings: Of SC-GAN, by their keys.
        data: Of the data, by their names.
    """

    settings: Mapping[str, object] = {}
    data: Mapping[str, object] = {}


DEFAULT = "default"
VARIANTS: Mapping[str, Variant] = {
    DEFAULT: Variant(),
    "decoder without critic": Variant({"decoder.lambda_x": 0.0}),
    "critic of reconstructions too": Variant({"decoder.reconstruction_critic": True}),
    "adversarial mappers": Variant({"mappers.kind": "adversarial"}),
    "the same without critic": Variant(
        {"mappers.kind": "adversarial", "mappers.adversarial_weight": 0.0}
    ),
    "a Gaussian a cluster": Variant({"mappers.kind": "gaussian"}),
    "a flow a cluster": Variant({"mappers.kind": "flow"}),
    "encoder at its start": Variant({"encoder.num_samples": 512}),
    "mixtures as trained": Variant({"refine.num_trees": 0}),
    "mixtures refitted": Variant({"refine.use": "refit"}),
    "samples accepted": Variant({"refine.use": "accept"}),
    "noise as trained": Variant({"decoder.noise_spread": None}),
    "no noise": Variant({"decoder.noise_scale": 0.0, "decoder.noise_spread": None}),
    "margins not matched": Variant({"refine.match_margins": False}),
    "rows not whitened": Variant({"decoder.whitened": False}),
    "columns on their own scale": Variant(data={"scale": "linear"}),
}
MORE_DIMENSIONS = "codes of two dimensions more"  # than the data's, as the paper's
NAMES = (*VARIANTS, MORE_DIMENSIONS)


def variant_of(name: str, data: Dataset) -> Variant | None:
    """What a variant changes on a data set; None where there is nothing, as of a toy's columns."""
    if name == MORE_DIMENSIONS:
        return Variant({"encoder.code_dim": data.train.shape[1] + 2})
    variant = VARIANTS[name]
    return None if variant.data and data.toy is not None else variant


def measure(
    name: str, source: DataConfig, seed: int, budget: float, store: ArtifactStore
) -> dict[str, Score] | None:
    """The scores of a variant, in the coordinates of the default's schema; None where it is none.

    Args:
        name: The variant's.
        source: The data.
        seed: Of the split, training and samples.
        budget: Length of the training, in multiples of the default preset's.
        store: Keeps what variants share.
    """
    data, system = load(source, seed), systems.load("scgan")
    variant = variant_of(name, data)
    if variant is None:
        return None

    theirs = source.model_copy(update=variant.data)
    config = override(shortened(system.presets["default"], budget), variant.settings)

    encoded = load(theirs, seed)
    fitted = fit_stages(Spec(system.name, theirs, config, seed), encoded, store, LocalExecutor())
    artifacts = {stage: done.artifact for stage, done in fitted.items()}
    model = system.model(config, artifacts, torch.device("cpu"))

    samples = model.sample(NUM_SAMPLES, torch.Generator().manual_seed(seed))
    columns = View(encoded, "encoded").decode(samples)
    return scores_of_columns(columns, View(data, "encoded"), seed)


@click.command()
@click.option("--data", multiple=True, help="A table, PATH or PATH@LABEL; may be repeated.")
@click.option("--sets", default="", help=f"Toy sets, comma-separated, as {','.join(PAPER_TOYS)}.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Variants; else all.")
@click.option("--seeds", default=5, show_default=True, help="So many, from 0.")
@click.option("--budget", default=1.0, show_default=True, help="Of the default preset's lengths.")
@click.option("--rows", default=128_000, show_default=True, help="Of a toy set to train on.")
@click.option("--folder", default="runs/ablations", show_default=True, help="Of the results.")
@click.option("--report", "only_report", is_flag=True, help="Only show what is there.")
def ablations(
    data: Sequence[str],
    sets: str,
    only: Sequence[str],
    seeds: int,
    budget: float,
    rows: int,
    folder: str,
    only_report: bool,
) -> None:
    """Parts of SC-GAN off or exchanged, each against the default, equally long trained."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    results = Results(place / "ablations.jsonl", KEY)
    if not only_report:
        sources = dict(_sources(data, sets, rows))
        _run(sources, only or NAMES, seeds, budget, results, ArtifactStore(str(place / "store")))

    rows_found = results.read()
    if not rows_found:
        raise ValueError("no results yet: give --data PATH for each table, or --sets")
    text = report(rows_found)
    (place / "ablations.md").write_text(text + "\n")
    click.echo(text)


def _sources(data: Sequence[str], sets: str, rows: int) -> Iterator[tuple[str, DataConfig]]:
    for word in data:
        source = table(word)
        yield Path(source.source).stem, source
    for name in filter(None, sets.split(",")):
        yield name, DataConfig(source=name, num_train=rows, num_test=rows)


def _run(
    sources: Mapping[str, DataConfig],
    names: Sequence[str],
    seeds: int,
    budget: float,
    results: Results,
    store: ArtifactStore,
) -> None:
    torch.set_num_threads(1)
    done = results.done()
    with threadpool_limits(1):
        for seed, (name, source), variant in itertools.product(
            range(seeds), sources.items(), names
        ):
            key = (name, variant, seed, budget)
            if key in done:
                continue
            found = measure(variant, source, seed, budget, store)
            if found is None:
                continue
            scores = {score: [s.value, s.floor] for score, s in found.items()}
            results.add({**dict(zip(KEY, key, strict=True)), "scores": scores})
            click.echo(f"{name}, {variant}, seed {seed}", err=True)


def report(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table a data set and length: mean and deviation of each variant's scores over the seeds.

    Bold are values that are better than the default's by more than chance, with a minus after
    them those that are worse (:func:`scgan.metrics.comparing.beats`); of one seed none is marked.
    """
    parts = []
    for name, budget in dict.fromkeys((row["data"], row["budget"]) for row in rows):
        mine = [row for row in rows if (row["data"], row["budget"]) == (name, budget)]
        seeds = len({row["seed"] for row in mine})
        parts.append(f"### {name}, {budget:g} of the lengths, {seeds} seeds\n\n{_table(mine)}")
    return "\n\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for name in NAMES:
        runs[name] = [row for row in rows if row["variant"] == name]

    have = set().union(*(row["scores"] for row in rows))
    shown = [score for score in SHOWN if score in have]
    lines: dict[str, list[str]] = {}
    for name, mine in runs.items():
        if mine:
            lines[name] = [_cell(score, mine, runs[DEFAULT]) for score in shown]
    return markdown_table(["", *(meaning_of(score)[0].label for score in shown)], lines)


def _cell(
    score: str, mine: Sequence[Mapping[str, Any]], default: Sequence[Mapping[str, Any]]
) -> str:
    values, others = values_of(mine, score), values_of(default, score)
    text = mean_and_std(values, 3)
    if min(len(values), len(others)) < 2 or values == others:  # of one seed nothing is chance
        return text
    if beats(score, values, others):
        return f"**{text}**"
    return f"{text} (-)" if beats(score, others, values) else text
