"""Settings of the encoder of images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scgan.data.images.augment import ViewName
from scgan.nn.image_encoder import BackboneName
from scgan.training.settings import (
    LearningRate,
    NumSamples,
    Precision,
    Schedule,
    TrainingSettings,
)

SiameseName = Literal["simclr", "byol", "barlow_twins"]


class ImageEncoderSettings(TrainingSettings):
    """Stage 1, for images of 28 and 32 pixels on a CPU; the preset "paper" is the authors'."""

    backbone: BackboneName = Field(
        "small", description="network of the features h; small is for 28 and 32 pixels"
    )
    projection_dim: int = Field(
        64, ge=1, le=8192, description="dimension of u, in which views are compared"
    )
    views: ViewName | Literal["auto"] = Field(
        "auto", description="auto: simclr for colour, affine for grey"
    )
    contrastive: SiameseName = Field(
        "simclr", description="what holds two views together: simclr is the paper's"
    )
    temperature: float = Field(
        0.5, gt=0, le=100, description="simclr: divides the cosines; 0.5 is the paper's code's"
    )
    target_momentum: float = Field(
        0.99, ge=0, le=1, description="byol: share of itself that the target keeps in a first step"
    )
    redundancy_weight: float = Field(
        5e-3, ge=0, description="barlow_twins: lambda, of correlations between dimensions"
    )
    batch_size: int = Field(
        256, ge=2, description="images a step, over all workers; simclr's negatives are among them"
    )
    num_samples: NumSamples = Field(380_000, description="images seen, over all workers")
    learning_rate: LearningRate = 1e-3
    weight_decay: float = Field(1e-6, ge=0, description="of Adam, on all weights; SimCLR's")
    schedule: Schedule = "cosine"
    precision: Precision = "fp32"
