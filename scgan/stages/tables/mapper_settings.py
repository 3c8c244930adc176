"""What the latent models of clusters are told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scgan.losses.adversarial import AdversarialName
from scgan.training.settings import BatchSize, LearningRate, NumSamples, Schedule, TrainingSettings

MapperKind = Literal["adversarial", "gaussian", "mixture", "flow"]


class MapperSettings(TrainingSettings):
    """Stage 2, a latent model a cluster; no number of it is published."""

    kind: MapperKind = Field(
        "mixture",
        description="what maps N(0, I) to a cluster's codes: the paper's adversarial autoencoder, "
        "a Gaussian, a mixture of Gaussians, or the paper's other way, a normalising flow",
    )
    code_dim: int | None = Field(
        None,
        ge=1,
        description="axes of a cluster that an autoencoder or a flow models; none: as many as the "
        "data has columns, the dimension of the sheet that codes lie on",
    )
    width: int = Field(32, ge=1, le=4096, description="units of a hidden layer: clusters are small")
    num_layers: int = Field(2, ge=1, le=16, description="hidden layers of each network")
    num_couplings: int = Field(
        6, ge=1, le=64, description="layers of a flow, each changing half of its axes by the others"
    )
    num_pieces: int = Field(8, ge=2, le=64, description="pieces of a flow's splines")
    num_components: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Gaussians of a cluster's mixture; none: by held-out likelihood, at most 32",
    )
    adversarial_weight: float = Field(
        1.0, ge=0, description="weight of the discriminator of omega, Eq. (2); 0 does without it"
    )
    lambda_eps: float = Field(
        10.0, gt=0, description="weight of the reconstruction of eps, Eq. (2)"
    )
    axis_floor: float = Field(
        1e-3, gt=0, le=1, description="least scale of a cluster's axis, share of its largest"
    )
    adversarial: AdversarialName = Field(
        "non_saturating", description="loss of the codes and their discriminator"
    )
    r1_weight: float = Field(
        0.0, ge=0, description="gradient penalty of the discriminator; 0 leaves it out"
    )
    batch_size: BatchSize = Field(128, description="rows a cluster and step")
    num_samples: NumSamples = Field(96_000, description="rows seen, a cluster: 750 steps")
    learning_rate: LearningRate = Field(
        2e-3, description="of Adam, of the autoencoder, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        2e-3, description="of Adam, of the discriminator, before the schedule"
    )
    schedule: Schedule = "late_linear"
