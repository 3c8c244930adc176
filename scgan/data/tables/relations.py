r"""Columns that are functions of others: found, said, and computed in samples instead of modelled.

A total, a ratio or a transverse momentum lies on a sheet that no sample of a model meets exactly.
Three forms are looked for, each linear in the right coordinates,

.. math:: v = c + \sum_i w_i a_i, \qquad v^2 = c + \sum_i w_i a_i^2, \qquad
    \log v = c + \sum_i w_i \log a_i

and taken where every row agrees to the column's own precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Form = Literal["sum", "squares", "product"]

SEARCH_ROWS = 4096  # rows by which relations are looked for; all rows must confirm them
ROWS_A_COLUMN = 4  # of fewer rows for each column, anything is a function of anything
NEARLY = 1e-4  # share of a column's deviation that others leave open, below which it is a candidate
PRECISION = 1e-6  # of a column's deviation, to which every row must agree
MIN_ROWS = 50


@dataclass(frozen=True)
class Relation:
    """A column as a function of others.

    Attributes:
        form: In which coordinates it is linear.
        sources: Names of the others, modelled themselves.
        weights: One each.
        constant: What is added.
    """

    form: Form
    sources: tuple[str, ...]
    weights: tuple[float, ...]
    constant: float

    def compute(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The column's values, float64 ``[N]``, from the others' ``[N]`` in the user's units."""
        total = np.full(len(columns[self.sources[0]]), self.constant)
        for name, weight in zip(self.sources, self.weights, strict=True):
            total += weight * _forward(self.form, columns[name].astype(np.float64))
        return _back(self.form, total)

    def __str__(self) -> str:
        """As a formula."""
        pairs = list(zip(self.sources, self.weights, strict=True))
        if self.form == "product":
            factors = [name if weight == 1 else f"{name}^{weight:.6g}" for name, weight in pairs]
            scale = np.exp(self.constant)
            return " · ".join([*([] if scale == 1 else [f"{scale:.6g}"]), *factors])

        power = "²" if self.form == "squares" else ""
        terms = [
            f"{name}{power}" if weight == 1 else f"{weight:.6g} {name}{power}"
            for name, weight in pairs
        ]
        total = " + ".join([*terms, *([f"{self.constant:.6g}"] if self.constant else [])])
        return f"√({total})" if self.form == "squares" else total

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Relation:
        """Read what :func:`dataclasses.asdict` made, and JSON turned into lists."""
        sources, weights = tuple(plain["sources"]), tuple(plain["weights"])
        return cls(plain["form"], sources, weights, plain["constant"])


def find_relations(
    columns: Mapping[str, np.ndarray], steps: Mapping[str, float]
) -> dict[str, Relation]:
    """Find the columns that others determine.

    Args:
        columns: Name to finite values ``[N]``, in an order of which earlier ones are kept.
        steps: The columns' grids, in their units; 0 for none.

    Returns:
        Relations of the columns that can be computed; none where rows are too few to tell.
    """
    values = {name: array.astype(np.float64) for name, array in columns.items()}
    num = len(next(iter(values.values()), ()))
    if num < max(MIN_ROWS, ROWS_A_COLUMN * len(values)):
        return {}

    found: dict[str, Relation] = {}
    for form in ("sum", "squares", "product"):
        names = [name for name in values if name not in found and _allowed(form, values[name])]
        rest = {name: values[name] for name in names}
        for name, exact in _candidates(form, rest):
            if any(name in other.sources for other in found.values()):
                continue
            for relation in (_simplified(exact), exact):
                if _holds(relation, values, name, columns[name].dtype, steps):
                    found[name] = relation
                    break

    return found


def _allowed(form: Form, values: np.ndarray) -> bool:
    """Whether a column has such coordinates."""
    if form == "sum":
        return True
    return bool((values > 0).all()) if form == "product" else bool(np.abs(values).max() < 1e100)


def _candidates(form: Form, columns: Mapping[str, np.ndarray]) -> list[tuple[str, Relation]]:
    """Columns that those before them nearly determine, by what is left of each beside them."""
    rows = slice(0, SEARCH_ROWS)
    basis: list[np.ndarray] = []
    kept: list[str] = []
    found = []

    for name, values in columns.items():
        unit = _standardised(_forward(form, values[rows]))
        if unit is None:
            continue

        left = unit
        for _ in range(2):  # twice, or rounding leaves some of them in
            for direction in basis:
                left = left - (direction @ left) * direction

        size = float(np.linalg.norm(left))
        if size > NEARLY:
            basis.append(left / size)
            kept.append(name)
        elif kept:
            others = {other: columns[other][rows] for other in kept}
            found.append((name, _solved(form, values[rows], others)))

    return found


def _solved(form: Form, values: np.ndarray, others: Mapping[str, np.ndarray]) -> Relation:
    """The relation by least squares, of the sources that matter."""
    target, names = _forward(form, values), list(others)
    for _ in range(2):
        matrix = np.stack([_forward(form, others[name]) for name in names], axis=1)
        centre, scale = matrix.mean(0), matrix.std(0)
        weights = np.linalg.lstsq((matrix - centre) / scale, target - target.mean(), rcond=None)[0]
        matter = np.abs(weights) > 10 * PRECISION * target.std()
        if matter.all() or not matter.any():
            break
        names = [name for name, it in zip(names, matter, strict=True) if it]

    raw = weights / scale
    return Relation(form, tuple(names), tuple(raw.tolist()), float(target.mean() - centre @ raw))


def _simplified(relation: Relation) -> Relation:
    """The same with the simple numbers that its weights nearly are."""
    weights = tuple(_plain(weight) for weight in relation.weights)
    return Relation(relation.form, relation.sources, weights, _plain(relation.constant))


def _holds(
    relation: Relation,
    values: Mapping[str, np.ndarray],
    name: str,
    dtype: np.dtype,
    steps: Mapping[str, float],
) -> bool:
    """Whether every row agrees, to the precision of all columns that are in the relation."""
    target = values[name]
    with np.errstate(all="ignore"):
        error = np.abs(relation.compute(values) - target)

    allowed = np.full(len(target), PRECISION * float(target.std()))
    if dtype.kind == "f":
        allowed += 8 * float(np.finfo(dtype).eps) * np.abs(target)

    # A grid rounds each column by half a step; a coarse one would let anything pass.
    rounding = 0.51 * steps[name]
    if relation.form == "sum":
        terms = zip(relation.sources, relation.weights, strict=True)
        rounding += sum(0.51 * abs(weight) * steps[source] for source, weight in terms)
    fine = rounding < 1e-2 * float(target.std()) and dtype.kind == "f"

    return bool(np.isfinite(error).all() and (error <= allowed + (rounding if fine else 0)).all())


def _forward(form: Form, values: np.ndarray) -> np.ndarray:
    if form == "sum":
        return values
    return np.square(values) if form == "squares" else np.log(values)


def _back(form: Form, values: np.ndarray) -> np.ndarray:
    if form == "sum":
        return values
    return np.sqrt(np.maximum(values, 0)) if form == "squares" else np.exp(values)


def _standardised(values: np.ndarray) -> np.ndarray | None:
    """Centred, of length 1; None for what does not vary."""
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-12 * np.abs(values).max() * len(values) ** 0.5 else None


def _plain(weight: float) -> float:
    """The whole number, half, third ... that it is to three digits; else itself."""
    for whole in (1, 2, 3, 4, 5, 6):
        rounded = round(weight * whole) / whole
        if abs(weight - rounded) < 1e-3:
            return rounded
    return weight
