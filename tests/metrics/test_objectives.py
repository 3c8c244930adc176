"""What a search minimises: small for a perfect model, larger for a worse one, never NaN."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.data.split import validation_split
from scgan.metrics import objectives
from scgan.metrics.distributions import sliced_wasserstein
from scgan.metrics.objectives import (
    GENERATION,
    TABLE,
    check_metrics,
    cluster_uncertainty,
    control_error_of,
    diversity_error,
    fid_of,
    measure,
)


class Perfect:
    """Draws the data's own distribution, and puts every row where it was, plus ``shift``."""

    device = torch.device("cpu")

    def __init__(self, data, shift):
        self.data, self.shift = data, shift

    def sample(self, num, generator):
        return (
            self.data.train[torch.randperm(len(self.data.train), generator=generator)[:num]]
            + self.shift
        )

    def reconstruct(self, x):
        return x + self.shift


def test_metrics_are_small_for_a_perfect_model_and_nan_is_an_error():
    data = load(DataConfig(source="two_spirals", num_train=4000, num_test=2000), seed=0)
    good, bad = (measure(Perfect(data, shift), data, TABLE, 0) for shift in (0.0, 0.5))
    assert good["sliced_wasserstein"] < 0.1 < bad["sliced_wasserstein"]
    assert good["energy_distance"] < bad["energy_distance"]
    assert good["c2st_error"] < 0.03 < 0.1 < bad["c2st_error"]
    assert good["reconstruction_mse"] == 0 and bad["reconstruction_mse"] == pytest.approx(
        0.25, rel=1e-4
    )
    assert good == measure(Perfect(data, 0.0), data, TABLE, 0)
    with pytest.raises(FloatingPointError, match="reconstruction_mse is nan"):
        measure(
            Perfect(data, math.nan), data, {"reconstruction_mse": TABLE["reconstruction_mse"]}, 0
        )


def test_a_classifier_sees_samples_as_a_user_gets_them(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "counts.npz", X=rng.integers(0, 9, (3000, 2)))
    data, c2st = load(DataConfig(source=str(tmp_path / "counts.npz")), 0), TABLE["c2st_error"]

    class Between(Perfect):
        def sample(self, num, generator):
            rows = torch.randint(len(self.data.train), (num,), generator=generator)
            return self.data.train[rows] + 1e-3 * torch.randn(num, 2, generator=generator)

    assert c2st(Between(data, 0.0), data, 0) < 0.1  # between whole numbers, which are given back
    assert c2st(Perfect(data, 3.0), data, 0) > 0.3
    assert c2st(Between(data, 0.0), data, 0) != c2st(Between(data, 0.0), data, 1)


def test_a_perfect_model_of_shared_values_can_not_be_told_from_the_validation_part(tmp_path):
    rng = np.random.default_rng(0)
    names = rng.choice(["a", "b", "c"], 6000)
    np.savez(tmp_path / "kinds.npz", count=rng.poisson(2, 6000), kind=names)
    whole = load(DataConfig(source=str(tmp_path / "kinds.npz")), 0)
    part = validation_split(whole, 0.3, seed=0)
    told = measure(Perfect(part, 0.0), part, GENERATION, 0)
    assert told["c2st_error"] < 0.03
    # Spread values would be an eighth of a deviation from the shared ones.
    assert told["sliced_wasserstein"] < 0.06
    assert told["energy_distance"] < 0.06


def test_a_classifiers_accuracy_is_a_mean_over_draws(monkeypatch):
    data, asked = load(DataConfig(source="abs", num_train=90, num_test=70), seed=0), []

    def told(x, y, *, seed, num_max):
        asked.append((x, seed, num_max))
        assert torch.equal(y, data.test)
        return [0.41, 0.49][len(asked) - 1]

    monkeypatch.setattr(objectives, "c2st", told)
    assert TABLE["c2st_error"](Perfect(data, 0.0), data, 7) == pytest.approx(0.05)
    assert [(seed, num) for _, seed, num in asked] == [(7, 70), (8, 70)]
    assert not torch.equal(asked[0][0], asked[1][0])


def test_a_distance_is_to_several_samples_a_row_and_one_a_row_varies_more():
    data = load(DataConfig(source="two_spirals", num_train=4000, num_test=500), seed=0)
    model, metric = Perfect(data, 0.0), {"sliced_wasserstein": TABLE["sliced_wasserstein"]}

    def distance(num, seed):
        drawn, directions = (torch.Generator().manual_seed(seed) for _ in range(2))
        return sliced_wasserstein(
            model.sample(num, drawn), data.test, num_projections=64, generator=directions
        )

    several = [measure(model, data, metric, seed)["sliced_wasserstein"] for seed in range(12)]
    assert several == pytest.approx([distance(2000, seed) for seed in range(12)])
    one = [distance(500, seed) for seed in range(12)]
    assert fmean(several) < fmean(one)  # less of it is the draw's
    assert stdev(several) < stdev(one)


def test_a_metric_that_does_not_exist_is_refused():
    with pytest.raises(
        ValueError, match="unknown metric 'sliced_waserstein'; did you mean 'sliced_wasserstein'"
    ):
        check_metrics(["sliced_waserstein"], TABLE)
    with pytest.raises(ValueError, match="twice"):
        check_metrics(["energy_distance", "energy_distance"], TABLE)


class Painter:
    """Images whose brightness is their attribute; a share is painted wrong, or all alike."""

    device = torch.device("cpu")

    def __init__(self, wrong=0.0, spread=0.2):
        self.wrong, self.spread = wrong, spread

    def draw(self, num, generator):
        y = torch.arange(num) % 2
        noise = self.spread * (torch.rand(num, 1, 4, 4, generator=generator) - 0.5)
        painted = torch.where(torch.arange(num) < self.wrong * num, 1 - y, y)
        return painted[:, None, None, None] - 0.5 + noise, y

    def sample(self, num, generator):
        return self.draw(num, generator)[0]

    def asked(self, y):
        return y

    def read(self, x):
        return (x.mean((1, 2, 3)) > 0).long()

    def attributes_of(self, images, labels):
        return labels


def test_image_metrics_tell_wrong_attributes_and_lost_diversity():
    x, y = Painter().draw(400, torch.Generator().manual_seed(9))
    data = SimpleNamespace(test=((x + 1) * 127.5).round().to(torch.uint8), test_labels=y.numpy())
    control = control_error_of("read")
    assert control(Painter(), data, 0) == 0
    assert control(Painter(wrong=0.25), data, 0) == pytest.approx(0.25, abs=0.01)
    assert diversity_error(Painter(), data, 0) < 0.05
    assert diversity_error(Painter(spread=0.1), data, 0) == pytest.approx(0.5, abs=0.05)

    class Pixels(torch.nn.Module):
        name, num_features = "pixels", 16

        def forward(self, images):
            return images.flatten(1)

    def painter(**how):
        made = Painter(**how)
        made.extractors = {"pixels": Pixels()}
        return made

    fid = fid_of("pixels")
    assert fid(painter(), data, 0) < 0.02 < fid(painter(spread=1.0), data, 0)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], 0.0),
        ([[1.0, 0.0], [1.0, 0.0]], 1.0),
        ([[0.5, 0.5], [0.5, 0.5]], 1.0),
        ([[0.9, 0.1], [0.1, 0.9]], 0.4689956),
        ([[1.0], [1.0]], 1.0),
    ],
)
def test_clusters_are_sure_where_they_are_even_and_apart(p, expected):
    class Soft:
        counts, cluster_columns = torch.ones(len(p[0])), {}

        def assign(self, x):
            return self.probabilities(x).argmax(1)

        def probabilities(self, x):
            assert torch.equal(x, rows)
            return torch.tensor(p)

    rows = torch.zeros(2, 1)
    assert cluster_uncertainty(Soft(), SimpleNamespace(test=rows), 0) == pytest.approx(expected)
