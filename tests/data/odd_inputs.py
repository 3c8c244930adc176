"""Inputs as they go wrong for people: a file or folder each, and what is right.

Right is either that the data is read and what is odd of it said, or one line that refuses it before
anything trains. None may pass in silence.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

NUM = 60
RNG = np.random.default_rng(0)
A = RNG.normal(size=NUM).round(3)
B = RNG.integers(0, 9, NUM)
IDS = 2**60 + 2 * np.arange(NUM) + 1


@dataclass(frozen=True)
class Odd:
    """An input.

    Attributes:
        name: What is odd of it.
        make: Writes it into a folder; its path relative to that, or an address.
        refused: What the line that refuses it must hold; None where it must be read.
        told: What must be said of it where it is read; empty if nothing needs to be.
        names: Columns, or classes, that must be there then.
        rows: How many, where it is not all.
        flags: Words of the command.
        streamed: Whether it must be the same where it is streamed.
    """

    name: str
    make: Callable[[Path], str]
    refused: str | None = None
    told: str = ""
    names: tuple[str, ...] = ("a", "b")
    rows: int = NUM
    flags: Sequence[str] = ()
    streamed: bool = False
    check: Callable[[Any], bool] = field(default=lambda data: True)


def text(content: str | bytes, name: str = "t.csv") -> Callable[[Path], str]:
    """A file of this content."""

    def make(folder: Path) -> str:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return make


def csv(columns: dict[str, Any], sep: str = ",", end: str = "\n", above: str = "") -> str:
    """Columns as text."""
    rows = zip(*columns.values(), strict=True)
    lines = [sep.join(columns), *(sep.join(map(str, row)) for row in rows)]
    return above + end.join(lines) + end


def table(**columns: Any) -> str:
    """Two good columns, and others, as text."""
    return csv({"a": A, "b": B, **columns})


def part(path: Path, columns: dict[str, Any]) -> None:
    """A parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def parts(files: dict[str, dict[str, Any]], *more: Callable[[Path], Any]) -> Callable[[Path], str]:
    """A folder of parquet files, and what else is done to it."""

    def make(folder: Path) -> str:
        for name, columns in files.items():
            part(folder / "set" / name, columns)
        for change in more:
            change(folder / "set")
        return "set"

    return make


def one(**columns: Any) -> Callable[[Path], str]:
    """A parquet file of two good columns, and others."""

    def make(folder: Path) -> str:
        part(folder / "t.parquet", {"a": A, "b": B, **columns})
        return "t.parquet"

    return make


def half(place: int, **columns: Any) -> dict[str, Any]:
    """Two good columns, the one half of their rows or the other, and others."""
    rows = slice(place * NUM // 2, (place + 1) * NUM // 2)
    return {"a": A[rows], "b": B[rows], **{n: values[rows] for n, values in columns.items()}}


def empty(name: str) -> Callable[[Path], None]:
    """A further file of no bytes."""

    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()

    return make


def npz(**arrays: Any) -> Callable[[Path], str]:
    """An archive of arrays."""

    def make(folder: Path) -> str:
        np.savez(folder / "t.npz", **arrays)
        return "t.npz"

    return make


def npy(array: Any) -> Callable[[Path], str]:
    """An array."""

    def make(folder: Path) -> str:
        np.save(folder / "t.npy", array, allow_pickle=True)
        return "t.npy"

    return make


def fill(
    folder: Path, suffix: str = ".png", num: int = 12, most: int = 256, kind: str = "uint8"
) -> None:
    """Images of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        array = RNG.integers(0, most, (32, 32)).astype(kind)
        image = Image.fromarray(array)
        image.save(folder / f"{i}{'.jpg' if suffix == '.jfif' else suffix}")
        if suffix == ".jfif":
            (folder / f"{i}.jpg").rename(folder / f"{i}.jfif")


def pictures(*folders: str, **how: Any) -> Callable[[Path], str]:
    """Folders of images."""

    def make(folder: Path) -> str:
        for name in folders:
            fill(folder / "set" / name, **how)
        return "set"

    return make


def then(make: Callable[[Path], str], *more: Callable[[Path], Any]) -> Callable[[Path], str]:
    """An input to which something else is done."""

    def both(folder: Path) -> str:
        name = make(folder)
        for change in more:
            change(folder / name)
        return name

    return both


def packed(make: Callable[[Path], str], damage: int = 0) -> Callable[[Path], str]:
    """The folder as .zip, so many bytes of its end lost."""

    def zipped(folder: Path) -> str:
        inside = folder / make(folder)
        with zipfile.ZipFile(folder / "t.zip", "w") as archive:
            for file in sorted(inside.rglob("*")):
                archive.write(file, file.relative_to(inside))
        content = (folder / "t.zip").read_bytes()
        (folder / "t.zip").write_bytes(content[: len(content) - damage])
        return "t.zip"

    return zipped


def address(url: str) -> Callable[[Path], str]:
    """An address of no file."""
    return lambda folder: url


def link(name: str, target: str) -> Callable[[Path], None]:
    """A link in the folder."""
    return lambda folder: os.symlink(target, folder / name)


def linked_class(folder: Path) -> None:
    """A class whose folder is a link."""
    fill(folder.parent / "elsewhere")
    os.symlink(folder.parent / "elsewhere", folder / "dog")


def linked_part(folder: Path) -> None:
    """A part in a folder that is a link."""
    part(folder.parent / "elsewhere/1.parquet", half(1))
    os.symlink(folder.parent / "elsewhere", folder / "more")


def marked(value: float, num: int) -> list[float]:
    """A column of which some values are a mark."""
    return [value] * num + A[num:].tolist()


DELTA = json.dumps({"add": {"path": "1.parquet"}}).encode()
LOG = text(DELTA, "_delta_log/00000000000000000000.json")
GAPS = ["", *B[1:].tolist()]
EVENTS = np.rec.fromarrays([A, B], names=["a", "b"])
IN_TWO = {"0.parquet": half(0), "1.parquet": half(1)}

TEXTS = [
    Odd("an empty file", text(""), "t.csv: the file is empty"),
    Odd("names alone", text("a,b\n"), "there are no rows"),
    Odd("no names", text(csv({"1": A, "2": B})), "the first line holds numbers (1, 2)"),
    Odd("a name twice", text("a,b,a\n1,2,3\n"), "column 'a' appears 2 times"),
    Odd("an index without a name", text(csv({"": B, "a": A})), "column 1 has no name"),
    Odd("a row that is short", text(table() + "1\n"), "t.csv: can't be read as .csv"),
    Odd("text", text(table(c=["x"] * NUM)), "column 'c' holds text ('x' in row 1)"),
    Odd("units beside numbers", text(table(c=["5 km"] * NUM)), "holds text ('5 km' in row 1)"),
    Odd("per cent", text(table(c=["5%"] * NUM)), "holds text ('5%' in row 1)"),
    Odd("thousands", text(table(c=['"1,234"'] * NUM)), "holds text ('1,234' in row 1)"),
    Odd("complex numbers", text(table(c=["1+2j"] * NUM)), "holds text ('1+2j' in row 1)"),
    Odd("dates", text(table(c=["2020-01-01"] * NUM)), "column 'c' holds dates or times"),
    Odd("times of day", text(table(c=["12:30:00"] * NUM)), "column 'c' holds dates or times"),
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
    Odd("blanks around", text(csv({" a ": A, "b ": B}, " , "))),
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
        "column 'y' holds text ('u' in row 1)",
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
        "holds numbers written as text",
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

COLUMNS = [
    Odd(
        "a column of bytes",
        one(c=pa.array([b"u", b"v"] * 30)),
        "column 'c' holds text (b'u' in row 1)",
        streamed=True,
    ),
    Odd(
        "bytes as the label",
        one(c=pa.array([b"u", b"v"] * 30)),
        flags=("--data.label", "c"),
        streamed=True,
        check=lambda data: set(data.train_labels) == {"u", "v"},
    ),
    Odd("lists", one(c=[[1, 2]] * NUM), "column 'c' holds a list in each row", streamed=True),
    Odd("records", one(c=[{"x": 1}] * NUM), "column 'c' holds dict objects", streamed=True),
    Odd(
        "decimals",
        one(c=pa.array([1] * NUM).cast(pa.decimal128(20))),
        "column 'c' holds Decimal objects",
        streamed=True,
    ),
    Odd(
        "instants",
        one(c=pa.array([0] * NUM).cast(pa.timestamp("ms", "UTC"))),
        "column 'c' holds dates or times",
        streamed=True,
    ),
    Odd(
        "categories",
        one(c=pa.array(["u", "v"] * 30).dictionary_encode()),
        "column 'c' holds text ('u' in row 1)",
        streamed=True,
    ),
    Odd("a column of no type", one(c=pa.nulls(NUM)), "'c'", streamed=True),
    Odd("halves", one(c=A.astype("f2")), names=("a", "b", "c"), streamed=True),
    Odd(
        "pickles",
        text(pickle.dumps({"a": 1}), "t.npy"),
        "pickled Python objects, which are never loaded",
    ),
    Odd("objects", npy(np.array([[1, "a"]], dtype=object)), "never loaded"),
    Odd("a structured array", npy(EVENTS)),
    Odd("a flat array", npy(A), "the array has shape [60]"),
    Odd("a cube", npy(np.zeros((4, 4, 4))), "the array has shape [4, 4, 4]"),
    Odd("complex", npz(a=A, c=A * 1j), "complex128 values"),
    Odd("long doubles", npz(a=A, c=A.astype(np.longdouble)), "float128 values"),
    Odd("another byte order", npz(a=A.astype(">f4"), b=B)),
    Odd(
        "labels [N, 1]",
        npz(X=np.c_[A, B], y=(B % 3)[:, None]),
        names=("x0", "x1"),
        check=lambda data: data.train_labels.ndim == 1,
    ),
    Odd(
        "labels one-hot",
        npz(X=np.c_[A, B], y=np.eye(3)[B % 3]),
        names=("x0", "x1"),
        check=lambda data: set(data.train_labels) == {0, 1, 2},
    ),
    Odd(
        "labels of no shape", npz(X=np.c_[A, B], y=np.ones((NUM, 2))), "label 'y' has shape [60, 2]"
    ),
    Odd(
        "labels of another length",
        npz(X=np.c_[A, B], y=B[:9]),
        told="arrays that are not read: y [9]",
        names=("x0", "x1"),
    ),
    Odd(
        "columns of two lengths", npz(a=A, b=B[:9]), "1-D arrays of one length; found a [60], b [9]"
    ),
]

IMAGES = [
    Odd(
        "copies of a notebook",
        pictures("cat", "dog", ".ipynb_checkpoints"),
        told="12 of 36 files are not read",
        names=("cat", "dog"),
        rows=24,
    ),
    Odd("a linked class", then(pictures("cat"), linked_class), names=("cat", "dog"), rows=24),
    Odd(
        "a less usual suffix",
        then(pictures("cat"), lambda path: fill(path / "dog", ".jfif")),
        names=("cat", "dog"),
        rows=24,
    ),
    Odd(
        "a class that can't be read",
        then(pictures("cat", "dog"), empty("fox/1.heic")),
        told="no image of fox can be read",
        names=("cat", "dog"),
        rows=24,
    ),
    Odd(
        "one more folder",
        pictures("x/train/cat", "x/train/dog", "x/test/cat"),
        told="all images are in x",
        names=("cat", "dog"),
        rows=36,
    ),
    Odd(
        "parts below classes",
        pictures("cat/train", "cat/test", "dog/train"),
        "train and test are folders in cat",
    ),
    Odd(
        "something beside the parts",
        pictures("train/cat", "test/cat", "more"),
        "there are images in more",
    ),
    Odd(
        "a class to test alone",
        pictures("train/cat", "train/dog", "test/fox"),
        "class 'fox' has no place",
    ),
    Odd(
        "12 bits", pictures("", most=4096, kind="uint16"), told="read as 12 bits", names=(), rows=12
    ),
    Odd("masks", pictures("", most=2), told="read as black and white", names=(), rows=12),
    Odd("dark images", pictures("", most=9), told="almost black", names=(), rows=12),
    Odd("floats", pictures("", kind="float32", suffix=".tif"), "its pixels are floats"),
    Odd("small images", npz(images=np.zeros((12, 9, 9), "u1")), "the images are 9 pixels"),
    Odd(
        "a damaged image",
        then(pictures("cat", "dog"), text(b"x", "dog/0.png")),
        "1 of 24 images can't be read: dog/0.png (not an image)",
    ),
    Odd(
        "an image without a class",
        then(pictures("cat", "dog"), lambda path: fill(path, num=1)),
        "1 of 25 images are in no sub-folder",
    ),
    Odd("an archive", packed(pictures("cat", "dog")), names=("cat", "dog"), rows=24),
    Odd(
        "an archive that is cut", packed(pictures("cat"), damage=99), "t.zip: can't be read as .zip"
    ),
    Odd("an archive of tables", packed(parts(IN_TWO)), "no images in this archive"),
    Odd(
        "settings of tables",
        pictures("cat"),
        "it has no --data.missing_values to choose",
        flags=("--data.missing_values", "1"),
    ),
]

ADDRESSES = [
    Odd("s3a", address("s3a://b/t.csv"), "write it as s3://b/t.csv"),
    Odd("Google's", address("gs://b/t.csv"), "gs:// addresses can't be read"),
    Odd("the web's", address("https://host/t.csv"), "https:// addresses can't be read"),
    Odd("no bucket", address("s3://"), "names no object"),
]

ALL = [*TEXTS, *FOLDERS, *COLUMNS, *IMAGES, *ADDRESSES]
