"""What samples keep to, column by column: constants, repetitions and ranges of the real rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from scgan.data.tables.column import Column
from scgan.data.tables.schema import Schema
from scgan.data.tables.values import mask_of, present
from scgan.metrics.scores import Score


def kept_scores(
    made: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], schema: Schema
) -> Iterator[tuple[str, Score]]:
    """Shares of samples that keep to what all real rows keep to; 1 is what real rows have.

    Args:
        made: Generated rows, name to values ``[S]``.
        real: Real rows, name to values ``[N]``.
        schema: Says which columns are constant or repeat another.

    Yields:
        ``constants_kept`` and ``repeats_kept``, where there are such columns, of the worst of them;
        and ``within_range``, the share of samples of which no value is beyond the real ones', no
        category or gap one that no real row has.
    """
    # In the real rows' types: what float32 rounded is no other value.
    made = {name: _as(made[name], values.dtype) for name, values in real.items()}
    constants = [c for c in schema.columns if c.kind == "constant"]
    if constants:
        shares = [float(_are_equal(made[c.name], _constant(c, made)).mean()) for c in constants]
        yield "constants_kept", Score.of("constants_kept", min(shares), 1.0)

    repeats = [(c.name, c.source) for c in schema.columns if c.source is not None]
    if repeats:
        shares = [float(_are_equal(made[name], made[other]).mean()) for name, other in repeats]
        yield "repeats_kept", Score.of("repeats_kept", min(shares), 1.0)

    inside = np.ones(len(next(iter(made.values()))), dtype=bool)
    for name in schema.names:
        inside &= _within(made[name], real[name])
    yield "within_range", Score.of("within_range", float(inside.mean()), 1.0)


def _constant(column: Column, made: Mapping[str, np.ndarray]) -> np.ndarray:
    return column.constant(len(made[column.name]))


def _are_equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row, whether two columns hold the same value or none, ``[N]``."""
    if "U" in {a.dtype.kind, b.dtype.kind} and a.dtype.kind != b.dtype.kind:
        return mask_of(a) & mask_of(b)
    same = np.ma.getdata(a) == np.ma.getdata(b)
    return np.where(mask_of(a) | mask_of(b), mask_of(a) & mask_of(b), same)


def _within(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Of each row, whether real rows have such a value: within their range, a category, a gap."""
    there, data = present(real), np.ma.getdata(made)
    if not len(there):
        inside = np.zeros(len(made), dtype=bool)
    elif data.dtype.kind == "U":
        inside = np.isin(data, there)
    else:
        inside = (data >= there.min()) & (data <= there.max())
    return np.where(mask_of(made), mask_of(real).any(), inside)


def _as(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    return values.astype(kind) if kind.kind == values.dtype.kind == "f" else values
