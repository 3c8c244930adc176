r"""MMGAN: a Gaussian mixture as the latent space, and a network that finds each sample's cluster.

::

    y ~ Cat(K, 1/K)   z ~ N(0, I)   z~ = mu(y) + sigma(y) z   x~ = G(z~)
    E(x): probabilities p_E(y | x)   C(x): a logit, of x being real
    paired batch:  x real, y = E(x), x~ = G(z, y)      prior batch:  y drawn, x~ = G(z, y)

.. math::

    \min_D \max_{G, E} \; V(D, G, E) + \alpha \, E_{y, z}[\log p_E(y \mid G(z, y))], \qquad
    p(z \mid x) = \sum_k p_E(k \mid x) \, N(z \mid \mu_k, \sigma_k^2 I)

V, one of SGAN, RSGAN and cRaSGAN, and the whole objective are in :mod:`scgan.losses.mmgan`;
:math:`\tilde z` and the density of :math:`p(z \mid x)` in :mod:`scgan.nn.latent_mixture`.

Source: [MMGAN], whose learning rates, length, dimension d and layers of images are not published.
    Differs: see ``batches``, ``straight_through`` and ``start`` in :class:`MMGANSettings`; E of
    images learns from views of real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from scgan.capabilities import Option, WholeNumber
from scgan.config import Settings
from scgan.contract import Inputs, Stage, System, Units, preset
from scgan.data.dataset import Dataset
from scgan.figures import tables
from scgan.metrics.objectives import Objective, cluster_uncertainty
from scgan.nn.dcgan import Sizes, build_generator, build_reader
from scgan.nn.latent_mixture import LatentMixture, MixtureGenerator
from scgan.space import Choice, Float, Int, Space
from scgan.stages.mixture_gan import Networks, assigned, fit_mixture_gan
from scgan.stages.mixture_settings import MixtureSettings
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LABELS = 100  # distinct labels of a table above which they are no classes
USUAL_CLUSTERS = 10
NUM_CODES = 10_000  # that are drawn in a picture


class MMGANSettings(MixtureSettings):
    """The networks' settings beside the training's."""

    width: int = Field(128, ge=8, le=8192, description="units of a hidden layer, as in the paper")
    num_layers: int = Field(
        2,
        ge=1,
        le=32,
        description="hidden layers of each network, 2 in the paper; of images, their size says",
    )
    image_width: int = Field(
        16, ge=1, le=1024, description="channels at half the images' size, doubled at each halving"
    )

    @property
    def sizes(self) -> Sizes:
        """Of all three networks."""
        return Sizes(self.width, self.num_layers, self.image_width)


class MMGANConfig(Settings):
    """All of MMGAN's settings."""

    gan: MMGANSettings = MMGANSettings()


def build_mixture_generator(
    c: MMGANSettings, num_clusters: int, shape: Sequence[int], generator: torch.Generator
) -> MixtureGenerator:
    """A new latent mixture of K clusters with a generator of samples of that shape behind it."""
    deviations = {"sigma": c.sigma, "sigma_floor": c.sigma_floor}
    latent = LatentMixture(num_clusters, c.code_dim, **deviations, generator=generator)
    return MixtureGenerator(latent, build_generator(c.code_dim, shape, c.sizes, generator))


def num_clusters_of(c: MMGANSettings, data: Dataset) -> int:
    """K: what is set, or as many as there are classes, or 10."""
    if c.num_clusters is not None:
        return c.num_clusters

    labels = data.train_labels
    classes = 0 if labels is None or labels.ndim != 1 else len(np.unique(labels))
    return classes if 2 <= classes <= MOST_LABELS else USUAL_CLUSTERS


def fit(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Train generator, clustering network and critic.

    Source: [MMGAN] Algorithm 1.
    """
    c: MMGANSettings = config.gan
    num, shape = num_clusters_of(c, inputs.data), inputs.data.train.shape[1:]
    weights = inputs.generator("gan", "weights")

    starts = []
    for _ in range(c.num_starts):
        generator = build_mixture_generator(c, num, shape, weights)
        critic = build_reader(shape, 1, c.sizes, weights)
        encoder = build_reader(shape, num, c.sizes, weights)
        starts.append(Networks(generator, encoder, critic))

    return fit_mixture_gan(c, starts, inputs, runtime)


class MMGANModel:
    """A trained MMGAN.

    Args:
        config: Its settings.
        artifacts: Of its stage.
        device: Where it lies.

    Attributes:
        counts: Training samples of each cluster, ``[K]``.
        cluster_columns: Each cluster's share of samples, and the deviation of its Gaussian.
        latent: The latent mixture.
    """

    def __init__(
        self, config: MMGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.device, artifact = device, artifacts["gan"]
        shape, num, unused = (
            artifact.meta["shape"],
            artifact.meta["num_clusters"],
            torch.Generator(),
        )
        self.generator = build_mixture_generator(config.gan, num, shape, unused)
        self.encoder = build_reader(shape, num, config.gan.sizes, unused)
        for name in ("generator", "encoder"):
            network = getattr(self, name)
            network.load_state_dict(artifact.section(name))
            network.eval().requires_grad_(False).to(device)

        self.latent = self.generator.latent
        self.counts = artifact.tensors["counts"]
        self.cluster_columns: Mapping[str, Sequence[float]] = {
            "weight": [1 / num] * num,
            "latent deviation": self.latent.sigma.tolist(),
        }
        self.options: tuple[Option, ...] = (
            WholeNumber("cluster", "of this cluster only; of all, equally likely", num),
        )

    @torch.no_grad()
    def sample(
        self,
        num: int,
        generator: torch.Generator,
        *,
        cluster: int | None = None,
        chunk: int = 1024,
    ) -> Tensor:
        """Draw rows ``[num, D]``, or images ``[num, C, H, W]`` in [-1, 1].

        Args:
            num: How many.
            generator: Draws clusters and noise.
            cluster: Only of this cluster; None draws all equally likely.
            chunk: Samples made at once.
        """
        codes, _ = self.codes(num, generator, cluster)
        return torch.cat([self.generator.core(part) for part in codes.split(chunk)])

    @torch.no_grad()
    def codes(
        self, num: int, generator: torch.Generator, cluster: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw codes ``[num, d]`` of the latent mixture, and the cluster of each, ``[num]``."""
        device, num_clusters = generator.device, len(self.counts)
        k = torch.randint(num_clusters, (num,), generator=generator, device=device)
        k = k if cluster is None else torch.full_like(k, cluster)
        z = torch.randn(num, self.latent.mu.shape[1], generator=generator, device=device)
        return self.latent(F.one_hot(k, num_clusters).float(), z), k

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """p_E(k | x) of rows ``[N, D]`` or images ``[N, C, H, W]``, ``[N, K]``."""
        return assigned(self.encoder, x, self.device)

    def assign(self, x: Tensor) -> Tensor:
        """The likeliest cluster of each, ``[N]``."""
        return self.probabilities(x).argmax(1)

    @torch.no_grad()
    def posterior_log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """Log density of p(z | x), of codes given data.

        Args:
            z: Codes, ``[N, d]``.
            x: Rows or images, one a code.

        Returns:
            In nats, ``[N]``.

        Source: [MMGAN] inference on the latent space.
        """
        return self.latent.log_prob(z.to(self.device), self.probabilities(x).log())


STAGES = (Stage("gan", ("gan",), (), fit, data_parallel=True),)


class MMGANSystem(System):
    """MMGAN, as the pipeline drives it."""

    paper = "MMGAN"
    examples = {"table": "moons", "images": "digits"}
    Config = MMGANConfig
    Model = MMGANModel
    presets: Mapping[str, MMGANConfig] = {
        "default": MMGANConfig(),
        "smoke": preset(
            MMGANConfig(),
            {"gan.num_samples": 128_000},  # 1,000 steps: ring's modes are found, moons are cut
        ),
        # What is published; the floor, two layers of 128 and Adam's betas are the defaults.
        "paper": preset(
            MMGANConfig(),
            {
                "gan.critic": "crasgan",  # its best on images
                "gan.divisor": "batch",  # as it is printed
                "gan.sigma": 0.5,  # where its experiment on moons starts
                "gan.alpha": 1.0,
                "gan.start": "noise",  # E learns from samples
                "gan.r1_weight": 0.0,  # it names no penalty,
                "gan.ema_half_life": 1e-3,  # nor an average: the last weights
                "gan.schedule": "constant",  # nor a course of learning rates
            },
        ),
    }
    search_space: Space = {
        "gan.alpha": Float(0.1, 10, log=True),
        "gan.critic": Choice(("crasgan", "rsgan", "sgan")),
        "gan.num_clusters": Int(2, 64, log=True, start=10),
        "gan.learning_rate": Float(1e-4, 2e-3, log=True),
        "gan.d_learning_rate": Float(1e-4, 2e-3, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES if data.stream is None else ()

    @override
    def objectives(self, data: Dataset) -> Mapping[str, Objective]:
        return {**super().objectives(data), "cluster_uncertainty": cluster_uncertainty}

    @override
    def check(self, config: MMGANConfig, data: Dataset) -> None:
        c = config.gan
        num = num_clusters_of(c, data)
        if num > 2**c.code_dim:
            raise ValueError(
                f"gan.code_dim is {c.code_dim}, whose cube has {2**c.code_dim} vertices for the "
                f"means of {num} clusters to start from; choose at least {(num - 1).bit_length()}"
            )
        if c.start == "views" and data.kind == "table":
            raise ValueError(
                f"gan.start is views, but {data.name} is a table and only images have views; "
                "choose noise"
            )

    @override
    def figures(self, model: MMGANModel, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
        yield from super().figures(model, data, seed)
        codes, k = model.codes(NUM_CODES, torch.Generator(model.device).manual_seed(seed))
        caption = (
            "Latent mixture. Codes as they are drawn, by their cluster, in their first two "
            "principal components, and where most of them lie (the paper's Figure 6)."
        )
        yield caption, tables.latent_space(codes.cpu(), k.cpu(), {}, title="all codes")


SYSTEM = MMGANSystem()
