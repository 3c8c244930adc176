"""Contrastive losses: two views of the same thing held to one another, with or without others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Gathered = tuple[Tensor, Tensor] | None
Similarity = Callable[[Tensor, Tensor], Tensor]


def nt_xent(
    u0: Tensor, u1: Tensor, temperature: float, *, gathered: Gathered = None, rank: int = 0
) -> Tensor:
    r"""Normalised temperature-scaled cross-entropy: InfoNCE with cosine similarity.

    .. math:: \ell_{ij} = -\log \frac{\exp(s_{ij} / \tau)}{\sum_{m \neq i} \exp(s_{im} / \tau)},
              \quad s_{ij} = \frac{u_i^\top u_j}{\lVert u_i \rVert \lVert u_j \rVert}

    ``log(2B - 1)`` minus the loss is a lower bound on the mutual information of the two views, in
    nats.

    Args:
        u0: Projections of the first views, shape ``[b, Q]``; any scale, normalised inside.
        u1: Projections of the second views, shape ``[b, Q]``.
        temperature: :math:`\tau > 0`.
        gathered: Both views' projections from all workers in rank order, each ``[B, Q]``; the
            anchors stay this worker's own. None where the worker is alone.
        rank: Which block of ``b`` rows of ``gathered`` is this worker's.

    Returns:
        Mean over this worker's ``2b`` anchors, scalar, in nats.

    Raises:
        ValueError: If the shapes differ or ``temperature`` is not positive.

    Source: [SCGAN] Eq. (1) and [INFOSCC-GAN] Eq. (1), through [SIMCLR] Eq. (1). Differs: negatives
        may come from other workers.
    """
    return _info_nce(_cosine, u0, u1, temperature, gathered, rank)


def gaussian_info_nce(
    u0: Tensor, u1: Tensor, temperature: float, *, gathered: Gathered = None, rank: int = 0
) -> Tensor:
    r"""InfoNCE with a Gaussian kernel's similarity, :math:`s_{ij} = -\lVert u_i - u_j \rVert^2`.

    Codes keep their scale, and small distances in the data stay small: the encoder comes out nearly
    isometric, so that clusters are flat and reconstruction is easy.

    Args:
        u0: Projections of the first views, shape ``[b, Q]``.
        u1: Projections of the second views, shape ``[b, Q]``.
        temperature: :math:`\tau > 0`, in squared units of the projections.
        gathered: As for :func:`nt_xent`.
        rank: As for :func:`nt_xent`.

    Returns:
        Mean over this worker's ``2b`` anchors, scalar, in nats.

    Raises:
        ValueError: If the shapes differ or ``temperature`` is not positive.

    Source: [SCGAN] Eq. (1), through [CPC] Eq. (4). Differs: a Gaussian kernel scores the pairs.
    """
    return _info_nce(_negative_squared_distance, u0, u1, temperature, gathered, rank)


def isometric_info_nce(
    u0: Tensor, u1: Tensor, temperature: float, *, gathered: Gathered = None, rank: int = 0
) -> Tensor:
    r"""InfoNCE with a Gaussian kernel and a potential, each view's last column :math:`\varphi`.

    .. math:: s_{ij} = -\lVert u_i - u_j \rVert^2 + \varphi_j

    The best similarity is :math:`\log p(x_j \mid x_i) - \log p(x_j)`. Of views by Gaussian noise
    of standard deviation :math:`\sigma` its first term is :math:`-\lVert x_i - x_j \rVert^2 /
    4 \sigma^2`: that of an isometry. The second is a function of :math:`x_j` alone, left to the
    potential; without one, codes must bend to express it.

    Args:
        u0: Projections of the first views and their potentials, shape ``[b, Q + 1]``.
        u1: Projections of the second views and theirs, shape ``[b, Q + 1]``.
        temperature: :math:`\tau > 0`, in squared units of the projections.
        gathered: As for :func:`nt_xent`.
        rank: As for :func:`nt_xent`.

    Returns:
        Mean over this worker's ``2b`` anchors, scalar, in nats.

    Raises:
        ValueError: If the shapes differ or ``temperature`` is not positive.

    Source: [SCGAN] Eq. (1), through [CPC] Eqs. (2) and (4). Differs: the kernel and the potential.
    """
    return _info_nce(_with_potential, u0, u1, temperature, gathered, rank)


def mutual_information(loss: Tensor, num: int) -> Tensor:
    r"""The lower bound on the views' mutual information that InfoNCE raises.

    .. math:: I \geq \log(2B - 1) - \ell

    Args:
        loss: Any of the losses above, in nats.
        num: B, pairs of views that the anchors are compared with; it bounds the estimate by
            ``log(2B - 1)``.

    Returns:
        The estimate, of the shape of ``loss``, in nats.

    Source: [SCGAN] Eq. (1), through [CPC] Sec. 2.3.
    """
    return math.log(2 * num - 1) - loss


def byol(q: Tensor, target: Tensor) -> Tensor:
    r"""Bootstrap loss: one view's prediction of what the slow target network makes of the other.

    .. math:: \ell = \lVert \bar q - \bar t \rVert^2 = 2 - 2
              \frac{q^\top t}{\lVert q \rVert \lVert t \rVert}

    Args:
        q: Predictions from one view, ``[B, Q]``; any scale, normalised inside.
        target: The target network's projections of the other view, ``[B, Q]``, without gradient.

    Returns:
        Mean over the images, scalar, in [0, 4]; 2 where the two are orthogonal.

    Raises:
        ValueError: If the shapes differ.

    Source: [BYOL] Eq. (2).
    """
    _check_views(q, target)
    return (F.normalize(q, dim=1) - F.normalize(target, dim=1)).square().sum(1).mean()


def byol_momentum(base: float, done: float) -> float:
    r"""How much of itself the target network keeps in a step, rising to 1 over the training.

    .. math:: \tau = 1 - (1 - \tau_\mathrm{base}) (\cos(\pi k / K) + 1) / 2

    Args:
        base: At the start, in [0, 1].
        done: k / K, the share of the training that is done, in [0, 1].

    Returns:
        The share, from ``base`` to 1.

    Source: [BYOL] Sec. 3.2.
    """
    return 1 - (1 - base) * (math.cos(math.pi * done) + 1) / 2


def barlow_twins(u0: Tensor, u1: Tensor, redundancy_weight: float) -> Tensor:
    r"""How far the views' cross-correlation is from the identity.

    .. math:: \ell = \sum_i (1 - C_{ii})^2 + \lambda \sum_i \sum_{j \neq i} C_{ij}^2, \quad
              C_{ij} = \frac{\sum_b u_{b,i} u'_{b,j}}
              {\sqrt{\sum_b u_{b,i}^2} \sqrt{\sum_b (u'_{b,j})^2}}

    with each dimension centred over the batch.

    Args:
        u0: Projections of the first views, ``[B, Q]``, B at least 2: of all workers, where there
            are several, as a correlation is no mean over shares.
        u1: Projections of the second views, ``[B, Q]``.
        redundancy_weight: :math:`\lambda`.

    Returns:
        Sum over the dimensions, scalar; Q where the views have nothing in common.

    Raises:
        ValueError: If the shapes differ.

    Source: [BARLOW-TWINS] Eqs. (1) and (2).
    """
    _check_views(u0, u1)
    a, b = (F.normalize(u - u.mean(0), dim=0) for u in (u0, u1))
    correlation = a.T @ b  # [Q, Q]

    alike = correlation.diagonal()
    invariance = (1 - alike).square().sum()
    redundancy = correlation.square().sum() - alike.square().sum()
    return invariance + redundancy_weight * redundancy


class ContrastiveLoss(Protocol):
    """Signature of the losses."""

    def __call__(
        self,
        u0: Tensor,
        u1: Tensor,
        temperature: float,
        *,
        gathered: Gathered = None,
        rank: int = 0,
    ) -> Tensor:
        """Mean over this worker's anchors, in nats."""


ContrastiveName = Literal["nt_xent", "gaussian_info_nce", "isometric_info_nce"]
CONTRASTIVE: dict[ContrastiveName, ContrastiveLoss] = {
    "nt_xent": nt_xent,
    "gaussian_info_nce": gaussian_info_nce,
    "isometric_info_nce": isometric_info_nce,
}


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def _negative_squared_distance(a: Tensor, b: Tensor) -> Tensor:
    return 2 * a @ b.T - a.square().sum(1)[:, None] - b.square().sum(1)


def _with_potential(a: Tensor, b: Tensor) -> Tensor:
    return _negative_squared_distance(a[:, :-1], b[:, :-1]) + b[:, -1]


def _info_nce(
    similarity: Similarity,
    u0: Tensor,
    u1: Tensor,
    temperature: float,
    gathered: Gathered,
    rank: int,
) -> Tensor:
    _check_views(u0, u1)
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}")

    others = gathered if gathered is not None else (u0, u1)
    b, total = len(u0), len(others[0])
    logits = similarity(torch.cat([u0, u1]), torch.cat(others)) / temperature  # [2b, 2B]
    first = torch.arange(b, device=u0.device) + rank * b
    itself, positive = torch.cat([first, first + total]), torch.cat([first + total, first])
    logits = logits.scatter(1, itself[:, None], -torch.inf)

    return F.cross_entropy(logits, positive)


def _check_views(u0: Tensor, u1: Tensor) -> None:
    if u0.shape != u1.shape:
        raise ValueError(f"the two views differ in shape: {tuple(u0.shape)} and {tuple(u1.shape)}")
