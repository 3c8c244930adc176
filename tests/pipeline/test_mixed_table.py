"""A table of every kind of column from the file through training to samples, scores, clusters."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

NUM = 1500


def mixed(num=NUM):
    rng = np.random.default_rng(0)
    kind = rng.choice(["cat", "dog", "newt"], num, p=[0.5, 0.3, 0.2])
    weight = np.round(
        np.select([kind == "cat", kind == "dog"], [4, 20], 0.1) * rng.gamma(9, size=num), 2
    )
    seen = pd.Timestamp("2024-05-01", tz="Europe/Oslo") + pd.to_timedelta(
        rng.integers(0, 400, num), "D"
    )
    frame = pd.DataFrame({"kind": kind, "weight": weight, "legs": np.full(num, 4), "seen": seen})
    frame["age"] = pd.array(rng.integers(0, 15, num), "Int64")
    frame["tame"] = pd.array(kind != "newt", "boolean")
    lacking = rng.random(num) < np.where(kind == "newt", 0.9, 0.2)
    for name in ("age", "tame"):
        frame[name] = frame[name].mask(lacking)
    frame["size"] = frame.weight.mask(rng.random(num) < 0.5)
    return frame


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Series.values returning")
def test_a_mixed_table_is_trained_on_and_comes_back(scgan_command, tmp_path):
    data = tmp_path / "pets.parquet"
    frame = mixed()
    frame.to_parquet(data)
    store, where = tmp_path / "store", ("--store", tmp_path / "store")
    short = ("--clusters.num_clusters", 4, "--encoder.num_samples", 4096)
    short = (*short, "--mappers.kind", "mixture", "--decoder.num_samples", 65536)
    words = ("--data", data, "--preset", "smoke", *short, *where, "--json")
    refused = scgan_command("fit", *words)
    assert refused.code == 2 and "--data.missing model learns" in refused.err

    fit = scgan_command("fit", *words, "--data.missing", "model")
    assert fit.code == 0, fit.err
    told = json.loads(fit.out)
    report = next(store.rglob("report.html")).read_text()
    assert "3 categories" in report and "datetime64[us], Europe/Oslo" in report
    assert "missing in" in report

    out = tmp_path / "s.parquet"
    assert scgan_command("sample", told["run"], "--num", 4000, *where, "--out", out).code == 0
    assert parquet.read_schema(out).types == parquet.read_schema(data).types
    samples = pd.read_parquet(out)
    assert samples.dtypes.equals(frame.dtypes)
    assert set(samples.kind) <= {"cat", "dog", "newt"} and (samples.legs == 4).all()
    assert samples.age.isna().equals(samples.tame.isna()) or (
        (samples.age.isna() == samples.tame.isna()).mean() > 0.8
    )
    assert (samples.isna().mean() - frame.isna().mean()).abs().max() < 0.25

    both = ("--samples", out, "--reference", data, "--json")
    scored = scgan_command("evaluate", *both, "--data.missing", "model")
    assert scored.code == 0, scored.err
    scores = json.loads(scored.out)["scores"]
    assert scores["constants_kept"]["value"] == scores["within_range"]["value"] == 1

    said = scgan_command(
        "cluster", told["run"], "--data", data, *where, "--out", tmp_path / "c.csv"
    )
    assert said.code == 0, said.err
    assert len(pd.read_csv(tmp_path / "c.csv")) == NUM
    odd = frame.assign(kind="bird")
    odd.to_parquet(tmp_path / "odd.parquet")
    words = ("cluster", told["run"], "--data", tmp_path / "odd.parquet", *where)
    said = scgan_command(*words, "--out", tmp_path / "d.csv")
    assert said.code == 2 and "odd.parquet: column 'kind' holds 'bird', which is none" in said.err
