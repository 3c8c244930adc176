"""Density, coverage and copying: against slow loops, closed forms and samples of known truth."""

from __future__ import annotations

import pytest
import torch

from scgan.metrics import fidelity
from scgan.metrics.fidelity import closer_share, density_coverage


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
