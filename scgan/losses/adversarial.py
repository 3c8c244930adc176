"""Adversarial losses in discriminator/generator pairs, on logits.

Each takes logits of any shape and returns per-element losses of that shape, so that a caller with
many models stacked can reduce within each; ``PAIRS`` names them for configs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor


def non_saturating_d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Cross-entropy of telling real from fake.

    .. math:: -\log \sigma(D(x)) - \log(1 - \sigma(D(\tilde x)))

    Args:
        real_logits: Discriminator output on real samples, any shape.
        fake_logits: On generated samples, the same shape.

    Returns:
        Loss per element, in nats; ``2 log 2`` where both logits are 0.

    Source: [GAN] Eq. (1), [INFOSCC-GAN] Eq. (10).
    """
    return F.softplus(-real_logits) + F.softplus(fake_logits)


def non_saturating_g_loss(fake_logits: Tensor) -> Tensor:
    r"""The generator's side, :math:`-\log\sigma(D(\tilde x))`.

    Args:
        fake_logits: Discriminator output on generated samples, any shape.

    Returns:
        Loss per element, in nats; ``log 2`` at logit 0.

    Source: [GAN] Sec. 3, [INFOSCC-GAN] Eq. (11). Differs from the latter's print, which has no
        logarithm; its code has it.
    """
    return F.softplus(-fake_logits)


def hinge_d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Hinge on both sides, :math:`\max(0, 1 - D(x)) + \max(0, 1 + D(\tilde x))`.

    Args:
        real_logits: Discriminator output on real samples, any shape.
        fake_logits: On generated samples, the same shape.

    Returns:
        Loss per element; 2 where both logits are 0.

    Source: [INFOSCC-GAN] Eq. (8), [EIGENGAN] code. Differs: the equation's second sign is a
        misprint.
    """
    return F.relu(1 - real_logits) + F.relu(1 + fake_logits)


def hinge_g_loss(fake_logits: Tensor) -> Tensor:
    r"""The generator's side of the hinge, :math:`-D(\tilde x)`.

    Args:
        fake_logits: Discriminator output on generated samples, any shape.

    Returns:
        Loss per element, unbounded below.

    Source: [GEOMETRIC-GAN], generator loss. Differs from [EIGENGAN]'s code, which clips it at 1.
    """
    return -fake_logits


def hinge_clipped_g_loss(fake_logits: Tensor) -> Tensor:
    r"""The generator's side of the hinge, clipped, :math:`\max(0, 1 - D(\tilde x))`.

    Args:
        fake_logits: Discriminator output on generated samples, any shape.

    Returns:
        Loss per element, at least 0; 1 at logit 0.

    Source: [INFOSCC-GAN] Eq. (9).
    """
    return F.relu(1 - fake_logits)


def least_squares_d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Least squares, :math:`(D(x) - 1)^2 + D(\tilde x)^2`.

    Args:
        real_logits: Discriminator output on real samples, any shape.
        fake_logits: On generated samples, the same shape.

    Returns:
        Loss per element; 1 where both logits are 0.

    Source: [LSGAN] Eq. (9), [INFOSCC-GAN] Eq. (12). Differs: no factor 1/2, and the first sign of
        the latter is a misprint.
    """
    return (real_logits - 1).square() + fake_logits.square()


def least_squares_g_loss(fake_logits: Tensor) -> Tensor:
    r"""The generator's side of least squares, :math:`(D(\tilde x) - 1)^2`.

    Args:
        fake_logits: Discriminator output on generated samples, any shape.

    Returns:
        Loss per element; 1 at logit 0.

    Source: [LSGAN] Eq. (9), [INFOSCC-GAN] Eq. (13). Differs: no factor 1/2, and the sign of the
        latter is a misprint.
    """
    return (fake_logits - 1).square()


def quartic_d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Least squares squared once more, :math:`(D(x) - 1)^4 + D(\tilde x)^4`.

    Args:
        real_logits: Discriminator output on real samples, any shape.
        fake_logits: On generated samples, the same shape.

    Returns:
        Loss per element; 1 where both logits are 0.

    Source: [INFOSCC-GAN] code, where it goes by the name of Eq. (12).
    """
    return (real_logits - 1).pow(4) + fake_logits.pow(4)


def quartic_g_loss(fake_logits: Tensor) -> Tensor:
    r"""The generator's side of the fourth power, :math:`(D(\tilde x) - 1)^4`.

    Args:
        fake_logits: Discriminator output on generated samples, any shape.

    Returns:
        Loss per element; 1 at logit 0.

    Source: [INFOSCC-GAN] code, where it goes by the name of Eq. (13).
    """
    return (fake_logits - 1).pow(4)


AdversarialName = Literal["non_saturating", "hinge", "hinge_clipped", "least_squares", "quartic"]


class Pair(NamedTuple):
    """The two sides of one adversarial loss."""

    d_loss: Callable[[Tensor, Tensor], Tensor]
    g_loss: Callable[[Tensor], Tensor]


PAIRS: dict[AdversarialName, Pair] = {
    "non_saturating": Pair(non_saturating_d_loss, non_saturating_g_loss),
    "hinge": Pair(hinge_d_loss, hinge_g_loss),
    "hinge_clipped": Pair(hinge_d_loss, hinge_clipped_g_loss),
    "least_squares": Pair(least_squares_d_loss, least_squares_g_loss),
    "quartic": Pair(quartic_d_loss, quartic_g_loss),
}
