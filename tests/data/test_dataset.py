"""Data sets: split, standardisation, fingerprint, and what can't be used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from scgan.config import override
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.split import split, validation_split, whole
from scgan.data.tables.reading import from_columns
from scgan.data.tables.table import Table
from scgan.data.toy import TOYS


def table(rows: int = 100) -> Table:
    rng = np.random.default_rng(0)
    columns = {
        "row": np.arange(rows),
        "a": rng.standard_normal(rows).astype(np.float32) * 5 + 100,
        "fixed": np.full(rows, 7, dtype=np.uint8),
    }
    return from_columns({**columns, "again": columns["a"].copy()}, labels=np.arange(rows) % 3)


def toy(source: str = "checkerboard", train: int = 400, test: int = 300, seed: int = 0) -> Dataset:
    return load(DataConfig(source=source, num_train=train, num_test=test), seed)


def test_a_toy_sets_pieces_are_its_rows_labels() -> None:
    data = toy("ring")
    assert data.train_labels is not None and data.test_labels is not None
    raw = data.table_schema.decode(data.test)
    modes = data.toy.modes()[data.test_labels]
    assert np.abs(raw["x0"] - modes[:, 0].numpy()).max() < 0.06
    assert len(data.train_labels) == 400 and set(data.train_labels) == set(range(8))
    assert toy("checkerboard").train_labels is None


@pytest.mark.parametrize("name", TOYS)
def test_toy_sets(name: str) -> None:
    data = toy(name)
    assert data.name == name and data.toy is TOYS[name]
    assert data.train.shape == (400, 2) and data.test.shape == (300, 2)
    assert data.train.dtype == data.test.dtype == torch.float32
    assert torch.allclose(data.train.mean(0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(data.train.std(0, correction=0), torch.ones(2), atol=1e-5)
    decoded = data.schema.decode(data.test)
    assert list(decoded) == ["x0", "x1"] and all(v.dtype == np.float32 for v in decoded.values())
    points = torch.from_numpy(np.stack(list(decoded.values()), 1))
    # Points by the very edge of a cell may cross it in two roundings of float32.
    assert data.toy.log_prob(points).isfinite().double().mean() > 0.98


def test_toy_rows_depend_on_the_seed_and_each_part_on_its_own_size() -> None:
    first, again, other, longer = toy(), toy(), toy(seed=1), toy(test=10)
    assert torch.equal(first.train, again.train) and torch.equal(first.test, again.test)
    assert first.fingerprint == again.fingerprint and len(first.fingerprint) == 64
    assert not torch.equal(first.train, other.train)
    assert torch.equal(first.train, longer.train)
    same_size = toy(test=400)
    assert not torch.allclose(same_size.train, same_size.test, atol=0.5)
    prints = {d.fingerprint for d in (first, other, longer, toy(train=401), toy("ring"))}
    assert len(prints) == 5


def test_split_is_a_partition_fixed_by_the_seed() -> None:
    data, again, other = (split("t", table(), 0.25, seed) for seed in (0, 0, 1))
    train, test = (data.schema.decode(part)["row"] for part in (data.train, data.test))
    assert len(test) == 25 and sorted([*train, *test]) == list(range(100))
    assert np.array_equal(train % 3, data.train_labels) and np.array_equal(
        test % 3, data.test_labels
    )
    assert torch.equal(data.train, again.train) and torch.equal(data.test, again.test)
    assert not torch.equal(data.test, other.test)


def test_schema_is_fitted_on_the_training_rows_alone() -> None:
    data = split("t", table(), 0.25, 0)
    assert torch.allclose(data.train.mean(0), torch.zeros(2), atol=1e-5)
    assert data.test.mean(0).abs().min() > 1e-3
    assert data.schema.dim == 2 and data.schema.names == ("row", "a", "fixed", "again")
    assert data.describe() == {
        "name": "t",
        "train_rows": 75,
        "test_rows": 25,
        "dropped_rows": 0,
        "columns": ["row", "a", "fixed", "again"],
        "modelled_columns": 2,
        "constant_columns": ["fixed"],
        "duplicate_columns": ["again"],
        "derived_columns": {},
        "nearly_derived_columns": {},
        "ranked_columns": ["row", "a"],
        "categorical_columns": [],
        "columns_with_gaps": [],
        "labelled": True,
        "fingerprint": data.fingerprint,
    }


def test_fingerprint_changes_with_everything_that_determines_the_rows() -> None:
    base = table()
    swapped = {name: array[::-1].copy() for name, array in base.columns.items()}
    renamed = {("b" if name == "a" else name): array for name, array in base.columns.items()}
    retyped = {**base.columns, "row": base.columns["row"].view(np.float64)}
    assert base.labels is not None
    variants = [
        split("t", base, 0.25, 0),
        split("t", base, 0.25, 1),
        split("t", base, 0.3, 0),
        split("t", replace(base, columns=swapped), 0.25, 0),
        split("t", replace(base, columns=renamed, names=tuple(renamed)), 0.25, 0),
        split("t", replace(base, columns=retyped), 0.25, 0),
        split("t", replace(base, labels=base.labels + 1), 0.25, 0),
        split("t", replace(base, labels=None), 0.25, 0),
    ]
    assert len({data.fingerprint for data in variants}) == len(variants)
    assert split("another name", table(), 0.25, 0).fingerprint == variants[0].fingerprint


def test_load_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "stars.npz"
    np.savez(path, X=np.random.default_rng(0).standard_normal((50, 3)), y=np.arange(50))
    data = load(DataConfig(source=str(path), columns=("x2", "x0")), 0)
    assert (
        data.name == "stars" and data.schema.names == ("x2", "x0") and data.train.shape == (40, 2)
    )
    assert data.toy is None and data.train_labels is not None and len(data.train_labels) == 40
    moved = path.rename(tmp_path / "moved.npz")
    assert (
        load(DataConfig(source=str(moved), columns=("x2", "x0")), 0).fingerprint == data.fingerprint
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            DataConfig(source="chekerboard"),
            "unknown data 'chekerboard'; did you mean 'checkerboard'?",
        ),
        (
            DataConfig(source="nothing-like-it"),
            "unknown data 'nothing-like-it'; allowed: eight_gaussians",
        ),
        (DataConfig(source="gone/table.csv"), "gone/table.csv: there is no such file"),
        (DataConfig(source="gone.parquet"), "gone.parquet: there is no such file"),
        (DataConfig(source="ring", label="k"), "'ring' is a toy set"),
        (DataConfig(source="ring", columns=("x0",)), "'ring' is a toy set"),
    ],
)
def test_unknown_sources(config: DataConfig, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        load(config, 0)
    assert str(caught.value).startswith(expected) and "\n" not in str(caught.value)


def test_rows_that_cannot_be_used() -> None:
    with pytest.raises(
        ValueError, match=r"^t: 5 rows give 4 to train, 1 to test; each needs at least 2"
    ):
        split("t", table(5), 0.2, 0)
    with pytest.raises(ValueError, match="1 to train, 99 to test"):
        split("t", table(100), 0.99, 0)
    constant = from_columns({"a": np.ones(10), "b": np.zeros(10, dtype=int)})
    with pytest.raises(ValueError, match=r"all columns are constant \(a, b\)"):
        split("t", constant, 0.2, 0)
    assert split("t", from_columns({"a": np.arange(4.0)}), 0.5, 0).train.shape == (2, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"test_fraction": 0.0},
        {"test_fraction": 1.0},
        {"num_train": 1},
        {"missing": "keep"},
        {"source": ""},
        {"sorce": "x"},
    ],
)
def test_config_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataConfig(**wrong)


def test_validation_rows_are_training_rows_and_the_test_rows_are_out_of_reach() -> None:
    whole = load(DataConfig(source="two_spirals", num_train=1000, num_test=500), seed=0)
    part = validation_split(whole, 0.2, seed=3)
    assert (len(part.train), len(part.test)) == (800, 200)
    rows = torch.cat([part.train, part.test])
    torch.testing.assert_close(
        rows[np.lexsort(rows.T.numpy())], whole.train[np.lexsort(whole.train.T.numpy())]
    )
    again, other = validation_split(whole, 0.2, seed=3), validation_split(whole, 0.2, seed=4)
    assert torch.equal(part.test, again.test) and part.fingerprint == again.fingerprint
    assert not torch.equal(part.test, other.test)
    assert len({part.fingerprint, other.fingerprint, whole.fingerprint}) == 3
    with pytest.raises(ValueError, match="--validation 0.001 of 1000"):
        validation_split(whole, 0.001, seed=0)


def test_validation_rows_are_encoded_as_test_rows_are() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "row": np.arange(400.0),
        "count": rng.integers(0, 4, 400),
        "kind": rng.choice(["a", "b", "c"], 400),
    }
    data = split("t", from_columns(columns), 0.25, 0)
    part = validation_split(data, 0.4, seed=0)

    own = part.table_schema.decode(part.test)["row"].astype(int)
    expected = {name: values[own] for name, values in columns.items()}
    torch.testing.assert_close(part.test, part.table_schema.encode(expected))
    assert [len(column.unique()) for column in part.test.T[1:]] == [4, 3]
    assert min(len(column.unique()) for column in part.train.T[1:]) > 100  # still spread


def test_what_the_settings_say_of_a_file_is_done(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    values = np.arange(20.0)
    values[3] = np.nan
    np.savez(path, a=values, b=np.arange(20))

    with pytest.raises(ValueError, match="--data.missing drop"):
        load(DataConfig(source=str(path)), 0)
    data = load(DataConfig(source=str(path), missing="drop", test_fraction=0.42, label="b"), 0)

    assert data.dropped == 1 and (len(data.train), len(data.test)) == (11, 8)
    rows = data.table_schema.decode(data.test)["a"]
    seen = data.train_labels.min(), data.train_labels.max()
    assert np.array_equal(rows, np.clip(data.test_labels, *seen))
    assert sorted([*data.train_labels, *data.test_labels]) == [i for i in range(20) if i != 3]


def test_rows_that_are_all_trained_on() -> None:
    data = whole("t", table(10))
    assert data.train.shape == (10, 2) and data.test.shape == (0, 2)
    assert np.array_equal(data.train_labels, np.arange(10) % 3) and len(data.test_labels) == 0
    assert data.table_schema.decode(data.train)["row"].tolist() == list(range(10))

    assert (
        data.fingerprint == whole("u", table(10)).fingerprint != whole("t", table(11)).fingerprint
    )
    with pytest.raises(ValueError, match="^t: 1 rows can't be learned from; give at least 2$"):
        whole("t", table(1))


def test_validation_labels_stay_with_their_rows() -> None:
    data = split("t", table(), 0.25, 0)
    part = validation_split(data, 0.4, seed=0)
    for x, labels, num in ((part.train, part.train_labels, 45), (part.test, part.test_labels, 30)):
        rows = part.table_schema.decode(x)["row"]
        assert len(rows) == num and np.array_equal(rows % 3, labels)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3a://b/k.csv", r"s3a://b/k\.csv: write it as s3://b/k\.csv"),
        ("s3n://b/k", "write it as s3://b/k"),
        ("S3://b/k.csv", r"write it as s3://b/k\.csv"),
        ("s3:/b/k.csv", r"write it as s3://b/k\.csv"),
        ("dbfs:/k.csv", r"dbfs:/ addresses can't be read; copy the data to a folder here"),
        ("file://", "file://: names no file"),
        ("gs://b/k.csv", r"gs:// addresses can't be read; copy the data to a folder here"),
        ("https://host/k.csv", "https:// addresses can't be read"),
        ("file:///gone/k.csv", "/gone/k.csv: there is no such file or folder"),
    ],
)
def test_addresses_of_other_kinds_are_refused(address: str, message: str) -> None:
    for stream in (None, True):
        with pytest.raises(ValueError, match=message):
            load(DataConfig(source=address, stream=stream), 0)


def test_an_address_of_a_file_is_a_path(tmp_path: Path) -> None:
    rows = "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(30))
    for name in ("t.csv", "a b.csv", "a%20c.csv"):
        (tmp_path / name).write_text(rows)
        for start in ("file://", "file://localhost", "file:", "FILE://"):
            assert load(DataConfig(source=f"{start}{tmp_path}/{name}"), 0).num_train == 24
    assert load(DataConfig(source=f"file://{tmp_path}/a%20b.csv"), 0).num_train == 24


def test_marks_of_no_value_are_numbers() -> None:
    marks = override(DataConfig(), {"missing_values": "-9999,99.99,1e20"}, "data").missing_values
    assert marks == (-9999, 99.99, 1e20)
    with pytest.raises(
        ValueError, match=r"data\.missing_values\.0: input should be a valid number"
    ):
        override(DataConfig(), {"missing_values": "n/a"}, "data")
