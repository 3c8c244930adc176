"""Categories, times and gaps: what comes in comes out, and nothing that was never there."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from scgan.data.containers import Layout, take
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.split import whole
from scgan.data.tables.checking import Table
from scgan.data.tables.moments import Moments
from scgan.data.tables.reading import from_columns, from_raw, read_table
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema
from scgan.data.tables.values import gapped, mask_of, present
from scgan.data.tables.writing import write_samples

# Of pandas 3.1, for what pyarrow 25 does with times of a zone.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

N = 3000
START = pd.Timestamp("2020-03-01 12:00")


def people() -> pd.DataFrame:
    """Columns of every kind, on grids that 32-bit numbers resolve, with gaps and without."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["red", "green", "blue"], N, p=[0.7, 0.25, 0.05])
    days = pd.to_timedelta(rng.integers(0, 300, N), unit="D")
    frame = pd.DataFrame(
        {
            "whole": rng.integers(-5, 90, N),
            "small": rng.integers(0, 9, N).astype("uint8"),
            "tenth": rng.integers(0, 99, N) / 10,
            "flag": rng.random(N) < 0.3,
            "kind": kind,
            "ordered": pd.Categorical(kind, ["blue", "unused", "green", "red"], ordered=True),
            "numbered": pd.Categorical(rng.choice([10, 20, 5], N)),
            "zoned": (START + days).tz_localize("Europe/Berlin"),
            "exact": START.as_unit("ns") + days + pd.Timedelta(1, "ns"),
            "day": [day.date() for day in START + days],
            "clock": [datetime.time(int(hour), 30) for hour in rng.integers(0, 24, N)],
            "span": days,
            "always": np.full(N, 7),
            "same": np.full(N, "one"),
        }
    )
    lacking = rng.random(N) < 0.3
    frame["few"] = frame.whole.astype("Int64").mask(lacking)
    frame["alike"] = frame.tenth.mask(lacking)
    frame["answer"] = frame.flag.astype("boolean").mask(rng.random(N) < 0.9)
    frame["word"] = frame.kind.mask(rng.random(N) < 0.4)
    frame["when"] = frame.zoned.mask(rng.random(N) < 0.2)
    frame["again"] = frame.word
    frame["nothing"] = np.nan
    return frame


FRAME = people()


def table_of(X: Any) -> tuple[Table, Layout]:
    raw, layout = take(X)
    return from_raw(raw, missing="model"), layout


def returned(X: Any, z: torch.Tensor | None = None) -> Any:
    """X after encoding and decoding, or rows in its place."""
    table, layout = table_of(X)
    schema = whole("X", table).table_schema
    z = schema.encode(table.columns) if z is None else z
    return layout.give(schema.decode(z), schema.meanings)


def containers() -> dict[str, Any]:
    polars = pytest.importorskip("polars")
    # Polars has no categories of numbers.
    frame = polars.from_pandas(FRAME.drop(columns="numbered"))
    return {"pandas": FRAME, "polars": frame, "arrow": pa.Table.from_pandas(FRAME)}


@pytest.mark.parametrize("name", ["pandas", "polars", "arrow"])
def test_rows_come_back_as_they_were_in_every_container(name: str) -> None:
    X = containers()[name]
    back = returned(X)
    if name == "arrow":
        assert back.schema.equals(X.schema)
        assert back.to_pydict() == X.to_pydict()
    elif name == "polars":
        assert dict(back.schema) == dict(X.schema)
        assert back.equals(X)
    else:
        pd.testing.assert_frame_equal(back, X, check_exact=True)


def test_the_training_rows_lead_back_to_their_values() -> None:
    table, layout = table_of(FRAME)
    data = whole("X", table)
    back = layout.give(data.table_schema.decode(data.train), data.table_schema.meanings)
    pd.testing.assert_frame_equal(back, FRAME, check_exact=True)


def test_what_a_perfect_model_draws_has_the_shares_of_the_rows() -> None:
    table, _ = table_of(FRAME)
    dim = whole("X", table).table_schema.dim
    z = torch.randn(40_000, dim, generator=torch.Generator().manual_seed(0))
    drawn = returned(FRAME, z)
    assert (drawn.dtypes == FRAME.dtypes).all() and list(drawn) == list(FRAME)
    for name in FRAME:
        there, real = drawn[name].dropna(), FRAME[name].dropna()
        assert abs(drawn[name].isna().mean() - FRAME[name].isna().mean()) < 0.02, name
        if 0 < real.nunique() < 30:
            assert set(there.unique()) <= set(real.unique()), name
            shares = real.value_counts(normalize=True)
            off = there.value_counts(normalize=True).reindex(shares.index).fillna(0) - shares
            assert off.abs().max() < 0.02, name
        elif len(real):
            assert there.min() >= real.min() and there.max() <= real.max()


def test_gaps_keep_their_joint_pattern() -> None:
    table, _ = table_of(FRAME)
    data = whole("X", table)
    drawn = data.table_schema.decode(data.train)
    assert np.array_equal(mask_of(drawn["few"]), mask_of(drawn["alike"]))
    assert np.array_equal(mask_of(drawn["few"]), FRAME.few.isna())


# What a format can't hold, or holds as another type.
LOST = {
    ".csv": {"span"},
    ".csv.gz": {"span"},
    ".npz": {"zoned", "when", "clock", "few", "answer", "word", "again"},
}


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv", ".csv.gz", ".npz"])
def test_every_format_gives_back_what_was_written(tmp_path: Path, suffix: str) -> None:
    frame = FRAME.drop(columns=list(LOST.get(suffix, ())))
    table, _ = table_of(frame)
    schema = whole("X", table).table_schema
    columns = schema.decode(schema.encode(table.columns))
    write_samples(tmp_path / f"t{suffix}", columns, schema.meanings)
    again = read_table(tmp_path / f"t{suffix}", missing="model")
    assert again.names == tuple(frame)
    for name in again.names:
        mine, other = columns[name], again.columns[name]
        assert np.array_equal(mask_of(mine), mask_of(other)), name
        assert np.array_equal(present(mine), present(other)), name
        if suffix in {".parquet", ".feather"}:
            assert mine.dtype == other.dtype, name


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_pandas_reads_its_own_types_from_files(tmp_path: Path, suffix: str) -> None:
    read = pd.read_parquet if suffix == ".parquet" else pd.read_feather
    write = FRAME.to_parquet if suffix == ".parquet" else FRAME.to_feather
    write(tmp_path / f"in{suffix}")
    table = read_table(tmp_path / f"in{suffix}", missing="model")
    write_samples(tmp_path / f"out{suffix}", table.columns, table.meanings)
    real, made = read(tmp_path / f"in{suffix}"), read(tmp_path / f"out{suffix}")
    pd.testing.assert_frame_equal(made, real, check_exact=True)


@pytest.mark.parametrize(
    ("suffix", "name", "what"),
    [
        (".npz", "zoned", "times with a zone, or of day"),
        (".npz", "clock", "times with a zone, or of day"),
        (".npz", "few", "whole numbers or booleans with missing values"),
        (".npz", "word", "texts with missing values"),
        (".npy", "kind", "texts"),
        (".npy", "exact", "times"),
        (".h5", "exact", "times"),
        (".fits", "exact", "times"),
        (".root", "kind", "texts"),
        (".csv", "span", "spans of time"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, suffix: str, name: str, what: str
) -> None:
    for package in {".h5": ["h5py"], ".fits": ["astropy"], ".root": ["uproot"]}.get(suffix, ()):
        pytest.importorskip(package)
    table, _ = table_of(FRAME[["tenth", name]])
    with pytest.raises(ValueError, match=rf"can't hold {what}, as in column '{name}'; use .pa"):
        write_samples(tmp_path / f"t{suffix}", table.columns, table.meanings)
    assert not list(tmp_path.iterdir())


def test_floats_with_gaps_are_nan_where_numpy_has_no_other(tmp_path: Path) -> None:
    table, _ = table_of(FRAME[["tenth", "alike"]])
    write_samples(tmp_path / "t.npy", table.columns)
    array = np.load(tmp_path / "t.npy")
    assert np.array_equal(array, FRAME[["tenth", "alike"]].to_numpy(), equal_nan=True)


def test_arrays_come_back_with_nan_or_masked_as_they_were() -> None:
    array = FRAME[["tenth", "alike", "small"]].to_numpy(np.float64)
    assert np.array_equal(returned(array), array, equal_nan=True)
    masked = np.ma.MaskedArray(
        FRAME[["whole", "small"]].to_numpy(), np.arange(2 * N).reshape(-1, 2) % 3 == 0
    )
    back = returned(masked)
    assert isinstance(back, np.ma.MaskedArray) and back.dtype == masked.dtype
    assert np.array_equal(back.mask, masked.mask)
    assert np.array_equal(back.compressed(), masked.compressed())
    both = {"a": masked[:, 0], "b": array[:, 0]}
    assert isinstance(returned(both)["a"], np.ma.MaskedArray)
    assert type(returned(both)["b"]) is np.ndarray


def test_a_schema_survives_json() -> None:
    schema = whole("X", table_of(FRAME)[0]).table_schema
    assert Schema.from_json(schema.to_json()) == schema


def test_gaps_are_an_error_unless_they_are_to_be_modelled() -> None:
    raw, _ = take(FRAME[["tenth", "word"]])
    with pytest.raises(ValueError, match=r"no value in 'word' \(\d+\).*missing='model' learns"):
        from_raw(raw)
    left = from_raw(raw, missing="drop")
    assert left.dropped == FRAME.word.isna().sum()
    with pytest.raises(ValueError, match="infinity in column 'a': 1 of 3 rows"):
        from_columns({"a": np.array([1.0, np.inf, np.nan])}, missing="model")


def test_a_label_without_a_value_is_an_error(tmp_path: Path) -> None:
    FRAME[["tenth", "word"]].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"the label 'word' has no value in \d+ of 3000 rows"):
        read_table(tmp_path / "t.parquet", label="word", missing="model")


def test_columns_with_categories_and_gaps_are_on_ranks_whatever_is_asked_for() -> None:
    table, _ = table_of(FRAME)
    schema = whole("X", table, Scaling("linear")).table_schema
    ranked = {column.name for column in schema.columns if column.ranks is not None}
    assert ranked == {"kind", "ordered", "numbered", "few", "alike", "answer", "word", "when"}


def batches(table: Table, num: int) -> list[Table]:
    return [table.take(rows) for rows in np.array_split(np.arange(table.num_rows), num)]


def test_a_schema_of_batches_is_that_of_all_rows() -> None:
    table, _ = table_of(FRAME)
    moments = Moments()
    for part in batches(table, 7):
        moments.add(part.columns, part.meanings)
    found, fitted = moments.schema(), Schema.fit(table.columns, table.meanings)
    for mine, other in zip(found.columns, fitted.columns, strict=True):
        assert mine.center == pytest.approx(other.center), mine.name
        assert mine.spread == pytest.approx(other.spread), mine.name
        for name in (
            "kind",
            "dtype",
            "low",
            "high",
            "grid",
            "categories",
            "gaps",
            "nan",
            "meaning",
        ):
            assert getattr(mine, name) == getattr(other, name), (mine.name, name)
        assert mine.source == other.source


def test_parts_are_read_alike_whole_and_streamed(tmp_path: Path) -> None:
    for part, rows in enumerate(np.array_split(np.arange(N), 3)):
        FRAME.iloc[rows].to_parquet(tmp_path / f"{part}.parquet")
    ways: dict[bool, Dataset] = {}
    for stream in (False, True):
        config = DataConfig(source=str(tmp_path), missing="model", stream=stream)
        ways[stream] = load(config, seed=0)
    one, other = ways[False].table_schema, ways[True].table_schema
    for mine, streamed in zip(one.columns, other.columns, strict=True):
        names = ("name", "dtype", "low", "high", "kind", "grid", "nan", "meaning", "source")
        for name in names if mine.is_number else (*names[:2], *names[4:]):
            assert getattr(mine, name) == getattr(streamed, name), (mine.name, name)
        assert sorted(mine.categories or ()) == sorted(streamed.categories or ())
        assert (mine.gaps or 0) == pytest.approx(streamed.gaps or 0, abs=0.03)


def test_the_fingerprint_tells_gaps_and_meanings_apart() -> None:
    values = np.arange(20.0)
    seen = set()
    for array in (
        values,
        gapped(values, np.arange(20) == 3),
        gapped(values, np.arange(20) == 4),
        gapped(np.where(np.arange(20) == 3, np.nan, values), np.arange(20) == 3),
    ):
        seen.add(whole("t", from_columns({"a": array, "b": values}, missing="model")).fingerprint)
    for zone in ("UTC", "Europe/Berlin"):
        times = pd.DataFrame({"a": pd.to_datetime(values, utc=True).tz_convert(zone), "b": values})
        seen.add(whole("t", table_of(times)[0]).fingerprint)
    assert len(seen) == 6


def test_a_zone_is_told_in_utc_where_a_format_has_no_zones(tmp_path: Path) -> None:
    table, _ = table_of(FRAME[["zoned"]])
    write_samples(tmp_path / "t.csv", table.columns, table.meanings)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert all(line.endswith("Z") for line in lines[1:])
    again = read_table(tmp_path / "t.csv")
    assert again.meanings["zoned"].zone == "UTC"
    assert (again.columns["zoned"] == table.columns["zoned"]).all()


def test_nan_stays_nan_and_null_stays_null_in_arrow() -> None:
    rows = [float(i) for i in range(20)]
    X = pa.table({"nan": [float("nan"), *rows], "null": [None, *rows]})
    back = returned(X)
    assert back["nan"].null_count == 0 and np.isnan(back["nan"][0].as_py())
    assert back["null"][0].as_py() is None and back["null"][1:].to_pylist() == rows
