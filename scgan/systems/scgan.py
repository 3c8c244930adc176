r"""SC-GAN: contrastive encoder, K-means, one adversarial autoencoder a cluster, stochastic decoder.

::

    x --encode--> eps --cluster--> C_1..C_K --map--> AAE_1..AAE_K --decode--> EigenGAN decoder
    sample:  k ~ Cat(n_k / N)   omega, z ~ N(0, I)   x = decoder(AAE_k.decode(omega), z)

Source: [SCGAN], which publishes no hyper-parameters: the defaults are ours.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from scgan.capabilities import OneOf, WholeNumber
from scgan.clustering.in_memory import nearest_centre, soft_clusters
from scgan.config import Settings
from scgan.contract import Stage, System, preset
from scgan.data.dataset import Dataset
from scgan.figures import tables
from scgan.figures.default_figures import NUM_ROWS, draw_samples
from scgan.metrics.noise import spread_ratio
from scgan.metrics.objectives import TABLE, Objective
from scgan.metrics.scores import Score
from scgan.nn.mlp import by_rows
from scgan.space import Choice, Float, Int, Space, When
from scgan.stages.tables import cluster, decode, encode, latents, refine, shards
from scgan.stages.tables import map as mapping
from scgan.stages.tables.decoder_settings import DecoderSettings
from scgan.stages.tables.latents import LATENT_TITLES, LATENTS, LatentName
from scgan.stages.tables.mapper_settings import MapperSettings
from scgan.stages.tables.refine_settings import RefineSettings
from scgan.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SCGANConfig(Settings):
    """All of SC-GAN's settings, a section a stage."""

    encoder: encode.EncoderSettings = encode.EncoderSettings()
    clusters: cluster.ClusterSettings = cluster.ClusterSettings()
    mappers: MapperSettings = MapperSettings()
    decoder: DecoderSettings = DecoderSettings()
    refine: RefineSettings = RefineSettings()


class SCGANModel:
    """A trained SC-GAN, on standardised data.

    Args:
        config: Its settings.
        artifacts: Of its stages.
        device: Where it lies.
    """

    def __init__(
        self, config: SCGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> None:
        self.device = device
        self.encoder = encode.load_encoder(config.encoder, artifacts["encode"]).to(device)
        self.encoder_settings = config.encoder
        self.noise_std: float = artifacts["encode"].meta["noise_std"]
        self.centres = artifacts["cluster"].tensors["centres"].to(device)
        self.counts = artifacts["cluster"].tensors["counts"]
        self.spread = artifacts["cluster"].tensors["spread"]
        self.decoder = decode.load_decoder(config.decoder, artifacts["decode"]).to(device)

        self.latents = {
            name: latents.latent_model(name, config, artifacts, device) for name in LATENTS
        }
        self.trained_latent = config.decoder.latent
        refined = refine.load_refined(config, artifacts, device)
        self.margins, self.trees = refined.margins, refined.trees
        if refined.mapping is not None:
            self.latents["mapping"] = refined.mapping

        mapped = artifacts["map"].meta
        self.mapper_distances: list[float] = mapped["quality"]
        self.mapper_distance_floors: list[float] = mapped["quality_floor"]
        self.cluster_columns: Mapping[str, Sequence[float]] = {
            "mapper distance": self.mapper_distances,
            "spread": self.spread.tolist(),
        }
        self.options = (
            WholeNumber("cluster", "of this one only; of all by their weights", len(self.counts)),
            OneOf("latent", "where codes come from; as the decoder was trained", LATENTS),
        )

    @torch.no_grad()
    def sample(
        self,
        num: int,
        generator: torch.Generator,
        *,
        cluster: int | None = None,
        latent: LatentName | None = None,
        chunk: int = 65_536,
    ) -> Tensor:
        """Draw samples.

        Args:
            num: How many.
            generator: Draws clusters, codes and noise.
            cluster: Only from this cluster; None draws from all by their weights.
            latent: Where codes come from; None is what the decoder was trained with.
            chunk: Rows drawn at once.

        Returns:
            Samples, ``[num, D]``.
        """
        name = latent or self.trained_latent
        source, margins, rows = self.latents[name], self.margins[name], list[Tensor]()
        trees = self.trees if name == self.trained_latent else None
        while (missing := num - sum(map(len, rows))) > 0:
            wanted = missing if trees is None else math.ceil(missing / float(trees.rate))
            eps = source.sample(min(chunk, wanted), generator, cluster)
            x = margins(self.decoder.draw(eps, generator))
            rows.append(x if trees is None else x[trees.accepts(x, generator)][:missing])
        return torch.cat(rows) if rows else torch.empty(0, self.decoder.output.out_features)

    def encode(self, x: Tensor) -> Tensor:
        """Codes eps ``[N, d]`` of data ``[N, D]``."""
        return self.encoder.embed(x.to(self.device))

    def view_information(self, x: Tensor, generator: torch.Generator) -> tuple[float, float]:
        """What the codes of two views of rows ``x`` ``[N, D]`` tell of each other; and its bound.

        As InfoNCE estimates it in batches of the training's size, nats.
        """
        return encode.view_information(
            self.encoder_settings, self.encoder, self.noise_std, x.to(self.device), generator
        )

    def assign(self, x: Tensor) -> Tensor:
        """Cluster of each row, ``[N]``: the nearest centre of its code."""
        return nearest_centre(self.encode(x), self.centres)

    def probabilities(self, x: Tensor) -> Tensor:
        """Of each cluster given a row, ``[N, K]``, as if all were Gaussians of one width."""
        centres, counts, spread = (t.cpu() for t in (self.centres, self.counts, self.spread))
        return soft_clusters(self.encode(x).cpu(), centres, counts, spread)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the codes of ``x`` with the noise fixed at its mean, ``[N, D]``."""
        return by_rows(self.decoder, self.encode(x))

    @torch.no_grad()
    def redraw(self, x: Tensor, num: int, generator: torch.Generator) -> Tensor:
        """Decode the codes of ``x`` with ``num`` independent noises, ``[num, N, D]``."""
        eps = self.encode(x)
        return torch.stack([self.decoder.draw(eps, generator) for _ in range(num)])


ENCODE = Stage("encode", ("encoder",), (), encode.encode, data_parallel=True, version=2)
MAP = Stage(
    "map",
    ("mappers",),
    ("cluster",),
    mapping.map_clusters,
    units=mapping.mapper_units,
    merge=mapping.merge_mappers,
    version=2,
)
DECODE = Stage(
    "decode",
    ("mappers", "decoder"),
    ("cluster", "map"),
    decode.decode,
    data_parallel=True,
    version=6,
)
REFINE = Stage(
    "refine",
    ("mappers", "decoder", "refine"),
    ("cluster", "map", "decode"),
    refine.refine,
    version=4,
)

IN_MEMORY = (
    ENCODE,
    Stage("cluster", ("encoder", "clusters"), ("encode",), cluster.cluster, version=4),
    MAP,
    DECODE,
    REFINE,
)

_by_file = partial(Stage, merge=shards.merge_tables, by_file=True)

STREAMED = (
    _by_file("shards", (), (), shards.shard, units=shards.part_units),
    replace(ENCODE, needs=("shards",)),
    _by_file("embed", ("encoder",), ("shards", "encode"), shards.embed, units=shards.shard_units),
    Stage("cluster", ("clusters",), ("embed",), cluster.cluster_shards, version=4),
    _by_file("partition", (), ("embed", "cluster"), shards.partition, units=shards.shard_units),
    replace(MAP, needs=("cluster", "partition")),
    replace(DECODE, needs=("shards", "embed", "cluster", "map")),
    replace(REFINE, needs=("shards", "cluster", "map", "decode")),
)


class SCGANSystem(System):
    r"""SC-GAN: what each stage minimises, and where that is computed.

    .. math::

        \text{(1) encode} \quad & -I(X; E) \text{, by InfoNCE on two noisy views of x} \\
        \text{(2), (3) map} \quad & D_\mathrm{KL}(q_k(\omega) \Vert p(\omega))
            + \lambda_\varepsilon H(E \mid W) \text{ for each cluster } k \\
        \text{(4) decode} \quad & H(X \mid E) + D_\mathrm{KL}(p(x) \Vert \hat p(x))
            + \lambda_x D_\mathrm{KL}(p(x) \Vert \tilde p(x))

    (1) is :mod:`scgan.losses.contrastive`; (2) to (4) are ``mapper_loss`` and ``decoder_loss`` of
    :mod:`scgan.losses.scgan`, their divergences by :mod:`scgan.losses.adversarial`.
    """

    paper = "SCGAN"
    examples = {"table": "checkerboard"}
    Config = SCGANConfig
    Model = SCGANModel
    presets: Mapping[str, SCGANConfig] = {
        "default": SCGANConfig(),
        "smoke": preset(
            SCGANConfig(),
            {
                "encoder.num_samples": 65_536,  # half of the default: a second or two
                "clusters.num_clusters": 32,  # few enough to train all mappers in a second
                "mappers.kind": "adversarial",  # the kind with most to go wrong
                "mappers.num_samples": 6_400,  # a fifteenth of the default
                "decoder.num_samples": 131_072,  # a sixteenth: shapes are seen, edges are not sharp
                "refine.num_trees": 0,  # what is left to do is the networks'
            },
        ),
        "closest": preset(  # as near to the data as trees bring samples, drawn slowly
            SCGANConfig(), {"refine.num_trees": 2000, "refine.tree_depth": 8}
        ),
        # The paper names methods, but no number: these are what its authors' InfoSCC-GAN uses.
        "paper": preset(
            SCGANConfig(),
            {
                "encoder.contrastive": "nt_xent",  # Eq. (1), cosine similarity
                "encoder.temperature": 0.5,  # [INFOSCC-GAN] code
                "encoder.learning_rate": 3e-4,  # [INFOSCC-GAN] code
                "encoder.noise_std": 0.05,  # ours: two views of a row of a table
                "encoder.isometric_start": False,  # [INFOSCC-GAN] code: a perceptron
                "encoder.num_samples": 768_000,  # ours: without that start it takes longer
                "mappers.kind": "adversarial",  # Sec. 2.2
                "decoder.adversarial": "hinge_clipped",  # [EIGENGAN] code, [INFOSCC-GAN] Eq. (9)
                "decoder.reconstruction_critic": True,  # Eq. (4)
                "decoder.lambda_x": 1.0,  # Eq. (4), both divergences alike
                "decoder.whitened": False,  # ours
                "decoder.noise_spread": None,  # ours
                "decoder.noise_scale": 18.0,  # [EIGENGAN] code: 3 a dimension, of 6
                "decoder.r1_weight": 10.0,  # [INFOSCC-GAN] code: every 16 steps, not multiplied
                "decoder.learning_rate": 1e-4,  # [EIGENGAN] code
                "decoder.d_learning_rate": 1e-4,  # [EIGENGAN] code
                "decoder.num_samples": 12_800_000,  # 200,000 steps of 64
                "decoder.max_passes": None,  # ours
                "decoder.schedule": "constant",  # [EIGENGAN] code
                "refine.match_margins": False,  # ours
                "refine.num_trees": 0,  # ours
            },
        ),
    }
    search_space: Space = {
        "decoder.lambda_x": Float(1, 100, log=True),
        "mappers.kind": Choice(("mixture", "adversarial")),
        "mappers.lambda_eps": Float(
            0.1, 100, log=True, when=When("mappers.kind", ("adversarial",))
        ),
        "clusters.num_clusters": Choice((None, 4, 16, 64, 256)),  # none: by held-out codes
        "decoder.learning_rate": Float(1e-4, 1e-2, log=True),
        "refine.num_trees": Choice((0, 400, 1000, 2000)),
        "refine.tree_depth": Int(5, 8, when=When("refine.num_trees", (400, 1000, 2000))),
    }

    @override
    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        return IN_MEMORY if data.stream is None else STREAMED

    @override
    def objectives(self, data: Dataset) -> Mapping[str, Objective]:
        return TABLE

    @override
    def check(self, config: SCGANConfig, data: Dataset) -> None:
        decode.check_packs(config.decoder, config.decoder.batch_size)
        num_clusters = config.clusters.num_clusters
        if num_clusters is not None and num_clusters > data.num_train:
            raise ValueError(
                f"clusters.num_clusters is {num_clusters}, but there are only {data.num_train} "
                f"training rows; choose 1 to {data.num_train}"
            )

    @override
    def evaluate(self, model: SCGANModel, data: Dataset, seed: int) -> Iterator[tuple[str, Score]]:
        yield from super().evaluate(model, data, seed)

        names = ("view_information", "view_information_bound")
        generator = torch.Generator(model.device).manual_seed(seed)
        for name, value in zip(names, model.view_information(data.test, generator), strict=True):
            yield name, Score.of(name, value)

        for which, of in (("median", statistics.median), ("worst", max)):
            values = of(model.mapper_distances), of(model.mapper_distance_floors)
            yield f"mapper_distance_{which}", Score.of(f"mapper_distance_{which}", *values)

        rows = data.test[:NUM_ROWS]
        draws = model.redraw(rows, 16, torch.Generator(model.device).manual_seed(seed))
        yield "noise_spread", Score.of("noise_spread", spread_ratio(draws.cpu(), rows.cpu()), 1.0)

    @override
    def figures(self, model: SCGANModel, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
        x = data.test[:NUM_ROWS]
        generator = torch.Generator(model.device).manual_seed(seed)
        codes = {
            LATENT_TITLES[name]: source.sample(len(x), generator).cpu()
            for name, source in model.latents.items()
            if name != "real"
        }
        caption = (
            "Latent space. First two principal components of codes: held-out rows' clusters, what "
            "each latent model draws, and the codes themselves (the paper's Figure 2)."
        )
        eps, k = model.encode(x).cpu(), model.assign(x).cpu()
        yield caption, tables.latent_space(eps, k, codes)

        samples = {
            LATENT_TITLES[name]: model.sample(len(x), generator, latent=name).cpu()
            for name in LATENTS
        }
        trained = LATENT_TITLES[model.trained_latent]
        title = "Samples of the four latent models (the paper's Figure 3); the decoder was trained "
        title += f"with codes of the {trained}"
        yield from draw_samples(data, x, samples, trained, model.reconstruct(x).cpu(), title)


SYSTEM = SCGANSystem()
