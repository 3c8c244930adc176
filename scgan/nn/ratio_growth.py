"""How trees that tell how much denser data are than samples are grown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from scgan.nn.ratio_trees import NUM_BINS, RatioTrees, Tree, binned

LEARNING_RATE = 0.3
SUBSAMPLE = 0.5  # share of the data, and of the samples, that questions are chosen by, at most
MOST_ASKED = 25_000  # rows of the data that they are chosen by, at most
ASKED = 4  # samples a row of these, at most
PRIOR = 20.0  # rows of the data by which both masses of a leaf are raised
HELD_OUT = 0.1  # share of the rows by which the number of trees is chosen
PATIENCE = 60  # trees after which there are no more if held-out rows are told no better
SURE = 2.0  # standard errors by which held-out rows are to tell samples, else no tree counts
MARGIN_ROUNDS = 2  # of trees of one column each, at the end, on samples that were not used
LOST = 0.02  # share of the data, by these ratios, that is beyond the bound and so not made up for


class Compared(NamedTuple):
    """Data and samples that a tree is grown on.

    Args:
        real: Bin of each value of the data, ``[D, N]``.
        drawn: Of the samples, ``[D, M]``.
        weights: Of the samples, ``[M]``, summing to 1.
    """

    real: Tensor
    drawn: Tensor
    weights: Tensor

    def some(self, generator: torch.Generator) -> Compared:
        """A random part of either, that questions are chosen by."""
        num, num_drawn, device = self.real.shape[1], len(self.weights), self.weights.device
        asked = min(SUBSAMPLE * num, MOST_ASKED)
        shares = (num, asked / num), (num_drawn, min(SUBSAMPLE, ASKED * asked / num_drawn))
        real, drawn = (
            torch.rand(rows, generator=generator, device=device) < share for rows, share in shares
        )
        weights = self.weights[drawn]
        return Compared(self.real[:, real], self.drawn[:, drawn], weights / weights.sum())

    def masses(self, real: Tensor, drawn: Tensor, num: int) -> tuple[Tensor, Tensor]:
        """Shares of data and of samples that have each number: ``[num]``."""
        p = torch.bincount(real, minlength=num) / self.real.shape[1]
        return p.double(), torch.bincount(drawn, self.weights, minlength=num)

    def questions(self, columns: Sequence[int]) -> Questions:
        """What questions about some columns are chosen by."""
        first = torch.arange(len(columns), device=self.weights.device)[:, None] * NUM_BINS
        real, drawn = (rows[columns].long() + first for rows in (self.real, self.drawn))
        wide = self.weights.expand(drawn.shape).flatten()
        return Questions(self._replace(weights=wide), real, drawn)


class Questions(NamedTuple):
    """Rows by the number of each column's bin among the bins of all columns, C of them.

    Args:
        compared: What is compared, a weight a sample and column.
        real: Of the data, ``[C, N]``.
        drawn: Of the samples, ``[C, M]``.
    """

    compared: Compared
    real: Tensor
    drawn: Tensor

    def told(self, leaves: Sequence[Tensor | int], num_leaves: int, prior: float) -> Tensor:
        """What each question would tell, ``[C, B - 1]``.

        Args:
            leaves: Which data and samples are in, ``[N]`` and ``[M]``.
            num_leaves: How many there are.
            prior: That masses are raised by.
        """
        shape = (num_leaves, len(self.real), NUM_BINS)
        size = shape[1] * NUM_BINS
        real, drawn = (
            (leaf * size + rows).flatten()
            for leaf, rows in zip(leaves, (self.real, self.drawn), strict=True)
        )
        masses = self.compared.masses(real, drawn, num_leaves * size)
        p, q = (mass.view(shape).cumsum(2) for mass in masses)
        sides = ((p[..., :-1], q[..., :-1]), (p[..., -1:] - p[..., :-1], q[..., -1:] - q[..., :-1]))
        return sum(
            ((p * _log_ratio(p, q, prior)).sum(0) for p, q in sides),
            p.new_zeros(shape[1], NUM_BINS - 1),
        )


def fit_ratio_trees(
    real: Tensor,
    draw: Callable[[int], Tensor],
    *,
    num_trees: int,
    depth: int,
    num_drawn: int,
    generator: torch.Generator,
    grown: Callable[[int, float], None] = lambda num, bound: None,
) -> RatioTrees:
    r"""Boost trees until held-out rows are told no better.

    Each raises Donsker and Varadhan's bound of the divergence,
    :math:`\mathbb{E}_p f - \log \mathbb{E}_q e^f \leq D_\mathrm{KL}(p \Vert q)`: a leaf's value is
    the logarithm of its share of the data over that of the samples, as they are weighed by then,
    shrunk. Trees of a column each, on new samples, are the last, so that what is accepted, which is
    short of what lies beyond the bound, has the data's margins.

    Args:
        real: Rows of the data, ``[N, D]``.
        draw: Draws so many samples.
        num_trees: At most so many, beside those of a column each.
        depth: L.
        num_drawn: Samples to compare with, drawn twice.
        generator: Of subsets, where the rows lie.
        grown: Told of each tree how many there are, and what held-out rows say of the bound, nats.

    Source: [DRS] for what it is for, [CATBOOST] for symmetric trees.
    """
    levels = torch.linspace(0, 1, NUM_BINS + 1, dtype=torch.double, device=real.device)[1:-1]
    edges = real.double().quantile(levels, dim=0).float().T.contiguous()
    trees, divergence = _boosted(real, draw(num_drawn), edges, num_trees, depth, generator, grown)

    bins = binned(real, edges), binned(draw(num_drawn), edges)
    log_w = sum((tree.at(bins[1]) for tree in trees), real.new_zeros(num_drawn))
    for column in list(range(len(edges))) * MARGIN_ROUNDS:
        accepted = log_w.clamp(max=bound_of(log_w)).double().softmax(0)
        compared = Compared(*bins, accepted)
        trees.append(grow(compared, compared, depth, 1.0, [column]))
        log_w = log_w + trees[-1].at(bins[1])

    made = RatioTrees(len(edges), len(trees), depth).to(real.device)
    made.edges.copy_(edges)
    buffers = (made.columns, made.cuts, made.values)
    for buffer, parts in zip(buffers, zip(*trees, strict=True), strict=True):
        buffer.copy_(torch.stack(parts))
    made.bound.copy_(bound_of(log_w))
    made.rate.copy_(made.chances(log_w).mean())
    made.divergence.fill_(divergence)
    return made


def bound_of(log_ratios: Tensor) -> Tensor:
    r"""The least log ratio b from which on samples may all be accepted for certain.

    .. math:: \mathbb{E}_q (e^f - e^b)_+ \leq \delta \, \mathbb{E}_q e^f

    So what is accepted is, in total variation, no farther than delta from what the ratios ask for.

    Args:
        log_ratios: f of samples, ``[M]``.
    """
    w = log_ratios.double().softmax(0).sort(descending=True).values
    number = torch.arange(1, len(w) + 1, device=w.device)
    lost = w.cumsum(0) - number * w  # were the bound this one's ratio
    last = int((lost <= LOST).nonzero().max())
    return log_ratios.sort(descending=True).values[last]


def _boosted(
    real: Tensor,
    drawn: Tensor,
    edges: Tensor,
    num_trees: int,
    depth: int,
    generator: torch.Generator,
    grown: Callable[[int, float], None],
) -> tuple[list[Tree], float]:
    """Trees of all columns, as many as held-out rows want, and what these say of the bound.

    None where that may be chance.
    """
    real = real[torch.randperm(len(real), generator=generator, device=real.device)]
    real_test, real = (binned(rows, edges) for rows in _held_out(real))
    drawn_test, drawn = (binned(rows, edges) for rows in _held_out(drawn))
    f, f_real, f_drawn = (
        torch.zeros(rows.shape[1], device=rows.device) for rows in (drawn, real_test, drawn_test)
    )

    trees: list[Tree] = []
    best, kept, doubt = 0.0, 0, 0.0
    while len(trees) < min(num_trees, kept + PATIENCE):
        compared = Compared(real, drawn, f.double().softmax(0))
        every = list(range(len(edges)))
        tree = grow(compared.some(generator), compared, depth, LEARNING_RATE, every)
        trees.append(tree)
        f, f_real, f_drawn = (
            sums + tree.at(rows)
            for sums, rows in ((f, drawn), (f_real, real_test), (f_drawn, drawn_test))
        )
        bound, error = divergence_bound(f_real, f_drawn)
        grown(len(trees), bound)
        if bound > best:
            best, kept, doubt = bound, len(trees), error
    return (trees[:kept], best) if best > SURE * doubt else ([], 0.0)


def divergence_bound(f_real: Tensor, f_drawn: Tensor) -> tuple[float, float]:
    """Donsker and Varadhan's bound, nats, and its standard error.

    Args:
        f_real: Log ratios of rows of the data, ``[N]``.
        f_drawn: Of samples, ``[M]``.
    """
    f, w = f_real.double(), f_drawn.double().exp()
    variance = f.var() / len(f) + w.var() / (len(w) * w.mean() ** 2)
    return float(f.mean() - w.mean().log()), float(variance.sqrt())


def _held_out(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The first of some rows ``[N, D]``, and the others."""
    num = int(HELD_OUT * len(rows))
    return rows[:num], rows[num:]


def grow(
    some: Compared, compared: Compared, depth: int, learning_rate: float, columns: Sequence[int]
) -> Tree:
    r"""A tree whose leaves tell data from samples best, level by level.

    A level's question is that of the largest :math:`\sum_\ell P_\ell \log \frac{P_\ell + e}
    {Q_\ell + e}` over leaves, of shares P of the data and Q of the samples.

    Args:
        some: What questions are chosen by.
        compared: What values are taken from.
        depth: Levels.
        learning_rate: What values are multiplied by.
        columns: That questions may be about.
    """
    prior, device = PRIOR / compared.real.shape[1], compared.weights.device
    questions, leaves = some.questions(columns), list[Tensor | int]([0, 0])
    chosen = []

    for level in range(depth):
        told = questions.told(leaves, 2**level, prior)
        place, cut = divmod(int(told.argmax()), NUM_BINS - 1)
        column = columns[place]
        chosen.append((column, cut))
        leaves = [
            leaf + (rows[column] > cut) * 2**level
            for leaf, rows in zip(leaves, (some.real, some.drawn), strict=True)
        ]

    which, where = torch.tensor(chosen, device=device).T
    tree = Tree(which, where.to(torch.uint8), torch.empty(0, device=device))
    p, q = compared.masses(tree.leaves(compared.real), tree.leaves(compared.drawn), 2**depth)
    return tree._replace(values=(learning_rate * _log_ratio(p, q, prior)).float())


def _log_ratio(p: Tensor, q: Tensor, prior: float) -> Tensor:
    return ((p + prior) / (q.clamp(min=0) + prior)).log()
