"""A file's columns in the form that a table holds them, or refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from scgan.data.raw import Raw
from scgan.data.tables.arrow import from_objects
from scgan.data.tables.values import PLAIN, Meaning

MAX_CATEGORIES = 1000
"""Different texts of a column; of more it is an identifier or free text."""

FEW_CATEGORIES = 20  # never too many, however few rows there are
MAX_LETTERS = 200  # of a category's text

# What other units of time become, which no file here has.
_UNITS = {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s", "generic": "s"}

_NUMBER_LIKE = re.compile(r"\s*[+-]?[\d.][\d.,'\s]*(?:[eE][+-]?\d+)?\s*%?")


def take_column(
    source: str, name: str, raw: Raw, remedy: str, *, whole: bool
) -> tuple[np.ndarray, np.ndarray, Meaning]:
    """Take a column of numbers, times or categories.

    Args:
        source: What messages call the table.
        name: The column.
        raw: The table.
        remedy: How messages say what to do about a column that can't be modelled.
        whole: Whether these are all rows there are.

    Returns:
        Its values ``[N]``, of native byte order and contiguous, texts as numpy's; the mask of those
        that are missing, ``[N]``, NaN and not a time apart; and what they mean.

    Raises:
        ValueError: In one line, for what is no such column.
    """
    values, meaning = raw.columns[name], raw.meanings.get(name, PLAIN)
    if values.ndim != 1:
        raise ValueError(
            f"{source}: column {name!r} has shape {list(values.shape)}; a column needs [rows]"
        )

    if name in raw.mixed:
        raise ValueError(
            f"{source}: column {name!r} holds numbers in some parts and text in others; save it as "
            f"one type, or {remedy}"
        )

    missing = raw.missing.get(name, np.zeros(len(values), dtype=bool))
    if values.dtype.kind == "O":
        values, found, meaning = from_objects(values, meaning)
        missing = missing | found
    kind = values.dtype.kind

    if kind in "OUST":
        texts = _texts(values, missing)
        reason = _no_text(texts, missing, whole) if isinstance(texts, np.ndarray) else texts
        if reason is not None:
            raise ValueError(f"{source}: column {name!r} holds {reason}; {remedy}")
        values = np.asarray(texts)
    elif kind in "Mm":
        values = _times(values)
    elif kind not in "biuf" or values.dtype.itemsize > 8:
        raise ValueError(
            f"{source}: column {name!r} holds {values.dtype.name} values, which can't be modelled; "
            f"make it numbers, or {remedy}"
        )

    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    if kind in "OUST" or meaning.levels is not None:
        rows = values[~missing]
        num, rows_there = len(np.unique(rows)), len(rows)
        if reason := too_many(num, rows_there if whole else None):
            first = "" if not num else f" ({_shown(rows[0])} in row {int(np.argmin(missing)) + 1})"
            raise ValueError(f"{source}: column {name!r} holds {reason}{first}; {remedy}")

    return values, missing, meaning


def too_many(num: int, rows: int | None) -> str | None:
    """Why a column has too many different categories; None where it has not.

    Args:
        num: Different ones.
        rows: Rows with a value; None where more are to come.
    """
    few = num <= FEW_CATEGORIES or rows is None or 2 * num <= rows
    if few and num <= MAX_CATEGORIES:
        return None
    among = "" if rows is None else f" in {rows} rows"
    return f"text: {num} different values{among}, an identifier or free text"


def _texts(values: np.ndarray, missing: np.ndarray) -> np.ndarray | str:
    """The texts, empty where missing; or, in words, what the column holds instead."""
    import pandas as pd

    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            return "bytes that are no text"

    objects = values.astype(object)
    objects[missing] = ""
    for row, value in enumerate(objects.tolist()):
        if isinstance(value, (list, np.ndarray)):
            return f"a list in each row (row {row + 1})"
        if isinstance(value, bytes):
            return f"text ({value[:40]!r} in row {row + 1})"
        if not isinstance(value, str):
            return f"{type(value).__name__} objects (row {row + 1})"
        if "\0" in value:
            return f"text with zero bytes (row {row + 1})"

    numbers, known = pd.factorize(objects)
    letters = 40 if len(known) > MAX_CATEGORIES + 1 else MAX_LETTERS + 1  # refused, or looked at
    cut = [text[:letters] for text in known]
    return np.array(cut, dtype=np.str_ if cut else "U1")[numbers]


def _no_text(values: np.ndarray, missing: np.ndarray, whole: bool) -> str | None:
    """Why texts are no categories: numbers, numbers with marks among them, or free text."""
    there = np.flatnonzero(~missing)
    found, first = np.unique(values[there], return_index=True)
    order = np.argsort(first)
    known, rows = found[order].tolist(), there[first[order]] + 1

    # Of a batch of the rows, the others may say otherwise.
    if whole and (numbers := among_numbers(known, len(there))):
        odd, reason = numbers
        if odd is None:
            return reason
        return f"text ({_shown(odd)} in row {rows[known.index(odd)]}) {reason}"

    long = next((place for place, text in enumerate(known) if len(text) > MAX_LETTERS), None)
    if long is not None:
        return f"text ({_shown(known[long])} in row {rows[long]}) that is no category"
    return None


def among_numbers(known: Sequence[str], rows: int) -> tuple[str | None, str] | None:
    """Why texts are numbers rather than categories; None where they are not.

    Args:
        known: All different ones.
        rows: Rows with a value.

    Returns:
        The first that is no number, if there is one, and the reason.
    """
    odd = next((text for text in known if not is_number(text)), None)
    if odd is None:
        many = too_many(len(known), rows)
        return (None, "numbers written as text; save them as numbers") if many else None

    alike = sum(_NUMBER_LIKE.fullmatch(text) is not None for text in known)
    return (odd, "among numbers") if 2 * alike >= len(known) else None


def _shown(value: object) -> str:
    return repr(str(value)[:40])


def is_number(text: str) -> bool:
    """Whether a text writes a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _times(values: np.ndarray) -> np.ndarray:
    """Points in time or spans of it, in a unit that files have."""
    unit, number = np.datetime_data(values.dtype)
    unit = _UNITS.get(unit, unit) if values.dtype.kind == "M" or unit != "D" else "s"
    fine = unit if unit in {"D", "s", "ms", "us", "ns"} and number == 1 else "ns"
    kind = "datetime64" if values.dtype.kind == "M" else "timedelta64"
    return values.astype(f"{kind}[{fine}]")


def take_labels(source: str, label: str, values: np.ndarray) -> np.ndarray:
    """One label a row, ``[N]``; of ``[N, 1]`` that, of one-hot ``[N, K]`` the class."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]

    if values.ndim == 2 and np.isin(values, (0, 1)).all() and (values.sum(1) == 1).all():
        values = values.argmax(1)

    if values.ndim != 1:
        raise ValueError(
            f"{source}: label {label!r} has shape {list(values.shape)}; labels need [rows], or a "
            "column a class of 0 with one 1 in each row"
        )

    if values.dtype.kind in "OS":
        return np.array([*map(_label_text, values.tolist())], dtype=np.str_)
    return np.ascontiguousarray(values)


def _label_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
