r"""How much denser data are than samples, by boosted trees, and samples accepted by it.

.. math:: f(x) = \sum_t v_t(\ell_t(x)) \approx \log \frac{p(x)}{q(x)}

p is the data's density, q that of what is drawn. Columns are cut into bins, and trees are
symmetric: all nodes of a level ask the same question, whether a column's bin is above one, so that
a leaf is a number of as many bits as there are levels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

NUM_BINS = 64  # of a column, alike full of data; at most 128
LEAST_CHANCE = 1e-3  # of any sample to be accepted, so that drawing ends
ROWS_AT_ONCE, TREES_AT_ONCE = 2048, 64  # of a block of answers: it stays in the processor's cache


class Tree(NamedTuple):
    """A symmetric tree: column and bin of each level's question, ``[L]``; a value a leaf."""

    columns: Tensor
    cuts: Tensor
    values: Tensor

    def at(self, bins: Tensor) -> Tensor:
        """The value of each row, of columns' bins ``[D, N]``: ``[N]``."""
        return self.values[self.leaves(bins)]

    def leaves(self, bins: Tensor) -> Tensor:
        """The leaf of each row: ``[N]``."""
        return leaves_of(bins, self.columns[None], self.cuts[None])[0].long()


def leaves_of(bins: Tensor, columns: Tensor, cuts: Tensor) -> Tensor:
    """The leaf of each row in each of some trees, the first question being the lowest bit.

    Args:
        bins: Of the rows' columns, ``[D, N]``.
        columns: The questions' columns, ``[T, L]``.
        cuts: And bins, ``[T, L]``.

    Returns:
        ``[T, N]``, uint8.
    """
    # Of numbers below 128 the highest bit of cut - value says whether the value is above: that is
    # four times as fast as a comparison.
    values = bins.index_select(0, columns.flatten())
    answers = (cuts.flatten()[:, None] - values).bitwise_right_shift_(7)
    answers = answers.unflatten(0, columns.shape)  # [T, L, N]
    leaves = answers[:, 0].clone()
    for level in range(1, columns.shape[1]):
        leaves.add_(answers[:, level], alpha=2**level)
    return leaves


class RatioTrees(nn.Module):
    """A sum of symmetric trees.

    Args:
        num_columns: D.
        num_trees: T.
        depth: L, levels of a tree, at most 8.

    Attributes:
        edges: Of the columns' bins, ``[D, B - 1]``.
        columns: The question of each level: which column, ``[T, L]``.
        cuts: And above which of its bins, ``[T, L]``.
        values: Of each leaf, ``[T, 2 ** L]``.
        bound: Log ratio from which on a sample is accepted for certain.
        rate: Share of the samples that is accepted.
        divergence: What held-out rows say of the divergence of data and samples, nats, at least 0.
    """

    def __init__(self, num_columns: int, num_trees: int, depth: int) -> None:
        super().__init__()
        self.edges: Tensor
        self.columns: Tensor
        self.cuts: Tensor
        self.values: Tensor
        self.bound: Tensor
        self.rate: Tensor
        self.divergence: Tensor

        self.register_buffer("edges", torch.zeros(num_columns, NUM_BINS - 1))
        self.register_buffer("columns", torch.zeros(num_trees, depth, dtype=torch.long))
        self.register_buffer("cuts", torch.zeros(num_trees, depth, dtype=torch.uint8))
        self.register_buffer("values", torch.zeros(num_trees, 2**depth))
        self.register_buffer("bound", torch.zeros(()))
        self.register_buffer("rate", torch.ones(()))
        self.register_buffer("divergence", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Log ratios of rows ``[N, D]``, ``[N]``."""
        return torch.cat([self._sums(part) for part in x.split(ROWS_AT_ONCE)])

    def _sums(self, x: Tensor) -> Tensor:
        bins, total = binned(x, self.edges), x.new_zeros(len(x))
        parts = (t.split(TREES_AT_ONCE) for t in (self.columns, self.cuts, self.values))
        for columns, cuts, values in zip(*parts, strict=True):
            first = torch.arange(0, values.numel(), values.shape[1], device=x.device)
            places = leaves_of(bins, columns, cuts) + first.int()[:, None]
            found = values.flatten().index_select(0, places.flatten())
            total += found.view(len(values), len(x)).sum(0)
        return total

    def accepts(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Which of the samples ``[N, D]`` are kept, ``[N]``: of twice the ratio, twice as many.

        Source: [DRS]. Differs: the ratio is the trees', not the discriminator's.
        """
        u = torch.rand(len(x), generator=generator, device=x.device)
        return u < self.chances(self(x))

    def chances(self, log_ratios: Tensor) -> Tensor:
        """Of samples to be accepted, by their log ratios, ``[N]``."""
        return (log_ratios - self.bound).exp().clamp(LEAST_CHANCE, 1)


def binned(x: Tensor, edges: Tensor) -> Tensor:
    """How many edges of its column, ``[D, B - 1]``, each value ``[N, D]`` is above, ``[D, N]``."""
    return torch.searchsorted(edges, x.T.contiguous()).to(torch.uint8)
