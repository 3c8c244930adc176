"""Penalties on discriminators, subspaces and codes."""

from __future__ import annotations

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


def orthogonality(basis: Tensor) -> Tensor:
    r"""How far a subspace's basis is from orthonormal, :math:`\lVert U U^\top - I \rVert_F^2`.

    Args:
        basis: :math:`U`, basis vectors as rows, shape ``[q, D]``.

    Returns:
        Scalar, zero iff the rows are orthonormal.

    Source: [EIGENGAN] Sec. 3. Differs: rows, not columns, hold the basis.
    """
    gram = basis @ basis.T
    return (gram - torch.eye(len(basis), device=basis.device, dtype=basis.dtype)).square().sum()
