"""Stage: an adversarial autoencoder a cluster, all of a task stacked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from scgan.contract import Inputs, Units
from scgan.losses.adversarial import AdversarialName
from scgan.losses.scgan import discriminator_loss, mapper_loss
from scgan.nn.mappers import Mappers
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.rows import read_clusters
from scgan.store.artifacts import Artifact
from scgan.training.blocks import Blocks
from scgan.training.loop import GAN_BETAS, adversarial_step, train
from scgan.training.runtime import Runtime
from scgan.training.settings import BatchSize, LearningRate, NumSamples, Schedule, TrainingSettings
from scgan.training.state import TrainState


class MapperSettings(TrainingSettings):
    """Stage 2, an adversarial autoencoder a cluster; no number of it is published."""

    code_dim: int | None = Field(None, ge=1, description="dimension of omega; none: the data's")
    width: int = Field(32, ge=1, le=4096, description="units of a hidden layer: clusters are small")
    num_layers: int = Field(2, ge=1, le=16, description="hidden layers of each of three networks")
    lambda_eps: float = Field(
        10.0, gt=0, description="weight of the reconstruction of eps, Eq. (2)"
    )
    axis_floor: float = Field(
        1e-3, gt=0, le=1, description="least scale of a cluster's axis, share of its largest"
    )
    adversarial: AdversarialName = Field(
        "non_saturating", description="loss of the codes and their discriminator"
    )
    r1_weight: float = Field(
        0.0, ge=0, description="gradient penalty of the discriminator; 0 leaves it out"
    )
    batch_size: BatchSize = Field(128, description="rows a cluster and step")
    num_samples: NumSamples = Field(96_000, description="rows seen, a cluster: 750 steps")
    learning_rate: LearningRate = Field(
        2e-3, description="of Adam, of the autoencoder, before the schedule"
    )
    d_learning_rate: LearningRate = Field(
        2e-3, description="of Adam, of the discriminator, before the schedule"
    )
    schedule: Schedule = "late_linear"


def mapper_units(config: Any, inputs: Inputs) -> Units:
    """One unit a cluster."""
    return [str(i) for i in range(inputs.artifacts["cluster"].meta["num_clusters"])]


def build_mappers(
    c: MapperSettings, dim: int, data_dim: int, generators: Sequence[torch.Generator]
) -> Mappers:
    """New mappers, one a generator, for codes ``[n, dim]`` of data ``[N, data_dim]``.

    omega has the data's dimension where none is set: that of the manifold the codes lie on.
    """
    code_dim = min(c.code_dim or data_dim, dim)
    return Mappers(dim, code_dim, width=c.width, num_layers=c.num_layers, generators=generators)


def load_mappers(c: MapperSettings, artifact: Artifact) -> Mappers:
    """The trained mappers, all K."""
    centre = artifact.tensors["whitening.centre"]
    generators = [torch.Generator()] * len(centre)
    mappers = build_mappers(c, centre.shape[2], artifact.meta["data_dim"], generators)
    mappers.load_state_dict(artifact.tensors)
    return mappers


def map_clusters(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 2: shape N(0, I) into each cluster by an adversarial autoencoder, all units stacked.

    Source: [SCGAN] Sec. 2.2, Eqs. (2)-(3), [AAE].
    """
    c: MapperSettings = config.mappers
    data_dim, clusters = inputs.data.train.shape[1], _codes(config, units, inputs, runtime)
    generators = [inputs.generator("map", unit) for unit in units]
    mappers = build_mappers(c, clusters[0].shape[1], data_dim, generators)
    mappers.whitening.fit(clusters, c.axis_floor)
    mappers.to(runtime.device)

    batches = _mapper_batches(c, units, clusters, mappers, inputs, runtime)
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
                v, v_hat, fake_logits, lambda_eps=c.lambda_eps, adversarial=c.adversarial
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

    name = f"map, clusters {units[0]} to {units[-1]}"
    curve = train(state, step, c, name=name, runtime=runtime)

    draws = [inputs.generator("map", f"quality {unit}") for unit in units]
    quality, floor = mapper_quality(mappers, clusters, draws)
    meta = {"curve": curve, "data_dim": data_dim, "quality": quality, "quality_floor": floor}
    return Artifact(dict(mappers.state_dict()), meta)


def _codes(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> list[Tensor]:
    """Codes of each unit's cluster, ``[n_k, d]``; of a streamed table as many as are drawn."""
    numbers = [int(unit) for unit in units]
    if inputs.data.stream is not None:
        return read_clusters(numbers, inputs, runtime, limit=config.mappers.num_samples)
    return ClusteredCodes.from_artifact(inputs.artifacts["cluster"]).codes_of(numbers)


def _mapper_batches(
    c: MapperSettings,
    units: Units,
    clusters: Sequence[Tensor],
    mappers: Mappers,
    inputs: Inputs,
    runtime: Runtime,
) -> Blocks[tuple[Tensor, Tensor]]:
    """Each cluster's batches and prior codes, from its own generator: packing changes nothing."""
    steps = 32

    def draw(generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        rows, prior = [], []
        for eps, generator in zip(clusters, generators, strict=True):
            index = torch.randint(len(eps), (steps, c.batch_size), generator=generator)
            rows.append(eps[index])
            prior.append(torch.randn(steps, c.batch_size, mappers.code_dim, generator=generator))
        return torch.stack(rows).to(runtime.device), torch.stack(prior).to(runtime.device)

    seeds = [inputs.generator("map", f"batches {unit}").initial_seed() for unit in units]
    return Blocks(draw, seeds, steps)


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


@torch.no_grad()
def mapper_quality(
    mappers: Mappers, clusters: Sequence[Tensor], generators: Sequence[torch.Generator]
) -> tuple[list[float], list[float]]:
    """How far each mapper's draws are from its cluster, by sliced Wasserstein-1.

    Distances are in the cluster's own coordinates, in which its axes have unit variance.

    Args:
        mappers: The K mappers.
        clusters: Their codes, ``[n_k, d]``.
        generators: One a cluster.

    Returns:
        The distance of 512 draws to 512 codes of each cluster, and that of 512 other codes to them,
        its floor.
    """
    num, device = 512, mappers.whitening.centre.device
    real, omega, directions = [], [], []

    for eps, generator in zip(clusters, generators, strict=True):
        real.append(eps[torch.randint(len(eps), (2 * num,), generator=generator)])
        omega.append(torch.randn(num, mappers.code_dim, generator=generator))
        directions.append(torch.randn(eps.shape[1], 64, generator=generator))

    axes = nn.functional.normalize(torch.stack(directions), dim=1).to(device)
    v = mappers.whitening(torch.stack(real).to(device))
    drawn = mappers.decode(torch.stack(omega).to(device))
    here, there, made = (
        torch.bmm(rows, axes).sort(1).values for rows in (v[:, :num], v[:, num:], drawn)
    )
    distances = ((made - here).abs().mean((1, 2)), (there - here).abs().mean((1, 2)))

    return distances[0].tolist(), distances[1].tolist()


def _joined(key: str, parts: Sequence[Artifact]) -> list[Any]:
    """A list of all parts' values, one part after another."""
    return list(itertools.chain.from_iterable(part.meta[key] for part in parts))


def merge_mappers(parts: Sequence[Artifact]) -> Artifact:
    """All parts' clusters side by side, in the clusters' order; the curve is their mean."""
    units = _joined("units", parts)
    order = torch.tensor([int(unit) for unit in units]).argsort()

    tensors = {}
    for name in parts[0].tensors:
        tensors[name] = torch.cat([part.tensors[name] for part in parts])[order]

    meta = {"curve": _mean_curve(parts), "data_dim": parts[0].meta["data_dim"]}
    for key in ("quality", "quality_floor"):
        values = _joined(key, parts)
        meta[key] = [values[i] for i in order]

    return Artifact(tensors, meta)


def _mean_curve(parts: Sequence[Artifact]) -> list[dict[str, float]]:
    """The parts' curves, point by point, each weighted by its share of the clusters."""
    num_units = sum(len(part.meta["units"]) for part in parts)
    curve = [dict.fromkeys(point, 0.0) for point in parts[0].meta["curve"]]

    for part in parts:
        share = len(part.meta["units"]) / num_units
        for mean, point in zip(curve, part.meta["curve"], strict=True):
            for key, value in point.items():
                mean[key] += share * value

    # A number of samples is the same in all, and stays a whole number.
    for mean, point in zip(curve, parts[0].meta["curve"], strict=True):
        mean["samples"] = point["samples"]

    return curve
