"""Mutations of what columns are computed of, each with the tests that must fail."""

from __future__ import annotations

RELATIONS = ("tests/data/tables/test_relations.py",)
MOMENTA = ("tests/data/tables/test_momenta.py",)
BOTH = (*RELATIONS, *MOMENTA)
TABLES = "scgan/data/tables/"
FINDING, FORMS = TABLES + "relating.py", TABLES + "relations.py"
SOLVING, SCHEMA = TABLES + "solving.py", TABLES + "schema.py"

MUTANTS = [
    (FORMS, '"cosine": (lambda a, b: a * np.cos(b)', '"cosine": (lambda a, b: np.cos(b)', MOMENTA),
    (FORMS, "a * np.cosh(b)", "a + np.cosh(b)", MOMENTA),
    (FORMS, "np.arcsinh(a / b)", "np.arcsinh(b / a)", MOMENTA),
    (FORMS, '"angle": (np.arctan2', '"angle": (lambda a, b: np.arctan(a / b)', MOMENTA),
    (FORMS, "energy**2 - sum(p**2", "energy**2 + sum(p**2", MOMENTA),
    (FORMS, "sum(others[i::4]", "sum(others[i:4]", MOMENTA),
    (FORMS, "self._total(columns) + rest", "self._total(columns)", MOMENTA),
    (FORMS, "np.float64)) - self._total", "np.float64)) + self._total", MOMENTA),
    (FORMS, "len(others[0]), self.constant)", "len(others[0]), 0.0)", RELATIONS),
    (FORMS, "total += weight * forward(", "total += forward(", RELATIONS),
    (FINDING, "num < max(MIN_ROWS,", "num < max(0,", RELATIONS),
    (FINDING, "ROWS_A_COLUMN * len(values)", "0", RELATIONS),
    (FINDING, "SEARCH_ROWS = 4096", "SEARCH_ROWS = 4", RELATIONS),
    (FINDING, "(_simplified(exact), exact)", "(exact, exact)", RELATIONS),
    (FINDING, "not in self.ancestors(relation.sources)", "not in relation.sources", RELATIONS),
    (FINDING, "return not taken and name", "return name", BOTH),
    (
        FINDING,
        "fresh = set(relation.sources).difference(reached) if relation",
        "fresh = set(relation.sources).difference(reached) if False",
        BOTH,
    ),
    (FINDING, "yield from _turned(", "yield from () and _turned(", MOMENTA),
    (FINDING, "if names[i] not in (a, b):", "if names[i] in (a, b):", MOMENTA),
    (
        FINDING,
        'pairs, "cosine", "sine", "sinh")',
        'pairs, "cosine", "sine")',
        MOMENTA,
    ),
    (FINDING, 'pairs, "angle", "pseudorapidity")', 'pairs, "angle")', MOMENTA),
    (FINDING, "_take(found, masses, values, precision)", "pass", MOMENTA),
    (FINDING, "_take_close_of_momenta(found, (*pairs, *masses), values)", "pass", MOMENTA),
    (FINDING, "{**found.exact, **found.close}.items()", "found.exact.items()", MOMENTA),
    (FINDING, "relation.weights == (1, 1, 1)", "len(relation.weights) == 2", MOMENTA),
    (FINDING, "_take_close(found, values)", "pass", MOMENTA),
    (FINDING, 'pairs, "cosh")', "pairs)", MOMENTA),
    (FINDING, "if relation.form in forms:", "if True:", MOMENTA),
    (FINDING, "share < least and found.permits", "found.permits", MOMENTA),
    (FINDING, "closest, least = None, CLOSE", "closest, least = None, 0.5", MOMENTA),
    (FINDING, "_independent(form, there, found, name)", "dict(there)", MOMENTA),
    (
        FINDING,
        "own, theirs, spread = precision[name]",
        "own, theirs, spread = 0 * precision[name]",
        BOTH,
    ),
    (FINDING, "theirs += np.abs(", "theirs += 0 * np.abs(", MOMENTA),
    (FINDING, "np.median(theirs) < FINE * spread", "True", MOMENTA),
    (FINDING, "error <= most).all()", "error <= most).any()", RELATIONS),
    (
        FINDING,
        "return np.maximum(known, 0.5 * 10.0 ** (size - digits + 1))",
        "return known",
        MOMENTA,
    ),
    (FINDING, "known = 0.5 * step + eps", "known = eps", BOTH),
    (FINDING, "eps = 8 * float(np.finfo(dtype).eps)", "eps = 0 * float(np.finfo(dtype).eps)", BOTH),
    (SOLVING, 'if form != "squares":', "if True:", MOMENTA),
    (SOLVING, "np.average(target, weights=known**2)", "target.mean()", MOMENTA),
    (SOLVING, "matter = np.abs(weights) > matters", "matter = np.abs(weights) > 0 * matters", BOTH),
    (SOLVING, "bool((values > 0).all())", "True", BOTH),
    (SCHEMA, "column.fitted(computed)", "computed", BOTH),
    (SCHEMA, "rests.get(column.name, 0.0)", "0.0", MOMENTA),
    (
        SCHEMA,
        "c.relation.rest(there[c.name], there) if c.relation",
        "there[c.name] if c.relation",
        MOMENTA,
    ),
    (SCHEMA, "self._compute(there, {})", "pass", MOMENTA),
    (SCHEMA, "ranked = {c.name: c.seen.ranked(", "ranked = {c.name: c.ranked(", MOMENTA),
    (SCHEMA, "better if c.rest is None else replace(c, rest=better, gain=gain)", "better", MOMENTA),
    (SCHEMA, "column.seen.encode(", "column.encode(", MOMENTA),
    (SCHEMA, "c.seen.restore(", "c.restore(", MOMENTA),
    (TABLES + "column.py", "ranks = self.seen.ranks", "ranks = self.ranks", MOMENTA),
]
