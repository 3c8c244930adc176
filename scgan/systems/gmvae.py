r"""GMVAE: a variational autoencoder whose codes are a mixture of Gaussians, one a cluster.

::

    k ~ Cat(K, 1/K)   z ~ N(mu_k, diag sigma_k^2)   x ~ N(decoder(z), s^2 I)
    q(k | x)   q(z | x, k) = N(mean(x, k), diag var(x, k))       cluster:  the likeliest k

.. math:: \log p(x) \ge \sum_k q(k \mid x) \Big( E \log p(x \mid z_k)
          - D_\mathrm{KL}(q(z \mid x, k) \Vert p(z \mid k)) - \log \frac{q(k \mid x)}{1/K} \Big)

The bound's negative is :func:`scgan.losses.gmvae.negative_elbo`. A baseline of NEMGAN and MMGAN.

Source: [GMVAE]. Differs: all of a batch's clusters are decoded, as there; Gaussian rows and images;
images' clusters are balanced over a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
from scgan.losses.gmvae import Gaussians, negative_elbo
from scgan.nn.dcgan import BalancedLogits, Sizes, build_generator, build_reader
from scgan.nn.mlp import MLP, initialise
from scgan.space import Float, Int, Space
from scgan.store.artifacts import Artifact
from scgan.training.loop import adam, descend, train
from scgan.training.runtime import Runtime
from scgan.training.settings import (
    BatchSize,
    LearningRate,
    NumSamples,
    Schedule,
    TrainingSettings,
    chosen,
)
from scgan.training.state import Average, TrainState, named_weights

USUAL_CLUSTERS = 10
ROWS_AT_ONCE = 2048  # that are encoded at once


class GMVAESettings(TrainingSettings):
    """The mixture, the networks and their training."""

    num_clusters: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="K; none for as many as the labels have classes (only their number is taken), "
        "or 10",
    )
    code_dim: int | None = Field(
        None,
        ge=1,
        le=8192,
        description="d, dimensions of the code; none for 2 of rows and 10 of images",
    )
    decoder_std: float | None = Field(
        None,
        gt=0,
        description="deviation of rows or pixels about what is decoded, fixed; none for 0.1 of "
        "rows and 0.5 of images",
    )
    width: int = Field(128, ge=8, le=8192, description="units of a hidden layer")
    num_layers: int = Field(
        2, ge=1, le=32, description="hidden layers of each network; of images, their size says"
    )
    image_width: int = Field(
        16, ge=1, le=1024, description="channels at half the images' size, doubled at each halving"
    )
    ema_half_life: float = Field(
        10_000, gt=0, description="samples after which a weight counts half in the stored average"
    )
    batch_size: BatchSize = Field(128, description="rows or images a step, over all workers")
    num_samples: NumSamples = Field(
        512_000, description="rows or images seen, over all workers: 4,000 steps of 128"
    )
    learning_rate: LearningRate = Field(1e-3, description="of Adam, before the schedule")
    schedule: Schedule = "linear"


class GMVAEConfig(Settings):
    """All of the GMVAE's settings."""

    vae: GMVAESettings = GMVAESettings()


class Choices(NamedTuple):
    """Settings whose usual values differ between rows and images."""

    code_dim: int
    decoder_std: float


OF_ROWS, OF_IMAGES = Choices(2, 0.1), Choices(10, 0.5)


class MixtureAutoencoder(nn.Module):
    """Encoder of clusters and codes, the mixture, and the decoder.

    Args:
        c: Settings.
        num_clusters: K.
        shape: Of a sample: ``[D]`` or ``[C, H, W]``.
        generator: Draws the initial weights and the mixture's means.
    """

    def __init__(
        self,
        c: GMVAESettings,
        num_clusters: int,
        shape: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes, images = Sizes(c.width, c.num_layers, c.image_width), len(shape) > 1
        code_dim, self.std = chosen(c, OF_IMAGES if images else OF_ROWS)
        self.num_clusters = num_clusters
        self.reader = build_reader(shape, c.width, sizes, generator)
        clusters = nn.Linear(c.width, num_clusters)
        self.codes = MLP([c.width + num_clusters, c.width, 2 * code_dim], nn.ReLU)
        for network in (clusters, self.codes):
            initialise(network, generator)

        balanced = BalancedLogits(num_clusters) if images else nn.Identity()
        self.clusters = nn.Sequential(clusters, balanced)
        self.decoder = build_generator(code_dim, shape, sizes, generator)
        self.mean = nn.Parameter(torch.randn(num_clusters, code_dim, generator=generator))
        self.log_var = nn.Parameter(torch.zeros(num_clusters, code_dim))

    def encode(self, x: Tensor) -> tuple[Tensor, Gaussians]:
        """Logits of q(k | x) ``[B, K]``, and q(z | x, k) of each cluster, ``[B, K, d]``."""
        h, k = self.reader(x).relu(), torch.eye(self.num_clusters, device=x.device)
        pairs = torch.cat(
            [h.unsqueeze(1).expand(-1, self.num_clusters, -1), k.expand(len(x), -1, -1)], 2
        )
        return self.clusters(h), Gaussians(*self.codes(pairs).chunk(2, 2))

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Gaussians, Tensor]:
        """Decode a code of each cluster.

        Args:
            x: Samples, ``[B, ...]``.
            noise: From N(0, I), ``[B, K, d]``.

        Returns:
            The decoded means ``[B, K, ...]``, the posteriors, and the logits.
        """
        logits, q = self.encode(x)
        z = q.mean + (0.5 * q.log_var).exp() * noise
        return self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2]), q, logits

    def loss(self, x: Tensor, decoded: tuple[Tensor, Gaussians, Tensor]) -> Mapping[str, Tensor]:
        """The bound's negative and its terms, of what :meth:`forward` gives."""
        x_hat, q, logits = decoded
        prior = Gaussians(self.mean, self.log_var)
        return negative_elbo(x, x_hat, q, prior, logits, self.std)._asdict()


def fit(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Raise the bound; the average over the steps is kept.

    Source: [GMVAE] loss.
    """
    c: GMVAESettings = config.vae
    data, device = inputs.data.train, runtime.device
    num = c.num_clusters or num_classes(inputs.data) or USUAL_CLUSTERS
    network = MixtureAutoencoder(c, num, data.shape[1:], inputs.generator("vae", "weights"))
    runtime.place(network)
    average = Average(network, c.ema_half_life, c.batch_size)
    autoencode, optimizer = runtime.parallel(network), adam(network, c.learning_rate)
    draws = {
        "batches": inputs.generator("vae", "batches"),
        "noise": inputs.generator("vae", "noise", device),
    }
    networks = {"network": network, "average": average}
    state = TrainState(networks, {"network": optimizer}, draws)

    def step() -> Mapping[str, Tensor]:
        rows = torch.randint(len(data), (c.batch_size,), generator=draws["batches"])
        x = as_floats(runtime.copy(data[runtime.share(rows)]))
        shape = (c.batch_size, *network.mean.shape)
        noise = torch.randn(shape, generator=draws["noise"], device=device)
        losses = network.loss(x, autoencode(x, runtime.share(noise)))
        descend(optimizer, losses["total"])
        average.update(network)
        return losses

    curve = train(state, step, c, name="vae", runtime=runtime)
    k = clusters_of(average.module.eval(), data, device).argmax(1)
    tensors = named_weights("network", average.module)
    tensors["counts"] = torch.bincount(k.cpu(), minlength=num)
    return Artifact(tensors, {"curve": curve, "shape": list(data.shape[1:]), "num_clusters": num})


@torch.no_grad()
def clusters_of(network: Any, x: Tensor, device: torch.device) -> Tensor:
    """q(k | x) of rows, or of images, uint8 or in [-1, 1]: ``[N, K]``."""
    parts = [network.encode(as_floats(rows.to(device)))[0] for rows in x.split(ROWS_AT_ONCE)]
    return torch.cat(parts).softmax(1)


class GMVAEModel:
    """A trained GMVAE.

    Args:
        config: Its settings.
        artifacts: Of its stage.
        device: Where it lies.
    """

    def __init__(
        self, config: GMVAEConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.device, artifact = device, artifacts["vae"]
        shape, num = artifact.meta["shape"], artifact.meta["num_clusters"]
        network = MixtureAutoencoder(config.vae, num, shape, torch.Generator())
        network.load_state_dict(artifact.section("network"))
        self.network = network.eval().requires_grad_(False).to(device)

        self.counts = artifact.tensors["counts"]
        self.cluster_columns: Mapping[str, Sequence[float]] = {"weight": [1 / num] * num}
        meaning = "of this cluster only; of all, equally likely"
        self.options: tuple[Option, ...] = (WholeNumber("cluster", meaning, num),)

    @torch.no_grad()
    def sample(
        self, num: int, generator: torch.Generator, *, cluster: int | None = None, chunk: int = 1024
    ) -> Tensor:
        """Draw rows ``[num, D]``, noise about their means included, or the means of images.

        Args:
            num: How many.
            generator: Draws clusters, codes and noise.
            cluster: Only of this cluster; None draws all equally likely.
            chunk: Made at once.
        """
        device, network = generator.device, self.network
        k = torch.randint(len(self.counts), (num,), generator=generator, device=device)
        k = k if cluster is None else torch.full_like(k, cluster)
        noise = torch.randn(num, network.mean.shape[1], generator=generator, device=device)
        z = network.mean[k] + (0.5 * network.log_var[k]).exp() * noise
        x = torch.cat([network.decoder(part) for part in z.split(chunk)])
        if x.ndim > 2:
            return x
        return x + network.std * torch.randn(x.shape, generator=generator, device=device)

    def probabilities(self, x: Tensor) -> Tensor:
        """q(k | x) of each row or image, ``[N, K]``."""
        return clusters_of(self.network, x, self.device)

    def assign(self, x: Tensor) -> Tensor:
        """The likeliest cluster of each, ``[N]``."""
        return self.probabilities(x).argmax(1)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Rows or images decoded from the mean code of their likeliest cluster, ``[N, ...]``."""
        parts = []
        for rows in x.split(ROWS_AT_ONCE):
            logits, q = self.network.encode(as_floats(rows.to(self.device)))
            chosen = F.one_hot(logits.argmax(1), logits.shape[1]).bool()
            parts.append(self.network.decoder(q.mean[chosen]))
        return torch.cat(parts)


STAGES = (Stage("vae", ("vae",), (), fit, data_parallel=True, version=2),)


class GMVAESystem(System):
    """The GMVAE, as the pipeline drives it."""

    paper = "GMVAE"
    examples = {"table": "ring", "images": "digits"}
    Config = GMVAEConfig
    Model = GMVAEModel
    presets: Mapping[str, GMVAEConfig] = {
        "default": GMVAEConfig(),
        "smoke": preset(GMVAEConfig(), {"vae.num_samples": 128_000}),  # 1,000 steps
    }
    search_space: Space = {
        "vae.num_clusters": Int(2, 64, log=True, start=10),
        "vae.decoder_std": Float(0.01, 1, log=True),
        "vae.code_dim": Int(1, 32, log=True),
        "vae.learning_rate": Float(1e-4, 1e-2, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES if data.stream is None else ()


SYSTEM = GMVAESystem()
