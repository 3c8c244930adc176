"""What is said of a table before training: marks of no value, far values, labels of no class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.data.tables.oddities import are_classes, far_values


def normal(num: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).normal(size=num)


def test_marks_and_outliers_are_found() -> None:
    marked = normal()
    marked[:800] = -9999
    (far,) = far_values(marked)
    assert (far.value, far.count, far.share) == (-9999, 800, 20) and str(far) == "-9999 (20 %)"

    single = normal()
    single[17] = 1e6
    (far,) = far_values(single)
    assert (far.value, far.count) == (1e6, 1) and str(far) == "1000000 (1 row)"

    marked[800:803], marked[5] = 1e20, 99.99
    assert [far.value for far in far_values(marked)] == [1e20, -9999]
    assert [far.value for far in far_values(np.r_[np.tile(np.arange(9), 20), [99] * 5])] == [99]


@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal", "standard_t", "integers"])
def test_tails_are_no_oddities(draw: str) -> None:
    rng = np.random.default_rng(1)
    arguments = {"standard_t": (3,), "integers": (0, 4)}.get(draw, ())
    for _ in range(20):
        assert far_values(getattr(rng, draw)(*arguments, size=2000)) == []


def test_few_values_and_constants_are_no_oddities() -> None:
    kinds = [1, 2, 3, 4, 5, 21, 21, 21] * 50
    for values in ([0, 1, 1000], [5, 5, 5], [1], [0, 1e9] * 50, [np.nan, 1.0, 2.0], kinds):
        assert far_values(np.array(values, dtype=float)) == []


@pytest.mark.parametrize(
    ("mark", "others"),
    [
        (-9999, [1, 2, 3]),
        (99, [0, 1]),
        (99.9, [1.5, 2.5]),
        (-9999, [7]),
        (-999, [0, *np.geomspace(0.1, 5000, 40)]),
        (9.96921e36, [0, 1, 2]),
        (2**31 - 1, [3, 4]),
        (-32768, [3, 4]),
    ],
)
def test_marks_among_few_values_or_below_high_ones(mark: float, others: list[float]) -> None:
    values = np.array([mark] * 30 + others * 10, dtype=float)
    (far,) = far_values(values)
    assert (far.value, far.count) == (mark, 30)
    assert far_values(np.array(others * 10, dtype=float)) == []
    assert far_values(np.array([3.0] * 30 + [0, 1] * 60)) == []


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_far_times_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, unit: str) -> None:
    days = np.datetime64("2020-01-01") + np.arange(200)
    days[:30] = np.datetime64("1700-12-31")
    frame = pa.table({"a": normal(200), "when": days.astype(f"datetime64[{unit}]")})
    parquet.write_table(frame, tmp_path / "t.parquet")
    for stream in (False, True):
        caplog.clear()
        load(DataConfig(source=str(tmp_path / "t.parquet"), stream=stream), 0)
        assert "times far from all others: 'when' 1700-12-31" in caplog.text
        assert "if they stand for no value: leave them empty" in caplog.text
    assert far_values(days[30:]) == []


def test_far_values_are_said_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    v = normal(400)
    v[:100] = -9999
    frame = pd.DataFrame({"a": normal(400), "v": v})
    frame.to_parquet(tmp_path / "t.parquet")
    for stream in (False, True):
        caplog.clear()
        load(DataConfig(source=str(tmp_path / "t.parquet"), stream=stream), 0)
        assert "t.parquet: values far from all others: 'v' -9999 (2" in caplog.text
        assert "--data.missing_values -9999 --data.missing drop" in caplog.text
        caplog.clear()
        marked = DataConfig(source=str(tmp_path / "t.parquet"), stream=stream)
        changes = {"missing_values": (-9999.0,), "missing": "drop"}
        data = load(marked.model_copy(update=changes), 0)
        assert data.dropped == 100 and "far" not in caplog.text


def test_classes() -> None:
    assert are_classes(np.arange(3).repeat(4)) and are_classes(np.array(["a", "b"] * 3))
    assert are_classes(np.arange(30).repeat(10)) and not are_classes(np.arange(300))
    assert are_classes(np.array([0.0, 1.0, 2.0])) and not are_classes(normal())
    assert are_classes(np.array([0.5, 1.5] * 9)) and not are_classes(normal(21).repeat(50))
    assert not are_classes(np.array([f"row {i}" for i in range(100)]))


def test_a_label_of_no_class_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"a": normal(400), "target": normal(400) ** 2})
    frame.to_parquet(tmp_path / "t.parquet")
    for stream in (False, True):
        caplog.clear()
        load(DataConfig(source=str(tmp_path / "t.parquet"), label="target", stream=stream), 0)
        assert "label 'target' has" in caplog.text and "it is no class" in caplog.text


@pytest.mark.parametrize("shape", ["[N]", "[N, 1]", "one-hot"])
def test_labels_beside_a_matrix(tmp_path: Path, shape: str) -> None:
    y = np.arange(60) % 3
    array = {"[N]": y, "[N, 1]": y[:, None], "one-hot": np.eye(3)[y]}[shape]
    np.savez(tmp_path / "t.npz", X=np.c_[normal(60), normal(60)], y=array, w=np.ones(7))
    data = load(DataConfig(source=str(tmp_path / "t.npz")), 0)
    assert data.train_labels is not None and data.train_labels.ndim == 1
    assert sorted([*data.train_labels, *data.test_labels]) == sorted(y)  # type: ignore[misc]


def test_labels_of_a_shape_that_says_nothing_are_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.savez(tmp_path / "t.npz", X=np.c_[normal(60), normal(60)], y=np.ones((60, 3)), w=np.ones(7))
    with pytest.raises(ValueError, match=r"label 'y' has shape \[60, 3\]"):
        load(DataConfig(source=str(tmp_path / "t.npz")), 0)
    assert "arrays that are not read: w [7]" in caplog.text
