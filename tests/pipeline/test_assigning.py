"""The clusters of anybody's rows and images by a stored run."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from scgan.data.dataset import DataConfig
from scgan.data.images.schema import ImageSchema
from scgan.data.tables.schema import Schema
from scgan.pipeline import assigning
from scgan.pipeline.assigning import assign

TRAINING = {"a": np.array([0.0, 10.0] * 50), "b": np.arange(100) % 7}


class Soft:
    """Three clusters by the standardised first column, and how sure it is of them."""

    counts, cluster_columns = torch.tensor([50, 30, 20]), {}

    def probabilities(self, x):
        return torch.stack([x[:, 0], 0 * x[:, 0], -x[:, 0]], 1).softmax(1)

    def assign(self, x):
        return self.probabilities(x).argmax(1)


def stored(model, schema=None, missing="error"):
    schema = schema or Schema.fit(TRAINING)
    spec = SimpleNamespace(system="known", run_id="known-1", data=DataConfig(missing=missing))
    return SimpleNamespace(model=model, schema=schema, spec=spec)


def people(num=40):
    rng = np.random.default_rng(0)
    names = [f"p{i}" for i in range(num)]
    columns = {"name": names, "b": rng.integers(0, 7, num), "a": rng.normal(5, 5, num)}
    return pd.DataFrame({**columns, "when": pd.array([1, None] * (num // 2), dtype="Int64")})


def expected(frame):
    z = torch.tensor(((frame["a"] - 5) / 5).to_numpy())
    return torch.stack([z, 0 * z, -z], 1).softmax(1).numpy()


def test_rows_get_clusters_and_probabilities_and_keep_their_keys(tmp_path):
    frame = people()
    frame.to_parquet(tmp_path / "new.parquet")
    found = assign(stored(Soft()), str(tmp_path / "new.parquet"))
    p = expected(frame)
    made = [f"probability_{k}" for k in range(3)]
    assert list(found.columns) == ["name", "when", "cluster", "probability", *made]
    assert list(found.columns["name"]) == list(frame["name"])
    assert list(found.columns["when"]) == [1, None] * 20
    assert np.array_equal(found.columns["cluster"], p.argmax(1))
    assert np.allclose(found.columns["probability"], p.max(1), atol=1e-6)
    assert np.allclose(np.stack([found.columns[name] for name in made], 1), p, atol=1e-6)
    assert found.counts.tolist() == np.bincount(p.argmax(1), minlength=3).tolist()
    assert found.dropped == 0


def test_chunks_are_joined_in_order(tmp_path, monkeypatch):
    people().to_csv(tmp_path / "new.csv", index=False)
    whole = assign(stored(Soft()), str(tmp_path / "new.csv"))
    monkeypatch.setattr(assigning, "ROWS_AT_ONCE", 7)
    parts = assign(stored(Soft()), str(tmp_path / "new.csv"))
    for name in whole.columns:
        assert np.array_equal(whole.columns[name], parts.columns[name])


def test_what_is_kept_can_be_chosen(tmp_path):
    people().to_parquet(tmp_path / "new.parquet")
    found = assign(stored(Soft()), str(tmp_path / "new.parquet"), keep=["a", "name"])
    assert list(found.columns)[:3] == ["a", "name", "cluster"]
    with pytest.raises(ValueError, match="there is no column 'nam'; did you mean 'name'"):
        assign(stored(Soft()), str(tmp_path / "new.parquet"), keep=["nam"])


def test_rows_without_a_value_are_an_error_or_left_out_with_their_keys(tmp_path):
    frame = people()
    frame.loc[[3, 17], "a"] = np.nan
    frame.to_parquet(tmp_path / "new.parquet")
    with pytest.raises(ValueError, match=r"'a' \(2\): 2 of 40 rows"):
        assign(stored(Soft()), str(tmp_path / "new.parquet"))
    found = assign(stored(Soft()), str(tmp_path / "new.parquet"), missing="drop")
    rest = frame.drop([3, 17])
    assert found.dropped == 2 and list(found.columns["name"]) == list(rest["name"])
    assert np.array_equal(found.columns["cluster"], expected(rest).argmax(1))


def test_rows_without_a_value_are_by_default_what_they_were_to_the_run(tmp_path):
    frame = people()
    frame.loc[[3, 17], "a"] = np.nan
    frame.to_parquet(tmp_path / "new.parquet")
    dropping = stored(Soft(), missing="drop")
    assert assign(dropping, str(tmp_path / "new.parquet")).dropped == 2
    with pytest.raises(ValueError, match="2 of 40 rows"):
        assign(dropping, str(tmp_path / "new.parquet"), missing="error")


def test_a_clustering_that_is_not_soft_is_sure(tmp_path):
    class Hard:
        counts, cluster_columns = torch.tensor([1, 1]), {}

        def assign(self, x):
            return (x[:, 0] > 0).long()

    frame = people()
    frame.to_parquet(tmp_path / "new.parquet")
    found = assign(stored(Hard()), str(tmp_path / "new.parquet"))
    assert np.array_equal(found.columns["cluster"], (frame["a"] > 5).astype(int))
    assert set(found.columns["probability"]) == {1.0}
    assert np.array_equal(found.columns["probability_1"], found.columns["cluster"])


def test_refusals_are_a_line(tmp_path):
    frame = people()
    frame.rename(columns={"when": "probability"}).to_parquet(tmp_path / "taken.parquet")
    with pytest.raises(ValueError, match="a column is named 'probability' already"):
        assign(stored(Soft()), str(tmp_path / "taken.parquet"))
    frame[["name", "a"]].to_parquet(tmp_path / "less.parquet")
    with pytest.raises(ValueError, match="there is no column 'b'"):
        assign(stored(Soft()), str(tmp_path / "less.parquet"))
    with pytest.raises(ValueError, match="a run of known has no clusters"):
        assign(stored(object()), str(tmp_path / "less.parquet"))
    with pytest.raises(ValueError, match="holds no images"):
        schema = ImageSchema(1, 28, (), "none")
        assign(stored(Soft(), schema), str(tmp_path / "less.parquet"))


def test_images_are_numbered(tmp_path):
    class Bright:
        counts, cluster_columns = torch.tensor([1, 1]), {}

        def assign(self, x):
            assert x.dtype == torch.uint8 and x.shape[1:] == (1, 28, 28)
            return (x.float().mean((1, 2, 3)) > 100).long()

    levels = np.array([0, 200, 200, 50], dtype=np.uint8)
    np.savez(tmp_path / "i.npz", images=np.tile(levels[:, None, None], (1, 28, 28)))
    schema = ImageSchema(1, 28, (), "none")
    found = assign(stored(Bright(), schema), str(tmp_path / "i.npz"))
    assert found.columns["image"].tolist() == [0, 1, 2, 3]
    assert found.columns["cluster"].tolist() == [0, 1, 1, 0]


def test_the_command_writes_them(mlflow_here, scgan_command, tmp_path):
    words = ("--data", "ring", "--set", "data.num_train=600", "--set", "data.num_test=400")
    store = tmp_path / "store"
    short = ("--clusters.num_clusters", 4, "--encoder.num_samples", 2048)
    short = (*short, "--mappers.num_samples", 512, "--decoder.num_samples", 8192)
    fit = scgan_command("fit", *words, "--preset", "smoke", *short, "--store", store, "--json")
    assert fit.code == 0, fit.err
    run = json.loads(fit.out)["run"]

    frame = pd.DataFrame({"x1": [0.0, 1, 0.5], "id": ["a", "b", "c"], "x0": [1.0, 0, None]})
    frame.to_csv(tmp_path / "new.csv", index=False)
    where = ("--data", tmp_path / "new.csv", "--store", store)
    out = tmp_path / "clusters.parquet"
    said = scgan_command("cluster", run, *where, "--out", out)
    assert said.code == 2 and "--data.missing drop" in said.err and not out.exists()
    how = ("--data.missing", "drop", "--keep", "id,x1")
    said = scgan_command("cluster", run, *where, "--out", out, *how)
    assert said.code == 0, said.err
    first, second = said.out.splitlines()
    assert first.startswith("2 rows in ") and second == "1 rows with missing values were left out"

    found = pd.read_parquet(out)
    assert list(found["id"]) == ["a", "b"] and list(found.columns[:4]) == [
        "id",
        "x1",
        "cluster",
        "probability",
    ]
    p = found[[name for name in found.columns if name.startswith("probability_")]].to_numpy()
    assert np.allclose(p.sum(1), 1) and np.array_equal(p.argmax(1), found["cluster"])
    said = scgan_command("cluster", run, *where, "--out", out, *how, "--json")
    told = json.loads(said.out)
    assert sum(told["counts"]) == 2 and told["dropped"] == 1 and told["out"] == str(out)
