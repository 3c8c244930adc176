r"""NEMGAN's objective and its terms: the noise is found again in what is made of it.

=====================  =============================================================
:math:`y`              mode of the noise, drawn from the prior
:math:`z`              the noise: y one-hot beside a continuous part, ``[B, L]``
:math:`g`              generator, :math:`\tilde x = g(z)`
:math:`h_1`            :math:`\hat z = h_1(x)`
:math:`h_2`            :math:`\hat y = h_2(\hat z)`, a distribution over the modes
=====================  =============================================================

===============  ===================================================================
Eq. (1)          :func:`discriminator_loss`; :func:`generator_loss`: its adversarial
                 term by :mod:`scgan.losses.adversarial`, :math:`\lVert z - h_1(g(z)) \rVert` by
                 :func:`noise_reconstruction`, :math:`D_\mathrm{KL}(P_Y \Vert P_{\hat Y})` by
                 :func:`mode_divergence`
Sec. 4.5         :func:`mode_divergence` on rows that have a label
===============  ===================================================================
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from scgan.losses.adversarial import PAIRS, AdversarialName


def noise_reconstruction(z: Tensor, z_hat: Tensor, p: int) -> Tensor:
    r"""How far the noise is from what h1 reads off the sample that was made of it.

    .. math:: \frac{1}{L} \, \mathbb{E} \lVert z - h_1(g(z)) \rVert_p^p

    Args:
        z: The noise, ``[B, L]``.
        z_hat: h1's reading, ``[B, L]``.
        p: 1 for the sum of absolute differences, 2 for that of their squares.

    Returns:
        Mean over batch and dimensions, scalar, at least 0.

    Source: [NEMGAN] Eq. (1), Sec. 4.6 (p is 1), [NEMGAN-P] code (p is 2). Differs: the mean over
        the dimensions, as in both codes, so that a weight means the same for any L.
    """
    return (z - z_hat).abs().pow(p).mean()


def mode_divergence(logits: Tensor, y: Tensor) -> Tensor:
    r"""How far the modes that h reads are from those that are known.

    .. math:: D_\mathrm{KL}(P_Y \Vert P_{\hat Y}) = -\mathbb{E} \log \hat y_{y}

    with :math:`P_Y` all at the sample's own mode, or at that of its label.

    Args:
        logits: h2's, before the softmax, ``[B, K]``.
        y: The modes, ``[B]``.

    Returns:
        Mean over the batch, scalar, in nats; ``log K`` where all logits are equal.

    Source: [NEMGAN] Eq. (1), Sec. 4.5. Differs: taken for each sample, as in its code: between the
        batch's mean distributions it is 0 for modes that are mixed up.
    """
    return F.cross_entropy(logits, y)


def additive_margin(cosines: Tensor, y: Tensor, scale: float, margin: float) -> Tensor:
    r"""Logits whose softmax must be right by a margin.

    .. math:: s \, (\cos\theta_k - m \, [k = y])

    Args:
        cosines: Of the angles between features and each mode's direction, ``[B, K]``.
        y: The modes that are right, ``[B]``.
        scale: :math:`s > 0`.
        margin: :math:`m \ge 0`; 0 for a plain softmax of cosines.

    Returns:
        Logits, ``[B, K]``.

    Source: [AM-SOFTMAX] Eq. (6). [NEMGAN] code, which divides all directions by one norm and takes
        the margin from each mode's own logit at once.
    """
    return scale * (cosines - margin * F.one_hot(y, cosines.shape[1]))


def prior_divergence(real_modes: Tensor, logits: Tensor) -> Tensor:
    r"""How far the prior is from the modes of real rows.

    .. math:: D_\mathrm{KL}(\mathbb{E}_{x_r} h(x_r) \Vert \alpha), \quad
              \alpha = \mathrm{softmax}(a)

    Args:
        real_modes: :math:`h(x_r)`, a distribution over the modes a row, ``[B, K]``; without
            gradients where the prior alone is to learn by it.
        logits: The prior's, :math:`a`, ``[K]``.

    Returns:
        Scalar, in nats; its slope by a is the difference of the two distributions.

    Source: [NEMGAN-P] code.
    """
    found = real_modes.mean(0)
    log_found = found.clamp_min(torch.finfo(found.dtype).tiny).log()  # of no mode: its slope, too
    return (found * (log_found - logits.log_softmax(0))).sum()


def discriminator_loss(
    real_logits: Tensor,
    fake_logits: Tensor,
    adversarial: AdversarialName,
    weights: Tensor | None = None,
) -> Tensor:
    r"""What the discriminator minimises, where modes are drawn as often as they weigh or not.

    .. math:: \mathbb{E}_{x_r} a(d(x_r)) + \mathbb{E}_{y \sim 1/K} K \alpha_y \, b(d(g(z_y)))
              = \mathbb{E}_{x_r} a(d(x_r)) + \mathbb{E}_{y \sim \alpha} b(d(g(z_y)))

    with a + b the loss of a pair.

    Args:
        real_logits: ``[B]``.
        fake_logits: ``[B]``.
        adversarial: The loss, a key of ``PAIRS``.
        weights: Of the generated samples, ``[B]``, of mean 1; None for 1 each.

    Returns:
        Mean, scalar; with weights of another mean than 1, up to a constant.

    Source: [NEMGAN] Eq. (1). Differs: the weights, by which a light mode can be drawn often.
    """
    pair = PAIRS[adversarial].d_loss
    if weights is None:
        return pair(real_logits, fake_logits).mean()

    zero = torch.zeros_like(real_logits)
    both = pair(real_logits, zero) + weights * pair(zero, fake_logits)
    return (both - weights * pair(zero, zero)).mean()


class GeneratorLoss(NamedTuple):
    """The objective of generator and inversion, its terms without their weights; scalars."""

    g_loss: Tensor
    reconstruction: Tensor
    modes: Tensor
    total: Tensor


def generator_loss(
    fake_logits: Tensor,
    z: Tensor,
    z_hat: Tensor,
    mode_logits: Tensor,
    y: Tensor,
    *,
    reconstruction_weight: float,
    mode_weight: float,
    adversarial: AdversarialName,
    p: int = 1,
) -> GeneratorLoss:
    r"""What generator and inversion network minimise together.

    .. math:: \mathbb{E} \log(1 - d(g(z)))
              + \lambda_z \lVert z - h_1(g(z)) \rVert_p^p
              + \lambda_y D_\mathrm{KL}(P_Y \Vert P_{\hat Y})

    Args:
        fake_logits: The discriminator's on generated samples, ``[B, ...]``.
        z: Their noise, ``[B, L]``.
        z_hat: What h1 reads of it, ``[B, L]``.
        mode_logits: h2's, ``[B, K]``.
        y: Their modes, ``[B]``.
        reconstruction_weight: :math:`\lambda_z`; 0 for the ablation without h1.
        mode_weight: :math:`\lambda_y`; 0 for the one without h2.
        adversarial: What stands for the first term, a key of ``PAIRS``.
        p: Of the norm.

    Returns:
        The loss and its terms.

    Source: [NEMGAN] Eq. (1). Differs: both terms have weights, as in its code (100 and 1), and the
        generator's adversarial term is that of the pair.
    """
    g_loss = PAIRS[adversarial].g_loss(fake_logits).mean()
    reconstruction = noise_reconstruction(z, z_hat, p)
    modes = mode_divergence(mode_logits, y)
    total = g_loss + reconstruction_weight * reconstruction + mode_weight * modes
    return GeneratorLoss(g_loss, reconstruction, modes, total)
