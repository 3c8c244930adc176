"""Single arrays and columns as people hold them, of whatever package, with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scgan.data.raw import Raw, from_arrays
from scgan.data.tables.arrow import from_arrow
from scgan.data.tables.joining import EXACT
from scgan.data.tables.values import Meaning

FORMS = "an array [N, D], a data frame or a dictionary of columns"
_FLOATS = {"torch.float16", "torch.float32", "torch.float64"}  # of torch's, those that numpy has


def package_of(X: object) -> str:
    """The package that an object is of."""
    return type(X).__module__.partition(".")[0]


def array_of(X: Any) -> Any:
    """An array of whatever has one; masks stay, and no integer of a list is rounded.

    Raises:
        ValueError: If there is none in it.
    """
    if package_of(X) == "torch":
        return _of_tensor(X)

    if hasattr(X, "unmasked"):  # astropy's own masked arrays
        return np.ma.MaskedArray(np.asarray(X.unmasked), np.asarray(X.mask))

    if isinstance(X, np.ndarray):
        return X if isinstance(X, np.ma.MaskedArray) else np.asarray(X)

    if isinstance(X, Sequence) and len(X) and isinstance(X[0], Mapping):
        raise ValueError(f"X is a {type(X).__name__} of dictionaries; give pandas.DataFrame(X)")

    try:
        found = np.asarray(X)
    except ValueError:
        raise ValueError("X has rows of different lengths; give it [N, D]") from None

    # numpy makes texts of numbers beside texts, and floats of integers beside floats.
    mixed = found.dtype.kind in "US" or (
        found.dtype.kind == "f" and bool((np.abs(found) >= EXACT[np.dtype(np.float64)]).any())
    )
    found = np.asarray(X, dtype=object) if mixed else found
    if found.ndim == 0:
        raise ValueError(f"X is a {type(X).__name__}; give {FORMS}")
    return found


def _of_tensor(X: Any) -> Any:
    if hasattr(X, "get_mask"):  # a masked tensor, True where there is a value
        return np.ma.MaskedArray(_of_tensor(X.get_data()), ~_of_tensor(X.get_mask()))

    X = X.detach().cpu().to_dense().resolve_conj().resolve_neg()
    wide = X.is_floating_point() and str(X.dtype) not in _FLOATS
    return (X.float() if wide else X).numpy()


def column_of(values: Any) -> Raw:
    """The one column ``v`` of an array, or of a column of pandas, polars or Arrow."""
    import pandas as pd
    import pyarrow as pa

    package = package_of(values)
    if package == "pandas":
        return series_of(values if isinstance(values, pd.Series) else pd.Series(values))
    if package == "polars":
        values = values.to_arrow()
    if package in {"polars", "pyarrow"}:
        return from_arrow(pa.table({"v": values}))
    return from_arrays({"v": array_of(values)})


def series_of(series: Any) -> Raw:
    """The one column ``v`` of any of pandas' types."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(series.dtype, np.dtype) and series.dtype.kind != "O":
        return from_arrays({"v": series.to_numpy()})

    if isinstance(series.dtype, pd.DatetimeTZDtype):
        times = from_arrays({"v": series.dt.tz_convert(None).to_numpy()})
        return replace(times, meanings={"v": Meaning(zone=str(series.dtype.tz))})

    for kind in (None, pa.uint64()):  # Arrow itself thinks of int64 alone
        try:
            return from_arrow(pa.table({"v": pa.array(series, type=kind, from_pandas=True)}))
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            continue

    return from_arrays({"v": series.to_numpy(dtype=object)})  # refused by what it holds


def side_by_side(columns: Sequence[Raw]) -> Raw:
    """Columns ``v`` as one table's, named by their places."""
    named = {str(place): raw for place, raw in enumerate(columns)}
    return Raw(
        tuple(named),
        {name: raw.columns["v"] for name, raw in named.items()},
        {name: raw.missing["v"] for name, raw in named.items() if raw.missing},
        meanings={name: raw.meanings["v"] for name, raw in named.items() if raw.meanings},
    )
