"""What is taken of a table's columns, and whether it can be used, before anything trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scgan.config import suggest
from scgan.data.listing import tell_zeros
from scgan.data.raw import Raw
from scgan.data.tables.table import Table
from scgan.data.tables.taking import take_column, take_labels
from scgan.data.tables.values import PLAIN, Meaning, gapped
from scgan.data.telling import listed, tell

Missing = Literal["error", "drop", "model"]

NUM_LISTED = 8  # columns in a message


@dataclass(frozen=True)
class Remedies:
    """How a user's own words say what to do about a column.

    Attributes:
        column: About one that can't be modelled.
        rows: About rows without a value.
        empty: About a column without any.
    """

    column: str
    rows: str
    empty: str


BY_FLAG = Remedies(
    "leave it out with --data.columns, or name it as --data.label",
    "--data.missing drop goes on without these rows, --data.missing model learns where values are "
    "missing, --data.columns goes on without some columns",
    "leave it out with --data.columns",
)
IN_PYTHON = Remedies(
    "leave it out of X",
    "leave those rows or columns out of X, as X.dropna() does; or missing='model' learns where "
    "values are missing",
    "leave it out of X",
)


@dataclass(frozen=True)
class Choice:
    """Which columns of a table are taken, and what its values without a value are.

    Attributes:
        columns: In this order; None for all of them but the label.
        label: The column that is kept apart, or None.
        missing: What to do with rows that hold NaN, infinity or no value; "model" keeps those
            without a value, as they are.
        missing_values: Numbers that stand for no value, in any column.
    """

    columns: tuple[str, ...] | None = None
    label: str | None = None
    missing: Missing = "error"
    missing_values: tuple[float, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...] | None:
        """The columns that are read, the label among them; None for all."""
        if self.columns is None:
            return None
        return tuple(dict.fromkeys([*self.columns, *([self.label] if self.label else [])]))


def checked(
    source: str,
    raw: Raw,
    choice: Choice,
    *,
    labels: np.ndarray | None = None,
    whole: bool = True,
    remedies: Remedies = BY_FLAG,
) -> Table:
    """Choose columns of what a file holds, and check them.

    Args:
        source: What messages call it.
        raw: The columns.
        choice: Which are taken.
        labels: One a row, where they are no column.
        whole: Whether these are all rows there are; of a batch of them none may be left.
        remedies: How messages say what to do.

    Returns:
        The table.

    Raises:
        ValueError: In one line, for whatever is wrong.
    """
    names, label = _chosen(source, raw, choice), choice.label
    values, masks, meanings = dict[str, np.ndarray](), dict(raw.missing), dict[str, Meaning]()
    for name in names:
        found = take_column(source, name, raw, remedies.column, whole=whole)
        values[name], masks[name], meaning = found
        if meaning != PLAIN:
            meanings[name] = meaning

    # The labels are looked at as a column is, where they are one.
    taken = dict(values)
    if label is not None:
        shown = raw.codes.get(label, raw.columns[label])
        taken[label] = labels = take_labels(source, label, shown)

    _check_lengths(source, [*values.values(), *(() if labels is None else (labels,))])
    if whole:
        _tell_left_out(source, raw, choice, names)

    table = Table(names, values, labels, 0, meanings=meanings)
    bad = _bad_rows(taken, masks, choice.missing_values)
    if choice.missing == "model":
        return _with_gaps(source, table, bad, remedies)
    return _without(source, table, bad, choice.missing, whole, remedies) if bad else table


def _with_gaps(
    source: str, table: Table, bad: Mapping[str, np.ndarray], remedies: Remedies
) -> Table:
    """Rows without a value stay, masked; infinity and rows without a label are errors."""
    columns = dict(table.columns)
    for name, mask in bad.items():
        if name not in columns:
            raise ValueError(
                f"{source}: the label {name!r} has no value in {int(mask.sum())} of {len(mask)} "
                "rows; leave those rows out"
            )

        values = columns[name]
        if values.dtype.kind == "f" and (num := int(np.isinf(values).sum())):
            raise ValueError(
                f"{source}: infinity in column {name!r}: {num} of {len(mask)} rows; leave those "
                f"rows out, or the column: {remedies.column}"
            )
        columns[name] = gapped(values, mask)

    return replace(table, columns=columns)


def _without(
    source: str,
    table: Table,
    bad: Mapping[str, np.ndarray],
    missing: Missing,
    whole: bool,
    remedies: Remedies,
) -> Table:
    """Rows without a value are an error, or left out."""
    empty = [name for name, mask in bad.items() if mask.all()]
    if whole and empty:
        more = f" and {len(empty) - 1} more columns have" if len(empty) > 1 else " has"
        raise ValueError(
            f"{source}: column {empty[0]!r}{more} no value in any row; {remedies.empty}"
        )

    some = np.logical_or.reduce(list(bad.values()))
    if missing == "error":
        raise ValueError(
            f"{source}: NaN, infinity or no value in {_listed(bad)}: {int(some.sum())} of "
            f"{len(some)} rows; {remedies.rows}"
        )

    if whole and some.all():
        raise ValueError(
            f"{source}: no rows are left without NaN, infinity or missing values; see "
            f"{_listed(bad)}"
        )

    lacking = Counter({name: int(mask.sum()) for name, mask in bad.items()})
    return replace(table.take(~some), dropped=int(some.sum()), lacking=lacking)


def _tell_left_out(source: str, raw: Raw, choice: Choice, names: Sequence[str]) -> None:
    for name in names:
        if name in raw.codes:
            hexadecimal = any("x" in text.lower() for text in raw.codes[name].tolist())
            tell_zeros(source, name, "digits of base 16" if hexadecimal else "leading zeros")

    rest = [name for name in raw.columns if name not in raw.names and name != choice.label]
    if choice.columns is None:
        tell_index(source, rest)


def tell_index(source: str, names: Sequence[str]) -> None:
    """Say which columns are not taken unless they are named."""
    if names:
        tell(source, f"an index or arrays beside the table, left out: {listed(names)}")


def check_names(path: object, names: Sequence[str]) -> None:
    """Refuse a file whose columns are repeated or unnamed.

    Raises:
        ValueError: In one line, for such a file.
    """
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"{path}: column {name!r} appears {count} times; rename one")

    if "" in names:
        where = names.index("") + 1
        raise ValueError(
            f"{path}: column {where} has no name; name it, or save without the index (index=False)"
        )


def _check_lengths(source: str, arrays: Sequence[np.ndarray]) -> None:
    lengths = set(map(len, arrays))
    if len(lengths) > 1:
        raise ValueError(f"{source}: columns and labels differ in length: {sorted(lengths)}")

    if lengths == {0}:
        raise ValueError(f"{source}: there are no rows")


def _chosen(source: str, raw: Raw, choice: Choice) -> tuple[str, ...]:
    columns, label = choice.columns, choice.label
    for name in (*(columns or ()), *([label] if label is not None else [])):
        if name not in raw.columns:
            what = "label" if name == label else "column"
            raise ValueError(f"{source}: there is no {what} {name!r}{suggest(name, raw.columns)}")

    if columns is None:
        names = tuple(name for name in raw.names if name != label)
    else:
        names = tuple(columns)
        if len(set(names)) < len(names):
            often, _ = Counter(names).most_common(1)[0]
            raise ValueError(f"{source}: --data.columns names {often!r} more than once")

        if label in names:
            raise ValueError(
                f"{source}: {label!r} is both the label and one of --data.columns; leave it out of "
                "one"
            )

    if not names:
        raise ValueError(f"{source}: no columns are left to model")

    return names


def _bad_rows(
    columns: Mapping[str, np.ndarray],
    missing: Mapping[str, np.ndarray],
    marks: Sequence[float],
) -> dict[str, np.ndarray]:
    """Of each column with rows without a value, or with a mark of none, which, ``[N]``."""
    bad: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        mask = missing.get(name, np.zeros(len(values), dtype=bool))
        if values.dtype.kind == "f":
            mask = mask | ~np.isfinite(values)
        elif values.dtype.kind in "Mm":
            mask = mask | np.isnat(values)

        for mark in marks if values.dtype.kind in "iuf" else ():
            # As the column would hold it: 99.99 is another number in float32.
            own = values.dtype.type(mark) if values.dtype.kind == "f" else mark
            mask = mask | (values == own)

        if mask.any():
            bad[name] = mask

    return bad


def _listed(bad: Mapping[str, np.ndarray]) -> str:
    """The columns with bad rows, and how many each has."""
    counts = [f"{name!r} ({int(mask.sum())})" for name, mask in bad.items()]
    more = f" and {len(counts) - NUM_LISTED} more columns" if len(counts) > NUM_LISTED else ""
    return ", ".join(counts[:NUM_LISTED]) + more
