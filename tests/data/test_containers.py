"""Tables in memory: whatever people hold is taken as columns and given back as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from scgan.data.containers import Layout, take
from scgan.data.tables.reading import from_raw

A, N = np.array([1.5, 2.5, -3.0]), np.array([1, 2, 2**60 + 1])
MASK = np.array([False, True, False])


def there_and_back(X: Any) -> Any:
    raw, layout = take(X)
    again = Layout.from_json(json.loads(json.dumps(layout.to_json())))
    assert again == layout
    return again.give(from_raw(raw).columns)


@pytest.mark.parametrize(
    "columns",
    [
        ["a", "n"],
        [0, 1],
        [0, "0"],
        [1.5, "x y"],
        [("jet", "pt"), ("jet", "eta")],
        [("a b", "c"), ("a", "b c")],
    ],
)
def test_data_frames(columns: list[Any]) -> None:
    frame = pd.DataFrame({0: A, 1: N})
    deep = isinstance(columns[0], tuple)
    frame.columns = pd.MultiIndex.from_tuples(columns) if deep else pd.Index(columns)
    back = there_and_back(frame)
    pd.testing.assert_frame_equal(back, frame, check_column_type=False)
    assert back.columns.tolist() == columns


@pytest.mark.parametrize("kind", ["Int64", "Float32", "boolean", "int64[pyarrow]", "uint8", "bool"])
def test_types_of_data_frames(kind: str) -> None:
    frame = pd.DataFrame({"v": pd.array([1, 0, 1], dtype=kind)})
    pd.testing.assert_frame_equal(there_and_back(frame), frame)
    frame = pd.DataFrame({"v": np.array([2**63 + 1, 5], dtype=object)})
    assert from_raw(take(frame)[0]).columns["v"].tolist() == [2**63 + 1, 5]


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3], dtype="Int64"),
        pd.array([True, None, False], dtype="boolean"),
        np.array([True, None, False], dtype=object),
        np.array([1, None, 3], dtype=object),
        np.array([1.0, np.nan, 3.0]),
    ],
)
def test_gaps_of_data_frames(column: Any) -> None:
    with pytest.raises(ValueError) as caught:
        from_raw(take(pd.DataFrame({"a": A, "v": column}))[0])
    message = str(caught.value)
    assert "no value in 'v' (1): 1 of 3 rows; leave those rows or columns out of X" in message
    assert "--" not in message


def test_masked_arrays() -> None:
    masked = np.ma.masked_array(np.c_[A, A], np.c_[~MASK & MASK, MASK])
    for X in (masked, {"x0": A, "x1": np.ma.masked_array(A, MASK)}):
        raw, _ = take(X)
        assert {name: mask.tolist() for name, mask in raw.missing.items()} == {"x1": MASK.tolist()}
        with pytest.raises(ValueError, match=r"'x1' \(1\): 1 of 3 rows"):
            from_raw(raw)
    assert not take(np.ma.masked_array(np.c_[A, A]))[0].missing

    events = np.ma.zeros(3, dtype=[("pt", "f8"), ("n", "i4")])
    events["n"][1] = np.ma.masked
    assert list(take(events)[0].missing) == ["n"]


def test_arrays_and_tensors() -> None:
    for X in (np.c_[A, A], [[1.0, 2.0], [3, 4]], np.c_[A, A].astype(">f4")):
        assert np.array_equal(there_and_back(X), np.asarray(X))
    gradient = torch.tensor(np.c_[A, A], requires_grad=True)
    assert np.array_equal(there_and_back(gradient), np.c_[A, A])
    half = torch.tensor(np.c_[A, A], dtype=torch.bfloat16)
    assert there_and_back(half).dtype == np.float32


def test_structured_and_record_arrays() -> None:
    events = np.zeros(3, dtype=[("pt", ">f8"), ("n", "<i8")])
    events["pt"], events["n"] = A, N
    for X in (events, events.view(np.recarray)):
        back = there_and_back(X)
        assert back.dtype.names == ("pt", "n") and back["n"].tolist() == N.tolist()


def test_arrow_tables_and_dictionaries() -> None:
    table = pa.table({"a": A, "n": N})
    assert there_and_back(table).equals(table)
    assert there_and_back(table.to_batches()[0]).equals(table)
    back = there_and_back({"a": A.tolist(), "n": N})
    assert list(back) == ["a", "n"] and back["n"].tolist() == N.tolist()
    missing = take(pa.table({"v": pa.array([1, None], pa.int8())}))[0].missing
    assert missing["v"].tolist() == [False, True]


def test_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": A, "n": N})
    assert there_and_back(frame).equals(frame)
    for X, advice in ((frame.lazy(), r"X\.collect\(\)"), (frame["a"], r"X\.to_frame\(\)")):
        with pytest.raises(ValueError, match=advice):
            take(X)


def test_astropy() -> None:
    table = pytest.importorskip("astropy.table")
    X = table.Table({"a": A, "n": N})
    back = there_and_back(X)
    assert back.colnames == ["a", "n"] and back["n"].tolist() == N.tolist()
    X = table.Table({"a": A, "n": np.ma.masked_array(N, MASK)}, masked=True)
    assert take(X)[0].missing["n"].tolist() == MASK.tolist()


class Far:
    """A frame of another place."""


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column named 'a'"),
        (pd.DataFrame({pd.Timestamp(0): A}), "a Timestamp; names must be texts, numbers"),
        (pa.array([1]), r"X\.to_table\(\)"),
        (np.zeros(3), r"not shape \(3,\)"),
        (5, r"not shape \(\)"),
        (
            pd.DataFrame({"a": ["x", *map(str, range(8))]}),
            r"holds text \('x' in row 1\) among numbers; leave it out of X$",
        ),
        (pd.DataFrame({"a": [{}, []]}), "leave it out of X"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01", None])}), "no value in 'a'"),
    ],
)
def test_what_is_refused(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        from_raw(take(X)[0])
    assert "\n" not in str(caught.value) and "--data" not in str(caught.value)


def test_what_must_be_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Far, "__module__", "dask.dataframe")
    with pytest.raises(ValueError, match=r"X is a Far of dask; give X\.compute\(\)"):
        take(Far())
