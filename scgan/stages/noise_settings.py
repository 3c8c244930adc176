"""Settings of noise with modes: the prior, the game, what h is taught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from scgan.losses.adversarial import AdversarialName
from scgan.nn.inversion import HeadName
from scgan.training.settings import (
    BatchSize,
    LearningRate,
    NumSamples,
    Schedule,
    TrainingSettings,
    chosen,
)


class NoiseSettings(TrainingSettings):
    """The modes of the noise, the prior, the game and its training."""

    num_clusters: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="modes K of the noise; none for as many as there are weights, or as the labels "
        "have classes (only their number is taken), or 10",
    )
    weights: tuple[float, ...] | None = Field(
        None,
        min_length=2,
        description="weights of the modes, K positive numbers of any sum, as they are known or "
        "assumed; none, the default, for equal ones",
    )
    prior: Literal["fixed", "learned"] = Field(
        "fixed", description="whether the weights stay as they are or follow what h finds in data"
    )
    prior_start: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="share of the training after which they begin to be learned; earlier, a light "
        "mode that is not found yet loses its weight for good",
    )
    prior_learning_rate: float = Field(
        0.02, gt=0, description="of Adam, of the weights' logits, before the schedule"
    )
    code_dim: int | None = Field(
        None,
        ge=0,
        le=8192,
        description="dimensions of the noise beside the K of the modes; none for 2 of rows, 10 of "
        "images",
    )
    noise_spread: float | None = Field(
        None,
        gt=0,
        lt=0.5,
        description="half width of the uniform noise about a mode, below 0.5, where modes would "
        "overlap; none for 0.03 of rows, whose groups may be narrow, and 0.3 of images",
    )
    reconstruction_weight: float | None = Field(
        None,
        ge=0,
        description="of the noise's reconstruction by h1; 0 leaves it out; none for 1 of rows, 5 "
        "of images",
    )
    read_noise: float = Field(
        0.2,
        ge=0,
        description="deviation of Gaussian noise on the samples that h is trained to read, gone in "
        "the third quarter; ours: modes that it can't tell apart through it are pushed apart, else "
        "two may share a group",
    )
    read_noise_left: float = Field(
        0.0, ge=0, le=1, description="share of that noise that stays to the end instead"
    )
    read_views: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far images are turned, scaled, sheared and shifted before h tells their "
        "mode in training: 1 for up to 20 degrees and a quarter; 0, as published, for not at all; "
        "modes are then no slants or sizes; ours",
    )
    mode_weight: float = Field(
        3.0,
        ge=0,
        description="of the modes that h2 reads, in nats; 0 leaves them out; ours: with the code's "
        "1, a light mode was lost on two of four unequal rings",
    )
    norm: Literal[1, 2] = Field(
        1, description="p of the reconstruction: absolute differences, or their squares"
    )
    head: HeadName = Field(
        "softmax", description="h2: a linear layer, or cosines that must be right by a margin"
    )
    adversarial: AdversarialName = Field(
        "non_saturating", description="adversarial loss, of both sides; as published"
    )
    r1_weight: float | None = Field(
        None,
        ge=0,
        description="of the discriminator's gradient penalty; none for 0 of rows, 1 of images, "
        "whose modes end in one shape each without it; ours",
    )
    r1_every: int = Field(
        8, ge=1, description="steps between two penalties, each weighted by so many"
    )
    start: Literal["noise", "mixture", "views"] = Field(
        "noise",
        description="what h knows at first: nothing but the noise, as published; or the groups "
        "that a Gaussian mixture with the modes' weights finds in the data's principal axes, "
        "without which a class of a fiftieth was not found; or groups of images that their views "
        "share and that have the modes' weights, which h learns to the end, from real images "
        "alone; ours",
    )
    start_share: float = Field(
        0.4,
        gt=0,
        le=1,
        description="share of the training in which h goes on being taught the mixture's groups, "
        "then by samples alone; of views, the first share, in which h alone is trained",
    )
    draw: Literal["prior", "even"] = Field(
        "prior",
        description="how often a batch has a mode: by its weight, as published; or all alike, so "
        "that a light mode is not learned from a sample or two a batch: where h starts from a "
        "mixture, its groups of real rows likewise, else the discriminator weighs each sample by "
        "its mode",
    )
    labelled: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of each label's rows that h is shown the label of, all labels alike "
        "often; 0 for none; rows labelled -1 or with an empty text have none",
    )
    supervise_every: int = Field(
        100, ge=1, description="steps between two lessons of h on rows with a label"
    )
    supervised_steps: int = Field(
        10, ge=1, description="batches of such rows in a lesson; a twentieth of 12,000 rows is 9"
    )
    ema_half_life: float = Field(
        10_000, gt=0, description="samples after which a weight counts half in the stored averages"
    )
    batch_size: BatchSize = Field(256, description="rows or images a step, over all workers")
    num_samples: NumSamples = Field(
        1_536_000, description="rows or images seen, over all workers: 6,000 steps of 256"
    )
    learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of generator and h, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the discriminator, before the schedule"
    )
    schedule: Schedule = "linear"

    @property
    def teaches(self) -> bool:
        """Whether the generator learns by the inversion: not in the ablation to a plain GAN."""
        return self.reconstruction_weight != 0 or self.mode_weight > 0

    @property
    def reads_modes(self) -> bool:
        """Whether there is h2: all but the ablation without it."""
        return self.mode_weight > 0 or not self.teaches


class Choices(NamedTuple):
    """Settings whose usual values differ between rows and images."""

    code_dim: int
    noise_spread: float
    reconstruction_weight: float
    r1_weight: float


OF_ROWS = Choices(2, 0.03, 1.0, 0.0)
OF_IMAGES = Choices(10, 0.3, 5.0, 1.0)


def choices_of(c: NoiseSettings, shape: Sequence[int]) -> Choices:
    """What is set of them, the rest as is usual for samples of a shape."""
    return chosen(c, OF_ROWS if len(shape) == 1 else OF_IMAGES)
