"""Stage: a contrastive encoder of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from scgan.contract import Inputs, Units
from scgan.data.views import noise_views
from scgan.losses.contrastive import CONTRASTIVE, ContrastiveName, mutual_information
from scgan.nn.encoder import Encoder
from scgan.stages.tables.rows import training_rows
from scgan.store.artifacts import Artifact
from scgan.training.loop import adam, descend, train
from scgan.training.runtime import Runtime
from scgan.training.settings import (
    LearningRate,
    NumSamples,
    Precision,
    Schedule,
    TrainingSettings,
)
from scgan.training.state import TrainState, named_weights


class EncoderSettings(TrainingSettings):
    """Stage 1. No number of it is published: the defaults are ours, from the paper's 2-D sets."""

    code_dim: int | None = Field(
        None, ge=1, le=1024, description="dimension of eps; none: the data's"
    )
    width: int = Field(128, ge=1, le=8192, description="units of a hidden layer")
    num_layers: int = Field(3, ge=1, le=32, description="hidden layers")
    noise_std: float | None = Field(
        None,
        gt=0,
        le=10,
        description="of the views' noise, in standard deviations; none: by the rows' distances",
    )
    contrastive: ContrastiveName = Field(
        "isometric_info_nce",
        description="how views are compared; by the default distances in the data are kept best: "
        "flat clusters",
    )
    isometric_start: bool = Field(
        True,
        description="begin as a rotation of the data, to which a network adds: keeps directions in "
        "which the data varies less than the noise",
    )
    temperature: float = Field(
        1.0, gt=0, le=100, description="divides the similarities; SimCLR's is 0.5, for cosines"
    )
    batch_size: int = Field(
        512, ge=2, description="rows a step, over all workers; each is the others' negative"
    )
    num_samples: NumSamples = Field(
        128_000,
        description="rows seen, over all workers: 250 steps of the default batch, as an isometric "
        "start is near the end; without one, 1,500 steps",
    )
    learning_rate: LearningRate = 2e-3
    schedule: Schedule = "cosine"
    precision: Precision = "fp32"


def code_dim(c: EncoderSettings, data_dim: int) -> int:
    """d, the dimension of eps; none set: the data's, so that codes have a density to be learnt."""
    return c.code_dim or data_dim


def build_encoder(
    c: EncoderSettings,
    data_dim: int,
    generator: torch.Generator | None = None,
    noise_std: float = 1.0,
) -> Encoder:
    """A new encoder, its weights drawn from ``generator``.

    An isometric start is as wide as is best for views with noise of ``noise_std``.
    """
    return Encoder(
        data_dim,
        code_dim(c, data_dim),
        width=c.width,
        num_layers=c.num_layers,
        stretch=math.sqrt(c.temperature) / (2 * noise_std) if c.isometric_start else None,
        potential=c.contrastive == "isometric_info_nce",
        generator=generator or torch.Generator(),
    )


def view_noise(c: EncoderSettings, x: Tensor, generator: torch.Generator) -> float:
    """Standard deviation of the views' noise: what is set, or by how far apart rows lie.

    In few dimensions rows lie close and 0.05 will do; in many they are so far apart that with so
    little noise the task is solved without keeping what tells neighbours apart. So: the median
    distance to the nearest of 512 rows, per dimension, and at least 0.05.
    """
    if c.noise_std is not None:
        return c.noise_std
    rows = x[torch.randperm(len(x), generator=generator)[:512].to(x.device)]
    distances = torch.cdist(rows, rows).fill_diagonal_(torch.inf).min(1).values
    return max(0.05, float(distances.median()) / math.sqrt(x.shape[1]))


def load_encoder(c: EncoderSettings, artifact: Artifact) -> Encoder:
    """The trained encoder."""
    encoder = build_encoder(c, artifact.meta["data_dim"])
    encoder.load_state_dict(artifact.section("encoder"))
    return encoder


@torch.no_grad()
def view_information(
    c: EncoderSettings, encoder: Encoder, noise_std: float, x: Tensor, generator: torch.Generator
) -> tuple[float, float]:
    """The mutual information of two views that InfoNCE finds in their codes, on rows of any part.

    Args:
        c: Settings.
        encoder: A trained encoder.
        noise_std: Of its views.
        x: Rows, ``[N, D]``.
        generator: Draws batches and noise, on their device.

    Returns:
        The mean over at most eight batches, and the most that batches of that size can show, nats.
    """
    size = min(c.batch_size, len(x))
    found = []
    for _ in range(min(8, len(x) // size)):
        rows = x[torch.randint(len(x), (size,), generator=generator, device=x.device)]
        u0, u1 = encoder.net(torch.cat(noise_views(rows, noise_std, generator))).chunk(2)
        loss = CONTRASTIVE[c.contrastive](u0, u1, c.temperature)
        found.append(mutual_information(loss, size))

    return float(torch.stack(found).mean()), math.log(2 * size - 1)


def encode(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 1: raise the mutual information of x and eps by InfoNCE on two noisy views.

    Source: [SCGAN] Sec. 2.1, Eq. (1).
    """
    c: EncoderSettings = config.encoder
    resident = inputs.data.train.to(runtime.device)
    data_dim = resident.shape[1]
    rows = training_rows("encode", resident, inputs, runtime)
    noise_std = view_noise(c, resident, inputs.generator("encode", "noise"))
    weights = inputs.generator("encode", "weights")
    encoder = build_encoder(c, data_dim, weights, noise_std).to(runtime.device)
    network = runtime.parallel(encoder.net)
    generator = inputs.generator("encode", "batches", runtime.device)
    optimizer = adam(network, c.learning_rate)

    def step() -> Mapping[str, Tensor]:
        x = rows.at(state.samples)
        index = torch.randint(len(x), (c.batch_size,), generator=generator, device=runtime.device)
        views = noise_views(x[index], noise_std, generator)
        with runtime.autocast(c.precision):
            u0, u1 = network(torch.cat([runtime.share(view) for view in views])).float().chunk(2)

        gathered = (runtime.gather(u0), runtime.gather(u1))
        loss = CONTRASTIVE[c.contrastive](
            u0, u1, c.temperature, gathered=gathered, rank=runtime.rank
        )
        descend(optimizer, loss)

        num = len(gathered[0])
        return {c.contrastive: loss, "mutual_information": mutual_information(loss.detach(), num)}

    state = TrainState({"encoder": encoder.net}, {"encoder": optimizer}, {"batches": generator})
    curve = train(state, step, c, name="encode", runtime=runtime)

    encoder.fit_scale(resident[: 2**18])
    meta = {"curve": curve, "data_dim": data_dim, "noise_std": noise_std}
    return Artifact(named_weights("encoder", encoder), meta)
