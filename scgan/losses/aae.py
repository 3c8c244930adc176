"""The clustering adversarial autoencoder's objective: reconstruction, and codes like the priors."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from scgan.losses.adversarial import non_saturating_g_loss


class AutoencoderLoss(NamedTuple):
    """What encoder and decoder minimise together, its terms without their weights; scalars."""

    reconstruction: Tensor
    clusters: Tensor
    style: Tensor
    total: Tensor


def autoencoder_loss(
    x: Tensor, x_hat: Tensor, y_logits: Tensor, z_logits: Tensor, *, prior_weight: float
) -> AutoencoderLoss:
    r"""Reconstruction, and how far clusters and style are from their priors.

    .. math:: \mathbb{E} \lVert x - \hat x \rVert_2^2
              + \gamma \, (-\mathbb{E} \log \sigma(D_y(q(y \mid x)))
              - \mathbb{E} \log \sigma(D_z(z)))

    Args:
        x: Rows or images, ``[B, ...]``.
        x_hat: The same encoded and decoded.
        y_logits: The discriminator's of clusters, on encoded ones, ``[B, 1]``.
        z_logits: The discriminator's of style, likewise.
        prior_weight: :math:`\gamma`.

    Returns:
        The loss and its terms; the reconstruction is a mean over columns or pixels.

    Source: [AAE] Sec. 2 and 6. Differs: one step on the sum, where the paper's two phases take
        turns.
    """
    reconstruction = F.mse_loss(x_hat, x)
    clusters, style = (non_saturating_g_loss(d).mean() for d in (y_logits, z_logits))
    total = reconstruction + prior_weight * (clusters + style)
    return AutoencoderLoss(reconstruction, clusters, style, total)
