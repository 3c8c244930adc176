"""Columns as a data frame of pandas, each of the type that holds its values, gaps and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scgan.data.tables.values import PLAIN, Meaning, Meanings, mask_of


def to_pandas(columns: Mapping[str, np.ndarray], meanings: Meanings) -> Any:
    """Columns as a data frame.

    Args:
        columns: Name to values ``[N]``, masked where they are missing.
        meanings: What they are beyond numpy's types.
    """
    import pandas as pd

    return pd.DataFrame({n: to_series(v, meanings.get(n, PLAIN)) for n, v in columns.items()})


def to_series(values: np.ndarray, meaning: Meaning, kind: str | None = None) -> Any:
    """A column as pandas holds it.

    Args:
        values: ``[N]``, masked where they are missing.
        meaning: What it is beyond numpy's type.
        kind: pandas' name of the type that is wanted; None for the plainest one that holds it.
    """
    import pandas as pd

    data, mask = np.ma.getdata(values), mask_of(values)
    if meaning.levels is not None:
        levels = list(meaning.levels)
        categories = pd.CategoricalDtype(levels, meaning.ordered)
        return pd.Series(_objects(values), dtype=categories)

    if kind is not None and kind.startswith("period"):
        ordinals = np.where(mask, np.iinfo(np.int64).min, data)
        index: Any = pd.PeriodIndex  # whose stubs lack the method
        return pd.Series(index.from_ordinals(ordinals, freq=pd.PeriodDtype(kind).freq))

    if data.dtype.kind == "M" and np.datetime_data(data.dtype)[0] != "D":
        times: Any = pd.Series(np.where(mask, np.datetime64("NaT"), data))
        if meaning.zone is not None:
            times = times.dt.tz_localize("UTC").dt.tz_convert(meaning.zone)
        return times if kind in {None, "object"} else times.astype(kind)

    if data.dtype.kind == "m" and not meaning.clock:
        return pd.Series(np.where(mask, np.timedelta64("NaT"), data))

    if data.dtype.kind in "Mm" or meaning.empty:
        return _of_arrow(values, meaning, kind)

    if data.dtype.kind == "U":
        return pd.Series(_objects(values), dtype=kind)

    if data.dtype.kind == "f" and kind in {None, data.dtype.name}:
        return pd.Series(np.where(mask, np.nan, data).astype(data.dtype))

    if not mask.any() and kind in {None, data.dtype.name}:
        return pd.Series(data)

    return pd.Series(_objects(values), dtype=_nullable(data.dtype) if kind is None else kind)


def _nullable(dtype: np.dtype) -> str:
    """The name of pandas' own type of integers or booleans with gaps."""
    if dtype.kind == "b":
        return "boolean"
    return f"{'Int' if dtype.kind == 'i' else 'UInt'}{8 * dtype.itemsize}"


def _objects(values: np.ndarray) -> np.ndarray:
    """Python's objects, None where there is no value."""
    objects = np.ma.getdata(values).astype(object)
    objects[mask_of(values)] = None
    return objects


def _of_arrow(values: np.ndarray, meaning: Meaning, kind: str | None) -> Any:
    """Dates and times of day, which pandas holds as objects of Python."""
    import pandas as pd

    from scgan.data.tables.arrow import arrow_array

    array = arrow_array(values, meaning)
    series: Any = pd.Series(array.to_pylist(), dtype=object)
    return series if kind in {None, "object"} else series.astype(kind)
