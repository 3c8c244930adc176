"""What generated images are measured by: the pipeline's networks, and those the user names."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from scgan.config import Settings
from scgan.metrics.images import Extractor, load_extractor
from scgan.nn.image_encoder import ImageEncoder


class EvaluationSettings(Settings):
    """How the trained system is scored; nothing is trained anew for a change here."""

    num_images: int = Field(
        10_000, ge=100, le=1_000_000, description="images a side of a comparison, at most"
    )
    extractors: tuple[str, ...] = Field(
        (),
        description="pretrained networks beside the pipeline's own: inception:path, resnet50:path",
    )
    chamfer: tuple[str, ...] = Field(
        ("encoder",),
        description="networks in whose features Chamfer distances are taken: encoder, judge, or "
        "the name of one of extractors",
    )
    chamfer_points: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="images a side of them, at most: seconds; the paper's code's 6400: minutes",
    )


class FrozenEncoder(nn.Module):
    """The pipeline's encoder as an extractor: features h, without the projector.

    Args:
        encoder: The trained encoder.
    """

    name = "encoder"

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder, self.num_features = encoder, encoder.num_features

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features ``[B, F]`` of images ``[B, C, H, W]`` in [-1, 1]."""
        return self.encoder.backbone(images)


def named_networks(c: EvaluationSettings, device: torch.device) -> list[Extractor]:
    """The pretrained extractors that the user names.

    Raises:
        ValueError: If one can't be loaded.
    """
    found = [load_extractor(spec) for spec in c.extractors]
    for extractor in found:
        if isinstance(extractor, nn.Module):
            extractor.to(device)
    return found
