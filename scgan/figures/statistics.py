"""What the pictures of tables compute before they draw: rank correlations, bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from scgan.data.tables.values import mask_of, present

Rows = np.ndarray | Tensor


def as_array(values: Rows | Sequence[float]) -> np.ndarray:
    """Values in double precision, whatever holds them."""
    return np.asarray(values, dtype=np.float64)


def rank_correlation(columns: Mapping[str, Rows]) -> np.ndarray:
    """Spearman's correlation of each pair of columns, ``[D, D]``; NaN for constant columns.

    What is masked counts as the mean rank.
    """
    ranks = []
    for values in columns.values():
        there = ~mask_of(np.asanyarray(values))
        _, place, counts = np.unique(
            present(np.asanyarray(values)), return_inverse=True, return_counts=True
        )
        rank = np.zeros(len(there))
        own = (counts.cumsum() - (counts - 1) / 2)[place]  # equal values share their mean rank
        rank[there] = own - own.mean() if len(own) else 0.0
        spread = rank.std()
        ranks.append(rank / spread if spread else np.full(len(rank), np.nan))

    z = np.stack(ranks)
    return np.asarray(z @ z.T / z.shape[1])


def histogram_edges(ends: np.ndarray, whole: bool, num_bins: int) -> np.ndarray:
    """Bin edges: even ones, or for integers a whole number of integers a bin, centred on them."""
    low, high = ends
    if not whole:
        return np.linspace(low, high, num_bins + 1)
    width = max(1.0, np.ceil((high - low + 1) / num_bins))
    first = np.floor(low) - 0.5
    return np.asarray(first + width * np.arange(np.ceil((high - first) / width) + 1))
