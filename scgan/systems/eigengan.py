r"""EigenGAN: an unconditional generator of images with a linear subspace at every layer; InfoSCC-GAN's baseline.

::

    sample:  eps ~ N(0, I)   z ~ N(0, I) per layer   x = generator(eps, z)

A contrastive encoder is trained beside it, and has no part in its training: it is what samples are
measured in.

Source: [EIGENGAN].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from scgan.config import Settings
from scgan.contract import Stage
from scgan.data.dataset import Dataset
from scgan.data.images.schema import ImageSchema, to_float
from scgan.figures import images as image_figures
from scgan.metrics.image_scores import image_scores
from scgan.metrics.images import features
from scgan.metrics.objectives import fid_of
from scgan.metrics.scores import Score
from scgan.nn.eigengan import TRAVERSED, traverse
from scgan.space import Choice, Float, Space
from scgan.stages.images import encode as image_encode
from scgan.stages.images import generate
from scgan.stages.images.measures import (
    EvaluationSettings,
    FrozenEncoder,
    named_networks,
    num_compared,
)
from scgan.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class EigenGANConfig(Settings):
    """All of EigenGAN's settings."""

    encoder: image_encode.ImageEncoderSettings = image_encode.ImageEncoderSettings()
    generator: generate.GeneratorSettings = generate.GeneratorSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


class Model:
    """A trained EigenGAN.

    Args:
        config: Its settings.
        artifacts: Of its stages.
        device: Where it lies.
    """

    def __init__(
        self, config: EigenGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self.generator = generate.load_generator(config.generator, artifacts["generate"]).to(device)
        self.encoder = image_encode.load_image_encoder(config.encoder, artifacts["encode"]).to(
            device
        )

    @torch.no_grad()
    def sample(self, num: int, generator: torch.Generator, *, chunk: int = 500) -> Tensor:
        """Draw images ``[num, C, H, W]`` in [-1, 1], ``chunk`` at once."""
        images = [self._draw(min(chunk, num - start), generator) for start in range(0, num, chunk)]
        return torch.cat(images) if images else self._draw(0, generator)

    def _draw(self, num: int, generator: torch.Generator) -> Tensor:
        return self.generator(*self.generator.latents(num, generator))


class EigenGAN:
    """The system, as the pipeline drives it."""

    name = "eigengan"
    paper = "EIGENGAN"
    kind: Literal["table", "images"] = "images"
    example = "digits"
    Config = EigenGANConfig
    presets: Mapping[str, EigenGANConfig] = {
        "smoke": EigenGANConfig(
            encoder=image_encode.ImageEncoderSettings(num_samples=20_480),
            generator=generate.GeneratorSettings(num_samples=19_200),
        ),
        "default": EigenGANConfig(),
        "paper": EigenGANConfig(encoder=image_encode.PAPER, generator=generate.PAPER),
    }
    search_space: Space = {
        "generator.discriminator": Choice(("global", "patch")),
        "generator.adversarial": Choice(("hinge_clipped", "non_saturating", "least_squares")),
        "generator.learning_rate": Float(1e-4, 2e-3, log=True),
        "generator.d_learning_rate": Float(1e-4, 2e-3, log=True),
    }
    metrics = {"fid_encoder": fid_of(lambda model: FrozenEncoder(model.encoder))}
    streamed: tuple[Stage, ...] = ()
    stages = (
        Stage(
            "encode",
            ("encoder",),
            (),
            image_encode.encode_images,
            data_parallel=True,
            recipe="image_encoder",
        ),
        Stage("generate", ("generator",), (), generate.generate, data_parallel=True),
    )

    def check(self, config: EigenGANConfig, data: Dataset) -> None:
        """Refuse settings that these images can't bear.

        Raises:
            ValueError: For such settings.
        """
        image_encode.check_encoder(config.encoder, data)
        if (chosen := config.generator.discriminator) not in ("global", "patch"):
            raise ValueError(
                f"generator.discriminator is {chosen}, which takes attributes, but eigengan has none; choose global or "
                "patch"
            )

    def model(
        self, config: EigenGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> Model:
        """Build the trained system from its stages' artifacts."""
        return Model(config, artifacts, device)

    def evaluate(self, model: Model, data: Dataset, seed: int) -> dict[str, Score]:
        """Score its images against the data's."""
        c = model.config.evaluation
        num = num_compared(c, data)
        fake = model.sample(num, torch.Generator(model.device).manual_seed(seed)).cpu()
        networks = [FrozenEncoder(model.encoder), *named_networks(c, model.device)]
        return image_scores(data.train, fake, networks, seed, held_out=data.test, num_max=num)

    def figures(self, model: Model, data: Dataset, seed: int) -> dict[str, Figure]:
        """Draw samples, the traversals of every layer's subspace, and the features of both."""
        generator, schema = torch.Generator(model.device).manual_seed(seed), data.schema
        assert isinstance(schema, ImageSchema)
        fake = model.sample(1000, generator).cpu()
        real = to_float(data.test[:1000])
        strips = [strip.cpu() for strip in traverse(model.generator, generator)]
        encoder = FrozenEncoder(model.encoder)

        labels = (
            data.test_labels
            if data.test_labels is not None and data.test_labels.ndim == 1
            else None
        )

        y = (
            torch.zeros(len(real), dtype=torch.long)
            if labels is None
            else torch.from_numpy(labels[: len(real)])
        )

        names = ("images",) if labels is None else schema.attributes
        return {
            "Samples. The upper rows are held-out images, the lower ones samples.": image_figures.grid(
                torch.cat([real[:36], fake[:36]]), ["held-out"] * 3 + ["samples"] * 3
            ),
            "Subspaces. One panel a layer, one row a dimension, the most important first; its coefficient grows from "
            "left to right, all else fixed.": image_figures.traversals(strips, TRAVERSED),
            "Features. Held-out images and samples in a 2-D t-SNE of the encoder's features.": image_figures.tsne(
                features(encoder, real), y, features(encoder, fake), None, names, seed
            ),
        }


SYSTEM = EigenGAN()
