"""Stage: the stochastic generator of images, adversarial, held to its attributes now and then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from scgan.contract import Inputs, Units
from scgan.data.images.augment import DiffAugment
from scgan.data.images.schema import to_float
from scgan.losses.adversarial import PAIRS
from scgan.losses.classification import attribute_loss, limited_attribute_loss
from scgan.losses.energy import energy_score
from scgan.losses.infoscc_gan import generator_loss
from scgan.losses.regularizers import r1
from scgan.nn.discriminators import build_discriminator
from scgan.nn.eigengan import ImageGenerator
from scgan.stages.images.attributes import Attributes, load_attributes
from scgan.stages.images.encode import load_image_encoder
from scgan.stages.images.generator_settings import ConditionalSettings, GeneratorSettings
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, descend, train
from scgan.training.runtime import Runtime
from scgan.training.settings import SCHEDULES
from scgan.training.state import Average, TrainState, named_weights


def build_generator(
    c: GeneratorSettings,
    channels: int,
    size: int,
    num_attributes: int,
    generator: torch.Generator | None = None,
) -> ImageGenerator:
    """A new generator, its weights drawn from ``generator``."""
    return ImageGenerator(
        channels,
        size,
        code_dim=c.code_dim,
        noise_dim=c.noise_dim,
        noise_scale=c.noise_scale,
        width=c.width,
        max_width=c.max_width,
        num_attributes=num_attributes,
        generator=generator or torch.Generator(),
        upsampling=c.upsampling,
        balanced=isinstance(c, ConditionalSettings) and c.balanced_mapper,
    )


def load_generator(c: GeneratorSettings, artifact: Artifact) -> ImageGenerator:
    """The trained generator, averaged over its steps, frozen."""
    meta = artifact.meta
    network = build_generator(c, meta["channels"], meta["size"], meta["num_attributes"])
    network.load_state_dict(artifact.section("generator"))
    return network.eval().requires_grad_(False)


@dataclass(frozen=True)
class Conditions:
    """What holds a generator to its attributes.

    Args:
        attributes: Of the training images, with their linear classifier.
        backbone: The frozen encoder, from images to features h.
        c: Settings: every how many steps, with what weight, and how far.
    """

    attributes: Attributes
    backbone: nn.Module
    c: ConditionalSettings

    def loss(self, h: Tensor, y: Tensor) -> Tensor:
        """How far attributes read off features ``[B, F]`` are from ``y`` ``[B, A]``, in nats.

        Source: [INFOSCC-GAN] Eq. (5).
        """
        found = self.attributes
        logits = found.classifier(h).float()
        if self.c.certainty == "as_real":
            return limited_attribute_loss(logits, y, found.kind, found.real_loss)
        return attribute_loss(logits, y, found.kind)

    def energy(self, h: Tensor, x: Tensor) -> Tensor:
        """How far samples' features are from real images', attribute by attribute.

        Args:
            h: Features of two samples with the attributes of each of ``x``, ``[2 b, F]``.
            x: Real images, ``[b, C, H, W]``.

        Source: [SCORING-RULES] Sec. 4.3, of p(h given y).
        """
        with torch.no_grad():
            real = self.backbone(x)
        first, second = h.chunk(2)
        return energy_score(first.float(), second.float(), real.float()).mean()

    def weight(self, done: float) -> float:
        """Of that loss, a share ``done`` of the training being over."""
        return self.c.classification_weight * SCHEDULES[self.c.classification_schedule](done)


def generate(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Train the unconditional generator.

    Source: [EIGENGAN] Sec. 3.
    """
    return _fit(config.generator, None, inputs, runtime)


def generate_conditionally(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 3: train the generator, every n-th iteration also by a step towards its attributes.

    Source: [INFOSCC-GAN] Sec. 3.3, Eqs. (5) and (7).
    """
    found = load_attributes(inputs.artifacts["attributes"])
    found.classifier.to(runtime.device)
    found = replace(found, real_loss=found.real_loss.to(runtime.device))
    backbone = load_image_encoder(config.encoder, inputs.artifacts["encode"]).backbone
    runtime.place(backbone)
    c: ConditionalSettings = config.generator
    return _fit(c, Conditions(found, backbone, c), inputs, runtime)


def _fit(
    c: GeneratorSettings, conditions: Conditions | None, inputs: Inputs, runtime: Runtime
) -> Artifact:
    training = GeneratorTraining(c, conditions, inputs, runtime)
    curve = train(training.state, training.step, c, name="generate", runtime=runtime)
    channels, size = inputs.data.train.shape[1:3]
    meta = {
        "curve": curve,
        "channels": channels,
        "size": size,
        "num_attributes": training.generator.num_attributes,
    }

    return Artifact(named_weights("generator", training.average.module), meta)


class GeneratorTraining:
    """Networks, optimisers and the step of the adversarial training.

    Args:
        c: Settings.
        conditions: What holds the generator to its attributes; None where it has none.
        inputs: Data and seed.
        runtime: Where it runs.
    """

    def __init__(
        self, c: GeneratorSettings, conditions: Conditions | None, inputs: Inputs, runtime: Runtime
    ) -> None:
        self.c, self.conditions, self.runtime = c, conditions, runtime
        self.images, device = inputs.data.train, runtime.device
        channels, size = self.images.shape[1:3]
        num_attributes = len(conditions.attributes.names) if conditions else 0
        weights = inputs.generator("generate", "weights")
        self.generator = build_generator(c, channels, size, num_attributes, weights)
        self.discriminator = build_discriminator(
            c.discriminator,
            channels,
            size,
            width=c.d_width,
            max_width=c.max_width,
            num_attributes=num_attributes,
            generator=weights,
            spectral=c.spectral,
        )

        for network in (self.generator, self.discriminator):
            runtime.place(network)

        self.average = Average(self.generator, c.ema_half_life, c.batch_size)
        self.network = runtime.parallel(self.generator)
        self.critic = runtime.parallel(self.discriminator)
        self.g_optimizer = adam(self.generator, c.learning_rate, betas=GAN_BETAS)
        self.d_optimizer = adam(self.discriminator, c.d_learning_rate, betas=GAN_BETAS)
        self.augment = DiffAugment(c.diff_augment, c.augment_probability)
        self.batches = inputs.generator("generate", "batches")
        self.noise = inputs.generator("generate", "noise", device)

        networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.state = TrainState(
            {**networks, "average": self.average},
            {"generator": self.g_optimizer, "discriminator": self.d_optimizer},
            {"batches": self.batches, "noise": self.noise},
        )

    def step(self) -> Mapping[str, Tensor]:
        """Every n-th time towards the attributes; then R1 now and then, discriminator, generator.

        Source: [INFOSCC-GAN] Sec. 3.3: the generator steps on each loss separately. Differs: in its
            code R1 follows the discriminator's step.
        """
        number = self.state.samples // self.c.batch_size
        losses: dict[str, Tensor] = {}
        rows = self._rows()
        y_real = self._attributes(rows)
        x = to_float(self.runtime.copy(self.images[rows]))
        if self.conditions is not None and number % self.conditions.c.n == 0:
            losses |= self._regularise(self.conditions, x, y_real)

        if self.c.r1_weight > 0 and number % self.c.r1_every == 0:
            losses["r1"] = self._penalise(x, y_real)

        y = y_real if self.conditions is None else self._asked(self.conditions)
        losses |= self._play(x, y_real, y)
        self.average.update(self.generator)
        return losses

    def _rows(self) -> Tensor:
        """Numbers of this worker's share of a batch of training images, ``[b]``."""
        shape = (self.c.batch_size,)
        return self.runtime.share(torch.randint(len(self.images), shape, generator=self.batches))

    def _attributes(self, rows: Tensor) -> Tensor:
        """Attributes of training images, ``[b, A]``; A is 0 where there are none."""
        if self.conditions is None:
            return torch.empty(len(rows), 0, device=self.runtime.device)
        attributes = self.conditions.attributes
        return self.runtime.copy(attributes.rows(attributes.y[rows]))

    def _asked(self, conditions: Conditions) -> Tensor:
        """Attributes of this worker's share of a batch of generated images, ``[b, A]``."""
        if conditions.c.attribute_law == "frequency":
            return self._attributes(self._rows())
        y = conditions.attributes.sample(self.c.batch_size, self.batches, law="uniform")
        return self.runtime.copy(self.runtime.share(y))

    def _generate(self, y: Tensor, times: int = 1) -> Tensor:
        """Images with attributes ``y`` ``[b, A]``, of this worker's share of a batch of latents.

        Args:
            y: Attributes.
            times: Images with each row of them, one after all of another's.
        """
        draws = (self.generator.latents(self.c.batch_size, self.noise) for _ in range(times))
        shares = ((self.runtime.share(eps), self.runtime.share(z)) for eps, z in draws)
        eps, z = map(torch.cat, zip(*shares, strict=True))
        y = y.repeat(times, 1)
        with self.runtime.autocast(self.c.precision):
            return self.network(eps, z, y)

    def _regularise(self, conditions: Conditions, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """A step of the generator towards the attributes ``y`` of real images ``x``."""
        scored = conditions.c.energy_weight > 0
        times = 2 if scored else 1
        losses = {}
        with self.runtime.autocast(self.c.precision):
            h = conditions.backbone(self._generate(y, times))
            losses["classification"] = conditions.loss(h, y.repeat(times, 1))
            if scored:
                losses["energy"] = conditions.energy(h, x)

        weight = conditions.weight(self.state.samples / self.c.num_samples)
        total = weight * losses["classification"]
        if scored:
            total = total + conditions.c.energy_weight * losses["energy"]
        descend(self.g_optimizer, total)
        return losses

    def _penalise(self, x: Tensor, y: Tensor) -> Tensor:
        flat = x.flatten(1).requires_grad_()
        logits = self.critic(self.augment(flat.view_as(x), self._augmentation()), y)
        penalty = r1(logits, flat).mean()
        # Weights that it doesn't depend on still take part: several workers wait for every one.
        descend(self.d_optimizer, self.c.r1_weight * penalty + 0 * logits.sum())
        return penalty

    def _play(self, x: Tensor, y_real: Tensor, y: Tensor) -> dict[str, Tensor]:
        """One step of the discriminator on real and generated images, one of the generator."""
        c, losses = self.c, dict[str, Tensor]()
        real_draws, fake_draws = self._augmentation(), self._augmentation()
        fake = self._generate(y)

        def discriminate() -> Tensor:
            with self.runtime.autocast(self.c.precision):
                real, faked = self.augment(x, real_draws), self.augment(fake.detach(), fake_draws)
                logits = self.critic(torch.cat([real, faked]), torch.cat([y_real, y])).float()
            losses["d_loss"] = PAIRS[c.adversarial].d_loss(*logits.split(len(x))).mean()
            return losses["d_loss"]

        def generate() -> Tensor:
            with self.runtime.autocast(self.c.precision):
                fake_logits = self.discriminator(self.augment(fake, fake_draws), y).float()
            weights = {"orthogonality_weight": c.orthogonality_weight}
            loss = generator_loss(
                fake_logits, self.generator.bases(), **weights, adversarial=c.adversarial
            )
            losses["g_loss"], losses["orthogonality"] = loss.g_loss, loss.orthogonality
            return loss.total

        adversarial_step(
            discriminators=[self.discriminator],
            d_optimizer=self.d_optimizer,
            d_loss=discriminate,
            g_optimizer=self.g_optimizer,
            g_loss=generate,
        )

        return losses

    def _augmentation(self) -> tuple[Tensor, ...]:
        """Random numbers of an augmentation of this worker's share of a batch."""
        draws = self.augment.draw(self.c.batch_size, self.batches, self.noise)
        return (draws[0], self.runtime.share(draws[1])) if draws else ()
