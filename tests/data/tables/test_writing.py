"""Samples written to a file come back through ``read_table``."""

import stat
from pathlib import Path

import numpy as np
import pytest

from scgan.data.tables.reading import read_table
from scgan.data.tables.writing import check_target, write_samples

COLUMNS = {
    "energy (MeV)": np.array([1.0, 2.0, 1e30, -0.1], dtype=np.float32),
    "half": np.array([1.0, 2.0, 0.5, -0.1], dtype=np.float16),
    "double": np.array([0.1, 1 / 3, 5e-324, 1.7e308]),
    "whole": np.array([1.0, 2.0, 3.0, 4.0]),
    "n": np.array([2**53 + 1, -1, 0, 7]),
    "u": np.array([2**64 - 1, 0, 1, 2], dtype=np.uint64),
    "i": np.array([-128, 127, 0, 1], dtype=np.int8),
    "seen": np.array([True, False, True, True]),
    "file": np.arange(4),
}


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_types_names_and_values_come_back(tmp_path: Path, suffix: str) -> None:
    write_samples(tmp_path / "new" / f"s{suffix}", COLUMNS)
    table = read_table(tmp_path / "new" / f"s{suffix}")
    assert table.names == tuple(COLUMNS)
    for name, values in COLUMNS.items():
        assert table.columns[name].dtype == values.dtype and np.array_equal(
            table.columns[name], values
        )


def test_csv_keeps_values_and_whether_they_are_integers(tmp_path: Path) -> None:
    columns = {name: values for name, values in COLUMNS.items() if name != "u"}
    write_samples(tmp_path / "s.csv", columns)
    table = read_table(tmp_path / "s.csv")
    assert table.names == tuple(columns)
    for name, values in columns.items():
        assert table.columns[name].dtype.kind == values.dtype.kind
        assert np.array_equal(table.columns[name].astype(values.dtype), values)


def test_npy_holds_one_type(tmp_path: Path) -> None:
    write_samples(
        tmp_path / "s.npy",
        {"a": np.arange(3, dtype=np.int16), "b": np.arange(3, 6, dtype=np.int16)},
    )
    table = read_table(tmp_path / "s.npy")
    assert table.columns["x1"].tolist() == [3, 4, 5] and table.columns["x1"].dtype == np.int16
    with pytest.raises(ValueError, match=r"can't hold float64, int64; use .parquet"):
        write_samples(tmp_path / "s.npy", {"a": np.arange(3), "b": np.zeros(3)})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.npz"
    write_samples(path, {"a": np.arange(3)})
    before = path.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(ValueError, match=r"s\.npz: can't be written: No space left on device"):
        write_samples(path, {"a": np.arange(9)})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_file_has_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_samples(tmp_path / "s.csv", {"a": np.arange(3)})
    assert stat.S_IMODE((tmp_path / "s.csv").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"can be written as .parquet, .csv, .npz, .npy, .*, not as '.xlsx'"
    ):
        write_samples(tmp_path / "s.xlsx", {"a": np.arange(3)})
    with pytest.raises(ValueError, match="not as ''"):
        check_target("samples")
    check_target("samples.csv")
    with pytest.raises(ValueError, match=r"differ in length: \[2, 3\]"):
        write_samples(tmp_path / "s.csv", {"a": np.arange(3), "b": np.arange(2)})
    with pytest.raises(ValueError, match="no columns"):
        write_samples(tmp_path / "s.csv", {})
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="can't be written"):
        write_samples(tmp_path / "file" / "s.csv", {"a": np.arange(3)})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["NA", "DE"], "holds the texts 'NA', which readers of .csv take for no value"),
        (["", "v"], "holds the texts '', which readers of .csv take for no value"),
        (["007", "12"], "holds the texts '007', '12', which readers of .csv take for numbers"),
        (["u", "7"], ""),
    ],
)
def test_texts_that_csv_does_not_keep_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, texts: list[str], said: str
) -> None:
    for name in ("t.csv", "t.csv.gz", "t.parquet"):
        caplog.clear()
        write_samples(tmp_path / name, {"k": np.array(texts)})
        assert (said in caplog.text) if name != "t.parquet" else not caplog.text
        assert bool(caplog.text) == (bool(said) and name != "t.parquet")
