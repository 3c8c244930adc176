r"""ClusterGAN: a latent of a one-hot and a narrow Gaussian part, both read back by an encoder.

::

    y ~ Cat(K, 1/K)   z_n ~ s N(0, I)   x~ = G(z_n, e_y)   E(x) = (z_n^, y^)   D(x): a logit

.. math:: \min_{G, E} \max_D \; E_x[\log D(x)] + E_z[\log(1 - D(G(z)))]
          + \beta_n \lVert z_n - E_n(G(z)) \rVert_2^2 + \beta_c H(z_c, E_c(G(z)))

The last two terms are :func:`scgan.losses.clustergan.encoder_loss`, the others are in
:mod:`scgan.losses.adversarial`. A baseline of NEMGAN and MMGAN: its prior is uniform.

Source: [CLUSTERGAN]. Differs: the first two terms with one step of the discriminator to one of the
generator, where the paper has a Wasserstein critic on images; a row's cluster is the encoder's
likeliest, where the paper runs K-means on its codes; Adam's settings, smaller networks, averages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from scgan.capabilities import Option, WholeNumber
from scgan.config import Settings
from scgan.contract import Inputs, Stage, System, Units, preset
from scgan.data.dataset import Dataset
from scgan.data.images.schema import as_floats
from scgan.data.labels import num_classes
from scgan.losses.adversarial import non_saturating_d_loss, non_saturating_g_loss
from scgan.losses.clustergan import encoder_loss
from scgan.nn.dcgan import Sizes, build_generator, build_reader
from scgan.space import Float, Int, Space
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, train
from scgan.training.runtime import Runtime
from scgan.training.settings import BatchSize, LearningRate, NumSamples, Schedule, TrainingSettings
from scgan.training.state import Average, TrainState, named_weights

USUAL_CLUSTERS = 10
ROWS_AT_ONCE = 8192  # that are read at once


class ClusterGANSettings(TrainingSettings):
    """The latent, the three networks and their training."""

    num_clusters: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="K; none for as many as the labels have classes (only their number is taken), "
        "or 10",
    )
    code_dim: int = Field(
        5, ge=1, le=8192, description="dimensions of the Gaussian part; 30 for digits in the paper"
    )
    noise_std: float = Field(
        0.1, gt=0, description="its standard deviation; narrow, so that clusters stay apart"
    )
    beta_n: float = Field(
        10.0, ge=0, description="weight of the Gaussian part's reconstruction, as for digits"
    )
    beta_c: float = Field(
        10.0, ge=0, description="weight of the clusters' cross-entropy, as for digits"
    )
    width: int = Field(128, ge=8, le=8192, description="units of a hidden layer")
    num_layers: int = Field(
        2, ge=1, le=32, description="hidden layers of each network; of images, their size says"
    )
    image_width: int = Field(
        16, ge=1, le=1024, description="channels at half the images' size, doubled at each halving"
    )
    ema_half_life: float = Field(
        10_000, gt=0, description="samples after which a weight counts half in the stored averages"
    )
    batch_size: BatchSize = Field(256, description="rows or images a step, over all workers")
    num_samples: NumSamples = Field(
        1_024_000, description="rows or images seen, over all workers: 4,000 steps of 256"
    )
    learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of generator and encoder, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the discriminator, before the schedule"
    )
    schedule: Schedule = "linear"


class ClusterGANConfig(Settings):
    """All of ClusterGAN's settings."""

    gan: ClusterGANSettings = ClusterGANSettings()


def draw_latent(
    y: Tensor, num_clusters: int, c: ClusterGANSettings, generator: torch.Generator
) -> Tensor:
    """The latent of clusters ``[B]``: the Gaussian part, then the one-hot, ``[B, d + K]``.

    Source: [CLUSTERGAN] objective's prior, and its code.
    """
    z_n = torch.randn(len(y), c.code_dim, generator=generator, device=generator.device)
    return torch.cat([c.noise_std * z_n, F.one_hot(y, num_clusters)], 1)


def build_networks(
    c: ClusterGANSettings, num_clusters: int, shape: Sequence[int], generator: torch.Generator
) -> dict[str, nn.Module]:
    """New networks by name: generator, encoder and discriminator of samples of a shape."""
    sizes, latent = Sizes(c.width, c.num_layers, c.image_width), c.code_dim + num_clusters
    return {
        "generator": build_generator(latent, shape, sizes, generator),
        "encoder": build_reader(shape, latent, sizes, generator),
        "discriminator": build_reader(shape, 1, sizes, generator),
    }


def fit(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Train generator and encoder against the discriminator; their averages are kept.

    Source: [CLUSTERGAN] objective.
    """
    c: ClusterGANSettings = config.gan
    data, device = inputs.data.train, runtime.device
    num = c.num_clusters or num_classes(inputs.data) or USUAL_CLUSTERS
    networks = build_networks(c, num, data.shape[1:], inputs.generator("gan", "weights"))
    for network in networks.values():
        runtime.place(network)

    names = ("generator", "encoder")
    averages = {name: Average(networks[name], c.ema_half_life, c.batch_size) for name in names}
    generate, encode, judge = map(runtime.parallel, networks.values())
    both = nn.ModuleList([networks[name] for name in names])
    optimizers = {
        "generator": adam(both, c.learning_rate, betas=GAN_BETAS),
        "discriminator": adam(networks["discriminator"], c.d_learning_rate, betas=GAN_BETAS),
    }
    draws = {
        "batches": inputs.generator("gan", "batches"),
        "noise": inputs.generator("gan", "noise", device),
    }
    kept = {f"average_{name}": average for name, average in averages.items()}
    state = TrainState(networks | kept, optimizers, draws)

    def step() -> Mapping[str, Tensor]:
        rows = torch.randint(len(data), (c.batch_size,), generator=draws["batches"])
        real = as_floats(runtime.copy(data[runtime.share(rows)]))
        y = torch.randint(num, (c.batch_size,), generator=draws["noise"], device=device)
        z = runtime.share(draw_latent(y, num, c, draws["noise"]))
        y, fake, losses = runtime.share(y), generate(z), dict[str, Tensor]()

        def d_loss() -> Tensor:
            logits = judge(torch.cat([real, fake.detach()])).split(len(real))
            losses["d_loss"] = non_saturating_d_loss(*logits).mean()
            return losses["d_loss"]

        def g_loss() -> Tensor:
            losses["g_loss"] = non_saturating_g_loss(networks["discriminator"](fake)).mean()
            z_n_hat, logits = encode(fake).tensor_split([c.code_dim], 1)
            terms = encoder_loss(
                z[:, : c.code_dim], z_n_hat, logits, y, beta_n=c.beta_n, beta_c=c.beta_c
            )
            losses["continuous"], losses["discrete"] = terms.continuous, terms.discrete
            return losses["g_loss"] + terms.total

        adversarial_step(
            discriminators=[networks["discriminator"]],
            d_optimizer=optimizers["discriminator"],
            d_loss=d_loss,
            g_optimizer=optimizers["generator"],
            g_loss=g_loss,
        )
        for name, average in averages.items():
            average.update(networks[name])
        return losses

    curve = train(state, step, c, name="gan", runtime=runtime)
    generator, encoder = (averages[name].module for name in names)
    k = read(encoder, data, device)[:, c.code_dim :].argmax(1)
    tensors = named_weights("generator", generator) | named_weights("encoder", encoder)
    tensors["counts"] = torch.bincount(k.cpu(), minlength=num)
    return Artifact(tensors, {"curve": curve, "shape": list(data.shape[1:]), "num_clusters": num})


@torch.no_grad()
def read(encoder: nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """What the encoder reads off rows, or images, uint8 or in [-1, 1]: ``[N, d + K]``."""
    return torch.cat([encoder(as_floats(rows.to(device))) for rows in x.split(ROWS_AT_ONCE)])


class ClusterGANModel:
    """A trained ClusterGAN.

    Args:
        config: Its settings.
        artifacts: Of its stage.
        device: Where it lies.
    """

    def __init__(
        self, config: ClusterGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.c, self.device, artifact = config.gan, device, artifacts["gan"]
        shape, num = artifact.meta["shape"], artifact.meta["num_clusters"]
        networks = build_networks(self.c, num, shape, torch.Generator())
        for name in ("generator", "encoder"):
            networks[name].load_state_dict(artifact.section(name))
            networks[name].eval().requires_grad_(False).to(device)

        self.generator, self.encoder = networks["generator"], networks["encoder"]
        self.counts = artifact.tensors["counts"]
        self.cluster_columns: Mapping[str, Sequence[float]] = {"weight": [1 / num] * num}
        meaning = "of this cluster only; of all, equally likely"
        self.options: tuple[Option, ...] = (WholeNumber("cluster", meaning, num),)

    @torch.no_grad()
    def sample(
        self, num: int, generator: torch.Generator, *, cluster: int | None = None, chunk: int = 1024
    ) -> Tensor:
        """Draw rows ``[num, D]``, or images ``[num, C, H, W]`` in [-1, 1].

        Args:
            num: How many.
            generator: Draws clusters and noise.
            cluster: Only of this cluster; None draws all equally likely.
            chunk: Made at once.
        """
        y = torch.randint(len(self.counts), (num,), generator=generator, device=generator.device)
        y = y if cluster is None else torch.full_like(y, cluster)
        z = draw_latent(y, len(self.counts), self.c, generator)
        return torch.cat([self.generator(part) for part in z.split(chunk)])

    def probabilities(self, x: Tensor) -> Tensor:
        """How likely each cluster is for each row or image, ``[N, K]``, by the encoder."""
        return read(self.encoder, x, self.device)[:, self.c.code_dim :].softmax(1)

    def assign(self, x: Tensor) -> Tensor:
        """The likeliest cluster of each, ``[N]``."""
        return self.probabilities(x).argmax(1)


STAGES = (Stage("gan", ("gan",), (), fit, data_parallel=True),)


class ClusterGANSystem(System):
    """ClusterGAN, as the pipeline drives it."""

    paper = "CLUSTERGAN"
    examples = {"table": "ring", "images": "digits"}
    Config = ClusterGANConfig
    Model = ClusterGANModel
    presets: Mapping[str, ClusterGANConfig] = {
        "default": ClusterGANConfig(),
        "smoke": preset(ClusterGANConfig(), {"gan.num_samples": 256_000}),  # 1,000 steps
    }
    search_space: Space = {
        "gan.num_clusters": Int(2, 64, log=True, start=10),
        "gan.beta_n": Float(0.01, 100, log=True),
        "gan.beta_c": Float(0.1, 100, log=True),
        "gan.learning_rate": Float(1e-4, 1e-2, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES if data.stream is None else ()


SYSTEM = ClusterGANSystem()
