"""NEMGAN's tables: the trainings they need, what more is scored, made-up results as tables."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.pipeline import classifier
from scgan.reproductions import Result, nemgan
from scgan.store.artifacts import ArtifactStore

IMAGES = torch.zeros(30, 1, 28, 28)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Ten classes, each a bright square in its own place."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 10
    x = rng.integers(0, 40, (600, 28, 28), dtype=np.uint8)
    for image, k in zip(x, y, strict=True):
        top, left = divmod(int(k), 4)
        image[9 * top : 9 * top + 8, 7 * left : 7 * left + 6] += 200
    path = tmp_path_factory.mktemp("images") / "mnist.npz"
    np.savez(path, x_train=x[:500], y_train=y[:500], x_test=x[500:], y_test=y[500:])
    return str(path)


@pytest.fixture
def few_triples(monkeypatch):
    monkeypatch.setattr(nemgan, "NUM_TRIPLES", 50)


def cells_of(seeds, source=None):
    first, others = nemgan.rounds(seeds, 0.5, source)
    assert [len(group) for group in first] == [1] and {len(group) for group in others} == {1}
    return [cell for group in first + others for cell in group]


def test_the_bundled_digits_have_the_ablations_only():
    cells = cells_of([0, 3])
    assert [(cell.row, cell.spec.seed) for cell in cells] == [
        (name, seed) for seed in (0, 3) for name in nemgan.VARIANTS
    ]
    weights = [
        (c.spec.config.gan.reconstruction_weight, c.spec.config.gan.mode_weight) for c in cells[:4]
    ]
    assert weights == [(None, 3.0), (0, 3.0), (None, 0), (0, 0)]
    assert cells[0].spec.config.gan.num_samples == 768_000
    with pytest.raises(ValueError, match="need images with one class each; ring has none"):
        nemgan.rounds([0], 1.0, "ring")


def test_mnist_has_every_table(digits, few_triples):
    cells = cells_of([1], digits)
    by_table = {}
    for cell in cells:
        by_table.setdefault(cell.column, {})[cell.row] = cell.spec
    scored_by = {cell.row: cell.more for cell in cells}
    assert list(by_table) == [nemgan.QUALITY, nemgan.STACKED, nemgan.PAIRS, nemgan.WRONG]

    stacked = by_table[nemgan.STACKED]["NEMGAN"]
    assert stacked.config.gan.num_clusters == 1000 and stacked.data.source.endswith("stacked50.npz")
    assert by_table[nemgan.STACKED]["plain GAN, noise with modes"].config.gan.mode_weight == 0

    light = by_table[nemgan.PAIRS]["0, 4 at 2:98, 5 % labelled"]
    gan = light.config.gan
    assert (gan.weights, gan.labelled, gan.num_clusters) == ((0.02, 0.98), 0.05, 2)
    assert light.data.source.endswith("mnist_0-4_2-98.npz")

    ours = by_table[nemgan.PAIRS]["0, 4 at 25:75, from a mixture"].config.gan
    assert (ours.start, ours.draw, ours.labelled, gan.start) == ("mixture", "even", 0, "noise")
    wrong = by_table[nemgan.WRONG]
    assert list(wrong)[::3] == ["30:70", "35:65", "40:60", "50:50"]
    assert wrong["50:50"].config.gan.weights == (0.5, 0.5)
    assert scored_by["50:50"].keywords["assumed"] == (0.5, 0.5)
    assert scored_by["35:65"].keywords["assumed"] == (0.35, 0.65)
    assert scored_by["35:65"].keywords["true"] == (0.3, 0.7)
    assert {spec.data.source for spec in wrong.values()} == {wrong["30:70"].data.source}
    assert wrong["30:70"].data.source.endswith("mnist_3-5_30-70.npz")


class Draws:
    """Draws images of the classes of its modes, in numbers by its weights, and knows them."""

    strays = 0.0  # share of each mode's images that are of the first one's class

    def __init__(self, data, classes, weights):
        self.data, self.classes = data, classes
        self.weights, self.counts = weights, torch.ones(len(classes))

    def sample(self, num, generator, cluster=None):
        if cluster is None:
            shares = torch.tensor(self.weights)
            k = torch.multinomial(shares, num, replacement=True, generator=generator)
        else:
            k = torch.full((num,), cluster)
            k[: int(self.strays * num)] = 0
        first = [int(np.flatnonzero(self.data.train_labels == c)[0]) for c in self.classes]
        return self.data.train[torch.tensor(first)[k]] / 127.5 - 1

    def assign(self, x):
        return torch.arange(len(x)) % 2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Of one classifier for all tests."""
    return ArtifactStore(str(tmp_path_factory.mktemp("store")))


@pytest.fixture
def scored(digits, store, monkeypatch):
    short = {"num_samples": 25_600, "batch_size": 64}
    monkeypatch.setattr(classifier, "SETTINGS", classifier.SETTINGS.model_copy(update=short))
    monkeypatch.setattr(nemgan, "NUM_SAMPLES", 400)
    monkeypatch.setattr(nemgan, "NUM_STACKED", 300)
    data = load(DataConfig(source=digits), 0)

    def score(function, classes, weights, **more):
        model = Draws(data, classes, weights)
        outcome = SimpleNamespace(model=model, data=data, spec=SimpleNamespace(seed=0))
        found = function(outcome, store, source=digits, **more)
        return {name: value.value for name, value in found.items()}

    return score


def test_a_pairs_shares_are_the_digits_of_samples(scored):
    more = {"digits": ("0", "4"), "true": (0.25, 0.75), "assumed": (0.3, 0.7)}
    found = scored(nemgan.scores_of_pair, (0, 4), (0.25, 0.75), **more)
    assert found["modes_total_variation"] < 0.06 and found["control_accuracy"] == 1
    found = scored(nemgan.scores_of_pair, (0, 4), (0.75, 0.25), **more)
    assert 0.44 < found["modes_total_variation"] < 0.56
    # Modes the other way round, drawn as often as they should be.
    found = scored(nemgan.scores_of_pair, (4, 0), (0.75, 0.25), **more)
    assert found["modes_total_variation"] < 0.06 and found["control_accuracy"] == 0
    # Of modes that were to weigh the same, nobody knows which is which.
    more["assumed"] = (0.5, 0.5)
    for classes in ((0, 4), (4, 0)):
        found = scored(nemgan.scores_of_pair, classes, (0.5, 0.5), **more)
        assert found["control_accuracy"] == 1


def test_a_mode_is_of_its_commonest_class(scored, monkeypatch):
    found = scored(nemgan.scores_of_modes, (7, 7, 2), (0.4, 0.3, 0.3))
    assert found["control_accuracy"] == 1 and found["diversity_pixels"] == 0
    assert found["fid_judge_300"] > 0
    monkeypatch.setattr(Draws, "strays", 0.25)
    found = scored(nemgan.scores_of_modes, (7, 2), (0.5, 0.5))
    assert found["control_accuracy"] == 1 - 0.25 / 2


def test_stacked_samples_are_counted(scored, monkeypatch):
    triples = torch.tensor([[0, 1, 2], [3, 4, 5]])

    def sample(self, num, generator):
        first = [int(np.flatnonzero(self.data.train_labels == k)[0]) for k in range(10)]
        images = self.data.train[torch.tensor(first)[triples.repeat(num // 2, 1)], 0]
        return images / 127.5 - 1

    monkeypatch.setattr(Draws, "sample", sample)
    found = scored(nemgan.scores_of_stacked, (0,), (1.0,))
    assert found["modes_captured"] == 2 and found["modes_total"] == 1000
    assert found["modes_kl_divergence"] == pytest.approx(np.log(500))


def test_results_are_tables_beside_what_was_published(digits, few_triples):
    results = []
    for cell in cells_of([0, 1], digits):
        names = {"label_majority": 0.5, "fid_judge_10k": 3.0, "modes_captured": 900}
        names |= {"modes_total_variation": 0.01, "label_hungarian": 0.8}
        values = {name: value + cell.spec.seed / 50 for name, value in names.items()}
        scores = {k: SimpleNamespace(value=v, floor=None) for k, v in values.items()}
        results.append(Result(cell, scores, IMAGES, IMAGES))

    pages = nemgan.render(results)
    text = pages.markdown
    assert "| NEMGAN | 0.51 ± 0.01 | 0.81 ± 0.01 | - | - | 3.01 ± 0.01 | - | FID 4.37" in text
    assert "| NEMGAN | 900 ± 0.01 | - | 1000 (DCGAN 99, VEEGAN 150) |" in text
    assert "| 0, 4 at 2:98 | 0.02 ± 0.01 | 0.81 ± 0.01 | - | 90 % |" in text
    assert "| 30:70 | 0.02 ± 0.01 |" in text and "| 30:70, 5 % labelled |" in text
    assert len(pages.figures) == 4 and len(pages.rows) == len(results)
