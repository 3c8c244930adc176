"""Modes of a generator beside those of the data: on models whose figures are known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.metrics import mode_matching
from scgan.metrics.mode_matching import (
    divergences,
    mode_matching_scores,
    nearest_neighbour_kl,
    prior_of,
    samples_of_modes,
    shares,
    total_variation,
)


def normal(num, dim, seed, mean=0.0, std=1.0):
    generator = torch.Generator().manual_seed(seed)
    return mean + std * torch.randn(num, dim, generator=generator)


def test_total_variation_by_hand():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.2, 0.5, 0.3])
    assert total_variation(p, q) == pytest.approx(0.3)
    assert total_variation(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1
    assert total_variation(p, p) == 0


def test_divergence_equals_the_formula_a_row_at_a_time():
    x, y, k = normal(9, 2, 0), normal(7, 2, 1, mean=1.0), 3
    total = 0.0
    for i in range(9):
        others = sorted(math.dist(x[i].tolist(), x[j].tolist()) for j in range(9) if j != i)
        beside = sorted(math.dist(x[i].tolist(), row.tolist()) for row in y)
        total += math.log(beside[k - 1] / others[k - 1])
    expected = 2 / 9 * total + math.log(7 / 8)
    assert nearest_neighbour_kl(x, y) == pytest.approx(expected)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.0, 1.0), (0.0, 2.0)])
def test_divergence_of_normals_is_near_the_closed_form(mean, std):
    x, y = normal(3000, 2, 0), normal(3000, 2, 1, mean, std)
    expected = 2 * (math.log(std) + (1 + mean**2) / (2 * std**2) - 0.5)
    assert nearest_neighbour_kl(x, y) == pytest.approx(expected, abs=0.15)


def test_equal_rows_have_a_finite_divergence():
    same = torch.zeros(20, 2)
    assert nearest_neighbour_kl(same, same) == pytest.approx(math.log(20 / 19))
    assert math.isfinite(nearest_neighbour_kl(same, normal(20, 2, 0)))
    with pytest.raises(ValueError, match="needs 4 and 3 rows, got 3 and 20"):
        nearest_neighbour_kl(same[:3], same)


def test_divergences_are_of_each_pair_and_none_of_too_few_rows():
    made = [normal(300, 2, 0), normal(300, 2, 1, mean=5.0)]
    real = [normal(300, 2, 2, mean=5.0), normal(300, 2, 3), normal(2, 2, 4)]
    table = divergences(made, real)
    assert table.shape == (2, 3) and table[:, :2].argmin(1).tolist() == [1, 0]
    assert table[:, 2].isnan().all()


class Blobs:
    """Two modes at -4 and 4; drawn by a prior, read off exactly."""

    device = torch.device("cpu")

    def __init__(self, weights, centres=(-4.0, 4.0)):
        self.counts, self.centres = torch.ones(len(centres)), torch.tensor(centres)
        self.cluster_columns = {"weight": weights}

    def sample(self, num, generator, cluster=None):
        weights = torch.tensor(self.cluster_columns["weight"])
        k = torch.multinomial(weights, num, replacement=True, generator=generator)
        k = k if cluster is None else torch.full_like(k, cluster)
        return self.centres[k, None] + torch.randn(num, 2, generator=generator)

    def assign(self, x):
        return (x[:, :1] - self.centres).abs().argmin(1)


@pytest.fixture
def data():
    x = torch.cat([normal(400, 2, 5, -4.0), normal(3600, 2, 6, 4.0)])
    schema = SimpleNamespace(decode=lambda rows: rows, encode=lambda rows: rows)
    return SimpleNamespace(test=x, kind="table", table_schema=schema)


def scores(model, data):
    return {name: score.value for name, score in mode_matching_scores(model, data, 0)}


def test_a_prior_that_fits_has_no_distance(data):
    found = scores(Blobs([0.1, 0.9]), data)
    assert found["prior_distance"] == pytest.approx(0.0, abs=1e-3)
    assert found["mode_share_distance"] < 0.01 > found["mode_share_gap"]
    assert found["modes_empty"] == 0
    assert abs(found["mode_kl_mean"]) < 0.3 and abs(found["mode_kl_worst"]) < 0.4


def test_a_wrong_prior_is_as_far_as_its_weight_is_off(data):
    assert scores(Blobs([0.5, 0.5]), data)["prior_distance"] == pytest.approx(0.4, abs=1e-3)


def test_samples_that_leave_their_mode_are_far_from_the_prior(data):
    model = Blobs([0.3, 0.7])
    model.sample = lambda num, generator, cluster=None: normal(num, 2, 7, 4.0)
    found = scores(model, data)
    assert found["mode_share_distance"] == pytest.approx(0.3)
    assert found["mode_share_gap"] == pytest.approx(0.3)
    assert found["mode_kl_mean"] > 1


def test_the_gap_is_of_the_worst_mode(data):
    model = Blobs([0.3, 0.25, 0.4, 0.05], (-4.0, 4.0, 40.0, 400.0))
    model.assign = lambda x: torch.arange(len(x)) % 2
    found = scores(model, data)
    assert found["mode_share_distance"] == pytest.approx(0.45)
    assert found["mode_share_gap"] == pytest.approx(0.4)


def test_modes_without_rows_are_counted_and_left_out(data):
    found = scores(Blobs([0.1, 0.6, 0.3], (-4.0, 4.0, 400.0)), data)
    assert found["modes_empty"] == 1 and math.isfinite(found["mode_kl_worst"])
    few = SimpleNamespace(**{**vars(data), "test": data.test[:3]})
    found = scores(Blobs([0.5, 0.5]), few)
    assert found["modes_empty"] == 2 and "mode_kl_mean" not in found


def test_the_floor_is_of_real_halves(data):
    score = dict(mode_matching_scores(Blobs([0.1, 0.9]), data, 0))["mode_kl_mean"]
    assert score.floor is not None and abs(score.floor) < 0.3 and score.against == "difference"


def test_samples_are_asked_for_mode_by_mode_and_come_as_their_user_gets_them(data):
    data.table_schema = SimpleNamespace(
        decode=lambda rows: {"rounded": rows.round()}, encode=lambda columns: columns["rounded"]
    )
    first, second = samples_of_modes(Blobs([0.5, 0.5]), data, 50, seed=3)
    assert first.shape == second.shape == (50, 2)
    assert first.mean() < -3 < 3 < second.mean() and torch.equal(first, first.round())
    assert_close(samples_of_modes(Blobs([0.5, 0.5]), data, 50, seed=3)[0], first)


def test_images_are_compared_by_their_pixels_on_a_coarse_grid(data):
    x = torch.rand(5, 1, 28, 28) * 2 - 1
    found = mode_matching.comparable(SimpleNamespace(kind="images"), x)
    assert found.shape[0] == 5 and found.shape[1] < 28 * 28
    assert mode_matching.comparable(data, data.test) is data.test


def test_prior_and_shares_sum_to_one():
    assert prior_of(Blobs([0.25, 0.75])).tolist() == [0.25, 0.75]
    assert shares(torch.tensor([0, 2, 2, 2]), 4).tolist() == [0.25, 0.0, 0.75, 0.0]
