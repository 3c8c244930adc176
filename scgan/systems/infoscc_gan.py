r"""InfoSCC-GAN: contrastive encoder, attributes by a linear layer, conditional EigenGAN.

::

    x --encode--> h --attributes--> y, classifier      x, y --generate--> generator, held to y every
    n-th iteration
    sample:  y ~ the data's   eps, z ~ N(0, I)   x = generator(mapper(y, eps), z)

Source: [INFOSCC-GAN].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from scgan.capabilities import Coefficients, Degrees, OneOf, Option
from scgan.config import Settings
from scgan.contract import Stage, System, preset
from scgan.data.dataset import Dataset
from scgan.figures.by_attribute import (
    draw_by_attribute,
)
from scgan.metrics.default_scores import compared, extractors_of
from scgan.metrics.image_scores import compare_images, control_scores, diversity_scores
from scgan.metrics.images import Extractor, features, floats
from scgan.metrics.objectives import Objective, control_error_of, diversity_error, fid_of
from scgan.metrics.scores import Score, label_scores
from scgan.nn.coefficients import dimension_names, with_coefficients
from scgan.space import Choice, Float, Space
from scgan.stages.images import encode as image_encode
from scgan.stages.images import generate
from scgan.stages.images.attributes import AttributeSettings, check_attributes, load_attributes
from scgan.stages.images.encoder_settings import ImageEncoderSettings
from scgan.stages.images.generator_settings import ConditionalSettings
from scgan.stages.images.judge import JudgeSettings, load_judge
from scgan.stages.images.measures import EvaluationSettings, FrozenEncoder, named_networks
from scgan.store.artifacts import Artifact
from scgan.systems.eigengan import ATTRIBUTES, AUTHORS, ENCODE, JUDGE, NOISE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class InfoSCCGANConfig(Settings):
    """All of InfoSCC-GAN's settings, a section a stage."""

    encoder: ImageEncoderSettings = ImageEncoderSettings()
    attributes: AttributeSettings = AttributeSettings()
    judge: JudgeSettings = JudgeSettings()
    generator: ConditionalSettings = ConditionalSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


class InfoSCCGANModel:
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
        self.attributes.classifier.to(device)
        self.judge = load_judge(artifacts["judge"]).to(device)
        self.extractors: dict[str, Extractor] = {
            "encoder": FrozenEncoder(self.encoder),
            "judge": self.judge,
        }
        self.generator = generate.load_generator(config.generator, artifacts["generate"]).to(device)

        names = self.attributes.names
        self.options: tuple[Option, ...] = (
            OneOf("attribute", "images with this attribute; with all by their frequency", names),
            Degrees("attributes", "images with so much of each attribute", names),
            Coefficients("coefficients", NOISE, dimension_names(self.generator.importances())),
        )

        # Inner attributes are clusters; with others it is no clustering.
        if self.attributes.spread is not None:
            self.counts = self.attributes.counted
            self.cluster_columns = {"spread": self.attributes.spread.tolist()}

    def sample(
        self,
        num: int,
        generator: torch.Generator,
        *,
        attribute: str | None = None,
        attributes: Tensor | None = None,
        coefficients: Tensor | None = None,
        chunk: int = 500,
    ) -> Tensor:
        """Draw images.

        Args:
            num: How many.
            generator: Draws attributes, latents and noise.
            attribute: Only with this attribute, by its name; None draws attributes by their
                frequency.
            attributes: How much of each attribute instead, each in [0, 1]: ``[A]`` for all images,
                or ``[num, A]``.
            coefficients: Of the noise, by :mod:`scgan.nn.coefficients`; NaN where it is drawn.
            chunk: Images made at once.

        Returns:
            Images in [-1, 1], ``[num, C, H, W]``.

        Raises:
            ValueError: If there is no such attribute, or both are given.
        """
        chosen = {"attribute": attribute, "attributes": attributes, "coefficients": coefficients}
        return self.draw(num, generator, **chosen, chunk=chunk)[0]  # type: ignore[arg-type]

    @torch.no_grad()
    def draw(
        self,
        num: int,
        generator: torch.Generator,
        *,
        attribute: str | None = None,
        attributes: Tensor | None = None,
        coefficients: Tensor | None = None,
        chunk: int = 500,
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`sample`, with the attributes ``[num, A]`` that were asked for."""
        if attribute is not None and attributes is not None:
            raise ValueError("give attribute or attributes, not both")
        if attributes is None:
            law = self.config.generator.attribute_law
            y = self.attributes.sample(num, generator, attribute, law)
        else:
            y = attributes.expand(num, -1)

        y = y.to(self.device)
        images = []
        for rows in y.split(chunk):
            eps, z = self.generator.latents(len(rows), generator)
            z = with_coefficients(z, self.generator.importances(), coefficients)
            images.append(self.generator(eps, z, rows))
        return torch.cat(images), y

    def read(self, images: Tensor) -> Tensor:
        """Attributes that encoder and classifier read: classes ``[N]``, or 0 and 1 ``[N, A]``."""
        return self._decide(images, lambda x: self.attributes.classifier(self.encoder.backbone(x)))

    def judged(self, images: Tensor) -> Tensor:
        """The same by the independent classifier."""
        return self._decide(images, self.judge.classify)

    def asked(self, y: Tensor) -> Tensor:
        """Rows of attributes ``[N, A]`` in the form that :meth:`read` gives."""
        return (y.argmax(1) if self.attributes.kind == "one" else y.long()).cpu()

    def attributes_of(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Attributes of real images, uint8 ``[N, C, H, W]``."""
        h, u = self.encoder.embed(images)
        return self.attributes.of_images(h, u, labels)

    @torch.no_grad()
    def degrees(self, x: Tensor) -> Tensor:
        """How much of each attribute the classifier reads off images, ``[N, A]`` in [0, 1]."""
        h = features(self.extractors["encoder"], x).to(self.device)
        logits = self.attributes.classifier(h)
        return (logits.softmax(1) if self.attributes.kind == "one" else logits.sigmoid()).cpu()

    def assign(self, x: Tensor) -> Tensor:
        """Inner attribute of each image, uint8 ``[N, C, H, W]``: ``[N]``."""
        return self.attributes_of(x, None)

    def probabilities(self, x: Tensor) -> Tensor:
        """Of each inner attribute given an image, ``[N, A]``."""
        return self.attributes.probabilities(*self.encoder.embed(x))

    def _decide(self, images: Tensor, classify: Callable[[Tensor], Tensor]) -> Tensor:
        chunks = (floats(x.to(self.device)) for x in images.split(500))
        logits = torch.cat([classify(x) for x in chunks])
        return (logits.argmax(1) if self.attributes.kind == "one" else (logits > 0).long()).cpu()


STAGES = (
    ENCODE,
    ATTRIBUTES,
    JUDGE,
    Stage(
        "generate",
        ("encoder", "attributes", "generator"),
        ("encode", "attributes"),
        generate.generate_conditionally,
        data_parallel=True,
        version=2,
    ),
)


# Few attributes, and no energy score beside Eq. (5): what the paper's tables are made again from.
PLAIN: Mapping[str, Any] = {
    "attributes.num_clusters": 10,
    "attributes.space": "features",
    "generator.discriminator": "multiclass",
    "generator.classification_weight": 3.0,
    "generator.energy_weight": 0.0,
}


class InfoSCCGANSystem(System):
    r"""InfoSCC-GAN: what each stage minimises, and where that is computed.

    .. math::

        \text{(1) encode} \quad & -I(X; H) \text{, by InfoNCE on two views of x} \\
        \text{(3) attributes} \quad & -\mathbb{E} \log p(y \mid h) \text{, a linear classifier} \\
        \text{(5) generate, every n-th step} \quad & -\mathbb{E} \log p(y \mid h(\tilde x)) \\
        \text{(7) generate} \quad & D_\mathrm{KL}(p(x) \Vert p_\theta(x))

    All are in :mod:`scgan.losses.infoscc_gan`, whose head says which function is which.
    """

    paper = "INFOSCC-GAN"
    examples = {"images": "digits"}
    Config = InfoSCCGANConfig
    Model = InfoSCCGANModel
    presets: Mapping[str, InfoSCCGANConfig] = {
        "default": InfoSCCGANConfig(),
        "smoke": preset(
            InfoSCCGANConfig(),
            {
                **PLAIN,
                "encoder.num_samples": 20_480,  # some ten seconds on one thread
                "attributes.num_samples": 51_200,  # a linear layer: a second
                "judge.num_samples": 20_480,  # enough to read most digits
                "generator.num_samples": 19_200,  # a minute on one thread: digits are digits
            },
        ),
        "plain": preset(InfoSCCGANConfig(), PLAIN),
        "paper": preset(
            InfoSCCGANConfig(),
            {
                **AUTHORS,
                # The best row of Table 1: patches and, in the code, the fourth power.
                "generator.discriminator": "patch",
                "generator.d_width": 64,
                "generator.adversarial": "quartic",
                "generator.classification_weight": 1.0,  # [INFOSCC-GAN] Eq. (5)
                "generator.energy_weight": 0.0,  # ours
                "generator.balanced_mapper": False,
                "generator.attribute_law": "uniform",
            },
        ),
    }
    search_space: Space = {
        "generator.n": Choice((1, 2, 4, 8, 16)),
        "generator.discriminator": Choice(("multiclass", "projection", "global", "patch")),
        "generator.adversarial": Choice(("hinge_clipped", "non_saturating", "least_squares")),
        "generator.energy_weight": Choice((0, 0.3, 1, 3)),
        "generator.classification_weight": Float(0.1, 10, log=True),
        "generator.learning_rate": Float(1e-4, 2e-3, log=True),
        "generator.d_learning_rate": Float(1e-4, 2e-3, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES

    @override
    def objectives(self, data: Dataset) -> Mapping[str, Objective]:
        return {
            "fid_judge": fid_of("judge"),
            "fid_encoder": fid_of("encoder"),
            "control_error": control_error_of("read"),
            "judge_control_error": control_error_of("judged"),
            "diversity_error": diversity_error,
        }

    @override
    def check(self, config: InfoSCCGANConfig, data: Dataset) -> None:
        image_encode.check_encoder(config.encoder, data)
        check_attributes(config.attributes, data)

    @override
    def evaluate(
        self, model: InfoSCCGANModel, data: Dataset, seed: int
    ) -> Iterator[tuple[str, Score]]:
        c = model.config.evaluation
        num = compared(data, c.num_images)
        fake, y = model.draw(num, torch.Generator(model.device).manual_seed(seed))
        fake, asked = fake.cpu(), model.asked(y)
        labels = None if data.test_labels is None else torch.from_numpy(data.test_labels)
        real_y = model.attributes_of(data.test, labels)

        # How samples follow their attributes, by the pipeline's own classifier and by the judge.
        names = model.attributes.names
        for by, read in (("", model.read), ("judge_", model.judged)):
            found = control_scores(read(fake), asked, read(data.test), real_y, names, by=by)
            yield from found.items()

        encoder = [model.extractors["encoder"]]
        yield from diversity_scores(fake, asked, data.test, real_y, seed, encoder).items()

        networks = [*extractors_of(model), *named_networks(c, model.device)]
        yield from compare_images(
            data.train,
            fake,
            networks,
            seed,
            held_out=data.test,
            num_max=num,
            chamfer=c.chamfer,
            chamfer_points=c.chamfer_points,
        )

        if model.attributes.centres is not None and labels is not None and labels.ndim == 1:
            yield from label_scores(labels.numpy(), real_y).items()

    @override
    def figures(
        self, model: InfoSCCGANModel, data: Dataset, seed: int
    ) -> Iterator[tuple[str, Figure]]:
        return draw_by_attribute(model, data, seed)


SYSTEM = InfoSCCGANSystem()
