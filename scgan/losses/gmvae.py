"""The Gaussian-mixture variational autoencoder's objective, clusters summed over exactly."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor


class Gaussians(NamedTuple):
    """Diagonal Gaussians: mean and logarithm of the variance of each dimension, ``[..., d]``."""

    mean: Tensor
    log_var: Tensor


class NegativeELBO(NamedTuple):
    """The bound's terms and their sum, means over the batch, in nats; scalars."""

    reconstruction: Tensor
    style: Tensor
    clusters: Tensor
    total: Tensor


def gaussian_kl(q: Gaussians, p: Gaussians) -> Tensor:
    r"""Divergence of diagonal Gaussians.

    .. math:: \frac12 \sum_j \log \frac{\sigma_p^2}{\sigma_q^2}
              + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{\sigma_p^2} - 1

    Args:
        q: ``[..., d]``.
        p: Others, that broadcast with them.

    Returns:
        In nats, ``[...]``.

    Source: [VAE], between any two of them.
    """
    ratio = (q.log_var.exp() + (q.mean - p.mean).square()) / p.log_var.exp()
    return 0.5 * (p.log_var - q.log_var + ratio - 1).sum(-1)


def negative_elbo(
    x: Tensor, x_hat: Tensor, q: Gaussians, prior: Gaussians, logits: Tensor, std: float
) -> NegativeELBO:
    r"""A bound on how unlikely the data is, each cluster weighed by how likely it is.

    .. math:: \mathbb{E}_x \sum_k q(k \mid x) \Big( -\log p(x \mid z_k)
              + D_\mathrm{KL}(q(z \mid x, k) \Vert p(z \mid k)) + \log \frac{q(k \mid x)}{1/K} \Big)

    Args:
        x: Rows or images, ``[B, ...]``.
        x_hat: Decoded from a code of each cluster, ``[B, K, ...]``.
        q: Posterior of the code given x and each cluster, ``[B, K, d]``.
        prior: Of the code given each cluster, ``[K, d]``.
        logits: Of q(k | x), ``[B, K]``.
        std: Deviation of x about its decoded mean.

    Returns:
        The bound and its terms.

    Source: [GMVAE] loss. Differs: x is Gaussian about its mean.
    """
    log_q = logits.log_softmax(1)
    squares = (x.unsqueeze(1) - x_hat).flatten(2).square()  # [B, K, D]
    unlikely = (squares / (2 * std**2) + math.log(std) + 0.5 * math.log(2 * math.pi)).sum(2)
    reconstruction = (log_q.exp() * unlikely).sum(1).mean()
    style = (log_q.exp() * gaussian_kl(q, prior)).sum(1).mean()
    clusters = (log_q.exp() * (log_q + math.log(logits.shape[1]))).sum(1).mean()
    return NegativeELBO(reconstruction, style, clusters, reconstruction + style + clusters)
