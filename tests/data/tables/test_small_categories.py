"""Small tables of categories and gaps: what is told, kept, refused and scored of them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from scgan.data.split import split, whole
from scgan.data.tables.moments import Moments
from scgan.data.tables.oddities import tell_categories
from scgan.data.tables.reading import from_columns, read_table
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema
from scgan.data.tables.values import Meaning, gapped, mask_of, present
from scgan.metrics.kept import kept_scores
from scgan.pipeline.scoring import score_tables

# Of pandas 3.1, for what pyarrow 25 does with times of a zone.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_marks_of_no_value_are_gaps(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, -9999, 3], "b": [1.5, -9999, 2.5]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    table = read_table(tmp_path / "t.csv", missing="model", missing_values=[-9999])
    assert table.columns["a"].tolist() == [1, None, 3]
    assert table.columns["b"].tolist() == [1.5, None, 2.5]


def test_categories_of_held_out_rows_alone_are_known_and_never_drawn() -> None:
    words = np.array(["a", "b"] * 10 + ["rare"])
    for seed in range(12):
        columns = {"w": words, "x": gapped(np.arange(21.0), np.arange(21) == 20)}
        data = split("t", from_columns(columns, missing="model"), 0.3, seed)
        w, x = data.table_schema.columns
        if x.gaps == 0.0:
            break
    assert w.categories is not None and set(w.categories) == {"a", "b", "rare"}
    assert data.test.isfinite().all()
    drawn = data.table_schema.decode(torch.randn(9999, 2) * 3)
    assert set(drawn["w"]) == {"a", "b"} and not mask_of(drawn["x"]).any()


def test_neighbours_among_categories_are_alike() -> None:
    rng = np.random.default_rng(1)
    place = rng.choice(4, 4000, p=[0.1, 0.4, 0.2, 0.3])
    names = np.array(["south", "north", "east", "west"])[place]
    columns = {
        "name": names,
        "x": place + rng.normal(0, 0.1, 4000),
        "y": place * 2.0 + rng.normal(0, 0.1, 4000),
    }
    found = whole("t", from_columns(columns)).table_schema.columns[0].categories
    assert found in {("south", "north", "east", "west"), ("west", "east", "north", "south")}
    alone = whole("t", from_columns({"name": names})).table_schema.columns[0].categories
    assert alone == ("north", "west", "east", "south"), "the most frequent first"


def test_what_was_never_fitted_is_refused_in_a_line() -> None:
    schema = whole(
        "t", from_columns({"w": np.array(["a", "b"] * 9), "x": np.arange(18.0)})
    ).table_schema
    good = {"w": np.array(["a"]), "x": np.array([1.0])}
    for name, odd, message in (
        ("w", np.array(["c"]), "column 'w' holds 'c', which is none of the 2 categories"),
        ("w", np.array([1.0]), "column 'w' holds float64; where it was fitted, str"),
        ("x", np.array(["a"]), "column 'x' holds str32; where it was fitted, float64"),
        ("x", gapped(np.ones(1), np.ones(1, bool)), "column 'x' has no value in 1 of 1 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            schema.encode({**good, name: odd})


def test_a_value_below_all_is_no_gap() -> None:
    values = gapped(np.arange(10, 20), np.arange(10) % 2 == 0)
    schema = whole("t", from_columns({"n": values}, missing="model")).table_schema
    assert not mask_of(schema.decode(schema.encode({"n": np.array([5, 9, 10, 99])}))["n"]).any()


def test_batches_of_other_kinds_are_refused() -> None:
    moments = Moments()
    zone = {"a": Meaning(zone="UTC")}
    times = {"a": np.array(["2020-01-01"], "datetime64[s]")}
    moments.add(times, zone)
    with pytest.raises(ValueError, match="'a' holds times of UTC and of no zone; make it one"):
        moments.add(times)
    moments = Moments()
    moments.add({"a": np.array([1, 2])}, {"a": Meaning(levels=(1, 2))})
    with pytest.raises(ValueError, match="'a' holds categories in one part and numbers in anoth"):
        moments.add({"a": np.array([1, 2])})
    moments = Moments()
    with pytest.raises(ValueError, match="'a' holds text: 1001 different values, an identifier"):
        moments.add({"a": np.arange(1001).astype(str)})
    moments = Moments()
    moments.add({"a": np.array([f"t{i}" for i in range(30)])})
    with pytest.raises(ValueError, match="text: 30 different values in 30 rows"):
        moments.schema()


def test_texts_are_said_to_be_categories(caplog: pytest.LogCaptureFixture) -> None:
    rank = Meaning(levels=("low", "high"))
    columns = {"w": np.array(["a", "b"]), "x": np.arange(2), "r": np.array(["low", "high"])}
    with caplog.at_level(logging.WARNING):
        tell_categories("t", Schema.fit(columns, {"r": rank}))
    assert caplog.messages == ["t: texts, taken as categories: 'w' (2 different)"]


def test_samples_are_held_to_categories_and_gaps() -> None:
    real = {
        "w": np.array(["a", "b"] * 20),
        "g": gapped(np.arange(40), np.arange(40) < 10),
        "c": np.array(["one"] * 40),
        "e": gapped(np.zeros(40), np.ones(40, bool)),
        "r": np.array(["a", "b"] * 20),
    }
    table = from_columns(real, missing="model")
    schema = Schema.fit(table.columns)
    made = {name: array[:4] for name, array in real.items()}
    made["c"] = np.array(["one", "two", "one", "one"])
    made["r"] = np.array(["a", "a", "a", "b"])
    made["w"] = np.array(["a", "b", "a", "never"])
    scores = {name: score.value for name, score in kept_scores(made, real, schema)}
    assert scores == {"constants_kept": 0.75, "repeats_kept": 0.5, "within_range": 0.5}


def test_samples_with_other_categories_are_scored_as_such() -> None:
    rng = np.random.default_rng(0)
    columns = {"w": rng.choice(["a", "b"], 600), "x": rng.normal(size=600)}
    reference = from_columns(columns)
    good = score_tables(from_columns(columns), reference, 0, "real")
    odd = {**columns, "w": rng.choice(["a", "b", "c", "d"], 600)}
    bad = score_tables(from_columns(odd), reference, 0, "real")
    assert good["within_range"].value == 1 and bad["within_range"].value < 0.6
    assert bad["c2st_accuracy"].value > good["c2st_accuracy"].value + 0.1


def test_a_wide_table_that_is_mostly_empty_is_encoded() -> None:
    rng = np.random.default_rng(2)
    columns: dict[str, np.ndarray] = {"id_like": rng.normal(size=400)}
    for place in range(139):
        share = place / 138  # the last has no value at all
        columns[f"c{place}"] = gapped(rng.normal(size=400), rng.random(400) < share)
    data = split("wide", from_columns(columns, missing="model"), 0.2, 0)
    drawn = data.table_schema.decode(data.train)
    assert tuple(drawn) == tuple(columns)
    order = np.random.default_rng(0).permutation(400)[80:]
    for name, values in columns.items():
        assert np.array_equal(mask_of(drawn[name]), mask_of(values)[order]), name


def test_times_count_the_grid_they_lie_on_in_any_unit() -> None:
    days = np.datetime64("2020-01-01T06:00", "us") + np.arange(0, 60, 2) * np.timedelta64(1, "D")
    schema = whole("t", from_columns({"t": days})).table_schema
    assert schema.columns[0].grid == 2 * 86_400_000_000
    seconds = schema.encode({"t": days.astype("datetime64[s]")})
    assert torch.equal(seconds, schema.encode({"t": days}))
    moments, hours = Moments(), np.timedelta64(1, "h")
    for some in ([0, 4], [2, 6], [10]):
        moments.add({"t": days[:1] + np.array(some) * hours})
    assert moments.schema().columns[0].grid == 2 * 3_600_000_000


def test_the_rows_of_a_rare_category_are_spread_over_all_their_ranks() -> None:
    words = np.array(["often"] * 12_000 + ["rare"] * 2)
    column = whole("t", from_columns({"w": words})).table_schema.columns[0]
    first, second = column.encode(words[-2:], np.random.default_rng(0))
    assert first != second
    assert column.encode(words[-1:]) == pytest.approx(stats.norm.ppf(12_001 / 12_002), abs=1e-9)


def test_a_single_value_with_gaps_is_modelled() -> None:
    values = gapped(np.full(20, 3.0), np.arange(20) < 5)
    for schema in (Schema.fit({"a": values}), _of_batches({"a": values})):
        (column,) = schema.columns
        assert (column.kind, column.gaps, column.low) == ("modelled", 0.25, 3)
        ranked = schema.adapted({"a": values}, Scaling(), 0)
        back = ranked.decode(ranked.encode({"a": values}))["a"]
        assert np.array_equal(mask_of(back), mask_of(values)) and (present(back) == 3).all()


def _of_batches(columns: dict[str, np.ndarray]) -> Schema:
    moments = Moments()
    for rows in np.array_split(np.arange(20), 3):
        moments.add({name: values[rows] for name, values in columns.items()})
    return moments.schema()


def test_gaps_tell_columns_apart_and_nulls_from_nan() -> None:
    one, other = gapped(np.arange(20), np.zeros(20, bool)), gapped(np.arange(20), np.arange(20) < 1)
    assert _of_batches({"a": one, "b": other}).columns[1].kind == "modelled"
    known = Schema.fit({"x": np.arange(20.0)}).knowing({"x": gapped(np.ones(2), np.ones(2, bool))})
    assert known.columns[0].gaps == 0.0
    both = gapped(np.array([np.nan, 1.0, 2.0, 3.0]), np.arange(4) < 2)
    assert not Schema.fit({"x": both}).columns[0].nan


def test_gaps_that_no_real_row_has_are_out_of_range() -> None:
    real = {"x": np.arange(20), "y": np.arange(20)}
    made = {
        "x": gapped(np.arange(4), np.arange(4) < 1),
        "y": gapped(np.arange(4), np.arange(4) < 2),
    }
    scores = {name: score.value for name, score in kept_scores(made, real, Schema.fit(real))}
    assert scores == {"repeats_kept": 0.75, "within_range": 0.5}


def test_a_gap_repeats_a_gap_and_no_value() -> None:
    gaps, zero = np.arange(4) == 3, np.arange(4) == 0
    real = {"x": np.array([0.0, 1.0, 2.0, 3.0]), "y": np.array([0.0, 1.0, 2.0, 3.0])}
    x = gapped(np.where(gaps, np.nan, real["x"]), gaps)
    schema = Schema.fit(real)
    for y, share in ((gapped(real["y"], gaps), 1.0), (gapped(real["y"], gaps | zero), 0.75)):
        assert dict(kept_scores({"x": x, "y": y}, real, schema))["repeats_kept"].value == share


def test_the_mask_alone_changes_the_fingerprint() -> None:
    zeros = np.zeros(20)
    seen = set()
    for row in (3, 4):
        column = gapped(zeros, np.arange(20) == row)
        columns = {"a": column, "b": np.arange(20.0)}
        seen.add(whole("t", from_columns(columns, missing="model")).fingerprint)
    assert len(seen) == 2
