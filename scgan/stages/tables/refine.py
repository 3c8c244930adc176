"""Stage: what is drawn by a trained decoder brought nearer to the data, without a gradient."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scgan.clustering.in_memory import nearest_centre
from scgan.contract import Inputs, Units
from scgan.nn.mappers import MixtureMappers
from scgan.nn.margins import Margins
from scgan.nn.ratio_growth import fit_ratio_trees
from scgan.nn.ratio_trees import RatioTrees
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.decode import load_decoder
from scgan.stages.tables.latents import (
    LATENTS,
    LatentName,
    Latents,
    MappingLatents,
    draw_clusters,
    latent_model,
)
from scgan.stages.tables.map import load_mappers
from scgan.stages.tables.refine_settings import RefineSettings, Use
from scgan.stages.tables.refit import refit_mixtures
from scgan.stages.tables.rows import training_rows
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Progress, Runtime
from scgan.training.state import named_weights

NUM_MARGIN_SAMPLES = 65_536  # of each latent model that the margins are taken from
NUM_ROWS = 400_000  # training rows that trees compare with samples, at most
MOST_DRAWN = 400_000  # samples that they are compared with, at most
FEWER = 4  # times as few a row, where mixtures are fitted, which blur what more would tell
STEPS: Mapping[Use, Sequence[str]] = {
    "refit": ("refit",),
    "accept": ("accept",),
    "both": ("refit", "accept"),
}
NUM_CODES = 100_000  # accepted, that mixtures are fitted to; as many as rows, where these are more
CODES_A_ROW = 4  # accepted, that the clusters' shares are counted by
MOST_CODES = 10  # times as many, that are drawn for them at most
CODES_AT_ONCE = 65_536
SHARE_ROUNDS = 5  # of expectation maximisation
MOST_HELD = 2.0  # by what a cluster's share is multiplied or divided at most, then all sum to 1


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn, and what they are compared with.

    Args:
        decoder: Trained.
        matched: Columns whose distribution in the data they are brought to, ``[D]`` booleans.
        rows: Of the data, the first of those to train on, ``[N, D]``.
        inputs: Of the fit.
    """

    decoder: SubspaceDecoder
    matched: Tensor
    rows: Tensor
    inputs: Inputs

    def generator(self, purpose: str) -> torch.Generator:
        """Random numbers of one purpose, where the decoder is."""
        return self.inputs.generator("refine", purpose, self.matched.device)

    def margins(self, name: str, latents: Latents) -> Margins:
        """What brings a latent model's samples to the data's margins."""
        if not self.matched.any():
            return Margins(len(self.matched)).to(self.matched.device)
        generator = self.generator(f"margins {name}")
        eps = latents.sample(NUM_MARGIN_SAMPLES, generator)
        return Margins.fit(self.decoder.draw(eps, generator), self.matched)


class Mixtures(NamedTuple):
    """A mixture of Gaussians a cluster.

    Args:
        mappers: The mixtures.
        weights: Shares of the clusters, ``[K]``.
    """

    mappers: MixtureMappers
    weights: Tensor


class _Growing:
    """Says about every second how many trees there are."""

    EVERY = 1.0

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.started = self.said = time.monotonic()

    def __call__(self, num_trees: int, bound: float) -> None:
        now = time.monotonic()
        if now - self.said >= self.EVERY:
            told = {"trees": float(num_trees), "divergence": bound}
            self.runtime.report(Progress(num_trees, 0, told, now - self.started))
            self.said = now


@torch.no_grad()
def refine(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 4: match margins, learn the ratio of densities, refit or accept by it. Ours."""
    c: RefineSettings = config.refine
    device, trained = runtime.device, config.decoder.latent
    columns = inputs.data.table_schema.modelled
    normal = [c.match_margins and column.is_normal for column in columns]
    decoder = load_decoder(config.decoder, inputs.artifacts["decode"]).to(device)
    rows = training_rows("refine", inputs.data.train.to(device), inputs, runtime).at(0)[:NUM_ROWS]
    sampling = Sampling(decoder, torch.tensor(normal, device=device), rows, inputs)

    latents = {name: latent_model(name, config, inputs.artifacts, device) for name in LATENTS}
    margins = {name: sampling.margins(name, each) for name, each in latents.items()}
    source, tensors = latents[trained], dict[str, Tensor]()
    for step in STEPS[c.use] if c.num_trees else ():
        mixtures = mixtures_of(source)
        if step == "refit" and mixtures is None:
            continue
        trees = grow_trees(step, config, sampling, source, margins[trained], runtime)
        if trees.divergence == 0:  # nothing to mend
            break
        if step == "accept":
            if isinstance(source, MappingLatents):
                tensors["weights"] = hold_shares(source, sampling, margins[trained], trees)
            tensors |= named_weights("trees", trees)
        elif mixtures is not None:
            source = refit(mixtures, sampling, margins[trained], trees)
            tensors |= named_weights("mappers", source.mappers)
            margins[trained] = sampling.margins(trained, source)

    if sampling.matched.any():
        for name in LATENTS:
            tensors |= named_weights(f"margins_{name}", margins[name])
    return Artifact(tensors)


def grow_trees(
    step: str,
    config: Any,
    sampling: Sampling,
    latents: Latents,
    margins: Margins,
    runtime: Runtime,
) -> RatioTrees:
    """Compare rows of the data with samples of a latent model."""
    c: RefineSettings = config.refine
    generator, rows = sampling.generator(f"trees to {step}"), sampling.rows
    samples_a_row = c.samples_a_row / (FEWER if step == "refit" else 1)

    def draw(num: int) -> Tensor:
        return margins(sampling.decoder.draw(latents.sample(num, generator), generator))

    return fit_ratio_trees(
        rows,
        draw,
        num_trees=c.num_trees,
        depth=c.tree_depth,
        num_drawn=min(math.ceil(samples_a_row * len(rows)), MOST_DRAWN),
        generator=generator,
        grown=_Growing(runtime),
    )


def mixtures_of(latents: Latents) -> Mixtures | None:
    """The clusters' mixtures, and their weights; None of another latent model."""
    if isinstance(latents, MappingLatents) and isinstance(latents.mappers, MixtureMappers):
        return Mixtures(latents.mappers, latents.weights)
    return None


def refit(
    mixtures: Mixtures, sampling: Sampling, margins: Margins, trees: RatioTrees
) -> MappingLatents:
    """Mixtures of those codes whose samples trees accept.

    Source: [LRW], latents weighed by how much denser the data are there than samples. Differs:
    mixtures are fitted to them, no network is trained, and nothing is rejected in drawing.
    """
    num = max(NUM_CODES, len(sampling.rows))
    kept = draw_accepted(mixtures, sampling, margins, trees, num, "refit")
    mappers = refit_mixtures(mixtures.mappers, kept.codes, kept.clusters)
    return MappingLatents(mappers, mixtures.weights)


def hold_shares(
    latents: MappingLatents, sampling: Sampling, margins: Margins, trees: RatioTrees
) -> Tensor:
    r"""Weights of the clusters by which samples that trees accept have the shares of the data.

    Trees know many clusters' shares less well than counting does. Of a cluster's accepted codes
    some lie where another's centre is nearest, so that weights are those of a mixture, found by
    expectation maximisation from what it is to have around each centre:

    .. math:: w_k \leftarrow w_k \sum_m p(m \mid k) \frac{s_m}{\sum_j w_j p(m \mid j)}

    Args:
        latents: Whose weights are the data's shares s around the centres.
        sampling: How samples are drawn.
        margins: That they are brought to.
        trees: That accept them; how many they do, with these weights, is put down there.

    Returns:
        ``[K]``, summing to 1, none of them far from its share: where samples of a cluster are not
        accepted they are no data.
    """
    num_codes = CODES_A_ROW * len(sampling.rows)
    kept = draw_accepted(latents, sampling, margins, trees, num_codes, "shares")
    clusters = ClusteredCodes.from_artifact(sampling.inputs.artifacts["cluster"])
    around = nearest_centre(kept.codes, clusters.centres.to(kept.codes.device))
    shares = latents.weights.double() / latents.weights.sum()
    num = len(shares)

    accepted = torch.bincount(kept.clusters, minlength=num).double()
    wanted = shares / shares[around.unique()].sum()
    factors = torch.ones_like(shares)
    for _ in range(SHARE_ROUNDS):
        have = torch.bincount(around, factors[kept.clusters], minlength=num)
        short = (wanted * have.sum() / have)[around]
        mean = torch.bincount(kept.clusters, short, minlength=num) / accepted
        factors *= mean.where(accepted > 0, 1.0)
    factors = factors.clamp(1 / MOST_HELD, MOST_HELD)

    held = shares * factors
    trees.rate.copy_((accepted * factors).sum() / kept.num_drawn / held.sum())
    return (held / held.sum()).float().cpu()


class Accepted(NamedTuple):
    """Codes whose samples trees accept.

    Args:
        codes: ``[N, d]``.
        clusters: That they were drawn from, ``[N]``.
        num_drawn: Codes that were drawn for them.
    """

    codes: Tensor
    clusters: Tensor
    num_drawn: int


def draw_accepted(
    source: Mixtures | MappingLatents,
    sampling: Sampling,
    margins: Margins,
    trees: RatioTrees,
    num: int,
    purpose: str,
) -> Accepted:
    """Draw codes until trees have accepted the samples of ``num``, or too many are drawn."""
    generator = sampling.generator(purpose)
    num_drawn, clusters, codes = 0, list[Tensor](), list[Tensor]()
    while num_drawn < MOST_CODES * num and sum(map(len, codes)) < num:
        k = draw_clusters(source.weights, CODES_AT_ONCE, generator, None)
        eps = source.mappers.sample(k, generator)
        kept = trees.accepts(margins(sampling.decoder.draw(eps, generator)), generator)
        clusters.append(k[kept])
        codes.append(eps[kept])
        num_drawn += len(k)
    return Accepted(torch.cat(codes), torch.cat(clusters), num_drawn)


@dataclass(frozen=True)
class Refined:
    """What samples are brought nearer to the data by.

    Args:
        margins: Of each latent model.
        trees: By which samples of the latent model in training are accepted; None where all are.
        mapping: The mapping networks fitted again, or with other weights; None where they are as
            trained.
    """

    margins: Mapping[LatentName, Margins]
    trees: RatioTrees | None
    mapping: MappingLatents | None


def load_refined(config: Any, artifacts: Mapping[str, Artifact], device: torch.device) -> Refined:
    """What the stage made; nothing where it has not run yet, as at a rung of a search."""
    refined = artifacts.get("refine", Artifact())
    num_columns = len(artifacts["decode"].tensors["decoder.output.bias"])
    margins = {name: load_margins(refined, name, num_columns).to(device) for name in LATENTS}

    trees = mapping = None
    if section := refined.section("trees"):
        trees = RatioTrees(len(section["edges"]), *section["columns"].shape).to(device)
        trees.load_state_dict(section)
    section, weights = refined.section("mappers"), refined.tensors.get("weights")
    if section or weights is not None:
        mapped = Artifact(section, artifacts["map"].meta) if section else artifacts["map"]
        counts = ClusteredCodes.from_artifact(artifacts["cluster"]).counts.float()
        mapping = MappingLatents(
            load_mappers(config.mappers, mapped).to(device),
            (counts if weights is None else weights).to(device),
        )
    return Refined(margins, trees, mapping)


def load_margins(artifact: Artifact, latent: LatentName, num_columns: int) -> Margins:
    """What brings samples of a latent model to the data's margins."""
    margins = Margins(num_columns)
    if section := artifact.section(f"margins_{latent}"):
        margins.load_state_dict(section)
    return margins
