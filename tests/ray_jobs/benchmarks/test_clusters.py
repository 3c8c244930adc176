"""Clusters of labelled tables at a tiny size: what is trained, what is not again, what is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ray_jobs.benchmarks import clusters
from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.store.artifacts import ArtifactStore


@pytest.fixture
def table(tmp_path):
    """Three clouds far apart, labelled."""
    y = np.arange(300) % 3
    x = np.random.default_rng(0).normal(size=(300, 2)) * 0.1
    x[:, 0] += 5 * (y == 1)
    x[:, 1] += 5 * (y == 2)
    np.savez(tmp_path / "clouds.npz", X=x, y=y)
    return tmp_path / "clouds.npz"


@pytest.mark.parametrize("model", clusters.MODELS)
def test_each_model_finds_as_many_clusters_as_labels(table, model, tmp_path):
    source = DataConfig(source=str(table))
    data, store = load(source, 0), ArtifactStore(str(tmp_path / "store"))
    budget = 0.02 if model in ("MMGAN", "NEMGAN") else 0.1
    found = clusters.measure(model, source, data, 0, budget, store)
    assert found["clusters"] == 3 and found["rows"] == 240
    assert 0.33 < found["commonest"] < 0.5 and found["label_hungarian"] > 0.6


def test_the_length_and_the_number_are_the_trainings(table, tmp_path, monkeypatch):
    source, specs = DataConfig(source=str(table)), []

    def clusterer(spec, data, store):
        specs.append(spec)
        return torch.zeros(len(data.test), dtype=torch.long)

    ours = {name: (*parts[:2], clusterer) for name, parts in clusters.GANS.items()}
    monkeypatch.setattr(clusters, "GANS", ours)
    for model in clusters.GANS:
        found = clusters.measure(model, source, load(source, 4), 4, 0.5, None)
        assert found["label_nmi"] == 0
    mmgan, nemgan, scgan = specs
    assert (mmgan.system, mmgan.config.gan.num_samples, mmgan.seed) == ("mmgan", 480_000, 4)
    assert (nemgan.system, nemgan.config.gan.num_clusters) == ("nemgan", 3)
    assert (scgan.system, scgan.config.clusters.num_clusters) == ("scgan", 3)


def test_tables_without_labels_are_refused(tmp_path):
    np.savez(tmp_path / "plain.npz", X=np.random.default_rng(0).normal(size=(50, 2)))
    source = DataConfig(source=str(tmp_path / "plain.npz"))
    with pytest.raises(ValueError, match="plain has no classes; name their column, PATH@LABEL"):
        clusters.measure("K-means", source, load(source, 0), 0, 1.0, None)


def test_what_has_a_result_is_not_found_again(table, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "MODELS", ("K-means", "Gaussian mixture"))
    args = ["--data", str(table), "--seeds", "2", "--folder", str(tmp_path / "out")]
    first = CliRunner().invoke(clusters.clusters, args, catch_exceptions=False)
    assert "clouds, K-means, seed 1" in first.output
    assert "### clouds: 240 rows, 3 labels, the commonest of 0." in first.output
    assert "| K-means | **0." in first.output and "| Gaussian mixture |" in first.output
    assert (tmp_path / "out" / "clusters.md").read_text() in first.output
    lines = (tmp_path / "out" / "clusters.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0, 0, 1, 1]

    monkeypatch.setattr(clusters, "measure", None)
    again = CliRunner().invoke(clusters.clusters, args, catch_exceptions=False)
    assert "seed 1:" not in again.output and "| K-means |" in again.output
    shown = CliRunner().invoke(clusters.clusters, ["--report", *args[-2:]], catch_exceptions=False)
    assert "| Gaussian mixture |" in shown.output


def test_results_of_several_lengths_are_tables_of_their_own():
    row = {"data": "a", "model": "K-means", "budget": 1.0, "rows": 9, "clusters": 2}
    row |= {"commonest": 0.5, "seconds": 3.0, **dict.fromkeys(clusters.SHOWN, 0.5)}
    text = clusters.report([row, {**row, "budget": 0.5, "label_nmi": 0.25}])
    assert text.count("###") == 2 and "| K-means | **0.25** |" in text.split("###")[2]
    assert "| MMGAN | - | - | - | - |" in text


def test_no_results_are_said(tmp_path):
    args = ["--report", "--folder", str(tmp_path)]
    with pytest.raises(ValueError, match="no results yet: give --data PATH"):
        CliRunner().invoke(clusters.clusters, args, catch_exceptions=False)
