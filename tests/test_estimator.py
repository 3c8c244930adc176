"""SCGAN as scikit-learn has estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from scgan import MMGAN, SCGAN
from scgan.pipeline import executor as execution
from scgan.store.artifacts import ArtifactStore

SETTINGS = {
    "encoder.num_samples": 16_384,
    "mappers.num_samples": 2_048,
    "decoder.num_samples": 65_536,
}
COLUMNS = {"length": "float64", "count": "int16", "share": "float32", "always": "int64"}


def make(num_clusters=4, settings=SETTINGS, **params):
    return SCGAN(num_clusters, preset="smoke", settings=settings, **params)


def rows(seed=0, num=600):
    """Two clouds far apart."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, num)
    return np.stack([100 + 20 * side + rng.normal(size=num), 5 * side + rng.normal(size=num)], 1)


@pytest.fixture(scope="module")
def X():
    return rows()


@pytest.fixture(scope="module")
def model(X):
    return make().fit(X)


@pytest.fixture(scope="module")
def frame():
    x = rows(1)
    columns = {
        "length": x[:, 0],
        "count": np.rint(10 * x[:, 1]),
        "share": x[:, 1] / 9,
        "always": np.full(len(x), 7),
    }
    return pd.DataFrame(columns).astype(COLUMNS)


@pytest.fixture(scope="module")
def framed(frame):
    return make(settings={**SETTINGS, "decoder.num_samples": 8_192}).fit(frame)


def test_parameters_are_scikit_learns():
    model = make(num_clusters=3, code_dim=2, lambda_x=0.5, random_state=4)
    copy = clone(model)
    assert copy is not model and copy.get_params() == model.get_params()
    assert copy.set_params(num_clusters=9, lambda_eps=2.0).get_params()["num_clusters"] == 9
    config = copy._config()
    assert (config.clusters.num_clusters, config.encoder.code_dim) == (9, 2)
    assert (config.mappers.lambda_eps, config.decoder.lambda_x, config.decoder.num_samples) == (
        2.0,
        0.5,
        65_536,
    )
    with pytest.raises(ValueError, match="Invalid parameter 'clusters'"):
        copy.set_params(clusters=3)
    assert repr(SCGAN(num_clusters=3)) == "SCGAN(num_clusters=3)"


@pytest.mark.parametrize("call", ["sample", "transform", "predict", "reconstruct", "save"])
def test_what_needs_a_fit_says_so(call, X, tmp_path):
    argument = {"sample": 3, "save": str(tmp_path / "model")}.get(call, X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(SCGAN(), call)(argument)
    assert not list(tmp_path.iterdir())


def test_a_fit_returns_itself_and_leaves_parameters_alone(model, X):
    check_is_fitted(model)
    assert model.get_params() == make().get_params()
    assert (model.n_features_in_, model.n_clusters_, len(model.labels_)) == (2, 4, len(X))
    assert not hasattr(model, "feature_names_in_")
    assert (
        make(num_clusters=2).fit(X[:50], np.zeros(50)).n_clusters_ == 2
    )  # y is taken, and ignored


def test_clusters_and_codes(model, X):
    assert np.array_equal(model.predict(X), model.labels_)
    assert set(model.labels_) == set(range(model.n_clusters_))
    eps = model.transform(X)
    assert eps.shape == (len(X), 2) and eps.std(0).min() > 0
    assert np.allclose(model.transform(X[5:9]), eps[5:9], atol=1e-5)
    for cluster in range(model.n_clusters_):  # no cluster holds rows of both clouds
        assert len(set(X[model.labels_ == cluster, 0] > 110)) == 1


def test_reconstruction_is_close(model, X):
    x_hat = model.reconstruct(X)
    assert x_hat.shape == X.shape and x_hat.dtype == X.dtype
    error = ((x_hat - X) ** 2).mean(0) / X.var(0)
    assert (error > 0).all() and (error < 0.1).all()


def test_samples_are_like_the_rows(model, X):
    made = model.sample(2000)
    assert made.shape == (2000, 2) and made.dtype == np.float64
    assert np.abs(made.mean(0) - X.mean(0)).max() < 3 and 0.5 < made[:, 0].std() / X[:, 0].std() < 2
    assert 0.25 < (made[:, 0] > 110).mean() < 0.75
    assert model.sample().shape == (1, 2)


def test_the_seed_decides_samples(model):
    assert np.array_equal(model.sample(np.int64(2), seed=np.int64(7)), model.sample(2, seed=7))
    assert np.array_equal(model.sample(50, seed=3), model.sample(50, seed=3))
    assert not np.array_equal(model.sample(50, seed=3), model.sample(50, seed=4))


def test_samples_of_a_cluster(model, X):
    for cluster in range(model.n_clusters_):
        right = X[model.labels_ == cluster, 0].mean() > 110
        assert ((model.sample(400, cluster=cluster)[:, 0] > 110) == right).mean() > 0.8


def test_frames_come_back_as_frames(framed, frame):
    made = framed.sample(100)
    assert list(made.columns) == list(COLUMNS) and made.dtypes.astype(str).to_dict() == COLUMNS
    assert (made["always"] == 7).all() and made["count"].between(
        frame["count"].min(), frame["count"].max()
    ).all()
    assert list(framed.feature_names_in_) == list(COLUMNS) and framed.n_features_in_ == 4
    assert framed.reconstruct(frame).dtypes.astype(str).to_dict() == COLUMNS
    turned = frame[["share", "length", "count", "always"]]
    assert np.array_equal(framed.predict(turned), framed.labels_)
    with pytest.raises(ValueError, match="columns 'length' are missing; needed: length, count"):
        framed.transform(frame.drop(columns="length"))


def test_integers_come_back_as_integers():
    X = np.random.default_rng(0).integers(0, 50, (200, 2))
    assert make(2, {**SETTINGS, "decoder.num_samples": 512}).fit(X).sample(9).dtype == X.dtype


def test_in_a_pipeline(X, model):
    steps = Pipeline([("scale", StandardScaler()), ("scgan", make())]).fit(X)
    assert steps.transform(X).shape == (len(X), 2) and steps.predict(X).shape == (len(X),)
    assert np.array_equal(steps.predict(X), steps["scgan"].labels_)
    assert steps.set_params(scgan__num_clusters=7)["scgan"].num_clusters == 7
    assert list(steps.get_feature_names_out()) == ["scgan0", "scgan1"]
    coded = clone(model).set_output(transform="pandas").fit_transform(X)
    assert list(coded.columns) == ["scgan0", "scgan1"]
    assert np.allclose(coded.to_numpy(), model.transform(X), atol=1e-6)


def test_random_states(X):
    short = {key: 512 for key in SETTINGS}
    fits = [make(2, short, random_state=state).fit(X).sample(5) for state in (0, np.int64(0), 1)]
    assert np.array_equal(fits[0], fits[1]) and not np.array_equal(fits[0], fits[2])
    drawn = [
        make(2, short, random_state=np.random.RandomState(3)).fit(X).sample(5) for _ in range(2)
    ]
    assert np.array_equal(*drawn)
    new = [make(2, short, random_state=None).fit(X).sample(5) for _ in range(2)]
    assert not np.array_equal(*new)


def test_saved_and_loaded(model, framed, frame, X, tmp_path):
    model.save(str(tmp_path / "array"))
    framed.save(str(tmp_path / "frame"))
    array, table = SCGAN.load(str(tmp_path / "array")), SCGAN.load(str(tmp_path / "frame"))
    assert array.get_params() == model.get_params()
    assert np.array_equal(array.sample(20, seed=2), model.sample(20, seed=2))
    assert np.array_equal(array.labels_, model.labels_) and np.array_equal(
        array.transform(X), model.transform(X)
    )
    pd.testing.assert_frame_equal(table.sample(20), framed.sample(20))
    assert list(table.feature_names_in_) == list(COLUMNS) and np.array_equal(
        table.predict(frame), framed.labels_
    )
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} == {".json", ".safetensors"}


def test_what_numpy_counts_can_be_saved(X, tmp_path):
    short = {key: np.int64(512) for key in SETTINGS}
    model = SCGAN(
        np.int64(2), settings=short, lambda_x=np.float32(0.5), random_state=np.random.RandomState(1)
    ).fit(X)
    model.save(str(tmp_path))
    assert SCGAN.load(str(tmp_path)).get_params()["random_state"] == model.seed_
    assert np.array_equal(SCGAN.load(str(tmp_path)).sample(3), model.sample(3))


def test_loading_what_is_not_there_or_damaged(model, tmp_path):
    with pytest.raises(ValueError, match="no estimator at"):
        SCGAN.load(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError, match="no whole estimator at"):
        SCGAN.load(str(tmp_path))
    model.save(str(tmp_path))
    weights = next((tmp_path / "artifacts" / "decode").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ValueError, match="no whole estimator at"):
        SCGAN.load(str(tmp_path))
    for record in ("{", "[1]", '{"stages": ["encode"]}'):
        (tmp_path / "estimator.json").write_text(record)
        with pytest.raises(ValueError, match="no whole estimator at"):
            SCGAN.load(str(tmp_path))


def test_memory_keeps_stages(X, tmp_path, monkeypatch):
    short = {key: 512 for key in SETTINGS}
    first = make(2, short, memory=str(tmp_path)).fit(X)
    trained = []
    fit_part = execution.fit_part
    monkeypatch.setattr(
        execution, "fit_part", lambda job, *rest: trained.append(job.stage) or fit_part(job, *rest)
    )
    second = make(2, short, memory=str(tmp_path)).fit(X)
    assert trained == [] and np.array_equal(first.sample(5), second.sample(5))
    make(2, short, memory=str(tmp_path), lambda_x=0.5).fit(X)
    assert trained == ["decode", "refine"]
    make(2, short, memory=str(tmp_path)).fit(X + 1)
    assert trained[2:] == ["encode", "cluster", "map", "decode", "refine"]
    assert len(list(ArtifactStore(str(tmp_path)).keys("encode-"))) == 2


@pytest.mark.parametrize(
    ("data", "params", "message"),
    [
        (np.zeros(5), {}, r"X must have rows and columns, \[N, D\], not shape \(5,\)"),
        ([[f"a{i}", "b"] for i in range(30)], {}, "column 'x0' holds text"),
        (
            np.full((30, 2), np.nan),
            {},
            "column 'x0' and 1 more columns have no value in any row; leave it out of X",
        ),
        (np.ones((30, 2)), {}, "all columns are constant"),
        (np.ones((1, 2)), {}, "1 rows can't be learned from; give at least 2"),
        (np.ones((0, 2)), {}, "there are no rows"),
        (
            rows(),
            {"num_clusters": 0},
            "clusters.num_clusters: input should be greater than or equal to 1",
        ),
        (
            rows(),
            {"num_clusters": 601},
            "clusters.num_clusters is 601, but there are only 600 training rows",
        ),
        (
            rows(),
            {"lambda_x": -1.0},
            "decoder.lambda_x: input should be greater than or equal to 0",
        ),
        (
            rows(),
            {"lambda_eps": float("nan")},
            "mappers.lambda_eps: input should be a finite number",
        ),
        (
            rows(),
            {"preset": "smok"},
            "unknown preset 'smok'; did you mean 'smoke'|unknown preset 'smok'",
        ),
        (
            rows(),
            {"settings": {"decoder.widht": 3}},
            "unknown setting 'decoder.widht'; did you mean 'decoder.width'",
        ),
        (rows(), {"random_state": -1}, "random_state is -1, but must be 0 to 2147483647"),
        (rows(), {"random_state": "x"}, "cannot be used to seed"),
        (rows(), {"memory": "/dev/null/x"}, "the store '/dev/null/x' can't be written"),
        (rows(), {"memory": 5}, "memory is 5, but must be a folder, an address or None"),
        (rows(), {"missing": "drop"}, "missing is 'drop', but must be 'error' or 'model'"),
        (rows(), {"missing": None}, "missing is None, but must be 'error' or 'model'"),
        (rows(), {"settings": [1]}, r"settings is \[1\], but must be a dictionary or None"),
    ],
)
def test_wrong_input_is_a_value_error(data, params, message, monkeypatch):
    monkeypatch.setattr(execution, "fit_part", None)
    with pytest.raises(ValueError, match=message) as error:
        make(
            **{
                "num_clusters": 2,
                **{k: v for k, v in params.items() if k not in ("preset", "settings")},
            }
        ).set_params(**{k: v for k, v in params.items() if k in ("preset", "settings")}).fit(data)
    assert "\n" not in str(error.value) and "--" not in str(error.value)


def test_wrong_calls_are_value_errors(model, framed, X):
    for call, message in (
        (lambda: model.sample(0), "n is 0, but must be a whole number, at least 1"),
        (lambda: model.sample(2.5), "n is 2.5, but must be a whole number"),
        (lambda: model.sample("3"), "n is '3', but must be a whole number"),
        (lambda: model.sample(3, seed=None), "seed is None, but must be a whole number"),
        (lambda: model.sample(3, seed=2**70), f"seed is {2**70}, but must be a whole number"),
        (lambda: model.sample(5, cluster=4), "cluster is 4, but must be 0 to 3"),
        (lambda: model.predict(np.ones((3, 5))), "X has 5 columns, but the model was fitted on 2"),
        (lambda: model.transform(np.array([[1.0, np.inf], [1.0, 2.0]])), "infinity"),
        (lambda: framed.reconstruct(X), "X has 2 columns, but the model was fitted on 4"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


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
        estimator_checks.check_transformer_get_feature_names_out,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_own_checks(check):
    check("SCGAN", make(2, {key: 512 for key in SETTINGS}))


SHORT = {"gan.num_samples": 12_800, "gan.batch_size": 64, "gan.width": 32}


@pytest.fixture(scope="module")
def clustered(X):
    return MMGAN(2, settings=SHORT, random_state=3).fit(X)


def test_mmgans_parameters_are_its_settings():
    model = MMGAN(5, code_dim=6, alpha=0.5, critic="rsgan", settings={"gan.width": 64})
    gan = clone(model)._config().gan
    assert (gan.num_clusters, gan.code_dim, gan.alpha, gan.critic) == (5, 6, 0.5, "rsgan")
    assert gan.width == 64 and MMGAN()._config().gan.num_clusters is None
    with pytest.raises(ValueError, match="gan.critic: .* 'sgan', 'rsgan' or 'crasgan'"):
        MMGAN(critic="wgan").fit(rows())


def test_mmgan_clusters_and_samples(clustered, X):
    assert np.array_equal(clustered.predict(X), clustered.labels_)
    p = clustered.predict_proba(X)
    assert p.shape == (len(X), 2) and np.allclose(p.sum(1), 1, atol=1e-5)
    assert np.array_equal(p.argmax(1), clustered.labels_) and clustered.n_clusters_ == 2
    assert clustered.sample(7).shape == (7, 2)
    assert not np.array_equal(clustered.sample(7, cluster=0), clustered.sample(7, cluster=1))
    again = MMGAN(2, settings=SHORT, random_state=3)
    assert np.array_equal(again.fit_predict(X), clustered.labels_)
    assert not hasattr(clustered, "transform")


def test_mmgan_saved_and_loaded(clustered, X, tmp_path):
    clustered.save(str(tmp_path))
    loaded = MMGAN.load(str(tmp_path))
    assert loaded.get_params() == clustered.get_params()
    assert np.array_equal(loaded.labels_, clustered.labels_)
    assert np.array_equal(loaded.predict_proba(X), clustered.predict_proba(X))


def test_scgan_says_how_sure_it_is(model, X):
    p = model.predict_proba(X)
    assert p.shape == (len(X), 4) and np.array_equal(p.argmax(1), model.labels_)


def test_what_is_given_comes_back(X):
    """The container, its names and its types; all by one fit, as the rows are the same."""
    frames = {
        "numbers": pd.DataFrame(X),
        "0 and '0'": pd.DataFrame({0: X[:, 0], "0": X[:, 1]}),
        "levels": pd.DataFrame(
            X, columns=pd.MultiIndex.from_tuples([("jet", "pt"), ("jet", "n")], names=["o", "q"])
        ),
        "nullable": pd.DataFrame({"a": X[:, 0], "n": pd.array(X[:, 1].round(), dtype="Int64")}),
    }
    for frame in frames.values():
        fitted = make(2, FAST).fit(frame)
        made = fitted.sample(7)
        assert made.columns.equals(frame.columns) and made.dtypes.equals(frame.dtypes)
        assert made.columns.names == frame.columns.names
        assert pd.concat([frame, made]).shape == (len(X) + 7, 2)
        shuffled = frame[frame.columns[::-1]]
        assert np.array_equal(fitted.predict(shuffled), fitted.predict(frame))
        assert hasattr(fitted, "feature_names_in_") == ("a" in frame)


FAST = {"encoder.num_samples": 512, "mappers.num_samples": 512, "decoder.num_samples": 512}


def test_an_estimator_goes_to_a_path_and_back(X, tmp_path):
    columns = pd.MultiIndex.from_tuples([("jet", "pt"), ("jet", "n")], names=["o", "q"])
    frame = pd.DataFrame(X, columns=columns)
    fitted = make(2, FAST, memory=tmp_path / "memory").fit(frame)
    assert (tmp_path / "memory").is_dir()
    fitted.save(tmp_path / "saved")
    loaded = SCGAN.load(tmp_path / "saved")
    assert loaded.sample(9).equals(fitted.sample(9)) and loaded.layout_ == fitted.layout_
    assert loaded.memory == str(tmp_path / "memory")


@pytest.mark.filterwarnings("ignore:Series.values returning")
def test_frames_with_categories_times_and_gaps_come_back_of_the_same_types(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=400), "kind": rng.choice(["a", "b"], 400)})
    frame["rank"] = pd.Categorical(rng.choice(["low", "high"], 400), ["low", "high"], ordered=True)
    day = pd.to_timedelta(rng.integers(0, 99, 400), "D")
    frame["when"] = (pd.Timestamp("2021-01-01") + day).tz_localize("Asia/Tokyo")
    frame["count"] = pd.array(rng.integers(0, 9, 400), "Int16")
    frame.loc[frame.kind == "b", "count"] = pd.NA
    short = {**SETTINGS, "encoder.num_samples": 2048, "decoder.num_samples": 4096}

    with pytest.raises(ValueError, match="no value in 'count' .* missing='model' learns where"):
        make(2, short).fit(frame)
    model = clone(make(2, short, missing="model")).fit(frame)
    drawn = model.sample(300, seed=1)
    assert drawn.dtypes.equals(frame.dtypes) and drawn.when.dt.tz == frame.when.dt.tz
    assert set(drawn.kind) <= {"a", "b"} and drawn["rank"].cat.ordered
    assert model.predict(frame).shape == (400,) and 0 < drawn["count"].isna().mean() < 1

    model.save(tmp_path / "m")
    pd.testing.assert_frame_equal(SCGAN.load(tmp_path / "m").sample(300, seed=1), drawn)
    with pytest.raises(ValueError, match="column 'kind' holds 'c', which is none of the 2"):
        model.predict(frame.assign(kind="c"))
