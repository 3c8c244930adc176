"""Ablations at a tiny size: what each changes, what is shared, how it is scored."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ray_jobs.benchmarks import ablations
from scgan import systems
from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.metrics.scores import Score


@pytest.fixture
def table(tmp_path):
    """Two columns, one with a heavy tail."""
    x = np.random.default_rng(0).standard_normal((400, 2))
    x[:, 1] = np.exp(3 * x[:, 1])
    np.savez(tmp_path / "tail.npz", X=x)
    return tmp_path / "tail.npz"


@pytest.fixture
def specs(monkeypatch):
    """What is asked to be trained, in order; nothing is."""
    asked = []

    def fitted(spec, data, store, executor):
        asked.append((spec, data))
        raise KeyError("enough")

    monkeypatch.setattr(ablations, "fit_stages", fitted)
    return asked


@pytest.mark.parametrize("name", ablations.NAMES)
def test_a_variant_changes_what_its_name_says_and_nothing_else(table, name, specs) -> None:
    expected = {
        "default": {},
        "decoder without critic": {"decoder.lambda_x": 0},
        "critic of reconstructions too": {"decoder.reconstruction_critic": True},
        "adversarial mappers": {"mappers.kind": "adversarial"},
        "the same without critic": {
            "mappers.kind": "adversarial",
            "mappers.adversarial_weight": 0,
        },
        "a Gaussian a cluster": {"mappers.kind": "gaussian"},
        "a flow a cluster": {"mappers.kind": "flow"},
        "encoder at its start": {"encoder.num_samples": 512},
        "mixtures as trained": {"refine.num_trees": 0},
        "mixtures refitted": {"refine.use": "refit"},
        "samples accepted": {"refine.use": "accept"},
        "noise as trained": {"decoder.noise_spread": None},
        "no noise": {"decoder.noise_scale": 0, "decoder.noise_spread": None},
        "margins not matched": {"refine.match_margins": False},
        "rows not whitened": {"decoder.whitened": False},
        "columns on their own scale": {},
        "codes of two dimensions more": {"encoder.code_dim": 4},
    }
    source = DataConfig(source=str(table))
    for variant in ("default", name):
        with pytest.raises(KeyError, match="enough"):
            ablations.measure(variant, source, 3, 0.5, None)

    (default, plain), (spec, data) = specs
    assert default.config.decoder.num_samples == 512_000 and default.seed == spec.seed == 3
    changed = spec.config.model_dump()
    for section, settings in default.config.model_dump().items():
        for key, value in settings.items():
            wanted = expected[name].get(f"{section}.{key}", value)
            assert changed[section][key] == wanted, key

    scale = "linear" if name == "columns on their own scale" else "auto"
    assert spec.data.scale == scale and (data.fingerprint == plain.fingerprint) == (scale == "auto")


def test_a_toy_has_no_scale_to_change(specs) -> None:
    source = DataConfig(source="abs", num_train=60, num_test=60)
    assert ablations.measure("columns on their own scale", source, 0, 1.0, None) is None
    assert not specs
    with pytest.raises(KeyError, match="enough"):
        ablations.measure("no noise", source, 0, 1.0, None)


def test_samples_of_other_columns_are_scored_in_the_defaults_coordinates(
    table, monkeypatch
) -> None:
    seen, rows = [], torch.tensor([[0.5, 1.0]] * 7)

    class Fixed:
        def sample(self, num, generator):
            assert num == 50 and generator.initial_seed() == 1
            return rows

    def scores(columns, view, seed):
        seen.append((columns, view, seed))
        return {"coverage": Score.of("coverage", 0.5)}

    monkeypatch.setattr(ablations, "fit_stages", lambda *parts: {})
    monkeypatch.setattr(type(systems.load("scgan")), "model", lambda *parts: Fixed())
    monkeypatch.setattr(ablations, "scores_of_columns", scores)
    monkeypatch.setattr(ablations, "NUM_SAMPLES", 50)
    source = DataConfig(source=str(table))
    for name in ("columns on their own scale", "default"):
        ablations.measure(name, source, 1, 0.001, None)

    own, linear = load(source, 1), load(source.model_copy(update={"scale": "linear"}), 1)
    for (columns, view, seed), data in zip(seen, (linear, own), strict=True):
        assert view.columns == "encoded" and torch.equal(view.test, own.test) and seed == 1
        for name, values in data.table_schema.decode(rows).items():
            np.testing.assert_array_equal(columns[name], values)
    assert not np.array_equal(seen[0][0]["x1"], seen[1][0]["x1"])


def test_what_has_a_result_is_not_trained_again_and_shown(table, tmp_path, monkeypatch) -> None:
    asked = []

    def measured(name, source, seed, budget, store):
        asked.append((name, source.source, source.num_train, seed, budget))
        if name == "columns on their own scale" and source.source == "abs":
            return None
        worse = 0.2 * (name == "no noise") + 0.001 * seed
        return {
            "c2st_accuracy": Score.of("c2st_accuracy", 0.55 + worse, 0.5),
            "coverage": Score.of("coverage", 0.9 + worse),
        }

    monkeypatch.setattr(ablations, "measure", measured)
    args = ["--data", str(table), "--sets", "abs", "--rows", "77", "--seeds", "2"]
    args += ["--budget", "0.5", "--folder", str(tmp_path / "out")]
    for name in ("default", "no noise", "columns on their own scale"):
        args += ["--only", name]
    first = CliRunner().invoke(ablations.ablations, args, catch_exceptions=False)
    assert len(asked) == 12 and ("no noise", "abs", 77, 1, 0.5) in asked
    assert {seed for *_, seed, _ in asked} == {0, 1}

    lines = (tmp_path / "out" / "ablations.jsonl").read_text().splitlines()
    assert len(lines) == 10 and json.loads(lines[0])["scores"]["c2st_accuracy"] == [0.55, 0.5]
    assert "### tail, 0.5 of the lengths, 2 seeds" in first.output
    toy = first.output.split("### abs")[1]
    assert "| no noise | 0.751 ± 0.0007 (-) | **1.1" in toy and "own scale" not in toy
    assert (tmp_path / "out" / "ablations.md").read_text() in first.output

    asked.clear()
    again = CliRunner().invoke(ablations.ablations, args, catch_exceptions=False)
    assert {name for name, *_ in asked} == {
        "columns on their own scale"
    }  # the toy's, which is none
    assert again.output.split("### tail")[1] == first.output.split("### tail")[1]
    shown = CliRunner().invoke(
        ablations.ablations, ["--report", "--folder", str(tmp_path / "out")], catch_exceptions=False
    )
    assert "### tail" in shown.output


def test_of_one_seed_nothing_is_marked(tmp_path) -> None:
    rows = [
        {"data": "a", "variant": name, "seed": 0, "budget": 1.0, "scores": {"coverage": [v, None]}}
        for name, v in (("default", 0.9), ("no noise", 0.5))
    ]
    text = ablations.report(rows)
    assert "| default | 0.9 |" in text and "| no noise | 0.5 |" in text


def test_no_results_are_said(tmp_path) -> None:
    args = ["--report", "--folder", str(tmp_path)]
    with pytest.raises(ValueError, match="no results yet: give --data PATH for each table, or"):
        CliRunner().invoke(ablations.ablations, args, catch_exceptions=False)
