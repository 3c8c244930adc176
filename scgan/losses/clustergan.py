"""ClusterGAN's objective beside the adversarial one: both parts of the latent are found again."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class EncoderLoss(NamedTuple):
    """What generator and encoder minimise together, its terms without their weights; scalars."""

    continuous: Tensor
    discrete: Tensor
    total: Tensor


def encoder_loss(
    z_n: Tensor, z_n_hat: Tensor, logits: Tensor, y: Tensor, *, beta_n: float, beta_c: float
) -> EncoderLoss:
    r"""How far the latent is from what the encoder reads off the sample that was made of it.

    .. math:: \beta_n \, \mathbb{E} \lVert z_n - E_n(G(z)) \rVert_2^2
              + \beta_c \, \mathbb{E} \, H(z_c, E_c(G(z)))

    Args:
        z_n: The continuous part, ``[B, d]``.
        z_n_hat: The encoder's reading of it, ``[B, d]``.
        logits: Its reading of the discrete part, before the softmax, ``[B, K]``.
        y: The discrete part as a number, ``[B]``.
        beta_n: Weight of the first term.
        beta_c: Weight of the second, a cross-entropy in nats.

    Returns:
        The loss and its terms.

    Source: [CLUSTERGAN] objective. Differs: the mean over the d dimensions, as in its code.
    """
    continuous = F.mse_loss(z_n_hat, z_n)
    discrete = F.cross_entropy(logits, y)
    return EncoderLoss(continuous, discrete, beta_n * continuous + beta_c * discrete)
