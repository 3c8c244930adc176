"""Stage: the contrastive encoder of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from scgan.contract import Inputs, Units
from scgan.data.dataset import Dataset
from scgan.data.images.augment import ViewName, Views
from scgan.data.images.schema import to_float
from scgan.nn.image_encoder import ImageEncoder
from scgan.stages.images.encoder_settings import ImageEncoderSettings
from scgan.stages.images.siamese import SIAMESE
from scgan.store.artifacts import Artifact
from scgan.training.loop import adam, descend, train
from scgan.training.runtime import Runtime
from scgan.training.state import TrainState, named_weights


def build_image_encoder(
    c: ImageEncoderSettings, channels: int, size: int, generator: torch.Generator | None = None
) -> ImageEncoder:
    """A new encoder, its weights drawn from ``generator``."""
    return ImageEncoder(
        c.backbone,
        channels,
        size,
        c.projection_dim,
        generator or torch.Generator(),
        normalised=c.contrastive != "simclr",
    )


def load_image_encoder(c: ImageEncoderSettings, artifact: Artifact) -> ImageEncoder:
    """The trained encoder, frozen."""
    encoder = build_image_encoder(c, artifact.meta["channels"], artifact.meta["size"])
    encoder.load_state_dict(artifact.section("encoder"))
    return encoder.eval().requires_grad_(False)


def encode_images(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 1: raise the mutual information of x and its features by two random views of it.

    Source: [INFOSCC-GAN] Sec. 3.1, Eq. (1).
    """
    c: ImageEncoderSettings = config.encoder
    images = inputs.data.train
    channels, size = images.shape[1:3]
    weights = inputs.generator("encode", "weights")
    encoder = build_image_encoder(c, channels, size, weights)
    runtime.place(encoder)
    siamese = SIAMESE[c.contrastive](c, encoder, weights, runtime)
    views = Views(c.views if c.views != "auto" else _views_of(channels), size)
    generator = inputs.generator("encode", "batches")
    optimizer = adam(siamese.trained, c.learning_rate, weight_decay=c.weight_decay)
    state = TrainState(siamese.kept, {"encoder": optimizer}, {"batches": generator})

    def step() -> Mapping[str, Tensor]:
        rows = runtime.share(torch.randint(len(images), (c.batch_size,), generator=generator))
        seed = int(torch.randint(2**62, (), generator=generator)) + runtime.rank
        x = to_float(runtime.copy(images[rows]))
        loss = siamese.loss(views(torch.cat([x, x]), seed))
        descend(optimizer, loss)
        siamese.follow(state.samples / c.num_samples)
        return {siamese.loss_name: loss}

    curve = train(state, step, c, name="encode", runtime=runtime)
    meta = {"curve": curve, "channels": channels, "size": size}
    return Artifact(named_weights("encoder", encoder), meta)


def _views_of(channels: int) -> ViewName:
    """The views that suit photographs, or grey symbols."""
    return "affine" if channels == 1 else "simclr"


def check_encoder(c: ImageEncoderSettings, data: Dataset) -> None:
    """Refuse a backbone or views that these images can't bear.

    Raises:
        ValueError: For such settings.
    """
    channels, size = data.train.shape[1:3]
    if c.backbone == "small" and size > 32:
        raise ValueError(
            "encoder.backbone is small, for 28 and 32 pixels, but the images have "
            f"{size}; choose resnet18 or resnet50"
        )

    if c.views == "simclr" and channels == 1:
        raise ValueError(
            "encoder.views is simclr, which jitters colours, but the images are grey; choose affine"
        )
