"""What the pictures of tables compute before they draw: rank correlations, bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

Rows = np.ndarray | Tensor


def as_array(values: Rows | Sequence[float]) -> np.ndarray:
    """Values in double precision, whatever holds them."""
    return np.asarray(values, dtype=np.float64)


def rank_correlation(columns: Mapping[str, Rows]) -> np.ndarray:
    """Spearman's correlation of each pair of columns, ``[D, D]``; NaN for constant columns."""
    ranks = []
    for values in columns.values():
        _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
        rank = (counts.cumsum() - (counts - 1) / 2)[place]  # equal values share their mean rank
        spread = rank.std()
        ranks.append((rank - rank.mean()) / spread if spread else np.full(len(rank), np.nan))

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
