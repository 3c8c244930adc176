r"""InfoSCC-GAN's objectives that are more than one loss; the others stand by themselves.

===============  ===================================================================
Eq. (1)          :func:`scgan.losses.contrastive.nt_xent`
Eqs. (3), (5)    :func:`scgan.losses.classification.attribute_loss`: on features of real images
                 for the classifier, of generated ones for the generator
Eq. (7)          :func:`generator_loss`, its divergence by one of Eqs. (8) to (13)
Eqs. (8)-(13)    :mod:`scgan.losses.adversarial`
===============  ===================================================================

The generator steps on Eq. (5) every n-th iteration and on Eq. (7) at each, separately (Sec. 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from scgan.losses.adversarial import PAIRS, AdversarialName
from scgan.losses.regularizers import orthogonality


class GeneratorLoss(NamedTuple):
    """The generator's objective and its terms without their weights, scalars."""

    g_loss: Tensor
    orthogonality: Tensor
    total: Tensor


def generator_loss(
    fake_logits: Tensor,
    bases: Sequence[Tensor],
    *,
    orthogonality_weight: float,
    adversarial: AdversarialName,
) -> GeneratorLoss:
    r"""The generator's objective: the divergence from the data, every layer's basis orthonormal.

    .. math:: D_\mathrm{KL}(p(x) \,\Vert\, p_\theta(x))
              + \gamma \sum_l \lVert U_l U_l^\top - I \rVert_F^2

    Args:
        fake_logits: The discriminator's logits on generated images, ``[B, ...]``: one an image,
            or one a patch.
        bases: U of each layer, ``[q, D_l]``.
        orthogonality_weight: :math:`\gamma`.
        adversarial: What stands for the divergence, a key of ``PAIRS``; ``hinge_clipped`` is
            Eq. (9).

    Returns:
        The loss, scalar, and its terms.

    Source: [INFOSCC-GAN] Eqs. (7) and (9), [EIGENGAN] Sec. 3.
    """
    g_loss = PAIRS[adversarial].g_loss(fake_logits).mean()
    penalty = orthogonality(bases)
    return GeneratorLoss(g_loss, penalty, g_loss + orthogonality_weight * penalty)
