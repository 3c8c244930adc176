"""Classification losses: of the attributes' classifier, and through it of the generator."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

AttributeKind = Literal["one", "many"]


def attribute_loss(logits: Tensor, y: Tensor, kind: AttributeKind) -> Tensor:
    r"""Cross-entropy of attributes and their prediction.

    .. math:: -\sum_a y_a \log \mathrm{softmax}(l)_a
              \quad\text{or}\quad
              -\frac{1}{A} \sum_a y_a \log \sigma(l_a) + (1 - y_a) \log \sigma(-l_a)

    Args:
        logits: The classifier's output, ``[B, A]``.
        y: Attributes, ``[B, A]``, one-hot or in [0, 1].
        kind: ``"one"``: an image has one attribute, categorical; ``"many"``: each is binary.

    Returns:
        Mean over the images, scalar, in nats; ``log A``, or ``log 2``, where all logits are 0.

    Source: [INFOSCC-GAN] Eqs. (3) and (5), Sec. 3.2: the classifier's on features of real images,
        the generator's on features of generated ones.
    """
    if kind == "one":
        return F.cross_entropy(logits, y)
    return F.binary_cross_entropy_with_logits(logits, y)


def limited_attribute_loss(
    logits: Tensor, y: Tensor, kind: AttributeKind, allowed: Tensor
) -> Tensor:
    r"""Cross-entropy as far as it exceeds that of real images with the same attribute.

    .. math:: \mathbb{E} \max(0, -\log p(y \mid h(\tilde x)) - c_y), \quad
              c_y = -\mathbb{E}[\log p(y \mid h(x)) \mid y]

    Where real images are uncertain, samples need not be surer: pushed on, they leave what is common
    in the attribute for what is typical of it.

    Args:
        logits: The classifier's output on generated images, ``[B, A]``.
        y: Attributes asked for, ``[B, A]``, one-hot or 0 and 1.
        kind: ``"one"``: an image has one attribute, categorical; ``"many"``: each is binary.
        allowed: c, what real images cost, in nats: ``[A]`` of each attribute, or, of many,
            ``[2, A]``, of images without it and with it.

    Returns:
        Mean over the images (and attributes), scalar, in nats; 0 where all are as sure as real
        images.

    Source: [INFOSCC-GAN] Eq. (5). Differs: limited, so that 0 is reached.
    """
    if kind == "one":
        return F.relu(F.cross_entropy(logits, y, reduction="none") - y @ allowed).mean()
    entropies = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
    return F.relu(entropies - torch.where(y > 0.5, allowed[1], allowed[0])).mean()


def mean_attribute_loss(logits: Tensor, y: Tensor, kind: AttributeKind) -> Tensor:
    """What images cost on average, by attribute: what the limited loss allows.

    Args:
        logits: The classifier's output on real images, ``[N, A]``.
        y: Their attributes, ``[N, A]``, one-hot or 0 and 1.
        kind: Whether an image has one attribute or many.

    Returns:
        ``[A]``, or of many ``[2, A]``, of images without and with each, in nats; 0 where there is
        no such image.

    Source: [INFOSCC-GAN] Eq. (3), by attribute.
    """
    if kind == "one":
        entropies = F.cross_entropy(logits, y, reduction="none")
        return (y.T @ entropies) / y.sum(0).clamp_min(1)
    entropies = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
    groups = torch.stack([1 - y, y])  # [2, N, A]
    return (groups * entropies).sum(1) / groups.sum(1).clamp_min(1)
