"""Settings of the generator of images, with and without attributes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scgan.data.images.augment import AugmentName
from scgan.losses.adversarial import AdversarialName
from scgan.nn.discriminators import DiscriminatorName
from scgan.nn.eigengan import UpsamplingName
from scgan.stages.images.attributes import AttributeLaw
from scgan.training.settings import (
    BatchSize,
    LearningRate,
    NumSamples,
    Precision,
    Schedule,
    ScheduleName,
    TrainingSettings,
)

CertaintyName = Literal["full", "as_real"]


class GeneratorSettings(TrainingSettings):
    """The generator, for 28 and 32 pixels on a CPU; the preset "paper" is the authors'."""

    code_dim: int = Field(
        128, ge=1, le=8192, description="dimension of eps; the paper's code's 512"
    )
    noise_dim: int = Field(6, ge=1, le=1024, description="noise dimensions a layer; the paper's 6")
    noise_scale: float = Field(
        18.0, ge=0, description="largest initial importance of the noise; EigenGAN's code's"
    )
    width: int = Field(
        16, ge=1, le=1024, description="channels of the last layer, doubled at each before"
    )
    max_width: int = Field(
        128, ge=8, le=8192, description="most channels of a layer, of the discriminator too"
    )
    upsampling: UpsamplingName = Field(
        "transposed",
        description="transposed: convolutions, the papers'; resize: pixels repeated, then "
        "convolved: no checkerboards, for more time",
    )
    discriminator: DiscriminatorName = Field(
        "global", description="global: a logit an image; patch: a logit a patch"
    )
    spectral: bool = Field(
        False, description="spectral normalisation of the discriminator, in place of any other"
    )
    d_width: int = Field(
        16, ge=8, le=1024, description="channels of the discriminator's first layer"
    )
    adversarial: AdversarialName = Field(
        "hinge_clipped", description="loss of generator and discriminator; Eqs. (8) and (9)"
    )
    r1_weight: float = Field(
        10.0, ge=0, description="gradient penalty of the discriminator; 0 leaves it out"
    )
    r1_every: int = Field(
        16, ge=1, description="steps between the penalty, which has a step of its own"
    )
    orthogonality_weight: float = Field(
        1.0, ge=0, description="of how far the bases of the noise are from orthonormal"
    )
    diff_augment: tuple[AugmentName, ...] = Field(
        (), description="what the discriminator sees is augmented by: color, translation, cutout"
    )
    augment_probability: float = Field(
        0.6, ge=0, le=1, description="of each augmentation, in a batch"
    )
    ema_half_life: float = Field(
        2_000, gt=0, description="images after which a weight counts half in the stored average"
    )
    batch_size: BatchSize = Field(32, description="images a step, over all workers")
    num_samples: NumSamples = Field(128_000, description="images seen, over all workers")
    learning_rate: LearningRate = Field(
        5e-4, description="of Adam, of the generator, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        5e-4, description="of Adam, of the discriminator, before the schedule"
    )
    schedule: Schedule = "late_linear"
    precision: Precision = "fp32"


class ConditionalSettings(GeneratorSettings):
    """The generator, held to its attributes."""

    balanced_mapper: bool = Field(
        True,
        description="attributes start with as much weight as all of eps; the paper's code's start "
        "with a hundredth",
    )
    discriminator: DiscriminatorName = Field(
        "projection",
        description="multiclass: a logit an attribute; projection: a logit of the image, to which "
        "its attributes add theirs; attributes: a network each; global, patch: attributes left "
        "aside",
    )
    n: int = Field(2, ge=1, description="classification regularisation every n-th iteration")
    classification_weight: float = Field(0.3, ge=0, description="of that; the paper has 1")
    classification_schedule: ScheduleName = Field(
        "constant", description="course of that weight over the training; the paper's is constant"
    )
    energy_weight: float = Field(
        1.0,
        ge=0,
        description="beside it, constant, of the energy score of two samples' features and a real "
        "image's with the same attributes: least where samples vary as images do; 0 leaves it out",
    )
    certainty: CertaintyName = Field(
        "full",
        description="full: samples become as sure of their attributes as can be, the paper's; "
        "as_real: no surer than real images with the same attribute are on average",
    )
    attribute_law: AttributeLaw = Field(
        "frequency",
        description="how often attributes are asked for, in training and sampling: as often as "
        "images have them, or, the paper's code's, each combination that occurs alike",
    )
    d_learning_rate: LearningRate = Field(
        1e-3,
        description="of Adam, of the discriminator: it keeps up with the generator's further steps",
    )
