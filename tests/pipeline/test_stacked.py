"""Images whose channels are of classes: combinations counted by a classifier that is kept."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.metrics.modes import class_coverage
from scgan.pipeline import classifier
from scgan.pipeline.classifier import classifier_of
from scgan.pipeline.counting import score_modes
from scgan.store.artifacts import ArtifactStore

SHORT = classifier.SETTINGS.model_copy(update={"num_samples": 6_400, "batch_size": 32})


def half(k, num, seed=0):
    """Images bright in the left, the upper or the lower half, with noise."""
    x = np.random.default_rng(seed).integers(0, 60, (num, 28, 28), dtype=np.uint8)
    x[:, *[(slice(None), slice(14)), (slice(14), slice(None)), (slice(14, 28),)][k]] += 180
    return x


@pytest.fixture
def reference(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "SETTINGS", SHORT)
    x = np.concatenate([half(k, 60) for k in range(3)])
    np.savez(tmp_path / "halves.npz", x=x, y=np.arange(3).repeat(60))
    return tmp_path / "halves.npz"


def stacked(path, combinations, num=20):
    parts = [[half(k, num, seed) for seed, k in enumerate(which)] for which in combinations]
    np.savez(path, x=np.concatenate([np.stack(part, -1) for part in parts]))
    return str(path)


def test_combinations_are_counted_and_their_divergence_is_from_equal_shares():
    found = class_coverage(torch.tensor([[0, 1], [0, 1], [1, 1], [2, 0]]), 3)
    assert (found.num_modes, found.num_captured) == (9, 3)
    by_hand = 0.5 * math.log(0.5 * 9) + 2 * 0.25 * math.log(0.25 * 9)
    assert found.kl_divergence == pytest.approx(by_hand)
    every = torch.tensor(list(itertools.product(range(3), repeat=2)))
    assert class_coverage(every, 3) == (9, 9, pytest.approx(0, abs=1e-12))
    # 0, 1 and 1, 0 are two modes.
    assert class_coverage(torch.tensor([[0, 1], [1, 0]]), 2).num_captured == 2


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (torch.zeros(0, 3), r"got \(0, 3\)"),
        (torch.zeros(3), r"got \(3,\)"),
        (torch.tensor([[0, 3]]), "classes must be 0 to 2"),
        (torch.tensor([[0, -1]]), "classes must be 0 to 2"),
    ],
)
def test_classes_that_are_not_there_are_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        class_coverage(classes, 3)


def test_modes_are_of_each_channels_class(reference, tmp_path):
    which = [(0, 1, 2), (2, 1, 0), (1, 1, 1)]
    samples, store = stacked(tmp_path / "s.npz", which), str(tmp_path / "runs")
    scores, counted = score_modes(samples, str(reference), store=store)
    assert counted == 60 and scores["modes_total"].value == 27
    assert scores["modes_captured"].value == 3
    assert scores["modes_kl_divergence"].value == pytest.approx(math.log(9), abs=1e-6)
    assert score_modes(samples, str(reference), num=7, store=store)[1] == 7


def test_the_classifier_is_trained_once(reference, tmp_path, monkeypatch):
    data, store = load(DataConfig(source=str(reference)), 0), ArtifactStore(str(tmp_path / "runs"))
    first = classifier_of(data, store)
    x = torch.from_numpy(half(2, 9, seed=5))[:, None] / 127.5 - 1
    assert (first.classify(x).argmax(1) == 2).all()

    monkeypatch.setattr(classifier, "fit_judge", None)
    again = classifier_of(data, store)
    assert torch.equal(again.classify(x), first.classify(x))
    with pytest.raises(TypeError):  # other images, or another seed, are another classifier
        classifier_of(data, store, seed=1)


def test_what_goes_not_together_is_refused(reference, tmp_path):
    np.savez(tmp_path / "table.npz", x=np.zeros((30, 2)))
    np.savez(tmp_path / "none.npz", x=half(0, 30))
    color = np.stack([half(0, 30)] * 3, axis=-1)
    np.savez(tmp_path / "color.npz", x=color, y=np.arange(30) % 2)
    for samples, real, message in (
        ("table.npz", "halves.npz", "table.npz holds no images, but halves does"),
        ("none.npz", "none.npz", "no images with one class each"),
        ("none.npz", "color.npz", "are learned from grey images"),
    ):
        with pytest.raises(ValueError, match=message):
            score_modes(str(tmp_path / samples), str(tmp_path / real), store=str(tmp_path / "runs"))


def test_the_command_counts_them(reference, tmp_path, scgan_command):
    samples = stacked(tmp_path / "s.npz", [(0, 1, 2), (2, 2, 2)])
    said = scgan_command(
        *("modes", "--samples", samples, "--reference", str(reference)),
        *("--store", str(tmp_path / "runs"), "--json"),
    )
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["counted"] == 40 and told["scores"]["modes_captured"]["value"] == 2
