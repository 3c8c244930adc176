"""Settings of a latent mixture: its clusters, the game, what E learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from scgan.losses.mmgan import Batches, CriticName, Divisor
from scgan.training.settings import (
    BatchSize,
    LearningRate,
    NumSamples,
    Schedule,
    TrainingSettings,
    chosen,
)

StartName = Literal["noise", "views"]


class MixtureSettings(TrainingSettings):
    """The latent mixture, the game and its training."""

    num_clusters: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="K; none for as many as the labels have classes (only their number is taken), "
        "or 10",
    )
    code_dim: int = Field(8, ge=1, le=8192, description="d, dimension of the latent mixture")
    ema_half_life: float = Field(
        10_000, gt=0, description="samples after which a weight counts half in the stored averages"
    )
    critic: CriticName = Field(
        "rsgan",
        description="adversarial loss: sgan, rsgan or crasgan; rsgan is the paper's best on moons, "
        "and sees how much data each cluster has, to which crasgan's means are blind",
    )
    alpha: float | None = Field(
        None,
        ge=0,
        description="weight of the clusters' cross-entropy; none for 1 of rows, as in the paper, "
        "and 0.3 of images; ours",
    )
    batches: Batches = Field(
        "both",
        description="generated samples that the critic sees: paired is Algorithm 1 as printed, "
        "which leaves clusters dead; prior does without pairing, as the paper's Table 2; both",
    )
    divisor: Divisor = Field(
        "cluster",
        description="crasgan's mean over a cluster's real samples: by the cluster's number, or by "
        "the batch's as printed",
    )
    straight_through: bool = Field(
        True,
        description="whether the adversarial loss reaches E through its choice of a cluster, as "
        "Algorithm 1 has it; else only alpha's term trains E; no loss of samples does where E "
        "starts from views",
    )
    start: StartName | None = Field(
        None,
        description="what E learns from: samples, whose clusters are known, as published (noise); "
        "or real images alone, first and to the end, as groups of one size that an image and its "
        "view share, which samples are then drawn to (views); none for noise of rows, views of "
        "images, whose classes are not found without; ours",
    )
    start_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of the training in which E alone is trained, where it starts from views",
    )
    read_views: float = Field(
        1.0,
        gt=0,
        le=1,
        description="how far images are turned, scaled, sheared and shifted in a view: 1 for up to "
        "20 degrees and a quarter",
    )
    read_noise: float = Field(
        0.3, ge=0, description="deviation of Gaussian noise on an image before a view is made of it"
    )
    sigma: float = Field(1.0, gt=0, le=1, description="deviations at the start, at most 1")
    sigma_floor: float = Field(0.1, gt=0, le=1, description="least deviation, as in the paper")
    r1_weight: float | None = Field(
        None,
        ge=0,
        description="of the critic's gradient penalty; none for 0.005 of rows, as without any the "
        "moons' clusters turn and dissolve, and 3 of images, whose clusters are one shape each "
        "without it",
    )
    r1_every: int = Field(
        4, ge=1, description="steps between two penalties, each weighted by so many"
    )
    num_starts: int = Field(
        1,
        ge=1,
        le=100,
        description="trainings side by side, of which the one is kept whose clusters tell most of "
        "the data; one, as each takes as long",
    )
    batch_size: BatchSize = Field(128, description="rows or images a step, over all workers")
    num_samples: NumSamples = Field(
        960_000, description="rows or images seen, over all workers: 7,500 steps of 128"
    )
    learning_rate: LearningRate = Field(
        5e-4, description="of Adam, of generator and E, before the schedule: half the critic's"
    )
    d_learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the critic, before the schedule"
    )
    schedule: Schedule = "late_linear"


class Choices(NamedTuple):
    """Settings whose usual values differ between rows and images."""

    alpha: float
    r1_weight: float
    start: StartName


OF_ROWS = Choices(1.0, 0.005, "noise")
OF_IMAGES = Choices(0.3, 3.0, "views")


def choices_of(c: MixtureSettings, shape: Sequence[int]) -> Choices:
    """What is set of them, the rest as is usual for samples of a shape."""
    return chosen(c, OF_ROWS if len(shape) == 1 else OF_IMAGES)
