"""Toy sets: each sampler against its own density, and each density against its definition."""

import math
import pickle
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from scgan.data.mixture import Toy
from scgan.data.toy import PAPER_TOYS, TOYS

# Half side of a square that holds all but 1e-6 of the mass, and cells a side that resolve the
# narrowest part.
WINDOWS = {
    "eight_gaussians": (5.5, 240),
    "checkerboard": (4.0, 80),
    "two_spirals": (4.2, 80),
    "abs": (6.0, 240),
    "sine_wave": (6.0, 240),
    "crescent_cubed": (30.0, 400),
    "four_circles": (4.2, 320),
    "moons": (2.4, 320),
    "ring": (1.2, 480),
    "grid": (5.0, 400),
    "unequal_ring": (1.2, 480),
    "unequal_mixture": (5.0, 400),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cell_centers(half: float, cells: int) -> Tensor:
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * (2 * half / cells) - half
    return torch.cartesian_prod(axis, axis)


@cache
def cell_probabilities(name: str) -> tuple[Tensor, Tensor]:
    """Log density at the centre of each cell, and the mass of each."""
    half, cells = WINDOWS[name]
    log_prob = TOYS[name].log_prob(cell_centers(half, cells)).view(cells, cells)
    return log_prob, log_prob.exp() * (2 * half / cells) ** 2


def test_every_set_has_a_window() -> None:
    assert WINDOWS.keys() == TOYS.keys()
    assert set(PAPER_TOYS) <= TOYS.keys() and len(PAPER_TOYS) == 6


@pytest.mark.parametrize("name", TOYS)
def test_density_integrates_to_one(name: str) -> None:
    _, mass = cell_probabilities(name)
    assert mass.sum().item() == pytest.approx(1.0, abs=2e-5)


@pytest.mark.parametrize("side", [8, 40])
@pytest.mark.parametrize("name", TOYS)
def test_samples_follow_the_density(name: str, side: int) -> None:
    """Chi-square of the counts in few and in many cells, with cells of low expectation pooled."""
    num = 40_000
    _, mass = cell_probabilities(name)
    half, cells = WINDOWS[name]
    block = cells // side
    expected = num * mass.view(side, block, side, block).sum((1, 3)).flatten()
    x = TOYS[name].sample(num, generator()).double()
    index = ((x + half) / (2 * half) * side).floor().long()
    inside = ((index >= 0) & (index < side)).all(1)
    counts = torch.bincount(
        index[inside, 0] * side + index[inside, 1], minlength=side * side
    ).double()
    large = expected >= 10
    counts = torch.cat((counts[large], (num - counts[large].sum()).view(1)))
    expected = torch.cat((expected[large], (num - expected[large].sum()).view(1)))
    keep = expected > 1  # a pool of nothing has no chi-square; it is checked by its count
    statistic = ((counts - expected).square() / expected)[keep].sum().item()
    freedom = int(keep.sum()) - 1
    assert abs(statistic - freedom) < 4 * math.sqrt(2 * freedom)
    assert counts[~keep].sum() <= 10


@pytest.mark.parametrize("name", TOYS)
def test_entropy_of_samples_is_that_of_the_density(name: str) -> None:
    """Mean of -log p over samples equals its integral; a slightly wrong width would change it."""
    toy = TOYS[name]
    log_prob, mass = cell_probabilities(name)
    entropy = -torch.where(mass > 0, mass * log_prob, torch.zeros(())).sum().item()
    sampled = -toy.log_prob(toy.sample(4000, generator(1)))
    standard_error = sampled.std().item() / math.sqrt(4000)
    assert sampled.isfinite().all()
    assert abs(sampled.mean().item() - entropy) < 4 * standard_error + 1e-3


@pytest.mark.parametrize("name", TOYS)
def test_samples_are_determined_by_the_generator(name: str) -> None:
    toy = TOYS[name]
    first, again, other = (toy.sample(101, generator(seed)) for seed in (3, 3, 4))
    assert first.shape == (101, 2) and first.dtype == torch.float32
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert toy.sample(0, generator()).shape == (0, 2)
    assert toy.log_prob(first[:0]).shape == (0,)


@pytest.mark.parametrize("name", TOYS)
def test_rows_are_independent(name: str) -> None:
    """Neither halves nor neighbours of a sample tell more of each other than chance."""
    x = TOYS[name].sample(20_000, generator(5))
    z = (x - x.mean(0)) / x.std(0)
    assert (z[:10_000].mean(0) - z[10_000:].mean(0)).abs().max() < 4 * math.sqrt(2 / 10_000)
    assert (z[1:] * z[:-1]).mean(0).abs().max() < 4 / math.sqrt(20_000)


@pytest.mark.parametrize(
    "name", ["eight_gaussians", "ring", "grid", "unequal_ring", "unequal_mixture"]
)
def test_modes_have_their_weights_and_widths(name: str) -> None:
    toy, num = TOYS[name], 50_000
    modes, stds, weights = toy.modes(), toy.mode_std, toy.mode_weights
    assert modes is not None and stds is not None and weights is not None
    assert weights.sum().item() == pytest.approx(1.0, abs=1e-6)
    x = toy.sample(num, generator(2))
    # Nearest by density, as a wide mode reaches farther; the modes hardly overlap.
    scaled = torch.cdist(x, modes) / stds
    nearest = (scaled.square() / 2 + 2 * stds.log() - weights.log()).argmin(1)
    for m, weight in enumerate(weights.tolist()):
        share = (nearest == m).double().mean().item()
        assert abs(share - weight) < 4.5 * math.sqrt(weight * (1 - weight) / num) + 1e-4
        assert (x[nearest == m] - modes[m]).std().item() == pytest.approx(stds[m].item(), rel=0.08)


def test_definitions() -> None:
    ring = TOYS["eight_gaussians"].modes()
    assert ring is not None
    assert ring[0].tolist() == pytest.approx([2.6135, 1.0826], abs=1e-3)
    assert TOYS["eight_gaussians"].mode_std.tolist() == pytest.approx([0.5 / 1.414] * 8)
    assert TOYS["ring"].modes().norm(dim=1).tolist() == pytest.approx([1.0] * 8)
    assert TOYS["ring"].mode_std.tolist() == pytest.approx([0.01] * 8)
    assert sorted({v for row in TOYS["grid"].modes().tolist() for v in row}) == [
        -4.0,
        -2.0,
        0.0,
        2.0,
        4.0,
    ]
    assert TOYS["grid"].mode_std.tolist() == pytest.approx([0.05] * 25)
    assert all(
        TOYS[name].modes() is None and TOYS[name].mode_std is None
        for name in ("abs", "checkerboard")
    )


def test_checkerboard_cells() -> None:
    toy = TOYS["checkerboard"]
    on = torch.tensor(
        [[-4.0, -4.0], [-3.9, 0.1], [-1.9, -1.9], [0.1, 3.9 - 2.0], [2.1, 2.1], [3.9, -0.1]]
    )
    off = torch.tensor([[-3.0, -1.0], [4.0, 2.5], [0.5, 2.5], [-4.1, 0.5], [2.0, 1.0]])
    assert toy.log_prob(on).tolist() == pytest.approx([-math.log(32)] * 6, abs=1e-12)
    assert toy.log_prob(off).tolist() == [-math.inf] * 5


def test_checkerboard_never_rounds_into_the_next_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    for extreme in (0.0, 1 - 2**-24):
        monkeypatch.setattr(
            torch, "rand", lambda *shape, value=extreme, **_: torch.full(shape, value)
        )
        assert (
            TOYS["checkerboard"]
            .log_prob(TOYS["checkerboard"].sample(1, generator()))
            .isfinite()
            .all()
        )


@pytest.mark.parametrize(
    ("name", "point", "expected"),
    [
        ("abs", (-2.0, 1.0), -2.0 - math.log(2 * math.pi) + 1.5),
        (
            "sine_wave",
            (math.pi / 10, 1.0),
            -((math.pi / 10) ** 2) / 2 - math.log(2 * math.pi) + 1.0,
        ),
        ("crescent_cubed", (1.6, 2.0), -2.0 - math.log(2 * math.pi)),
    ],
)
def test_curves_on_the_ridge(name: str, point: tuple[float, float], expected: float) -> None:
    assert TOYS[name].log_prob(torch.tensor([point])).item() == pytest.approx(expected, abs=1e-6)


def test_spirals_are_drawn_from_their_formula() -> None:
    """Without noise every point lies on an arm, of the right length and density."""
    toy = replace(TOYS["two_spirals"], std=0.0, width=0.0)
    x = toy.sample(2000, generator()).double()
    n = 3 * x.norm(dim=1)
    arm = torch.stack((-n * n.cos(), n * n.sin()), 1) / 3
    assert torch.minimum((x - arm).abs().amax(1), (x + arm).abs().amax(1)).max() < 1e-5
    assert 0.97 * 3 * math.pi < n.max() <= 3 * math.pi + 1e-4
    assert (n.square().mean() / (3 * math.pi) ** 2).item() == pytest.approx(0.5, abs=0.03)


def test_spiral_quadrature_has_converged() -> None:
    toy = TOYS["two_spirals"]
    x = toy.sample(100, generator())
    assert torch.allclose(toy.log_prob(x), replace(toy, nodes=600).log_prob(x), atol=1e-5, rtol=0)
    assert toy.log_prob(torch.tensor([[40.0, -40.0]])).isfinite().all(), "no underflow far away"


def test_circles_without_noise_have_the_radius() -> None:
    toy = replace(TOYS["four_circles"], std=0.0)
    x = toy.sample(1000, generator())
    radius = torch.cdist(x, torch.tensor(toy.centers))
    assert (radius - 2).abs().amin(1).max() < 1e-5


@pytest.mark.parametrize("name", TOYS)
def test_sets_travel_between_processes(name: str) -> None:
    assert pickle.loads(pickle.dumps(TOYS[name])) == TOYS[name]


def test_a_set_without_density_says_so() -> None:
    class Sampled(Toy):
        def sample(self, num: int, generator: torch.Generator) -> Tensor:
            return torch.zeros(num, 2)

    assert not Sampled("none").has_density
    with pytest.raises(ValueError, match="^none has no known density$"):
        Sampled("none").log_prob(torch.zeros(1, 2))
    assert all(toy.has_density for toy in TOYS.values())


@pytest.mark.parametrize("name", ["grid", "unequal_mixture"])
def test_a_mixtures_points_are_labelled_by_their_mode(name: str) -> None:
    toy = TOYS[name]
    x, k = toy.sample_labelled(5000, generator(3))
    assert torch.equal(x, toy.sample(5000, generator(3)))
    modes, stds = toy.modes(), toy.mode_std
    assert modes is not None and stds is not None and k is not None
    gaps = (x - modes[k]).norm(dim=1) / stds[k]
    assert gaps.square().mean().item() == pytest.approx(2, rel=0.1)


def test_moons_are_two_arcs_with_the_stated_noise() -> None:
    """Each point lies by its own arc, as scikit-learn draws them, at a distance of about .05."""
    x, k = TOYS["moons"].sample_labelled(20_000, generator(4))
    assert k is not None and k.double().mean().item() == pytest.approx(0.5, abs=0.02)
    upper, lower = x[k == 0], x[k == 1]
    centre = torch.tensor([1.0, 0.5])
    for arc, side in ((upper, upper[:, 1]), (centre - lower, 0.5 - lower[:, 1])):
        radius = arc.norm(dim=1)
        assert radius.std().item() == pytest.approx(0.05, rel=0.05)
        assert radius.mean().item() == pytest.approx(1, abs=0.005)
        assert side.min() > -0.25


def test_a_set_without_pieces_has_no_labels() -> None:
    x, k = TOYS["checkerboard"].sample_labelled(50, generator())
    assert k is None and torch.equal(x, TOYS["checkerboard"].sample(50, generator()))
