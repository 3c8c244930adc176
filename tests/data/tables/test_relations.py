"""Columns that others determine: found, said, and computed in samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.data.tables.relating import Relations, find_relations
from scgan.data.tables.relations import Relation
from scgan.data.tables.schema import Schema
from scgan.pipeline.scoring import score_files
from scgan.report.facts import column_rows

NUM = 600


def independent() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    px, py = 20 * rng.normal(size=(2, NUM))
    return {
        "px": px,
        "py": py,
        "mass": rng.exponential(size=NUM),
        "width": rng.lognormal(size=NUM),
        "tracks": rng.poisson(5, NUM),
        "towers": rng.poisson(9, NUM),
    }


def derived(c: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, str]]:
    """Each with the formula that stands for it."""
    return {
        "pt": (np.hypot(c["px"], c["py"]), "√(px² + py²)"),
        "area": (c["mass"] * c["width"] ** 2, "mass · width^2"),
        "ratio": (3 * c["mass"] / c["width"], "3 · mass · width^-1"),
        "all": (c["tracks"] + c["towers"], "tracks + towers"),
        "celsius": (1.8 * c["px"] + 32, "1.8 px + 32"),
        "half": ((c["mass"] / 2).astype(np.float32), "0.5 mass"),
        "rounded": (np.round(c["px"] + c["py"], 3), "px + py"),
        "left": (c["towers"] - c["tracks"], "-1 tracks + towers"),
    }


def fitted(columns: dict[str, np.ndarray]) -> Schema:
    return Schema.fit(columns).related(columns)


@pytest.mark.parametrize("name", derived(independent()))
def test_what_others_determine_is_found_and_said(name: str) -> None:
    columns = independent()
    values, formula = derived(columns)[name]
    column = fitted({**columns, name: values}).columns[-1]
    assert column.kind == "derived" and str(column.relation) == formula


def test_all_at_once_are_computed_in_samples() -> None:
    columns = independent()
    made = {name: values for name, (values, _) in derived(columns).items()}
    schema = fitted({**columns, **made, "again": made["pt"].copy()})
    assert [c.name for c in schema.modelled] == list(columns)
    assert schema.columns[-1].kind == "duplicate"

    samples = schema.decode(torch.randn(500, 6, generator=torch.Generator().manual_seed(0)))
    for name, (expected, _) in derived(samples).items():
        column = next(c for c in schema.columns if c.name == name)
        inside = np.clip(expected, column.low, column.high)
        assert samples[name].dtype == made[name].dtype
        np.testing.assert_allclose(samples[name], inside, rtol=1e-5, atol=2e-3)

    assert np.array_equal(samples["again"], samples["pt"])
    assert Schema.from_json(schema.to_json()) == schema
    assert schema.describe()["derived_columns"]["pt"] == "√(px² + py²)"


def nearly(columns: dict[str, np.ndarray], one: bool) -> np.ndarray:
    total = columns["px"] + columns["py"]
    if one:
        total[17] += 0.5
        return total
    return total + 1e-3 * np.random.default_rng(1).normal(size=NUM)


@pytest.mark.parametrize("one", [True, False], ids=["one row", "noise"])
def test_one_row_that_differs_is_enough_to_model_it(one: bool) -> None:
    columns = independent()
    assert fitted({**columns, "total": nearly(columns, one)}).columns[-1].kind == "modelled"


def test_rows_beyond_those_searched_must_agree(monkeypatch) -> None:
    monkeypatch.setattr("scgan.data.tables.relating.SEARCH_ROWS", 100)
    columns = independent()
    total = columns["px"] + columns["py"]
    assert fitted({**columns, "total": total}).columns[-1].kind == "derived"
    total[-1] += 1
    assert fitted({**columns, "total": total}).columns[-1].kind == "modelled"


def test_independent_columns_and_coarse_grids_are_left_alone() -> None:
    columns = independent()
    assert fitted(columns).dim == len(columns)
    coarse = {**columns, "share": np.round(columns["tracks"] / 7).astype(int)}
    assert fitted(coarse).dim == len(coarse)
    rounded = {**columns, "px, rounded": np.round(columns["px"] / 40, 1)}
    assert fitted(rounded).dim == len(rounded)


def test_of_few_rows_nothing_is_said() -> None:
    few = {name: values[:49] for name, values in independent().items()}
    total = {**few, "n": few["tracks"] + few["towers"]}
    assert find_relations(total, dict.fromkeys(total, 0.0)) == Relations({}, {})
    wide = {f"c{i}": np.random.default_rng(i).normal(size=60) for i in range(70)}
    assert find_relations(wide, dict.fromkeys(wide, 0.0)) == Relations({}, {})


def test_columns_are_computed_of_computed_ones_but_never_in_a_circle() -> None:
    columns = independent()
    total = columns["px"] + columns["py"]
    table = {**columns, "norm": np.hypot(total, 1.0), "total": total, "twice": 2 * total}
    schema = fitted(table)
    assert [c.name for c in schema.modelled] == list(columns)

    samples = schema.decode(torch.randn(300, 6, generator=torch.Generator().manual_seed(0)))
    for name in ("total", "twice", "norm"):
        column = schema.columns[schema.names.index(name)]
        made = samples["px"] + samples["py"]
        expected = {"total": made, "twice": 2 * made, "norm": np.hypot(samples["total"], 1.0)}
        inside = np.clip(expected[name], column.low, column.high)
        np.testing.assert_allclose(samples[name], inside, atol=1e-9)


def test_a_relation_is_computed_by_its_form() -> None:
    columns = {"a": np.array([3.0, 5.0]), "b": np.array([4.0, 12.0])}
    forms = {
        "sum": [3 * 2 - 4 + 1, 5 * 2 - 12 + 1],
        "squares": [np.sqrt(3**2 * 2 - 4**2 + 1 if i == 0 else 0) for i in range(2)],
        "product": [9 / 4 * np.e, 25 / 12 * np.e],
    }
    for form, expected in forms.items():
        relation = Relation(form, ("a", "b"), (2.0, -1.0), 1.0)
        assert relation.compute(columns) == pytest.approx(expected)


def test_a_file_and_its_stream_say_the_same(tmp_path) -> None:
    import pandas as pd

    columns = independent()
    frame = pd.DataFrame({**columns, "pt": np.hypot(columns["px"], columns["py"])})
    frame.to_parquet(tmp_path / "t.parquet")
    for stream in (False, True):
        data = load(DataConfig(source=str(tmp_path / "t.parquet"), stream=stream), seed=0)
        assert data.table_schema.dim == 6 and data.train.shape[1] == 6
        notes = {row["name"]: row["note"] for row in column_rows(data)}
        assert notes["pt"] == "computed as √(px² + py²), not modelled"

        as_it_is = DataConfig(source=str(tmp_path / "t.parquet"), stream=stream, relations=False)
        assert load(as_it_is, seed=0).table_schema.dim == 7


def test_samples_are_not_excused_by_a_relation_of_the_reference(tmp_path) -> None:
    columns = independent()
    np.savez(tmp_path / "real.npz", **columns, pt=np.hypot(columns["px"], columns["py"]))
    np.savez(tmp_path / "made.npz", **columns, pt=np.full(NUM, 1e3))
    scores = score_files(str(tmp_path / "made.npz"), str(tmp_path / "real.npz"), seed=0)
    assert scores["c2st_accuracy"].value > 0.95


def test_whole_numbers_that_floats_do_not_have_are_not_computed() -> None:
    columns = independent()
    number = 2**60 + np.random.default_rng(5).integers(0, 2**40, NUM)
    schema = fitted({**columns, "id": number, "next": number + 1})
    assert schema.dim == len(columns) + 2


@pytest.mark.filterwarnings("error")
def test_columns_whose_squares_are_no_floats_are_left_alone() -> None:
    columns = independent()
    huge = np.where(columns["px"] > 0, 1.0, -1.0) * 1e308 * columns["mass"].clip(0.1, 1)
    schema = fitted({**columns, "huge": huge, "all": columns["px"] + columns["py"]})
    assert schema.dim == len(columns) + 1
