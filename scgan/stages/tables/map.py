"""Stage: a small latent model a cluster, all of a task stacked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scgan.contract import Inputs, Units
from scgan.nn.mappers import (
    AutoencoderMappers,
    FlowMappers,
    Mappers,
    MixtureMappers,
    Whitening,
)
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.mapper_fits import (
    MOST_COMPONENTS,
    Codes,
    fit_autoencoders,
    fit_flows,
    fit_mixtures,
)
from scgan.stages.tables.mapper_settings import MapperSettings
from scgan.stages.tables.rows import read_clusters
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime


def mapper_units(config: Any, inputs: Inputs) -> Units:
    """One unit a cluster."""
    return [str(i) for i in range(inputs.artifacts["cluster"].meta["num_clusters"])]


def build_mappers(
    c: MapperSettings, dim: int, data_dim: int, generators: Sequence[torch.Generator]
) -> Mappers:
    """New mappers, one a generator, for codes ``[n, dim]`` of data ``[N, data_dim]``.

    They model as many axes as the data has dimensions where none is set: that of the manifold the
    codes lie on.
    """
    num, num_axes = len(generators), min(c.code_dim or data_dim, dim)
    sizes: dict[str, Any] = {"width": c.width, "num_layers": c.num_layers, "generators": generators}

    if c.kind == "adversarial":
        return AutoencoderMappers(dim, num_axes, **sizes)
    if c.kind == "flow":
        return FlowMappers(
            dim, num_axes, num_couplings=c.num_couplings, num_pieces=c.num_pieces, **sizes
        )
    if c.kind == "mixture":
        return MixtureMappers(num, c.num_components or MOST_COMPONENTS, dim)
    return Mappers(num, dim, dim)


def load_mappers(c: MapperSettings, artifact: Artifact) -> Mappers:
    """The trained mappers, all K."""
    tensors = artifact.tensors
    centre = tensors["whitening.centre"]
    num, dim = len(tensors.get("weights", centre)), centre.shape[2]
    if "weights" in tensors:
        c = c.model_copy(update={"num_components": tensors["weights"].shape[1]})

    mappers = build_mappers(c, dim, artifact.meta["data_dim"], [torch.Generator()] * num)
    mappers.load_state_dict(tensors)
    return mappers


def map_clusters(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 2: shape N(0, I) into each cluster by a small latent model, all units stacked.

    Source: [SCGAN] Sec. 2.2, Eqs. (2)-(3), [AAE]; its flows.
    """
    c: MapperSettings = config.mappers
    codes = Codes.of(units, _codes(config, units, inputs, runtime), inputs)
    data_dim, dim = inputs.data.train.shape[1], codes.train[0].shape[1]
    mappers = build_mappers(c, dim, data_dim, [inputs.generator("map", unit) for unit in units])

    curve: list[dict[str, float]] = []
    if isinstance(mappers, MixtureMappers):
        fit_mixtures(c, mappers, codes, runtime)
    else:
        mappers.whitening.fit(codes.train, c.axis_floor)

    mappers.to(runtime.device)
    if isinstance(mappers, AutoencoderMappers):
        curve = fit_autoencoders(c, mappers, codes, runtime)
    if isinstance(mappers, FlowMappers):
        curve = fit_flows(c, mappers, codes, runtime)

    quality, floor = mapper_quality(c, mappers, codes)
    meta = {"curve": curve, "data_dim": data_dim, "quality": quality, "quality_floor": floor}
    return Artifact(dict(mappers.state_dict()), meta)


def _codes(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> list[Tensor]:
    """Codes of each unit's cluster, ``[n_k, d]``; of a streamed table as many as are drawn."""
    numbers = [int(unit) for unit in units]
    if inputs.data.stream is not None:
        return read_clusters(numbers, inputs, runtime, limit=config.mappers.num_samples)
    return ClusteredCodes.from_artifact(inputs.artifacts["cluster"]).codes_of(numbers)


@torch.no_grad()
def mapper_quality(
    c: MapperSettings, mappers: Mappers, codes: Codes
) -> tuple[list[float], list[float]]:
    """How far each mapper's draws are from held-out codes of its cluster, by sliced Wasserstein-1.

    Distances are in the cluster's own coordinates, in which its axes have unit variance.

    Args:
        c: Settings, for these coordinates.
        mappers: The K mappers.
        codes: What they were trained on, and what they were not.

    Returns:
        The distance of draws to as many held-out codes of each cluster, and that of codes that were
        trained on, the floor.
    """
    quality, floor, device = [], [], mappers.whitening.centre.device
    for k, (train, held_out) in enumerate(zip(codes.train, codes.held_out, strict=True)):
        generator, num = codes.generator(k, "quality"), len(held_out)
        real = train[torch.randint(len(train), (num,), generator=generator)]
        made = mappers.sample(torch.full((num,), k, device=device), generator).cpu()
        directions = torch.randn(train.shape[1], 64, generator=generator)

        own = Whitening(1, train.shape[1])
        own.fit([train], c.axis_floor)
        axes = nn.functional.normalize(directions, dim=0)
        here, there, drawn = (
            (own(rows[None])[0] @ axes).sort(0).values for rows in (held_out, real, made)
        )
        quality.append(float((drawn - here).abs().mean()))
        floor.append(float((there - here).abs().mean()))

    return quality, floor


def _joined(key: str, parts: Sequence[Artifact]) -> list[Any]:
    """A list of all parts' values, one part after another."""
    return list(itertools.chain.from_iterable(part.meta[key] for part in parts))


def merge_mappers(parts: Sequence[Artifact]) -> Artifact:
    """All parts' clusters side by side, in the clusters' order; the curve is their mean."""
    units = _joined("units", parts)
    order = torch.tensor([int(unit) for unit in units]).argsort()

    tensors = {}
    for name in parts[0].tensors:
        # A cluster may have several rows: a mixture has one a component.
        rows = [t.tensors[name].unflatten(0, (len(t.meta["units"]), -1)) for t in parts]
        tensors[name] = torch.cat(rows)[order].flatten(0, 1)

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
