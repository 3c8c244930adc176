"""What the default scores compare: which rows, of which seed, in which units."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from scgan.contract import System
from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.metrics import default_scores, objectives
from scgan.metrics.default_scores import score_images, score_table
from scgan.metrics.image_scores import PIXELS
from scgan.metrics.images import fid
from scgan.metrics.objectives import GENERATION, IMAGES, TABLE


class Known:
    """Draws rows that are known, and adds to the rows that it is given to reconstruct."""

    device = torch.device("cpu")

    def __init__(self, dim=2):
        self.dim, self.seeds, self.rows = dim, [], []

    def sample(self, num, generator):
        self.seeds.append(generator.initial_seed())
        self.rows.append(torch.randn(num, self.dim, generator=generator))
        return self.rows[-1]

    def reconstruct(self, x):
        return x + torch.tensor([0.5, 0.25])[: x.shape[1]]


class Clusters(Known):
    """The same with clusters."""

    counts, cluster_columns = torch.ones(3), {}

    def assign(self, x):
        return (x[:, 0] > 0).long()


@pytest.fixture
def data():
    """A hundred rows to train on, a known distribution of modes, columns of unlike scales."""
    made = load(DataConfig(source="eight_gaussians", num_train=100, num_test=60), seed=0)
    labels = np.arange(60) % 5
    return replace(made, train_labels=np.zeros(100), test_labels=labels)


@pytest.fixture
def compared(monkeypatch):
    """What is compared, by which function."""
    calls = {}

    def kept(name, value):
        def called(*args, **how):
            calls[name] = (*args, how)
            return value

        monkeypatch.setattr(default_scores, name, called)

    kept("compare_rows", [("first", "of rows")])
    kept("label_scores", {"labels": "of labels"})
    kept("mode_scores", {"modes": "of modes"})
    kept("compare_images", [("images", "of images")])
    return calls


def test_samples_are_compared_with_held_out_rows_and_the_runs_seed(data, compared):
    model = Known()
    scores = dict(score_table(model, data, 7))
    assert list(scores) == [
        "first",
        "reconstruction_mse",
        "reconstruction_mse_data_units",
        "off_support_exact",
        "modes",
    ]
    samples, test, train, how = compared["compare_rows"]
    assert model.seeds == [7] and how == {"seed": 7, "categorical": ()} and len(samples) == 40_000
    assert test is data.test and train is data.train
    # As a user gets them, within the observed range.
    inside = torch.clamp(model.rows[0], data.train.min(0).values, data.train.max(0).values)
    torch.testing.assert_close(samples, inside, rtol=0, atol=1e-5)


def test_samples_are_scored_as_a_user_gets_them(compared, tmp_path):
    path = tmp_path / "whole.csv"
    path.write_text("n,m\n" + "\n".join(f"{i % 9},{i % 7}" for i in range(200)))
    data = load(DataConfig(source=str(path)), seed=0)
    dict(score_table(Known(), data, 0))
    samples = compared["compare_rows"][0]
    whole = data.table_schema.decode(samples)
    assert all(np.array_equal(values, np.rint(values)) for values in whole.values())
    assert len(samples.unique(dim=0)) < 1000  # of whole numbers there are few


def test_modes_are_looked_for_in_the_datas_own_units(data, compared):
    model = Known()
    list(score_table(model, data, 0))
    raw, modes, std, weights, _ = compared["mode_scores"]
    columns = data.table_schema.decode(model.rows[0])
    assert np.allclose(raw.numpy(), np.stack(list(columns.values()), 1))
    assert not np.allclose(raw.numpy(), model.rows[0].numpy())
    assert torch.equal(modes, data.toy.modes()) and torch.equal(std, data.toy.mode_std)
    assert torch.equal(weights, data.toy.mode_weights)


def test_the_known_density_is_taken_in_the_datas_own_units(compared):
    board = load(DataConfig(source="checkerboard", num_train=400, num_test=300), seed=0)
    model = Known()
    score = dict(score_table(model, board, 0))["off_support_exact"]
    columns = board.table_schema.decode(model.rows[0])
    cells = np.floor(np.stack(list(columns.values()), 1) / 2)
    inside = ((cells >= -2) & (cells < 2)).all(1) & (cells.sum(1) % 2 == 0)
    assert score.value == pytest.approx(1 - inside.mean()) and 0.4 < score.value < 0.7
    assert score.floor < 0.01


def test_held_out_rows_are_reconstructed_and_their_labels_told(data, compared):
    scores = dict(score_table(Clusters(), data, 0))
    assert scores["reconstruction_mse"].value == pytest.approx((0.5**2 + 0.25**2) / 2)
    assert scores["reconstruction_mse"].floor is None
    inside = data.train.min(0).values, data.train.max(0).values
    moved = torch.clamp(data.test + torch.tensor([0.5, 0.25]), *inside) - data.test.clamp(*inside)
    std = torch.tensor([column.std for column in data.table_schema.modelled])
    expected = float((moved * std).square().mean())
    assert scores["reconstruction_mse_data_units"].value == pytest.approx(expected, rel=1e-5)

    labels, k, _ = compared["label_scores"]
    assert labels is data.test_labels and torch.equal(k, (data.test[:, 0] > 0).long())
    bare = replace(data, test_labels=None, toy=None)
    unlabelled = dict(score_table(Clusters(), bare, 0))
    assert list(unlabelled) == ["first", "reconstruction_mse", "silhouette"]
    k = (data.test[:, 0] > 0).numpy()
    expected = silhouette_score(data.test.numpy(), k)
    assert unlabelled["silhouette"].value == pytest.approx(expected, abs=1e-5)
    many = replace(data, test_labels=np.zeros((60, 2)))
    assert "labels" not in dict(score_table(Clusters(), many, 0))
    with_it = (data.test[:, :1] > 1).long().numpy()
    assert "labels" in dict(score_table(Clusters(), replace(data, test_labels=with_it), 0))
    assert np.array_equal(compared["label_scores"][0], with_it[:, 0])


def test_one_cluster_has_no_silhouette(data, compared):
    class One(Clusters):
        def assign(self, x):
            return torch.zeros(len(x), dtype=torch.long)

    bare = replace(data, test_labels=None, toy=None)
    assert list(dict(score_table(One(), bare, 0))) == ["first", "reconstruction_mse"]


def test_clusters_of_images_are_laid_beside_their_labels(compared):
    class Bright:
        device, options = torch.device("cpu"), ()
        counts, cluster_columns = torch.ones(2), {}

        def sample(self, num, generator):
            return torch.zeros(num, 1, 28, 28)

        def assign(self, x):
            return (x.float().mean((1, 2, 3)) > 80).long()

    images = torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8)
    images[::2] //= 4
    labels = np.arange(40) % 2
    schema = SimpleNamespace(attributes=("a", "b"))
    data = SimpleNamespace(train=images, test=images, test_labels=labels, image_schema=schema)
    assert dict(score_images(Bright(), data, 0))["labels"] == "of labels"
    given, k, _ = compared["label_scores"]
    assert given is labels and k.tolist() == labels.tolist()


def test_the_error_is_that_of_the_held_out_rows(data, compared):
    """Perfect on the rows that it was trained on, wrong by one on others."""
    model = Known()
    seen = []
    model.reconstruct = lambda x: seen.append(x) or x + 1
    scores = dict(score_table(model, data, 0))
    assert len(seen) == 1 and torch.equal(seen[0], data.test)
    assert scores["reconstruction_mse"].value == pytest.approx(1)


def images(num, seed):
    pixels = torch.randint(0, 256, (num, 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    return pixels.to(torch.uint8)


class Painter:
    """Images that are known."""

    device = torch.device("cpu")

    def __init__(self):
        self.seeds = []

    def sample(self, num, generator):
        self.seeds.append(generator.initial_seed())
        return images(num, 1).float() / 127.5 - 1


def test_images_are_compared_with_train_and_held_out_ones(compared):
    data, model = SimpleNamespace(train=images(30, 2), test=images(20, 3)), Painter()
    list(score_images(model, data, 9, num=12))
    real, fake, networks, seed, how = compared["compare_images"]
    assert real is data.train and how == {"held_out": data.test, "num_max": 12}
    assert model.seeds == [9] and seed == 9 and len(fake) == 12 and networks == [PIXELS]

    model.extractors, more = {"encoder": "own"}, ["theirs"]
    list(score_images(model, data, 9, more=more))
    _, fake, networks, _, how = compared["compare_images"]
    assert networks == ["own", "theirs"] and len(fake) == how["num_max"] == 25


def test_pixels_are_grey_values_averaged_to_eight_by_eight():
    x = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    h = PIXELS(x)
    assert h.shape == (5, 64) == (5, PIXELS.num_features)
    assert h[2, 8 * 1 + 3] == pytest.approx(float(x[2, :, 2:4, 6:8].mean()), abs=1e-6)


def test_a_search_compares_validation_images_with_the_seed_of_all_trials():
    data, model = SimpleNamespace(train=images(40, 2), test=images(30, 3)), Painter()
    value = IMAGES["fid_pixels"](model, data, 4)
    real, made = (PIXELS(images(30, seed).float() / 127.5 - 1) for seed in (3, 1))
    assert value == pytest.approx(fid(real, made), rel=1e-4) and model.seeds == [4]


def test_a_search_compares_validation_rows(data, monkeypatch):
    seen = []

    def distance(x, y, **how):
        seen.append((len(x), y, how))
        return 1.0

    monkeypatch.setattr(objectives, "sliced_wasserstein", distance)
    monkeypatch.setattr(objectives, "energy_distance", distance)
    model = Known()
    assert TABLE["sliced_wasserstein"](model, data, 3) == 1.0
    assert TABLE["energy_distance"](model, data, 3) == 1.0
    assert [num for num, _, _ in seen] == [240, 60, 60, 60, 60]
    assert all(torch.equal(y, data.test) for _, y, _ in seen)
    assert all(how["generator"].initial_seed() == 3 for _, _, how in seen)
    assert model.seeds == [3] * 5 and not torch.equal(model.rows[1], model.rows[2])
    seen.clear()
    monkeypatch.setattr(objectives, "NUM_ROWS", 20)
    TABLE["sliced_wasserstein"](model, data, 3)
    assert seen[0][0] == 80 and torch.equal(seen[0][1], data.test[:20])
    given = []
    model.reconstruct = lambda x: given.append(x) or x + 2
    assert TABLE["reconstruction_mse"](model, data, 3) == pytest.approx(4)
    assert len(given) == 1 and torch.equal(given[0], data.test[:20])


def test_a_system_is_scored_and_searched_by_what_its_data_is(data, monkeypatch):
    class Plain(System):
        pass

    table, pictures = SimpleNamespace(kind="table"), SimpleNamespace(kind="images")
    assert Plain().objectives(table) is GENERATION and Plain().objectives(pictures) is IMAGES
    monkeypatch.setattr("scgan.contract.score_table", lambda *given: [("table", *given)])
    monkeypatch.setattr("scgan.contract.score_images", lambda *given: [("images", *given)])
    assert list(Plain().evaluate("model", table, 3)) == [("table", "model", table, 3)]
    assert list(Plain().evaluate("model", pictures, 3)) == [("images", "model", pictures, 3)]

    # Of a model that draws its clusters by weights of their own, how these match the data, too.
    monkeypatch.setattr("scgan.contract.mode_matching_scores", lambda *given: [("modes", *given)])
    clusters = Clusters()
    assert [name for name, *_ in Plain().evaluate(clusters, table, 3)] == ["table"]
    clusters.cluster_columns = {"weight": [0.5, 0.5]}
    found = list(Plain().evaluate(clusters, table, 3))
    assert found[1] == ("modes", clusters, table, 3)


def test_categories_are_compared_as_categories(compared, tmp_path):
    path = tmp_path / "kinds.csv"
    path.write_text("n,kind\n" + "\n".join(f"{i % 9},{'ab'[i % 2]}" for i in range(200)))
    data = load(DataConfig(source=str(path)), seed=0)
    dict(score_table(Known(), data, 0))
    assert compared["compare_rows"][-1]["categorical"] == (1,)
