"""Columns as a file or a container has them, and the errors of what can't be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from scgan.data.listing import tell_arrays
from scgan.data.tables.values import Meaning
from scgan.data.telling import listed


@dataclass(frozen=True)
class Raw:
    """Columns as a file has them, before any check.

    Attributes:
        names: All names of the file, also repeated ones; those of an index are not among them.
        columns: Name to values ``[N]`` of any type, an index's too.
        missing: Name to mask ``[N]``, True where the file has no value; only columns where there is
            such a row.
        label: Name of the column that the format itself marks as labels, or None.
        untyped: Columns of which the file says no type, as no row of it has a value.
        codes: Name to texts ``[N]`` of columns that are read as numbers, but whose texts say more:
            ``"007"``.
        meanings: Name to what a column is beyond numpy's type, where it is more.
        mixed: Columns with numbers in some parts of the table and texts in others.
    """

    names: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    missing: Mapping[str, np.ndarray]
    label: str | None = None
    untyped: frozenset[str] = frozenset()
    codes: Mapping[str, np.ndarray] = field(default_factory=dict)
    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    mixed: frozenset[str] = frozenset()

    @property
    def num_rows(self) -> int:
        """Rows, N, of a file with columns of one length."""
        return len(next(iter(self.columns.values()), ()))


def unreadable(path: PurePath, error: BaseException) -> ValueError:
    """What is said of a file that a reader stumbled over, in one line."""
    reason = " ".join(str(error).split())
    pickled = False
    if isinstance(path, Path):
        with path.open("rb") as file:
            # numpy calls whatever it does not know a pickle; a pickle of protocol 2 or later begins
            # with this byte.
            pickled = file.read(1) == b"\x80"

    if pickled or "Object arrays" in reason:
        return ValueError(
            f"{path}: holds pickled Python objects, which are never loaded; save arrays of numbers"
        )

    detail = "" if "pickle" in reason else f" ({reason[:160]})"
    return ValueError(
        f"{path}: can't be read as {path.suffix}, it is damaged, cut short or another format"
        + detail
    )


@contextmanager
def arrow_errors(path: PurePath) -> Iterator[None]:
    """Within it, whatever pyarrow says of a file becomes a ValueError of one line."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        raise error if str(path) in str(error) else unreadable(path, error) from None


def optional(package: str, extra: str, path: Path) -> Any:
    """Import a package that only some kinds of file need.

    Args:
        package: Its module.
        extra: The extra of this project that brings it.
        path: The file that needs it.

    Raises:
        ValueError: If it isn't installed, with the line that does it.
    """
    top = package.partition(".")[0]
    try:
        import_module(top)
        return import_module(package)
    except ImportError:
        raise ValueError(
            f"{path}: {path.suffix} files need {top}, which is not installed: "
            f"pip install 'scgan[{extra}]'"
        ) from None


def from_structured(array: np.ndarray) -> Raw:
    """A structured array ``[N]`` as columns, a masked one's masks as missing values."""
    names = array.dtype.names or ()
    return from_arrays({name: array[name] for name in names})


def from_arrays(arrays: Mapping[str, Any]) -> Raw:
    """Arrays by their names, ``[N]`` each; where one is masked its values are missing."""
    columns, missing = {}, {}
    for name, array in arrays.items():
        mask = np.ma.getmaskarray(array) if np.ma.isMaskedArray(array) else None
        columns[name] = np.asarray(np.ma.getdata(array))
        if mask is not None and mask.any():
            missing[name] = mask
    return Raw(tuple(arrays), columns, missing)


def from_matrix(matrix: np.ndarray, beside: Raw | None = None, label: str | None = None) -> Raw:
    """A matrix ``[N, D]`` as the columns x0, x1, ..., and arrays beside it."""
    raw = from_arrays({f"x{i}": matrix[:, i] for i in range(matrix.shape[1])})
    if beside is None:
        return raw

    clash = [name for name in beside.columns if name in raw.columns]
    if clash:
        raise ValueError(
            f"array {clash[0]!r} has the name of a column of the matrix; rename the array"
        )
    columns = {**raw.columns, **beside.columns}
    return replace(raw, columns=columns, missing={**raw.missing, **beside.missing}, label=label)


def of_arrays(
    path: Path, arrays: Mapping[str, Any], read: Callable[[Any], np.ndarray] = np.asarray
) -> Raw:
    """The table among named arrays: a matrix, 1-D arrays as columns, or one structured array.

    The matrix is ``X``, ``x`` or the only 2-D array. Of the arrays of its length ``y`` is marked as
    the labels, also where it is ``[N, 1]`` or one-hot; any can be asked for by name.

    Args:
        path: The file that holds them, for messages.
        arrays: Of numpy, or what becomes such.
        read: Makes numpy's of one, masked too; called of those that are taken alone.

    Raises:
        ValueError: If there is none of these, or arrays have different lengths.
    """
    structured = [name for name, array in arrays.items() if array.dtype.names]
    if len(structured) == 1 and arrays[structured[0]].ndim == 1:
        tell_arrays(path, arrays, structured)
        return from_structured(read(arrays[structured[0]]))

    matrices = [name for name, array in arrays.items() if array.ndim == 2 and name != "y"]
    for key in ("X", "x", *(matrices if len(matrices) == 1 else ())):
        if key in matrices:
            num = len(arrays[key])
            beside = {n: a for n, a in arrays.items() if a.ndim in {1, 2} and len(a) == num}
            tell_arrays(path, arrays, beside)
            del beside[key]
            others = from_arrays({name: read(array) for name, array in beside.items()})
            label = "y" if "y" in beside else None
            return from_matrix(read(arrays[key]), others, label)

    flat = {name: array for name, array in arrays.items() if array.ndim == 1}
    if not flat or len(flat) < len(arrays) or len(set(map(len, flat.values()))) > 1:
        shapes = [f"{name} {list(array.shape)}" for name, array in arrays.items()]
        raise ValueError(
            f"{path}: a table needs a 2-D array X, or 1-D arrays of one length; found "
            f"{listed(shapes, 8) or 'nothing'}"
        )

    return from_arrays({name: read(array) for name, array in flat.items()})
