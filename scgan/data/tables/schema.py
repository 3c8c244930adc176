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

from scgan.data.tables.choosing import scales_of
from scgan.data.tables.column import Column
from scgan.data.tables.measuring import first_component, in_order_of, measure_column
from scgan.data.tables.relating import find_relations
from scgan.data.tables.scales import Scaling
from scgan.data.tables.values import Meaning, Meanings, are_nan, equal, present


@dataclass(frozen=True)
class Schema:
    """The columns of a table in the user's order.

    Attributes:
        columns: One a column of the table, modelled or not.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, values: Mapping[str, np.ndarray], meanings: Meanings | None = None) -> Schema:
        """Measure the columns in float64.

        Args:
            values: Training rows: name to values, each ``[N]``, N >= 1, of a boolean, integer or
                float type, finite; of texts or times; masked where they are missing.
            meanings: What columns are beyond numpy's types.

        Returns:
            The schema.
        """
        columns: list[Column] = []
        for name, array in values.items():
            column = measure_column(name, array, (meanings or {}).get(name))
            for before in columns:
                if _same(before, column) and equal(values[before.name], array):
                    column = replace(column, kind="duplicate", source=before.name)
                    break

            columns.append(column)

        return cls(tuple(columns))

    def knowing(self, values: Mapping[str, np.ndarray]) -> Schema:
        """The schema with the categories and gaps of rows beside those that it was fitted on.

        Args:
            values: Rows, such as those held out: name to values ``[N]``.

        Returns:
            The same columns, of which some know of more; none of that is ever drawn.
        """
        columns = []
        for column in self.columns:
            array = values[column.name]
            if column.kind == "modelled" and isinstance(array, np.ma.MaskedArray):
                nan = are_nan(array) and (column.nan or not column.gaps)
                column = replace(column, gaps=column.gaps or 0.0, nan=nan)

            if column.kind == "modelled" and column.categories is not None:
                there = set(np.unique(present(array)).tolist())
                more = sorted(there.difference(column.categories))
                column = replace(column, categories=(*column.categories, *more))

            columns.append(column)

        return Schema(tuple(columns))

    def related(self, values: Mapping[str, np.ndarray]) -> Schema:
        """The schema whose columns that others determine are computed, not modelled.

        Of those that others nearly determine, what they leave is modelled.

        Args:
            values: Training rows, or a random sample of them: name to values ``[N]``.

        Returns:
            The same columns, some derived, some modelled by their rest.
        """
        numbers = [c for c in self.modelled if c.is_number and c.is_exact_in_floats]
        arrays = {c.name: np.asarray(values[c.name]) for c in numbers}
        steps = {c.name: math.ldexp(c.step, c.exponent) for c in numbers}
        found = find_relations(arrays, steps)

        columns = []
        for c in self.columns:
            if relation := found.exact.get(c.name):
                c = replace(c, kind="derived", relation=relation)
            elif relation := found.close.get(c.name):
                rest = measure_column(c.name, relation.rest(values[c.name], values))
                c = replace(c, relation=relation, rest=rest)
            columns.append(c)

        return Schema(tuple(columns))

    def seen(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The modelled columns' values ``[N]`` as a model sees them, what others leave for some."""
        there = dict(columns)
        if any(c.rest for c in self.columns):
            self._compute(there, {})
        seen = {}
        for c in self.modelled:
            left = c.relation.rest(there[c.name], there) if c.relation else there[c.name]
            seen[c.name] = left
        return seen

    def _compute(self, there: dict[str, np.ndarray], rests: Mapping[str, np.ndarray]) -> None:
        """Add to columns ``[N]`` those that are computed of them and of what they leave."""
        waiting = [c for c in self.columns if c.relation is not None and c.name not in there]
        while waiting:
            for column in list(waiting):
                relation = column.relation
                if relation is not None and all(name in there for name in relation.sources):
                    computed = relation.compute(there, rests.get(column.name, 0.0))
                    there[column.name] = column.fitted(computed)
                    waiting.remove(column)

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
        seen = schema.seen(values)
        return schema.ordered(seen).scaled(seen, scaling, seed)

    def ordered(self, values: Mapping[str, np.ndarray]) -> Schema:
        """The schema with categories in the order of what the columns of numbers mostly say.

        Neighbours are alike then, by their means of the first principal component.

        Args:
            values: Of training rows what is seen of the modelled columns, by name, ``[N]``.
        """
        numbers = [c.seen for c in self.modelled if c.is_number]
        if not numbers or all(c.categories is None for c in self.modelled):
            return self

        rows = np.stack([c.ranked(values[c.name]).encode(values[c.name]) for c in numbers], axis=1)
        component = first_component(rows)
        columns = []
        for c in self.columns:
            if c.kind == "modelled" and c.categories is not None:
                c = in_order_of(component, c, values[c.name])
            columns.append(c)

        return Schema(tuple(columns))

    def scaled(self, values: Mapping[str, np.ndarray], scaling: Scaling, seed: int) -> Schema:
        """The schema with each modelled column on the scale that is asked for, or the better one.

        Args:
            values: Of training rows what is seen of the modelled columns, by name, ``[N]``.
            scaling: What is asked for.
            seed: Of the rows that a choice looks at.

        Returns:
            The same columns, some with ranks.

        Raises:
            ValueError: If it names an unknown column or scale.
        """
        asked = scaling.by_column(self.names)
        ranked = {c.name: c.seen.ranked(values[c.name]) for c in self.modelled}
        either = [c.seen for c in self.modelled if not c.needs_ranks]
        chosen = either and "auto" in asked.values()
        found = scales_of(either, ranked, values, seed) if chosen else {}

        columns = []
        for c in self.columns:
            if c.kind != "modelled":
                columns.append(c)
                continue
            scale, gain = asked[c.name], None
            if c.needs_ranks:
                scale = "ranks"
            elif scale == "auto":
                scale, gain = found[c.name]
            better = replace(ranked[c.name] if scale == "ranks" else c.seen, gain=gain)
            columns.append(better if c.rest is None else replace(c, rest=better, gain=gain))

        return Schema(tuple(columns))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the user's order."""
        return tuple(c.name for c in self.columns)

    @property
    def meanings(self) -> dict[str, Meaning]:
        """What columns are beyond numpy's types, by their names."""
        return {c.name: c.meaning for c in self.columns if c.meaning is not None}

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that a model sees, in the order of the encoded tensor."""
        return tuple(c for c in self.columns if c.kind == "modelled")

    @property
    def categorical(self) -> tuple[int, ...]:
        """Places in the encoded tensor of the columns that hold categories."""
        return tuple(i for i, c in enumerate(self.modelled) if c.categories is not None)

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
            ValueError: If a modelled column is missing, or holds an unknown category or a gap.
        """
        missing = [c.name for c in self.modelled if c.name not in columns]
        if missing:
            listed = ", ".join(map(repr, missing))
            raise ValueError(f"columns {listed} are missing; needed: {', '.join(self.names)}")

        rows = len(next(iter(columns.values()))) if columns else 0
        encoded = np.empty((rows, self.dim), dtype=np.float32)
        seen = self.seen(columns)
        for i, column in enumerate(self.modelled):
            encoded[:, i] = column.seen.encode(np.asanyarray(seen[column.name]), rng)

        return torch.from_numpy(encoded)

    def decode(self, x: Tensor) -> dict[str, np.ndarray]:
        """Bring rows back into the user's units, names, order and types.

        Args:
            x: Shape ``[N, D]``.

        Returns:
            Name to values ``[N]``, also of the constant, derived and duplicate columns; masked
            arrays of columns with gaps.

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

        restored = {c.name: c.seen.restore(z[:, i]) for i, c in enumerate(self.modelled)}
        rests = {c.name: restored.pop(c.name) for c in self.modelled if c.rest is not None}
        for column in self.columns:
            if column.kind == "constant":
                restored[column.name] = column.constant(len(z))

        self._compute(restored, rests)
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
                c.name: str(c.relation) for c in self.columns if c.kind == "derived"
            },
            "nearly_derived_columns": {
                c.name: str(c.relation) for c in self.modelled if c.relation is not None
            },
            "ranked_columns": [c.name for c in self.columns if c.scale == "ranks"],
            "categorical_columns": [c.name for c in self.columns if c.categories is not None],
            "columns_with_gaps": [c.name for c in self.columns if c.gaps is not None],
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
