"""Mutants of the papers' tables: what they train, and what they print beside what was published."""

from __future__ import annotations

_MMGAN, _MMGAN_TESTS = "scgan/reproductions/mmgan.py", "tests/reproductions/test_mmgan_tables.py"

_NEMGAN, _NEMGAN_TESTS = (
    "scgan/reproductions/nemgan.py",
    "tests/reproductions/test_nemgan_tables.py",
)
_DERIVED, _DERIVED_TESTS = "scgan/data/images/derived.py", "tests/data/images/test_derived.py"
_STACKED_TESTS = "tests/pipeline/test_stacked.py"
_CLUSTERS, _CLUSTERS_TESTS = (
    "ray_jobs/benchmarks/clusters.py",
    "tests/ray_jobs/benchmarks/test_clusters.py",
)

_CHANGES = {
    (_MMGAN, _MMGAN_TESTS): [
        ('"gan.batches": "prior"})', '"gan.batches": "paired"})'),
        ('presets["default"], budget)', 'presets["default"], 1.0)'),
        ("for model in MODELS if model != UNPAIRED], TABLE_1", "for model in MODELS], TABLE_1"),
        ("[PAIRED, UNPAIRED], TABLE_2", "[PAIRED, UNPAIRED], TABLE_1"),
        (
            '_BY_SAMPLES = {"gan.critic": "crasgan", "gan.start": "noise"}',
            '_BY_SAMPLES = {"gan.critic": "crasgan"}',
        ),
        ("beside[number]", "beside[0]"),
        ("if (result.cell.row, result.cell.column) == (data, model)", "if result.cell.row == data"),
        ("_has_classes(data):", "data:"),
        ('.lower().partition(".")[0]', ".lower()"),
        ("DataConfig(source=MOONS, **NUM_MOONS)", "DataConfig(source=MOONS)"),
        ("Spec(system, data, override(base, changes), seed)", "Spec(system, data, base, seed)"),
    ],
    (_NEMGAN, _NEMGAN_TESTS): [
        ('"without h2": {"gan.mode_weight": 0.0}', '"without h2": {}'),
        ('modes = {"gan.num_clusters": MODES}', "modes = {}"),
        ('{"gan.weights": assumed, **settings}', "settings"),
        ('("3", "5"), ASSUMED[0], changes', '("3", "5"), assumed, changes'),
        ("shares, torch.tensor(true)", "shares, torch.tensor(true[::-1])"),
        ("logits[:, list(among)]", "logits[:, : len(among)]"),
        ("(found == common[k])", "(found == found)"),
        ("PUBLISHED.get((table, data, row)", "PUBLISHED.get((table, data, results[0].cell.row)"),
        ("made, k, data.test", "made, k % 2, data.test"),
        ("if assumed[0] == assumed[1] else right", "if True else right"),
        ("max(right, 1 - right) if", "right if"),
        ('"assumed": changes["gan.weights"]}', '"assumed": true}'),
    ],
    (_DERIVED, _DERIVED_TESTS): [
        ("for column in rows.T]", "for column in rows.T[:1].repeat(3, 0)]"),
        ('("test", data.test, NUM_TEST)', '("test", data.train, NUM_TEST)'),
        ("round(most * share)", "round(len(rows) * share)"),
        ('"y_train": y[train]', '"y_train": y[: len(train)]'),
        ("np.flatnonzero(np.isin(y_test, places))", "np.arange(len(y_test))"),
    ],
    ("scgan/metrics/modes.py", _STACKED_TESTS): [
        ("num_classes ** torch.arange(classes.shape[1])", "torch.ones(classes.shape[1]).long()"),
        ("num_classes ** classes.shape[1]", "num_classes * classes.shape[1]"),
        ("int(classes.max()) >= num_classes", "int(classes.max()) > num_classes"),
    ],
    ("scgan/pipeline/counting.py", _STACKED_TESTS): [
        ("images.flatten(0, 1)[:, None]", "images.transpose(0, 1).flatten(0, 1)[:, None]"),
        ("_some(images, num, seed)", "images"),
        ("if schema.channels != 1:", "if schema.channels == 0:"),
    ],
    ("scgan/pipeline/classifier.py", _STACKED_TESTS): [
        ("store.save(key, artifact, provenance)", "pass"),
        ('"seed": seed,', ""),
    ],
    (_CLUSTERS, _CLUSTERS_TESTS): [
        ("override(base, {key: num})", "base"),
        ('presets["default"], budget)', 'presets["default"], 1.0)'),
        ("if key in done:", "if key in ():"),
        ("== (name, budget)]", '== (name, row["budget"])]'),
        ("itertools.product(range(seeds), data)", "itertools.product(range(1), data)"),
    ],
}

MUTANTS = [
    (path, old, new, (tests,))
    for (path, tests), changes in _CHANGES.items()
    for old, new in changes
]
