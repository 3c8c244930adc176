"""Clusters' mixtures fitted on from where they are, to other codes, with twice the Gaussians."""

from __future__ import annotations

import torch
from torch import Tensor

from scgan.clustering.mixtures import Components, go_on
from scgan.nn.mappers import MixtureMappers, Whitening

ROUNDS = 8  # of expectation maximisation; 20 are no better
APART = 0.7  # standard deviations from a Gaussian's mean to those of the two that it is split into
LEAST_CODES = 10  # a dimension, for a cluster's mixture to be fitted again
AXIS_FLOOR = 1e-3  # least scale of a cluster's axis, as a share of the largest


def refit_mixtures(mappers: MixtureMappers, eps: Tensor, k: Tensor) -> MixtureMappers:
    """Split each Gaussian of each cluster into two, and fit them to the cluster's codes.

    Args:
        mappers: The mixtures as they are, at most M components a cluster.
        eps: Codes, ``[N, d]``.
        k: Their clusters, ``[N]``.

    Returns:
        Mixtures of 2 M components at most. A cluster of few codes keeps its Gaussians, split.
    """
    num_clusters, num_components = mappers.weights.shape
    made = MixtureMappers(num_clusters, 2 * num_components, mappers.dim).to(eps.device)
    for cluster in range(num_clusters):
        codes = eps[k == cluster]
        own = Whitening(1, mappers.dim).to(eps.device)
        if enough := len(codes) >= LEAST_CODES * mappers.dim:
            own.fit([codes], AXIS_FLOOR)
        components = split(mappers.components(cluster, own))
        if enough:
            components = go_on(own(codes[None])[0], components, ROUNDS)
        made.put(cluster, own, components)
    return made


def split(components: Components) -> Components:
    r"""Two Gaussians for each, along its longest axis, of the same mean and covariance together.

    .. math:: \mu \pm a \sigma_1 v_1, \quad \Sigma - a^2 \sigma_1^2 v_1 v_1^\top
    """
    variance, axes = torch.linalg.eigh(components.covariances)
    step = APART * variance[:, -1:].sqrt() * axes[:, :, -1]  # [M, d]
    narrower = components.covariances - step[:, :, None] * step[:, None, :]
    return Components(
        components.weights.repeat_interleave(2) / 2,
        torch.stack([components.means + step, components.means - step], 1).flatten(0, 1),
        narrower.repeat_interleave(2, 0),
    )
