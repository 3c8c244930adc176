"""Stage: a generator of noise with modes against a discriminator, and the noise read back by h.

The networks are the system's: of rows, or of images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from scgan.clustering.weighted import fit_weighted_mixture, principal_axes
from scgan.contract import Inputs
from scgan.data.images.schema import as_floats
from scgan.data.labels import read_labels, some_of_each
from scgan.losses.nemgan import (
    discriminator_loss,
    generator_loss,
    mode_divergence,
    prior_divergence,
)
from scgan.losses.regularizers import r1
from scgan.nn.inversion import Inversion, Prior, engineered_noise, read
from scgan.stages.image_groups import Perturbed, learn_groups
from scgan.stages.noise_settings import NoiseSettings, choices_of
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, descend, train
from scgan.training.runtime import Runtime
from scgan.training.state import Average, TrainState, named_weights

START_LESSONS = 20  # lessons on the mixture's groups before the first step


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
        self.y, self.labelled = taught_rows(c, inputs, self.prior.weights.cpu())
        self.chances = 1 / torch.bincount(self.y[self.labelled])[self.y[self.labelled]]
        self.balanced = c.draw == "even" and c.start == "mixture"  # real rows, too

        # Generator and inversion descend one loss; of labels and of groups the inversion alone is
        # taught.
        both = nn.ModuleList([self.generator, self.inversion])
        self.optimizers = {
            "generator": adam(both, c.learning_rate, betas=GAN_BETAS),
            "discriminator": adam(self.discriminator, c.d_learning_rate, betas=GAN_BETAS),
            "prior": adam(self.prior, c.prior_learning_rate),
            "labels": adam(self.inversion, c.learning_rate, betas=GAN_BETAS),
        }

        self.draws = {
            "batches": inputs.generator("gan", "batches"),
            "labels": inputs.generator("gan", "labels"),
            "noise": inputs.generator("gan", "noise", runtime.device),
        }
        self.perturbed = Perturbed(c.batch_size, self.draws["noise"], runtime)
        averages = {f"average_{name}": average for name, average in self.averages.items()}
        self.state = TrainState({**networks._asdict(), **averages}, self.optimizers, self.draws)

    def step(self) -> Mapping[str, Tensor]:
        """One step: of the inversion towards groups, where it starts from views; of the game."""
        c, losses = self.c, dict[str, Tensor]()
        if c.start == "mixture" and self.state.samples == 0:
            for _ in range(START_LESSONS):
                self._lesson()

        if c.start == "views":
            losses["information"] = self._group()
        if c.start != "views" or self.state.samples >= c.start_share * c.num_samples:
            losses |= self._play()

        for name, average in self.averages.items():
            average.update(getattr(self, name))
        return losses

    def _play(self) -> dict[str, Tensor]:
        """The adversarial step, and the prior's and the lesson on labels where they are due."""
        c, done = self.c, self.state.samples
        real = self._real(self._rows(balanced=self.balanced))
        losses = self._adversarial(real)

        if c.prior == "learned" and done >= c.prior_start * c.num_samples:
            as_they_are = self._real(self._rows()) if self.balanced else real
            losses["prior"] = self._learn_prior(as_they_are)
        due = (done // c.batch_size + 1) % c.supervise_every == 0
        late = c.start == "mixture" and done >= c.start_share * c.num_samples
        if len(self.labelled) and due and not late:
            losses["labels"] = self._lesson()
        return losses

    def _rows(self, *, balanced: bool = False) -> Tensor:
        """Numbers of a batch of rows, ``[B]``: all alike likely, or all of the mixture's groups."""
        num, draw = self.c.batch_size, self.draws["batches"]
        if balanced:
            return torch.multinomial(self.chances, num, replacement=True, generator=draw)
        return torch.randint(len(self.data), (num,), generator=draw)

    def _real(self, rows: Tensor) -> Tensor:
        """This worker's share of some rows, as the networks take them."""
        return as_floats(self.runtime.copy(self.data[self.runtime.share(rows)]))

    def _adversarial(self, real: Tensor) -> dict[str, Tensor]:
        """Eq. (1): the discriminator up, then generator and inversion down."""
        c, chosen, noise, losses = self.c, self.chosen, self.draws["noise"], dict[str, Tensor]()
        even = c.draw == "even"
        y = self._evenly(noise) if even else self.prior.draw(c.batch_size, noise)
        z = engineered_noise(y, self.num_modes, chosen.code_dim, chosen.noise_spread, noise)
        y, z = self.runtime.share(y), self.runtime.share(z)
        fake = self.generate(z)
        seen = self._blurred(fake if c.teaches else fake.detach())

        def d_loss() -> Tensor:
            flat = real.flatten(1).detach().requires_grad_(self._penalised())
            logits = self.judge(torch.cat([flat.view_as(real), fake.detach()]))[:, 0]
            found, made = logits.split(len(real))
            weighed = even and not self.balanced
            weights = (self.num_modes * self.prior.weights)[y] if weighed else None
            losses["d_loss"] = discriminator_loss(found, made, c.adversarial, weights)
            if not self._penalised():
                return losses["d_loss"]
            losses["r1"] = r1(found, flat).mean()
            return losses["d_loss"] + self.chosen.r1_weight * c.r1_every * losses["r1"]

        def g_loss() -> Tensor:
            z_hat, modes = self._inverted(seen, y)
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

    def _penalised(self) -> bool:
        """Whether this step is one of those with the penalty on real samples."""
        number = self.state.samples // self.c.batch_size
        return self.chosen.r1_weight > 0 and number % self.c.r1_every == 0

    def _evenly(self, generator: torch.Generator) -> Tensor:
        """Modes, all alike often, ``[B]`` of all workers."""
        shape = (self.c.batch_size,)
        return torch.randint(self.num_modes, shape, generator=generator, device=generator.device)

    def _blurred(self, fake: Tensor) -> Tensor:
        """This worker's samples with noise on them, as the inversion is trained to read them."""
        done = self.state.samples / self.c.num_samples
        least = self.c.read_noise_left
        left = least + (1 - least) * min(1.0, max(0.0, 3 - 4 * done))  # down in the third quarter
        return self.perturbed.noisy(fake, left * self.c.read_noise)

    def _inverted(self, seen: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Noise read off this worker's samples, and modes read off them or off views of them."""
        if self.c.read_views == 0:
            return self.invert(seen, y)

        views = self.perturbed.viewed(seen, self.c.read_views)
        if self.c.start == "views":  # real images alone teach h modes: else it follows bad samples
            weights = {name: w.detach() for name, w in self.inversion.named_parameters()}
            modes = functional_call(self.inversion, weights, (views, y))[1]
            z_hat, own = self.invert(seen, y)
            return z_hat, modes + 0 * own  # several workers wait for a gradient of each weight

        both = torch.cat([seen, views])
        z_hat, modes = self.invert(both, torch.cat([y, y]))
        return z_hat[: len(seen)], modes[len(seen) :]

    def _group(self) -> Tensor:
        """A step of the inversion alone, towards groups of real images that their views share."""
        x = self._real(self._rows())
        views = self.perturbed.viewed(self._blurred(x), self.c.read_views)
        return learn_groups(
            lambda images: self.invert(images)[1],
            self.optimizers["labels"],
            x,
            views,
            self.prior.weights,
            self.runtime,
        )

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
            some = torch.multinomial(self.chances, c.batch_size, replacement=True, generator=draw)
            rows = self.labelled[some]
            y = self.runtime.copy(self.runtime.share(self.y[rows]))
            losses.append(mode_divergence(self.invert(self._real(rows), y)[1], y))
            descend(self.optimizers["labels"], losses[-1])
        return torch.stack(losses).mean()


def taught_rows(c: NoiseSettings, inputs: Inputs, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Modes of the training rows, ``[N]``, and the numbers of those that the inversion is shown.

    Labels, of rows that follow from the run's seed, as the split does, not from the training; or
    the groups of a mixture of the modes' weights ``[K]``.
    """
    if c.start == "mixture":
        rows = principal_axes(as_floats(inputs.data.train))
        shares = fit_weighted_mixture(rows, weights, inputs.generator("gan", "mixture"))
        return shares.argmax(1), torch.arange(len(rows))

    labels = read_labels(inputs.data)
    if labels is None or c.labelled == 0:
        return torch.empty(0, dtype=torch.long), torch.empty(0, dtype=torch.long)
    chosen = some_of_each(labels.train, c.labelled, inputs.generator("gan", "labelled"))
    return labels.train, chosen
