r"""EigenGAN: images from a generator with a linear subspace a layer; InfoSCC-GAN's baseline.

::

    sample:  eps ~ N(0, I)   z ~ N(0, I) per layer   x = generator(eps, z)

A contrastive encoder, and a judge of the attributes that InfoSCC-GAN would have, are trained beside
it and have no part in its training: they are what samples are measured in.

Source: [EIGENGAN].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import override

from scgan.capabilities import Coefficients, Option
from scgan.config import Settings
from scgan.contract import Stage, System, preset
from scgan.data.dataset import Dataset
from scgan.figures import images
from scgan.figures.default_figures import SUBSPACES
from scgan.metrics.default_scores import compared, extractors_of
from scgan.metrics.image_scores import compare_images
from scgan.metrics.images import Extractor
from scgan.metrics.objectives import Objective, fid_of
from scgan.metrics.scores import Score
from scgan.nn.coefficients import dimension_names, with_coefficients
from scgan.nn.eigengan import TRAVERSED, traverse
from scgan.space import Choice, Float, Space
from scgan.stages.images import encode as image_encode
from scgan.stages.images import generate
from scgan.stages.images.attributes import AttributeSettings, attributes, check_attributes
from scgan.stages.images.encoder_settings import ImageEncoderSettings
from scgan.stages.images.generator_settings import GeneratorSettings
from scgan.stages.images.judge import JudgeSettings, judge, load_judge
from scgan.stages.images.measures import EvaluationSettings, FrozenEncoder, named_networks
from scgan.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NOISE = "images whose noise has these coordinates, LAYER.DIMENSION=...; all are drawn"
"""What the option ``coefficients`` means."""


class EigenGANConfig(Settings):
    """All of EigenGAN's settings."""

    encoder: ImageEncoderSettings = ImageEncoderSettings()
    attributes: AttributeSettings = AttributeSettings()
    judge: JudgeSettings = JudgeSettings()
    generator: GeneratorSettings = GeneratorSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


class EigenGANModel:
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
        names = dimension_names(self.generator.importances())
        self.options: tuple[Option, ...] = (Coefficients("coefficients", NOISE, names),)
        self.judge = load_judge(artifacts["judge"]).to(device)
        self.extractors: dict[str, Extractor] = {
            "encoder": FrozenEncoder(self.encoder),
            "judge": self.judge,
        }

    @torch.no_grad()
    def sample(
        self,
        num: int,
        generator: torch.Generator,
        *,
        coefficients: Tensor | None = None,
        chunk: int = 500,
    ) -> Tensor:
        """Draw images.

        Args:
            num: How many.
            generator: Draws latents and noise.
            coefficients: Of the noise, by :mod:`scgan.nn.coefficients`; NaN where it is drawn.
            chunk: Images made at once.

        Returns:
            Images in [-1, 1], ``[num, C, H, W]``.
        """
        images = []
        for start in range(0, max(1, num), chunk):
            eps, z = self.generator.latents(min(chunk, num - start), generator)
            z = with_coefficients(z, self.generator.importances(), coefficients)
            images.append(self.generator(eps, z))
        return torch.cat(images)


# InfoSCC-GAN's first stages, too: a store keeps them once for both.
ENCODE = Stage(
    "encode",
    ("encoder",),
    (),
    image_encode.encode_images,
    data_parallel=True,
    recipe="image_encoder",
)
ATTRIBUTES = Stage(
    "attributes",
    ("encoder", "attributes"),
    ("encode",),
    attributes,
    version=3,
    recipe="image_attributes",
)
JUDGE = Stage("judge", ("judge",), ("attributes",), judge, recipe="image_judge")

STAGES = (
    ENCODE,
    ATTRIBUTES,
    JUDGE,
    Stage("generate", ("generator",), (), generate.generate, data_parallel=True),
)


# [INFOSCC-GAN]'s code, for AFHQ at 256 pixels: what both systems share.
AUTHORS: Mapping[str, Any] = {
    "encoder.backbone": "resnet50",
    "encoder.projection_dim": 128,
    "encoder.views": "simclr",
    "encoder.batch_size": 32,
    "encoder.num_samples": 200 * 11_704,  # epochs of AFHQ's 80 %
    "encoder.learning_rate": 3e-4,
    "encoder.weight_decay": 1e-4,
    "attributes.num_clusters": 3,
    "attributes.space": "features",
    "attributes.learning_rate": 3e-4,
    "attributes.num_samples": 200 * 11_704,
    "attributes.schedule": "constant",
    "generator.code_dim": 512,
    "generator.max_width": 512,
    "generator.orthogonality_weight": 100 / 6**3,  # of a mean over 6 layers of 6 x 6
    "generator.diff_augment": ("color", "translation", "cutout"),
    "generator.ema_half_life": 10_000,
    "generator.num_samples": 32 * 200_000,
    "generator.learning_rate": 1e-4,
    "generator.d_learning_rate": 1e-4,
    "generator.schedule": "constant",
    "evaluation.chamfer_points": 6_400,
}

# [EIGENGAN]'s own code, for CelebA at 256 pixels.
OWN: Mapping[str, Any] = {
    **AUTHORS,
    "generator.orthogonality_weight": 0.5,
    "generator.diff_augment": (),
    "generator.r1_weight": 30.0,  # 10, times 3 as it comes every third step
    "generator.r1_every": 3,
    "generator.batch_size": 64,
    "generator.ema_half_life": 44_000,  # 0.999 a step
    "generator.num_samples": 64 * 253_000,
}


class EigenGANSystem(System):
    r"""EigenGAN: each layer l of its generator adds a linear subspace of its own to the features.

    .. math:: \phi_l = U_l \, \mathrm{diag}(L_l) \, z_l + \mu_l, \quad
        \min_G \; D_\mathrm{KL}(p(x) \Vert p_\theta(x))
        + \gamma \sum_l \lVert U_l U_l^\top - I \rVert_F^2

    The subspace is :class:`scgan.nn.subspace.SubspaceLayer` and
    :class:`scgan.nn.eigengan.EigenBlock`, the objective
    :func:`scgan.losses.infoscc_gan.generator_loss`.
    """

    paper = "EIGENGAN"
    examples = {"images": "digits"}
    Config = EigenGANConfig
    Model = EigenGANModel
    presets: Mapping[str, EigenGANConfig] = {
        "default": EigenGANConfig(),
        "smoke": preset(
            EigenGANConfig(),
            {
                "attributes.num_clusters": 10,  # as InfoSCC-GAN's: of 1,797 images
                "attributes.space": "features",
                "encoder.num_samples": 20_480,  # some ten seconds on one thread
                "attributes.num_samples": 51_200,  # a linear layer: a second
                "judge.num_samples": 20_480,  # enough to read most digits
                "generator.num_samples": 19_200,  # a minute on one thread: digits are digits
            },
        ),
        "paper": preset(EigenGANConfig(), OWN),
    }
    search_space: Space = {
        "generator.discriminator": Choice(("global", "patch")),
        "generator.adversarial": Choice(("hinge_clipped", "non_saturating", "least_squares")),
        "generator.learning_rate": Float(1e-4, 2e-3, log=True),
        "generator.d_learning_rate": Float(1e-4, 2e-3, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES

    @override
    def objectives(self, data: Dataset) -> Mapping[str, Objective]:
        return {"fid_encoder": fid_of("encoder"), "fid_judge": fid_of("judge")}

    @override
    def check(self, config: EigenGANConfig, data: Dataset) -> None:
        image_encode.check_encoder(config.encoder, data)
        check_attributes(config.attributes, data)
        if (chosen := config.generator.discriminator) not in ("global", "patch"):
            raise ValueError(
                f"generator.discriminator is {chosen}, which takes attributes, but eigengan has "
                "none; choose global or patch"
            )

    @override
    def evaluate(
        self, model: EigenGANModel, data: Dataset, seed: int
    ) -> Iterator[tuple[str, Score]]:
        c = model.config.evaluation
        num = compared(data, c.num_images)
        fake = model.sample(num, torch.Generator(model.device).manual_seed(seed)).cpu()
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

    @override
    def figures(
        self, model: EigenGANModel, data: Dataset, seed: int
    ) -> Iterator[tuple[str, Figure]]:
        yield from super().figures(model, data, seed)
        generator = torch.Generator(model.device).manual_seed(seed)
        strips = [strip.cpu() for strip in traverse(model.generator, generator)]
        yield SUBSPACES, images.traversals(strips, TRAVERSED)


SYSTEM = EigenGANSystem()
