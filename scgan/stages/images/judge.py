"""Stage: a classifier of the attributes that the generator never meets, to judge it by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from scgan.contract import Inputs, Units
from scgan.data.images.schema import to_float
from scgan.losses.classification import AttributeKind, attribute_loss
from scgan.nn.image_encoder import SmallBackbone
from scgan.nn.mlp import initialise
from scgan.nn.pretrained.resnet import ResNet
from scgan.stages.images.attributes import load_attributes
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


class JudgeSettings(TrainingSettings):
    """The independent classifier; it reads real images only, and has no part in training."""

    batch_size: int = Field(128, ge=2, description="images a step")
    num_samples: NumSamples = Field(300_000, description="images seen: some five epochs of MNIST")
    learning_rate: LearningRate = 1e-3
    schedule: Schedule = "cosine"
    precision: Precision = "fp32"


class Judge(nn.Module):
    """A convolutional classifier of attributes; its features serve as an extractor, too.

    Args:
        channels: C.
        size: Pixels a side.
        num_attributes: A.
        generator: Draws the initial weights.
    """

    name = "judge"
    classifier_name = "judge"

    def __init__(
        self, channels: int, size: int, num_attributes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.backbone = SmallBackbone(channels, size) if size <= 32 else ResNet(18, channels)
        self.num_features: int = self.backbone.num_features
        self.head = nn.Linear(self.num_features, num_attributes)
        initialise(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Features ``[B, F]`` of images ``[B, C, H, W]`` in [-1, 1]."""
        return self.backbone(x)

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``[B, A]`` of features ``[B, F]``."""
        return self.head(features)

    def classify(self, x: Tensor) -> Tensor:
        """Logits ``[B, A]`` of images ``[B, C, H, W]`` in [-1, 1]."""
        return self.logits(self(x))


def load_judge(artifact: Artifact) -> Judge:
    """The trained classifier, frozen."""
    meta = artifact.meta
    judge = Judge(meta["channels"], meta["size"], meta["num_attributes"], torch.Generator())
    judge.load_state_dict(artifact.section("judge"))
    return judge.eval().requires_grad_(False)


def judge(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Fit a classifier of the attributes on the real training images alone."""
    found = load_attributes(inputs.artifacts["attributes"])
    return fit_judge(config.judge, found.rows(found.y), found.kind, inputs, runtime)


def fit_judge(
    c: JudgeSettings, y: Tensor, kind: AttributeKind, inputs: Inputs, runtime: Runtime
) -> Artifact:
    """Fit a classifier of the training images.

    Args:
        c: Settings.
        y: Their attributes, ``[N, A]`` of 0 and 1.
        kind: One an image, or many.
        inputs: Data and seed.
        runtime: Where it runs.
    """
    images = inputs.data.train
    channels, size = images.shape[1:3]
    network = Judge(channels, size, y.shape[1], inputs.generator("judge", "weights"))
    runtime.place(network)
    generator = inputs.generator("judge", "batches")
    optimizer = adam(network, c.learning_rate)

    def step() -> Mapping[str, Tensor]:
        rows = torch.randint(len(images), (c.batch_size,), generator=generator)
        x = to_float(runtime.copy(images[rows]))
        target = runtime.copy(y[rows])
        with runtime.autocast(c.precision):
            logits = network.classify(x).float()

        loss = attribute_loss(logits, target, kind)
        descend(optimizer, loss)
        return {"classification": loss}

    state = TrainState({"judge": network}, {"judge": optimizer}, {"batches": generator})
    curve = train(state, step, c, name="judge", runtime=runtime)
    meta = {"curve": curve, "channels": channels, "size": size, "num_attributes": y.shape[1]}
    return Artifact(named_weights("judge", network), meta)
