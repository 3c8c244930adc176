"""Each distance against a slow version, closed forms, and its statistics on known distributions."""

import functools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from scgan.metrics import distributions
from scgan.metrics.distributions import (
    c2st,
    energy_distance,
    nearest_distances,
    share_beyond,
    sliced_wasserstein,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(num: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(num, dim, generator=seeded(seed))


def slow_energy(x: torch.Tensor, y: torch.Tensor, unbiased: bool) -> float:
    def mean_distance(a: torch.Tensor, b: torch.Tensor, num_pairs: int) -> float:
        return sum(math.dist(p, q) for p in a.tolist() for q in b.tolist()) / num_pairs

    less = 1 if unbiased else 0
    within_x = mean_distance(x, x, len(x) * (len(x) - less))
    within_y = mean_distance(y, y, len(y) * (len(y) - less))
    return math.sqrt(2 * mean_distance(x, y, len(x) * len(y)) - within_x - within_y)


class TestSlicedWasserstein:
    @pytest.mark.parametrize("num_x,num_y", [(50, 50), (50, 30), (7, 64), (1, 5)])
    def test_one_dimension_is_scipys(self, num_x: int, num_y: int) -> None:
        x, y = normal(num_x, 1, 1), 2 * normal(num_y, 1, 2) + 1
        expected = stats.wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
        assert sliced_wasserstein(x, y, generator=seeded()) == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("num_x,num_y", [(40, 40), (40, 27)])
    def test_is_the_mean_of_scipys_over_the_same_directions(self, num_x: int, num_y: int) -> None:
        x, y = normal(num_x, 3, 1), normal(num_y, 3, 2) + 0.5
        directions = torch.randn(3, 20, generator=seeded(5))
        directions = directions / directions.norm(dim=0)
        expected = np.mean([stats.wasserstein_distance(x @ d, y @ d) for d in directions.T])
        value = sliced_wasserstein(x, y, num_projections=20, generator=seeded(5))
        assert value == pytest.approx(expected, rel=1e-5)

    def test_shift_in_one_dimension_is_the_shift(self) -> None:
        x = normal(1000, 1, 1)
        assert sliced_wasserstein(x, x + 0.75, generator=seeded()) == pytest.approx(0.75, rel=1e-5)

    def test_shift_in_two_dimensions_is_two_over_pi_of_it(self) -> None:
        x = normal(100, 2, 1)
        value = sliced_wasserstein(
            x, x + torch.tensor([3.0, 4.0]), num_projections=20_000, generator=seeded()
        )
        assert value == pytest.approx(5 * 2 / math.pi, rel=0.02)

    def test_scale_and_symmetry(self) -> None:
        x, y = normal(60, 4, 1), normal(45, 4, 2)
        value = sliced_wasserstein(x, y, generator=seeded())
        assert sliced_wasserstein(y, x, generator=seeded()) == pytest.approx(value, rel=1e-6)
        assert sliced_wasserstein(3 * x, 3 * y, generator=seeded()) == pytest.approx(
            3 * value, rel=1e-5
        )
        assert sliced_wasserstein(x + 10, y + 10, generator=seeded()) == pytest.approx(
            value, rel=1e-4
        )

    def test_order_and_repetition_of_rows_do_not_matter(self) -> None:
        x, y = normal(30, 2, 1), normal(20, 2, 2)
        value = sliced_wasserstein(x, y, generator=seeded())
        assert sliced_wasserstein(x.flip(0).repeat(3, 1), y, generator=seeded()) == pytest.approx(
            value, rel=1e-5
        )
        assert sliced_wasserstein(x, x.repeat(2, 1), generator=seeded()) == pytest.approx(
            0, abs=1e-7
        )

    def test_chunks_do_not_change_the_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        x, y = normal(50, 3, 1), normal(31, 3, 2)
        value = sliced_wasserstein(x, y, num_projections=10, generator=seeded())
        monkeypatch.setattr(distributions, "_CHUNK_ELEMENTS", 200)
        assert sliced_wasserstein(x, y, num_projections=10, generator=seeded()) == pytest.approx(
            value, rel=1e-6
        )

    @pytest.mark.parametrize("shape", [(0, 2), (5, 3), (5,)])
    def test_refuses_shapes_that_do_not_go_together(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="equal columns"):
            sliced_wasserstein(normal(5, 2, 1), torch.zeros(shape), generator=seeded())

    def test_refuses_no_projections(self) -> None:
        with pytest.raises(ValueError, match="num_projections"):
            sliced_wasserstein(
                normal(5, 2, 1), normal(5, 2, 2), num_projections=0, generator=seeded()
            )


class TestEnergyDistance:
    @pytest.mark.parametrize("unbiased", [True, False])
    @pytest.mark.parametrize("dim", [1, 3, 40])
    def test_against_loops(self, unbiased: bool, dim: int) -> None:
        x, y = normal(25, dim, 1), normal(18, dim, 2) + 1
        expected = slow_energy(x, y, unbiased)
        assert energy_distance(x, y, unbiased=unbiased) == pytest.approx(expected, rel=1e-6)

    def test_one_dimension_is_scipys(self) -> None:
        x, y = normal(200, 1, 1), normal(150, 1, 2) * 1.5
        expected = stats.energy_distance(x[:, 0].numpy(), y[:, 0].numpy())
        assert energy_distance(x, y, unbiased=False) == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("dim", [2, 40])
    def test_blocks_do_not_change_the_value(
        self, dim: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        x, y = normal(1300, dim, 1), normal(700, dim, 2) + 0.3
        pairs = (x.double(), y.double())
        cross, within_x, within_y = (
            float(torch.cdist(a, b).mean()) for a, b in (pairs, pairs[:1] * 2, pairs[1:] * 2)
        )
        monkeypatch.setattr(distributions, "_CHUNK_ELEMENTS", 100_000)
        expected = math.sqrt(2 * cross - within_x - within_y)
        assert energy_distance(x, y, unbiased=False) == pytest.approx(expected, rel=1e-6)

    def test_point_masses(self) -> None:
        x, y = torch.zeros(5, 2), torch.tensor([3.0, 4.0]).repeat(7, 1)
        assert energy_distance(x, y) == pytest.approx(math.sqrt(2 * 5))

    def test_unbiased_is_centred_where_the_other_has_a_floor(self) -> None:
        pairs = [(normal(200, 2, 2 * i), normal(200, 2, 2 * i + 1)) for i in range(40)]
        unbiased = [energy_distance(x, y) for x, y in pairs]
        clipped = sum(value == 0 for value in unbiased)
        assert (
            10 <= clipped <= 34
        )  # negative about half of the time, more often as the null is skewed
        mean_square = np.mean([energy_distance(x, y, unbiased=False) ** 2 for x, y in pairs])
        mean_distance = math.sqrt(math.pi)  # E|X - X'| of a standard normal in the plane
        assert mean_square == pytest.approx(2 / 200 * mean_distance, rel=0.15)

    def test_large_samples_are_cut_reproducibly(self) -> None:
        x, y = normal(900, 2, 1), normal(800, 2, 2) + 1
        cut = energy_distance(x, y, num_max=300, generator=seeded(3))
        assert cut == energy_distance(x, y, num_max=300, generator=seeded(3))
        assert cut != energy_distance(x, y, num_max=300, generator=seeded(4))
        assert cut == pytest.approx(energy_distance(x, y), rel=0.15)
        assert energy_distance(x, y, num_max=300) == energy_distance(x, y, num_max=300)

    def test_num_max_is_the_number_of_rows_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = []
        monkeypatch.setattr(
            distributions, "_sum_of_distances", lambda x, y: sizes.append((len(x), len(y))) or 1e9
        )
        energy_distance(normal(90, 2, 1), normal(20, 2, 2), num_max=30)
        assert sizes == [(30, 20)]

    def test_refuses_a_single_row(self) -> None:
        with pytest.raises(ValueError, match="2 rows or more a side, got 1 and 5"):
            energy_distance(normal(1, 2, 1), normal(5, 2, 2))


class TestOffSupport:
    @pytest.mark.parametrize("dim", [1, 2, 20])
    def test_nearest_distances_against_all_pairs(self, dim: int) -> None:
        points, reference = normal(40, dim, 1), normal(60, dim, 2)
        expected = torch.cdist(points.double(), reference.double()).amin(dim=1)
        assert torch.allclose(nearest_distances(points, reference), expected, rtol=1e-9)

    @pytest.mark.parametrize("dim", [2, 20])
    def test_a_row_of_the_reference_is_at_distance_zero(self, dim: int) -> None:
        reference = 1e4 * normal(50, dim, 1)
        assert nearest_distances(reference[:10], reference).tolist() == [0.0] * 10

    def test_exact_on_a_line(self) -> None:
        distances = torch.tensor([0.1, 0.19, 0.21, 0.0, 3.0])
        real = torch.linspace(0, 0.4, 10)  # their median 0.2
        assert share_beyond(distances, real, quantile=0.5) == pytest.approx(2 / 5)
        assert share_beyond(distances, real, quantile=1.0) == pytest.approx(1 / 5)

    def test_one_real_row_in_a_thousand_lies_beyond_by_default(self) -> None:
        assert share_beyond(torch.tensor([995.0, 1000.0]), torch.arange(1001.0)) == 0.5

    def test_threshold_is_strict(self) -> None:
        distances = torch.tensor([1.0, 2.0, 3.0, 4.0])
        assert share_beyond(distances, distances, quantile=1.0) == 0
        assert share_beyond(distances, torch.tensor([3.0])) == 0.25

    def test_fresh_real_rows_get_the_complement_of_the_quantile(self) -> None:
        reference = normal(20_000, 2, 2)
        made, real = (nearest_distances(normal(20_000, 2, seed), reference) for seed in (1, 3))
        assert share_beyond(made, real, quantile=0.99) == pytest.approx(0.01, abs=0.004)

    def test_refuses_wrong_input(self) -> None:
        with pytest.raises(ValueError, match="between 0 and 1, got 99.9"):
            share_beyond(torch.ones(5), torch.ones(5), quantile=99.9)
        with pytest.raises(ValueError, match="at least one distance"):
            share_beyond(torch.empty(0), torch.ones(3))
        with pytest.raises(ValueError, match="non-empty"):
            nearest_distances(normal(5, 2, 1), torch.empty(0, 2))


class TestC2st:
    def test_same_distribution_is_a_coin_toss(self) -> None:
        accuracies = [
            c2st(normal(400, 3, 2 * i), normal(400, 3, 2 * i + 1), seed=i) for i in range(3)
        ]
        assert np.mean(accuracies) == pytest.approx(0.5, abs=0.04)

    def test_far_apart_is_told_apart(self) -> None:
        assert c2st(normal(500, 2, 1), normal(500, 2, 2) + 6, seed=0) > 0.95

    def test_shifted_normals_near_the_bayes_accuracy(self) -> None:
        bayes = float(stats.norm.cdf(1.0))  # the midpoint decides between N(0, 1) and N(2, 1)
        value = c2st(normal(2000, 1, 1), normal(2000, 1, 2) + 2, seed=0)
        assert value == pytest.approx(bayes, abs=0.03)

    def test_sees_a_dependence_that_no_margin_shows(self) -> None:
        x = normal(1500, 2, 1)
        y = torch.stack([x[:, 0], x[:, 0].abs() * normal(1500, 1, 2)[:, 0].sign()], dim=1)
        assert c2st(normal(1500, 2, 3), y, seed=0) > 0.8

    def test_unequal_sizes_stay_balanced(self) -> None:
        value = c2st(normal(2000, 2, 1), normal(200, 2, 2), seed=0)
        assert value == pytest.approx(0.5, abs=0.12)  # always saying "first" would give 0.91

    def test_num_max_is_the_number_of_rows_a_side(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []
        monkeypatch.setattr(
            distributions, "_cross_validated_accuracy", lambda *args: seen.append(args) or 0.5
        )
        x, y = torch.zeros(90, 1), torch.ones(80, 1)
        c2st(x, y, seed=0, num_max=40)
        c2st(x, y, seed=0)
        assert [len(rows) for rows, *_ in seen] == [80, 160]
        assert [num for _, num, *_ in seen] == [40, 80]
        assert (seen[0][0][:40] == 0).all() and (seen[0][0][40:] == 1).all()

    def test_deterministic_and_leaves_the_global_generators_alone(self) -> None:
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
        x, y = normal(100, 2, 1), normal(100, 2, 2) + 0.5
        value = c2st(x, y, seed=1)
        assert c2st(x, y, seed=1) == value
        assert {c2st(x, y, seed=seed) for seed in (2, 3)} != {value}
        assert torch.equal(torch.get_rng_state(), torch_state)
        assert (np.random.get_state()[1] == numpy_state).all()

    def test_folds_hold_out_the_rows_they_judge(self) -> None:
        x = normal(400, 5, 1)
        assert (
            c2st(x, x.clone(), seed=0) < 0.6
        )  # a classifier judged on rows it has seen would be near 1
        assert c2st(x, normal(400, 5, 2), seed=0) < 0.6

    def test_rows_are_taken_at_random_from_both_sides(self) -> None:
        ordered = torch.arange(2000.0)[:, None]
        other = ordered[torch.randperm(2000, generator=seeded())]
        assert c2st(ordered, other, seed=0, num_max=200) < 0.6  # the first 200 would give 0.9
        assert c2st(other, ordered, seed=0, num_max=200) < 0.6

    def test_the_classifier_never_sees_what_it_is_asked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Recorder:
            def __init__(self, **options: object) -> None:
                assert options == {"early_stopping": False, "random_state": 3}

            def fit(self, rows: np.ndarray, labels: np.ndarray) -> None:
                self.known = dict(zip(rows[:, 0].tolist(), labels.tolist(), strict=True))
                assert len(rows) == 16 and sum(labels) == 8

            def predict(self, rows: np.ndarray) -> np.ndarray:
                assert not self.known.keys() & set(rows[:, 0].tolist())
                return (rows[:, 0] >= 100).astype(int)  # y's rows are the second class

        monkeypatch.setattr("sklearn.ensemble.HistGradientBoostingClassifier", Recorder)
        x = torch.arange(10.0)[:, None]
        assert c2st(x, x + 100, seed=3) == 1.0
        assert c2st(x + 100, x, seed=3) == 0.0

    def test_the_classifier_is_the_one_that_is_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = []

        class First:
            def fit(self, rows: np.ndarray, labels: np.ndarray) -> None:
                pass

            def predict(self, rows: np.ndarray) -> np.ndarray:
                return np.zeros(len(rows))

        for kind in ("trees", "network"):
            make = functools.partial(lambda *built: made.append(built) or First(), kind)
            monkeypatch.setattr(distributions, f"_{kind}", make)
        for kind in ("trees", "network"):
            made.clear()
            assert c2st(normal(10, 1, 1), normal(10, 1, 2), seed=3, classifier=kind) == 0.5
            assert made == 5 * [(kind, 3)]

    @pytest.mark.slow
    def test_a_network_sees_what_is_smooth_and_trees_what_has_an_edge(self) -> None:
        wide, plain = 1.3 * normal(1500, 8, 1), normal(1500, 8, 2)
        assert c2st(wide, plain, seed=0, classifier="network") > c2st(wide, plain, seed=0) + 0.015

        grid, fine = (normal(1500, 1, 4) * 8).round() / 8, normal(1500, 1, 5)
        assert c2st(grid, fine, seed=0) > c2st(grid, fine, seed=0, classifier="network") + 0.1

    def test_a_network_tosses_a_coin_over_one_distribution(self) -> None:
        x, y = normal(1000, 3, 1), normal(1000, 3, 2)
        value = c2st(x, y, seed=1, classifier="network")
        assert value == pytest.approx(0.5, abs=0.04)
        assert c2st(x, y, seed=1, classifier="network") == value
        assert c2st(x, y + 4, seed=1, classifier="network") > 0.97

    def test_refuses_fewer_rows_than_folds(self) -> None:
        with pytest.raises(ValueError, match="5 folds and 4 rows"):
            c2st(normal(4, 2, 1), normal(50, 2, 2), seed=0)
