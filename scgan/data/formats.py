"""Readers by a file's kind: numpy's here, others in :mod:`scgan.data.tables`."""

from __future__ import annotations

import difflib
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from scgan.data.listing import check_above, kind_of, split_inside, table_parts, walk
from scgan.data.raw import Raw, from_matrix, from_structured, of_arrays, unreadable
from scgan.data.tables.arrow import read_feather, read_parquet
from scgan.data.tables.csv import read_csv
from scgan.data.tables.scientific import read_fits, read_hdf5, read_root
from scgan.data.telling import listed


def read_npy(path: Path) -> Raw:
    """Read a 2-D array as the columns x0, x1, ..., or a structured one's fields.

    Raises:
        ValueError: If it is neither.
    """
    array = load_numpy(path)
    if isinstance(array, np.ndarray) and array.dtype.names and array.ndim == 1:
        return from_structured(array)

    if not isinstance(array, np.ndarray) or array.ndim != 2:
        shape = list(array.shape) if isinstance(array, np.ndarray) else "of an .npz archive"
        raise ValueError(f"{path}: the array has shape {shape}; a table needs [rows, columns]")
    return from_matrix(array)


def read_npz(path: Path) -> Raw:
    """Read an archive of a matrix, of 1-D arrays as columns, or of one structured array.

    The matrix is ``X``, ``x`` or the only 2-D array. Of the arrays of its length ``y`` is marked as
    the labels, also where it is ``[N, 1]`` or one-hot; any can be asked for by name, as the label
    or a column.

    Raises:
        ValueError: If the archive holds neither, or arrays of different lengths.
    """
    arrays = load_numpy(path)
    if isinstance(arrays, np.ndarray):
        raise ValueError(f"{path}: this is a single array; rename it to .npy")

    return of_arrays(path, arrays)


READERS: dict[str, Callable[[Path], Raw]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".parquet": read_parquet,
    ".feather": read_feather,
    ".h5": read_hdf5,
    ".fits": read_fits,
    ".root": read_root,
}
"""A reader for every kind of file that is allowed."""

ALLOWED = (
    f"allowed are {', '.join(READERS)}, or a folder of .parquet, of .csv, of .feather or of images"
)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)")


def local_path(source: str) -> Path:
    """The path of a source that is no s3:// address; ``file://`` may stand before it.

    Raises:
        ValueError: For an address of another kind, with the one to give instead.
    """
    found = _SCHEME.match(source)
    if found is None:
        return Path(source).expanduser()

    scheme, rest = found[1].lower(), source[found.end() :]
    if scheme in {"s3", "s3a", "s3n"}:
        raise ValueError(f"{source}: write it as s3://{rest}")

    if scheme != "file":
        raise ValueError(
            f"{source}: {found[0]} addresses can't be read; copy the data to a folder here or to "
            "s3://bucket/key"
        )

    if not rest:
        raise ValueError(f"{source}: names no file")

    local = rest.removeprefix("localhost") if found[2] == "//" else f"/{rest}"
    path = Path(local)
    return path if path.exists() else Path(unquote(local))


def table_files(path: Path) -> list[Path]:
    """The file at a path, or the tables in the folder there, in the order of their names.

    Raises:
        ValueError: In one line, if there is none, or there are several kinds, or the log of a table
            around it says what is valid.
    """
    if kind_of(path) == ".parquet" or path.is_dir():
        check_above(str(path), path)

    if path.is_dir():
        names = [file.relative_to(path) for file in walk(path)]
        parts = table_parts(str(path), names)
        if not parts:
            seen = f" ({len(names)} other files: {listed(names)})" if names else ""
            raise ValueError(f"{path}: no table and no images in this folder{seen}; {ALLOWED}")

        return [path / part for part in parts]

    check_there(path)
    if kind_of(path) not in READERS:
        raise ValueError(f"{path}: unknown kind of file {path.suffix!r}; {ALLOWED}")

    return [path]


def check_there(path: Path) -> None:
    """Refuse a path at which there is nothing.

    Raises:
        ValueError: In one line, with the nearest name beside it.
    """
    path, _ = split_inside(path)
    if not path.exists():
        beside = os.listdir(path.parent) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{path}: there is no such file or folder{hint}")


def load_numpy(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """Read an array, or an archive of arrays by their names, without ever unpickling.

    Raises:
        ValueError: If it can't be read so.
    """
    # Opened here, as numpy leaves a damaged archive open.
    with path.open("rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise unreadable(path, error) from None
