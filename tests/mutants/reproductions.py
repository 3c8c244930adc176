"""Mutants of the papers' tables: what they train, and what they print beside what was published."""

from __future__ import annotations

_MMGAN, _MMGAN_TESTS = "scgan/reproductions/mmgan.py", "tests/reproductions/test_mmgan_tables.py"

_CHANGES = {
    (_MMGAN, _MMGAN_TESTS): [
        ('"gan.batches": "prior"})', '"gan.batches": "paired"})'),
        ('presets["default"], budget)', 'presets["default"], 1.0)'),
        ("for model in MODELS if model != UNPAIRED], TABLE_1", "for model in MODELS], TABLE_1"),
        ("[PAIRED, UNPAIRED], TABLE_2", "[PAIRED, UNPAIRED], TABLE_1"),
        ("beside[number]", "beside[0]"),
        ("if (result.cell.row, result.cell.column) == (data, model)", "if result.cell.row == data"),
        ("_has_classes(data):", "data:"),
        ('.lower().partition(".")[0]', ".lower()"),
        ("DataConfig(source=MOONS, **NUM_MOONS)", "DataConfig(source=MOONS)"),
        ("Spec(system, data, override(base, changes), seed)", "Spec(system, data, base, seed)"),
    ],
}

MUTANTS = [
    (path, old, new, (tests,))
    for (path, tests), changes in _CHANGES.items()
    for old, new in changes
]
