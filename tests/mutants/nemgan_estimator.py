"""Mutants of the estimator NEMGAN: which labels it is taught, and what becomes of them."""

from __future__ import annotations

_ESTIMATOR, _BASE = "scgan/estimator/nemgan.py", "scgan/estimator/base.py"
_LABELS, _TESTS = "scgan/data/labels.py", ("tests/test_nemgan_estimator.py",)

_CHANGES = [
    (_ESTIMATOR, "if config.gan.labelled == 0:", "if y is None:"),
    (_ESTIMATOR, "np.where(np.isnan(labels), -1, labels)", "labels"),
    (_ESTIMATOR, 'np.where(np.isin(texts, MISSING), "", texts)', "texts"),
    (_ESTIMATOR, "labels.shape != (num_rows,)", "len(labels) != num_rows"),
    (_ESTIMATOR, '"weights": "gan.weights",', ""),
    (_ESTIMATOR, '"labelled": "gan.labelled",', ""),
    (_BASE, "replace(table, labels=labels)", "table"),
    (_BASE, 'if record["classes"] is None else np.asarray', "if True else np.asarray"),
    (
        _BASE,
        'for name in ("classes_", "feature_names_in_"):',
        'for name in ("feature_names_in_",):',
    ),
    (_LABELS, "values[~np.isin(values.astype(str), UNLABELLED)]", "values"),
]

MUTANTS = [(path, old, new, _TESTS) for path, old, new in _CHANGES]
