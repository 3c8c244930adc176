"""Columns that were written to so many significant digits, and samples that are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.tables.digits import digits_of, to_digits
from scgan.data.tables.moments import Moments
from scgan.data.tables.schema import Schema
from scgan.report.facts import column_rows

WIDE = np.random.default_rng(0).lognormal(0, 4, 800) * np.where(np.arange(800) % 2, 1, -1)


def written(values: np.ndarray, digits: int) -> np.ndarray:
    return np.array([float(f"{value:.{digits}g}") for value in values])


def notes(schema: Schema) -> dict[str, str]:
    """What the report says of each column."""
    rows = torch.zeros(2, schema.dim)
    data = Dataset("t", rows, rows, schema, None, None, None, "", dropped=0)
    return {row["name"]: row["note"] for row in column_rows(data)}


@pytest.mark.parametrize("digits", [1, 3, 6, 9])
def test_numbers_are_as_they_would_be_written(digits: int) -> None:
    np.testing.assert_array_equal(to_digits(WIDE, digits), written(WIDE, digits))


def test_nothing_and_what_numpy_cannot_round_are_left_alone() -> None:
    values = np.array([0.0, 5e-324, 1.7e308, -2.5e-310, 9.996])
    expected = np.array([0.0, 5e-324, 1.7e308, -2.5e-310, 10.0])
    np.testing.assert_array_equal(to_digits(values, 3), expected)


@pytest.mark.parametrize("digits", [1, 2, 6, 9])
def test_the_digits_of_a_column_are_found(digits: int) -> None:
    assert digits_of(written(WIDE, digits)) == digits


def test_many_digits_are_none() -> None:
    assert digits_of(WIDE) is None
    assert digits_of(np.append(written(WIDE, 3), 1 / 3)) is None
    assert digits_of(written(WIDE, 3).astype(np.float32)) is None
    assert digits_of(np.arange(5)) is None


def test_samples_have_as_many() -> None:
    columns = {"a": written(WIDE, 6), "b": WIDE, "c": np.round(WIDE, 2)}
    schema = Schema.fit(columns)
    assert [c.digits for c in schema.columns] == [6, None, digits_of(columns["c"])]
    made = schema.decode(torch.randn(300, 3, generator=torch.Generator().manual_seed(0)))
    assert digits_of(made["a"]) == 6 and digits_of(made["b"]) is None
    assert Schema.from_json(schema.to_json()) == schema
    assert "; 6 significant digits" in notes(schema)["a"]
    assert "decimals" in notes(schema)["c"] and "digits" not in notes(schema)["c"]


def test_computed_columns_have_as_many() -> None:
    x, y = 20 * np.random.default_rng(1).normal(size=(2, 400))
    columns = {"x": written(x, 5), "y": written(y, 5)}
    columns["r"] = written(np.hypot(columns["x"], columns["y"]), 6)
    schema = Schema.fit(columns).related(columns)
    assert schema.columns[2].kind == "derived"
    made = schema.decode(torch.randn(300, 2, generator=torch.Generator().manual_seed(0)))
    assert digits_of(made["r"]) == 6


@pytest.mark.parametrize("order", [(3, 6), (6, 3)])
def test_batches_have_the_most_of_any(order: tuple[int, int]) -> None:
    moments = Moments()
    for digits in order:
        moments.add({"a": written(WIDE, digits)})
    assert moments.schema().columns[0].digits == 6
    moments.add({"a": WIDE})
    assert moments.schema().columns[0].digits is None
    moments.add({"a": written(WIDE, 3)})
    assert moments.schema().columns[0].digits is None


def test_a_file_and_its_stream_say_the_same(tmp_path: Path) -> None:
    pd.DataFrame({"a": written(WIDE, 6), "b": WIDE}).to_parquet(tmp_path / "t.parquet")
    for stream in (False, True):
        data = load(DataConfig(source=str(tmp_path / "t.parquet"), stream=stream), seed=0)
        assert [c.digits for c in data.table_schema.columns] == [6, None]
