"""Folders as people have them: what is no part of the data is never read, and always said."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from scgan.data.dataset import DataConfig, Dataset
from scgan.data.listing import Cell, is_hidden, kind_of, partitions, walk
from scgan.data.loading import load
from scgan.data.tables.reading import read_table

Ways = Callable[..., dict[str, Dataset | str]]


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    """Load a folder whole, streamed, and both from S3: the data, or the line that refuses it."""
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto")

    with pytest.MonkeyPatch.context() as patch, moto.mock_aws():
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="data")

        def read(
            folder: Path, *, below: str = "", streams: bool = True, **settings: Any
        ) -> dict[str, Any]:
            for old in client.list_objects_v2(Bucket="data").get("Contents", ()):
                client.delete_object(Bucket="data", Key=old["Key"])
            for path in folder.rglob("*"):
                if path.is_file():
                    client.upload_file(str(path), "data", f"in/{path.relative_to(folder)}")

            found: dict[str, Any] = {}
            for name, root in (("disk", str(folder)), ("s3", "s3://data/in")):
                source = root + below
                for stream in (False, True) if streams else (False,):
                    try:
                        config = DataConfig(source=source, stream=stream, **settings)
                        found[f"{name} {stream}"] = load(config, 0)
                    except ValueError as error:
                        message = str(error).replace(str(folder), "HERE")
                        found[f"{name} {stream}"] = message.replace("s3://data/in", "HERE")
            return found

        yield read


def test_categories_times_and_gaps_are_the_same_in_all_ways(tmp_path: Path, ways: Ways) -> None:
    for part in range(2):
        place = np.arange(90 * part, 90 * part + 90)
        columns = {
            "word": pa.array([("a", "b", None)[i % 3] for i in place]),
            "kind": pa.array([("u", "v")[i % 2] for i in place]).dictionary_encode(),
            "when": pa.array(place * 3600, pa.timestamp("ms", "Asia/Tokyo")),
            "few": pa.array([None if i % 3 == 2 else i // 3 for i in place], pa.int16()),
            "late": pa.array(place * 1.5) if part else pa.nulls(90),
        }
        parquet.write_table(pa.table(columns), tmp_path / f"{part}.parquet")

    told = []
    for way, data in ways(tmp_path, missing="model").items():
        assert isinstance(data, Dataset), (way, data)
        word, kind, when, few, late = data.table_schema.columns
        assert sorted(word.categories or ()) == ["a", "b"]
        assert sorted(kind.categories or ()) == ["u", "v"]
        assert (when.dtype, when.grid) == ("datetime64[ms]", 3600)
        assert [few.dtype, late.dtype] == ["int16", "float64"] and word.gaps == few.gaps
        assert late.gaps is not None and 0.4 < late.gaps < 0.6
        told.append({name: data.table_schema.meanings[name] for name in ("kind", "when")})
    assert len(told) == 4 and all(one == told[0] for one in told)
    assert told[0]["when"].zone == "Asia/Tokyo" and told[0]["kind"].levels == ("u", "v")

    for message in ways(tmp_path).values():
        assert "no value in 'word' (" in message and "\n" not in message


def rows(low: int, num: int = 60) -> dict[str, np.ndarray]:
    a = np.arange(low, low + num)
    return {"a": a, "b": a * 0.5 + 0.25}


def put(path: Path, columns: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(columns)
    write = {".csv": frame.to_csv, ".parquet": frame.to_parquet}[path.suffix]
    write(path, index=False)
    return path


def said(caplog: pytest.LogCaptureFixture) -> str:
    text = "\n".join(record.getMessage() for record in caplog.records)
    caplog.clear()
    return text


LEFTOVERS = [
    ".ipynb_checkpoints/t-checkpoint",
    "_temporary/0/part-0",
    "._t",
    "_t",
    "sub/.hidden/t",
]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_leftovers_are_not_read_but_named(
    tmp_path: Path, ways: Ways, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    put(tmp_path / f"t{suffix}", rows(0))
    for name in LEFTOVERS:
        put(tmp_path / f"{name}{suffix}", rows(1000))
    put(tmp_path / f"half{suffix}", rows(1000)).rename(tmp_path / f"half{suffix}.tmp")
    (tmp_path / "_SUCCESS").touch()

    for way, data in ways(tmp_path, streams=suffix == ".parquet").items():
        assert isinstance(data, Dataset), data
        assert data.num_train + data.num_test == 60, way
        assert data.table_schema.columns[0].high < 60

    text = said(caplog)
    assert "7 of 8 files are not read" in text and f"t-checkpoint{suffix}" in text


def test_a_table_of_a_lake_is_refused_by_its_name(tmp_path: Path, ways: Ways) -> None:
    put(tmp_path / "delta/sub/old.parquet", rows(0))
    log = tmp_path / "delta/sub/_delta_log/00000000000000000000.json"
    log.parent.mkdir()
    log.write_text(json.dumps({"add": {"path": "old.parquet"}}))
    for message in ways(tmp_path / "delta").values():
        assert "HERE: sub is a table of Delta Lake, whose files hold deleted rows" in message

    put(tmp_path / "ice/data/1.parquet", rows(0))
    (tmp_path / "ice/metadata").mkdir()
    (tmp_path / "ice/metadata/v1.metadata.json").touch()
    (tmp_path / "hudi/.hoodie").mkdir(parents=True)
    (tmp_path / "hudi/.hoodie/hoodie.properties").touch()
    put(tmp_path / "hudi/1.parquet", rows(0))
    for name, kind in (("ice", "Apache Iceberg"), ("hudi", "Apache Hudi")):
        with pytest.raises(ValueError, match=f"this is a table of {kind}"):
            read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("_delta_log/00000000000000000000.json", "Delta Lake"),
        (".hoodie/hoodie.properties", "Apache Hudi"),
        ("metadata/00001-5f8b.metadata.json", "Apache Iceberg"),
        ("snapshot/snapshot-1", "Apache Paimon"),
    ],
)
def test_what_lies_within_a_table_of_a_lake_is_refused(
    tmp_path: Path, ways: Ways, log: str, kind: str
) -> None:
    put(tmp_path / "t/y=1/1.parquet", rows(0))
    (tmp_path / "t" / log).parent.mkdir()
    (tmp_path / "t" / log).touch()

    for below in ("/t", "/t/y=1", "/t/y=1/1.parquet"):
        found = ways(tmp_path, below=below)
        assert len(found) == 4
        for message in found.values():
            assert f"is a table of {kind}, whose files hold deleted rows" in message, message
            assert "\n" not in message


def test_a_table_beside_one_of_a_lake_is_read(tmp_path: Path, ways: Ways) -> None:
    put(tmp_path / "plain/1.parquet", rows(0))
    for name in ("lake/_delta_log/0.json", "metadata/notes.json", "snapshot/1"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert all(isinstance(data, Dataset) for data in ways(tmp_path, below="/plain").values())


def test_images_of_a_lake_are_refused(tmp_path: Path) -> None:
    pixels = io.BytesIO()
    Image.new("L", (32, 32)).save(pixels, "PNG")
    parquet.write_table(pa.table({"image": [pixels.getvalue()] * 9}), tmp_path / "1.parquet")
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log/0.json").touch()
    for stream in (None, False):
        with pytest.raises(ValueError, match="this is a table of Delta Lake"):
            load(DataConfig(source=str(tmp_path), stream=stream), 0)


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (["1", "2"], ["u"], "among numbers"),
        (["1", "2"], ["", "3"], "among numbers"),
        (["5%", "6%"], ["u", "v", "w"], None),
        ([str(i) for i in range(20)], [str(i) for i in range(20, 40)], None),
        ([str(i) for i in range(40)], [str(i) for i in range(40, 80)], "numbers written as text"),
    ],
)
def test_texts_are_judged_by_all_parts(
    tmp_path: Path, ways: Ways, first: list[str], second: list[str], refused: str | None
) -> None:
    for part, texts in enumerate((first, second)):
        put(tmp_path / f"{part}.parquet", {**rows(60 * part), "c": np.resize(texts, 60)})
    for way, found in ways(tmp_path).items():
        if refused is None:
            assert isinstance(found, Dataset), (way, found)
        else:
            assert isinstance(found, str) and "column 'c' holds" in found and refused in found, way


def test_a_name_of_two_folders_is_refused(tmp_path: Path, ways: Ways) -> None:
    put(tmp_path / "y=1/y=2/1.parquet", rows(0))
    for message in ways(tmp_path).values():
        assert "y=1/y=2/1.parquet is in two folders NAME=VALUE of one name" in message


def test_every_spelling_of_a_suffix_is_read(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", rows(0)).rename(tmp_path / "a.PARQUET")
    put(tmp_path / "b.parquet", rows(60)).rename(tmp_path / "b.pq")
    put(tmp_path / "c.parquet", rows(120)).rename(tmp_path / "c.parq")
    assert read_table(tmp_path).columns["a"].tolist() == list(range(180))
    kinds = {
        "a.CSV": ".csv",
        "a.csv.gz": ".csv",
        "a.tsv": ".csv",
        "a.tar.gz": ".tar",
        "a.b.h5": ".h5",
    }
    assert {name: kind_of(PurePosixPath(name)) for name in kinds} == kinds


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/b.csv", rows(60))
    put(tmp_path / "set/a.csv", rows(0))
    os.symlink(tmp_path / "elsewhere", tmp_path / "set/linked")
    os.symlink(tmp_path / "set", tmp_path / "set/circle")
    names = [str(path.relative_to(tmp_path / "set")) for path in walk(tmp_path / "set")]
    assert names == ["a.csv", "circle", "linked/b.csv"]
    os.symlink(tmp_path / "elsewhere", tmp_path / "elsewhere/again")
    names = [str(path.relative_to(tmp_path / "set")) for path in walk(tmp_path / "set")]
    assert names == ["a.csv", "circle", "linked/again", "linked/b.csv"]
    assert read_table(tmp_path / "set").num_rows == 120


def test_a_folder_without_a_table_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "part-00000").write_text("1,2\n")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"2 other files: notes\.txt, part-00000"):
        read_table(tmp_path)


def test_partitions_are_columns(tmp_path: Path, ways: Ways) -> None:
    for year in (2019, 2020):
        for kind in ("a b", "c"):
            folder = tmp_path / f"year={year}" / f"kind={kind.replace(' ', '%20')}"
            put(folder / "0.parquet", rows(year))

    for way, data in ways(tmp_path, label="kind").items():
        assert isinstance(data, Dataset), data
        assert data.table_schema.names == ("a", "b", "year"), way
        year = data.table_schema.columns[2]
        assert (year.low, year.high, year.dtype) == (2019, 2020, "int64")
        assert data.train_labels is not None and set(data.train_labels) == {"a b", "c"}

    for data in ways(tmp_path, columns=("year", "a")).values():
        assert isinstance(data, Dataset) and data.table_schema.names == ("year", "a")
    for data in ways(tmp_path).values():
        assert isinstance(data, Dataset)
        kind = data.table_schema.columns[3]
        assert (kind.name, kind.dtype) == ("kind", "str")
        assert sorted(kind.categories or ()) == ["a b", "c"]

    table = read_table(tmp_path, columns=("a", "year"))
    assert np.array_equal(table.columns["a"] // 100 * 100, np.full(240, 2000))
    assert (table.columns["a"] - table.columns["year"]).max() == 59


def test_partitions_without_a_value_and_with_codes(
    tmp_path: Path, ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("01", "02", "__HIVE_DEFAULT_PARTITION__"):
        put(tmp_path / f"month={text}" / "0.parquet", rows(0))

    for message in ways(tmp_path).values():
        assert "'month' (60)" in message or "'month' has no value in any row" in message
    caplog.clear()
    for data in ways(tmp_path, missing="drop").values():
        assert isinstance(data, Dataset) and data.dropped == 60
        assert data.table_schema.columns[2].low == 1
    assert "column 'month' has values with leading zeros, which are lost" in said(caplog)
    for data in ways(tmp_path, missing="drop", label="month").values():
        assert isinstance(data, Dataset) and set(data.train_labels) == {"01", "02"}  # type: ignore


def test_partitions_that_do_not_fit_are_refused(tmp_path: Path, ways: Ways) -> None:
    put(tmp_path / "half/year=1/0.parquet", rows(0))
    put(tmp_path / "half/1.parquet", rows(0))
    for message in ways(tmp_path / "half").values():
        assert "is not in the same folders NAME=VALUE as the others" in message

    put(tmp_path / "clash/year=1/0.parquet", {**rows(0), "year": 1})
    put(tmp_path / "clash/year=2/0.parquet", {**rows(0), "year": [2] * 59 + [3]})
    for message in ways(tmp_path / "clash").values():
        assert "year=2/0.parquet: column 'year' holds 3 in a folder year=2" in message


def test_types_of_partitions() -> None:
    def typed(*texts: str) -> list[Cell]:
        return [cells["v"] for cells in partitions("t", [PurePosixPath(f"v={t}/f") for t in texts])]

    assert typed("1", "-2") == [Cell(1, None), Cell(-2, None)]
    assert typed("0", "10") == [Cell(0, None), Cell(10, None)]
    assert typed("1", "x") == [Cell("1", None), Cell("x", None)]
    assert typed(str(2**63 - 1), "-2") == [Cell(2**63 - 1, None), Cell(-2, None)]
    assert typed(str(2**63), "2") == [Cell(str(2**63), None), Cell("2", None)]
    assert typed("", "u") == [Cell(None, None), Cell("u", None)]
    assert typed("007") == [Cell(7, "007")]
    assert partitions("t", [PurePosixPath("a%20b=%25/f")]) == [{"a b": Cell("%", None)}]
    assert partitions("t", [PurePosixPath("f")]) == [{}] and partitions("t", []) == []


def test_columns_of_some_parts_only(tmp_path: Path, ways: Ways) -> None:
    put(tmp_path / "0.parquet", rows(0))
    put(tmp_path / "1.parquet", {**rows(60), "more": 1.5})
    for message in ways(tmp_path).values():
        assert "'more' is in 1 of 2, and not in HERE/0.parquet" in message
        assert "--data.columns" in message

    for data in ways(tmp_path, columns=("b", "a")).values():
        assert isinstance(data, Dataset) and data.table_schema.names == ("b", "a")
        assert data.num_train + data.num_test == 120


IDS = 2**60 + 2 * np.arange(60) + 1

MIXED: list[tuple[Any, Any, str | None]] = [
    (IDS, IDS.astype(np.uint64), "int64"),
    (IDS, IDS[:0], "int64"),
    (IDS, IDS[:0].astype(float), "int64"),
    (np.arange(60, dtype=np.int8), np.arange(60, dtype=np.uint16), "int32"),
    (np.arange(60), np.arange(60) + 0.5, "float64"),
    (np.arange(60, dtype=np.float32), np.arange(60) + 0.5, "float64"),
    (IDS, np.arange(60) + 0.5, None),
    (IDS, IDS.astype(np.uint64) + np.uint64(2**63), None),
    (np.arange(60) > 30, np.arange(60), None),
    (np.arange(60), [None] * 60, "drop"),
]


@pytest.mark.parametrize(("first", "second", "kind"), MIXED)
def test_types_that_differ_between_parts(
    tmp_path: Path, ways: Ways, first: Any, second: Any, kind: str | None
) -> None:
    for place, values in enumerate((first, second)):
        columns = {name: array[: len(values)] for name, array in rows(0).items()}
        put(tmp_path / f"{place}.parquet", {**columns, "v": values})

    found = ways(tmp_path, missing="drop" if kind == "drop" else "error")
    if kind is None:
        told = {message for message in found.values() if isinstance(message, str)}
        assert len(told) == 1 and "column 'v'" in told.pop(), found
        return

    for data in found.values():
        assert isinstance(data, Dataset), data
        v = data.table_schema.columns[2]
        assert v.dtype == ("int64" if kind == "drop" else kind)
        assert data.dropped == (60 if kind == "drop" else 0)
        if first is IDS:
            assert v.low in IDS and v.high in IDS

    if first is IDS:
        values = read_table(tmp_path).columns["v"]
        assert values.tolist() == [*IDS.tolist(), *map(int, second)]


def test_parts_of_csv_without_rows_have_no_say(tmp_path: Path) -> None:
    put(tmp_path / "1.csv", {"id": IDS, **rows(0)})
    (tmp_path / "2.csv").write_text("id,a,b\n")
    assert read_table(tmp_path).columns["id"].tolist() == IDS.tolist()


def test_labels_that_are_texts_in_some_parts(tmp_path: Path, ways: Ways) -> None:
    put(tmp_path / "0.parquet", {**rows(0), "k": [1, 2] * 30})
    put(tmp_path / "1.parquet", {**rows(60), "k": ["2", "x"] * 30})
    for data in ways(tmp_path, label="k").values():
        assert isinstance(data, Dataset) and data.train_labels is not None
        assert set(data.train_labels) == {"1", "2", "x"}


def test_an_index_is_no_column_unless_it_is_asked_for(
    tmp_path: Path, ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pd.DataFrame(rows(0), index=pd.Index(np.arange(60) * 7, name="time"))
    frame.to_parquet(tmp_path / "t.parquet")
    for data in ways(tmp_path).values():
        assert isinstance(data, Dataset) and data.table_schema.names == ("a", "b")
    assert said(caplog).count("left out: time") == 4
    for data in ways(tmp_path, columns=("time", "a")).values():
        assert isinstance(data, Dataset) and data.table_schema.columns[0].name == "time"
    for data in ways(tmp_path, label="time").values():
        assert isinstance(data, Dataset) and 21 in [*data.train_labels, *data.test_labels]  # type: ignore


def test_marks_of_no_value(tmp_path: Path, ways: Ways) -> None:
    columns = {**rows(0), "v": np.arange(60) * 0.5, "w": np.arange(60, dtype="f4")}
    columns["v"][:7], columns["w"][5:10] = -9999, 99.99
    put(tmp_path / "t.parquet", columns)
    marks = (-9999.0, 99.99)
    for message in ways(tmp_path, missing_values=marks).values():
        assert "'v' (7), 'w' (5): 10 of 60 rows" in message
    for data in ways(tmp_path, missing_values=marks, missing="drop").values():
        assert isinstance(data, Dataset) and data.dropped == 10
        assert data.table_schema.columns[2].low >= 0 and data.table_schema.columns[3].high < 99


def test_what_programs_leave_is_hidden() -> None:
    hidden = ["cache-1a2b.arrow", "_SUCCESS", "a/.x/b.csv", "_delta/b.csv", ".a.csv.swp"]
    shown = ["cache-1a2b.csv", "data.arrow", "_y=1/b.csv", "a_b/c.csv", "cache/1.arrow"]
    for name in [*hidden, *shown]:
        assert is_hidden(PurePosixPath(name)) == (name in hidden), name
