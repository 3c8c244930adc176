"""A table read part by part: rows, schema and errors as read whole, and random samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.data.tables import parts as files
from scgan.data.tables.moments import Moments
from scgan.data.tables.reading import read_table
from scgan.data.tables.schema import Schema
from scgan.data.tables.streaming import Sample
from scgan.data.tables.table import Table


@pytest.fixture
def folder(tmp_path):
    """Five files sorted by their first column: labels, a constant, a duplicate, bad rows."""
    rng, a = np.random.default_rng(0), np.sort(np.random.default_rng(1).normal(1e6, 3.0, 5000))
    for part in range(5):
        rows = slice(1000 * part, 1000 * part + 1000)
        frame = pd.DataFrame({"a": a[rows], "big": rng.integers(-(2**62), 2**62, 1000), "seven": 7})
        frame["small"] = (rng.normal(size=1000) * 10.0**part).astype("f4")
        frame["again"], frame["kind"] = (
            frame["a"],
            np.array(["odd", "even"])[rng.integers(0, 2, 1000)],
        )
        if part == 3:
            frame.loc[[5, 6, 7], "small"] = np.nan
        frame.to_parquet(tmp_path / f"part-{part}.parquet", row_group_size=300)
    return tmp_path


def config(folder, **changes):
    return DataConfig(source=str(folder), stream=True, label="kind", missing="drop", **changes)


def rows_of(data, *, train):
    """Every row of the one part or the other, read by the first pass's own draws."""
    parts = data.stream.parts
    found = [
        table.take((place >= parts.test_fraction) == train).columns
        for part in range(len(parts.paths))
        for table, place, _ in parts.batches(part)
    ]
    return {name: np.concatenate([columns[name] for columns in found]) for name in parts.names}


def test_nothing_is_lost_and_the_split_is_by_rows(folder):
    data = load(config(folder), 0)
    whole = read_table(str(folder), None, "kind", "drop")
    train, test = (rows_of(data, train=train) for train in (True, False))
    for name in whole.names:
        together = np.sort(np.concatenate([train[name], test[name]]))
        assert np.array_equal(together, np.sort(whole.columns[name]))
    assert (data.num_train, data.num_test) == (
        len(train["a"]),
        len(test["a"]),
    ) and data.dropped == 3
    assert abs(data.num_test / 4997 - 0.2) < 0.02
    assert data.describe()["train_rows"] == data.num_train


def test_the_schema_is_that_of_all_training_rows_at_once(folder):
    data = load(config(folder), 0)
    expected = Schema.fit(rows_of(data, train=True))
    for ours, theirs in zip(data.table_schema.columns, expected.columns, strict=True):
        for attribute in ("name", "dtype", "kind", "source", "low", "high", "exponent"):
            assert getattr(ours, attribute) == getattr(theirs, attribute)
        assert_close(
            torch.tensor([ours.center, ours.spread]), torch.tensor([theirs.center, theirs.spread])
        )
    assert [c.kind for c in expected.columns] == [
        "modelled",
        "modelled",
        "constant",
        "modelled",
        "duplicate",
    ]


def test_samples_are_of_their_own_part_and_at_random(folder):
    data = load(config(folder, num_train=600, num_test=300), 0)
    assert (len(data.train), len(data.test)) == (600, 300) and len(data.train_labels) == 600
    for sample, train in ((data.train, True), (data.test, False)):
        rows = data.table_schema.encode(rows_of(data, train=train))
        distance = torch.cdist(sample.double(), rows.double()).min(1).values
        assert distance.max() < 1e-5
    # The files are sorted by the first column: the sample's first half is spread over it as its
    # second half is.
    halves = data.train[:, 0].split(300)
    assert all(
        abs(float(half.mean())) < 0.2 and abs(float(half.std()) - 1) < 0.15 for half in halves
    )


def test_the_same_rows_whatever_the_batches(folder, monkeypatch):
    first = load(config(folder, num_train=600, num_test=300), 0)
    monkeypatch.setattr(files, "BATCH_ROWS", 77)
    second = load(config(folder, num_train=600, num_test=300), 0)
    assert_close(second.train, first.train)
    assert second.stream == first.stream and second.fingerprint == first.fingerprint


@pytest.mark.parametrize("change", ["seed", "value", "test_fraction"])
def test_the_fingerprint_is_of_rows_and_draws(folder, change):
    first = load(config(folder), 0)
    assert load(config(folder), 0).fingerprint == first.fingerprint
    if change == "value":
        frame = pd.read_parquet(folder / "part-2.parquet")
        frame.loc[:5, "small"] += 1
        frame.to_parquet(folder / "part-2.parquet")
    changes = {"test_fraction": 0.3} if change == "test_fraction" else {}
    assert load(config(folder, **changes), int(change == "seed")).fingerprint != first.fingerprint


def test_each_row_has_one_shard_of_about_the_asked_size(folder):
    data = load(config(folder, shard_rows=1024), 0)
    dealt = [shards for part in range(5) for _, shards in data.stream.train_rows(part)]
    counts = np.bincount(np.concatenate(dealt))
    assert (
        counts.sum() == data.num_train
        and len(counts) == data.stream.num_shards == data.num_train // 1024
    )
    assert abs(counts - data.num_train / len(counts)).max() < 150


def test_a_large_table_is_streamed_unless_asked_not_to_be(folder, monkeypatch):
    plain = {"source": str(folder), "label": "kind", "missing": "drop"}
    assert load(DataConfig(**plain), 0).stream is None
    monkeypatch.setattr(files, "STREAM_ABOVE", 1000)
    assert load(DataConfig(**plain), 0).stream is not None
    assert load(DataConfig(**plain, stream=False), 0).stream is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"columns": ("a", "smal")},
            r"there is no column 'smal'; did you mean 'small'\?",
        ),
        (
            {"missing": "error"},
            r"part-3\.parquet: NaN, infinity or no value in 'small' \(3\): 3 of 1000 rows",
        ),
        ({"test_fraction": 0.9999}, "each needs at least 2"),
        ({"columns": ("seven",)}, "all columns are constant"),
    ],
)
def test_wrong_requests_are_said_in_one_line(folder, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(config(folder).model_copy(update=change), 0)
    assert "\n" not in str(caught.value)


def test_a_column_of_two_types_and_files_that_are_no_parquet_are_refused(folder, tmp_path):
    frame = pd.read_parquet(folder / "part-4.parquet")
    frame.astype({"big": "float64"}).to_parquet(folder / "part-4.parquet")
    with pytest.raises(
        ValueError, match=r"part-0\.parquet: column 'big' holds the integer -?\d+, which float64"
    ):
        load(config(folder), 0)
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(
        ValueError, match=r"only \.parquet, or a folder of such files, can be streamed"
    ):
        load(DataConfig(source=str(tmp_path / "t.csv"), stream=True), 0)
    (tmp_path / "t.csv").unlink()
    with pytest.raises(ValueError, match=r"gone\.parquet: there is no such file"):
        load(DataConfig(source=str(tmp_path / "gone.parquet"), stream=True), 0)
    (folder / "part-2.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(ValueError, match=r"part-2\.parquet: can't be read as \.parquet"):
        load(config(folder), 0)


def test_moments_of_batches_far_apart():
    values = np.array([1e-40, 3e-40, 5e60, -2e60, 1.0, 2.0])
    moments = Moments()
    for batch in np.split(values, 3):
        moments.add({"x": batch})
    (ours,), (theirs,) = moments.schema().columns, Schema.fit({"x": values}).columns
    assert (ours.low, ours.high, ours.exponent) == (theirs.low, theirs.high, theirs.exponent)
    assert_close(
        torch.tensor([ours.center, ours.spread]), torch.tensor([theirs.center, theirs.spread])
    )
    moments.add({"x": np.array([1e300])})
    with pytest.raises(ValueError, match=r"column 'x' goes from -2e\+60 to 1e\+300"):
        moments.schema()


def test_a_sample_keeps_the_lowest_ranks_in_order():
    rng, sample = np.random.default_rng(0), Sample(50)
    ranks = rng.random(1000)
    masks = rng.random(1000) < 0.5
    for batch in np.split(np.arange(1000), 20):
        batch = batch[masks[batch]]
        sample.add(ranks[batch], Table(("row",), {"row": batch}, batch, 0))
    expected = [row for row in np.argsort(ranks) if masks[row]][:50]
    assert sample.seen == masks.sum()
    table = sample.table()
    assert np.array_equal(table.columns["row"], expected) and np.array_equal(table.labels, expected)


def test_the_fingerprint_is_also_of_rows_that_are_not_in_memory(folder):
    settings = config(folder, num_train=2, num_test=2)
    first = load(settings, 0)
    frame = pd.read_parquet(folder / "part-2.parquet")
    frame.loc[10:20, "small"] *= 0.999
    frame.to_parquet(folder / "part-2.parquet")

    second = load(settings, 0)
    assert_close(second.train, first.train, rtol=1e-4, atol=1e-4)
    assert second.fingerprint != first.fingerprint


def test_labels_and_values_stay_with_their_rows(tmp_path):
    for part in range(2):
        n = np.arange(500) + 500 * part
        pd.DataFrame({"n": n, "kind": n % 7}).to_parquet(tmp_path / f"{part}.parquet")

    data = load(config(tmp_path, num_train=100, num_test=50), 0)
    train, test = (data.table_schema.decode(part)["n"] for part in (data.train, data.test))
    assert (len(train), len(test)) == (100, 50) and not set(train) & set(test)
    assert np.array_equal(train % 7, data.train_labels)
    assert np.array_equal(test % 7, data.test_labels)
