"""Stage: a generator of noise with modes against a discriminator, and the noise read back by h.

The networks are the system's: of rows, or of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from scgan.contract import Inputs
from scgan.data.images.schema import as_floats
from scgan.data.labels import read_labels, some_of_each
from scgan.losses.adversarial import PAIRS, AdversarialName
from scgan.losses.nemgan import generator_loss, mode_divergence, prior_divergence
from scgan.nn.inversion import HeadName, Inversion, Prior, engineered_noise, read
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, descend, train
from scgan.training.runtime import Runtime
from scgan.training.settings import (
    BatchSize,
    LearningRate,
    NumSamples,
    Schedule,
    TrainingSettings,
)
from scgan.training.state import Average, TrainState, named_weights


class NoiseSettings(TrainingSettings):
    """The modes of the noise, the prior, the game and its training."""

    num_clusters: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="modes K of the noise; none for as many as there are weights, or as the labels "
        "have classes (only their number is taken), or 10",
    )
    weights: tuple[float, ...] | None = Field(
        None,
        min_length=2,
        description="weights of the modes, K positive numbers of any sum, as they are known or "
        "assumed; none, the default, for equal ones",
    )
    prior: Literal["fixed", "learned"] = Field(
        "fixed", description="whether the weights stay as they are or follow what h finds in data"
    )
    prior_start: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="share of the training after which they begin to be learned; earlier, a light "
        "mode that is not found yet loses its weight for good",
    )
    prior_learning_rate: float = Field(
        0.02, gt=0, description="of Adam, of the weights' logits, before the schedule"
    )
    code_dim: int | None = Field(
        None,
        ge=0,
        le=8192,
        description="dimensions of the noise beside the K of the modes; none for 2 of rows, 10 of "
        "images",
    )
    noise_spread: float | None = Field(
        None,
        gt=0,
        lt=0.5,
        description="half width of the uniform noise about a mode, below 0.5, where modes would "
        "overlap; none for 0.03 of rows, whose groups may be narrow, and 0.3 of images",
    )
    reconstruction_weight: float | None = Field(
        None,
        ge=0,
        description="of the noise's reconstruction by h1; 0 leaves it out; none for 1 of rows, 5 "
        "of images",
    )
    read_noise: float = Field(
        0.2,
        ge=0,
        description="deviation of Gaussian noise on the samples that h is trained to read, gone at "
        "the end; ours: modes that it can't tell apart through it are pushed apart, else two may "
        "share a group",
    )
    mode_weight: float = Field(
        3.0,
        ge=0,
        description="of the modes that h2 reads, in nats; 0 leaves them out; ours: with the code's "
        "1, a light mode was lost on two of four unequal rings",
    )
    norm: Literal[1, 2] = Field(
        1, description="p of the reconstruction: absolute differences, or their squares"
    )
    head: HeadName = Field(
        "softmax", description="h2: a linear layer, or cosines that must be right by a margin"
    )
    adversarial: AdversarialName = Field(
        "non_saturating", description="adversarial loss, of both sides; as published"
    )
    labelled: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of each label's rows that h is shown the label of; 0 for none; rows "
        "labelled -1 or with an empty text have none",
    )
    supervise_every: int = Field(
        100, ge=1, description="steps between two lessons of h on rows with a label"
    )
    supervised_steps: int = Field(
        10, ge=1, description="batches of such rows in a lesson; a twentieth of 12,000 rows is 9"
    )
    ema_half_life: float = Field(
        10_000, gt=0, description="samples after which a weight counts half in the stored averages"
    )
    batch_size: BatchSize = Field(256, description="rows or images a step, over all workers")
    num_samples: NumSamples = Field(
        1_536_000, description="rows or images seen, over all workers: 6,000 steps of 256"
    )
    learning_rate: LearningRate = Field(
        1e-3, description="of Adam, of generator and h, before the schedule"
    )
    d_learning_rate: float | None = Field(
        None,
        gt=0,
        description="of Adam, of the discriminator, before the schedule; none for 1e-3 of rows, "
        "2e-4 of images, whose discriminator would win",
    )
    schedule: Schedule = "linear"

    @property
    def teaches(self) -> bool:
        """Whether the generator learns by the inversion: not in the ablation to a plain GAN."""
        return self.reconstruction_weight != 0 or self.mode_weight > 0

    @property
    def reads_modes(self) -> bool:
        """Whether there is h2: all but the ablation without it."""
        return self.mode_weight > 0 or not self.teaches


class Choices(NamedTuple):
    """Settings whose usual values differ between rows and images."""

    code_dim: int
    noise_spread: float
    reconstruction_weight: float
    d_learning_rate: float


OF_ROWS = Choices(2, 0.03, 1.0, 1e-3)
OF_IMAGES = Choices(10, 0.3, 5.0, 2e-4)


def choices_of(c: NoiseSettings, shape: Sequence[int]) -> Choices:
    """What is set of them, the rest as is usual for samples of a shape."""
    usual = OF_ROWS if len(shape) == 1 else OF_IMAGES
    given = {name: getattr(c, name) for name in Choices._fields}
    return usual._replace(**{name: value for name, value in given.items() if value is not None})


class Networks(NamedTuple):
    """What is trained.

    Args:
        prior: Draws modes.
        generator: From noise ``[B, noise_dim]`` to samples.
        inversion: From samples to noise and modes.
        discriminator: From samples to one logit, ``[B, 1]``.
    """

    prior: Prior
    generator: nn.Module
    inversion: Inversion
    discriminator: nn.Module


def fit_noise_gan(
    c: NoiseSettings, networks: Networks, inputs: Inputs, runtime: Runtime
) -> Artifact:
    """Train generator and inversion against the discriminator; their averages are kept.

    Source: [NEMGAN] Eq. (1), Secs. 3.1 and 4.5; [NEMGAN-P] code of the learned prior. Differs:
        generator and inversion step once on the sum of their terms, where the code steps on the
        adversarial one and on the others in turn.
    """
    training = Training(c, networks, inputs, runtime)
    curve = train(training.state, training.step, c, name="gan", runtime=runtime)
    tensors = named_weights("prior", networks.prior)
    for name, average in training.averages.items():
        tensors |= named_weights(name, average.module)

    data, inversion = inputs.data.train, training.averages["inversion"].module
    k = read(inversion, data, runtime.device)[1].argmax(1)
    tensors["counts"] = counts = torch.bincount(k.cpu(), minlength=training.num_modes)
    meta = {"curve": curve, "shape": list(data.shape[1:]), "num_clusters": len(counts)}
    return Artifact(tensors, meta)


class Training:
    """The networks in training, and what a step does with each.

    Args:
        c: Settings.
        networks: Changed in place.
        inputs: Data and the run's seed.
        runtime: Where it runs.
    """

    def __init__(
        self, c: NoiseSettings, networks: Networks, inputs: Inputs, runtime: Runtime
    ) -> None:
        self.c, self.runtime, self.data = c, runtime, inputs.data.train
        self.chosen = choices_of(c, self.data.shape[1:])
        self.num_modes = len(networks.prior.logits)
        self.prior, self.generator, self.inversion, self.discriminator = networks
        for network in networks:
            runtime.place(network)

        self.generate, self.invert, self.judge = map(runtime.parallel, networks[1:])
        self.averages = {
            "generator": Average(self.generator, c.ema_half_life, c.batch_size),
            "inversion": Average(self.inversion, c.ema_half_life, c.batch_size),
        }
        self.y, self.labelled = labelled_rows(c, inputs)

        # Generator and inversion descend one loss; of labels the inversion alone is taught.
        both = nn.ModuleList([self.generator, self.inversion])
        self.optimizers = {
            "generator": adam(both, c.learning_rate, betas=GAN_BETAS),
            "discriminator": adam(self.discriminator, self.chosen.d_learning_rate, betas=GAN_BETAS),
            "prior": adam(self.prior, c.prior_learning_rate),
            "labels": adam(self.inversion, c.learning_rate, betas=GAN_BETAS),
        }

        self.draws = {
            "batches": inputs.generator("gan", "batches"),
            "labels": inputs.generator("gan", "labels"),
            "noise": inputs.generator("gan", "noise", runtime.device),
        }
        averages = {f"average_{name}": average for name, average in self.averages.items()}
        self.state = TrainState({**networks._asdict(), **averages}, self.optimizers, self.draws)

    def step(self) -> Mapping[str, Tensor]:
        """One step of all networks, the prior's and the lesson on labels where they are due."""
        c, done = self.c, self.state.samples
        rows = torch.randint(len(self.data), (c.batch_size,), generator=self.draws["batches"])
        real = self._real(rows)
        losses = self._adversarial(real)

        if c.prior == "learned" and done >= c.prior_start * c.num_samples:
            losses["prior"] = self._learn_prior(real)
        if len(self.labelled) and (done // c.batch_size + 1) % c.supervise_every == 0:
            losses["labels"] = self._lesson()

        for name, average in self.averages.items():
            average.update(getattr(self, name))
        return losses

    def _real(self, rows: Tensor) -> Tensor:
        """This worker's share of some rows, as the networks take them."""
        return as_floats(self.runtime.copy(self.data[self.runtime.share(rows)]))

    def _adversarial(self, real: Tensor) -> dict[str, Tensor]:
        """Eq. (1): the discriminator up, then generator and inversion down."""
        c, chosen, noise, losses = self.c, self.chosen, self.draws["noise"], dict[str, Tensor]()
        y = self.prior.draw(c.batch_size, noise)
        z = engineered_noise(y, self.num_modes, chosen.code_dim, chosen.noise_spread, noise)
        y, z = self.runtime.share(y), self.runtime.share(z)
        fake = self.generate(z)
        seen = self._blurred(fake if c.teaches else fake.detach())

        def d_loss() -> Tensor:
            logits = self.judge(torch.cat([real, fake.detach()])).split(len(real))
            losses["d_loss"] = PAIRS[c.adversarial].d_loss(*logits).mean()
            return losses["d_loss"]

        def g_loss() -> Tensor:
            z_hat, modes = self.invert(seen, y)
            found = self.discriminator(fake), z, z_hat, modes, y

            terms = generator_loss(
                *found,
                reconstruction_weight=chosen.reconstruction_weight,
                mode_weight=c.mode_weight if c.teaches else 1.0,
                adversarial=c.adversarial,
                p=c.norm,
            )
            losses.update(terms._asdict())
            return losses.pop("total")

        adversarial_step(
            discriminators=[self.discriminator],
            d_optimizer=self.optimizers["discriminator"],
            d_loss=d_loss,
            g_optimizer=self.optimizers["generator"],
            g_loss=g_loss,
        )
        return losses

    def _blurred(self, fake: Tensor) -> Tensor:
        """This worker's samples with noise on them, as the inversion is trained to read them."""
        if self.c.read_noise == 0:
            return fake
        draw, shape = self.draws["noise"], (self.c.batch_size, *fake.shape[1:])
        noise = torch.randn(shape, generator=draw, device=fake.device)
        done = self.state.samples / self.c.num_samples
        left = min(1.0, max(0.0, 3 - 4 * done))  # gone in the third quarter
        return fake + left * self.c.read_noise * self.runtime.share(noise)

    def _learn_prior(self, real: Tensor) -> Tensor:
        """The prior a step towards the modes that the inversion finds in real rows."""
        with torch.no_grad():
            found = self.inversion(real)[1].softmax(1).mean(0, keepdim=True)
        loss = prior_divergence(self.runtime.mean(found), self.prior.logits)
        descend(self.optimizers["prior"], loss)
        return loss

    def _lesson(self) -> Tensor:
        """Some steps of the inversion alone, on rows whose labels it is shown."""
        c, losses = self.c, []
        for _ in range(c.supervised_steps):
            draw = self.draws["labels"]
            rows = self.labelled[torch.randint(len(self.labelled), (c.batch_size,), generator=draw)]
            y = self.runtime.copy(self.runtime.share(self.y[rows]))
            losses.append(mode_divergence(self.invert(self._real(rows), y)[1], y))
            descend(self.optimizers["labels"], losses[-1])
        return torch.stack(losses).mean()


def labelled_rows(c: NoiseSettings, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Labels of the training rows, ``[N]``, and the numbers of those that the inversion is shown.

    Which rows those are follows from the run's seed, as the split does, not from the training.
    """
    labels = read_labels(inputs.data)
    if labels is None or c.labelled == 0:
        return torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long)
    rows = some_of_each(labels.train, c.labelled, inputs.generator("gan", "labelled"))
    return labels.train, rows
