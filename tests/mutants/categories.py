"""Mutants of what a table holds beside numbers: categories, times, gaps."""

from __future__ import annotations

_TABLES = "scgan/data/tables/"
_HERE = (
    "tests/data/tables/test_categories.py",
    "tests/data/tables/test_small_categories.py",
)
_READING = ("tests/data/tables/test_reading.py",)
_FIGURES = ("tests/figures/test_table_figures.py",)
_ASSIGNING = ("tests/pipeline/test_assigning.py",)

_CHANGES = [
    ("column.py", "GAP = -1.0", "GAP = 0.0", _HERE),
    ("column.py", "d[there] = np.maximum(d[there], 0.0)", "pass", _HERE),
    ("column.py", "distance < GAP / 2", "distance < GAP", _HERE),
    ("column.py", "values[mask] = np.nan", "pass", _HERE),
    ("column.py", "np.full(num, self.gaps == 1)", "np.zeros(num, bool)", _HERE),
    ("column.py", "values.astype(self.dtype).astype(np.int64)", "values.astype(np.int64)", _HERE),
    ("column.py", "Ranks.fit(d, tied=True)", "Ranks.fit(d)", _HERE),
    ("scales.py", "> max(1, num // MAX_KNOTS)) | tied", "> max(1, num // MAX_KNOTS))", _HERE),
    ("scales.py", "lower[0] = share", "pass", _HERE),
    ("scales.py", "share + (1 - share) * rank", "share + rank", _HERE),
    ("distances.py", "np.gcd.reduce(", "np.min(", _HERE),
    ("distances.py", "offset * np.uint64(grid)", "offset", _HERE),
    ("distances.py", "known[places] != values", "known[places] == None", _HERE),
    ("measuring.py", "-counts[value], value", "counts[value], value", _HERE),
    (
        "measuring.py",
        'kind: Kind = "constant" if not column.gaps',
        'kind: Kind = "constant" if True',
        _HERE,
    ),
    ("measuring.py", 'np.argsort(means, kind="stable")', "np.arange(num)", _HERE),
    ("moments.py", "self.nan = self.nan and are_nan(values)", "pass", _HERE),
    ("moments.py", "len(values) - len(there)", "len(there)", _HERE),
    ("moments.py", "abs(low - int(origin))", "0", _HERE),
    ("moments.py", "self.counts.update(", "self.counts = Counter(", _HERE),
    ("moments.py", "measure.meaning = measure.meaning.joined(meaning)", "pass", _HERE),
    (
        "schema.py",
        "column = replace(column, categories=(*column.categories, *more))",
        "pass",
        _HERE,
    ),
    ("schema.py", "gaps=column.gaps or 0.0, nan=nan", "nan=nan", _HERE),
    ("schema.py", "if c.needs_ranks:", "if False:", _HERE),
    ("values.py", "np.isnan(below).all()", "np.isnan(below).any()", _HERE),
    ("values.py", "yield mask_of(values).tobytes()", "pass", _HERE),
    ("values.py", "zone: str | None = None", 'zone: str | None = "UTC"', _HERE),
    ("arrow.py", "mask = mask & ~np.isnan(data)", "pass", _HERE),
    ("arrow.py", "Meaning(zone=column.type.tz)", "PLAIN", _HERE),
    ("arrow.py", "ordered=meaning.ordered", "ordered=False", _HERE),
    ("arrow.py", "replace(meaning, pandas=own.get(name))", "meaning", _HERE),
    ("checking.py", "columns[name] = gapped(values, mask)", "pass", _HERE),
    ("taking.py", "2 * num <= rows", "num <= rows", _READING),
    ("taking.py", "if len(text) > MAX_LETTERS)", "if False)", _READING),
    ("taking.py", "if 2 * alike >= len(known)", "if False", _READING),
    ("writing.py", 'replace(meaning, zone="UTC") if meaning.zone else meaning', "meaning", _HERE),
    ("writing.py", 'mask.any() and data.dtype.kind in "iub"', "False", _HERE),
]

MUTANTS: list[tuple[str, str, str, tuple[str, ...]]] = [
    *((_TABLES + name, old, new, tests) for name, old, new, tests in _CHANGES),
    (
        "scgan/data/fingerprint.py",
        "digest.update(np.ma.getmaskarray(array).tobytes())",
        "pass",
        _HERE,
    ),
    ("scgan/data/split.py", ".knowing(test.columns)", "", _HERE),
    ("scgan/data/split.py", "meanings = dict(table.meanings)", "meanings = 0", _HERE),
    ("scgan/metrics/kept.py", "mask_of(real).any()", "True", _HERE),
    ("scgan/metrics/kept.py", "mask_of(a) & mask_of(b), same", "same, same", _HERE),
    ("scgan/figures/statistics.py", "own - own.mean()", "own", _FIGURES),
    ("scgan/figures/marginals.py", "gaps[1]:.1%", "gaps[0]:.1%", _FIGURES),
    ("scgan/figures/marginals.py", "counts[most] / len(real)", "counts[most]", _FIGURES),
    (
        "scgan/pipeline/assigning.py",
        "missing or stored.spec.data.missing",
        'missing or "error"',
        _ASSIGNING,
    ),
]
