"""Classification losses: of the attributes' classifier, and through it of the generator."""

from __future__ import annotations

from typing import Literal

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
