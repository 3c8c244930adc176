"""Mode coverage on constructed samples and on a ring whose figures are known."""

import math

import pytest
import torch

from scgan.metrics import modes as modes_module
from scgan.metrics.modes import ModeCoverage, high_quality_radius, mode_coverage

CORNERS = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])


def test_perfect_coverage() -> None:
    assert mode_coverage(CORNERS, CORNERS, 0.1) == ModeCoverage(4, 4, 1.0, 0.0, 0.0)


def test_counts_by_hand() -> None:
    samples = torch.tensor(
        [[0.0, 0.0], [0.1, 0.0], [0.29, 0.0], [0.31, 0.0], [3.9, 0.1], [2.5, 3.9]]
    )
    coverage = mode_coverage(samples, CORNERS, 0.1)
    # Four nearest to the first (one of them just beyond 3 std), one to the second, a poor one to
    # the fourth.
    assert coverage.num_modes == 4
    assert coverage.num_captured == 2
    assert coverage.high_quality_share == pytest.approx(4 / 6)
    expected = sum(p * math.log(p / 0.25) for p in (4 / 6, 1 / 6, 1 / 6))
    assert coverage.kl_divergence == pytest.approx(expected)
    differences = (4 / 6 - 0.25, 0.25 - 1 / 6, 0.25, 0.25 - 1 / 6)
    assert coverage.total_variation == pytest.approx(sum(differences) / 2)


def test_total_variation_is_half_of_all_differences() -> None:
    coverage = mode_coverage(CORNERS[[0, 0, 1, 1, 2, 3]], CORNERS, 0.1)
    assert coverage.total_variation == pytest.approx(4 * (1 / 3 - 1 / 4) / 2)


def test_collapse_onto_one_of_k_modes_costs_log_k() -> None:
    coverage = mode_coverage(torch.zeros(50, 2), CORNERS, 0.1)
    assert coverage.num_captured == 1
    assert coverage.kl_divergence == pytest.approx(math.log(4))


def test_weights_are_the_target_of_the_divergence() -> None:
    samples = CORNERS[[0, 0, 0, 1]]
    coverage = mode_coverage(samples, CORNERS[:2], 0.1, torch.tensor([6.0, 2.0]))
    assert coverage.total_variation == pytest.approx(0.0)
    assert coverage.kl_divergence == pytest.approx(0, abs=1e-12)
    assert coverage.total_variation == pytest.approx(0, abs=1e-12)
    equal = mode_coverage(samples, CORNERS[:2], 0.1).kl_divergence
    assert equal == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


@pytest.mark.parametrize("dim", [2, 8, 32])
def test_a_mixtures_own_samples_are_of_high_quality_in_any_dimension(dim: int) -> None:
    draw = torch.Generator().manual_seed(0)
    modes = 100 * torch.eye(dim)[:2]
    samples = modes[torch.arange(20_000) % 2] + 0.5 * torch.randn(20_000, dim, generator=draw)
    coverage = mode_coverage(samples, modes, 0.5)
    assert coverage.num_captured == 2
    assert coverage.high_quality_share == pytest.approx(1 - math.exp(-4.5), abs=0.004)
    assert mode_coverage(samples, modes, 0.4).high_quality_share < 0.96


def test_on_a_line_and_on_the_plane_the_radius_is_three() -> None:
    assert [high_quality_radius(dim) for dim in (1, 2)] == [3.0, 3.0]
    assert high_quality_radius(3) == pytest.approx(3.33, abs=0.02)


def test_nearest_is_in_units_of_the_modes_own_std() -> None:
    modes = torch.tensor([[0.0], [10.0]])
    coverage = mode_coverage(torch.tensor([[4.0]]), modes, torch.tensor([0.1, 4.0]))
    assert (coverage.num_captured, coverage.high_quality_share) == (1, 1.0)
    assert mode_coverage(torch.tensor([[4.0]]), modes, 0.1).high_quality_share == 0


def test_true_ring_samples_have_the_rayleigh_share() -> None:
    generator = torch.Generator().manual_seed(0)
    angles = 2 * torch.pi * torch.arange(8) / 8
    ring = torch.stack([angles.cos(), angles.sin()], dim=1)
    index = torch.randint(8, (20_000,), generator=generator)
    coverage = mode_coverage(
        ring[index] + 0.01 * torch.randn(20_000, 2, generator=generator), ring, 0.01
    )
    assert coverage.num_captured == 8
    assert coverage.high_quality_share == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert 0 < coverage.kl_divergence < 0.002


def test_chunks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = 4 * torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    whole = mode_coverage(samples, CORNERS, 0.3, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    monkeypatch.setattr(modes_module, "_CHUNK_ELEMENTS", 28)
    assert mode_coverage(samples, CORNERS, 0.3, torch.tensor([1.0, 2.0, 3.0, 4.0])) == whole


@pytest.mark.parametrize("std", [0.0, -1.0, math.nan, torch.ones(3)])
def test_refuses_a_std_that_is_not_positive_or_one_a_mode(std: float | torch.Tensor) -> None:
    with pytest.raises(ValueError, match="mode_std must be positive"):
        mode_coverage(CORNERS, CORNERS, std)


def test_refuses_a_zero_weight_and_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="weights must be positive"):
        mode_coverage(CORNERS, CORNERS, 0.1, torch.tensor([1.0, 1.0, 1.0, 0.0]))
    with pytest.raises(ValueError, match="equal D"):
        mode_coverage(torch.zeros(5, 3), CORNERS, 0.1)
    with pytest.raises(ValueError, match="equal D"):
        mode_coverage(torch.zeros(0, 2), CORNERS, 0.1)
