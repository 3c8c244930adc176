r"""EigenGAN: images from a generator with a linear subspace a layer; InfoSCC-GAN's baseline.

::

    sample:  eps ~ N(0, I)   z ~ N(0, I) per layer   x = generator(eps, z)

A contrastive encoder is trained beside it, and has no part in its training: it is what samples are
measured in.

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
from scgan.metrics.default_scores import score_images
from scgan.metrics.images import Extractor
from scgan.metrics.objectives import Objective, fid_of
from scgan.metrics.scores import Score
from scgan.nn.coefficients import dimension_names, with_coefficients
from scgan.nn.eigengan import TRAVERSED, traverse
from scgan.space import Choice, Float, Space
from scgan.stages.images import encode as image_encode
from scgan.stages.images import generate
from scgan.stages.images.measures import EvaluationSettings, FrozenEncoder, named_networks
from scgan.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NOISE = "images whose noise has these coordinates, LAYER.DIMENSION=...; all are drawn"
"""What the option ``coefficients`` means."""


class EigenGANConfig(Settings):
    """All of EigenGAN's settings."""

    encoder: image_encode.ImageEncoderSettings = image_encode.ImageEncoderSettings()
    generator: generate.GeneratorSettings = generate.GeneratorSettings()
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
        self.extractors: dict[str, Extractor] = {"encoder": FrozenEncoder(self.encoder)}
        names = dimension_names(self.generator.importances())
        self.options: tuple[Option, ...] = (Coefficients("coefficients", NOISE, names),)

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


STAGES = (
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


# [INFOSCC-GAN]'s code, for AFHQ at 256 pixels.
AUTHORS: Mapping[str, Any] = {
    "encoder.backbone": "resnet50",
    "encoder.projection_dim": 128,
    "encoder.views": "simclr",
    "encoder.batch_size": 32,
    "encoder.num_samples": 200 * 11_704,  # epochs of AFHQ's 80 %
    "encoder.learning_rate": 3e-4,
    "encoder.weight_decay": 1e-4,
    "generator.code_dim": 512,
    "generator.max_width": 512,
    "generator.orthogonality_weight": 100 / 6**3,  # of a mean over 6 layers of 6 x 6
    "generator.diff_augment": ("color", "translation", "cutout"),
    "generator.ema_half_life": 10_000,
    "generator.num_samples": 32 * 200_000,
    "generator.learning_rate": 1e-4,
    "generator.d_learning_rate": 1e-4,
    "generator.schedule": "constant",
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
                "encoder.num_samples": 20_480,  # some ten seconds on one thread
                "generator.num_samples": 19_200,  # a minute on one thread: digits are digits
            },
        ),
        "paper": preset(EigenGANConfig(), AUTHORS),
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
        return {"fid_encoder": fid_of("encoder")}

    @override
    def check(self, config: EigenGANConfig, data: Dataset) -> None:
        image_encode.check_encoder(config.encoder, data)
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
        more = named_networks(c, model.device)
        yield from score_images(model, data, seed, num=c.num_images, more=more)

    @override
    def figures(
        self, model: EigenGANModel, data: Dataset, seed: int
    ) -> Iterator[tuple[str, Figure]]:
        yield from super().figures(model, data, seed)
        generator = torch.Generator(model.device).manual_seed(seed)
        strips = [strip.cpu() for strip in traverse(model.generator, generator)]
        yield SUBSPACES, images.traversals(strips, TRAVERSED)


SYSTEM = EigenGANSystem()
