"""Schema: values of every type there and back, in the user's units."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from scgan.data.tables.column import FARTHEST
from scgan.data.tables.schema import Schema


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def assert_round_trip(columns: Mapping[str, np.ndarray], rtol: float = 1e-6) -> Schema:
    """Decoding gives names, order, types and (to float32) values back, through JSON too."""
    schema = Schema.fit(columns)
    assert Schema.from_json(schema.to_json()) == schema
    x = schema.encode(columns)
    assert x.dtype == torch.float32 and x.isfinite().all()
    assert torch.allclose(x.double().mean(0), torch.zeros(schema.dim).double(), atol=1e-5)
    assert torch.allclose(
        x.double().std(0, correction=0), torch.ones(schema.dim).double(), atol=1e-5
    )
    decoded = Schema.from_json(schema.to_json()).decode(x)
    assert list(decoded) == list(columns)
    for name, array in columns.items():
        assert decoded[name].dtype == array.dtype
        if array.dtype.kind == "f":
            span = array.astype(np.float64).max() / 2 - array.astype(np.float64).min() / 2
            error = np.abs(decoded[name].astype(np.float64) / 2 - array.astype(np.float64) / 2)
            resolution = float(np.finfo(array.dtype).eps) * float(
                np.abs(array.astype(np.float64)).max()
            )
            assert (error <= rtol * span + resolution).all()
        else:
            assert np.array_equal(decoded[name], array)
    return schema


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats(dtype: str) -> None:
    values = (3 + 2 * rng().standard_normal(500)).astype(dtype)
    column = assert_round_trip({"a": values}).columns[0]
    wide = values.astype(np.float64)
    assert (column.low, column.high) == (wide.min(), wide.max())
    assert column.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert column.std == pytest.approx(wide.std(), rel=1e-12)


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
)
def test_integers_are_exact(dtype: str) -> None:
    low = -100 if dtype.startswith("int") else 0
    values = rng().integers(low, 2 if dtype == "bool" else 101, 500).astype(dtype)
    column = assert_round_trip({"n": values}).columns[0]
    assert column.mean == pytest.approx(values.astype(np.float64).mean(), rel=1e-12)
    assert column.std == pytest.approx(values.astype(np.float64).std(), rel=1e-12)


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int8", "uint8"])
def test_integers_at_the_ends_of_their_type(dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max] * 4, dtype=dtype)
    assert_round_trip({"n": values})


def test_integers_beyond_what_a_float_can_tell_apart() -> None:
    values = np.int64(2**53) + rng().integers(-3, 4, 200)
    assert_round_trip(
        {
            "near": values,
            "far": np.int64(2**62) + np.arange(200),
            "unsigned": np.uint64(2**63 + 5) + values.astype(np.uint64),
        }
    )


@pytest.mark.parametrize(
    "values",
    [
        [1e30, 2e30, 4e30],
        [-1e30, 1.0, 1e30],
        [1.7e308, -1.7e308, 0.0],
        [np.finfo(np.float64).max, -np.finfo(np.float64).max],
        [5e-324, 1e-323, 0.0],
        [1e-310, 3e-310, -1e-310],
        [1e15, 1e15 + 1, 1e15 + 2],
        [1.0, np.nextafter(1.0, 2.0)],
    ],
    ids=str,
)
def test_extreme_floats(values: list[float]) -> None:
    assert_round_trip({"a": np.array(values), "b": rng().standard_normal(len(values))})


def test_floats_are_held_within_the_observed_range_and_never_overflow() -> None:
    values = np.array([3e38, 2e38, 1e38], dtype=np.float32)
    decoded = Schema.fit({"a": values}).decode(torch.tensor([[1e4], [-1e4]]))["a"]
    assert decoded.dtype == np.float32 and decoded.tolist() == [values[0], values[2]]
    double = Schema.fit({"a": np.array([1.7e308, -1.7e308])}).decode(torch.tensor([[5.0]]))["a"]
    assert double.tolist() == [1.7e308]


@pytest.mark.parametrize("dtype", ["int16", "uint64", "bool"])
def test_samples_of_integers_are_rounded_and_kept_in_the_observed_range(dtype: str) -> None:
    values = np.array([0, 1, 1, 0] if dtype == "bool" else [3, 5, 9, 4], dtype=dtype)
    schema = Schema.fit({"n": values})
    column = schema.columns[0]
    between = torch.tensor([[-1e5], [1e5], [(column.low + 0.6 - column.mean) / column.std]])
    assert schema.decode(between)["n"].tolist() == [column.low, column.high, column.low + 1]


def test_constants_and_duplicates_are_refilled_and_not_modelled() -> None:
    values = rng().standard_normal(50)
    counts = rng().integers(0, 9, 50)
    columns = {
        "constant": np.full(50, 2**53 + 1, dtype=np.int64),
        "a": values,
        "zero": np.array([0.0, -0.0] * 25, dtype=np.float32),
        "n": counts,
        "again": values.copy(),
        "other type": values.astype(np.float32),
        "same n": counts.copy(),
        "huge": np.full(50, 1.7e308),
    }
    schema = assert_round_trip(columns)
    kinds = {c.name: (c.kind, c.source) for c in schema.columns}
    assert kinds == {
        "constant": ("constant", None),
        "a": ("modelled", None),
        "zero": ("constant", None),
        "n": ("modelled", None),
        "again": ("duplicate", "a"),
        "other type": ("modelled", None),
        "same n": ("duplicate", "n"),
        "huge": ("constant", None),
    }
    assert schema.dim == 3 and [c.name for c in schema.modelled] == ["a", "n", "other type"]
    assert schema.columns[-1].mean == 1.7e308 and schema.columns[-1].std == 1.0
    decoded = schema.decode(torch.randn(7, 3, generator=torch.Generator().manual_seed(0)))
    assert np.array_equal(decoded["again"], decoded["a"]) and np.array_equal(
        decoded["same n"], decoded["n"]
    )
    assert (decoded["constant"] == 2**53 + 1).all() and (decoded["huge"] == 1.7e308).all()


def test_rows_outside_the_fit_stay_finite() -> None:
    schema = Schema.fit({"a": np.array([0.0, 1.0]), "n": np.array([5, 6])})
    x = schema.encode({"a": np.array([1e300, -1e300, 0.5]), "n": np.array([-(2**62), 2**62, 4])})
    assert x[0, 0] == FARTHEST and x[1, 0] == -FARTHEST and x[2, 0] == 0
    assert x[0, 1] == -FARTHEST and x[1, 1] == FARTHEST and x[2, 1] == -3


def test_values_of_another_type_are_encoded_by_value() -> None:
    schema = Schema.fit({"a": np.array([100.0, 300.0]), "n": np.array([-2, 4])})
    x = schema.encode(
        {"a": np.array([100, 200, 300]), "n": np.array([-2.0, 1.0, 4.0]), "more": np.zeros(3)}
    )
    assert x.tolist() == [[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]]


def test_what_cannot_be_encoded_or_decoded_is_said() -> None:
    schema = Schema.fit({"a": np.array([0.0, 1.0]), "b": np.array([0.0, 2.0])})
    with pytest.raises(ValueError, match=r"^columns 'b' are missing; needed: a, b$"):
        schema.encode({"a": np.zeros(2)})
    with pytest.raises(ValueError, match=r"shape \[3, 1\].*needs \[N, 2\]"):
        schema.decode(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="^1 of 2 samples are not finite"):
        schema.decode(torch.tensor([[0.0, math.nan], [0.0, 0.0]]))


def test_two_hundred_columns_and_one_row() -> None:
    columns = {f"c{i}": rng().standard_normal(20) * 10.0 ** (i - 100) for i in range(200)}
    assert assert_round_trip(columns).dim == 200
    single = Schema.fit({"a": np.array([4.5]), "n": np.array([3])})
    assert single.dim == 0 and single.encode({"a": np.array([4.5]), "n": np.array([3])}).shape == (
        1,
        0,
    )
    assert single.decode(torch.zeros(2, 0))["a"].tolist() == [4.5, 4.5]


def test_columns_of_equal_moments_are_no_duplicates() -> None:
    values = rng().standard_normal(50).astype(np.float32)
    schema = assert_round_trip({"a": np.arange(9), "b": np.arange(9)[::-1].copy()})
    assert schema.dim == 2
    assert Schema.fit({"a": values, "b": values.copy()}).dim == 1


def test_a_constant_zero_has_no_sign() -> None:
    texts = {
        Schema.fit({"a": np.array(values)}).to_json()
        for values in ([0.0, 0.0], [-0.0, 0.0], [0.0, -0.0], [-0.0, -0.0])
    }
    assert len(texts) == 1
