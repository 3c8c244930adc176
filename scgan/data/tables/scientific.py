"""Readers and writers: HDF5, FITS and ROOT, each by an optional package."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from scgan.data.listing import split_inside
from scgan.data.raw import Raw, from_arrays, of_arrays, optional, unreadable
from scgan.data.telling import listed

_NO_VALUE = ("_FillValue", "missing_value")  # attributes, as netCDF names them


def read_hdf5(path: Path) -> Raw:
    """Read a data set of HDF5, or those of a group as columns.

    Args:
        path: The file; ``t.h5:group`` or ``t.h5:group/set`` where it holds several.

    Raises:
        ValueError: If h5py is missing, the file can't be read, or it isn't said which to take.
    """
    file, inside = split_inside(path)
    h5py = optional("h5py", "hdf5", file)
    with _errors(file), h5py.File(file) as opened:
        found = opened[inside] if inside else opened
        if isinstance(found, h5py.Dataset):
            name = found.name.rpartition("/")[2]
            return of_arrays(file, {"X" if found.ndim > 1 else name: found}, _values)

        groups = dict[str, dict[str, Any]]()
        for name, data in _data_sets(found, h5py.Dataset):
            groups.setdefault(name.rpartition("/")[0], {})[name.rpartition("/")[2]] = data

        for above, group in groups.items():
            if gone := [f"{above}/{name}" for name, data in group.items() if data is None]:
                raise ValueError(f"{file}: links to what is not there: {listed(gone)}")

        if "block0_values" in chain.from_iterable(groups.values()):
            raise ValueError(
                f"{file}: written by pandas' to_hdf, whose layout is its own; write .parquet"
            )

        if len(groups) > 1:
            places = [f"{file.name}:{'/'.join(filter(None, (inside, g)))}" for g in groups]
            raise ValueError(f"{file}: data sets in several groups; name one, {listed(places)}")

        return of_arrays(file, next(iter(groups.values()), {}), _values)


def _data_sets(group: Any, kind: type, above: str = "") -> Iterator[tuple[str, Any]]:
    """All data sets below a group, by their paths, in the order in which they were made.

    A link to what is not there is None.
    """
    for name, item in group.items():
        if item is None or isinstance(item, kind):
            yield above + name, item
        elif hasattr(item, "items"):
            yield from _data_sets(item, kind, f"{above}{name}/")


def _values(data: Any) -> np.ndarray:
    """A data set, masked where it holds what its attributes say is no value.

    Named numbers are their names, packed ones what they stand for, as netCDF has both.

    Raises:
        ValueError: If it is spread over files of which one is not there.
    """
    import h5py

    if data.is_virtual:
        files = {
            Path(data.file.filename).parent / part.file_name for part in data.virtual_sources()
        }
        if gone := sorted(str(file) for file in files if not file.exists()):
            raise ValueError(f"{data.file.filename}: {data.name} lies in {listed(gone)}, not there")

    values = np.asarray(data)
    if values.dtype.kind == "O" and h5py.check_string_dtype(data.dtype):
        with suppress(UnicodeDecodeError):  # of bytes that are no text there is an error later
            return np.asarray(data.asstr()[()], dtype=object)

    if names := h5py.check_enum_dtype(data.dtype):
        texts = {number: name for name, number in names.items()}
        return np.array([texts.get(value, str(value)) for value in values.tolist()], dtype=object)

    if values.dtype.kind not in "iuf":
        return values

    marks = [np.ravel(data.attrs[name]) for name in _NO_VALUE if name in data.attrs]
    every = np.concatenate(marks) if marks else np.empty(0)
    mask = np.isin(values, every.astype(values.dtype) if values.dtype.kind == "f" else every)
    if "scale_factor" in data.attrs or "add_offset" in data.attrs:
        scale, offset = data.attrs.get("scale_factor", 1.0), data.attrs.get("add_offset", 0.0)
        values = values * np.float64(np.ravel(scale)[0]) + np.float64(np.ravel(offset)[0])
    return np.ma.MaskedArray(values, mask) if mask.any() else values


def read_fits(path: Path) -> Raw:
    """Read a table of FITS; masked values are missing.

    Args:
        path: The file; ``t.fits:NAME`` or ``t.fits:2`` where it holds several tables.

    Raises:
        ValueError: If astropy is missing, the file can't be read, or it isn't said which to take.
    """
    file, inside = split_inside(path)
    fits = optional("astropy.io.fits", "fits", file)
    table = optional("astropy.table", "fits", file)

    with _errors(file), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units and keywords
        with fits.open(file, memmap=False) as units:
            places = [i for i, unit in enumerate(units) if isinstance(unit, _tables(fits))]
            names = {units[i].name or str(i): i for i in places} | {str(i): i for i in places}
            shown = [units[i].name or str(i) for i in places]
            place = _the_one(file, "table", shown, inside, [str(i) for i in places])
            found = table.Table.read(units[names[place]], character_as_bytes=False)

    return from_arrays({name: found[name] for name in found.colnames})


def _tables(fits: Any) -> tuple[type, ...]:
    return (fits.BinTableHDU, fits.TableHDU)


def read_root(path: Path) -> Raw:
    """Read the branches of a tree of ROOT; jagged ones are lists, which no column may be.

    Args:
        path: The file; ``t.root:tree`` where it holds several.

    Raises:
        ValueError: If uproot is missing, the file can't be read, or it isn't said which to take.
    """
    file, inside = split_inside(path)
    uproot = optional("uproot", "root", file)
    with _errors(file), uproot.open(file) as opened:
        trees = opened.keys(filter_classname=["TTree", "ROOT::RNTuple"], cycle=False)
        tree = opened[_the_one(file, "tree", trees, inside)]
        arrays = {name: tree[name].array(library="np") for name in tree.keys()}

    return from_arrays(arrays)


def _the_one(
    file: Path, what: str, names: Sequence[str], asked: str, places: Sequence[str] = ()
) -> str:
    """The one that is asked for by its name or place, or the only one."""
    if not names:
        raise ValueError(f"{file}: there is no {what} in it")

    if asked and asked not in {*names, *places}:
        raise ValueError(f"{file}: there is no {what} {asked!r}; there are {listed(names)}")

    if not asked and len(names) > 1:
        places = [f"{file.name}:{name}" for name in names]
        raise ValueError(f"{file}: several {what}s; name one, {listed(places)}")

    return asked or names[0]


@contextmanager
def _errors(file: Path) -> Iterator[None]:
    """Within it, whatever a reader stumbles over becomes a ValueError of one line."""
    try:
        yield
    except Exception as error:  # each reader has errors of its own
        own = type(error) is ValueError and str(error).startswith(f"{file}: ")
        raise error if own else unreadable(file, error) from None


Columns = Mapping[str, np.ndarray]


def write_hdf5(path: Path, columns: Columns) -> None:
    """Write columns as data sets of the file's root."""
    h5py = optional("h5py", "hdf5", path)
    if odd := next((name for name in columns if "/" in name or name == "."), None):
        raise ValueError(f"{path}: {odd!r} can't be the name of a data set; use .parquet")

    with h5py.File(path, "w", track_order=True) as file:
        for name, values in columns.items():
            text = values.dtype.kind in "OU"
            file.create_dataset(name, data=values.astype(object) if text else values)


def write_fits(path: Path, columns: Columns) -> None:
    """Write a binary table."""
    fits = optional("astropy.table", "fits", path)
    # The format has no such small numbers: astropy would write true and false.
    wide = {np.dtype(np.int8): np.int16, np.dtype(np.float16): np.float32}
    table = fits.Table({n: v.astype(wide.get(v.dtype, v.dtype)) for n, v in columns.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(path, format="fits", overwrite=True)


def write_root(path: Path, columns: Columns) -> None:
    """Write a tree named ``samples``."""
    uproot = optional("uproot", "root", path)
    with uproot.recreate(path) as file:
        wide = {n: v.astype("f4") if v.dtype == np.float16 else v for n, v in columns.items()}
        tree = file.mktree("samples", {name: values.dtype for name, values in wide.items()})
        tree.extend(wide)
