"""NEMGAN as scikit-learn has estimators: with labels of some rows, or none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from scgan import NEMGAN
from scgan.pipeline import executor as execution

SHORT = {"gan.num_samples": 25_600, "gan.batch_size": 64, "gan.width": 32}
TINY = {"gan.num_samples": 256, "gan.batch_size": 64, "gan.width": 8}


def rows(num=600):
    """Two clouds far apart, a quarter of the rows in the right one."""
    rng = np.random.default_rng(0)
    side = rng.permutation(np.arange(num) % 4 == 0)
    x = np.stack([100 + 20 * side + rng.normal(size=num), 5 * side + rng.normal(size=num)], 1)
    return x, side.astype(int)


@pytest.fixture(scope="module")
def X():
    return rows()[0]


@pytest.fixture(scope="module")
def y():
    return rows()[1]


@pytest.fixture(scope="module")
def model(X):
    return NEMGAN(weights=(3, 1), settings=SHORT, random_state=3).fit(X)


def taught(X, y, **params):
    settings = {**TINY, "gan.supervise_every": 2, "gan.supervised_steps": 2}
    return NEMGAN(labelled=1.0, settings=settings, **params).fit(X, y)


def test_parameters_are_its_settings():
    model = NEMGAN(4, weights=[1, 2, 3, 4], prior="learned", code_dim=5, labelled=0.5)
    gan = clone(model)._config().gan
    assert (gan.num_clusters, gan.weights, gan.prior) == (4, (1, 2, 3, 4), "learned")
    assert (gan.code_dim, gan.labelled) == (5, 0.5)
    usual = NEMGAN()._config().gan
    assert (usual.num_clusters, usual.weights, usual.prior) == (None, None, "fixed")
    assert NEMGAN(weights=np.ones(3))._config().gan.weights == (1, 1, 1)


def test_it_clusters_and_samples(model, X):
    p = model.predict_proba(X)
    assert p.shape == (len(X), 2) and np.allclose(p.sum(1), 1, atol=1e-5)
    assert np.array_equal(p.argmax(1), model.labels_) and model.n_clusters_ == 2
    assert np.array_equal(model.predict(X), model.labels_)
    assert model.sample(7).shape == (7, 2)
    assert not np.array_equal(model.sample(7, cluster=0), model.sample(7, cluster=1))
    assert np.allclose(model.model_.prior.weights, [0.75, 0.25])
    assert not hasattr(model, "transform") and not hasattr(model, "classes_")
    again = clone(model)
    assert np.array_equal(again.fit_predict(X), model.labels_)


def test_y_is_ignored_unless_some_of_it_is_to_be_learned_from(X, y):
    fits = [NEMGAN(2, settings=TINY).fit(X, labels) for labels in (None, y)]
    assert np.array_equal(fits[0].sample(5), fits[1].sample(5))
    assert NEMGAN(settings=TINY).fit(X, y).n_clusters_ == 10
    with pytest.raises(ValueError, match="labelled is 0.5, but there is no y"):
        NEMGAN(labelled=0.5, settings=TINY).fit(X)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (lambda y: np.where(y, "right", "left"), ["left", "right"]),
        (lambda y: y + 4, [4, 5]),
        (lambda y: pd.Series(y.astype(float)).where(y == y), [0.0, 1.0]),
        (lambda y: pd.Series(np.where(y, "b", "a"), dtype="category"), ["a", "b"]),
    ],
)
def test_labels_teach_the_first_clusters_in_their_order(X, y, labels, classes):
    given = labels(y)
    model = taught(X, given)
    assert model.classes_.tolist() == classes and model.n_clusters_ == 2
    settings = {**SHORT, "gan.supervise_every": 10}
    model = NEMGAN(labelled=1.0, settings=settings).fit(X, given)
    assert (model.predict(X) == y).mean() > 0.98


def without(y, none, dtype):
    """Labels of every tenth row only."""
    labels = np.asarray(y).astype(dtype)
    labels[np.arange(len(y)) % 10 > 0] = none
    return labels


@pytest.mark.parametrize(
    ("none", "dtype"), [(-1, int), (np.nan, float), (None, object), ("", object), (pd.NA, object)]
)
def test_rows_without_a_label_are_no_class(X, y, none, dtype):
    model = taught(X, without(y, none, dtype), random_state=1)
    assert len(model.classes_) == 2 and model.n_clusters_ == 2
    # What stands for none makes no difference.
    same = taught(X, without(y, -1, int), random_state=1)
    assert np.allclose(model.predict_proba(X), same.predict_proba(X), atol=1e-6)


def test_classes_are_saved_and_go_with_the_next_fit(X, y, tmp_path):
    model = taught(X, np.where(y, "right", "left"), num_clusters=3)
    model.save(str(tmp_path))
    loaded = NEMGAN.load(str(tmp_path))
    assert loaded.classes_.tolist() == ["left", "right"] and loaded.n_clusters_ == 3
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.labels_, model.labels_)
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert not hasattr(model.set_params(labelled=0.0).fit(X, y), "classes_")


@pytest.mark.parametrize(
    ("params", "labels", "message"),
    [
        ({"weights": (1, 2, 3), "num_clusters": 2}, None, "gan.weights are 1.0, 2.0, 3.0"),
        ({"prior": "known"}, None, "gan.prior: input should be 'fixed' or 'learned'"),
        ({"labelled": 2.0}, [0, 1] * 300, "gan.labelled: input should be less than or equal to 1"),
        ({"labelled": 1.0}, [0, 1], r"y must have a label for each of 600 rows, not \(2,\)"),
        ({"labelled": 1.0}, [[0], [1]] * 300, r"for each of 600 rows, not \(600, 1\)"),
        ({"labelled": 1.0}, [-1] * 600, "has no labels"),
        ({"labelled": 1.0, "num_clusters": 2}, [0, 1, 2] * 200, "the labels have 3 values"),
    ],
)
def test_wrong_input_is_a_value_error(X, params, labels, message, monkeypatch):
    monkeypatch.setattr(execution, "fit_part", None)
    with pytest.raises(ValueError, match=message) as error:
        NEMGAN(**params).fit(X, labels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("call", ["sample", "predict", "predict_proba", "save"])
def test_what_needs_a_fit_says_so(call, X, tmp_path):
    argument = {"sample": 3, "save": str(tmp_path / "model")}.get(call, X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(NEMGAN(), call)(argument)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimators_overwrite_params,
        estimator_checks.check_dict_unchanged,
        estimator_checks.check_fit1d,
        estimator_checks.check_fit_check_is_fitted,
        estimator_checks.check_n_features_in,
        estimator_checks.check_methods_subset_invariance,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_own_checks(check):
    check("NEMGAN", NEMGAN(2, settings=TINY))
