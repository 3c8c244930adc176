"""What samples keep to, column by column: constants, repetitions and ranges of the real rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from scgan.data.tables.schema import Schema
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
        and ``within_range``, the share of samples of which no value is beyond the real ones'.
    """
    # In the real rows' types: what float32 rounded is no other value.
    made = {name: _as(made[name], values.dtype) for name, values in real.items()}
    constants = [c for c in schema.columns if c.kind == "constant"]
    if constants:
        shares = [float((made[c.name] == c.low).mean()) for c in constants]
        yield "constants_kept", Score.of("constants_kept", min(shares), 1.0)

    repeats = [(c.name, c.source) for c in schema.columns if c.source is not None]
    if repeats:
        shares = [float((made[name] == made[source]).mean()) for name, source in repeats]
        yield "repeats_kept", Score.of("repeats_kept", min(shares), 1.0)

    inside = np.ones(len(next(iter(made.values()))), dtype=bool)
    for name in schema.names:
        inside &= (made[name] >= real[name].min()) & (made[name] <= real[name].max())
    yield "within_range", Score.of("within_range", float(inside.mean()), 1.0)


def _as(values: np.ndarray, kind: np.dtype) -> np.ndarray:
    return values.astype(kind) if kind.kind == values.dtype.kind == "f" else values
