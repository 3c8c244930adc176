r"""NEMGAN: noise with modes, a generator, and a network that reads noise and mode off its samples.

::

    y ~ prior   z = (e_y, 0) + U(-s, s)   x~ = g(z)   z^ = h1(x~)   y^ = h2(z^)   D(x): a logit
    cluster:  y^ of a row     sample of a mode: y is given     infer: g(h1(x))

.. math:: \min_{g, h_1, h_2} \max_D \; E_x[\log D(x)] + E_z[\log(1 - D(g(z)))]
          + \lambda_z \lVert z - h_1(g(z)) \rVert_1 + \lambda_y D_\mathrm{KL}(P_Y \Vert P_{\hat Y})

Eq. (1) is :func:`scgan.losses.nemgan.generator_loss`; the discriminator's side is in
:mod:`scgan.losses.adversarial`. A prior that is learned descends
:func:`scgan.losses.nemgan.prior_divergence`, and where some rows have labels, h descends
:func:`scgan.losses.nemgan.mode_divergence` on them every hundred steps. Rows of a table go through
fully connected networks, images through strided convolutions (:mod:`scgan.nn.dcgan`); generator and
inversion are averaged over their steps.

Source: [NEMGAN] Eq. (1), Sec. 4.5, its code, [NEMGAN-P] code. Differs: Adam's betas, smaller
networks, the averages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from scgan.capabilities import Option, WholeNumber
from scgan.config import Settings
from scgan.contract import Inputs, Stage, System, Units, preset
from scgan.data.dataset import Dataset
from scgan.data.labels import num_classes, read_labels
from scgan.metrics.scores import Score, label_scores
from scgan.nn.dcgan import Sizes, build_generator, build_reader
from scgan.nn.inversion import Inversion, Prior, engineered_noise, read
from scgan.nn.mlp import initialise
from scgan.space import Choice, Float, Int, Space
from scgan.stages.noise_gan import Networks, fit_noise_gan
from scgan.stages.noise_settings import NoiseSettings, choices_of
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime

USUAL_MODES = 10


class NEMGANSettings(NoiseSettings):
    """The networks' settings beside the training's."""

    width: int = Field(128, ge=8, le=8192, description="units of a hidden layer")
    num_layers: int = Field(
        2, ge=1, le=32, description="hidden layers of each network; of images, their size says"
    )
    image_width: int = Field(
        16, ge=1, le=1024, description="channels at half the images' size, doubled at each halving"
    )


class NEMGANConfig(Settings):
    """All of NEMGAN's settings."""

    gan: NEMGANSettings = NEMGANSettings()


def num_modes_of(c: NEMGANSettings, data: Dataset) -> int:
    """K: what is set, or as many as there are weights, or classes, or 10."""
    if c.num_clusters is not None:
        return c.num_clusters
    return len(c.weights) if c.weights is not None else num_classes(data) or USUAL_MODES


def build_networks(
    c: NEMGANSettings, num_modes: int, shape: Sequence[int], generator: torch.Generator
) -> Networks:
    """New networks.

    Args:
        c: Settings.
        num_modes: K.
        shape: Of a sample: ``[D]`` or ``[C, H, W]``.
        generator: Draws the initial weights.
    """
    sizes = Sizes(c.width, c.num_layers, c.image_width)
    noise_dim = num_modes + choices_of(c, shape).code_dim
    h1 = build_reader(shape, noise_dim, sizes, generator)
    inversion = Inversion(h1, num_modes, noise_dim, c.head if c.reads_modes else None)
    initialise(inversion, generator)
    return Networks(
        Prior(c.weights or [1.0] * num_modes),
        build_generator(noise_dim, shape, sizes, generator),
        inversion,
        build_reader(shape, 1, sizes, generator),
    )


def fit(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Train prior, generator, inversion and discriminator.

    Source: [NEMGAN] Eq. (1).
    """
    c: NEMGANSettings = config.gan
    shape, weights = inputs.data.train.shape[1:], inputs.generator("gan", "weights")
    networks = build_networks(c, num_modes_of(c, inputs.data), shape, weights)
    return fit_noise_gan(c, networks, inputs, runtime)


class NEMGANModel:
    """A trained NEMGAN.

    Args:
        config: Its settings.
        artifacts: Of its stage.
        device: Where it lies.
    """

    def __init__(
        self, config: NEMGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.device, artifact = device, artifacts["gan"]
        shape, num = artifact.meta["shape"], artifact.meta["num_clusters"]
        networks = build_networks(config.gan, num, shape, torch.Generator())
        self.chosen = choices_of(config.gan, shape)
        self.prior, self.generator, self.inversion, _ = networks
        for name in ("prior", "generator", "inversion"):
            network = getattr(self, name)
            network.load_state_dict(artifact.section(name))
            network.eval().requires_grad_(False).to(device)

        self.counts = artifact.tensors["counts"]
        self.cluster_columns: Mapping[str, Sequence[float]] = {
            "weight": self.prior.weights.tolist()
        }
        meaning = "samples of this mode only; of all by the prior"
        self.options: tuple[Option, ...] = (WholeNumber("cluster", meaning, num),)

    @torch.no_grad()
    def sample(
        self, num: int, generator: torch.Generator, *, cluster: int | None = None, chunk: int = 1024
    ) -> Tensor:
        """Draw rows ``[num, D]``, or images ``[num, C, H, W]`` in [-1, 1].

        Args:
            num: How many.
            generator: Draws modes and noise.
            cluster: Only of this mode; None draws modes by the prior.
            chunk: Made at once.
        """
        c = self.chosen
        y = self.prior.draw(num, generator)
        y = y if cluster is None else torch.full_like(y, cluster)
        z = engineered_noise(y, len(self.counts), c.code_dim, c.noise_spread, generator)
        return torch.cat([self.generator(part) for part in z.split(chunk)])

    def probabilities(self, x: Tensor) -> Tensor:
        """How likely each mode is for each row or image, ``[N, K]``, by the inversion network."""
        return read(self.inversion, x, self.device)[1].softmax(1)

    def assign(self, x: Tensor) -> Tensor:
        """Mode of each row or image, ``[N]``."""
        return self.probabilities(x).argmax(1)

    @torch.no_grad()
    def reconstruct(self, x: Tensor, chunk: int = 1024) -> Tensor:
        """What the generator makes of the noise that h1 reads off, g(h1(x)): ``[N, ...]``."""
        z_hat = read(self.inversion, x, self.device)[0]
        return torch.cat([self.generator(part) for part in z_hat.split(chunk)])


STAGES = (Stage("gan", ("gan",), (), fit, data_parallel=True),)


class NEMGANSystem(System):
    """NEMGAN, as the pipeline drives it."""

    paper = "NEMGAN"
    examples = {"table": "ring", "images": "digits"}
    Config = NEMGANConfig
    Model = NEMGANModel
    presets: Mapping[str, NEMGANConfig] = {
        "default": NEMGANConfig(),
        "smoke": preset(
            NEMGANConfig(),
            {"gan.num_samples": 256_000},  # 1,000 steps: ring's modes are found, not sharp
        ),
        # MNIST's, of the authors' code; the networks are ours.
        "paper": preset(
            NEMGANConfig(),
            {
                "gan.code_dim": 40,  # 50 dimensions in all, K of the modes
                "gan.noise_spread": 0.3,
                "gan.reconstruction_weight": 100.0,
                "gan.mode_weight": 1.0,
                "gan.norm": 1,  # Sec. 4.6
                "gan.head": "additive_margin",
                "gan.r1_weight": 0.0,  # it names no penalty
                "gan.image_width": 64,  # most channels of a layer of theirs: 512, at 4 pixels
                "gan.width": 512,
                "gan.batch_size": 64,
                "gan.num_samples": 12_800_000,  # 200,000 steps
                "gan.learning_rate": 1e-4,
                "gan.d_learning_rate": 2e-4,
                "gan.schedule": "constant",
            },
        ),
    }
    search_space: Space = {
        "gan.num_clusters": Int(2, 64, log=True, start=10),
        "gan.prior": Choice(("fixed", "learned")),
        "gan.mode_weight": Float(0.1, 10, log=True),
        "gan.reconstruction_weight": Float(0.01, 10, log=True),
        "gan.learning_rate": Float(1e-4, 1e-2, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES if data.stream is None else ()

    @override
    def check(self, config: NEMGANConfig, data: Dataset) -> None:
        c, labels = config.gan, read_labels(data)
        num = num_modes_of(c, data)
        if c.weights is not None and (len(c.weights) != num or min(c.weights) <= 0):
            raise ValueError(
                f"gan.weights are {', '.join(map(str, c.weights))}; give gan.num_clusters, {num}, "
                "numbers above 0"
            )
        if c.start != "noise" and c.labelled > 0:
            raise ValueError(
                f"gan.start is {c.start} and gan.labelled above 0, but h can be taught either "
                "groups or labels; choose one"
            )

        if c.start == "views" and (c.read_views == 0 or c.start_share == 1):
            raise ValueError(
                f"gan.start is views, gan.read_views {c.read_views:g} and gan.start_share "
                f"{c.start_share:g}, but groups need views, and the generator some of the "
                "training; choose a gan.read_views above 0 and a gan.start_share below 1"
            )

        if c.read_views > 0 and data.kind == "table":
            raise ValueError(
                f"gan.read_views is {c.read_views:g}, but {data.name} is a table and only images "
                "have views; choose 0"
            )
        if c.labelled == 0:
            return

        if labels is None or not labels.names:
            raise ValueError(
                f"gan.labelled is {c.labelled:g}, but {data.name} has no labels, one a row; choose "
                "0, or name a --data.label"
            )

        if len(labels.names) > num:
            raise ValueError(
                f"gan.num_clusters is {num}, but the labels have {len(labels.names)} "
                "values, each a mode; choose as many at least"
            )

    @override
    def evaluate(self, model: NEMGANModel, data: Dataset, seed: int) -> Iterator[tuple[str, Score]]:
        labels = read_labels(data)
        if labels is not None and bool((labels.test < 0).any()):
            # Rows without a label are no class of their own.
            known, data = labels.test >= 0, replace(data, test_labels=None)
            if known.any():
                k = model.assign(data.test[known]).cpu()
                yield from label_scores(labels.test[known].numpy(), k).items()

        yield from super().evaluate(model, data, seed)


SYSTEM = NEMGANSystem()
