"""Finding the columns of a table that others determine, wholly or nearly."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from scgan.data.tables.digits import digits_of
from scgan.data.tables.relations import OF_TWO, Form, Linear, Relation, forward
from scgan.data.tables.solving import FORMS, LARGEST, allowed, orthogonal_part, solved, standardised

SEARCH_ROWS = 4096  # rows by which relations are looked for; all rows must confirm them
FIRST_ROWS = 64  # of these, by which pairs of columns are looked through
ROWS_A_COLUMN = 4  # of fewer rows for each column, anything is a function of anything
MOST_PAIRED = 64  # columns of which all pairs are looked at
NEARLY = 1e-4  # share of a column's deviation that others leave open, below which it is a candidate
PRECISION = 1e-6  # of a column's deviation, to which every row must agree
COARSE = 1e-2  # of a column's deviation, to which the first rows must agree
FINE = 1e-3  # of a column's deviation, to which what its sources are rounded to must tell it
CLOSE = 0.05  # share of a column's deviation, below which what others leave of it is modelled
MATTERS = 0.02  # of a deviation, which a source of such a column must make up
MIN_ROWS = 50


@dataclass
class Relations:
    """What is found.

    Attributes:
        exact: Relations of the columns that can be computed, in an order in which they can be.
        close: Relations of those of which others leave little, which is modelled in their place.
    """

    exact: dict[str, Relation]
    close: dict[str, Relation]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """All columns that these are computed of, and themselves."""
        known = {**self.exact, **self.close}
        reached, left = set(names), list(names)
        while left:
            relation = known.get(left.pop())
            fresh = set(relation.sources).difference(reached) if relation else set[str]()
            reached |= fresh
            left += fresh
        return reached

    def permits(self, name: str, relation: Relation) -> bool:
        """Whether a column may be computed so: not yet computed, nor of what needs it."""
        taken = name in self.exact or name in self.close
        return not taken and name not in self.ancestors(relation.sources)


def find_relations(columns: Mapping[str, np.ndarray], steps: Mapping[str, float]) -> Relations:
    """Find the columns that others determine, and those of which they leave little.

    Args:
        columns: Name to finite values ``[N]``, in an order of which earlier ones are kept.
        steps: The columns' grids, in their units; 0 for none.

    Returns:
        Their relations; none where rows are too few to tell.
    """
    values = {name: array.astype(np.float64) for name, array in columns.items()}
    found, num = Relations({}, {}), len(next(iter(values.values()), ()))
    if num < max(MIN_ROWS, ROWS_A_COLUMN * len(values)):
        return found

    precision = {
        name: _resolution(array, columns[name].dtype, steps[name]) for name, array in values.items()
    }
    pairs = list(_of_two(values))
    _take(found, _with_forms(pairs, "cosine", "sine", "sinh"), values, precision)
    _take(found, _with_forms(pairs, "angle", "pseudorapidity"), values, precision)
    for form in FORMS:
        _take(found, _candidates(form, values), values, precision)
    _take(found, _with_forms(pairs, "cosh"), values, precision)

    _take_close(found, values)
    masses = list(_masses(found, values))
    _take(found, masses, values, precision)
    _take_close_of_momenta(found, (*pairs, *masses), values)
    return found


def _take(
    found: Relations,
    candidates: Iterable[tuple[str, Relation]],
    values: Mapping[str, np.ndarray],
    precision: Mapping[str, np.ndarray],
) -> None:
    """Take those that every row confirms into what is found."""
    for name, exact in candidates:
        for relation in (_simplified(exact), exact):
            if found.permits(name, relation) and _holds(relation, values, name, precision):
                found.exact[name] = relation


def _candidates(form: Linear, columns: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Relation]]:
    """Columns that those before them nearly determine, and, in their place, those themselves."""
    rows = slice(0, SEARCH_ROWS)
    kept: dict[str, np.ndarray] = {}
    basis: list[np.ndarray] = []

    for name, values in columns.items():
        unit = standardised(forward(form, values[rows])) if allowed(form, values) else None
        if unit is None:
            continue

        left = orthogonal_part(unit, basis)
        size = float(np.linalg.norm(left))
        if size > NEARLY:
            basis.append(left / size)
            kept[name] = values[rows]
        elif kept:
            relation = solved(form, values[rows], kept, 10 * PRECISION)
            yield name, relation
            yield from _turned(form, {**kept, name: values[rows]}, (*relation.sources, name))


def _turned(
    form: Linear, columns: Mapping[str, np.ndarray], names: tuple[str, ...]
) -> Iterator[tuple[str, Relation]]:
    """The relation between these columns, solved for each but the last."""
    for name in names[:-1]:
        others = {other: columns[other] for other in names if other != name}
        yield name, solved(form, columns[name], others, 10 * PRECISION)


def _with_forms(
    candidates: Iterable[tuple[str, Relation]], *forms: Form
) -> Iterator[tuple[str, Relation]]:
    """Those of some candidates that have one of these forms."""
    for name, relation in candidates:
        if relation.form in forms:
            yield name, relation


def _of_two(columns: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Relation]]:
    """Columns that two others seem to determine."""
    first = {n: v[:FIRST_ROWS] for n, v in columns.items() if np.abs(v).max() < LARGEST}
    if len(first) > MOST_PAIRED:
        return

    names = [name for name in first if np.unique(first[name]).size > FIRST_ROWS // 2]
    targets = np.stack([first[name] for name in names]) if names else np.empty((0, FIRST_ROWS))
    scales = targets.std(1) if names else np.empty(0)
    for form, (a, b) in itertools.product(OF_TWO, itertools.permutations(names, 2)):
        relation = Relation(form, (a, b))
        with np.errstate(all="ignore"):
            error = np.abs(relation.compute(first) - targets)
        for i in np.flatnonzero(np.median(error, 1) < COARSE * scales):
            if names[i] not in (a, b):
                yield names[i], relation


def _masses(found: Relations, columns: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Relation]]:
    """Columns that may be the invariant mass of two particles whose energies are known so."""
    particles = [
        (name, *relation.sources)
        for name, relation in {**found.exact, **found.close}.items()
        if relation.form == "squares" and relation.weights == (1, 1, 1)
    ]
    for one, other in itertools.combinations(particles, 2):
        relation = Relation("mass", (*one, *other))
        mass = relation.compute({n: v[:SEARCH_ROWS] for n, v in columns.items()})
        for name, values in columns.items():
            near = np.median(np.abs(mass - values[:SEARCH_ROWS])) < COARSE * values.std()
            if near and name not in relation.sources:
                yield name, relation


def _take_close(found: Relations, values: Mapping[str, np.ndarray]) -> None:
    """Take columns of which others leave little, the least first, into what is found."""
    if len(values) > MOST_PAIRED:
        return
    rows = {name: array[:SEARCH_ROWS] for name, array in values.items()}
    for form in FORMS:
        while closest := _closest(form, rows, found):
            name, relation = closest
            found.close[name] = relation


def _take_close_of_momenta(
    found: Relations,
    candidates: Iterable[tuple[str, Relation]],
    values: Mapping[str, np.ndarray],
) -> None:
    """Take components, angles and masses that the others nearly are."""
    for name, relation in candidates:
        if found.permits(name, relation) and _share(relation, values, name) < CLOSE:
            found.close[name] = relation


def _closest(
    form: Linear, rows: Mapping[str, np.ndarray], found: Relations
) -> tuple[str, Relation] | None:
    """The column of which others leave least, if that is little."""
    there = {name: values for name, values in rows.items() if allowed(form, values)}
    closest, least = None, CLOSE

    for name, values in there.items():
        if name in found.exact or name in found.close:
            continue
        others = _independent(form, there, found, name)
        if not others:
            continue
        relation = _simplest(form, values, others)
        share = _share(relation, rows, name) if relation else 1.0
        if relation and share < least and found.permits(name, relation):
            closest, least = (name, relation), share

    return closest


def _independent(
    form: Linear, columns: Mapping[str, np.ndarray], found: Relations, name: str
) -> dict[str, np.ndarray]:
    """Other columns of which none is determined by the rest; modelled ones before computed."""
    modelled = [other for other in columns if other not in found.exact]
    names, units = [], []
    for other in (*modelled, *(other for other in found.exact if other in columns)):
        unit = standardised(forward(form, columns[other]))
        if unit is not None and other != name:
            names.append(other)
            units.append(unit)

    if not names:
        return {}
    left = np.abs(np.diagonal(np.linalg.qr(np.stack(units, axis=1), mode="r")))
    return {other: columns[other] for other, it in zip(names, left, strict=False) if it > NEARLY}


def _simplest(
    form: Linear, values: np.ndarray, others: Mapping[str, np.ndarray]
) -> Relation | None:
    """The best relation of these sources by whole weights; of a sum, else, by any."""
    best = solved(form, values, others, MATTERS)
    whole = tuple(float(round(weight)) for weight in best.weights)
    simple, rows = replace(best, weights=whole, constant=0.0), {**others, "": values}
    if form == "sum" and _share(simple, rows, "") > 2 * _share(best, rows, ""):
        return best
    return simple if all(whole) else None


def _share(relation: Relation, rows: Mapping[str, np.ndarray], name: str) -> float:
    """What is left of a column's deviation beside its sources."""
    with np.errstate(all="ignore"):
        left = rows[name] - relation.compute(rows)
        share = float((left - left.mean()).std() / rows[name].std())
    return share if np.isfinite(share) else 1.0


def _simplified(relation: Relation) -> Relation:
    """The same with the simple numbers that its weights nearly are."""
    weights = tuple(map(_plain, relation.weights))
    return replace(relation, weights=weights, constant=_plain(relation.constant))


def _plain(weight: float) -> float:
    """The whole number, half, third ... that it is to three digits; else itself."""
    for whole in (1, 2, 3, 4, 5, 6):
        rounded = round(weight * whole) / whole
        if abs(weight - rounded) < 1e-3:
            return rounded
    return weight


def _holds(
    relation: Relation,
    values: Mapping[str, np.ndarray],
    name: str,
    precision: Mapping[str, np.ndarray],
) -> bool:
    """Whether every row agrees, to what the columns in the relation are rounded to."""
    target = values[name]
    with np.errstate(all="ignore"):
        computed = relation.compute(values)
        error = np.abs(computed - target)
        if relation.form == "angle":
            error = np.minimum(error, 2 * np.pi - error)

        own, theirs, spread = precision[name], np.zeros(len(target)), float(target.std())
        for source in set(relation.sources):
            moved = {**values, source: values[source] + precision[source]}
            theirs += np.abs(relation.compute(moved) - computed)

    fine = np.median(theirs) < FINE * spread
    most = PRECISION * spread + (1.02 * (own + theirs) if fine else 0.0)
    return bool(np.isfinite(error).all() and (error <= most).all())


def _resolution(values: np.ndarray, dtype: np.dtype, step: float) -> np.ndarray:
    """How far each of a column's values may be from what was rounded to it, ``[N]``."""
    eps = 8 * float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
    known = 0.5 * step + eps * np.abs(values)
    digits = digits_of(values) if dtype == np.float64 else None
    if digits is None:
        return known

    size = np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros(len(values))))
    return np.maximum(known, 0.5 * 10.0 ** (size - digits + 1))
