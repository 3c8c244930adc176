r"""Adversarial autoencoder that clusters: a code of a cluster and a style, each like its prior.

::

    E(x) = (y, z): y a distribution over K clusters, z the style      x^ = G(y, z)
    sample:  y ~ Cat(K, 1/K), one-hot   z ~ N(0, I)   x~ = G(y, z)      cluster:  the largest of y

.. math:: \min_{E, G} \; E \lVert x - \hat x \rVert_2^2 + \gamma \, (d(q(y), \mathrm{Cat}(1/K))
          + d(q(z), N(0, I)))

with each divergence d by a discriminator of its own. Encoder and decoder minimise
:func:`scgan.losses.aae.autoencoder_loss`, the discriminators
:func:`scgan.losses.adversarial.non_saturating_d_loss`. A baseline of NEMGAN and MMGAN.

Source: [AAE] Sec. 6. Differs: Adam, smaller networks, averages, images' clusters balanced
over a batch.
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
from scgan.losses.aae import autoencoder_loss
from scgan.losses.adversarial import non_saturating_d_loss
from scgan.nn.dcgan import BalancedLogits, Sizes, build_generator, build_reader
from scgan.space import Float, Int, Space
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, train
from scgan.training.runtime import Runtime
from scgan.training.settings import BatchSize, LearningRate, NumSamples, Schedule, TrainingSettings
from scgan.training.state import Average, TrainState, named_weights

USUAL_CLUSTERS = 10
USUAL_STYLE, USUAL_STYLE_OF_IMAGES = 2, 5
ROWS_AT_ONCE = 8192  # that are encoded at once


class AAESettings(TrainingSettings):
    """The code, the networks and their training."""

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
        description="dimensions of the style; none for 2 of rows, and of images the paper's 5",
    )
    prior_weight: float = Field(
        0.1, gt=0, description="of the priors' divergences beside the reconstruction"
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
        1e-3, description="of Adam, of encoder and decoder, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the discriminators, before the schedule"
    )
    schedule: Schedule = "linear"


class AAEConfig(Settings):
    """All of the clustering AAE's settings."""

    aae: AAESettings = AAESettings()


class Networks(NamedTuple):
    """What is trained: encoder, decoder, the discriminators of clusters and of style."""

    encoder: nn.Module
    decoder: nn.Module
    of_clusters: nn.Module
    of_style: nn.Module


def build_networks(
    c: AAESettings, num_clusters: int, shape: Sequence[int], generator: torch.Generator
) -> Networks:
    """New networks for samples of a shape; images' clusters are read balanced, which is ours."""
    sizes, style = Sizes(c.width, c.num_layers, c.image_width), style_dim(c, shape)
    code = num_clusters + style
    encoder = build_reader(shape, code, sizes, generator)
    return Networks(
        nn.Sequential(encoder, BalancedLogits(num_clusters)) if len(shape) > 1 else encoder,
        build_generator(code, shape, sizes, generator),
        build_reader((num_clusters,), 1, sizes, generator),
        build_reader((style,), 1, sizes, generator),
    )


def style_dim(c: AAESettings, shape: Sequence[int]) -> int:
    """Dimensions of the style of samples of a shape."""
    return c.code_dim or (USUAL_STYLE if len(shape) == 1 else USUAL_STYLE_OF_IMAGES)


def code_of(read: Tensor, num_clusters: int) -> tuple[Tensor, Tensor]:
    """Clusters as a distribution ``[B, K]`` and style ``[B, d]`` of what the encoder gives."""
    return read[:, :num_clusters].softmax(1), read[:, num_clusters:]


def fit(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Train the autoencoder against both discriminators; its averages are kept.

    Source: [AAE] Sec. 6.
    """
    c: AAESettings = config.aae
    data, device = inputs.data.train, runtime.device
    num = c.num_clusters or num_classes(inputs.data) or USUAL_CLUSTERS
    networks = build_networks(c, num, data.shape[1:], inputs.generator("aae", "weights"))
    dims = num, style_dim(c, data.shape[1:])
    for network in networks:
        runtime.place(network)

    encoder, decoder, of_clusters, of_style = networks
    encode, decode, judge_y, judge_z = map(runtime.parallel, networks)
    averages = [Average(network, c.ema_half_life, c.batch_size) for network in networks[:2]]
    both, judges = nn.ModuleList(networks[:2]), nn.ModuleList(networks[2:])
    optimizers = {
        "autoencoder": adam(both, c.learning_rate, betas=GAN_BETAS),
        "discriminators": adam(judges, c.d_learning_rate, betas=GAN_BETAS),
    }
    draws = {
        "batches": inputs.generator("aae", "batches"),
        "noise": inputs.generator("aae", "noise", device),
    }
    kept = dict(zip(("average_encoder", "average_decoder"), averages, strict=True))
    state = TrainState(networks._asdict() | kept, optimizers, draws)

    def step() -> Mapping[str, Tensor]:
        rows = torch.randint(len(data), (c.batch_size,), generator=draws["batches"])
        x, losses = as_floats(runtime.copy(data[runtime.share(rows)])), dict[str, Tensor]()
        prior_y, prior_z = map(runtime.share, draw_code(c.batch_size, *dims, draws["noise"]))
        y, z = code_of(encode(x), num)

        def d_loss() -> Tensor:
            losses["d_clusters"] = _telling(judge_y, prior_y, y.detach())
            losses["d_style"] = _telling(judge_z, prior_z, z.detach())
            return losses["d_clusters"] + losses["d_style"]

        def autoencode() -> Tensor:
            x_hat = decode(torch.cat([y, z], 1))
            judged = of_clusters(y), of_style(z)
            terms = autoencoder_loss(x, x_hat, *judged, prior_weight=c.prior_weight)
            losses.update(terms._asdict())
            return losses.pop("total")

        adversarial_step(
            discriminators=[judges],
            d_optimizer=optimizers["discriminators"],
            d_loss=d_loss,
            g_optimizer=optimizers["autoencoder"],
            g_loss=autoencode,
        )
        for average, network in zip(averages, networks, strict=False):
            average.update(network)
        return losses

    curve = train(state, step, c, name="aae", runtime=runtime)
    kept_encoder, kept_decoder = (average.module.eval() for average in averages)
    k = encoded(kept_encoder, data, num, device)[0].argmax(1)
    tensors = named_weights("encoder", kept_encoder) | named_weights("decoder", kept_decoder)
    tensors["counts"] = torch.bincount(k.cpu(), minlength=num)
    return Artifact(tensors, {"curve": curve, "shape": list(data.shape[1:]), "num_clusters": num})


def _telling(judge: nn.Module, prior: Tensor, found: Tensor) -> Tensor:
    """A discriminator's loss on codes from the prior and encoded ones."""
    logits = judge(torch.cat([prior, found])).split(len(prior))
    return non_saturating_d_loss(*logits).mean()


def draw_code(
    num: int, num_clusters: int, code_dim: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Codes from the priors: clusters one-hot ``[num, K]``, style ``[num, code_dim]``."""
    device = generator.device
    k = torch.randint(num_clusters, (num,), generator=generator, device=device)
    z = torch.randn(num, code_dim, generator=generator, device=device)
    return F.one_hot(k, num_clusters).float(), z


@torch.no_grad()
def encoded(
    encoder: nn.Module, x: Tensor, num_clusters: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Clusters ``[N, K]`` and style ``[N, d]`` of rows, or of images, uint8 or in [-1, 1]."""
    read = [encoder(as_floats(rows.to(device))) for rows in x.split(ROWS_AT_ONCE)]
    return code_of(torch.cat(read), num_clusters)


class AAEModel:
    """A trained clustering AAE.

    Args:
        config: Its settings.
        artifacts: Of its stage.
        device: Where it lies.
    """

    def __init__(
        self, config: AAEConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.device, artifact = device, artifacts["aae"]
        shape, num = artifact.meta["shape"], artifact.meta["num_clusters"]
        networks = build_networks(config.aae, num, shape, torch.Generator())
        self.encoder, self.decoder, *_ = networks
        self.style_dim = style_dim(config.aae, shape)
        for name in ("encoder", "decoder"):
            network = getattr(self, name)
            network.load_state_dict(artifact.section(name))
            network.eval().requires_grad_(False).to(device)

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
            generator: Draws clusters and styles.
            cluster: Only of this cluster; None draws all equally likely.
            chunk: Made at once.
        """
        y, z = draw_code(num, len(self.counts), self.style_dim, generator)
        if cluster is not None:
            y = F.one_hot(torch.full((num,), cluster, device=y.device), len(self.counts)).to(y)
        return torch.cat([self.decoder(part) for part in torch.cat([y, z], 1).split(chunk)])

    def probabilities(self, x: Tensor) -> Tensor:
        """How likely each cluster is for each row or image, ``[N, K]``, by the encoder."""
        return encoded(self.encoder, x, len(self.counts), self.device)[0]

    def assign(self, x: Tensor) -> Tensor:
        """The likeliest cluster of each, ``[N]``."""
        return self.probabilities(x).argmax(1)

    @torch.no_grad()
    def reconstruct(self, x: Tensor, chunk: int = 1024) -> Tensor:
        """Rows or images from their own codes, ``[N, ...]``."""
        code = torch.cat(encoded(self.encoder, x, len(self.counts), self.device), 1)
        return torch.cat([self.decoder(part) for part in code.split(chunk)])


STAGES = (Stage("aae", ("aae",), (), fit, data_parallel=True, version=2),)


class AAESystem(System):
    """The clustering AAE, as the pipeline drives it."""

    paper = "AAE"
    examples = {"table": "ring", "images": "digits"}
    Config = AAEConfig
    Model = AAEModel
    presets: Mapping[str, AAEConfig] = {
        "default": AAEConfig(),
        "smoke": preset(AAEConfig(), {"aae.num_samples": 256_000}),  # 1,000 steps
    }
    search_space: Space = {
        "aae.num_clusters": Int(2, 64, log=True, start=10),
        "aae.prior_weight": Float(0.001, 10, log=True),
        "aae.learning_rate": Float(1e-4, 1e-2, log=True),
        "aae.d_learning_rate": Float(1e-4, 1e-2, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES if data.stream is None else ()


SYSTEM = AAESystem()
