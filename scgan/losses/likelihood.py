"""Losses of models whose density is known: the negative log-likelihood."""

from __future__ import annotations

import math

from torch import Tensor


def negative_log_likelihood(omega: Tensor, slope: Tensor) -> Tensor:
    r"""What a normalising flow leaves of its rows unexplained.

    .. math:: -\mathbb{E} \log p(v) = \mathbb{E} \left[ \tfrac{1}{2} \lVert \omega \rVert^2
              + \tfrac{q}{2} \log 2 \pi
              - \log \left| \det \frac{\partial \omega}{\partial v} \right| \right]

    Args:
        omega: Rows as the flow sees them, ``[..., B, q]``.
        slope: Logarithm of the determinant there, ``[..., B]``, nats.

    Returns:
        Mean over the rows, ``[...]``, in nats; it may be negative.

    Source: [SPLINE-FLOW] Eq. (2), for the flows that [SCGAN] Sec. 2.2 allows.
    """
    normal = 0.5 * omega.square().sum(-1) + 0.5 * omega.shape[-1] * math.log(2 * math.pi)
    return (normal - slope).mean(-1)
