"""What the encoder is trained by: two views of each image, held to one another in three ways."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from typing_extensions import override

from scgan.losses.contrastive import barlow_twins, byol, byol_momentum, nt_xent
from scgan.nn.image_encoder import ImageEncoder, build_predictor
from scgan.stages.images.encoder_settings import ImageEncoderSettings, SiameseName
from scgan.training.runtime import Runtime


class Siamese:
    """SimCLR: each view finds the other among all views of the batch.

    Args:
        c: Settings.
        encoder: What is trained, moved already.
        generator: Draws further networks' initial weights.
        runtime: Where it runs.

    Source: [INFOSCC-GAN] Eq. (1), [SIMCLR] Sec. 2.1.
    """

    loss_name = "nt_xent"

    def __init__(
        self,
        c: ImageEncoderSettings,
        encoder: ImageEncoder,
        generator: torch.Generator,
        runtime: Runtime,
    ) -> None:
        self.c, self.runtime = c, runtime
        self.trained, self.kept = self.networks(encoder, generator)
        self.network = runtime.parallel(_synchronised(self.trained, runtime))

    def networks(
        self, encoder: ImageEncoder, generator: torch.Generator
    ) -> tuple[nn.Module, Mapping[str, nn.Module]]:
        """What the optimiser steps, and all that a checkpoint keeps, it among them as encoder."""
        return encoder, {"encoder": encoder}

    def loss(self, views: Tensor) -> Tensor:
        """Of both views of this worker's images, one after the other, ``[2 b, C, H, W]``."""
        u0, u1 = self._project(views)
        gathered = (self.runtime.gather(u0), self.runtime.gather(u1))
        return nt_xent(u0, u1, self.c.temperature, gathered=gathered, rank=self.runtime.rank)

    def follow(self, done: float) -> None:
        """What comes after a step, a share ``done`` of the training being over."""

    def _project(self, views: Tensor) -> tuple[Tensor, Tensor]:
        with self.runtime.autocast(self.c.precision):
            first, second = self.network(views).float().chunk(2)
        return first, second


class BarlowTwins(Siamese):
    """Barlow Twins: the views correlate in each dimension, and dimensions tell different things.

    Source: [BARLOW-TWINS] Sec. 2.
    """

    loss_name = "barlow_twins"

    @override
    def loss(self, views: Tensor) -> Tensor:
        u0, u1 = (self.runtime.gather(u) for u in self._project(views))
        return barlow_twins(u0, u1, self.c.redundancy_weight)


class BYOL(Siamese):
    """BYOL: one view predicts what a slowly following copy of the encoder makes of the other.

    Source: [BYOL] Sec. 3.1 and 3.2.
    """

    loss_name = "byol"

    @override
    def networks(
        self, encoder: ImageEncoder, generator: torch.Generator
    ) -> tuple[nn.Module, Mapping[str, nn.Module]]:
        predictor = build_predictor(self.c.projection_dim, encoder.num_features, generator)
        online = nn.Sequential(encoder, predictor.to(self.runtime.device))
        self.target = copy.deepcopy(encoder).requires_grad_(False)
        self.encoder = encoder
        return online, {"encoder": online, "target": self.target}

    @override
    def loss(self, views: Tensor) -> Tensor:
        with torch.no_grad(), self.runtime.autocast(self.c.precision):
            t0, t1 = self.target(views).float().chunk(2)
        q0, q1 = self._project(views)
        return byol(q0, t1) + byol(q1, t0)

    @override
    @torch.no_grad()
    def follow(self, done: float) -> None:
        keep = byol_momentum(self.c.target_momentum, done)
        pairs = zip(self.target.parameters(), self.encoder.parameters(), strict=True)
        for theirs, ours in pairs:
            theirs.lerp_(ours, 1 - keep)


SIAMESE: Mapping[SiameseName, type[Siamese]] = {
    "simclr": Siamese,
    "byol": BYOL,
    "barlow_twins": BarlowTwins,
}


def _synchronised(network: nn.Module, runtime: Runtime) -> nn.Module:
    """Batch statistics over all workers, where PyTorch has that: on GPUs."""
    if runtime.world_size > 1 and runtime.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return network
