"""How the latent models of clusters are fitted, each kind its own way, all of a task stacked."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scgan.clustering.mixtures import Components, fit_mixture
from scgan.contract import Inputs, Units
from scgan.losses.likelihood import negative_log_likelihood
from scgan.losses.scgan import discriminator_loss, mapper_loss
from scgan.nn.mappers import AutoencoderMappers, FlowMappers, Mappers, MixtureMappers, Whitening
from scgan.stages.tables.mapper_settings import MapperSettings
from scgan.training.blocks import Blocks
from scgan.training.loop import GAN_BETAS, adversarial_step, descend, train
from scgan.training.runtime import Progress, Runtime
from scgan.training.state import TrainState

HELD_OUT = 512  # codes of a cluster, at most
LEAST_CODES = 20  # a smaller cluster has none to spare, and is measured on what it was trained on
MOST_COMPONENTS = 32  # of a mixture whose number isn't set
CODES_A_DIMENSION = 2  # that a component needs, of its own, for a covariance that means something


@dataclass(frozen=True)
class Codes:
    """The codes of some clusters, a tenth of each held out.

    Args:
        units: The clusters.
        train: Codes to fit, ``[n, d]`` a cluster.
        held_out: Others, to measure by.
        inputs: Of the fit.
    """

    units: Units
    train: Sequence[Tensor]
    held_out: Sequence[Tensor]
    inputs: Inputs

    @classmethod
    def of(cls, units: Units, clusters: Sequence[Tensor], inputs: Inputs) -> Codes:
        """Hold out of each cluster's codes what its own generator draws."""
        train, held_out = [], []
        for unit, eps in zip(units, clusters, strict=True):
            order = torch.randperm(len(eps), generator=inputs.generator("map", f"parts {unit}"))
            num = min(HELD_OUT, len(eps) // 10)
            first, rest = eps[order[:num]], eps[order[num:]]
            few = len(eps) < LEAST_CODES
            train.append(eps if few else rest)
            held_out.append(eps if few else first)
        return cls(units, train, held_out, inputs)

    def generator(self, place: int, purpose: str) -> torch.Generator:
        """Random numbers of one cluster for one purpose: packing changes nothing."""
        return self.inputs.generator("map", f"{purpose} {self.units[place]}")

    @property
    def name(self) -> str:
        """What is trained, for messages."""
        return f"map, clusters {self.units[0]} to {self.units[-1]}"


def fit_autoencoders(
    c: MapperSettings, mappers: AutoencoderMappers, codes: Codes, runtime: Runtime
) -> list[dict[str, float]]:
    """Train adversarial autoencoders, from the cluster's Gaussian on.

    Source: [SCGAN] Sec. 2.2, Eqs. (2)-(3), [AAE].
    """
    batches = mapper_batches(c, mappers, codes, runtime)
    coder = [*mappers.encoder.parameters(), *mappers.decoder.parameters()]
    optimizers = {
        "coder": stacked_adam(coder, c.learning_rate),
        "discriminator": stacked_adam(list(mappers.discriminator.parameters()), c.d_learning_rate),
    }
    state = TrainState({"mappers": mappers}, optimizers, {})

    def step() -> Mapping[str, Tensor]:
        (eps_block, omega_block), place = batches.at(state.samples // c.batch_size)
        v, prior = mappers.whitening(eps_block[:, place]), omega_block[:, place]
        losses: dict[str, Tensor] = {}

        def discriminate() -> Tensor:
            omega = mappers.encode(v).detach()
            rows = prior.requires_grad_(c.r1_weight > 0)
            logits = mappers.discriminator(rows), mappers.discriminator(omega)
            loss = discriminator_loss(
                rows, *logits, r1_weight=c.r1_weight, adversarial=c.adversarial
            )
            losses["d_loss"] = loss.d_loss.mean()
            return loss.total.sum()  # a cluster's gradient is that of its own loss

        def code() -> Tensor:
            omega = mappers.encode(v)
            v_hat, fake_logits = mappers.decode(omega), mappers.discriminator(omega)
            loss = mapper_loss(
                v,
                v_hat,
                fake_logits,
                adversarial_weight=c.adversarial_weight,
                lambda_eps=c.lambda_eps,
                adversarial=c.adversarial,
            )
            losses["reconstruction"], losses["g_loss"] = loss.entropy.mean(), loss.divergence.mean()
            return loss.total.sum()

        adversarial_step(
            discriminators=[mappers.discriminator],
            d_optimizer=optimizers["discriminator"],
            d_loss=discriminate,
            g_optimizer=optimizers["coder"],
            g_loss=code,
        )

        return losses

    return train(state, step, c, name=codes.name, runtime=runtime)


class Best(nn.Module):
    """The weights of each flow that explain codes best that it isn't trained on.

    Args:
        flows: The flows.
        held_out: Such codes, in own coordinates, ``[K, B, d]``.
    """

    loss: Tensor

    def __init__(self, flows: FlowMappers, held_out: Tensor) -> None:
        super().__init__()
        self.held_out, self.kept = held_out, copy.deepcopy(flows)
        self.register_buffer("loss", held_out.new_full((len(held_out),), math.inf))

    @torch.no_grad()
    def keep(self, flows: FlowMappers) -> Tensor:
        """Take over the weights of those that are better than before; their losses now, ``[K]``."""
        loss = negative_log_likelihood(*flows(self.held_out))
        better = loss < self.loss
        self.loss[better] = loss[better]
        for kept, now in zip(self.kept.parameters(), flows.parameters(), strict=True):
            kept[better] = now[better]
        return loss


def fit_flows(
    c: MapperSettings, mappers: FlowMappers, codes: Codes, runtime: Runtime
) -> list[dict[str, float]]:
    """Train flows by maximum likelihood; a cluster keeps the weights that held-out codes prefer.

    Source: [SCGAN] Sec. 2.2.
    """
    batches = mapper_batches(c, mappers, codes, runtime)
    best = Best(mappers, _held_out(mappers, codes, runtime)).to(runtime.device)
    optimizer = stacked_adam(list(mappers.parameters()), c.learning_rate)
    state = TrainState({"mappers": mappers, "best": best}, {"flows": optimizer}, {})
    every = max(1, c.num_samples // c.batch_size // 20)

    def step() -> Mapping[str, Tensor]:
        number = state.samples // c.batch_size
        (eps_block, _), place = batches.at(number)
        loss = negative_log_likelihood(*mappers(mappers.whitening(eps_block[:, place])))
        descend(optimizer, loss.sum())
        losses = {"negative_log_likelihood": loss.mean()}

        if number % every == every - 1:
            losses["held_out_negative_log_likelihood"] = best.keep(mappers).mean()
        return losses

    curve = train(state, step, c, name=codes.name, runtime=runtime)
    best.keep(mappers)
    mappers.load_state_dict(best.kept.state_dict())

    return curve


def _held_out(mappers: Mappers, codes: Codes, runtime: Runtime) -> Tensor:
    """Held-out codes of each cluster in own coordinates, ``[K, 256, d]``."""
    rows = []
    for place, eps in enumerate(codes.held_out):
        index = torch.randint(len(eps), (256,), generator=codes.generator(place, "held out"))
        rows.append(eps[index])
    return mappers.whitening(torch.stack(rows).to(runtime.device))


def fit_mixtures(
    c: MapperSettings, mappers: MixtureMappers, codes: Codes, runtime: Runtime
) -> None:
    """Fit each cluster's mixture by expectation maximisation, in the cluster's own coordinates.

    After each cluster ``runtime`` is told of how many of all codes mixtures have been fitted to.
    """
    start, done, total = time.monotonic(), 0, sum(map(len, codes.train))
    for k, (train_eps, held_out) in enumerate(zip(codes.train, codes.held_out, strict=True)):
        own = Whitening(1, train_eps.shape[1])
        own.fit([train_eps], c.axis_floor)
        seed = codes.generator(k, "mixture").initial_seed() % 2**32
        found = _best_mixture(c, own(train_eps[None])[0], own(held_out[None])[0], seed)
        mappers.put(k, own, Components.of(found))
        done += len(train_eps)
        runtime.report(Progress(done, total, {}, time.monotonic() - start))


def _best_mixture(c: MapperSettings, v: Tensor, held_out: Tensor, seed: int) -> Any:
    """The mixture with the number of components that is set, or that held-out codes prefer."""
    most = min(MOST_COMPONENTS, len(v) // (CODES_A_DIMENSION * v.shape[1]))
    numbers = [2**i for i in range(MOST_COMPONENTS.bit_length()) if 2**i <= max(1, most)]
    if c.num_components is not None:
        numbers = [min(c.num_components, len(v))]

    # More and more, until held-out codes are explained no better.
    best, score = None, -math.inf
    for number in numbers:
        found = fit_mixture(v, number, seed)
        reached = found.score(held_out.double().numpy())
        if reached < score:
            break
        best, score = found, reached

    return best


def mapper_batches(
    c: MapperSettings, mappers: Mappers, codes: Codes, runtime: Runtime
) -> Blocks[tuple[Tensor, Tensor]]:
    """Each cluster's batches and prior codes, from its own generator: packing changes nothing."""
    steps, device = 32, runtime.device
    lengths = [len(eps) for eps in codes.train]
    starts = [0, *itertools.accumulate(lengths)]
    eps = torch.cat(list(codes.train)).to(device)  # of all clusters, one after another

    def draw(generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        index, prior = [], []
        for start, length, generator in zip(starts, lengths, generators, strict=False):
            on: dict[str, Any] = {"generator": generator, "device": device}
            index.append(start + torch.randint(length, (steps, c.batch_size), **on))
            prior.append(torch.randn(steps, c.batch_size, mappers.code_dim, **on))
        return eps[torch.stack(index)], torch.stack(prior)

    seeds = [codes.generator(k, "batches").initial_seed() for k in range(len(codes.units))]
    return Blocks(draw, seeds, steps, device)


def stacked_adam(parameters: Sequence[nn.Parameter], learning_rate: float) -> torch.optim.Adam:
    """Adam for stacked networks, ``[K, ...]``, whose step on one doesn't depend on the others.

    The fused step is faster, but rounds what is left over of whole vectors otherwise than the rest:
    it is used where a network's share of a tensor fills whole vectors, so that nothing is left over
    for any K.
    """
    whole = [parameter for parameter in parameters if parameter[0].numel() % 16 == 0]
    other = [parameter for parameter in parameters if parameter[0].numel() % 16 != 0]
    groups: list[dict[str, Any]] = [{"params": other}]
    if whole:
        groups.append({"params": whole, "fused": True})
    return torch.optim.Adam(groups, learning_rate, betas=GAN_BETAS)
