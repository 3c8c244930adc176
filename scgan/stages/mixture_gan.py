"""Stage: a generator behind a latent mixture against a critic, with a network that finds clusters.

The networks are the system's: of rows, or of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scgan.contract import Inputs
from scgan.data.images.schema import as_floats
from scgan.losses.mmgan import Game, Judged, critic_loss, generator_loss
from scgan.losses.regularizers import r1
from scgan.metrics.clustering import cluster_information
from scgan.nn.latent_mixture import MixtureGenerator, likeliest
from scgan.stages.image_groups import Perturbed, learn_groups
from scgan.stages.mixture_settings import MixtureSettings, choices_of
from scgan.store.artifacts import Artifact
from scgan.training.loop import GAN_BETAS, adam, adversarial_step, frozen, train
from scgan.training.runtime import Runtime
from scgan.training.state import Average, TrainState, named_weights

ROWS_AT_ONCE = 8192  # whose clusters are found at once


class Networks(NamedTuple):
    """G, E and C.

    Args:
        generator: From clusters ``[B, K]`` and noise ``[B, d]`` to samples.
        encoder: From samples to logits of the clusters, ``[B, K]``.
        critic: From samples to one logit, ``[B, 1]``.
    """

    generator: MixtureGenerator
    encoder: nn.Module
    critic: nn.Module


def fit_mixture_gan(
    c: MixtureSettings, starts: Sequence[Networks], inputs: Inputs, runtime: Runtime
) -> Artifact:
    """Train critic against generator and clustering network; the latter's averages are kept.

    Of several starts, which are trained side by side, the one is kept whose clusters tell most of
    the training data.

    Source: [MMGAN] Algorithm 1.
    """
    trainings = [
        MixtureTraining(c, networks, inputs, runtime, i) for i, networks in enumerate(starts)
    ]
    state = _joined([training.state for training in trainings])

    def step() -> Mapping[str, Tensor]:
        number = state.samples // c.batch_size
        return _means([training.step(number) for training in trainings])

    curve = train(state, step, c, name="gan", runtime=runtime)

    # What each start's clusters are.
    data = inputs.data.train
    encoders = [training.averages["encoder"].module for training in trainings]
    found = [assigned(encoder, data, runtime.device).cpu() for encoder in encoders]
    told = [cluster_information(p) for p in found]
    best = max(range(len(told)), key=told.__getitem__)

    counts = torch.bincount(found[best].argmax(1), minlength=found[best].shape[1])
    tensors = {"counts": counts}
    for name, average in trainings[best].averages.items():
        tensors |= named_weights(name, average.module)

    meta = {"curve": curve, "shape": list(data.shape[1:]), "num_clusters": len(counts)}
    return Artifact(tensors, meta | {"start": best, "information": told})


def _joined(states: Sequence[TrainState]) -> TrainState:
    """The states of trainings side by side as one; a single one as it is."""
    if len(states) == 1:
        return states[0]

    parts: dict[str, dict[str, Any]] = {"modules": {}, "optimizers": {}, "generators": {}}
    for start, state in enumerate(states):
        for part, found in parts.items():
            named = getattr(state, part).items()
            found |= {f"{name}_{start}": value for name, value in named}
    return TrainState(parts["modules"], parts["optimizers"], parts["generators"])


def _means(losses: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Mean over trainings of each loss."""
    first, *others = losses
    sums = dict(first)
    for more in others:
        sums = {name: total + more[name] for name, total in sums.items()}
    return {name: total / len(losses) for name, total in sums.items()}


@torch.no_grad()
def assigned(encoder: nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """p_E(k | x) of rows, or of images, uint8 or in [-1, 1]: ``[N, K]``."""
    scores = [encoder(as_floats(rows.to(device))) for rows in x.split(ROWS_AT_ONCE)]
    return torch.cat(scores).softmax(1)


class MixtureTraining:
    """Networks, optimisers and the step of Algorithm 1.

    Args:
        c: Settings.
        networks: G, E and C, changed in place.
        inputs: Data and seed.
        runtime: Where it runs.
        start: Number of the start, whose random numbers are its own.
    """

    def __init__(
        self,
        c: MixtureSettings,
        networks: Networks,
        inputs: Inputs,
        runtime: Runtime,
        start: int = 0,
    ) -> None:
        self.c, self.runtime, self.data = c, runtime, inputs.data.train
        self.generator, self.encoder, self.critic = networks
        self.chosen = choices_of(c, self.data.shape[1:])
        self.game = Game(len(self.generator.latent.mu), c.critic, c.batches, c.divisor)
        for network in networks:
            runtime.place(network)

        self.averages = {
            "generator": Average(self.generator, c.ema_half_life, c.batch_size),
            "encoder": Average(self.encoder, c.ema_half_life, c.batch_size),
        }
        self.generate, self.cluster, self.judge = map(
            runtime.parallel, (self.generator, self.encoder, self.critic)
        )

        # Generator and E descend one loss, unless E is taught by real images alone.
        self.alone = self.chosen.start == "views"
        taught = [self.generator] if self.alone else [self.generator, self.encoder]
        self.optimizers = {
            "generator": adam(nn.ModuleList(taught), c.learning_rate, betas=GAN_BETAS),
            "critic": adam(self.critic, c.d_learning_rate, betas=GAN_BETAS),
        }
        if self.alone:
            self.optimizers["encoder"] = adam(self.encoder, c.learning_rate, betas=GAN_BETAS)
        own = f" {start}" if start else ""
        self.batches = inputs.generator("gan", f"batches{own}")
        self.noise = inputs.generator("gan", f"noise{own}", runtime.device)
        self.perturbed = Perturbed(c.batch_size, self.noise, runtime)

        averages = {f"average_{name}": average for name, average in self.averages.items()}
        self.state = TrainState(
            {**networks._asdict(), **averages},
            self.optimizers,
            {"batches": self.batches, "noise": self.noise},
        )

    def step(self, number: int) -> Mapping[str, Tensor]:
        """A step of E towards groups of images, where it starts from views; a step of the game.

        Args:
            number: Steps before this one.
        """
        c, losses = self.c, dict[str, Tensor]()
        x, z, k_prior = self._draw()
        if self.alone:
            losses["information"] = self._group(x)
        if not self.alone or number * c.batch_size >= c.start_share * c.num_samples:
            losses |= self._play(number, x, z, k_prior)

        for name, average in self.averages.items():
            average.update(getattr(self, name))
        return losses

    def _group(self, x: Tensor) -> Tensor:
        """A step of E alone, towards groups of one size that real images share with their views."""
        num, optimizer = self.game.num_clusters, self.optimizers["encoder"]
        weights = torch.full((num,), 1 / num, device=x.device)
        return learn_groups(self.cluster, optimizer, x, self._views(x), weights, self.runtime)

    def _views(self, x: Tensor) -> Tensor:
        """A view of each of this worker's images, with noise on it."""
        noisy = self.perturbed.noisy(x, self.c.read_noise)
        return self.perturbed.viewed(noisy, self.c.read_views)

    def _play(self, number: int, x: Tensor, z: Tensor, k_prior: Tensor) -> dict[str, Tensor]:
        """The critic on real, paired and prior samples; then generator and clustering network."""
        c, losses = self.c, dict[str, Tensor]()
        with torch.set_grad_enabled(not self.alone):
            scores = self.cluster(x)
        y = likeliest(scores, straight_through=c.straight_through and not self.alone)
        y_prior = F.one_hot(k_prior, self.game.num_clusters).to(y)
        fake = self.generate(torch.cat([y, y_prior]), z)
        clusters = scores.argmax(1), k_prior

        def d_loss() -> Tensor:
            flat = x.flatten(1).detach().requires_grad_()
            logits = self.judge(torch.cat([flat.view_as(x), fake.detach()]))[:, 0]
            losses["d_loss"] = critic_loss(self._judged(logits, *clusters), self.game)
            return losses["d_loss"] + self._penalty(number, logits[: len(x)], flat, losses)

        def g_loss() -> Tensor:
            logits = self.critic(torch.cat([x, fake]))[:, 0]
            prior_scores = self.runtime.gather(self._read(fake[len(x) :]))
            judged = self._judged(logits, *clusters)
            loss = generator_loss(judged, prior_scores, self.game, alpha=self.chosen.alpha)
            losses["g_loss"], losses["cross_entropy"] = loss.g_loss, loss.cross_entropy
            return loss.total

        adversarial_step(
            discriminators=[self.critic],
            d_optimizer=self.optimizers["critic"],
            d_loss=d_loss,
            g_optimizer=self.optimizers["generator"],
            g_loss=g_loss,
        )

        self.generator.latent.hold()
        return losses

    def _read(self, fake: Tensor) -> Tensor:
        """E's logits of samples; where these don't teach it, of views of them, by E as it is."""
        if not self.alone:
            return self.cluster(fake)
        with frozen([self.encoder]):
            return self.encoder(self._views(fake))

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """This worker's share: real samples, noise of both batches, the prior batch's clusters."""
        c, device, share = self.c, self.runtime.device, self.runtime.share
        rows = torch.randint(len(self.data), (c.batch_size,), generator=self.batches)
        x = as_floats(self.runtime.copy(self.data[share(rows)]))

        shape = (2, c.batch_size, c.code_dim)
        z, z_prior = torch.randn(shape, generator=self.noise, device=device)
        k = torch.randint(
            self.game.num_clusters, (c.batch_size,), generator=self.noise, device=device
        )
        return x, torch.cat([share(z), share(z_prior)]), share(k)

    def _judged(self, logits: Tensor, k: Tensor, k_prior: Tensor) -> Judged:
        """The critic's logits of real, paired and prior samples, all workers' in one batch."""
        gather = self.runtime.gather
        real, paired, prior = (gather(part) for part in logits.split(len(k)))
        return Judged(real, gather(k), paired, prior, gather(k_prior))

    def _penalty(
        self, number: int, real_logits: Tensor, x: Tensor, losses: dict[str, Tensor]
    ) -> Tensor | float:
        """R1 on real samples, every few steps."""
        if self.chosen.r1_weight == 0 or number % self.c.r1_every:
            return 0.0
        losses["r1"] = r1(real_logits, x).mean()
        return self.chosen.r1_weight * self.c.r1_every * losses["r1"]
