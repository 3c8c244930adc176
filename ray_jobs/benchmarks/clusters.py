"""Clusters of labelled tables: MMGAN, NEMGAN and SC-GAN's codes against what everybody has.

Every result is a line of ``clusters.jsonl`` in a folder, and is not found again.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Tensor

from ray_jobs.benchmarks.showing import Results, table
from scgan import systems
from scgan.clustering.in_memory import nearest_centre
from scgan.config import override, shortened
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.labels import num_classes
from scgan.data.loading import load
from scgan.metrics.scores import label_scores
from scgan.pipeline import executor as execution
from scgan.pipeline import run as pipeline
from scgan.pipeline.spec import Spec
from scgan.reproductions import best_in_bold, markdown_table
from scgan.stages.tables.encode import load_encoder
from scgan.store.artifacts import ArtifactStore

SHOWN = {"label_nmi": "NMI", "label_ari": "ARI", "label_hungarian": "accuracy"}
KEY = ("data", "model", "seed", "budget")

Clusterer = Callable[[Spec, Dataset, ArtifactStore], Tensor]


def gan_clusters(spec: Spec, data: Dataset, store: ArtifactStore) -> Tensor:
    """Clusters of the test rows by a system that finds them, ``[M]``."""
    fitted = pipeline.fit_stages(spec, data, store, execution.LocalExecutor())
    artifacts = {name: stage.artifact for name, stage in fitted.items()}
    system = systems.load(spec.system)
    model: Any = system.model(spec.config, artifacts, torch.device("cpu"))
    return model.assign(data.test)


def code_clusters(spec: Spec, data: Dataset, store: ArtifactStore) -> Tensor:
    """Clusters of the test rows by SC-GAN's first two stages, K-means of its codes, ``[M]``."""
    wanted = ("encode", "cluster")
    fitted = pipeline.fit_stages(spec, data, store, execution.LocalExecutor(), only=wanted)
    config: Any = spec.config
    encoder = load_encoder(config.encoder, fitted["encode"].artifact)
    return nearest_centre(encoder.embed(data.test), fitted["cluster"].artifact.tensors["centres"])


def kmeans(num: int, data: Dataset, seed: int) -> Tensor:
    """K-means of the rows themselves, ten starts, ``[M]``."""
    found = KMeans(num, n_init=10, random_state=seed).fit(data.train.numpy())
    return torch.from_numpy(found.predict(data.test.numpy())).long()


def mixture(num: int, data: Dataset, seed: int) -> Tensor:
    """A Gaussian mixture of full covariances, ``[M]``."""
    found = GaussianMixture(num, random_state=seed).fit(data.train.numpy())
    return torch.from_numpy(found.predict(data.test.numpy())).long()


GANS: Mapping[str, tuple[str, str, Clusterer]] = {
    "MMGAN": ("mmgan", "gan.num_clusters", gan_clusters),
    "NEMGAN": ("nemgan", "gan.num_clusters", gan_clusters),
    "SC-GAN, K-means of codes": ("scgan", "clusters.num_clusters", code_clusters),
}
OTHERS = {"K-means": kmeans, "Gaussian mixture": mixture}
MODELS = (*GANS, *OTHERS)


def measure(
    model: str, source: DataConfig, data: Dataset, seed: int, budget: float, store: ArtifactStore
) -> dict[str, Any]:
    """A model's scores beside the labels of the test rows, with as many clusters as labels.

    Raises:
        ValueError: If the data has no labels.
    """
    num = num_classes(data)
    if num is None or data.test_labels is None:
        raise ValueError(f"{data.name} has no classes; name their column, PATH@LABEL")

    started = time.process_time()
    if model in OTHERS:
        k = OTHERS[model](num, data, seed)
    else:
        name, key, clusters = GANS[model]
        base = shortened(systems.load(name).presets["default"], budget)
        k = clusters(Spec(name, source, override(base, {key: num}), seed), data, store)

    scores = label_scores(data.test_labels, k)
    return {
        "clusters": num,
        "rows": len(data.train),
        "commonest": scores["label_purity"].floor,
        "seconds": time.process_time() - started,
        **{name: score.value for name, score in scores.items()},
    }


@click.command()
@click.option("--data", multiple=True, help="A table, PATH or PATH@LABEL; may be repeated.")
@click.option("--seeds", default=5, show_default=True, help="So many, from 0.")
@click.option("--budget", default=1.0, show_default=True, help="Of the default presets' lengths.")
@click.option("--folder", default="runs/clusters", show_default=True, help="Of the results.")
@click.option("--report", "only_report", is_flag=True, help="Only show what is there.")
def clusters(
    data: Sequence[str], seeds: int, budget: float, folder: str, only_report: bool
) -> None:
    """Clusters of labelled tables: MMGAN, NEMGAN, SC-GAN's codes, K-means, a Gaussian mixture."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    results = Results(place / "clusters.jsonl", KEY)
    if not only_report:
        _run(data, seeds, budget, results, ArtifactStore(str(place / "store")))

    rows = results.read()
    if not rows:
        raise ValueError("no results yet: give --data PATH, or --data PATH@LABEL, for each table")
    text = report(rows)
    (place / "clusters.md").write_text(text + "\n")
    click.echo(text)


def _run(
    data: Sequence[str], seeds: int, budget: float, results: Results, store: ArtifactStore
) -> None:
    torch.set_num_threads(1)
    done = results.done()
    with threadpool_limits(1):
        for seed, word in itertools.product(range(seeds), data):
            source = table(word)
            rows = load(source, seed)
            for model in MODELS:
                key = (Path(source.source).stem, model, seed, budget)
                if key in done:
                    continue
                found = measure(model, source, rows, seed, budget, store)
                results.add(dict(zip(KEY, key, strict=True)) | found)
                click.echo(f"{key[0]}, {model}, seed {seed}: {found['seconds']:.0f} s", err=True)


def report(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table a data set: means and deviations over seeds, the best and all it does not beat bold.

    Results of several budgets are tables of their own.
    """
    parts = []
    for name, budget in dict.fromkeys((row["data"], row["budget"]) for row in rows):
        mine = [row for row in rows if (row["data"], row["budget"]) == (name, budget)]
        about = f"{mine[0]['rows']:,} rows, {mine[0]['clusters']} labels, the commonest of "
        about += f"{np.mean([row['commonest'] for row in mine]):.3f}; {budget:g} of the lengths"
        parts.append(f"### {name}: {about}\n\n{_table(mine)}")
    return "\n\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines: dict[str, list[str]] = {model: [] for model in MODELS}
    for score in SHOWN:
        values = {model: _values(rows, model, score) for model in MODELS}
        cells = best_in_bold(score, values, 2)
        for model in MODELS:
            lines[model].append(cells[model])

    for model in MODELS:
        seconds = _values(rows, model, "seconds")
        lines[model].append(f"{np.mean(seconds):.0f}" if seconds else "-")
    return markdown_table(["", *SHOWN.values(), "process time, s"], lines)


def _values(rows: Sequence[Mapping[str, Any]], model: str, name: str) -> list[float]:
    return [row[name] for row in rows if row["model"] == model]
