"""Delimited text as people have it: read right and said, or refused in a line."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scgan.data.tables.csv import read_csv
from scgan.data.tables.reading import read_table

Columns = dict[str, list[Any]]

READ: list[tuple[bytes, Columns, str]] = [
    (b"a,b\n1,2\n", {"a": [1], "b": [2]}, ""),
    (b"a;b\n1;2\n", {"a": [1], "b": [2]}, "semicolons between columns"),
    (b"a;b\n1,5;2\n-3,25;4\n", {"a": [1.5, -3.25], "b": [2, 4]}, "semicolons .*, decimal commas"),
    (b"a;b\n1.5;x,y\n2.5;3,5\n", {"a": [1.5, 2.5], "b": ["x,y", "3,5"]}, "semicolons"),
    (b"a\tb\n1\t2\n", {"a": [1], "b": [2]}, "tabs between columns"),
    (b"a|b\n1|2\n", {"a": [1], "b": [2]}, "bars between columns"),
    (b"a b   c\n  1 2 3\n4 5   6  \n", {"a": [1, 4], "b": [2, 5], "c": [3, 6]}, "blanks between"),
    (b"# by x\na,b\n1,2\n# note\n3,4\n", {"a": [1, 3], "b": [2, 4]}, "2 comment lines left out"),
    (b'# by x\na,b\n1,"u\n# v"\n', {"a": [1], "b": ["u\n# v"]}, "1 comment line left out"),
    (b"# a b\n1 2\n3 4\n", {"a": [1, 3], "b": [2, 4]}, "the names of its comment line 'a b'"),
    (b"a , b\n1 , 2 \n3 ,4\n   \n", {"a": [1, 3], "b": [2, 4]}, "blanks around the names"),
    (b"a,b\r\n1,2\r\n", {"a": [1], "b": [2]}, ""),
    (b"a,b\r1,2\r", {"a": [1], "b": [2]}, ""),
    (b"a;b\r1;2\r", {"a": [1], "b": [2]}, "semicolons"),
    (b"\xef\xbb\xbfa,b\n1,2\n", {"a": [1], "b": [2]}, ""),
    ("a,b\n1,2\n".encode("utf-16"), {"a": [1], "b": [2]}, "UTF-16"),
    ("größe,b\n1,2\n".encode("cp1252"), {"größe": [1], "b": [2]}, "code page 1252"),
    (b'a,b\n1,"x\ny"\n2,"z, w"\n', {"a": [1, 2], "b": ["x\ny", "z, w"]}, ""),
    (b'"a,b",c\n1,2\n', {"a,b": [1], "c": [2]}, ""),
    (b"a\n1\n2\n", {"a": [1, 2]}, ""),
]


@pytest.mark.parametrize(("content", "columns", "told"), READ)
def test_what_is_read(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    columns: Columns,
    told: str,
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    raw = read_csv(tmp_path / "t.csv")
    assert list(raw.names) == list(columns) and not raw.missing
    for name, values in columns.items():
        assert raw.columns[name].tolist() == values
        assert isinstance(raw.columns[name].tolist()[0], type(values[0]))

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == bool(told)
    assert not told or re.search(told, said[0])


def test_packed_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "u.tsv").write_bytes(b"a\tb\n1\t2\n")
    for name in ("t.csv.gz", "u.tsv"):
        assert read_table(tmp_path / name).columns["b"].tolist() == [2]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:-9])
    with pytest.raises(ValueError, match=r"t\.csv\.gz: can't be unpacked, it is damaged"):
        read_table(tmp_path / "t.csv.gz")


def test_integers_come_exact(tmp_path: Path) -> None:
    high = [2**64 - 1, 2**63 + 1, 2**63]
    (tmp_path / "t.csv").write_text("\n".join(["id", *map(str, high)]) + "\n")
    values = read_table(tmp_path / "t.csv").columns["id"]
    assert values.dtype == np.uint64 and values.tolist() == high

    (tmp_path / "t.csv").write_text("id,a\n9007199254740993,1\n,2\n")
    table = read_table(tmp_path / "t.csv", missing="drop")
    assert table.columns["id"].tolist() == [9007199254740993]

    (tmp_path / "t.csv").write_text("id,a\n9007199254740993.0,1\n,2\n9007199254740995.,3\n")
    table = read_table(tmp_path / "t.csv", missing="drop")
    assert table.columns["id"].tolist() == [9007199254740993, 9007199254740995]

    (tmp_path / "t.csv").write_text("a\n9007199254740994.0\n-1.0\n")  # which floats are
    assert read_table(tmp_path / "t.csv").columns["a"].dtype == np.float64
    (tmp_path / "t.csv").write_text("a\n1e20\n1\n12345678901234567890.0\n")
    assert read_table(tmp_path / "t.csv").columns["a"].dtype == np.float64


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ((1.5, 2**53 + 1), 2**53 + 1),
        ((-1, 2**64 - 1), 2**64 - 1),
        ((1, 2**64), 2**64),
        ((-(2**63) - 1, 1), -(2**63) - 1),
        (("9007199254740993.0", "-1.0"), 2**53 + 1),
        ((10**400, 1), 10**400),
        ((10**400, 1.5), 10**400),
    ],
)
def test_integers_that_no_type_holds_are_refused(
    tmp_path: Path, values: tuple[Any, ...], odd: int
) -> None:
    (tmp_path / "t.csv").write_text("\n".join(["ok,id", *(f"1,{value}" for value in values)]))
    with pytest.raises(ValueError, match=f"t.csv: column 'id' holds the integer {odd}, which no"):
        read_table(tmp_path / "t.csv")


def test_leading_zeros_are_said_and_kept_in_a_label(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text("zip,a\n01234,0\n99999,10\n00001,0.5\n")
    table = read_table(tmp_path / "t.csv")
    assert table.columns["zip"].tolist() == [1234, 99999, 1]
    assert caplog.text.count("'zip' has values with leading zeros, which are lost") == 1
    assert "'a'" not in caplog.text
    caplog.clear()
    labels = read_table(tmp_path / "t.csv", label="zip").labels
    assert labels is not None and labels.tolist() == ["01234", "99999", "00001"]
    assert not caplog.text

    for part, text in (("p/1", "k,a\n01,1\n"), ("p/2", "k,a\n12,1\n")):
        path = tmp_path / f"{part}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    labels = read_table(tmp_path / "p", label="k").labels
    assert labels is not None and labels.tolist() == ["01", "12"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"1;2\n3;4\n", "the first line holds numbers (1, 2)"),
        (b"1 2\n3 4\n", "the first line holds numbers (1, 2)"),
        (b"a,b\n1,2\n3\n", "can't be read as .csv"),
        (b"a;b;a\n1;2;3\n", "column 'a' appears 2 times"),
        (b"a,b\n1,2\n2,2 or 3\n", "column 'b' holds text ('2 or 3' in row 2)"),
        (b"a;b\n1.234,5;2\n", "column 'a' holds text ('1.234,5' in row 1)"),
        (b"\xff\xfea\x00b", "can't be read as UTF-16"),
        (b"a,b\n1,\x00\x01\n", "column 'b' holds text"),
        (b"\n\n", "can't be read as .csv"),
        (b"# only a comment\n", "can't be read as .csv"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_table(tmp_path / "t.csv")
    message = str(caught.value)
    assert expected in message and "t.csv" in message and "\n" not in message


def test_line_breaks_in_quotes_of_a_long_file(tmp_path: Path) -> None:
    """Where a reader that cuts the file into blocks at line breaks cuts values apart."""
    rows = "".join(f'{i},"{"u" * 50}\n1,2"\n' for i in range(40_000))
    (tmp_path / "t.csv").write_text(f"a,k\n{rows}")
    table = read_table(tmp_path / "t.csv", label="k")
    assert table.columns["a"].tolist() == list(range(40_000))


def test_blanks_are_no_value(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,   \n2,3\n")
    raw = read_csv(tmp_path / "t.csv")
    assert raw.missing["b"].tolist() == [True, False] and raw.columns["b"][1] == 3


def test_the_first_line_of_excel_names_the_separator(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for first, mark in (("sep=;", ";"), ('"sep=^"', "^"), ("SEP=,", ",")):
        rows = [first, f"a{mark}b", *[f"{i}{mark}{i}5" for i in range(4)]]
        (tmp_path / "t.csv").write_bytes("\r\n".join(rows).encode())
        table = read_table(tmp_path / "t.csv")
        assert table.columns["b"].tolist() == [5, 15, 25, 35]
        assert f"{mark!r} between columns, as its first line says" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_letters(tmp_path: Path, caplog: pytest.LogCaptureFixture, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("a,ä\n1,2\n3,4\n".encode(encoding))
    assert read_table(tmp_path / "t.csv").columns["ä"].tolist() == [2, 4]
    assert f"read with {encoding[:6].upper()}" in caplog.text

    (tmp_path / "t.csv").write_bytes("a,ä\n1,2\n3,4\n".encode(encoding)[:-1])
    with pytest.raises(ValueError, match="can't be read as UTF"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("mark", [";", "|", ":", "^", "~", "\t", "\x01"])
def test_a_single_column_of_several_is_refused(tmp_path: Path, mark: str) -> None:
    rows = [f"a{mark}b", mark.join("123"), *[f"{i % 2}{mark}u" for i in range(9)]]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match="a single column, 'a.*b', with .* in its name and its"):
        read_table(tmp_path / "t.csv")

    (tmp_path / "t.csv").write_text(f"a{mark}b\n" + "u\nv\n" * 9)
    assert read_table(tmp_path / "t.csv").names == (f"a{mark}b",)


def test_digits_of_base_16_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("a,k\n1,0x1F\n2,0x2a\n")
    assert read_table(tmp_path / "t.csv").columns["k"].tolist() == [31, 42]
    assert "'k' has values with digits of base 16, which are lost" in caplog.text
    assert read_table(tmp_path / "t.csv", label="k").labels.tolist() == ["0x1F", "0x2a"]
