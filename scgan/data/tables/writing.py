"""Samples as a file of the user's own format."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from scgan.data.atomic import check_place, written_whole
from scgan.data.listing import kind_of
from scgan.data.raw import optional
from scgan.data.tables.scientific import write_fits, write_hdf5, write_root


def write_samples(path: str | Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write a table, whole or not at all.

    ``read_table`` gives the same columns back: of the same types from .parquet and .npz, as x0, x1,
    ... from .npy; .csv knows only 64-bit integers, 64-bit floats and bool.

    Args:
        path: A file of a suffix in :data:`WRITERS`; replaced where there is one, its folder made
            where missing.
        columns: Name to values, each ``[N]``; for .npy all of one type.

    Raises:
        ValueError: In one line, for another suffix, unequal lengths, mixed types in .npy or a place
            that can't be written.
    """
    path = Path(path).expanduser()
    check_target(path)
    lengths = set(map(len, columns.values()))

    if not lengths:
        raise ValueError(f"{path}: no columns")
    if len(lengths) > 1:
        raise ValueError(f"{path}: columns differ in length: {sorted(lengths)}")

    with written_whole(path) as partial:
        _writer(path)(partial, columns)


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


def _parquet(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(dict(columns)), path)


def _feather(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    import pyarrow as pa
    from pyarrow import feather

    feather.write_feather(pa.table(dict(columns)), path, compression="lz4")


def _csv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    # Not pyarrow's writer: it writes 1.0 as 1, which would be read back as an integer.
    import pandas as pd

    pd.DataFrame(dict(columns)).to_csv(path, index=False, lineterminator="\n")


def _csv_gz(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    import pandas as pd

    how = {"method": "gzip", "mtime": 0}
    frame = pd.DataFrame(dict(columns))
    frame.to_csv(path, index=False, lineterminator="\n", compression=how)


def write_npz(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write arrays of any shape by their names, compressed and never pickled."""
    # Not np.savez: there the names are keyword arguments, and "file" would be one too many.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def _npy(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    types = {values.dtype.name for values in columns.values()}
    if len(types) > 1:
        raise ValueError(
            f"{path}: one .npy array can't hold {', '.join(sorted(types))}; use .parquet, .npz or "
            ".csv"
        )
    with path.open("wb") as file:
        np.save(file, np.stack(list(columns.values()), axis=1), allow_pickle=False)


WRITERS: dict[str, Callable[[Path, Mapping[str, np.ndarray]], None]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".npz": write_npz,
    ".npy": _npy,
    ".csv.gz": _csv_gz,
    ".feather": _feather,
    ".h5": write_hdf5,
    ".fits": write_fits,
    ".root": write_root,
}
"""A writer for every suffix that is allowed."""

_NEEDED = {
    ".h5": ("h5py", "hdf5"),
    ".fits": ("astropy.table", "fits"),
    ".root": ("uproot", "root"),
}


def _writer(path: Path) -> Callable[[Path, Mapping[str, np.ndarray]], None]:
    """The writer by the file's suffix, ``.csv.gz`` before ``.csv``.

    Raises:
        ValueError: If there is none.
    """
    kind = ".csv.gz" if path.name.lower().endswith(".csv.gz") else kind_of(path)
    if kind not in WRITERS or path.suffix.lower() == ".tsv":
        raise ValueError(
            f"{path}: samples can be written as {', '.join(WRITERS)}, not as {path.suffix!r}"
        )
    return WRITERS[kind]
