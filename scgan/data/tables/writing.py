"""Samples as a file of the user's own format."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scgan.data.atomic import check_place, written_whole
from scgan.data.listing import kind_of
from scgan.data.raw import optional
from scgan.data.tables.arrow import arrow_array, to_arrow
from scgan.data.tables.frames import to_pandas
from scgan.data.tables.scientific import write_fits, write_hdf5, write_root
from scgan.data.tables.taking import is_number
from scgan.data.tables.values import PLAIN, Meaning, Meanings, mask_of
from scgan.data.telling import listed, tell

Columns = Mapping[str, np.ndarray]


def write_samples(path: str | Path, columns: Columns, meanings: Meanings | None = None) -> None:
    """Write a table, whole or not at all.

    ``read_table`` gives the same columns back: of the same types from .parquet, .feather and .npz,
    as x0, x1, ... from .npy; .csv knows only 64-bit integers, 64-bit floats, bool, texts, and times
    of the zone UTC.

    Args:
        path: A file of a suffix in :data:`WRITERS`; replaced where there is one, its folder made
            where missing.
        columns: Name to values, each ``[N]``, masked where they are missing; for .npy all of one
            type.
        meanings: What columns are beyond numpy's types.

    Raises:
        ValueError: In one line, for another suffix, unequal lengths, what the format can't hold or
            a place that can't be written.
    """
    path = Path(path).expanduser()
    check_target(path)
    lengths = set(map(len, columns.values()))

    if not lengths:
        raise ValueError(f"{path}: no columns")
    if len(lengths) > 1:
        raise ValueError(f"{path}: columns differ in length: {sorted(lengths)}")

    meanings = meanings or {}
    kind, writer = _writer(path)
    if kind in _NUMPY_ONLY:
        columns = {n: _held(path, kind, n, v, meanings.get(n, PLAIN)) for n, v in columns.items()}
    if kind in {".csv", ".csv.gz"}:
        _tell_texts(path, columns)
    with written_whole(path) as partial:
        writer(partial, columns, meanings)


def _tell_texts(path: Path, columns: Columns) -> None:
    """Say which texts are taken for something else where .csv is read."""
    from pyarrow.csv import ConvertOptions

    marks = {"", *ConvertOptions().null_values}
    for name, values in columns.items():
        if values.dtype.kind != "U":
            continue

        texts = np.unique(np.ma.getdata(values)[~mask_of(values)]).tolist()
        odd = [repr(text) for text in texts if text in marks]
        if odd:
            what = f"{listed(odd)}, which readers of .csv take for no value"
        elif texts and all(map(is_number, texts)):
            what = f"{listed([*map(repr, texts)])}, which readers of .csv take for numbers"
        else:
            continue
        tell(path, f"column {name!r} holds the texts {what}; .parquet keeps them")


def check_target(path: str | Path) -> None:
    """Refuse a file that can't be written, or of an unknown format, before samples are drawn.

    Raises:
        ValueError: In one line, with the formats that are allowed or the reason.
    """
    path = Path(path).expanduser()
    _writer(path)
    if kind_of(path) in _NEEDED:
        optional(*_NEEDED[kind_of(path)], path)

    if path.is_dir():
        raise ValueError(f"{path}: can't be written: it is a folder")
    check_place(path)


# What of other kinds than numbers each of these formats holds, by numpy's letters; no zones.
_NUMPY_ONLY = {".npz": "UMm", ".npy": "", ".h5": "U", ".fits": "U", ".root": ""}


def _held(path: Path, kind: str, name: str, values: np.ndarray, meaning: Meaning) -> np.ndarray:
    """A column as a format of numpy's types holds it: NaN for gaps in floats.

    Raises:
        ValueError: If it can't.
    """
    data, mask = np.ma.getdata(values), mask_of(values)
    what = None
    if data.dtype.kind in "UMm" and data.dtype.kind not in _NUMPY_ONLY[kind]:
        what = "texts" if data.dtype.kind == "U" else "times"
    elif meaning.zone is not None or meaning.clock:
        what = "times with a zone, or of day"
    elif mask.any() and data.dtype.kind in "iub":
        what = "whole numbers or booleans with missing values"
    elif mask.any() and data.dtype.kind == "U":
        what = "texts with missing values"
    elif kind == ".fits" and data.dtype.kind == "U":
        texts = np.unique(data).tolist()
        odd = next((t for t in texts if not t.isascii() or t.endswith(" ")), None)
        what = None if odd is None else f"texts beyond ASCII or that end in blanks ({odd[:40]!r})"

    if what is not None:
        raise ValueError(
            f"{path}: {kind} can't hold {what}, as in column {name!r}; use .parquet or .csv"
        )
    if not mask.any():
        return data
    none = np.array("NaT" if data.dtype.kind in "Mm" else np.nan).astype(data.dtype)
    return np.where(mask, none, data)


def _parquet(path: Path, columns: Columns, meanings: Meanings) -> None:
    from pyarrow import parquet

    parquet.write_table(to_arrow(columns, meanings), path)


def _feather(path: Path, columns: Columns, meanings: Meanings) -> None:
    from pyarrow import feather

    feather.write_feather(to_arrow(columns, meanings), path, compression="lz4")


def _csv(path: Path, columns: Columns, meanings: Meanings) -> None:
    # Not pyarrow's writer: it writes 1.0 as 1, which would be read back as an integer.
    _frame(columns, meanings).to_csv(path, index=False, lineterminator="\n")


def _csv_gz(path: Path, columns: Columns, meanings: Meanings) -> None:
    how = {"method": "gzip", "mtime": 0}
    frame = _frame(columns, meanings)
    frame.to_csv(path, index=False, lineterminator="\n", compression=how)


def _frame(columns: Columns, meanings: Meanings) -> Any:
    """A data frame with times as Arrow writes and reads them."""
    shown = dict(columns)
    for name, values in columns.items():
        meaning = meanings.get(name, PLAIN)
        if values.dtype.kind == "m" and not meaning.clock:
            raise ValueError(f".csv can't hold spans of time, as in column {name!r}; use .parquet")
        if values.dtype.kind in "Mm":
            in_utc = replace(meaning, zone="UTC") if meaning.zone else meaning
            texts = arrow_array(values, in_utc).cast("string").fill_null("").to_numpy(False)
            if meaning.clock:  # of which Arrow reads whole seconds only
                texts = np.array([text.partition(".000")[0] for text in texts.tolist()])
            shown[name] = np.ma.MaskedArray(texts.astype(np.str_), mask_of(values))

    as_is = {name: meaning for name, meaning in meanings.items() if shown[name] is columns[name]}
    return to_pandas(shown, as_is)


def write_npz(path: Path, columns: Columns) -> None:
    """Write arrays of any shape by their names, compressed and never pickled."""
    # Not np.savez: there the names are keyword arguments, and "file" would be one too many.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def _npy(path: Path, columns: Columns, meanings: Meanings) -> None:
    types = {values.dtype.name for values in columns.values()}
    if len(types) > 1:
        raise ValueError(
            f"{path}: one .npy array can't hold {', '.join(sorted(types))}; use .parquet, .npz or "
            ".csv"
        )
    with path.open("wb") as file:
        np.save(file, np.stack(list(columns.values()), axis=1), allow_pickle=False)


Writer = Callable[[Path, Columns, Meanings], None]


def _plainly(writer: Callable[[Path, Columns], None]) -> Writer:
    """A writer of what numpy's types say alone."""
    return lambda path, columns, _: writer(path, columns)


WRITERS: dict[str, Writer] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".npz": _plainly(write_npz),
    ".npy": _npy,
    ".csv.gz": _csv_gz,
    ".feather": _feather,
    ".h5": _plainly(write_hdf5),
    ".fits": _plainly(write_fits),
    ".root": _plainly(write_root),
}
"""A writer for every suffix that is allowed."""

_NEEDED = {
    ".h5": ("h5py", "hdf5"),
    ".fits": ("astropy.table", "fits"),
    ".root": ("uproot", "root"),
}


def _writer(path: Path) -> tuple[str, Writer]:
    """The kind of file by its suffix, and its writer, ``.csv.gz`` before ``.csv``.

    Raises:
        ValueError: If there is none.
    """
    kind = ".csv.gz" if path.name.lower().endswith(".csv.gz") else kind_of(path)
    if kind not in WRITERS or path.suffix.lower() == ".tsv":
        raise ValueError(
            f"{path}: samples can be written as {', '.join(WRITERS)}, not as {path.suffix!r}"
        )
    return kind, WRITERS[kind]
