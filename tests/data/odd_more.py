"""Odd inputs of the same kinds, in other spellings and places."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
from odd_inputs import (
    IDS,
    IN_TWO,
    LOG,
    NUM,
    A,
    B,
    Odd,
    address,
    below,
    csv,
    empty,
    frames,
    half,
    hdf5,
    marked,
    npz,
    one,
    parts,
    pictures,
    table,
    text,
    then,
    zipped,
)
from pyarrow import parquet

ABC = ("a", "b", "c")
FAR = [np.datetime64("9999-12-31")] * 9 + [np.datetime64("2020-01-01") + i for i in range(NUM - 9)]


def twice(folder: Path) -> str:
    """A parquet file with two columns of one name."""
    columns = pa.Table.from_arrays([pa.array(A), pa.array(B)], names=["a", "a"])
    parquet.write_table(columns, folder / "t.parquet")
    return "t.parquet"


TEXTS = [
    Odd(
        "Excel's first line",
        text("sep=;\n" + csv({"a": A, "b": B}, ";")),
        told="';' between columns, as its first line says",
    ),
    Odd("UTF-16 without a mark", text(table().encode("utf-16-le")), told="UTF-16"),
    Odd("UTF-16, high byte first", text(table().encode("utf-16-be")), told="UTF-16"),
    Odd("UTF-32", text(table().encode("utf-32")), told="UTF-32"),
    Odd("colons", text("a:b\n" + "1:2\n3:4\n" * 30), "a single column, 'a:b', with ':'"),
    Odd(
        "rows of other widths",
        text("a;b\n" + "1;2\n1;2;3\n" * 30),
        "a single column, 'a;b', with ';' in its name and its values",
    ),
    Odd("a title above", text("by me\n" + table()), "t.csv: can't be read as .csv"),
    Odd("commas at the ends", text("a,b\n" + "1,2,\n" * 60), "t.csv: can't be read as .csv"),
    Odd("a total below", text(table() + "total,1\n"), "holds text ('total' in row 61)"),
    Odd("a row of units", text("a,b\nm,s\n" + "1,2\n3,4\n" * 30), "('m' in row 1) among"),
    Odd("the names again", text(table() + table()), "holds text ('a' in row 61) among"),
    Odd("a quote that stays open", text(table(c=['"u', *["v"] * 59])), "that is no category"),
    Odd("marks of SAS", text(table(c=[".", *B[1:]])), "holds text ('.' in row 1) among"),
    Odd(
        "identifiers that end in .0",
        text(table(c=[f"{i}.0" for i in IDS])),
        names=ABC,
        check=lambda data: data.table_schema.columns[2].high == int(IDS[-1]),
    ),
    Odd(
        "an integer of 400 digits", text(table(c=["1" * 400, *B[1:]])), "'c' holds the integer 111"
    ),
    Odd("base 16", text(table(c=["0x1F", "0x2A"] * 30)), told="digits of base 16", names=ABC),
    Odd(
        "two members of gzip",
        text(2 * gzip.compress(csv({"a": A[:30]}).encode()), "t.csv.gz"),
        "column 'a' holds text ('a' in row 31) among",
    ),
    Odd("an archive by another name", text(b"PK\3\4" + bytes(60)), "can't be read as .csv"),
    Odd(
        "a mark among few values",
        text(table(c=[-9999, 1, 2] * 20)),
        told="'c' -9999 (33",
        names=ABC,
    ),
    Odd(
        "a mark below high values",
        text(table(c=[*[-999] * 9, *np.geomspace(1, 5000, 51).round(2)])),
        told="'c' -999 (1",
        names=ABC,
    ),
    Odd("a mark beside one value", text(table(c=[-9999, 7] * 30)), told="'c' -9999", names=ABC),
    Odd("a far date", text(table(c=FAR)), told="'c' 9999-12-31 (15 %)", names=ABC),
    Odd(
        "marks that are kept",
        text(table(c=marked(-9999, 9))),
        names=ABC,
        flags=("--data.missing_values", "-9999", "--data.missing", "model"),
    ),
]

FOLDERS = [
    Odd(
        "a part of Delta Lake",
        below(parts({"y=1/1.parquet": half(0)}, LOG), "y=1"),
        "is a table of Delta Lake",
        streamed=True,
    ),
    Odd(
        "a file of Delta Lake",
        below(parts(IN_TWO, LOG), "0.parquet"),
        "is a table of Delta Lake",
        streamed=True,
    ),
    Odd(
        "the data of Iceberg",
        below(parts({"data/1.parquet": half(0)}, empty("metadata/v1.metadata.json")), "data"),
        "is a table of Apache Iceberg",
        streamed=True,
    ),
    Odd(
        "Paimon",
        parts({"bucket-0/1.parquet": half(0)}, empty("snapshot/snapshot-1")),
        "this is a table of Apache Paimon",
        streamed=True,
    ),
    Odd(
        "a name of two folders",
        parts({"y=1/y=2/1.parquet": half(0)}),
        "in two folders NAME=VALUE of one name",
        streamed=True,
    ),
    Odd(
        "a partition of nothing",
        parts({"y=/1.parquet": half(0), "y=1/1.parquet": half(1)}),
        "no value in 'y' (30)",
        streamed=True,
    ),
    Odd(
        "partitions of identifiers",
        parts({f"y={IDS[i]}/1.parquet": half(i) for i in (0, 1)}),
        names=("a", "b", "y"),
        streamed=True,
        check=lambda data: data.table_schema.columns[2].low == int(IDS[0]),
    ),
    Odd(
        "numbers in one part's texts",
        parts(
            {
                "0.parquet": half(0, c=np.array(["1", "2"] * 30)),
                "1.parquet": half(1, c=np.array(["n/k"] * 60)),
            }
        ),
        "text ('n/k'",
        streamed=True,
    ),
    Odd(
        "a name twice in a footer",
        twice,
        "column 'a' appears 2 times",
        streamed=True,
    ),
    Odd(
        "times of two zones",
        parts(
            {
                f"{zone}.parquet": {
                    "a": A,
                    "c": pa.array([1, 2] * 30).cast(pa.timestamp("us", name)),
                }
                for zone, name in enumerate(("UTC", "Asia/Tokyo"))
            }
        ),
        "times of Asia/Tokyo and of UTC",
        streamed=True,
    ),
    Odd(
        "another case of a name",
        parts({"0.parquet": {"a": A}, "1.parquet": {"A": A}}),
        "'a' is in 1 of 2",
        streamed=True,
    ),
    Odd(
        "dates beside texts",
        parts(
            {
                "0.parquet": {"a": A, "c": pa.array([1, 2] * 30).cast(pa.timestamp("us"))},
                "1.parquet": {"a": A, "c": ["2020-01-01", "2020-01-02"] * 30},
            }
        ),
        "column 'c'",
        streamed=True,
    ),
]


COLUMNS = [
    Odd("fill values of HDF5", hdf5({"_FillValue": 8}, a=A, b=B), "no value in 'b'"),
    Odd(
        "packed numbers of HDF5",
        hdf5({"scale_factor": 0.5, "add_offset": 100.0}, a=A, b=B.astype("i2")),
        check=lambda data: data.table_schema.columns[1].low == 100,
    ),
    Odd("a link to nothing in HDF5", hdf5(a=A, b=B, c=None), "links to what is not there: /c"),
    Odd("a cube of HDF5", hdf5(a=np.zeros((9, 9, 9))), "found a [9, 9, 9]"),
    Odd("texts of HDF5", hdf5(a=A, b=B, c=["u", "v"] * 30), told="'c' (2 different)", names=ABC),
    Odd(
        "maps",
        one(c=pa.array([[("x", 1)]] * NUM, pa.map_(pa.string(), pa.int64()))),
        "column 'c' holds",
        streamed=True,
    ),
    Odd("a name that holds a point", one(**{"a.x": B}), names=("a", "b", "a.x"), streamed=True),
    Odd("Feather of version 1", text(b"FEA1" + bytes(60), "t.feather"), "Feather of version 1"),
    Odd("labels of no numbers", npz(X=np.c_[A, B], y=np.where(B > 4, np.nan, B)), "'y'"),
    Odd(
        "labels as bytes",
        npz(X=np.c_[A, B], y=np.array([b"u", b"v"] * 30)),
        names=("x0", "x1"),
        check=lambda data: set(data.train_labels) == {"u", "v"},
    ),
]

IMAGES = [
    Odd(
        "several frames",
        then(pictures("", num=8), frames),
        told="1 of 8 images have several",
        names=(),
        rows=8,
    ),
    Odd("images of one value", pictures("", most=1), "all pixels of all images are 0"),
    Odd(
        "other names of parts",
        pictures("training_set/cat", "training_set/dog", "test_set/cat"),
        names=("cat", "dog"),
        rows=36,
    ),
    Odd(
        "a part for development",
        pictures("train/cat", "train/dog", "dev/cat"),
        names=("cat", "dog"),
        rows=36,
    ),
    Odd(
        "folders as Windows writes them",
        zipped(*(f"{kind}\\{i}.png" for kind in ("cat", "dog") for i in range(6))),
        names=("cat", "dog"),
        rows=12,
    ),
    Odd(
        "names from the root",
        zipped(*(f"/data/{kind}/{i}.png" for kind in ("cat", "dog") for i in range(6))),
        told="all images are in data",
        names=("cat", "dog"),
        rows=12,
    ),
    Odd(
        "classes one-hot",
        npz(images=np.arange(12 * 32 * 32).reshape(12, 32, 32) % 256, labels=np.eye(3)[B[:12] % 3]),
        names=("0", "1", "2"),
        rows=12,
        check=lambda data: data.image_schema.labels == "one",
    ),
    Odd(
        "a list beside",
        then(pictures(""), lambda path: text("x", "labels.csv")(path)),
        told="1 of 13 files is not read: labels.csv",
        names=(),
        rows=12,
    ),
]


ADDRESSES = [
    Odd("another case of s3", address("S3://b/t.csv"), "write it as s3://b/t.csv"),
    Odd("one stroke", address("s3:/b/t.csv"), "write it as s3://b/t.csv"),
    Odd("Databricks'", address("dbfs:/t.csv"), "dbfs:/ addresses can't be read"),
    Odd("a file of no name", address("file://"), "file://: names no file"),
]
