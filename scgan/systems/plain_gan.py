r"""A plain GAN: one generator, one discriminator, one stage; the baseline that has no encoder.

::

    z ~ N(0, I)   x~ = G(z)   D(x): a logit, of x being real

.. math:: \min_G \max_D \; E_x[\log \sigma(D(x))] + E_z[\log(1 - \sigma(D(G(z))))]

The generator is trained by the non-saturating form, it maximises
:math:`E_z[\log \sigma(D(G(z)))]`. Rows of a table go through fully connected networks, images
through strided convolutions (:mod:`scgan.nn.dcgan`); what is sampled from is the generator's
average over its steps. Both losses are in :mod:`scgan.losses.adversarial`.

Source: [GAN] Eq. (1), Sec. 3. Differs: Adam, networks without dropout, the averaged generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from scgan.capabilities import Option
from scgan.config import Settings
from scgan.contract import Inputs, Stage, System, Units, preset
from scgan.data.dataset import Dataset
from scgan.data.images.schema import as_floats
from scgan.losses.adversarial import non_saturating_d_loss, non_saturating_g_loss
from scgan.nn.dcgan import Sizes, build_generator, build_reader
from scgan.space import Float, Int, Space
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, train
from scgan.training.runtime import Runtime
from scgan.training.settings import BatchSize, LearningRate, NumSamples, Schedule, TrainingSettings
from scgan.training.state import Average, TrainState, named_weights


class GANSettings(TrainingSettings):
    """The two networks and their training."""

    code_dim: int = Field(16, ge=1, le=8192, description="dimension of z, the generator's input")
    width: int = Field(128, ge=8, le=8192, description="units of a hidden layer")
    num_layers: int = Field(
        3, ge=1, le=32, description="hidden layers of each network; of images, their size says"
    )
    image_width: int = Field(
        16, ge=1, le=1024, description="channels at half the images' size, doubled at each halving"
    )
    ema_half_life: float = Field(
        10_000, gt=0, description="samples after which a weight counts half in the stored average"
    )
    batch_size: BatchSize = Field(64, description="rows or images a step, over all workers")
    num_samples: NumSamples = Field(
        256_000, description="rows or images seen, over all workers: 4,000 steps of 64"
    )
    learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the generator, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of the discriminator, before the schedule"
    )
    schedule: Schedule = "late_linear"

    @property
    def sizes(self) -> Sizes:
        """Of both networks."""
        return Sizes(self.width, self.num_layers, self.image_width)


class PlainGANConfig(Settings):
    """All of the plain GAN's settings."""

    gan: GANSettings = GANSettings()


def fit(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Train both networks against each other; the generator's average over its steps is kept.

    Source: [GAN] Eq. (1), Algorithm 1 with one step of the discriminator to one of the generator.
    """
    c: GANSettings = config.gan
    data, device = inputs.data.train, runtime.device
    shape, weights = data.shape[1:], inputs.generator("gan", "weights")
    generator = build_generator(c.code_dim, shape, c.sizes, weights, nn.SiLU)
    discriminator = build_reader(shape, 1, c.sizes, weights, nn.SiLU)
    for network in (generator, discriminator):
        runtime.place(network)

    average = Average(generator, c.ema_half_life, c.batch_size)
    generate, judge = runtime.parallel(generator), runtime.parallel(discriminator)
    optimizers = {
        "generator": adam(generator, c.learning_rate, betas=GAN_BETAS),
        "discriminator": adam(discriminator, c.d_learning_rate, betas=GAN_BETAS),
    }
    draws = {
        "batches": inputs.generator("gan", "batches"),
        "noise": inputs.generator("gan", "noise", device),
    }
    networks = {"generator": generator, "discriminator": discriminator, "average": average}
    state = TrainState(networks, optimizers, draws)

    def step() -> Mapping[str, Tensor]:
        rows = torch.randint(len(data), (c.batch_size,), generator=draws["batches"])
        real = as_floats(runtime.copy(data[runtime.share(rows)]))
        z = torch.randn(c.batch_size, c.code_dim, generator=draws["noise"], device=device)
        fake, losses = generate(runtime.share(z)), dict[str, Tensor]()

        def d_loss() -> Tensor:
            logits = judge(torch.cat([real, fake.detach()])).split(len(real))
            losses["d_loss"] = non_saturating_d_loss(*logits).mean()
            return losses["d_loss"]

        def g_loss() -> Tensor:
            losses["g_loss"] = non_saturating_g_loss(discriminator(fake)).mean()
            return losses["g_loss"]

        adversarial_step(
            discriminators=[discriminator],
            d_optimizer=optimizers["discriminator"],
            d_loss=d_loss,
            g_optimizer=optimizers["generator"],
            g_loss=g_loss,
        )

        average.update(generator)
        return losses

    curve = train(state, step, c, name="gan", runtime=runtime)
    meta = {"curve": curve, "shape": list(shape)}
    return Artifact(named_weights("generator", average.module), meta)


class PlainGANModel:
    """A trained GAN.

    Args:
        config: Its settings.
        artifacts: Of its stage.
        device: Where it lies.
    """

    def __init__(
        self, config: PlainGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.device, self.code_dim = device, config.gan.code_dim
        self.options: tuple[Option, ...] = ()
        artifact = artifacts["gan"]
        c, shape = config.gan, artifact.meta["shape"]
        network = build_generator(c.code_dim, shape, c.sizes, torch.Generator(), nn.SiLU)
        network.load_state_dict(artifact.section("generator"))
        self.generator = network.eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def sample(self, num: int, generator: torch.Generator, *, chunk: int = 1024) -> Tensor:
        """Draw rows ``[num, D]``, or images ``[num, C, H, W]`` in [-1, 1], ``chunk`` at once."""
        z = torch.randn(num, self.code_dim, generator=generator, device=generator.device)
        return torch.cat([self.generator(part) for part in z.split(chunk)])


STAGES = (Stage("gan", ("gan",), (), fit, data_parallel=True),)


class PlainGANSystem(System):
    """The plain GAN, as the pipeline drives it."""

    paper = "GAN"
    examples = {"table": "ring", "images": "digits"}
    Config = PlainGANConfig
    Model = PlainGANModel
    presets: Mapping[str, PlainGANConfig] = {
        "default": PlainGANConfig(),
        "smoke": preset(
            PlainGANConfig(),
            {"gan.num_samples": 64_000},  # 1,000 steps: ring's modes are found, digits are shapes
        ),
    }
    search_space: Space = {
        "gan.learning_rate": Float(1e-4, 1e-2, log=True),
        "gan.d_learning_rate": Float(1e-4, 1e-2, log=True),
        "gan.code_dim": Int(2, 128, log=True),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return STAGES if data.stream is None else ()


SYSTEM = PlainGANSystem()
