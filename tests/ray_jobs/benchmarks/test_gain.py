"""The search against the preset: what is asked for each set, and what is not asked again."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from ray_jobs.benchmarks import gains, searching
from scgan.data.dataset import DataConfig


@pytest.fixture
def asked(monkeypatch):
    """What is measured and where, in order; nothing is."""
    calls = []

    def gain(measured, folder):
        calls.append((measured, folder))
        return {"best": 0.1, "preset": 0.2}

    monkeypatch.setattr(searching, "gain", gain)
    return calls


def test_a_set_is_measured_once_a_metric_and_seed_and_a_table_has_its_own_rows(asked, tmp_path):
    words = ["--sets", "abs,some/jets.csv@id", "--seeds", "4", "--rows", "77", "--trials", "3"]
    words += ["--training", "0.5", "--store", str(tmp_path)]
    for metric in ("c2st_error", "c2st_error", "energy_distance"):
        CliRunner().invoke(gains.gain, [*words, "--metric", metric], catch_exceptions=False)

    found = [(m.source, m.rows, m.metric, m.seed, m.trials, m.training) for m, _ in asked]
    assert found == [
        ("abs", 77, "c2st_error", 4, 3, 0.5),
        ("some/jets.csv@id", None, "c2st_error", 4, 3, 0.5),
        ("abs", 77, "energy_distance", 4, 3, 0.5),
        ("some/jets.csv@id", None, "energy_distance", 4, 3, 0.5),
    ]
    assert len({folder for _, folder in asked}) == 4  # a study each
    assert len((tmp_path / "gain.jsonl").read_text().splitlines()) == 4


def test_a_searchs_data_and_metric_are_as_asked():
    measured = searching.Measured("jets.csv@id", "smoke", (), (), 3, metric="c2st_error")
    assert measured.spec.data == DataConfig(source="jets.csv", label="id")
    assert measured.settings.metric == ("c2st_error",)
    toy = searching.Measured("abs", "smoke", (), (), 3, rows=50)
    assert toy.spec.data == DataConfig(source="abs", num_train=50, num_test=50)
