"""Density, coverage and copying: against slow loops, closed forms and samples of known truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scgan.metrics import fidelity
from scgan.metrics.fidelity import (
    alpha_precision_beta_recall,
    closer_share,
    density_coverage,
    training_share,
)


def normal(num: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(seed))


def slow(real: torch.Tensor, fake: torch.Tensor, k: int) -> tuple[float, float]:
    """The definitions, a pair at a time."""
    inside, covered = 0, 0
    for x in real:
        others = sorted(float((x - other).double().norm()) for other in real)
        hits = [float((x - y).double().norm()) <= others[k] for y in fake]
        inside += sum(hits)
        covered += any(hits)
    return inside / (k * len(fake)), covered / len(real)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("dim", [1, 4])
def test_equals_the_definition(k: int, dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "CHUNK_ROWS", 7)
    real, fake = normal(30, dim, 1), 1.3 * normal(23, dim, 2) + 0.2
    assert density_coverage(real, fake, k) == pytest.approx(slow(real, fake, k))


@pytest.mark.parametrize("seed", range(3))
def test_of_one_distribution_density_is_one_and_coverage_by_the_closed_form(seed: int) -> None:
    found = density_coverage(normal(3000, 3, seed), normal(3000, 3, 100 + seed), k=5)
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.015)


def test_lost_modes_and_trimmed_tails_cost_coverage_and_not_density() -> None:
    real = torch.cat([normal(500, 2, 1), normal(500, 2, 2) + 20])
    one_mode = normal(1000, 2, 3)
    crowded = torch.cat([0.3 * normal(500, 2, 4), 0.3 * normal(500, 2, 5) + 20])
    assert density_coverage(real, one_mode).coverage == pytest.approx(0.5, abs=0.03)
    assert density_coverage(real, one_mode).density == pytest.approx(1, abs=0.1)
    assert density_coverage(real, crowded).density == pytest.approx(1, abs=0.1)
    assert density_coverage(real, crowded).coverage < 0.5
    assert density_coverage(real, real + 100) == (0, 0)


def test_balls_are_around_real_rows() -> None:
    """Far outliers among the samples cost their share of density, and no coverage."""
    real = normal(400, 2, 1)
    fake = torch.cat([normal(400, 2, 2), normal(400, 2, 3) + 50])
    found = density_coverage(real, fake)
    assert found.density == pytest.approx(0.5, abs=0.06) and found.coverage > 0.93


def test_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same columns"):
        density_coverage(normal(9, 2, 1), normal(9, 3, 1))
    with pytest.raises(ValueError, match="k is 9, but must be 1 to 8"):
        density_coverage(normal(9, 2, 1), normal(9, 2, 1), k=9)


def test_copies_are_closer_and_new_rows_are_not() -> None:
    held_out = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert closer_share(torch.tensor([0.0, 0.0]), held_out) == 1
    assert closer_share(torch.tensor([9.0, 9.0]), held_out) == 0
    assert closer_share(torch.tensor([2.0, 3.0, 4.0, 3.0]), held_out) == 0.5
    assert closer_share(normal(20_000, 1, 1).abs(), normal(20_000, 1, 2).abs()) == pytest.approx(
        0.5, abs=0.02
    )
    with pytest.raises(ValueError, match="got 0 and 5"):
        closer_share(torch.empty(0), held_out)


def slow_alpha_beta(real: torch.Tensor, fake: torch.Tensor) -> tuple[float, float]:
    """The definitions, a level and a row at a time."""
    real, fake = real.double(), fake.double()
    centre, made_centre = real.mean(0), fake.mean(0)
    depths = [float((x - centre).norm()) for x in real]
    nearest = [min(fake, key=lambda y, x=x: float((x - y).norm())) for x in real]
    made_depths = [float((y - made_centre).norm()) for y in nearest]
    met = []
    for i, x in enumerate(real):
        others = [float((x - other).norm()) for j, other in enumerate(real) if j != i]
        met.append(float((x - nearest[i]).norm()) <= min(others))

    gaps = [0.0, 0.0]
    for level in np.linspace(0, 1, 30):
        radius, made_radius = np.quantile(depths, level), np.quantile(made_depths, level)
        precision = np.mean([float((y - centre).norm()) <= radius for y in fake])
        recall = np.mean([m and d <= made_radius for m, d in zip(met, made_depths, strict=True)])
        gaps[0] += abs(precision - level) / 29
        gaps[1] += abs(recall - level) / 29
    return 1 - 2 * gaps[0], 1 - 2 * gaps[1]


@pytest.mark.parametrize("dim", [1, 4])
def test_alpha_precision_and_beta_recall_equal_their_definitions(
    dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fidelity, "CHUNK_ROWS", 7)
    real, fake = normal(31, dim, 1), 1.3 * normal(23, dim, 2) + 0.2
    expected = slow_alpha_beta(real, fake)
    assert alpha_precision_beta_recall(real, fake) == pytest.approx(expected)


def test_of_one_distribution_alpha_precision_is_one_and_half_of_the_rows_are_met() -> None:
    found = alpha_precision_beta_recall(normal(3000, 3, 1), normal(3000, 3, 2))
    assert found.alpha_precision == pytest.approx(1, abs=0.04)
    assert found.beta_recall == pytest.approx(14 / 29, abs=0.03)


def test_copies_and_crowding_and_rows_far_out_are_seen() -> None:
    real = normal(1000, 2, 4)
    copied = alpha_precision_beta_recall(real, real)
    assert min(copied) > 0.99
    crowded = alpha_precision_beta_recall(real, 0.3 * normal(1000, 2, 5))
    assert crowded.alpha_precision < 0.3 and crowded.beta_recall < 0.4
    far = alpha_precision_beta_recall(real, normal(1000, 2, 5) + 50)
    assert far == pytest.approx((0, 0), abs=0.05)


def test_alpha_precision_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same columns"):
        alpha_precision_beta_recall(normal(9, 2, 1), normal(9, 3, 1))
    with pytest.raises(ValueError, match="two real rows"):
        alpha_precision_beta_recall(normal(1, 2, 1), normal(9, 2, 1))


def test_the_share_nearer_to_training_rows_is_a_half_for_new_rows_and_one_for_copies() -> None:
    train, held_out = normal(3000, 3, 1), normal(700, 3, 2)
    new = training_share(normal(2000, 3, 3), train, held_out, seed=0)
    assert new == pytest.approx(0.5, abs=0.02)
    assert training_share(held_out, train, held_out, seed=0) == 0
    # Every part of the training rows holds a copy of some samples only.
    copies = training_share(train, train, held_out, seed=0)
    assert copies == pytest.approx(0.25 + 0.75 / 2, abs=0.05)
    assert training_share(train[:700], train[:700], held_out, seed=0) == 1
    assert training_share(held_out, held_out, held_out, seed=0) == 0.5


def test_parts_of_the_larger_side_are_as_many_as_it_has_and_disjoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def kept(rows: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        seen.append(part[:, 0].tolist())
        return torch.zeros(len(rows), dtype=torch.float64)

    monkeypatch.setattr(fidelity, "nearest_distances", kept)
    train, held_out = torch.arange(100.0)[:, None], 1000 + torch.arange(30.0)[:, None]
    assert training_share(normal(4, 1, 1), train, held_out, seed=0) == 0.5
    parts = [part for part in seen if max(part) < 1000]
    assert [len(part) for part in seen] == [30] * 4 and len(parts) == 3
    assert len({value for part in parts for value in part}) == 90
    seen.clear()
    training_share(normal(4, 1, 1), torch.arange(100.0)[:, None], held_out[:5], seed=0)
    assert len(seen) == 10
