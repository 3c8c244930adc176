"""What the stochastic decoder is told."""

from __future__ import annotations

from pydantic import Field

from scgan.losses.adversarial import AdversarialName
from scgan.nn.critics import CriticNormalisation
from scgan.stages.tables.latents import LatentName
from scgan.training.settings import (
    BatchSize,
    LearningRate,
    NumSamples,
    Precision,
    Schedule,
    TrainingSettings,
)


class DecoderSettings(TrainingSettings):
    """Stage 3. No number of it is published: the defaults are ours, from the paper's 2-D sets."""

    latent: LatentName = Field("mapping", description="where codes come from in training")
    width: int = Field(128, ge=1, le=8192, description="units of a hidden layer of the decoder")
    num_layers: int = Field(3, ge=1, le=32, description="its hidden layers, each with its noise")
    noise_dim: int = Field(6, ge=1, description="noise dimensions a layer; EigenGAN's 6")
    noise_scale: float = Field(
        0.01,
        ge=0,
        description="largest initial importance of the noise; little by default, as codes of the "
        "data's dimension leave hardly anything open; more for codes of fewer",
    )
    noise_spread: float | None = Field(
        0.6,
        gt=0,
        le=1,
        description="share of what codes leave open that the noise is scaled to once the decoder "
        "is trained, as training leaves it next to none; 1 is all of it, which blurs what is sharp "
        "(C2ST of OGLE's stars 0.585 for 0.567); none leaves it; ours",
    )
    whitened: bool = Field(
        True,
        description="whether the error and the critics see rows in the data's principal axes, each "
        "scaled to unit variance: directions in which it hardly varies count as much as others",
    )
    reconstruction_weight: float = Field(
        100.0, gt=0, description="of the mean square error: D / (2 sigma^2)"
    )
    reconstruction_critic: bool = Field(
        False,
        description="whether a critic judges reconstructions, too, Eq. (4): half of a step's time; "
        "off, as no score was better for it",
    )
    lambda_x: float = Field(
        30.0,
        ge=0,
        description="weight of generation against reconstruction, Eq. (4); 0 leaves it out",
    )
    adversarial: AdversarialName = Field(
        "non_saturating", description="loss of the decoder and both critics"
    )
    d_width: int = Field(256, ge=1, le=8192, description="units of a hidden layer of each critic")
    d_num_layers: int = Field(3, ge=1, le=32, description="hidden layers of each critic")
    d_normalisation: CriticNormalisation = Field(
        "none",
        description="of the critics: layer normalises each row's hidden units, spectral bounds the "
        "weights, none leaves the slope to the gradient penalty",
    )
    d_pack: int = Field(
        1,
        ge=1,
        le=16,
        description="rows that a critic judges at once, a divisor of the batch; with 2 or more it "
        "sees whether samples are too alike",
    )
    r1_weight: float = Field(
        0.05,
        ge=0,
        description="gradient penalty of the critics, as it is at the steps that have it; 0 leaves "
        "it out. Weights that are usual for images cut the critics' signal tenfold",
    )
    r1_every: int = Field(
        16, ge=1, description="steps from one with the penalty to the next, to save time"
    )
    orthogonality_weight: float = Field(
        1.0, ge=0, description="of how far the bases of the noise are from orthonormal"
    )
    ema_half_life: float = Field(
        50_000, gt=0, description="samples after which a weight counts half in the stored average"
    )
    batch_size: BatchSize = 512
    num_samples: NumSamples = Field(
        1_024_000, description="rows seen, over all workers: 2,000 steps of the default batch"
    )
    max_passes: int | None = Field(
        128,
        ge=1,
        description="times that training rows are seen at most, but for a hundred steps: critics "
        "that see few rows again and again draw samples to them; none for no bound",
    )
    learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the decoder, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the critics, before the schedule"
    )
    schedule: Schedule = "late_linear"
    precision: Precision = "fp32"
