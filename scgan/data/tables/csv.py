"""Reader: delimited text as people have it, to columns; what had to be found out of it is said."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scgan.data.raw import Raw, arrow_errors
from scgan.data.tables.arrow import from_arrow
from scgan.data.telling import tell

if TYPE_CHECKING:
    import pyarrow as pa

NUM_LINES = 50  # looked at for the delimiter and the decimal point
EXACT = 2**53  # integers up to which a float64 can be told from its neighbours
BLANKS = [" " * number for number in range(1, 9)]  # a value of blanks is none
_INTEGER = re.compile(r"[+-]?\d{1,4000}(?:\.0*)?")
_SEPARATOR = re.compile(rb'"?sep=([^\r\n])"?\r?\n', re.IGNORECASE)
_OTHERS = ";|:^~\t\x01"  # what people also separate columns with
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32"}
_MARKS |= {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")
_POINT_DECIMAL = re.compile(r"[+-]?\d*\.\d+")


@dataclass(frozen=True)
class _Text:
    """A file's text, and how it is laid out.

    Attributes:
        content: UTF-8, without comments.
        delimiter: Between columns.
        decimal: The decimal point.
        said: What had to be found out, in words.
    """

    content: bytes
    delimiter: str = ","
    decimal: str = "."
    said: tuple[str, ...] = ()


def read_csv(path: Path) -> Raw:
    """Read values under a line of names, separated by commas or what else separates them.

    Semicolons, tabs, bars and blanks, decimal commas, comment lines (#), UTF-16 and Windows' code
    page are found out and said. Integers come exact, or are refused.

    Raises:
        ValueError: If it can't be read so.
    """
    text = _laid_out(_delimited(_without_comments(_decoded(path))))
    if text.said:
        tell(path, f"read with {', '.join(text.said)}")

    with arrow_errors(path):
        table = _parsed(text, {})
        names = [name.strip() for name in table.column_names]

    if names and all(map(_is_number, names)):
        raise ValueError(
            f"{path}: the first line holds numbers ({', '.join(names[:3])}); it must name the "
            "columns"
        )

    _check_separated(path, table)

    # By their places, as names may be repeated; this has an error of its own.
    own, table = table.column_names, table.rename_columns(names)
    if own != names:
        tell(path, "blanks around the names of columns are left out")

    if len(set(own)) < len(own):
        return from_arrow(table)

    with arrow_errors(path):
        raw = _exact(path, text, table, own)
        return replace(raw, codes=_codes(text, table, own))


def _check_separated(path: Path, table: pa.Table) -> None:
    """Refuse a single column whose values are several, separated by something else."""
    import pyarrow as pa
    from pyarrow import compute

    if table.num_columns != 1 or not pa.types.is_string(table.schema.field(0).type):
        return

    for mark in (mark for mark in _OTHERS if mark in table.column_names[0]):
        there = compute.mean(compute.match_substring(table[0], mark).cast(pa.int8())).as_py()
        if there is not None and there > 0.5:
            raise ValueError(
                f"{path}: a single column, {table.column_names[0][:40]!r}, with {mark!r} in its "
                "name and its values; separate columns by commas, and each row into as many"
            )


def _decoded(path: Path) -> _Text:
    """The text as UTF-8, unpacked."""
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: can't be unpacked, it is damaged ({error})") from None

    if encoding := _wide(content):
        name = encoding[:6].upper()
        try:
            return _Text(content.decode(encoding).encode(), said=(name,))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: can't be read as {name} ({error.reason})") from None

    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in content:  # lines as old Macs end them
        content = content.replace(b"\r", b"\n")
    try:
        content.isascii() or content.decode()
        return _Text(content)
    except UnicodeDecodeError:
        # Five bytes of this code page stand for nothing.
        told = "Windows' code page 1252, as it is no UTF-8"
        return _Text(content.decode("cp1252", errors="replace").encode(), said=(told,))


def _wide(content: bytes) -> str | None:
    """The encoding of a text of more than a byte a letter, by its mark or its first letters."""
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if marked is not None or b"\0" not in content[:4]:
        return marked
    zeros = bytes(byte == 0 for byte in content[:4])
    return {b"\1\0\1\0": "utf-16-be", b"\0\1\0\1": "utf-16-le"}.get(zeros)


def _without_comments(text: _Text) -> _Text:
    """Leave lines out that begin with # or hold nothing but blanks."""
    content = text.content
    if not content.startswith((b"#", b" ", b"\n")) and not any(
        start in content for start in (b"\n#", b"\n ")
    ):
        return text

    if b'"' in content:  # within quotes, such a line may be part of a value
        top = re.match(rb"(?:[ \t]*(?:#[^\n]*)?\n)*", content)
        found = top.group() if top is not None else b""
        rest = content[len(found) :]
    else:
        found = b"".join(re.findall(rb"(?m)^#.*(?:\n|\Z)", content))
        rest = re.sub(rb"(?m)^(?:#.*| +\r?)(?:\n|\Z)", b"", content)

    comments = [line for line in found.splitlines() if line.startswith(b"#")]
    if not comments:
        return replace(text, content=rest)

    # A table's names may be in the last comment above it.
    named = comments[-1].lstrip(b"# ")
    first = re.split(r"[,;\t| ]+", rest.partition(b"\n")[0].decode().strip())
    if all(map(_is_number, first)) and content.startswith(b"#"):
        said = f"the names of its comment line {named.decode()[:40]!r}"
        return replace(text, content=named + b"\n" + rest, said=(*text.said, said))

    said = f"{len(comments)} comment line{'s' * (len(comments) > 1)} left out"
    return replace(text, content=rest, said=(*text.said, said))


def _delimited(text: _Text) -> _Text:
    """Find what separates the columns; commas where all lines have as many of them."""
    if found := _SEPARATOR.match(text.content):  # as Excel has it
        own = found[1].decode(errors="replace")
        said = (*text.said, f"{own!r} between columns, as its first line says")
        return replace(text, content=text.content[found.end() :], delimiter=own, said=said)

    lines = _lines(text.content)
    for delimiter, name in ((",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if _fits(lines, delimiter):
            said = (*text.said, f"{name} between columns") if name else text.said
            return replace(text, delimiter=delimiter, said=said)

    blank = [line.split() for line in lines]
    if b'"' in text.content or b"," in text.content or len(blank[0] if blank else ()) < 2:
        return text
    if len(set(map(len, blank))) > 1:
        return text

    content = re.sub(rb"[ \t]+", b",", re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", text.content))
    return replace(text, content=content, said=(*text.said, "blanks between columns"))


def _lines(content: bytes) -> list[str]:
    """The first lines that hold anything."""
    start = io.BytesIO(content)
    lines = (line.decode(errors="replace") for line in start if line.strip())
    return list(islice(lines, NUM_LINES))


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:  # what Arrow may read, or has an error of its own for
        return []


def _fits(lines: list[str], delimiter: str) -> bool:
    widths = list(map(len, _rows(lines, delimiter)))
    # A value with a line break may end beyond the lines that are looked at.
    return bool(widths) and widths[0] > 1 and len(set(widths[:-1] or widths)) == 1


def _laid_out(text: _Text) -> _Text:
    """Find decimal commas where commas don't separate columns."""
    if text.delimiter == ",":
        return text

    rows = _rows(_lines(text.content), text.delimiter)[1:]
    fields = [field.strip() for field in chain.from_iterable(rows)]
    commas, points = (
        any(map(pattern.fullmatch, fields)) for pattern in (_COMMA_DECIMAL, _POINT_DECIMAL)
    )
    if commas and not points:
        return replace(text, decimal=",", said=(*text.said, "decimal commas"))
    return text


def _parsed(text: _Text, types: Mapping[str, Any], names: list[str] | None = None) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    parse = arrow_csv.ParseOptions(
        delimiter=text.delimiter, newlines_in_values=b'"' in text.content
    )
    convert = arrow_csv.ConvertOptions(
        strings_can_be_null=True,
        null_values=[*arrow_csv.ConvertOptions().null_values, *BLANKS],
        decimal_point=text.decimal,
        column_types=types,
        include_columns=names,
    )
    return arrow_csv.read_csv(
        pa.BufferReader(text.content), parse_options=parse, convert_options=convert
    )


def _exact(path: Path, text: _Text, table: pa.Table, own: list[str]) -> Raw:
    """The columns, with integers above 2^63 as they are.

    Raises:
        ValueError: If a float can't hold an integer of its column.
    """
    import pyarrow as pa

    raw = from_arrow(table)
    columns = dict(raw.columns)
    for name, values in raw.columns.items():
        if values.dtype.kind != "f" or not (np.abs(values) >= EXACT).any():
            continue

        column = own[raw.names.index(name)]
        texts = _parsed(text, {column: pa.string()}, [column])[0].to_pylist()
        known = [None if t is None else _integer(t) for t in texts]
        every = known.count(None) == texts.count(None)
        pointed = ["." in (t or "") for t in texts]
        if not every:  # beside other floats, what ends in .0 is one
            known = [None if point else i for i, point in zip(known, pointed, strict=True)]

        integers = [i for i in known if i is not None]
        plain = every and not any(pointed)
        lost = integers if plain else [i for i in integers if not _is_float(i)]

        if every and lost and min(integers) >= 0 and max(integers) < 2**64:
            columns[name] = np.fromiter((i or 0 for i in known), np.uint64, len(texts))
        elif lost:
            odd = max(lost, key=abs)
            raise ValueError(
                f"{path}: column {name!r} holds the integer {odd}, which no number here can hold "
                "beside the column's others; leave the column out, or save it as text"
            )

    return replace(raw, columns=columns)


def _integer(text: str) -> int | None:
    """The whole number that a text writes, if it does."""
    digits = text.strip()
    return int(digits.partition(".")[0]) if _INTEGER.fullmatch(digits) else None


def _is_float(integer: int) -> bool:
    """Whether a float64 is this number."""
    try:
        return float(integer) == integer  # compared exactly
    except OverflowError:
        return False


def _codes(text: _Text, table: pa.Table, own: list[str]) -> dict[str, np.ndarray]:
    """Texts of the columns of integers with leading zeros, or in hexadecimal digits."""
    import pyarrow as pa
    from pyarrow import compute

    zeros = rb'(?m)(?:^|[,;\t|])[ "]*[+-]?0[\dxX]'
    found: dict[str, np.ndarray] = {}
    if not re.search(zeros, text.content.partition(b"\n")[2]):
        return found

    for place, name in enumerate(own):
        if not pa.types.is_integer(table.schema.field(place).type):
            continue

        texts = _parsed(text, {name: pa.string()}, [name])[0]
        if compute.any(compute.match_substring_regex(texts, r"^\s*[+-]?0[\dxX]")).as_py():
            found[table.column_names[place]] = texts.fill_null("").to_numpy()

    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
