"""The four latent models that SC-GAN compares: where the decoder's codes come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, get_args

import torch
from torch import Tensor
from typing_extensions import override

from scgan.nn.mappers import Mappers
from scgan.stages.tables.cluster import KEPT_CODES, ClusteredCodes
from scgan.stages.tables.map import load_mappers
from scgan.store.artifacts import Artifact

LatentName = Literal["gaussian", "centres", "mapping", "real"]
LATENTS: tuple[LatentName, ...] = get_args(LatentName)
LATENT_TITLES: Mapping[LatentName, str] = {
    "gaussian": "single Gaussian",
    "centres": "noisy centres",
    "mapping": "mapping networks",
    "real": "real codes",
}
"""In pictures."""


class Latents(Protocol):
    """Draws codes."""

    def sample(self, num: int, generator: torch.Generator, cluster: int | None = None) -> Tensor:
        """Draw codes, from one cluster or from all by their weights.

        Args:
            num: How many.
            generator: Draws them, on the device that the codes are to lie on.
            cluster: Only from this cluster; None from all.

        Returns:
            Codes eps, ``[num, d]``.

        Raises:
            ValueError: If there is no such cluster, or nothing to draw from it.
        """


def draw_clusters(
    weights: Tensor, num: int, generator: torch.Generator, cluster: int | None
) -> Tensor:
    """Draw cluster numbers k ~ Cat(weights), ``[num]``, or the one that was asked for.

    Raises:
        ValueError: If there is no such cluster.
    """
    if cluster is None:
        return torch.multinomial(
            weights.to(generator.device), num, replacement=True, generator=generator
        )

    if not 0 <= cluster < len(weights):
        raise ValueError(
            f"there is no cluster {cluster}; there are clusters 0 to {len(weights) - 1}"
        )

    return torch.full((num,), cluster, device=generator.device)


class GaussianLatents(Latents):
    """One Gaussian with the mean and covariance of all codes.

    Args:
        codes: Codes of training data, ``[N, d]``.

    Source: [SCGAN] Sec. 3, "single Gaussian pdf".
    """

    def __init__(self, codes: Tensor) -> None:
        self.mean = codes.mean(0)
        variance, axes = torch.linalg.eigh(torch.cov(codes.T).reshape(codes.shape[1], -1))
        self.root = axes * variance.clamp_min(0).sqrt()

    @override
    def sample(self, num: int, generator: torch.Generator, cluster: int | None = None) -> Tensor:
        if cluster is not None:
            raise ValueError("the single Gaussian has no clusters to sample from")
        z = torch.randn(num, len(self.mean), generator=generator, device=generator.device)
        return self.mean + z @ self.root.T


class CentreLatents(Latents):
    """Cluster centres with isotropic Gaussian noise of the cluster's own spread.

    Args:
        centres: ``[K, d]``.
        spread: Root mean square distance to the centre, per dimension, ``[K]``.
        weights: Shares of the clusters, ``[K]``.

    Source: [SCGAN] Sec. 3, "cluster centers with Gaussian noise"; the noise's width is ours.
    """

    def __init__(self, centres: Tensor, spread: Tensor, weights: Tensor) -> None:
        self.centres, self.spread, self.weights = centres, spread, weights

    @override
    def sample(self, num: int, generator: torch.Generator, cluster: int | None = None) -> Tensor:
        k = draw_clusters(self.weights, num, generator, cluster)
        noise = torch.randn(
            num, self.centres.shape[1], generator=generator, device=generator.device
        )
        return self.centres[k] + self.spread[k, None] * noise


class MappingLatents(Latents):
    """Codes of the mapping networks: k ~ Cat(n_k / N), omega ~ N(0, I), eps = AAE_k.decode(omega).

    Args:
        mappers: The K trained autoencoders.
        weights: Shares of the clusters, ``[K]``.

    Source: [SCGAN] Sec. 2.2.
    """

    def __init__(self, mappers: Mappers, weights: Tensor) -> None:
        self.mappers, self.weights = mappers, weights

    @override
    def sample(self, num: int, generator: torch.Generator, cluster: int | None = None) -> Tensor:
        return self.mappers.sample(draw_clusters(self.weights, num, generator, cluster), generator)


class RealLatents(Latents):
    """Codes of training data, drawn with replacement.

    Args:
        codes: ``[N, d]``.
        k: Their clusters, ``[N]``.

    Source: [SCGAN] Sec. 3, "real data".
    """

    def __init__(self, codes: Tensor, k: Tensor) -> None:
        self.codes, self.k = codes, k

    @override
    def sample(self, num: int, generator: torch.Generator, cluster: int | None = None) -> Tensor:
        codes = self.codes if cluster is None else self.codes[self.k == cluster]
        if not len(codes):
            raise ValueError(f"no training code of cluster {cluster} was kept")
        rows = torch.randint(len(codes), (num,), generator=generator, device=generator.device)
        return codes[rows]


def latent_model(
    name: LatentName, config: Any, artifacts: Mapping[str, Artifact], device: torch.device
) -> Latents:
    """One of the paper's four latent models, from the artifacts of stages 1 and 2."""
    clusters = ClusteredCodes.from_artifact(artifacts["cluster"])
    weights = clusters.counts.float().to(device)
    codes, k = clusters.codes[:KEPT_CODES].to(device), clusters.k[:KEPT_CODES].to(device)

    if name == "gaussian":
        return GaussianLatents(codes)

    if name == "centres":
        return CentreLatents(clusters.centres.to(device), clusters.spread.to(device), weights)

    if name == "real":
        return RealLatents(codes, k)

    return MappingLatents(load_mappers(config.mappers, artifacts["map"]).to(device), weights)
