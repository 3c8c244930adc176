"""HDF5, FITS, ROOT, Arrow and structured arrays: read right, written so, or refused in a line."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scgan.data.tables.reading import read_table
from scgan.data.tables.writing import check_target, write_samples

COLUMNS = {
    "pt": np.array([1.5, -2.5, 3.25]),
    "eta": np.array([1, 2, 3], "f4"),
    "n": np.array([1, 2, 2**53 + 1]),
    "z": np.array([0, 200, 3], "u1"),
    "i": np.array([-3, 1, 2], "i1"),
    "u": np.array([0, 60000, 3], "u2"),
    "id": np.array([0, 2**63 + 5, 3], "u8"),
    "ok": np.array([True, False, True]),
    "a": np.array([7, 7, 7]),
}
PACKAGES = {".h5": "h5py", ".fits": "astropy", ".root": "uproot"}


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".fits", ".root", ".feather", ".arrow"])
def test_samples_go_out_and_come_in(tmp_path: Path, suffix: str) -> None:
    if suffix in PACKAGES:
        pytest.importorskip(PACKAGES[suffix])
    path = tmp_path / f"s{suffix}"
    if suffix == ".hdf5":
        pytest.importorskip("h5py")

    write_samples(path, COLUMNS)
    table = read_table(path)
    assert list(table.names) == list(COLUMNS)
    for name, values in COLUMNS.items():
        assert np.array_equal(table.columns[name], values)
        widened = suffix == ".fits" and name == "i"
        assert table.columns[name].dtype == ("int16" if widened else values.dtype)


def test_packed_text_goes_out_and_comes_in(tmp_path: Path) -> None:
    write_samples(tmp_path / "s.csv.gz", {"a": np.array([1.0, 2.5]), "n": np.array([1, 2])})
    assert (tmp_path / "s.csv.gz").read_bytes()[:2] == b"\x1f\x8b"
    table = read_table(tmp_path / "s.csv.gz")
    assert table.columns["a"].tolist() == [1, 2.5] and table.columns["n"].dtype == np.int64
    with pytest.raises(ValueError, match=r"samples can be written as .*, not as '\.tsv'"):
        check_target(tmp_path / "s.tsv")


@pytest.mark.parametrize(
    ("suffix", "extra"), [(".h5", "hdf5"), (".fits", "fits"), (".root", "root")]
)
def test_a_missing_package_is_said_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[suffix], None)
    (tmp_path / f"t{suffix}").write_bytes(b"x")
    for call in (read_table, check_target):
        with pytest.raises(ValueError, match=rf"pip install 'scgan\[{extra}\]'"):
            call(tmp_path / f"t{suffix}")


def hdf5(path: Path, sets: dict[str, Any]) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in sets.items():
            file[name] = values
    return path


X, FLAT = np.arange(12.0).reshape(4, 3), np.arange(4)


def test_data_sets_of_hdf5(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = hdf5(tmp_path / "a.h5", {"jets/pt": FLAT, "jets/eta": FLAT * 2, "jets/kind": ["u"] * 4})
    table = read_table(path, label="kind")
    assert set(table.names) == {"pt", "eta"} and table.labels.tolist() == ["u"] * 4  # type: ignore

    path = hdf5(tmp_path / "b.h5", {"jet_features": X, "particle_features": np.zeros((4, 30, 4))})
    assert read_table(path).names == ("x0", "x1", "x2")
    assert "arrays that are not read: particle_features [4, 30, 4]" in caplog.text

    path = hdf5(tmp_path / "c.h5", {"train/X": X, "train/y": FLAT, "test/X": X})
    with pytest.raises(ValueError, match=r"several groups; name one, c\.h5:test, c\.h5:train"):
        read_table(path)
    labels = read_table(f"{path}:train").labels
    assert labels is not None and labels.tolist() == [0, 1, 2, 3]
    assert read_table(f"{path}:test/X").columns["x1"].tolist() == [1, 4, 7, 10]
    with pytest.raises(ValueError, match=r"c\.h5: can't be read"):
        read_table(f"{path}:gone")
    with pytest.raises(ValueError, match=r"gone\.h5: there is no such file"):
        read_table(f"{tmp_path / 'gone.h5'}:train")

    events = np.zeros(4, dtype=[("pt", ">f8"), ("n", "<i4")])
    events["pt"] = FLAT
    path = hdf5(tmp_path / "d.h5", {"g/events": events})
    for source in (path, f"{path}:g/events", f"{path}:g"):
        assert read_table(source).columns["pt"].tolist() == [0, 1, 2, 3]

    assert "found nothing" in refused(hdf5(tmp_path / "e.h5", {}))
    cubes = hdf5(tmp_path / "f.h5", {"a": np.zeros((2, 2, 2))})
    assert "found a [2, 2, 2]" in refused(cubes)
    fixed = hdf5(tmp_path / "g.h5", {"t/block0_values": X, "t/axis0": FLAT})
    assert "written by pandas' to_hdf" in refused(fixed)
    with pytest.raises(ValueError, match="can't be the name of a data set"):
        write_samples(tmp_path / "h.h5", {"a/b": FLAT})


def test_what_netcdf_says_of_data_sets_of_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "t.h5"
    with h5py.File(path, "w", track_order=True) as file:
        file["f"] = np.array([1.5, 1e20, 2.5, 3.5], "f4")
        file["f"].attrs["_FillValue"] = np.array([1e20])
        file["i"] = np.array([-99, 2, -1, 2**60 + 1])
        file["i"].attrs["missing_value"] = [-99, -1]
        file["packed"] = np.array([0, 1, 2, -9], "i2")
        file["packed"].attrs.update({"scale_factor": 0.5, "add_offset": 10.0, "_FillValue": -9})
        kinds = h5py.enum_dtype({"up": 1, "down": 2}, basetype="i1")
        file.create_dataset("kind", data=[1, 2, 2, 1], dtype=kinds)
        file["plain"] = np.array([-99, 0, 1, 2])

    table = read_table(path, missing="model")
    assert table.columns["f"].tolist() == [1.5, None, 2.5, 3.5]
    assert table.columns["i"].tolist() == [None, 2, None, 2**60 + 1]
    assert table.columns["packed"].tolist() == [10.0, 10.5, 11.0, None]
    assert table.columns["kind"].tolist() == ["up", "down", "down", "up"]
    assert table.columns["plain"].tolist() == [-99, 0, 1, 2]
    assert "no value in 'f' (1), 'i' (2), 'packed' (1)" in refused(path)

    with h5py.File(path, "w") as file:
        file["X"] = np.array([[1.0, -9], [2, 3], [4, 5]])
        file["X"].attrs["_FillValue"] = np.nan
        file["X"].attrs["missing_value"] = -9.0
    assert "'x1' (1)" in refused(path)


def test_texts_go_out_and_come_in(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    pytest.importorskip("astropy")
    columns = {"a": np.arange(4.0), "k": np.array(["NA", "", "007", "ü, 日本"])}
    write_samples(tmp_path / "t.h5", columns)
    assert read_table(tmp_path / "t.h5").columns["k"].tolist() == columns["k"].tolist()

    columns["k"][3] = "a, b"
    write_samples(tmp_path / "t.fits", columns)
    assert read_table(tmp_path / "t.fits").columns["k"].tolist() == columns["k"].tolist()
    for odd in ("ü", "a "):
        columns["k"][3] = odd
        with pytest.raises(
            ValueError, match=rf"ASCII or that end in blanks \('{odd}'\), as in col"
        ):
            write_samples(tmp_path / "t.fits", columns)

    hdf5(
        tmp_path / "bytes.h5", {"a": np.arange(4), "k": np.array([b"\xff", b"a"] * 2, dtype=object)}
    )
    assert "column 'k' holds" in refused(tmp_path / "bytes.h5")


def test_feather_of_version_1_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.feather").write_bytes(b"FEA1" + bytes(60))
    assert "Feather of version 1, of 2016; write it as version 2" in refused(tmp_path / "t.feather")


def test_data_sets_of_hdf5_that_are_not_there(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = hdf5(tmp_path / "t.h5", {"a": np.arange(3.0), "b": np.arange(3)})
    for link in (h5py.SoftLink("/gone"), h5py.ExternalLink("gone.h5", "/x")):
        with h5py.File(path, "a") as file:
            file["c"] = link
        assert "links to what is not there: /c" in refused(path)
        with h5py.File(path, "a") as file:
            del file["c"]

    with h5py.File(path, "a") as file:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource("gone.h5", "x", (3,))
        file.create_virtual_dataset("v", layout)
    assert f"/v lies in {tmp_path / 'gone.h5'}, not there" in refused(path)
    assert read_table(f"{path}:a").names == ("a",)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("astropy")
    pytest.importorskip("uproot")
    for suffix, what in ((".fits", "table"), (".root", "tree")):
        write_samples(tmp_path / f"t{suffix}", {"a": np.arange(3.0)})
        assert f"there is no {what} '5'; there are" in refused(f"{tmp_path / f't{suffix}'}:5")


def refused(path: Path | str) -> str:
    with pytest.raises(ValueError) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tables_of_fits(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    columns = [
        fits.Column("mag", "E", array=[1.5, np.nan, 3]),
        fits.Column("n", "J", array=[1, -99, 3], null=-99),
        fits.Column("kind", "4A", array=["a", "b", "a"]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="STARS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "t.fits")
    assert "'mag' (1), 'n' (1): 1 of 3 rows" in refused_with_label(tmp_path / "t.fits", "kind")
    read = read_table(tmp_path / "t.fits", label="kind", missing="drop")
    assert read.columns["n"].tolist() == [1, 3] and read.columns["n"].dtype == np.int32
    assert read.columns["mag"].dtype == np.float32 and read.labels.tolist() == ["a", "a"]  # type: ignore

    other = fits.BinTableHDU.from_columns([fits.Column("b", "D", array=[1.0, 2])], name="MORE")
    fits.HDUList([fits.PrimaryHDU(), table, other]).writeto(tmp_path / "two.fits.gz")
    path = tmp_path / "two.fits.gz"
    assert "several tables; name one, two.fits.gz:STARS, two.fits.gz:MORE" in refused(path)
    (tmp_path / "two.fits").write_bytes(gzip.decompress(path.read_bytes()))
    for inside in ("MORE", "2"):
        assert read_table(f"{tmp_path / 'two.fits'}:{inside}").names == ("b",)
    assert "there is no table 'GONE'; there are STARS, MORE" in refused(
        f"{tmp_path / 'two.fits'}:GONE"
    )
    fits.PrimaryHDU(X).writeto(tmp_path / "image.fits")
    assert "there is no table in it" in refused(tmp_path / "image.fits")


def refused_with_label(path: Path, label: str) -> str:
    with pytest.raises(ValueError) as caught:
        read_table(path, label=label)
    return str(caught.value)


def test_trees_of_root(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "t.root") as file:
        file.mktree("events", {"pt": "f4", "n": "i4"}).extend({"pt": FLAT * 0.5, "n": FLAT})
    assert read_table(tmp_path / "t.root").columns["pt"].tolist() == [0, 0.5, 1, 1.5]

    awkward = pytest.importorskip("awkward")
    with uproot.recreate(tmp_path / "two.root") as file:
        file.mktree("a", {"x": "f8"}).extend({"x": FLAT * 1.0})
        file.mktree("b", {"x": "float64", "hits": "var * float64"}).extend(
            {"x": FLAT * 2.0, "hits": awkward.Array([[1.0], [], [2.0, 3.0], []])}
        )
    path = tmp_path / "two.root"
    assert "several trees; name one, two.root:a, two.root:b" in refused(path)
    assert read_table(f"{path}:a").columns["x"].tolist() == [0, 1, 2, 3]
    assert "there is no tree 'c'" in refused(f"{path}:c")
    assert "column 'hits' holds a list in each row" in refused(f"{path}:b")
    assert read_table(f"{path}:b", columns=("x",)).columns["x"].tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("suffix", [".h5", ".fits", ".root", ".feather"])
def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    if suffix in PACKAGES:
        pytest.importorskip(PACKAGES[suffix])
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)
    path.write_bytes(b"just some text that is no table at all\n" * 99)
    assert f"can't be read as {suffix}" in refused(path) or "no table in it" in refused(path)
    write_samples(path, {"a": np.arange(4000.0), "b": np.arange(4000.0)})
    path.write_bytes(path.read_bytes()[:1000])
    assert "can't be read" in refused(path)


def test_a_stream_of_arrow_is_read(tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.table({"a": [1, 2], "b": pa.array(["u", None]).dictionary_encode()})
    path = str(tmp_path / "t.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, table.schema) as to:
        to.write_table(table)
    assert read_table(tmp_path / "t.arrow", columns=("a",)).columns["a"].tolist() == [1, 2]
    assert "no value in 'b' (1)" in refused(tmp_path / "t.arrow")


def test_structured_arrays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = np.zeros(4, dtype=[("pt", ">f8"), ("n", "<i4"), ("hits", "f4", (2,))])
    events["pt"] = FLAT
    np.save(tmp_path / "t.npy", events)
    np.savez(tmp_path / "t.npz", events=events, more=X)
    for name in ("t.npy", "t.npz"):
        assert "column 'hits' has shape [4, 2]" in refused(tmp_path / name)
        table = read_table(tmp_path / name, columns=("pt", "n"))
        assert table.columns["pt"].tolist() == [0, 1, 2, 3] and table.columns["pt"].dtype.isnative
    assert "arrays that are not read: more [4, 3]" in caplog.text
