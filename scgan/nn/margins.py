r"""Each column of what is sampled, held to the distribution that it has in the data.

A column that is modelled by its ranks is standard normal in the data by construction, whatever it
was. What a decoder makes of drawn codes is so only nearly, and a classifier of one column sees it.
With F the distribution function of the column among samples,

.. math:: x' = \Phi^{-1}(F(x))

is rising, so that what hangs together stays together, and standard normal.

Source: quantile matching; ours here.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

HIGHEST, NUM_KNOTS = 3.5, 561
"""Standard deviations up to which F is followed, beyond which 15 of 65,536 rows lie a side."""


class Margins(nn.Module):
    """The map of each column, piecewise linear between quantiles; of others the identity.

    Args:
        num_columns: D.
    """

    def __init__(self, num_columns: int) -> None:
        super().__init__()
        levels = torch.linspace(-HIGHEST, HIGHEST, NUM_KNOTS)
        self.levels: Tensor
        self.knots: Tensor
        self.matched: Tensor
        self.register_buffer("levels", levels)
        self.register_buffer("knots", levels.repeat(num_columns, 1))
        self.register_buffer("matched", torch.zeros(num_columns, dtype=torch.bool))

    @classmethod
    def fit(cls, x: Tensor, matched: Tensor) -> Self:
        """Take the maps from samples.

        Args:
            x: Samples, ``[N, D]``.
            matched: The columns that are to be standard normal, ``[D]`` booleans.
        """
        margins = cls(x.shape[1]).to(x.device)
        ordered = x.double().sort(0).values
        place = torch.special.ndtr(margins.levels.double()) * len(x) - 0.5
        below = place.floor().clamp(0, len(x) - 2).long()
        share = (place - below).clamp(0, 1)[:, None]

        quantiles = ordered[below] + share * (ordered[below + 1] - ordered[below])
        margins.knots.copy_(quantiles.T)
        margins.matched.copy_(matched)
        return margins

    def forward(self, x: Tensor) -> Tensor:
        """Bring samples ``[N, D]`` to the data's margins."""
        columns = x.T.contiguous()
        right = torch.searchsorted(self.knots, columns).clamp(1, NUM_KNOTS - 1)
        low, high = self.knots.gather(1, right - 1), self.knots.gather(1, right)
        share = ((columns - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        z = self.levels[right - 1] + share * (self.levels[right] - self.levels[right - 1])

        # Beyond the ends it goes on from theirs.
        beyond = columns - columns.clamp(self.knots[:, :1], self.knots[:, -1:])
        return torch.where(self.matched[:, None], z + beyond, columns).T
