r"""InfoSCC-GAN: contrastive encoder, attributes with a linear classifier, conditional EigenGAN held to them.

::

    x --encode--> h --attributes--> y, classifier      x, y --generate--> generator, held to y every
    n-th iteration
    sample:  y ~ the data's   eps, z ~ N(0, I)   x = generator(mapper(y, eps), z)

Source: [INFOSCC-GAN].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from scgan.config import Settings
from scgan.contract import Stage
from scgan.data.dataset import Dataset
from scgan.data.images.schema import to_float
from scgan.figures import images as image_figures
from scgan.metrics.image_scores import attribute_scores, image_scores
from scgan.metrics.images import features
from scgan.metrics.objectives import control_error_of, diversity_error, fid_of
from scgan.metrics.scores import Score, label_scores
from scgan.nn.eigengan import TRAVERSED, traverse
from scgan.space import Choice, Float, Space
from scgan.stages.images import encode as image_encode
from scgan.stages.images import generate
from scgan.stages.images.attributes import AttributeSettings, attributes, load_attributes
from scgan.stages.images.judge import JudgeSettings, judge, load_judge
from scgan.stages.images.measures import (
    EvaluationSettings,
    FrozenEncoder,
    named_networks,
    num_compared,
)
from scgan.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class InfoSCCGANConfig(Settings):
    """All of InfoSCC-GAN's settings, a section a stage."""

    encoder: image_encode.ImageEncoderSettings = image_encode.ImageEncoderSettings()
    attributes: AttributeSettings = AttributeSettings()
    judge: JudgeSettings = JudgeSettings()
    generator: generate.ConditionalSettings = generate.ConditionalSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


class Model:
    """A trained InfoSCC-GAN.

    Args:
        config: Its settings.
        artifacts: Of its stages.
        device: Where it lies.
    """

    def __init__(
        self, config: InfoSCCGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self.encoder = image_encode.load_image_encoder(config.encoder, artifacts["encode"]).to(
            device
        )
        self.attributes = load_attributes(artifacts["attributes"])
        self.judge = load_judge(artifacts["judge"]).to(device)
        self.generator = generate.load_generator(config.generator, artifacts["generate"]).to(device)

    def sample(
        self,
        num: int,
        generator: torch.Generator,
        *,
        attribute: str | None = None,
        y: Tensor | None = None,
        chunk: int = 500,
    ) -> Tensor:
        """Draw images.

        Args:
            num: How many.
            generator: Draws attributes, latents and noise.
            attribute: Only with this attribute, by its name; None draws attributes by their
                frequency.
            y: Attributes of each image, ``[num, A]``, each in [0, 1], instead.
            chunk: Images made at once.

        Returns:
            Images in [-1, 1], ``[num, C, H, W]``.

        Raises:
            ValueError: If there is no such attribute.
        """
        return self.draw(num, generator, attribute=attribute, y=y, chunk=chunk)[0]

    @torch.no_grad()
    def draw(
        self,
        num: int,
        generator: torch.Generator,
        *,
        attribute: str | None = None,
        y: Tensor | None = None,
        chunk: int = 500,
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`sample`, with the attributes ``[num, A]`` that were asked for."""
        if y is None:
            y = self.attributes.sample(num, generator, attribute)
        y = y.to(self.device)
        images = [
            self.generator(*self.generator.latents(len(rows), generator), rows)
            for rows in y.split(chunk)
        ]
        return torch.cat(images), y

    def read(self, images: Tensor) -> Tensor:
        """Attributes that encoder and linear classifier read off images: classes ``[N]``, or 0 and 1 ``[N, A]``."""
        logits = [
            self.attributes.classifier(self.encoder.backbone(x))
            for x in images.to(self.device).split(500)
        ]
        return self._decide(torch.cat(logits))

    def judged(self, images: Tensor) -> Tensor:
        """The same by the independent classifier."""
        return self._decide(
            torch.cat([self.judge.classify(x) for x in images.to(self.device).split(500)])
        )

    def asked(self, y: Tensor) -> Tensor:
        """Rows of attributes ``[N, A]`` in the form that :meth:`read` gives."""
        return (y.argmax(1) if self.attributes.kind == "one" else y.long()).cpu()

    def attributes_of(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Attributes of real images, uint8 ``[N, C, H, W]``."""
        h, u = self.encoder.embed(images)
        return self.attributes.of_images(h, u, labels)

    def _decide(self, logits: Tensor) -> Tensor:
        return (logits.argmax(1) if self.attributes.kind == "one" else (logits > 0).long()).cpu()


class InfoSCCGAN:
    """The system, as the pipeline drives it."""

    name = "infoscc_gan"
    paper = "INFOSCC-GAN"
    kind: Literal["table", "images"] = "images"
    example = "digits"
    Config = InfoSCCGANConfig
    presets: Mapping[str, InfoSCCGANConfig] = {
        "smoke": InfoSCCGANConfig(
            encoder=image_encode.ImageEncoderSettings(num_samples=20_480),
            attributes=AttributeSettings(num_samples=51_200),
            judge=JudgeSettings(num_samples=20_480),
            generator=generate.ConditionalSettings(num_samples=19_200),
        ),
        "default": InfoSCCGANConfig(),
        "paper": InfoSCCGANConfig(
            encoder=image_encode.PAPER,
            attributes=AttributeSettings(
                num_clusters=3,
                space="features",
                learning_rate=3e-4,
                num_samples=200 * 11_704,
                schedule="constant",
            ),
            generator=generate.ConditionalSettings(
                **generate.PAPER.model_dump(), classification_weight=1.0
            ),
        ),
    }
    search_space: Space = {
        "generator.n": Choice((1, 2, 4, 8, 16)),
        "generator.discriminator": Choice(("multiclass", "global", "patch")),
        "generator.adversarial": Choice(("hinge_clipped", "non_saturating", "least_squares")),
        "generator.learning_rate": Float(1e-4, 2e-3, log=True),
        "generator.d_learning_rate": Float(1e-4, 2e-3, log=True),
    }
    metrics = {
        "fid_judge": fid_of(lambda model: model.judge),
        "fid_encoder": fid_of(lambda model: FrozenEncoder(model.encoder)),
        "control_error": control_error_of("read"),
        "judge_control_error": control_error_of("judged"),
        "diversity_error": diversity_error,
    }
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
        Stage("attributes", ("encoder", "attributes"), ("encode",), attributes),
        Stage("judge", ("judge",), ("attributes",), judge),
        Stage(
            "generate",
            ("encoder", "attributes", "generator"),
            ("encode", "attributes"),
            generate.generate_conditionally,
            data_parallel=True,
            version=2,
        ),
    )

    def check(self, config: InfoSCCGANConfig, data: Dataset) -> None:
        """Refuse settings that these images can't bear.

        Raises:
            ValueError: For such settings.
        """
        image_encode.check_encoder(config.encoder, data)
        c = config.attributes

        if c.source == "external" and data.train_labels is None:
            raise ValueError(
                f"attributes.source is external, but {data.name} has no labels; choose inner"
            )

        if c.source == "inner" and c.num_clusters > len(data.train):
            raise ValueError(
                f"attributes.num_clusters is {c.num_clusters}, but there are only {len(data.train)} training images"
            )

    def model(
        self, config: InfoSCCGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> Model:
        """Build the trained system from its stages' artifacts."""
        return Model(config, artifacts, device)

    def evaluate(self, model: Model, data: Dataset, seed: int) -> dict[str, Score]:
        """Score its images against the data's, and how they follow their attributes."""
        c = model.config.evaluation
        num = num_compared(c, data)
        fake, y = model.draw(num, torch.Generator(model.device).manual_seed(seed))
        fake, asked = fake.cpu(), model.asked(y)
        labels = None if data.test_labels is None else torch.from_numpy(data.test_labels)
        real_y = model.attributes_of(data.test, labels)
        encoder = FrozenEncoder(model.encoder)
        scores = attribute_scores(
            fake, asked, model.read(fake), data.test, real_y, seed, (encoder,)
        )
        judged = attribute_scores(fake, asked, model.judged(fake), data.test, real_y, seed)
        scores |= {
            f"judge_{name}": value for name, value in judged.items() if name.startswith("control")
        }
        others = [model.judge, *named_networks(c, model.device)]

        for networks, chamfer in (([encoder], True), (others, False)):
            scores |= image_scores(
                data.train, fake, networks, seed, held_out=data.test, num_max=num, chamfer=chamfer
            )

        if model.attributes.centres is not None and labels is not None and labels.ndim == 1:
            scores |= label_scores(labels.numpy(), real_y)

        return scores

    def figures(self, model: Model, data: Dataset, seed: int) -> dict[str, Figure]:
        """Draw samples by attribute, traversals of attributes and of every subspace, and the features of both."""
        generator = torch.Generator(model.device).manual_seed(seed)
        names = model.attributes.names
        labels = None if data.test_labels is None else torch.from_numpy(data.test_labels)[:2000]
        real, real_y = data.test[:2000], model.attributes_of(data.test[:2000], labels)
        fake, y = model.draw(2000, generator)
        strips = [strip.cpu() for strip in traverse(model.generator, generator, y[:1])]

        drawn = {
            "Samples by attribute. Held-out images that have it, and samples of which it was asked.": _grid(
                model, generator, names[:SHOWN], to_float(real), real_y
            ),
            "Attributes by degrees. Each row brings one attribute in from left to right, latents and noise "
            "fixed.": image_figures.attribute_traversal(
                _degrees(model, generator, len(names[:SHOWN])), names[:SHOWN], DEGREES
            ),
            "Subspaces. One panel a layer, one row a dimension, the most important first; its coefficient grows from "
            "left to right, all else fixed.": image_figures.traversals(strips, TRAVERSED),
        }

        if model.attributes.kind == "one":
            encoder = FrozenEncoder(model.encoder)
            codes = [features(encoder, images) for images in (real[:1000], fake[:1000])]

            drawn[
                "Features. Held-out images and samples in a 2-D t-SNE of the encoder's features."
            ] = image_figures.tsne(
                codes[0], real_y[:1000], codes[1], model.asked(y)[:1000], names, seed
            )

        return drawn


SHOWN = 12  # attributes that a picture has room for
DEGREES = (0.0, 0.25, 0.5, 0.75, 1.0)


def _grid(
    model: Model, generator: torch.Generator, names: Sequence[str], real: Tensor, real_y: Tensor
) -> Figure:
    """Eight samples of each attribute beside eight real images that have it."""
    has = {
        name: real_y == a if real_y.ndim == 1 else real_y[:, a] > 0 for a, name in enumerate(names)
    }
    fake = {name: model.sample(8, generator, attribute=name).cpu() for name in names}
    return image_figures.by_attribute(fake, {name: real[rows][:8] for name, rows in has.items()})


def _degrees(model: Model, generator: torch.Generator, num: int) -> Tensor:
    """One image, each attribute brought in by degrees, ``[num, T, C, H, W]``; out of another where it has one."""
    eps, z = model.generator.latents(1, generator)
    identity = torch.eye(len(model.attributes.names), device=model.device)
    degrees = torch.tensor(DEGREES, device=model.device)[:, None]
    rows = []

    for a in range(num):
        start = identity[a - 1] if model.attributes.kind == "one" else torch.zeros_like(identity[a])
        y = (1 - degrees) * start + degrees * identity[a]
        with torch.no_grad():
            rows.append(model.generator(eps.expand(len(y), -1), z.expand(len(y), -1, -1), y).cpu())

    return torch.stack(rows)


SYSTEM = InfoSCCGAN()
