"""Parts of one table: the columns they share, and the type of each that holds all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from scgan.config import suggest
from scgan.data.listing import Cell
from scgan.data.raw import Raw
from scgan.data.tables.values import join_meanings
from scgan.data.telling import listed

EXACT = {np.dtype(np.float16): 2**11, np.dtype(np.float32): 2**24, np.dtype(np.float64): 2**53}
"""Up to where each type of float holds every integer."""

Types = Mapping[str, np.dtype | None]
"""Type of each column; None where a part says none."""


def shared_names(
    source: str, parts: Sequence[tuple[str, Sequence[str]]], wanted: Sequence[str] | None
) -> tuple[str, ...]:
    """The columns of a table in several parts.

    Args:
        source: What messages call the table.
        parts: Of each part its name, and its columns' names.
        wanted: Columns that are asked for; None for all.

    Returns:
        Those to read, in the order of the request or of the first part.

    Raises:
        ValueError: If only some parts have one.
    """
    every = dict.fromkeys(chain.from_iterable(names for _, names in parts))
    for name in every if wanted is None else wanted:
        have = [part for part, names in parts if name in names]
        if have and len(have) < len(parts):
            without = [part for part, names in parts if name not in names]
            raise ValueError(
                f"{source}: not the same columns in all parts: {name!r} is in {len(have)} of "
                f"{len(parts)}, and not in {listed(without, 3)}; name columns that all have with "
                "--data.columns"
            )

        if not have:
            raise ValueError(f"{source}: there is no column {name!r}{suggest(name, every)}")

    return tuple(every if wanted is None else wanted)


def common_types(source: str, parts: Sequence[tuple[str, Types]], names: Sequence[str]) -> Types:
    """The type of each column in all parts together.

    Integers of several sizes become the largest, int64 beside uint64 int64, integers beside floats
    float64, times of several units the finest; :func:`cast` holds values to it. Whatever else
    differs is text, object.

    Args:
        source: What messages call the table.
        parts: Of each part its name, and its columns' types.
        names: The columns.

    Returns:
        The types; None where no part says one.

    Raises:
        ValueError: If true and false are beside numbers.
    """
    common: dict[str, np.dtype | None] = {}
    for name in names:
        kinds: dict[np.dtype, str] = {}
        for part, types in parts:
            if (kind := types[name]) is not None:
                kinds.setdefault(kind, part)

        found = list(kinds)
        common[name] = _common(found)

        if common[name] is None and found:
            told = [f"{kind.name} in {kinds[kind]}" for kind in found]
            raise ValueError(f"{source}: column {name!r} is {listed(told, 3)}; make it one type")

    return common


def _common(kinds: Sequence[np.dtype]) -> np.dtype | None:
    """One type for all; None if there is none."""
    if len(set(kinds)) < 2:
        return kinds[0] if kinds else None
    if len({kind.kind for kind in kinds}) == 1 and kinds[0].kind in "Mm":
        return np.result_type(*kinds)
    if any(kind.kind not in "biuf" for kind in kinds):
        return np.dtype(object)
    if any(kind.kind == "b" for kind in kinds):
        return None

    joined = np.result_type(*kinds)
    whole = all(kind.kind in "iu" for kind in kinds)
    return np.dtype(np.int64) if whole and joined.kind == "f" else joined


def cast(part: str, name: str, values: np.ndarray, kind: np.dtype | None) -> np.ndarray:
    """A part's column as :func:`common_types` has it, exactly.

    Args:
        part: What messages call the part.
        name: The column.
        values: ``[N]``.
        kind: The type; None leaves them as they are.

    Raises:
        ValueError: If an integer would be rounded or doesn't fit.
    """
    if kind is None or values.dtype == kind or not len(values):
        return values if kind is None or len(values) else values.astype(kind)

    if values.dtype.kind == "f" and kind.kind in "biuMm":  # of a part without a value
        return np.zeros(len(values), kind)

    if kind.kind in "Mm":
        return values.astype(kind)

    if kind.kind not in "biuf":
        texts = list(map(_text, values.tolist())) if values.dtype.kind in "biufOSU" else values
        return np.array(texts, dtype=object)

    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        most = EXACT[kind] if kind.kind == "f" else int(np.iinfo(kind).max)
        odd = next((value for value in (low, high) if abs(value) > most), None)
        if odd is not None:
            raise ValueError(
                f"{part}: column {name!r} holds the integer {odd}, which {kind.name}, the type "
                "that all parts share, can't hold; save the column as one type, or leave it out"
            )

    return values.astype(kind)


def _text(value: object) -> object:
    """A number as the text it is beside texts."""
    return str(value) if isinstance(value, (int, float)) else value


def with_cells(part: str, raw: Raw, cells: Mapping[str, Cell]) -> Raw:
    """The columns of a part, and those that the names of its folders say.

    Args:
        part: What messages call the part.
        raw: Its columns.
        cells: By the columns' names.

    Raises:
        ValueError: If the part has such a column with another value.
    """
    columns, missing, codes = dict(raw.columns), dict(raw.missing), dict(raw.codes)
    untyped = set(raw.untyped)

    for name, cell in cells.items():
        value, num = cell.value, raw.num_rows
        if name in columns:
            odd = columns[name][columns[name].astype(str) != str(value)]
            if len(odd):
                raise ValueError(
                    f"{part}: column {name!r} holds {odd.tolist()[0]!r} in a folder {name}={value}"
                )
            continue

        if value is None:
            columns[name], missing[name] = np.full(num, np.nan), np.ones(num, dtype=bool)
            untyped.add(name)
        else:
            columns[name] = np.full(num, value, np.int64 if isinstance(value, int) else object)

        if cell.code is not None:
            codes[name] = np.full(num, cell.code, dtype=object)

    names = tuple(dict.fromkeys([*raw.names, *cells]))
    return replace(
        raw, names=names, columns=columns, missing=missing, untyped=frozenset(untyped), codes=codes
    )


def joined(source: str, parts: Sequence[tuple[str, Raw]], names: Sequence[str]) -> Raw:
    """The rows of all parts, one part after the other.

    Args:
        source: What messages call the table.
        parts: Of each part its name and its columns, without repeated names.
        names: The columns to join.

    Raises:
        ValueError: If a column has no type that holds it in all parts.
    """
    types = common_types(source, [(part, types_of(raw)) for part, raw in parts], names)
    columns, missing, codes = {}, {}, {}

    for name in names:
        pieces = [cast(part, name, raw.columns[name], types[name]) for part, raw in parts]
        columns[name] = np.concatenate(pieces)
        masks = [raw.missing.get(name, np.zeros(raw.num_rows, bool)) for _, raw in parts]
        missing[name] = np.concatenate(masks)

        if any(name in raw.codes for _, raw in parts):
            texts = [raw.codes.get(name, raw.columns[name].astype(str)) for _, raw in parts]
            codes[name] = np.concatenate([text.astype(object) for text in texts])

    own = [name for name in parts[0][1].names if name in columns]
    untyped = frozenset(name for name in names if types[name] is None)
    try:
        meanings = join_meanings([raw.meanings for _, raw in parts], names)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    mixed = [set(is_mixed(types_of(raw), types)) for _, raw in parts]
    every = frozenset[str]().union(*mixed)
    return Raw(tuple(own), columns, missing, None, untyped, codes, meanings, every)


def is_mixed(own: Types, common: Types) -> list[str]:
    """Columns that hold numbers in a part, and no numbers in all parts together."""
    found = []
    for name, kind in common.items():
        mine = own.get(name)
        if mine is not None and kind is not None and mine.kind in "biuf" and kind.kind == "O":
            found.append(name)
    return found


def types_of(raw: Raw) -> Types:
    """A part's types; of a part without rows none counts."""
    types: dict[str, np.dtype | None] = {}
    for name, values in raw.columns.items():
        says = raw.num_rows and name not in raw.untyped
        kind = values.dtype if values.dtype.kind in "biufMm" else np.dtype(object)
        types[name] = kind if says else None
    return types
