r"""MMGAN's objectives: three adversarial losses in clusters, and the clusters' cross-entropy.

==================  ================================================================
SGAN                :func:`scgan.losses.adversarial.non_saturating_d_loss` and ``g_loss``
RSGAN               :func:`relativistic_loss`
cRaSGAN             :func:`conditional_relativistic_loss`
alpha's term        :func:`cluster_cross_entropy`
Algorithm 1, 10/11  :func:`critic_loss`, :func:`generator_loss`
==================  ================================================================

``y`` and ``k`` are a cluster, one-hot and as a number; ``paired`` is a sample in the cluster that a
real one was put into (batch B1), ``prior`` one in a cluster drawn from the prior (batch B2).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from scgan.losses.adversarial import non_saturating_d_loss, non_saturating_g_loss

CriticName = Literal["sgan", "rsgan", "crasgan"]
Batches = Literal["both", "paired", "prior"]
Divisor = Literal["cluster", "batch"]


class Game(NamedTuple):
    """Which adversarial loss V(D, G, E) is.

    Args:
        num_clusters: K.
        critic: The loss.
        batches: Which generated batches the critic sees; ``"paired"`` is Algorithm 1 as printed.
        divisor: Of a cluster's mean over real samples, see :func:`means_by_cluster`.
    """

    num_clusters: int
    critic: CriticName
    batches: Batches
    divisor: Divisor


class Judged(NamedTuple):
    """The critic's logits of a step, and whose they are.

    Args:
        real: C(x), ``[B]``.
        k: Cluster that E puts each real sample into, ``[B]``.
        paired: C(G(z, E(x))), ``[B]``: row by row a sample in the cluster of the real one.
        prior: C(G(z, y)), ``[B]``.
        k_prior: The drawn clusters y of these, ``[B]``.
    """

    real: Tensor
    k: Tensor
    paired: Tensor
    prior: Tensor
    k_prior: Tensor


def relativistic_loss(ahead: Tensor, behind: Tensor) -> Tensor:
    r"""Cross-entropy of telling which of a pair is real.

    .. math:: -\log \sigma(C(a) - C(b))

    Args:
        ahead: Logits of what should be the more real: real samples for the critic, generated ones
            for the generator, any shape.
        behind: Of the others, the same shape.

    Returns:
        Loss per element, in nats; ``log 2`` where both are equal.

    Source: [MMGAN] RSGAN, Algorithm 1; [RELATIVISTIC] Sec. 4.1.
    """
    return F.softplus(behind - ahead)


def means_by_cluster(logits: Tensor, k: Tensor, num_clusters: int, divisor: Divisor) -> Tensor:
    r"""Mean logit of each cluster, :math:`\mathbb{E}[\delta_k(y) \, C(x)]`, ``[K]``.

    Args:
        logits: One a sample, ``[B]``.
        k: Their clusters, ``[B]``.
        num_clusters: K.
        divisor: ``"cluster"``: of a cluster's own samples, and of all where it has none;
            ``"batch"``: the sum over the cluster divided by all samples, as printed.

    Source: [MMGAN] cRaSGAN.
    """
    member = F.one_hot(k, num_clusters).to(logits)  # [B, K]
    sums, counts = logits @ member, member.sum(0)
    if divisor == "batch":
        return sums / len(logits)
    return torch.where(counts > 0, sums / counts.clamp(min=1), logits.mean())


def conditional_relativistic_loss(judged: Judged, game: Game, *, of_critic: bool) -> Tensor:
    r"""A real sample against the average generated one of its cluster, and the reverse.

    .. math::

        -\mathbb{E}_x[\log \hat D(x)] - \mathbb{E}_{z,y}[\log(1 - \hat D(G(z, y)))], \qquad
        \hat D(x) = \sigma(C(x) - \mathbb{E}_z[C(G(z, E(x)))]), \quad
        \hat D(G(z, y)) = \sigma(C(G(z, y)) - \mathbb{E}_x[\delta_{E(x)}(y) \, C(x)])

    and for the generator with real and generated exchanged.

    Args:
        judged: The critic's logits.
        game: K, and what the mean over real samples is divided by.
        of_critic: Whose side.

    Returns:
        Scalar, in nats; ``2 log 2`` where all logits are 0.

    Source: [MMGAN] cRaSGAN. Differs: the expectation over z is the batch's mean over a cluster.
    """
    num = game.num_clusters
    generated = means_by_cluster(judged.paired, judged.k, num, "cluster")[judged.k]
    real = means_by_cluster(judged.real, judged.k, num, game.divisor)[judged.k_prior]
    sign = 1 if of_critic else -1
    real_loss = F.softplus(-sign * (judged.real - generated)).mean()
    return real_loss + F.softplus(sign * (judged.prior - real)).mean()


def _adversarial(judged: Judged, game: Game, *, of_critic: bool) -> Tensor:
    """The adversarial loss of one side on the batches that the critic sees, scalar."""
    if game.critic == "crasgan":
        seen = _as_seen(judged, game.batches)
        return conditional_relativistic_loss(seen, game, of_critic=of_critic)

    fakes = {"both": (judged.paired, judged.prior), "paired": (judged.paired,)}
    losses = []
    for fake in fakes.get(game.batches, (judged.prior,)):
        if game.critic == "rsgan":
            pair = (judged.real, fake) if of_critic else (fake, judged.real)
            losses.append(relativistic_loss(*pair).mean())
        elif of_critic:
            losses.append(non_saturating_d_loss(judged.real, fake).mean())
        else:
            losses.append(non_saturating_g_loss(fake).mean())

    return torch.stack(losses).mean()


def _as_seen(judged: Judged, batches: Batches) -> Judged:
    """Of two batches both as they are; of one it stands in for the other.

    Without the paired batch a real sample has no partner of its cluster: all are of one.
    """
    if batches == "paired":
        return judged._replace(prior=judged.paired, k_prior=judged.k)
    if batches == "prior":
        zero = torch.zeros_like(judged.k)
        return Judged(judged.real, zero, judged.prior, judged.prior, zero)
    return judged


def critic_loss(judged: Judged, game: Game) -> Tensor:
    """The critic's objective, scalar, in nats.

    Source: [MMGAN] Algorithm 1. Differs: RSGAN's critic sees the prior batch, too, as cRaSGAN's
        does; without it, clusters that E puts no data into are pulled nowhere and stay dead.
    """
    return _adversarial(judged, game, of_critic=True)


class GeneratorLoss(NamedTuple):
    """What generator and clustering network minimise, and its terms without weights, scalars."""

    g_loss: Tensor
    cross_entropy: Tensor
    total: Tensor


def generator_loss(
    judged: Judged, prior_scores: Tensor, game: Game, *, alpha: float
) -> GeneratorLoss:
    r"""The objective of G and E, :math:`V(D, G, E) + \alpha H`.

    Args:
        judged: The critic's logits.
        prior_scores: E's logits of the prior batch, ``[B, K]``.
        game: Which adversarial loss V is.
        alpha: Weight of the clusters' cross-entropy, at least 0.

    Returns:
        The loss, scalar, and its terms.

    Source: [MMGAN] Algorithm 1. Differs: SGAN's generator by the non-saturating form.
    """
    g_loss = _adversarial(judged, game, of_critic=False)
    entropy = cluster_cross_entropy(prior_scores, judged.k_prior)
    return GeneratorLoss(g_loss, entropy, g_loss + alpha * entropy)


def cluster_cross_entropy(scores: Tensor, k: Tensor) -> Tensor:
    r"""How far E is from finding the cluster that a sample was drawn from.

    .. math:: -\mathbb{E}_{y, z} \log p_E(y \mid G(z, y))

    Args:
        scores: E's logits of generated samples, ``[B, K]``.
        k: Their clusters, ``[B]``.

    Returns:
        Mean, scalar, in nats; ``log K`` where all scores are equal.

    Source: [MMGAN] Algorithm 1, the term of alpha.
    """
    return F.cross_entropy(scores, k)
