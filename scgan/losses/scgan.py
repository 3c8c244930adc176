r"""SC-GAN's objectives: the mapping networks', Eqs. (2) and (3), and the decoder's, Eq. (4).

Both pull a reconstruction towards what was encoded, its conditional entropy, and a distribution
towards another, a divergence. A discriminator sees the divergence: who is trained minimises its
generator's side, :func:`discriminator_loss` is the other. Each takes networks' outputs on a batch,
``[B, D]``, or those of K stacked networks, ``[K, B, D]``, and returns a loss a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from scgan.losses.adversarial import PAIRS, AdversarialName
from scgan.losses.regularizers import r1


def conditional_entropy(x: Tensor, x_hat: Tensor) -> Tensor:
    r"""What a code leaves open of what it encodes, for a Gaussian decoder: the mean square error.

    .. math:: H(X \mid E) = -\mathbb{E} \log p(x \mid \varepsilon)
              = \frac{1}{2 \sigma^2} \lVert \hat x - x \rVert^2 + \text{const}

    Args:
        x: What was encoded, ``[..., B, D]``.
        x_hat: The same decoded from its codes, ``[..., B, D]``.

    Returns:
        Mean over rows and columns, ``[...]``, in squared units of ``x``.

    Source: [SCGAN] Eqs. (3) and (4), their entropies. Differs: without the constant and the factor
        :math:`D / 2 \sigma^2`, which the weights of the two objectives stand for.
    """
    return (x_hat - x).square().mean((-2, -1))


class MapperLoss(NamedTuple):
    """The mapping networks' objective and its terms without their weights, ``[K]`` each."""

    divergence: Tensor
    entropy: Tensor
    total: Tensor


def mapper_loss(
    v: Tensor,
    v_hat: Tensor,
    fake_logits: Tensor,
    *,
    adversarial_weight: float,
    lambda_eps: float,
    adversarial: AdversarialName,
) -> MapperLoss:
    r"""The mapping networks' objective, an adversarial autoencoder's for each cluster.

    .. math:: D_\mathrm{KL}(q(\omega) \,\Vert\, p(\omega)) + \lambda_\varepsilon H(E \mid W)

    Args:
        v: Codes eps of each cluster in its own coordinates, ``[..., B, d]``.
        v_hat: The same encoded to omega and decoded, ``[..., B, d]``.
        fake_logits: The discriminator's logits on omega, ``[..., B, 1]``.
        adversarial_weight: Of the divergence; 1 in the paper.
        lambda_eps: :math:`\lambda_\varepsilon`, weight of the reconstruction.
        adversarial: What stands for the divergence, a key of ``PAIRS``.

    Returns:
        A loss a cluster, ``[...]``, and its terms.

    Source: [SCGAN] Eqs. (2) and (3) as their text reduces them, [AAE] Sec. 2. Differs: the entropy
        is measured in each cluster's own coordinates.
    """
    divergence = PAIRS[adversarial].g_loss(fake_logits).mean((-2, -1))
    entropy = conditional_entropy(v, v_hat)
    total = adversarial_weight * divergence + lambda_eps * entropy
    return MapperLoss(divergence, entropy, total)


class DecoderLoss(NamedTuple):
    """The decoder's objective and its terms without their weights, scalars.

    Args:
        entropy: Of the data, given their codes.
        divergences: Of the rows of each critic from the data, by the critic's name.
        total: The objective.
    """

    entropy: Tensor
    divergences: Mapping[str, Tensor]
    total: Tensor


def decoder_loss(
    x: Tensor,
    x_hat: Tensor,
    logits: Mapping[str, Tensor],
    *,
    reconstruction_weight: float,
    weights: Mapping[str, float],
    adversarial: AdversarialName,
) -> DecoderLoss:
    r"""The decoder's objective: reconstruction and its divergence, and generation's.

    .. math:: H(X \mid E) + D_\mathrm{KL}(p(x) \,\Vert\, \hat p(x))
              + \lambda_x D_\mathrm{KL}(p(x) \,\Vert\, \tilde p(x))

    Args:
        x: Data, ``[B, D]``.
        x_hat: The same decoded from its own codes with the noise fixed, ``[B, D]``.
        logits: Each critic's, ``[n, 1]``: ``reconstructed`` on ``x_hat``, ``generated`` on samples
            of latents and noise. A divergence whose critic isn't there is left out.
        reconstruction_weight: Of the mean square error, :math:`D / 2 \sigma^2`.
        weights: Of each critic's divergence: the paper's are 1 and :math:`\lambda_x`.
        adversarial: What stands for the divergences, a key of ``PAIRS``.

    Returns:
        The loss, scalar, and its terms without their weights.

    Source: [SCGAN] Eq. (4) as its text reduces it.
    """
    g_loss = PAIRS[adversarial].g_loss
    entropy = conditional_entropy(x, x_hat)
    divergences = {name: g_loss(of_it).mean((-2, -1)) for name, of_it in logits.items()}

    total = reconstruction_weight * entropy
    for name, divergence in divergences.items():
        total = total + weights[name] * divergence

    return DecoderLoss(entropy, divergences, total)


class DiscriminatorLoss(NamedTuple):
    """A discriminator's objective: telling real from fake, and that with the gradient penalty."""

    d_loss: Tensor
    total: Tensor


def discriminator_loss(
    real: Tensor,
    real_logits: Tensor,
    fake_logits: Tensor,
    *,
    r1_weight: float,
    adversarial: AdversarialName,
) -> DiscriminatorLoss:
    r"""The discriminator's side of a divergence, its gradient penalised on real rows.

    .. math:: \mathbb{E}\, \ell(D(x), D(\tilde x))
              + \gamma\, \mathbb{E} \lVert \nabla_x D(x) \rVert^2

    Args:
        real: Rows of the distribution to be met, ``[..., B, D]``, with ``requires_grad`` where
            there is a penalty.
        real_logits: Logits on them, ``[..., B, 1]``, or fewer, of rows that are judged together.
        fake_logits: Logits on rows of the distribution that is trained, ``[..., B, 1]``.
        r1_weight: :math:`\gamma`; 0 leaves the penalty out.
        adversarial: :math:`\ell`, a key of ``PAIRS``.

    Returns:
        The losses, a discriminator each, ``[...]``.

    Source: [SCGAN] Eqs. (2) and (4), whose divergences it sees, by [AAE] Sec. 2 and [R1] Eq. (9).
    """
    d_loss = PAIRS[adversarial].d_loss(real_logits, fake_logits).mean((-2, -1))
    total = d_loss + r1_weight * r1(real_logits, real).mean(-1) if r1_weight else d_loss
    return DiscriminatorLoss(d_loss, total)
