"""Stage: a contrastive encoder of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from scgan.config import Settings
from scgan.contract import Inputs, Units
from scgan.data.views import noise_views
from scgan.losses.contrastive import CONTRASTIVE, ContrastiveName
from scgan.nn.encoder import Encoder
from scgan.stages.tables.rows import training_rows
from scgan.store.artifacts import Artifact
from scgan.training.loop import ScheduleName, descend, train
from scgan.training.runtime import Runtime
from scgan.training.state import TrainState


class EncoderSettings(Settings):
    """Stage 1."""

    code_dim: int | None = Field(
        None, ge=1, le=1024, description="dimension of eps; none: the data's + 2"
    )
    width: int = Field(128, ge=1, le=8192)
    num_layers: int = Field(3, ge=1, le=32)
    noise_std: float | None = Field(
        None,
        gt=0,
        le=10,
        description="of the views' noise, in standard deviations; none: by the rows' distances",
    )
    contrastive: ContrastiveName = Field("gaussian_info_nce", description="how views are compared")
    temperature: float = Field(1.0, gt=0, le=100)
    batch_size: int = Field(512, ge=2)
    num_samples: int = Field(768_000, ge=1, description="samples seen")
    learning_rate: float = Field(2e-3, gt=0)
    schedule: ScheduleName = "cosine"


def code_dim(c: EncoderSettings, data_dim: int) -> int:
    """d, the dimension of eps: what is set, or the data's + 2, room to pull a manifold's pieces apart."""
    return c.code_dim or data_dim + 2


def build_encoder(
    c: EncoderSettings, data_dim: int, generator: torch.Generator | None = None
) -> Encoder:
    """A new encoder, its weights drawn from ``generator``."""
    generator = generator or torch.Generator()
    return Encoder(
        data_dim, code_dim(c, data_dim), width=c.width, num_layers=c.num_layers, generator=generator
    )


def view_noise(c: EncoderSettings, x: Tensor, generator: torch.Generator) -> float:
    """Standard deviation of the views' noise: what is set, or what makes telling rows apart worth learning.

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


def encode(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 1: raise the mutual information of x and eps by InfoNCE on two noisy views.

    Source: [SCGAN] Sec. 2.1, Eq. (1).
    """
    c: EncoderSettings = config.encoder
    resident = inputs.data.train.to(runtime.device)
    data_dim, rows = resident.shape[1], training_rows("encode", resident, inputs, runtime)
    encoder = build_encoder(c, data_dim, inputs.generator("encode", "weights")).to(runtime.device)
    network = runtime.parallel(encoder.net)
    generator = inputs.generator("encode", "batches", runtime.device)
    noise_std = view_noise(c, resident, inputs.generator("encode", "noise"))
    optimizer = torch.optim.Adam(network.parameters(), c.learning_rate, fused=True)

    def step() -> Mapping[str, Tensor]:
        x = rows.at(state.samples)
        index = torch.randint(len(x), (c.batch_size,), generator=generator, device=runtime.device)
        views = noise_views(x[index], noise_std, generator)
        with runtime.autocast():
            u0, u1 = network(torch.cat([runtime.share(view) for view in views])).float().chunk(2)

        gathered = (runtime.gather(u0), runtime.gather(u1))
        loss = CONTRASTIVE[c.contrastive](
            u0, u1, c.temperature, gathered=gathered, rank=runtime.rank
        )
        descend(optimizer, loss)

        return {c.contrastive: loss}

    state = TrainState({"encoder": encoder.net}, {"encoder": optimizer}, {"batches": generator})
    train(
        state,
        step,
        name="encode",
        num_samples=c.num_samples,
        batch_size=c.batch_size,
        schedule=c.schedule,
        runtime=runtime,
    )

    encoder.fit_scale(resident[: 2**18])
    tensors = {f"encoder.{name}": t for name, t in encoder.state_dict().items()}
    return Artifact(tensors, {"curve": state.curve, "data_dim": data_dim, "noise_std": noise_std})
