"""Odd inputs: delimited texts, and folders of parts."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
from odd_inputs import (
    GAPS,
    IDS,
    IN_TWO,
    LOG,
    NUM,
    A,
    B,
    Odd,
    csv,
    empty,
    half,
    link,
    linked_part,
    marked,
    parts,
    table,
    text,
    then,
)

TEXTS = [
    Odd("an empty file", text(""), "t.csv: the file is empty"),
    Odd("names alone", text("a,b\n"), "there are no rows"),
    Odd("no names", text(csv({"1": A, "2": B})), "the first line holds numbers (1, 2)"),
    Odd("a name twice", text("a,b,a\n1,2,3\n"), "column 'a' appears 2 times"),
    Odd("an index without a name", text(csv({"": B, "a": A})), "column 1 has no name"),
    Odd("a row that is short", text(table() + "1\n"), "t.csv: can't be read as .csv"),
    Odd("text", text(table(c=["x", "y"] * 30)), told="'c' (2 different)", names=("a", "b", "c")),
    Odd(
        "a name in each row",
        text(table(c=[f"name {i}" for i in range(NUM)])),
        "column 'c' holds text: 60 different values in 60 rows, an identifier or free text",
    ),
    Odd("mark of none", text(table(c=["n/k", *range(59)])), "holds text ('n/k' in row 1) among"),
    Odd(
        "units beside numbers",
        text(table(c=[f"{i} km" for i in range(NUM)])),
        "column 'c' holds text: 60 different values",
    ),
    Odd("per cent", text(table(c=["5%"] * NUM)), "holds text ('5%' in row 1)"),
    Odd("thousands", text(table(c=['"1,234"'] * NUM)), "holds text ('1,234' in row 1)"),
    Odd(
        "complex numbers",
        text(table(c=[f"1+{i}j" for i in range(NUM)])),
        "column 'c' holds text: 60 different values",
    ),
    Odd("dates", text(table(c=["2020-01-01"] * NUM)), names=("a", "b", "c")),
    Odd("times of day", text(table(c=["12:30:00", "13:00:00"] * 30)), names=("a", "b", "c")),
    Odd("booleans with a gap", text(table(c=["", *["true"] * 59])), "no value in 'c' (1): 1 of 60"),
    Odd("a gap", text(table(c=GAPS)), "no value in 'c' (1): 1 of 60 rows; --data.missing drop"),
    Odd("NaN", text(table(c=marked(np.nan, 3))), "no value in 'c' (3)"),
    Odd("infinity", text(table(c=marked(np.inf, 3))), "no value in 'c' (3)"),
    Odd("a column without a value", text(table(c=[""] * NUM)), "'c' has no value in any row"),
    Odd(
        "the same, left out",
        text(table(c=[""] * NUM)),
        flags=("--data.columns", "a,b"),
    ),
    Odd(
        "gaps in every row",
        text("a,b\n,1\n2,\n"),
        "no rows are left",
        flags=("--data.missing", "drop"),
    ),
    Odd("constants alone", text(csv({"a": [1] * NUM})), "all columns are constant (a)"),
    Odd("two rows", text("a,b\n1,2\n3,4\n"), "needs at least 2"),
    Odd("semicolons", text(csv({"a": A, "b": B}, ";")), told="semicolons between columns"),
    Odd(
        "decimal commas",
        text(csv({"a": A, "b": B}, ";").replace(".", ",")),
        told="decimal commas",
        check=lambda data: abs(data.table_schema.columns[0].high - A.max()) < 0.9,
    ),
    Odd("tabs", text(csv({"a": A, "b": B}, "\t")), told="tabs between columns"),
    Odd("bars", text(csv({"a": A, "b": B}, "|")), told="bars between columns"),
    Odd("blanks", text(csv({"a": A, "b": B}, "   ")), told="blanks between columns"),
    Odd("comments", text(csv({"a": A, "b": B}, above="# by x\n#\n")), told="2 comment lines left"),
    Odd(
        "names in a comment", text("# a b\n1 2\n" + "3 4\n" * 59), told="names of its comment line"
    ),
    Odd("UTF-16", text(table().encode("utf-16")), told="UTF-16"),
    Odd(
        "another code page",
        text(csv({"ä": A, "b": B}).encode("cp1252")),
        told="1252",
        names=("ä", "b"),
    ),
    Odd("a mark of the byte order", text(b"\xef\xbb\xbf" + table().encode())),
    Odd("line ends of old Macs", text(csv({"a": A, "b": B}, end="\r"))),
    Odd("blanks around", text(csv({" a ": A, "b ": B}, " , ")), told="blanks around the names"),
    Odd(
        "line breaks in quotes",
        text(table(k=['"u\nv"'] * 30 + ['"w, x"'] * 30)),
        flags=("--data.label", "k"),
    ),
    Odd(
        "commas in a name",
        text(csv({'"a,b"': A, "c": B})),
        names=("a,b", "c"),
        flags=("--data.columns", '"a,b",c'),
    ),
    Odd(
        "identifiers above 2^63",
        text(csv({"a": A, "id": IDS + np.uint64(2**63)})),
        names=("a", "id"),
    ),
    Odd(
        "identifiers beside fractions",
        text("a,id\n1,9007199254740993\n2,0.5\n"),
        "integer 9007199254740993",
    ),
    Odd(
        "integers above 2^64",
        text("a,id\n1,18446744073709551616\n"),
        "the integer 18446744073709551616",
    ),
    Odd(
        "codes",
        text(table(c=["007", "12"] * 30)),
        told="'c' has values with leading zeros",
        names=("a", "b", "c"),
    ),
    Odd(
        "codes as the label",
        text(table(c=["007", "12"] * 30)),
        flags=("--data.label", "c"),
        check=lambda data: set(data.train_labels) == {"007", "12"},
    ),
    Odd(
        "marks of no value",
        text(table(c=marked(-9999, 9))),
        told="'c' -9999 (15 %)",
        names=("a", "b", "c"),
    ),
    Odd(
        "one far value",
        text(table(c=marked(1e6, 1))),
        told="'c' 1000000 (1 row)",
        names=("a", "b", "c"),
    ),
    Odd(
        "marks that are named",
        text(table(c=marked(-9999, 9))),
        "no value in 'c' (9)",
        flags=("--data.missing_values", "-9999"),
    ),
    Odd(
        "marks that are dropped",
        text(table(c=marked(-9999, 9))),
        names=("a", "b", "c"),
        rows=51,
        flags=("--data.missing_values", "-9999", "--data.missing", "drop"),
    ),
    Odd("zero bytes", text(b"a,b\n1,\x00\n"), "column 'b' holds text"),
    Odd("packed", text(gzip.compress(table().encode()), "t.csv.gz")),
    Odd(
        "packed and cut",
        text(gzip.compress(table().encode())[:-20], "t.csv.gz"),
        "can't be unpacked",
    ),
    Odd("another case", text(table(), "t.CSV")),
    Odd("a spreadsheet", text(b"PK", "t.xlsx"), "unknown kind of file '.xlsx'"),
    Odd(
        "a name that is near",
        then(text(table()), lambda path: path.rename(path.with_name("u.csv"))),
        "did you mean 'u.csv'?",
    ),
    Odd(
        "a label that is not there",
        text(table()),
        "no label 'B'; did you mean 'b'?",
        flags=("--data.label", "B"),
    ),
    Odd(
        "a column twice", text(table()), "names 'a' more than once", flags=("--data.columns", "a,a")
    ),
    Odd("a label of no class", text(table(c=A)), told="label 'c' has", flags=("--data.label", "c")),
]

FOLDERS = [
    Odd(
        "copies of a notebook",
        parts({"1.parquet": {"a": A, "b": B}, ".ipynb_checkpoints/1.parquet": half(0)}),
        told="1 of 2 files is not read",
        streamed=True,
    ),
    Odd(
        "an unfinished write",
        parts({"1.parquet": {"a": A, "b": B}, "_temporary/0/1.parquet": half(0)}),
        told="1 of 2 files is not read",
        streamed=True,
    ),
    Odd(
        "a copy by hand",
        parts({"t.parquet": half(0), "t (1).parquet": half(0)}),
        told="t.parquet is a copy of t (1).parquet",
        streamed=True,
    ),
    Odd(
        "files beside",
        parts(IN_TWO, empty("_SUCCESS"), empty("notes.txt")),
        told="2 of 4 files are not read",
        streamed=True,
    ),
    Odd("Delta Lake", parts(IN_TWO, LOG), "a table of Delta Lake", streamed=True),
    Odd(
        "Hudi",
        parts(IN_TWO, empty(".hoodie/hoodie.properties")),
        "a table of Apache Hudi",
        streamed=True,
    ),
    Odd(
        "Iceberg",
        parts({"data/1.parquet": half(0)}, empty("metadata/v1.metadata.json")),
        "a table of Apache Iceberg",
        streamed=True,
    ),
    Odd(
        "two kinds",
        parts(IN_TWO, text(table(), "2.csv")),
        "both .parquet and .csv files",
        streamed=True,
    ),
    Odd(
        "no table", then(text("x", "set/part-00000"), lambda path: None), "unknown kind of file ''"
    ),
    Odd("a folder of nothing", lambda folder: "", "no table and no images in this folder"),
    Odd(
        "partitions",
        parts({f"y={y}/1.parquet": half(y) for y in (0, 1)}),
        names=("a", "b", "y"),
        streamed=True,
    ),
    Odd(
        "partitions of text",
        parts({f"y={y}/1.parquet": half(0) for y in "uv"}),
        told="taken as categories: 'y' (2 different)",
        names=("a", "b", "y"),
        streamed=True,
    ),
    Odd(
        "partitions as the label",
        parts({f"y={y}/1.parquet": half(0) for y in "uv"}),
        flags=("--data.label", "y"),
        streamed=True,
    ),
    Odd(
        "partitions of some parts",
        parts({"y=1/1.parquet": half(0), "2.parquet": half(1)}),
        "not in the same folders NAME=VALUE",
        streamed=True,
    ),
    Odd(
        "a partition of no value",
        parts({"y=1/1.parquet": half(0), "y=__HIVE_DEFAULT_PARTITION__/1.parquet": half(1)}),
        "'y'",
        streamed=True,
    ),
    Odd(
        "partitions of codes",
        parts({"y=01/1.parquet": half(0), "y=02/1.parquet": half(1)}),
        told="'y' has values with leading zeros",
        names=("a", "b", "y"),
        streamed=True,
    ),
    Odd(
        "partitions that differ from a column",
        parts({"b=1/1.parquet": half(0), "b=2/1.parquet": half(1)}),
        "in a folder b=1",
        streamed=True,
    ),
    Odd(
        "a column of some parts",
        parts({"0.parquet": half(0), "1.parquet": half(1, c=A)}),
        "'c' is in 1 of 2",
        streamed=True,
    ),
    Odd(
        "the same, left out",
        parts({"0.parquet": half(0), "1.parquet": half(1, c=A)}),
        flags=("--data.columns", "a,b"),
        streamed=True,
    ),
    Odd(
        "signed and unsigned",
        parts({"0.parquet": half(0, c=IDS), "1.parquet": half(1, c=IDS.astype("u8"))}),
        names=("a", "b", "c"),
        streamed=True,
    ),
    Odd(
        "integers and floats",
        parts({"0.parquet": half(0, c=B), "1.parquet": half(1, c=A)}),
        names=("a", "b", "c"),
        streamed=True,
    ),
    Odd(
        "identifiers and floats",
        parts({"0.parquet": half(0, c=IDS), "1.parquet": half(1, c=A)}),
        "column 'c' holds the integer 11529",
        streamed=True,
    ),
    Odd(
        "true beside numbers",
        parts({"0.parquet": half(0, c=B > 3), "1.parquet": half(1, c=B)}),
        "column 'c' is bool in",
        streamed=True,
    ),
    Odd(
        "text beside numbers",
        parts({"0.parquet": half(0, c=B), "1.parquet": half(1, c=B.astype(str))}),
        "column 'c' holds numbers in some parts and text in others",
        streamed=True,
    ),
    Odd(
        "a label of texts and numbers",
        parts({"0.parquet": half(0, c=B), "1.parquet": half(1, c=B.astype(str))}),
        flags=("--data.label", "c"),
        streamed=True,
    ),
    Odd(
        "a part without rows",
        parts(
            {
                "0.parquet": {"a": A, "b": B},
                "1.parquet": {"a": pa.array([], pa.null()), "b": B[:0] * 0.5},
            }
        ),
        streamed=True,
        check=lambda data: data.table_schema.columns[1].dtype == "int64",
    ),
    Odd(
        "a part that is cut",
        parts(IN_TWO, text(b"PAR1" + bytes(50), "0.parquet")),
        "0.parquet: can't be read as .parquet",
        streamed=True,
    ),
    Odd(
        "another spelling",
        parts(IN_TWO, lambda folder: (folder / "0.parquet").rename(folder / "0.PARQ")),
        streamed=True,
    ),
    Odd("a linked folder", parts({"0.parquet": half(0)}, linked_part), streamed=True),
    Odd(
        "a circle of links",
        parts(IN_TWO, link("circle", ".")),
        told="1 of 3 files is not read: circle",
        streamed=True,
    ),
    Odd("a link to nothing", parts(IN_TWO, link("2.parquet", "gone")), "2.parquet: can't be read"),
]
