"""Tables in memory as people hold them: taken as columns, and given back as they were."""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from scgan.data.arrays import FORMS, array_of, column_of, package_of, series_of, side_by_side
from scgan.data.raw import Raw, from_matrix, from_structured
from scgan.data.tables.arrow import from_arrow, to_arrow
from scgan.data.tables.frames import to_series
from scgan.data.tables.values import PLAIN, Meanings, plain

Kind = Literal["array", "frame", "polars", "arrow", "structured", "astropy", "dict"]

# By the package that a container is of: what a table of another place or time must be turned into.
_CONVERT = {
    "dask": "X.compute()",
    "pyspark": "X.toPandas()",
    "modin": "X.modin.to_pandas()",
    "cudf": "X.to_pandas()",
    "xarray": "X.to_dataframe()",
    "datasets": "X.to_pandas()",
    "scipy": "X.toarray()",
}


@dataclass(frozen=True)
class Layout:
    """What a table in memory is beside its values.

    Attributes:
        kind: Of container; ``"frame"`` is pandas'.
        labels: The columns' own names, texts, numbers or tuples of them; none of an array's.
        names: The same as texts, each once, by which they are modelled.
        levels: Of a data frame, the names of its columns' levels.
        types: Of a data frame, pandas' names of its columns' types; of a table of Arrow its schema;
            of one of astropy its class, and its columns' units.
    """

    kind: Kind
    labels: tuple[Hashable, ...] = ()
    names: tuple[str, ...] = ()
    levels: tuple[Hashable, ...] = ()
    types: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Layout:
        """The layout that :meth:`to_json` wrote down."""
        fields = {key: value if key == "kind" else _tuple(value) for key, value in tree.items()}
        return cls(**fields)

    def renamed(self, other: Layout) -> list[str]:
        """The names here of another table's columns, by their labels; its own where there are none.

        Args:
            other: Of that table.
        """
        known = dict(zip(self.labels, self.names, strict=True))
        pairs = zip(other.labels, other.names, strict=True)
        return [known.get(label, name) for label, name in pairs]

    def give(
        self, columns: Mapping[str, np.ndarray], meanings: Meanings = MappingProxyType({})
    ) -> Any:
        """Put columns into such a container.

        Args:
            columns: By ``names``, of an array in order; ``[N]`` each, masked where missing.
            meanings: What they are beyond numpy's types.
        """
        if self.kind == "array":
            arrays = [plain(values) for values in columns.values()]
            if len({array.dtype.type for array in arrays}) > 1:  # of Python's objects
                arrays = [array.astype(object) for array in arrays]
            masked = any(isinstance(array, np.ma.MaskedArray) for array in arrays)
            return np.ma.stack(arrays, axis=1) if masked else np.stack(arrays, axis=1)

        if self.kind in _OF_NUMPY:
            own = {
                label: plain(columns[name])
                for label, name in zip(self.labels, self.names, strict=True)
            }
            return _OF_NUMPY[self.kind](self, own)

        ordered = {name: columns[name] for name in self.names}
        return _OF_ITS_OWN[self.kind](self, ordered, meanings)


def take(X: Any) -> tuple[Raw, Layout]:
    """The columns of whatever holds a table.

    Args:
        X: Array or tensor ``[N, D]``, masked too; a structured array; a data frame of pandas or
            polars; a table of Arrow or astropy; or a dictionary of columns.

    Returns:
        The columns, and what X is beside them.

    Raises:
        ValueError: For anything else, with how to convert it.
    """
    try:
        return _take(X, package_of(X))
    except Exception as error:  # each package has errors of its own
        if type(error) is ValueError:
            raise
        reason = " ".join(str(error).split())[:160]
        raise ValueError(
            f"X is a {type(X).__name__} of {package_of(X)}, of which no table can be taken "
            f"({reason}); give {FORMS}"
        ) from None


def _take(X: Any, package: str) -> tuple[Raw, Layout]:
    if package in _CONVERT:
        raise ValueError(f"X is a {type(X).__name__} of {package}; give {_CONVERT[package]}")

    if type(X).__name__ == "LazyFrame":
        raise ValueError("X is a lazy frame, which holds no rows yet; give X.collect()")

    if package == "pyarrow":
        table = _arrow_table(X)
        return _taken("arrow", table.column_names, from_arrow(table), types=_schema_text(table))

    if package == "polars" and hasattr(X, "to_arrow"):
        if not hasattr(X, "columns"):
            raise ValueError("X is a single column; give a frame, X.to_frame()")
        types = tuple(map(str, X.dtypes))
        return _taken("polars", X.columns, from_arrow(X.to_arrow()), types=types)

    if package == "astropy" and hasattr(X, "colnames"):
        units = [str(X[name].unit or "") if hasattr(X[name], "unit") else "" for name in X.colnames]
        columns = side_by_side([column_of(X[name]) for name in X.colnames])
        return _taken("astropy", X.colnames, columns, types=(type(X).__name__, *units))

    if package == "astropy" and hasattr(X, "unit"):
        raise ValueError(f"X is a {type(X).__name__}, whose unit would be lost; give X.value")

    if isinstance(X, Mapping):
        return _taken("dict", list(X), side_by_side([*map(column_of, X.values())]))

    if hasattr(X, "columns") and hasattr(X, "iloc"):
        return _of_pandas(X)

    return _of_array(array_of(X))


def _taken(kind: Kind, labels: Sequence[Hashable], raw: Raw, **more: Any) -> tuple[Raw, Layout]:
    """The columns under unique names, in the order of the labels."""
    names = _names(labels)
    values = [*raw.columns.values()]
    old = [*raw.columns]
    columns = dict(zip(names, values, strict=True))
    pairs = list(zip(names, old, strict=True))
    missing = {new: raw.missing[o] for new, o in pairs if o in raw.missing}
    meanings = {new: raw.meanings[o] for new, o in pairs if o in raw.meanings}
    return Raw(names, columns, missing, meanings=meanings), Layout(
        kind, tuple(labels), names, **more
    )


def _names(labels: Sequence[Hashable]) -> tuple[str, ...]:
    """Labels as texts, each once.

    Raises:
        ValueError: For a label twice, or one that is no text or number.
    """
    names = dict[Hashable, str]()
    for label in labels:
        parts = label if isinstance(label, tuple) else (label,)
        if not all(isinstance(part, str | int | float) for part in parts):
            raise ValueError(
                f"X has a column named {label!r}, a {type(label).__name__}; names must be texts, "
                "numbers or tuples of them"
            )

        if label in names:
            raise ValueError(f"X has more than one column named {label!r}; rename one")

        text = " ".join(map(str, parts))
        while text in names.values():
            text += "'"
        names[label] = text

    return tuple(names.values())


def _of_pandas(X: Any) -> tuple[Raw, Layout]:
    raw = side_by_side([series_of(X.iloc[:, place]) for place in range(X.shape[1])])
    labels = [_plain(label) for label in X.columns.tolist()]
    levels = tuple(X.columns.names) if any(n is not None for n in X.columns.names) else ()
    types = tuple(map(str, X.dtypes.tolist()))
    return _taken("frame", labels, raw, levels=levels, types=types)


def _of_array(array: Any) -> tuple[Raw, Layout]:
    if array.dtype.names and array.ndim == 1:
        raw = from_structured(array)
        return raw, Layout("structured", raw.names, raw.names)

    if array.ndim != 2:
        raise ValueError(
            f"X must have rows and columns, [N, D], not shape {array.shape}; reshape your data"
        )
    return from_matrix(array), Layout("array")


def _arrow_table(X: Any) -> Any:
    import pyarrow as pa

    if isinstance(X, pa.Table):
        return X.replace_schema_metadata(None)  # what an index is to pandas is a column here
    if isinstance(X, pa.RecordBatch):
        return pa.Table.from_batches([X]).replace_schema_metadata(None)
    ways = ("read_all", "to_table")
    hint = next((f"X.{way}()" for way in ways if hasattr(X, way)), "pyarrow.table({'x': X})")
    raise ValueError(f"X is a {type(X).__name__} of pyarrow; give a table, {hint}")


def _plain(label: Hashable) -> Hashable:
    if isinstance(label, tuple):
        return tuple(map(_plain, label))
    return label.item() if isinstance(label, np.generic) else label


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _schema_text(table: Any) -> tuple[str]:
    return (base64.b64encode(table.schema.serialize()).decode(),)


def _pandas(layout: Layout, columns: Mapping[str, np.ndarray], meanings: Meanings) -> Any:
    import pandas as pd

    pairs = enumerate(zip(columns.items(), layout.types, strict=True))
    frame = pd.DataFrame(
        {
            place: to_series(values, meanings.get(name, PLAIN), kind)
            for place, ((name, values), kind) in pairs
        }
    )

    deep = all(isinstance(label, tuple) for label in layout.labels)
    if deep:
        tuples: list[Any] = list(layout.labels)
        frame.columns = pd.MultiIndex.from_tuples(tuples, names=layout.levels or None)
    else:
        name = layout.levels[0] if layout.levels else None
        frame.columns = pd.Index(layout.labels, name=name, tupleize_cols=False)
    return frame


def _polars(layout: Layout, columns: Mapping[str, np.ndarray], meanings: Meanings) -> Any:
    import polars

    frame = polars.from_arrow(to_arrow(columns, meanings))
    for name, kind in zip(layout.names, layout.types, strict=True):
        if kind.startswith("Enum"):
            levels = [*map(str, meanings[name].levels or ())]
            frame = frame.with_columns(polars.col(name).cast(polars.Enum(levels)))
    return frame.rename(dict(zip(layout.names, map(str, layout.labels), strict=True)))


def _arrow(layout: Layout, columns: Mapping[str, np.ndarray], meanings: Meanings) -> Any:
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(layout.types[0])))
    return to_arrow(columns, meanings).rename_columns(schema.names).cast(schema)


def _structured(layout: Layout, columns: Mapping[Hashable, np.ndarray]) -> np.ndarray:
    num = len(next(iter(columns.values())))
    dtype = [(str(name), values.dtype) for name, values in columns.items()]
    masked = any(isinstance(values, np.ma.MaskedArray) for values in columns.values())
    array = np.ma.empty(num, dtype=dtype) if masked else np.empty(num, dtype=dtype)
    for name, values in columns.items():
        array[str(name)] = values
    return array


def _astropy(layout: Layout, columns: Mapping[Hashable, np.ndarray]) -> Any:
    from astropy import table

    kind, *units = layout.types
    made = table.Table(dict(columns))
    for name, unit in zip(made.colnames, units, strict=True):
        made[name].unit = unit or None
    return table.QTable(made) if kind == "QTable" else made


_OF_NUMPY: Mapping[str, Callable[[Layout, Mapping[Hashable, np.ndarray]], Any]] = {
    "structured": _structured,
    "astropy": _astropy,
    "dict": lambda layout, columns: dict(columns),
}
_OF_ITS_OWN: Mapping[str, Callable[[Layout, Any, Any], Any]] = {
    "frame": _pandas,
    "polars": _polars,
    "arrow": _arrow,
}
