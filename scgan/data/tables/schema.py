"""The schema of a table: how columns become floats of a common scale, and those columns again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scgan.data.tables.column import Column, measure_column
from scgan.data.tables.relations import find_relations
from scgan.data.tables.scales import Scale, Scaling, choose_scales, largest_atom


@dataclass(frozen=True)
class Schema:
    """The columns of a table in the user's order.

    Attributes:
        columns: One a column of the table, modelled or not.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, values: Mapping[str, np.ndarray]) -> Schema:
        """Measure the columns in float64.

        Args:
            values: Training rows: name to finite values, each ``[N]``, N >= 1, of a boolean,
                integer or float type.

        Returns:
            The schema.
        """
        columns: list[Column] = []
        for name, array in values.items():
            column = measure_column(name, array)
            for before in columns:
                if _same(before, column) and np.array_equal(values[before.name], array):
                    column = replace(column, kind="duplicate", source=before.name)
                    break

            columns.append(column)

        return cls(tuple(columns))

    def related(self, values: Mapping[str, np.ndarray]) -> Schema:
        """The schema whose columns that others determine are computed, not modelled.

        Args:
            values: Training rows, or a random sample of them: name to values ``[N]``.

        Returns:
            The same columns, some derived.
        """
        arrays = {c.name: np.asarray(values[c.name]) for c in self.modelled}
        steps = {c.name: math.ldexp(c.step, c.exponent) for c in self.modelled}
        found = find_relations(arrays, steps)

        columns = []
        for c in self.columns:
            relation = found.get(c.name)
            derived = replace(c, kind="derived", relation=relation) if relation else c
            columns.append(derived)

        return Schema(tuple(columns))

    def adapted(self, values: Mapping[str, np.ndarray], scaling: Scaling, seed: int) -> Schema:
        """The schema with relations between its columns, and the columns' scales, as is asked for.

        Args:
            values: Training rows, or a random sample of them: name to values ``[N]``.
            scaling: What is asked for.
            seed: Of the rows that a choice looks at.

        Returns:
            The same columns, some derived, some with ranks.

        Raises:
            ValueError: If an unknown column or scale is named.
        """
        schema = self.related(values) if scaling.relations else self
        return schema.scaled(values, scaling, seed)

    def scaled(self, values: Mapping[str, np.ndarray], scaling: Scaling, seed: int) -> Schema:
        """The schema with each modelled column on the scale that is asked for, or the better one.

        Args:
            values: Training rows, or a random sample of them: name to values ``[N]``.
            scaling: What is asked for.
            seed: Of the rows that a choice looks at.

        Returns:
            The same columns, some with ranks.

        Raises:
            ValueError: If it names an unknown column or scale.
        """
        asked = scaling.by_column(self.names)
        arrays = {c.name: np.asarray(values[c.name]) for c in self.modelled}
        ranked = {c.name: c.ranked(arrays[c.name]) for c in self.modelled}
        found = self._evidence(arrays, ranked, seed) if "auto" in asked.values() else {}

        columns = []
        for c in self.columns:
            if c.kind != "modelled":
                columns.append(c)
                continue
            scale, gain = asked[c.name], None
            if scale == "auto":
                scale, gain = found[c.name]
            columns.append(replace(ranked[c.name] if scale == "ranks" else c, gain=gain))

        return Schema(tuple(columns))

    def _evidence(
        self, values: Mapping[str, np.ndarray], ranked: Mapping[str, Column], seed: int
    ) -> dict[str, tuple[Scale, float | None]]:
        """The better scale of each modelled column, and the nats that it saves."""
        rng = np.random.default_rng(seed)
        linear = [column.encode(values[column.name], rng) for column in self.modelled]
        ranks = [column.encode(values[name], rng) for name, column in ranked.items()]
        atoms = [largest_atom(array) for array in values.values()]
        found = choose_scales(np.stack(linear, axis=1), np.stack(ranks, axis=1), atoms, rng)
        return dict(zip(ranked, found, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the user's order."""
        return tuple(c.name for c in self.columns)

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that a model sees, in the order of the encoded tensor."""
        return tuple(c for c in self.columns if c.kind == "modelled")

    @property
    def dim(self) -> int:
        """Number of modelled columns, D."""
        return len(self.modelled)

    def learnable(self, source: str) -> Schema:
        """The schema itself.

        Args:
            source: What messages call the table.

        Raises:
            ValueError: If there is nothing to learn, as every column is constant.
        """
        if self.dim == 0:
            names = ", ".join(self.names[:8])
            raise ValueError(
                f"{source}: all columns are constant ({names}); there is nothing to learn"
            )
        return self

    def encode(
        self, columns: Mapping[str, np.ndarray], rng: np.random.Generator | None = None
    ) -> Tensor:
        """Bring the modelled columns to a common scale.

        Args:
            columns: Name to values ``[N]``, at least the modelled ones; others are left out.
            rng: Spreads values that rows share over their grid or ranks, for rows to train on;
                None leaves them in the middle, so that equal values stay equal.

        Returns:
            Shape ``[N, D]``, float32; each column of mean 0 and variance about 1 on the rows that
            were fitted.

        Raises:
            ValueError: If a modelled column is missing.
        """
        missing = [c.name for c in self.modelled if c.name not in columns]
        if missing:
            listed = ", ".join(map(repr, missing))
            raise ValueError(f"columns {listed} are missing; needed: {', '.join(self.names)}")

        rows = len(next(iter(columns.values()))) if columns else 0
        encoded = np.empty((rows, self.dim), dtype=np.float32)
        for i, column in enumerate(self.modelled):
            encoded[:, i] = column.encode(np.asarray(columns[column.name]), rng)

        return torch.from_numpy(encoded)

    def decode(self, x: Tensor) -> dict[str, np.ndarray]:
        """Bring rows back into the user's units, names, order and types.

        Args:
            x: Shape ``[N, D]``.

        Returns:
            Name to values ``[N]``, also of the constant, derived and duplicate columns.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
        """
        z = x.detach().cpu().double().numpy()
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(
                f"samples have shape {list(z.shape)}; this schema needs [N, {self.dim}]"
            )

        if not np.isfinite(z).all():
            raise ValueError(
                f"{int((~np.isfinite(z)).any(1).sum())} of {len(z)} samples are not finite"
            )

        restored = {c.name: c.restore(z[:, i]) for i, c in enumerate(self.modelled)}
        for column in self.columns:
            if column.kind == "constant":
                restored[column.name] = np.full(len(z), column.low, dtype=column.dtype)
            elif column.relation is not None:
                restored[column.name] = column.fitted(column.relation.compute(restored))
        for column in self.columns:
            if column.source is not None:
                restored[column.name] = restored[column.source].copy()

        return {name: restored[name] for name in self.names}

    @property
    def summary(self) -> str:
        """In a few words: ``"12 modelled columns"``."""
        return f"{self.dim} modelled {'column' if self.dim == 1 else 'columns'}"

    def describe(self) -> dict[str, Any]:
        """Plain values for a log: the columns, and which are not modelled."""
        return {
            "columns": list(self.names),
            "modelled_columns": self.dim,
            "constant_columns": [c.name for c in self.columns if c.kind == "constant"],
            "duplicate_columns": [c.name for c in self.columns if c.kind == "duplicate"],
            "derived_columns": {
                c.name: str(c.relation) for c in self.columns if c.relation is not None
            },
            "ranked_columns": [c.name for c in self.columns if c.ranks is not None],
        }

    def to_json(self) -> str:
        """Text that :meth:`from_json` turns into an equal schema."""
        return json.dumps([column.to_plain() for column in self.columns])

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read what :meth:`to_json` wrote."""
        entries: list[dict[str, Any]] = json.loads(text)
        return cls(tuple(map(Column.from_plain, entries)))


def _same(a: Column, b: Column) -> bool:
    """Whether ``b`` may repeat the modelled column ``a``, by all that was measured of them."""
    return a.kind == "modelled" and replace(a, name=b.name) == b
