"""Contrastive losses of the encoder stage."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(
    u0: Tensor,
    u1: Tensor,
    temperature: float,
    *,
    gathered: tuple[Tensor, Tensor] | None = None,
    rank: int = 0,
) -> Tensor:
    r"""Normalised temperature-scaled cross-entropy, the InfoNCE bound on I(X; E) with in-batch negatives.

    .. math:: \ell_{ij} = -\log \frac{\exp(s_{ij} / \tau)}{\sum_{m \neq i} \exp(s_{im} / \tau)},
              \quad s_{ij} = \frac{u_i^\top u_j}{\lVert u_i \rVert \lVert u_j \rVert}

    ``log(2B - 1)`` minus the loss is a lower bound on the mutual information of the two views, in nats.

    Args:
        u0: Projections of the first views, shape ``[b, Q]``; any scale, normalised inside.
        u1: Projections of the second views, shape ``[b, Q]``.
        temperature: :math:`\tau > 0`.
        gathered: Both views' projections from all workers in rank order, each ``[B, Q]``; the anchors stay this
            worker's own. None where the worker is alone.
        rank: Which block of ``b`` rows of ``gathered`` is this worker's.

    Returns:
        Mean over this worker's ``2b`` anchors, scalar, in nats.

    Raises:
        ValueError: If the shapes differ or ``temperature`` is not positive.

    Source: [SCGAN] Eq. (1), through [SIMCLR] Eq. (1). Differs: negatives may come from other workers.
    """
    if u0.shape != u1.shape:
        raise ValueError(f"the two views differ in shape: {tuple(u0.shape)} and {tuple(u1.shape)}")
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    others = gathered if gathered is not None else (u0, u1)
    b, total = len(u0), len(others[0])
    anchors = F.normalize(torch.cat([u0, u1]), dim=1)  # [2b, Q]
    candidates = F.normalize(torch.cat(others), dim=1)  # [2B, Q]
    logits = anchors @ candidates.T / temperature  # [2b, 2B]
    first = torch.arange(b, device=u0.device) + rank * b
    itself, positive = torch.cat([first, first + total]), torch.cat([first + total, first])
    logits = logits.scatter(1, itself[:, None], -torch.inf)
    return F.cross_entropy(logits, positive)
