"""Tables in memory: whatever people hold is taken as columns and given back as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import sparse

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


def test_units_of_astropy_stay_and_its_masks_count() -> None:
    table = pytest.importorskip("astropy.table")
    units = pytest.importorskip("astropy.units")
    masked = pytest.importorskip("astropy.utils.masked")
    X = table.QTable({"a": A * units.m, "n": N})
    back = there_and_back(X)
    assert isinstance(back, table.QTable) and back["a"].unit == units.m
    assert there_and_back(table.Table({"a": A * units.m}))["a"].unit == units.m
    with pytest.raises(ValueError, match=r"Quantity, whose unit would be lost; give X\.value"):
        take(np.c_[A, A] * units.m)

    for hidden in (
        table.QTable({"v": masked.Masked(A * units.m, MASK)}),
        {"v": masked.Masked(A, MASK)},
    ):
        assert take(hidden)[0].missing["v"].tolist() == MASK.tolist()
    assert list(take(masked.Masked(np.c_[A, A], np.c_[MASK, ~MASK & MASK]))[0].missing) == ["x0"]


def test_no_integer_of_a_list_or_a_dictionary_is_rounded() -> None:
    polars = pytest.importorskip("polars")
    ids, gap = [2**60 + 1, 2**60 + 3, 2**60 + 5], [2**60 + 1, None, 2**60 + 5]
    back = there_and_back([list(row) for row in zip(ids, A.tolist(), strict=True)])
    assert back.dtype == object and back[:, 0].tolist() == ids and back[:, 1].tolist() == A.tolist()

    nan = [ids[0], float("nan"), ids[2]]
    for column in (pa.array(gap), pa.chunked_array([gap]), polars.Series(gap), gap, nan):
        table = from_raw(take({"id": column})[0], missing="model")
        assert table.columns["id"].tolist() == gap and table.columns["id"].dtype == np.int64
    assert list(there_and_back({0: A, "0": N})) == [0, "0"]


def test_texts_stay_apart_from_numbers() -> None:
    rows = [(1.5, "u"), (2.5, "v"), (-3.0, "u")]
    for X in (rows, np.array(rows, dtype=object)):
        back = there_and_back(X)
        assert back.dtype == object and list(map(tuple, back)) == rows


def test_periods() -> None:
    days = pd.period_range("2020-01-30", periods=3, freq="D")
    for column in (days, days.where([True, False, True])):
        frame = pd.DataFrame({"v": column})
        raw, layout = take(frame)
        back = layout.give(from_raw(raw, missing="model").columns)
        pd.testing.assert_frame_equal(back, frame)


@pytest.mark.filterwarnings("ignore:.*MaskedTensors is in prototype")
def test_tensors_of_other_layouts() -> None:
    X = torch.tensor(np.c_[A, A])
    complex_part = (X * 1j).conj().imag  # with the negative bit set
    for tensor in (X.to_sparse(), complex_part, X.to(torch.float8_e4m3fn)):
        whole = (tensor.to_dense() if tensor.is_sparse else tensor).resolve_neg().double()
        assert np.array_equal(there_and_back(tensor), whole.numpy())

    hidden = torch.masked.masked_tensor(X, torch.tensor(np.c_[~MASK, MASK | ~MASK]))
    assert {n: m.tolist() for n, m in take(hidden)[0].missing.items()} == {"x0": MASK.tolist()}


class Far:
    """A frame of another place."""


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column named 'a'"),
        (pd.DataFrame({pd.Timestamp(0): A}), "a Timestamp; names must be texts, numbers"),
        (pa.array([1]), r"give a table, pyarrow\.table\(\{'x': X\}\)"),
        (pa.table({"a": A}).to_reader(), r"give a table, X\.read_all\(\)"),
        (np.zeros(3), r"not shape \(3,\)"),
        (5, r"X is a int; give an array \[N, D\], a data frame or a dictionary of columns"),
        ("t.csv", "X is a str; give an array"),
        ((row for row in A), "X is a generator; give an array"),
        ([{"a": 1}], r"X is a list of dictionaries; give pandas\.DataFrame\(X\)"),
        ([[1, 2], [3]], "X has rows of different lengths"),
        (sparse.csr_matrix(np.c_[A, A]), r"X is a csr_matrix of scipy; give X\.toarray\(\)"),
        (torch.zeros(3, 2, device="meta"), "X is a Tensor of torch, of which no table can be"),
        (torch.utils.data.TensorDataset(torch.zeros(3)), "X is a TensorDataset of torch, of which"),
        (pd.DataFrame({"a": pd.cut(A, 2)}), "column 'a' holds Interval objects"),
        (pd.DataFrame({"a": pd.Categorical([(1, 2), (3, 4)])}), "column 'a' holds a list in each"),
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
