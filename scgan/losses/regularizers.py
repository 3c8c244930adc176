"""Penalties on discriminators, subspaces and codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def r1(real_logits: Tensor, x: Tensor) -> Tensor:
    r"""Zero-centred gradient penalty on real samples, :math:`\lVert \nabla_x D(x) \rVert^2`.

    Args:
        real_logits: Discriminator output, computed from ``x`` with gradients on, any shape; entries
            must depend on their own row of ``x`` only.
        x: Real samples with ``requires_grad``, shape ``[..., D]``.

    Returns:
        Squared gradient norm per row, shape ``x.shape[:-1]``; the weight and the mean are the
        caller's.

    Source: [R1] Eq. (9). Differs: no factor 1/2.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), x, create_graph=True)
    return gradient.square().sum(-1)


def orthogonality(bases: Sequence[Tensor]) -> Tensor:
    r"""How far subspaces' bases are from orthonormal.

    .. math:: \sum_l \lVert U_l U_l^\top - I \rVert_F^2

    Args:
        bases: :math:`U_l`, basis vectors as rows, shape ``[q, D_l]`` each.

    Returns:
        Scalar, zero iff the rows of each are orthonormal.

    Source: [EIGENGAN] Sec. 3. Differs: rows, not columns, hold the basis.
    """
    grams = [U @ U.T for U in bases]
    return torch.stack([(gram - _identity(gram)).square().sum() for gram in grams]).sum()


def _identity(gram: Tensor) -> Tensor:
    return torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
