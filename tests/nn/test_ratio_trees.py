"""Trees that tell how much denser data are than samples, against loops and known densities."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy import stats
from torch.distributions import MultivariateNormal, Normal

from scgan.nn import ratio_growth, ratio_trees
from scgan.nn.ratio_growth import Compared, fit_ratio_trees, grow
from scgan.nn.ratio_trees import RatioTrees, Tree, leaves_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(num, seed, std=1.0, dim=2):
    return std * torch.randn(num, dim, generator=seeded(seed))


def test_a_sum_of_trees_is_a_loop_over_their_questions(monkeypatch):
    monkeypatch.setattr(ratio_trees, "NUM_BINS", 3)
    monkeypatch.setattr(ratio_trees, "ROWS_AT_ONCE", 20)
    monkeypatch.setattr(ratio_trees, "TREES_AT_ONCE", 2)
    trees = RatioTrees(3, 3, 2)
    edges = torch.tensor([[0.0, 1.0], [-1.0, 0.5], [0.2, 0.3]])
    trees.edges.copy_(edges)
    trees.columns.copy_(torch.tensor([[0, 1], [1, 1], [2, 0]]))
    trees.cuts.copy_(torch.tensor([[0, 1], [0, 1], [0, 1]]))
    trees.values.copy_(torch.arange(12.0).view(3, 4) ** 2)
    x = normal(50, 1, dim=3)
    x[0] = torch.tensor([0.0, 0.5, 0.2])  # on the edges, that is not above them
    assert trees(x[:0]).shape == (0,)
    for row, found in zip(x, trees(x), strict=True):
        total = 0.0
        for columns, cuts, values in zip(trees.columns, trees.cuts, trees.values, strict=True):
            leaf = 0
            for level in range(2):
                edge = edges[columns[level], int(cuts[level])]
                leaf += 2**level if row[columns[level]] > edge else 0
            total += float(values[leaf])
        assert float(found) == pytest.approx(total)


def compared_of(real, drawn, weights, cuts):
    bins = [torch.stack([(x[:, [j]] > cuts[j]).sum(1) for j in range(2)]) for x in (real, drawn)]
    return Compared(*(rows.to(torch.uint8) for rows in bins), weights)


def test_a_tree_asks_what_tells_most_and_says_by_how_much_the_data_are_more(monkeypatch):
    """Depth two: the best first question, then the best second one given the first."""
    monkeypatch.setattr(ratio_growth, "NUM_BINS", 5)
    real, drawn = normal(300, 1) + torch.tensor([0.5, 0.0]), normal(700, 2)
    weights = torch.rand(700, generator=seeded(3)).double().softmax(0)
    cuts = torch.tensor([[-1.0, -0.3, 0.2, 0.9], [-0.8, 0.1, 0.4, 1.1]])
    compared = compared_of(real, drawn, weights, cuts)
    e = ratio_growth.PRIOR / 300

    def leaves(x, questions):
        number = torch.zeros(len(x), dtype=torch.long)
        for level, (column, cut) in enumerate(questions):
            number += (x[:, column] > cuts[column, cut]) * 2**level
        return number

    def masses(questions):
        for leaf in range(2 ** len(questions)):
            p = (leaves(real, questions) == leaf).double().mean()
            q = weights[leaves(drawn, questions) == leaf].sum()
            yield float(p), float(q)

    def told(questions):
        return sum(p * math.log((p + e) / (q + e)) for p, q in masses(questions))

    asked = []
    for _ in range(2):
        asked.append(max(itertools.product((0, 1), range(4)), key=lambda q: told([*asked, q])))
    tree = grow(compared, compared, 2, 0.3, [0, 1])
    assert tree.columns.tolist() == [column for column, _ in asked]
    assert tree.cuts.tolist() == [cut for _, cut in asked]
    values = [0.3 * math.log((p + e) / (q + e)) for p, q in masses(asked)]
    assert tree.values.tolist() == pytest.approx(values, abs=1e-6)

    only = grow(compared, compared, 2, 0.3, [1])
    assert only.columns.tolist() == [1, 1]


def test_questions_are_chosen_by_a_part_and_values_are_of_all(monkeypatch):
    monkeypatch.setattr(ratio_growth, "NUM_BINS", 2)
    real, drawn = normal(400, 1), normal(400, 2)
    cuts = torch.zeros(2, 1)
    weights = torch.full((400,), 1 / 400).double()
    all_rows = compared_of(real, drawn, weights, cuts)
    shifted = compared_of(real + torch.tensor([0.0, 3.0]), drawn, weights, cuts)
    tree = grow(shifted, all_rows, 1, 1.0, [0, 1])
    assert tree.columns.tolist() == [1]
    assert tree.values.abs().max() < 0.3  # in all rows the column is the same


@pytest.mark.parametrize(
    ("num_drawn", "most", "rows", "samples"),
    [(400, 300, 200, 200), (1600, 300, 200, 800), (6400, 300, 200, 800), (6400, 90, 90, 360)],
)
def test_questions_are_chosen_by_half_of_the_rows_at_most_and_by_four_samples_each(
    num_drawn, most, rows, samples, monkeypatch
):
    monkeypatch.setattr(ratio_growth, "MOST_ASKED", most)
    weights = torch.rand(num_drawn, generator=seeded()).double()
    every = compared_of(normal(400, 1), normal(num_drawn, 2), weights, torch.zeros(2, 1))
    part = every.some(seeded())
    assert part.real.shape[1] / rows == pytest.approx(1, abs=0.2)
    assert part.drawn.shape[1] / samples == pytest.approx(1, abs=0.2)
    assert len(part.weights) == part.drawn.shape[1]
    assert float(part.weights.sum()) == pytest.approx(1)


def fitted(real, draw, seed=0, **changes):
    how = {"num_trees": 200, "depth": 3, "num_drawn": 20_000, **changes}
    return fit_ratio_trees(real, draw, generator=seeded(seed), **how)


def test_the_log_ratio_of_two_known_densities_is_found():
    draws = itertools.count(10)
    trees = fitted(normal(5000, 1), lambda num: normal(num, next(draws), 1.5))
    x = normal(4000, 2)
    true = (Normal(0, 1).log_prob(x) - Normal(0, 1.5).log_prob(x)).sum(1)
    found = trees(x)
    assert torch.corrcoef(torch.stack([found, true]))[0, 1] > 0.93
    assert (found - found.mean() - (true - true.mean())).abs().mean() < 0.15


@pytest.mark.parametrize("seed", [0, 1])
def test_accepted_samples_have_the_datas_distribution(seed):
    """Dependent columns, of independent wider ones."""
    joint = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    torch.manual_seed(seed)
    real, draws = joint.sample((8000,)), itertools.count(100 * seed + 10)
    trees = fitted(real, lambda num: normal(num, next(draws), 1.3), seed)
    drawn = normal(60_000, 5, 1.3)
    x = drawn[trees.accepts(drawn, seeded(6))]
    assert len(x) / 60_000 == pytest.approx(float(trees.rate), rel=0.05)
    assert torch.corrcoef(x.T)[0, 1] == pytest.approx(0.8, abs=0.05)
    for column in (0, 1):
        assert stats.ks_2samp(x[:, column], real[:, column]).statistic < 0.03
        assert stats.kstest(drawn[:, column], "norm").statistic > 0.06
    turned = (x[:, 0] - x[:, 1]) / math.sqrt(0.4)
    assert stats.kstest(turned, "norm").statistic < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_the_margins_are_the_datas_where_few_trees_leave_them(seed):
    draws, real = itertools.count(100 * seed + 10), normal(5000, seed + 1)
    trees = fitted(real, lambda num: normal(num, next(draws), 1.5), seed, num_trees=1)
    assert len(trees.columns) == 1 + 2 * ratio_growth.MARGIN_ROUNDS
    drawn = normal(40_000, 5, 1.5)
    x = drawn[trees.accepts(drawn, seeded(6))]
    for column in (0, 1):
        far, near = (stats.ks_2samp(rows[:, column], real[:, column]) for rows in (drawn, x))
        assert near.statistic < 0.4 * far.statistic


@pytest.mark.parametrize("seed", range(4))
def test_of_samples_that_are_as_the_data_no_tree_is_kept(seed):
    draws = itertools.count(100 * seed + 10)
    trees = fitted(normal(2000, seed + 1), lambda num: normal(num, next(draws)), seed)
    assert len(trees.columns) == 2 * ratio_growth.MARGIN_ROUNDS
    assert trees.divergence == 0 and trees.rate > 0.9


def test_as_many_trees_as_held_out_rows_are_told_best_by(monkeypatch):
    monkeypatch.setattr(ratio_growth, "PATIENCE", 25)
    draws, bounds = itertools.count(10), []

    def grown(num, bound):
        assert num == len(bounds) + 1
        bounds.append(bound)

    trees = fitted(normal(3000, 1), lambda num: normal(num, next(draws), 1.3), grown=grown)
    best = bounds.index(max(bounds)) + 1
    assert len(bounds) == best + 25 < 200
    assert len(trees.columns) == best + 2 * ratio_growth.MARGIN_ROUNDS
    assert float(trees.divergence) == pytest.approx(max(bounds))


def test_what_held_out_rows_say_of_the_divergence():
    """Of normals of deviations 1 and 1.5, two columns."""
    draws = itertools.count(10)
    trees = fitted(normal(8000, 1), lambda num: normal(num, next(draws), 1.5))
    true = 2 * (math.log(1.5) + (1 / 1.5**2 - 1) / 2)
    assert float(trees.divergence) == pytest.approx(true, abs=0.06)


def test_the_bounds_error_is_what_it_strays_by():
    bounds, errors = [], []
    for seed in range(300):
        f_real = 0.5 * normal(200, seed, dim=1)[:, 0] + 0.3
        f_drawn = 0.7 * normal(150, 1000 + seed, dim=1)[:, 0]
        bound, error = ratio_growth.divergence_bound(f_real, f_drawn)
        assert bound == pytest.approx(float(f_real.mean() - f_drawn.exp().mean().log()), abs=1e-6)
        bounds.append(bound)
        errors.append(error)
    assert sum(errors) / 300 == pytest.approx(float(torch.tensor(bounds).std()), rel=0.15)


def test_the_two_times_that_samples_are_drawn_they_are_new_and_as_many_as_are_asked_for():
    draws, asked = itertools.count(10), []

    def draw(num):
        asked.append(num)
        return normal(num, next(draws), 1.5)

    fitted(normal(500, 1), draw, num_drawn=3000)
    assert asked == [3000, 3000]


def test_a_sample_is_accepted_by_its_ratio_to_the_bound_and_never_refused_for_certain():
    trees = RatioTrees(1, 1, 1)
    trees.bound.fill_(1.0)
    ratios = torch.tensor([2.0, 1.0, 0.0, -50.0])
    expected = [1.0, 1.0, math.exp(-1), ratio_trees.LEAST_CHANCE]
    assert trees.chances(ratios).tolist() == pytest.approx(expected)

    trees.values.copy_(torch.tensor([[0.0, 1.0]]))
    x = torch.tensor([[-1.0], [1.0]]).repeat(20_000, 1)
    kept = x[trees.accepts(x, seeded())]
    assert (kept > 0).sum() == 20_000
    assert (kept < 0).sum() / 20_000 == pytest.approx(math.exp(-1), abs=0.02)


def test_the_bound_is_the_least_beyond_which_hardly_any_of_the_data_is_lost():
    """Beside the loss of each ratio in turn, and as ratios of samples that were never seen say."""
    log_ratios = normal(400, 3, dim=1)[:, 0]
    ratios = log_ratios.double().exp()

    def lost(bound):
        return float((ratios - bound.double().exp()).clamp(min=0).sum() / ratios.sum())

    fitting = [f for f in log_ratios if lost(f) <= ratio_growth.LOST]
    assert ratio_growth.bound_of(log_ratios) == min(fitting) < log_ratios.quantile(0.99)
    assert ratio_growth.bound_of(log_ratios + 7) == pytest.approx(float(min(fitting)) + 7)
    assert ratio_growth.bound_of(torch.zeros(5)) == 0

    draws = itertools.count(10)
    trees = fitted(normal(3000, 1), lambda num: normal(num, next(draws), 1.5))
    log_ratios = trees(normal(50_000, 3, 1.5))
    ratios = log_ratios.double().exp()
    assert lost(trees.bound) == pytest.approx(ratio_growth.LOST, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_what_samples_hardly_reach_is_made_up_for(seed):
    """A group of a seventh of the data, a twentieth of the samples, has its share.

    That is more than its ratios alone give it, whose largest are beyond the bound.
    """
    real, draws = normal(6000, seed + 1), itertools.count(100 * seed + 10)
    real[:900, 0] = 3 + 0.2 * real[:900, 0]

    def draw(num):
        return normal(num, next(draws), 1.5)

    trees = fitted(real, draw, seed, num_trees=60, num_drawn=30_000)
    drawn = draw(200_000)
    kept = drawn[trees.accepts(drawn, seeded(6))]
    shares = [float((x[:, 0] > 2.4).float().mean()) for x in (draw(200_000), real, kept)]
    assert shares[0] < 0.06 and shares[1] > 0.15
    assert shares[2] == pytest.approx(shares[1], abs=0.7 * ratio_growth.LOST)


def test_a_tree_numbers_its_leaves_by_the_first_question_first():
    cuts = torch.tensor([3, 5, 7], dtype=torch.uint8)
    tree = Tree(torch.tensor([0, 1, 0]), cuts, torch.arange(8.0))
    corners = torch.tensor([[3, 4, 3, 4, 8, 8], [5, 5, 6, 6, 5, 6]], dtype=torch.uint8)
    assert tree.at(corners).tolist() == [0, 1, 2, 3, 5, 7]


def test_any_two_bins_are_compared():
    bins = torch.arange(128, dtype=torch.uint8)
    for cut in (0, 1, 62, 126, 127):
        leaves = leaves_of(bins[None], torch.tensor([[0]]), torch.tensor([[cut]]).to(torch.uint8))
        assert leaves.tolist() == [[int(number > cut) for number in range(128)]]
