"""Tables: every format, every selection, and one line for everything that is wrong."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from scgan.data.tables.reading import from_columns, read_table
from scgan.data.tables.table import Table

COLUMNS = {
    "energy": np.array([1.5, 2.5, 1e30, -4.0], dtype=np.float32),
    "count": np.array([3, 1, 200, 0], dtype=np.uint8),
    "charge": np.array([-1, 1, 2**53 + 1, 0], dtype=np.int64),
    "seen": np.array([True, False, True, True]),
}
KIND = np.array(["star", "quasar", "star", "star"])


def write(path: Path, columns: dict[str, Any]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
    elif path.suffix == ".npz":
        np.savez(path, **columns)
    else:
        rows = zip(*columns.values(), strict=True)
        path.write_text(
            "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"
        )
    return path


def refused(path: Path | str, *args: Any, **kwargs: Any) -> str:
    """The one line that a wrong input gets."""
    with pytest.raises(ValueError) as caught:
        read_table(path, *args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


def assert_columns(table: Table, names: list[str], *, exact_types: bool = True) -> None:
    assert list(table.names) == list(table.columns) == names
    for name in names:
        assert np.array_equal(table.columns[name].astype(COLUMNS[name].dtype), COLUMNS[name])
        if exact_types:
            assert table.columns[name].dtype == COLUMNS[name].dtype


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_named_columns(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"t{suffix}", {**COLUMNS, "kind": KIND})
    exact = suffix != ".csv"
    table = read_table(path, label="kind")
    assert_columns(table, list(COLUMNS), exact_types=exact)
    assert table.labels is not None and table.labels.tolist() == KIND.tolist()
    assert table.dropped == 0 and table.num_rows == 4
    chosen = read_table(path, columns=("seen", "charge"))
    assert_columns(chosen, ["seen", "charge"], exact_types=exact)
    assert chosen.labels is None and chosen.columns["charge"].dtype == np.int64
    assert read_table(path, columns=("energy",)).names == ("energy",)
    assert read_table(path, columns=("energy",), label="seen").labels.tolist() == [
        True,
        False,
        True,
        True,
    ]


def test_npy_and_matrix_in_npz(tmp_path: Path) -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "m.npy", np.asfortranarray(matrix).astype(">f4"))
    table = read_table(tmp_path / "m.npy")
    assert table.names == ("x0", "x1", "x2") and table.columns["x1"].tolist() == [1, 4, 7, 10]
    assert table.columns["x1"].dtype == np.dtype("float32") and table.columns["x1"].dtype.isnative
    write(
        tmp_path / "m.npz",
        {"X": matrix, "y": np.arange(4), "weight": np.ones(4), "short": np.ones(3)},
    )
    table = read_table(tmp_path / "m.npz")
    assert table.names == ("x0", "x1", "x2") and table.labels.tolist() == [0, 1, 2, 3]
    assert read_table(tmp_path / "m.npz", label="weight").labels.tolist() == [1, 1, 1, 1]
    assert read_table(tmp_path / "m.npz", label="x2").names == ("x0", "x1")
    assert "there is no label 'short'" in refused(tmp_path / "m.npz", label="short")
    write(tmp_path / "only.npz", {"features": matrix, "other": np.zeros((2, 2, 2))})
    assert read_table(tmp_path / "only.npz").names == ("x0", "x1", "x2")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_folder_is_joined_in_the_order_of_names(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "parts"
    (folder / "sub").mkdir(parents=True)
    write(folder / f"b{suffix}", {"a": [3, 4], "k": ["v", "u"]})
    write(folder / f"a{suffix}", {"k": ["u", "u"], "a": [1, 2]})
    write(folder / "sub" / f"c{suffix}", {"a": [5], "k": ["w"]})
    (folder / "_SUCCESS").touch()
    table = read_table(folder, label="k")
    assert table.columns["a"].tolist() == [1, 2, 3, 4, 5] and table.labels.tolist() == [
        "u",
        "u",
        "v",
        "u",
        "w",
    ]
    write(folder / f"d{suffix}", {"a": [5], "other": ["w"]})
    assert "d" + suffix in (message := refused(folder)) and "'k'" in message


def test_type_of_a_csv_column_is_that_of_all_its_rows(tmp_path: Path) -> None:
    """Integers for longer than a reader's block, then one fraction."""
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "123456,1\n" * 200_000 + "0.5,2\n")
    table = read_table(path)
    assert table.columns["a"].dtype == np.float64 and table.columns["a"][-1] == 0.5
    assert table.columns["b"].dtype == np.int64 and table.num_rows == 200_001


def test_missing_values_are_counted_or_dropped(tmp_path: Path) -> None:
    columns = {
        "a": pa.array([1.0, float("nan"), 3.0, float("inf"), None]),
        "n": pa.array([1, 2, None, 4, 5], type=pa.int16()),
        "ok": pa.array([1, 2, 3, 4, 5]),
        "k": pa.array(["u", "v", "w", "u", "u"]),
    }
    path = write(tmp_path / "t.parquet", columns)
    message = refused(path, label="k")
    assert "'a' (3), 'n' (1): 4 of 5 rows" in message and "--data.missing drop" in message
    table = read_table(path, label="k", missing="drop")
    assert (
        table.dropped == 4
        and table.columns["a"].tolist() == [1.0]
        and table.labels.tolist() == ["u"]
    )
    assert table.columns["n"].dtype == np.int16
    assert read_table(path, columns=("ok",)).dropped == 0, "columns that are not taken do not count"
    csv = tmp_path / "t.csv"
    csv.write_text("a,n,k\n1.5,1,u\n,2,v\n3.5,,w\n-inf,4,\n5.5,5,\n")
    assert "'a' (2), 'n' (1), 'k' (2): 4 of 5 rows" in refused(csv, label="k")
    table = read_table(csv, label="k", missing="drop")
    assert (
        table.columns["n"].tolist() == [1]
        and table.columns["n"].dtype == np.int64
        and table.dropped == 4
    )
    csv.write_text("a,b\n,1\n,2\n")
    for missing in ("error", "drop"):
        message = refused(csv, missing=missing)
        assert "column 'a' has no value in any row; leave it out with --data.columns" in message
    assert read_table(csv, columns=("b",)).num_rows == 2, "the advice works"
    csv.write_text("a,b\n,1\n2,\n")
    assert "no rows are left" in refused(csv, missing="drop")


def test_many_columns_with_nan_make_no_long_message() -> None:
    columns = {f"c{i}": np.array([1.0, np.nan]) for i in range(200)}
    with pytest.raises(ValueError, match=r"'c7' \(1\) and 192 more columns: 1 of 2 rows"):
        from_columns(columns)


def test_index_that_pandas_adds_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"a": [1.0, 2.0], "__index_level_0__": [7, 9]})
    assert read_table(path).names == ("a",)


def test_from_columns() -> None:
    table = from_columns(
        {"a": np.array([1.0, np.nan, 3.0])}, labels=np.array([0, 1, 2]), missing="drop"
    )
    assert (
        table.columns["a"].tolist() == [1.0, 3.0]
        and table.labels.tolist() == [0, 2]
        and table.dropped == 1
    )
    with pytest.raises(ValueError, match="differ in length"):
        from_columns({"a": np.zeros(3), "b": np.zeros(4)})
    with pytest.raises(ValueError, match="differ in length"):
        from_columns({"a": np.zeros(3)}, labels=np.zeros(2))
    with pytest.raises(ValueError, match="no columns"):
        from_columns({})


def test_unknown_names(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {**COLUMNS, "kind": KIND})
    assert "no column 'enregy'; did you mean 'energy'?" in refused(path, columns=("enregy",))
    assert "no label 'Kind'; did you mean 'kind'?" in refused(path, label="Kind")
    assert "'seen' more than once" in refused(path, columns=("seen", "energy", "seen"))
    assert "both the label and" in refused(path, columns=("seen",), label="seen")
    assert "no columns" in refused(path, columns=())


def test_files_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path / "stars.csv", {"a": [1]})
    assert (
        "no such file" in (message := refused(tmp_path / "star.csv")) and "'stars.csv'" in message
    )
    assert "no such file" in refused(tmp_path / "gone" / "t.csv")
    assert refused(tmp_path / "nothing").endswith("nothing: there is no such file or folder")
    (tmp_path / "t.xlsx").write_text("x")
    assert "unknown kind of file '.xlsx'; allowed are .npy, .npz, .csv, .parquet" in refused(
        tmp_path / "t.xlsx"
    )
    (tmp_path / "empty").mkdir()
    assert "no table and no images in this folder" in refused(tmp_path / "empty")
    write(tmp_path / "both.parquet", {"a": [1]})
    assert "both .parquet and .csv" in refused(tmp_path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)
    if suffix != ".csv":
        path.write_bytes(b"just some text that is no table at all\n" * 9)
        assert (
            f"can't be read as {suffix}" in (message := refused(path)) and "pickle" not in message
        )
        if suffix == ".npy":
            np.save(path, np.zeros((100, 3)))
        else:
            write(path, {"a": np.zeros(1000), "b": np.zeros(1000)})
        path.write_bytes(path.read_bytes()[:-200])
        assert "cut short" in refused(path)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    for name in ("t.npy", "t.npz"):
        (tmp_path / name).write_bytes(pickle.dumps({"a": [1, 2]}))
        assert "pickled Python objects, which are never loaded" in refused(tmp_path / name)
    np.save(tmp_path / "o.npy", np.array([[1, "a"]], dtype=object), allow_pickle=True)
    assert "never loaded" in refused(tmp_path / "o.npy")
    np.savez(tmp_path / "o.npz", a=np.array([1, None], dtype=object))
    assert "never loaded" in refused(tmp_path / "o.npz")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a,b\n1,2\n3,n/k\n",
            "column 'b' holds text ('n/k' in row 2) among numbers; leave it out with "
            "--data.columns, or name it",
        ),
        ("a,b\n1,2\n2,\n3,n/k\n", "column 'b' holds text ('n/k' in row 3)"),
        (
            "a,b\n" + "".join(f"{i},name {i}\n" for i in range(40)),
            "column 'b' holds text: 40 different values in 40 rows, an identifier or free text "
            "('name 0' in row 1); leave it out",
        ),
        ("a,b\n" + f"1,{'long ' * 50}\n" * 2, "that is no category"),
        ("a,b\n1,2\n3\n", "can't be read as .csv"),
        ("a,b\n", "there are no rows"),
        ("a,b,a\n1,2,3\n", "column 'a' appears 2 times"),
        (",a\n0,1\n", "column 1 has no name"),
        ("1.5,2.5\n3.5,4.5\n", "the first line holds numbers (1.5, 2.5)"),
    ],
)
def test_wrong_csv(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    assert expected in refused(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1j, 2.0]), "complex128 values"),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[s]"), "no value in 'a' (1)"),
        (np.array([[1], [2]]), "shape [2, 1]"),
        (np.array([1.0, 2.0], dtype=np.longdouble), "float128 values"),
        (np.array([{}, 1], dtype=object), "dict objects (row 1)"),
        (np.array([None, "x"], dtype=object), "no value in 'a' (1)"),
    ],
)
def test_wrong_types(values: np.ndarray, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_columns({"ok": np.zeros(2), "a": values})
    assert (
        expected in str(caught.value)
        and "'a'" in str(caught.value)
        and "\n" not in str(caught.value)
    )


def test_wrong_types_in_parquet(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.parquet", {"a": [1.0, 2.0], "s": pa.array([None, "text"]), "l": [[1], [2]]}
    )
    assert "no value in 's' (1)" in refused(path, columns=("a", "s"))
    assert "column 'l' holds a list in each row (row 1)" in refused(path)
    numbers = [str(i) for i in range(40)]
    path = write(tmp_path / "n.parquet", {"a": np.arange(40), "s": numbers})
    assert "column 's' holds numbers written as text; save them as numbers" in refused(path)


def test_wrong_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.zeros(5))
    assert "shape [5]; a table needs [rows, columns]" in refused(tmp_path / "flat.npy")
    np.save(tmp_path / "none.npy", np.zeros((0, 3)))
    assert "there are no rows" in refused(tmp_path / "none.npy")
    np.save(tmp_path / "narrow.npy", np.zeros((3, 0)))
    assert "no columns" in refused(tmp_path / "narrow.npy")
    write(tmp_path / "lengths.npz", {"a": np.zeros(3), "b": np.zeros(4)})
    assert "1-D arrays of one length; found a [3], b [4]" in refused(tmp_path / "lengths.npz")
    write(tmp_path / "cubes.npz", {"a": np.zeros((2, 2, 2))})
    assert "2-D array X" in refused(tmp_path / "cubes.npz")
    write(tmp_path / "clash.npz", {"X": np.zeros((2, 2)), "x1": np.zeros(2)})
    assert "rename the array" in refused(tmp_path / "clash.npz")
    (tmp_path / "flat.npy").rename(tmp_path / "flat.npz")
    assert "rename it to .npy" in refused(tmp_path / "flat.npz")
