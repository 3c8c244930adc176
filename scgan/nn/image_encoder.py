"""The contrastive encoder of images: a backbone, and the projector that its loss looks through."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from scgan.data.images.schema import to_float
from scgan.nn.mlp import initialise
from scgan.nn.pretrained.resnet import Depth, ResNet

BackboneName = Literal["small", "resnet18", "resnet50"]


class SmallBackbone(nn.Sequential):
    """Three strided convolutions for images of 28 or 32 pixels; features ``[B, 4 width]``."""

    def __init__(self, in_channels: int, size: int, width: int = 32) -> None:
        end = -(-size // 8)  # three halvings, rounded up
        super().__init__(
            nn.Conv2d(in_channels, width, 5, 2, 2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * width * end * end, 4 * width),
            nn.BatchNorm1d(4 * width),
            nn.ReLU(),
        )

        self.num_features = 4 * width


class ImageEncoder(nn.Module):
    """Backbone x -> h and projector h -> u.

    Args:
        backbone: Its name.
        in_channels: C.
        size: Pixels a side.
        projection_dim: Q, dimension of u.
        generator: Draws the initial weights.
        normalised: Whether the projector's hidden layer is, over the batch: BYOL and Barlow Twins
            want that, SimCLR does not.

    Source: [SIMCLR] Sec. 2.1; [BYOL] Sec. 3.3; [INFOSCC-GAN] Sec. 3.1.
    """

    def __init__(
        self,
        backbone: BackboneName,
        in_channels: int,
        size: int,
        projection_dim: int,
        generator: torch.Generator,
        *,
        normalised: bool = False,
    ) -> None:
        super().__init__()
        self.backbone: nn.Module
        if backbone == "small":
            self.backbone = SmallBackbone(in_channels, size)
        else:
            depth: Depth = 18 if backbone == "resnet18" else 50
            self.backbone = ResNet(depth, in_channels, small_images=size <= 32)

        self.num_features: int = self.backbone.num_features
        hidden = [nn.BatchNorm1d(self.num_features)] if normalised else []
        self.projector = nn.Sequential(
            nn.Linear(self.num_features, self.num_features),
            *hidden,
            nn.ReLU(),
            nn.Linear(self.num_features, projection_dim),
        )

        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Projections u ``[B, Q]`` of images ``[B, C, H, W]`` in [-1, 1]."""
        return self.projector(self.backbone(x))

    @torch.no_grad()
    def embed(self, images: Tensor, chunk: int = 512) -> tuple[Tensor, Tensor]:
        """Features h ``[N, F]`` and projections u ``[N, Q]`` of uint8 images, on the CPU."""
        device = next(self.parameters()).device
        all_h, all_u = [], []
        for rows in images.split(chunk):
            h = self.backbone(to_float(rows.to(device)))
            all_h.append(h.cpu())
            all_u.append(self.projector(h).cpu())

        return torch.cat(all_h), torch.cat(all_u)


def build_predictor(dim: int, width: int, generator: torch.Generator) -> nn.Module:
    """BYOL's predictor, from projections ``[B, dim]`` to predictions of the same shape.

    Args:
        dim: Q, dimension of the projections.
        width: Of its hidden layer.
        generator: Draws the initial weights.

    Source: [BYOL] Sec. 3.3.
    """
    predictor = nn.Sequential(
        nn.Linear(dim, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, dim)
    )
    initialise(predictor, generator)
    return predictor
