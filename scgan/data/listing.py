"""What of a folder is its data, by the files' names alone: so that a disk and S3 are read alike."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np

from scgan.data.telling import listed, tell

FOLDER_SUFFIXES = (".parquet", ".csv", ".feather")
"""Of files that a folder can hold as the parts of one table."""

# Other spellings and packings of a kind of file.
_SAME = {
    ".pq": ".parquet",
    ".parq": ".parquet",
    ".arrow": ".feather",
    ".ipc": ".feather",
    ".tsv": ".csv",
    ".csv.gz": ".csv",
    ".tsv.gz": ".csv",
    ".hdf5": ".h5",
    ".hdf": ".h5",
    ".fit": ".fits",
    ".fits.gz": ".fits",
    ".tgz": ".tar",
    ".tar.gz": ".tar",
    ".tar.bz2": ".tar",
    ".tar.xz": ".tar",
}

ARCHIVES = (".zip", ".tar")
"""Of images, read as they are packed."""

_INSIDE = re.compile(r"(.+\.(?:h5|hdf5|hdf|fits|fit|root)):(.+)", re.IGNORECASE)

# How to know that what is in a table's files is said elsewhere: by a name in a folder of the table.
_LAKES = (
    ("_delta_log", re.compile(""), "Delta Lake"),
    (".hoodie", re.compile(""), "Apache Hudi"),
    ("metadata", re.compile(r"^(v\d+|\d+-.+)\.metadata\.json$"), "Apache Iceberg"),
    ("snapshot", re.compile(r"^snapshot-\d+$"), "Apache Paimon"),
)
LOGS = tuple(folder for folder, _, _ in _LAKES)
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def split_inside(path: PurePath) -> tuple[Path, str]:
    """A file, and what is asked for of all it holds, empty if nothing is: ``t.h5:group/set``."""
    found = _INSIDE.fullmatch(str(path))
    return (Path(found[1]), found[2]) if found is not None else (Path(path), "")


def kind_of(path: PurePath) -> str:
    """The suffix that stands for a file's kind: ``.csv`` for ``a.CSV``, ``a.tsv``, ``a.csv.gz``."""
    name = split_inside(path)[0].name.lower()
    double = next((end for end in _SAME if end.count(".") == 2 and name.endswith(end)), None)
    suffix = double or PurePosixPath(name).suffix
    return _SAME.get(suffix, suffix)


def is_hidden(path: PurePath) -> bool:
    """Whether other programs left it: a part of its name begins with a dot or an underscore.

    Folders of partitions may begin so: ``_year=2020``.
    """
    dotted = any(part.startswith(".") for part in path.parts)
    cached = path.name.startswith("cache-") and path.suffix == ".arrow"  # Hugging Face's
    return dotted or cached or any(part.startswith("_") and "=" not in part for part in path.parts)


def walk(folder: Path) -> list[Path]:
    """All files in a folder and below, sorted; links are followed, but never in a circle."""
    found = list[Path]()
    above = {folder: {folder.resolve()}}

    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        found += [here / file for file in files]
        seen = above.pop(here)

        for below in list(folders):
            real = (here / below).resolve()
            if real in seen:
                folders.remove(below)
                found.append(here / below)  # named with what is not read
            else:
                above[here / below] = seen | {real}

    return sorted(found)


def check_lake(source: str, names: Iterable[PurePath]) -> None:
    """Refuse a table whose log says which of its files, and which of their rows, are valid.

    Raises:
        ValueError: In one line, with the table's kind.
    """
    for name in names:
        for place, part in enumerate(name.parts[:-1]):
            if kind := lake_of(part, name.parts[place + 1]):
                where = "/".join(name.parts[:place])
                raise _no_lake(source, f"{where} is" if where else "this is", kind)


def check_above(source: str, path: Path) -> None:
    """Refuse what lies within such a table.

    Raises:
        ValueError: In one line, with the table's kind.
    """
    for above, log in product(path.resolve().parents, LOGS):
        with suppress(OSError):  # most have none
            check_log(source, str(above), log, os.listdir(above / log))


def check_log(source: str, above: str, log: str, entries: Iterable[str]) -> None:
    """The same of one folder above a source, by the names in its sub-folder for a log.

    Raises:
        ValueError: In one line, with the table's kind.
    """
    for entry in entries:
        if kind := lake_of(log, entry):
            raise _no_lake(source, f"{above} is", kind)


def lake_of(log: str, entry: str) -> str | None:
    """The kind of a table with a folder ``log`` of such an entry; None for a plain one."""
    fits = (kind for folder, name, kind in _LAKES if folder == log and name.search(entry))
    return next(fits, None)


def _no_lake(source: str, what: str, kind: str) -> ValueError:
    how = "deltalake.DeltaTable(PATH).to_pandas()" if kind == "Delta Lake" else "its own reader"
    return ValueError(
        f"{source}: {what} a table of {kind}, whose files hold deleted rows, too; write its "
        f"present rows, as {how} gives them, into a folder of their own, as .parquet"
    )


def table_parts(source: str, names: Sequence[PurePath]) -> list[PurePath]:
    """The parts of a table among the names of a folder.

    Args:
        source: What messages call the folder.
        names: Of all files in it, relative to it.

    Returns:
        Those to read, in the order of the names; none if there is no table.

    Raises:
        ValueError: If there are several kinds of table, or it is one of a lake.
    """
    check_lake(source, names)
    parts = [name for name in sorted(names) if not is_hidden(name)]
    parts = [name for name in parts if kind_of(name) in FOLDER_SUFFIXES]
    kinds = [kind for kind in FOLDER_SUFFIXES if kind in set(map(kind_of, parts))]

    if len(kinds) > 1:
        both = " and ".join(kinds)
        raise ValueError(f"{source}: both {both} files in this folder; keep one kind")

    return parts


def tell_unread(source: str, names: Collection[PurePath], read: Collection[PurePath]) -> None:
    """Say which files of a folder are no part of the data."""
    rest = sorted(set(names) - set(read))
    if rest:
        verb = "is" if len(rest) == 1 else "are"
        tell(source, f"{len(rest)} of {len(names)} files {verb} not read: {listed(rest)}")


class Cell(NamedTuple):
    """What the name of a part's folder, ``year=2020``, says of a column of all its rows.

    Attributes:
        value: An integer where all parts have one; None for no value.
        code: The text, where the number doesn't say all of it: ``"007"``; else None.
    """

    value: int | str | None
    code: str | None


def partitions(source: str, parts: Sequence[PurePath]) -> list[dict[str, Cell]]:
    """The columns that are in the names of folders alone, as Hive, Spark and pandas write them.

    Args:
        source: What messages call the folder.
        parts: Names of files relative to it.

    Returns:
        Of each part, name to value.

    Raises:
        ValueError: If only some parts are in such folders, or one names a column twice.
    """
    pairs = [list(_pairs(part)) for part in parts]
    texts = [dict(pair) for pair in pairs]
    for part, pair, text in zip(parts, pairs, texts, strict=True):
        if len(pair) > len(text):
            raise ValueError(f"{source}: {part} is in two folders NAME=VALUE of one name")

    keys = Counter(tuple(text) for text in texts)
    if len(keys) > 1:
        odd = parts[[tuple(text) for text in texts].index(keys.most_common()[-1][0])]
        raise ValueError(
            f"{source}: {odd} is not in the same folders NAME=VALUE as the others; give it those"
        )

    names = list(texts[0]) if texts else []
    columns = [_cells(column) for column in zip(*map(dict.values, texts), strict=True)]
    rows = zip(*columns, strict=True) if names else [()] * len(parts)
    return [dict(zip(names, cells, strict=True)) for cells in rows]


def _pairs(part: PurePath) -> Iterator[tuple[str, str | None]]:
    for folder in part.parts[:-1]:
        name, equals, value = folder.partition("=")
        if equals and name:
            yield unquote(name), None if value in {NO_VALUE, ""} else unquote(value)


def _cells(texts: Sequence[str | None]) -> list[Cell]:
    some = [text for text in texts if text is not None]
    digits = [text.removeprefix("-") for text in some]
    whole = all(text.isascii() and text.isdigit() and len(text) < 20 for text in digits)
    if not whole or not all(-(2**63) <= int(text) < 2**63 for text in some):
        return [Cell(text, None) for text in texts]

    coded = any(text.startswith("0") and text != "0" for text in digits)
    return [Cell(None if t is None else int(t), t if coded else None) for t in texts]


def tell_zeros(source: str, name: str, what: str = "leading zeros") -> None:
    """Say that a column of codes is read as numbers, and so loses how they were written."""
    tell(
        source,
        f"column {name!r} has values with {what}, which are lost, as they are read as numbers; as "
        "the label they are kept",
    )


def tell_copies(source: str, files: Sequence[Path]) -> None:
    """Say which files of a folder are the same byte for byte, as copies by hand are; all are read.

    Args:
        source: What messages call their folder.
        files: On this machine.
    """
    sizes = Counter(file.stat().st_size for file in files if file.is_file())
    first: dict[tuple[Path, str], Path] = {}
    for file in files:
        if file.is_file() and sizes[file.stat().st_size] > 1:
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            known = first.setdefault((file.parent, digest), file)
            if known != file:
                tell(source, f"{file.name} is a copy of {known.name}, and read as well")


def tell_arrays(source: object, arrays: Mapping[str, np.ndarray], read: Collection[str]) -> None:
    """Say which arrays of an archive are no part of the data."""
    rest = [f"{n} {list(array.shape)}" for n, array in arrays.items() if n not in read]
    if rest:
        tell(source, f"arrays that are not read: {listed(rest)}")
