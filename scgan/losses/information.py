"""Groups of unlabelled data by what they tell, and what views of a sample share."""

from __future__ import annotations

import torch
from torch import Tensor

from scgan.losses.nemgan import prior_divergence

CERTAINTY = 0.1  # weight of the entropy given a sample; as published
BALANCE = 2.0  # weight of the shares; ours: with 0.4, theirs, two digits of MNIST shared a group


def information_loss(logits: Tensor, view_logits: Tensor, weights: Tensor) -> Tensor:
    r"""Small where samples are told apart for certain, groups have their shares, views agree.

    .. math:: \mathbb{E}_x D_\mathrm{KL}(p(y|x) \Vert p(y|Tx))
              + \lambda \, \mathbb{E}_x H(p(y|x))
              + \mu \, D_\mathrm{KL}(\bar p \Vert \alpha)

    with :math:`\bar p` the mean over samples and views. No gradient reaches :math:`p(y|x)` through
    the first term: a view follows its sample.

    Args:
        logits: Of samples, ``[B, K]``, all workers'.
        view_logits: Of a view of each, ``[B, K]``.
        weights: Shares of the groups, :math:`\alpha` ``[K]``, positive, summing to 1.

    Returns:
        Scalar, in nats.

    Source: [IMSAT] code, where information is weighed 0.1 and the groups' entropy 4 in it. Differs:
        views are of any kind, not adversarial; shares may be unequal, of views too, and weigh more.
    """
    log_p, log_view = logits.log_softmax(1), view_logits.log_softmax(1)
    p, known = log_p.exp(), log_p.detach()
    agreement = (known.exp() * (known - log_view)).sum(1).mean()
    entropy = -(p * log_p).sum(1).mean()
    shares = prior_divergence(torch.cat([p, log_view.exp()]), weights.log())
    return agreement + CERTAINTY * entropy + BALANCE * shares
