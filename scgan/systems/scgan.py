r"""SC-GAN: contrastive encoder, K-means, one adversarial autoencoder a cluster, stochastic decoder.

::

    x --encode--> eps --cluster--> C_1..C_K --map--> AAE_1..AAE_K --decode--> EigenGAN decoder
    sample:  k ~ Cat(n_k / N)   omega ~ N(0, I)   eps = AAE_k.decode(omega)   z ~ N(0, I)   x =
        decoder(eps, z)

Source: [SCGAN], whose hyper-parameters are not published: the defaults are ours (README, What was
    measured).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from scgan.clustering.in_memory import nearest_centre
from scgan.config import Settings
from scgan.contract import Stage
from scgan.data.dataset import Dataset
from scgan.figures import tables as figures
from scgan.metrics import objectives
from scgan.metrics.scores import Score, label_scores, mode_scores, score
from scgan.nn.mlp import by_rows
from scgan.space import Float, Int, Space
from scgan.stages.tables import cluster, decode, encode, latents, shards
from scgan.stages.tables import map as mapping
from scgan.stages.tables.latents import LATENTS, LatentName
from scgan.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SCGANConfig(Settings):
    """All of SC-GAN's settings, a section a stage."""

    encoder: encode.EncoderSettings = encode.EncoderSettings()
    clusters: cluster.ClusterSettings = cluster.ClusterSettings()
    mappers: mapping.MapperSettings = mapping.MapperSettings()
    decoder: decode.DecoderSettings = decode.DecoderSettings()


LATENT_TITLES: Mapping[LatentName, str] = {
    "gaussian": "single Gaussian",
    "centres": "noisy centres",
    "mapping": "mapping networks",
    "real": "real codes",
}


class Model:
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
        self.centres = artifacts["cluster"].tensors["centres"].to(device)
        self.decoder = decode.load_decoder(config.decoder, artifacts["decode"]).to(device)
        self.latents = {
            name: latents.latent_model(name, config, artifacts, device) for name in LATENTS
        }
        self.trained_latent = config.decoder.latent
        self.mapper_quality: list[float] = artifacts["map"].meta["quality"]
        self.mapper_quality_floor: list[float] = artifacts["map"].meta["quality_floor"]

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
        source = self.latents[latent or self.trained_latent]
        rows = []
        for start in range(0, num, chunk):
            eps = source.sample(min(chunk, num - start), generator, cluster)
            rows.append(by_rows(self.decoder, eps, self.decoder.noise(len(eps), generator)))
        return torch.cat(rows) if rows else torch.empty(0, self.decoder.output.out_features)

    def encode(self, x: Tensor) -> Tensor:
        """Codes eps ``[N, d]`` of data ``[N, D]``."""
        return self.encoder.embed(x.to(self.device))

    def assign(self, x: Tensor) -> Tensor:
        """Cluster of each row, ``[N]``: the nearest centre of its code."""
        return nearest_centre(self.encode(x), self.centres)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the codes of ``x`` with the noise fixed at its mean, ``[N, D]``."""
        return by_rows(self.decoder, self.encode(x))


ENCODE = Stage("encode", ("encoder",), (), encode.encode, data_parallel=True)
MAP = Stage(
    "map",
    ("encoder", "clusters", "mappers"),
    ("encode", "cluster"),
    mapping.map_clusters,
    units=mapping.mapper_units,
    merge=mapping.merge_mappers,
)
DECODE = Stage(
    "decode",
    ("encoder", "clusters", "mappers", "decoder"),
    ("encode", "cluster", "map"),
    decode.decode,
    data_parallel=True,
)


class SCGAN:
    """The system, as the pipeline drives it."""

    name = "scgan"
    paper = "SCGAN"
    kind: Literal["table", "images"] = "table"
    example = "checkerboard"
    Config = SCGANConfig
    presets: Mapping[str, SCGANConfig] = {
        "smoke": SCGANConfig(
            encoder=encode.EncoderSettings(num_samples=65_536),
            clusters=cluster.ClusterSettings(num_clusters=32),
            mappers=mapping.MapperSettings(num_samples=6_400),
            decoder=decode.DecoderSettings(num_samples=131_072),
        ),
        "default": SCGANConfig(),
        # The paper names SimCLR, K-means, AAE and EigenGAN but no number: these are what its
        # authors' InfoSCC-GAN uses.
        "paper": SCGANConfig(
            encoder=encode.EncoderSettings(
                contrastive="nt_xent", temperature=0.5, learning_rate=3e-4, noise_std=0.05
            ),
            decoder=decode.DecoderSettings(
                adversarial="hinge",
                r1_weight=10.0,
                learning_rate=1e-4,
                d_learning_rate=1e-4,
                num_samples=12_800_000,
                schedule="constant",
            ),
        ),
    }
    search_space: Space = {
        "decoder.lambda_x": Float(0.01, 10, log=True),
        "mappers.lambda_eps": Float(0.1, 100, log=True),
        "clusters.num_clusters": Int(8, 512, log=True, start=256),
        "mappers.learning_rate": Float(1e-4, 1e-2, log=True),
        "decoder.learning_rate": Float(1e-4, 1e-2, log=True),
    }
    metrics = objectives.TABLE
    stages = (
        ENCODE,
        Stage("cluster", ("encoder", "clusters"), ("encode",), cluster.cluster),
        MAP,
        DECODE,
    )
    streamed = (
        Stage(
            "shards",
            (),
            (),
            shards.shard,
            units=shards.part_units,
            merge=shards.merge_tables,
            by_file=True,
        ),
        replace(ENCODE, needs=("shards",)),
        Stage(
            "embed",
            ("encoder",),
            ("shards", "encode"),
            shards.embed,
            units=shards.shard_units,
            merge=shards.merge_tables,
            by_file=True,
        ),
        Stage("cluster", ("encoder", "clusters"), ("embed",), cluster.cluster_shards, version=2),
        Stage(
            "partition",
            ("encoder", "clusters"),
            ("embed", "cluster"),
            shards.partition,
            units=shards.shard_units,
            merge=shards.merge_tables,
            by_file=True,
        ),
        replace(MAP, needs=("cluster", "partition")),
        replace(DECODE, needs=("shards", "encode", "cluster", "map")),
    )

    def check(self, config: SCGANConfig, data: Dataset) -> None:
        """Refuse more clusters than training rows.

        Raises:
            ValueError: For such a number.
        """
        num_clusters = config.clusters.num_clusters
        if num_clusters is not None and num_clusters > data.num_train:
            raise ValueError(
                f"clusters.num_clusters is {num_clusters}, but there are only {data.num_train} training rows; "
                f"choose 1 to {data.num_train}"
            )

    def model(
        self, config: SCGANConfig, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> Model:
        """Build the trained system from its stages' artifacts."""
        return Model(config, artifacts, device)

    def evaluate(self, model: Model, data: Dataset, seed: int) -> dict[str, Score]:
        """Score reconstruction and generation on the held-out split."""
        columns = data.table_schema.decode(
            model.sample(40_000, torch.Generator(model.device).manual_seed(seed))
        )
        samples = data.table_schema.encode(columns)  # as a user gets them: integers are integers
        error = (model.reconstruct(data.test).cpu() - data.test).square()
        scale = torch.tensor(
            [column.scale for column in data.table_schema.modelled], dtype=torch.float64
        )
        scores = {"reconstruction_mse": Score(float(error.mean()), None, "lower")}

        if data.toy is not None:
            in_units = (error.double() * scale.square()).mean()
            scores["reconstruction_mse_data_units"] = Score(float(in_units), None, "lower")

        scores |= score(samples, data.test, data.train, seed=seed)
        for name, of in (("median", statistics.median), ("worst", max)):
            values = (of(model.mapper_quality), of(model.mapper_quality_floor))
            scores[f"mapper_distance_{name}"] = Score(*values, "lower")

        if data.test_labels is not None:
            scores |= label_scores(data.test_labels, model.assign(data.test).cpu())

        toy = data.toy
        if toy is not None and (modes := toy.modes()) is not None and toy.mode_std is not None:
            raw = torch.stack([torch.from_numpy(column) for column in columns.values()], 1)
            scores |= mode_scores(raw, modes, toy.mode_std, toy.mode_weights)

        return scores

    def figures(self, model: Model, data: Dataset, seed: int) -> dict[str, Figure]:
        """Draw the latent space, and samples of the four latent models beside held-out data."""
        x = data.test[:40_000]
        generator = torch.Generator(model.device).manual_seed(seed)

        codes = {
            title: model.latents[name].sample(len(x), generator).cpu()
            for name, title in LATENT_TITLES.items()
            if name != "real"
        }

        samples = {
            title: model.sample(len(x), generator, latent=name).cpu()
            for name, title in LATENT_TITLES.items()
        }
        caption = (
            "Latent space. First two principal components of the codes of held-out rows: their clusters, the codes "
            "that each latent model draws, and the codes themselves (the paper's Figure 2)."
        )
        drawn = {caption: figures.latent_space(model.encode(x).cpu(), model.assign(x).cpu(), codes)}
        trained = LATENT_TITLES[model.trained_latent]
        if data.table_schema.dim == 1:
            return drawn | _line_figures(data, x, samples)

        if data.table_schema.dim == 2:
            return drawn | _plane_figures(data, x, samples, model.reconstruct(x).cpu(), trained)

        return drawn | _table_figures(data, x, samples, trained)


def _columns(data: Dataset, rows: Tensor) -> dict[str, np.ndarray]:
    """The modelled columns in the user's units."""
    decoded = data.table_schema.decode(rows)
    return {column.name: decoded[column.name] for column in data.table_schema.modelled}


def _line_figures(data: Dataset, x: Tensor, samples: Mapping[str, Tensor]) -> dict[str, Figure]:
    (real,) = _columns(data, x).values()
    drawn = {title: next(iter(_columns(data, rows).values())) for title, rows in samples.items()}
    caption = "Samples of the four latent models. Each beside held-out data (the paper's Figure 3)."
    return {caption: figures.marginals(dict.fromkeys(drawn, real), drawn)}


def _plane_figures(
    data: Dataset, x: Tensor, samples: Mapping[str, Tensor], x_hat: Tensor, trained: str
) -> dict[str, Figure]:
    def points(rows: Tensor) -> np.ndarray:
        return np.stack(list(_columns(data, rows).values()), 1)

    names = [column.name for column in data.table_schema.modelled]
    clouds = {title: points(rows) for title, rows in samples.items()}

    beside = (
        "Samples of the four latent models. Share of rows in each bin, on a logarithmic scale that all panels "
        f"share; the decoder was trained with codes of the {trained}. The last panel is held-out data (the "
        "paper's Figure 3)."
    )

    again = (
        "Reconstruction. Held-out rows, the same decoded from their own codes with the noise fixed, and how far "
        "the two are apart, by place."
    )
    return {
        beside: figures.data_and_latents(clouds, points(x), names, title="held-out data"),
        again: figures.reconstructions(points(x), points(x_hat), names),
    }


def _table_figures(
    data: Dataset, x: Tensor, samples: Mapping[str, Tensor], trained: str
) -> dict[str, Figure]:
    plane, project = figures.principal_plane(x)
    clouds = {title: project(rows) for title, rows in samples.items()}
    real, generated = _columns(data, x), _columns(data, samples[trained])

    beside = (
        "Samples of the four latent models. First two principal components of the standardised columns; share of "
        "rows in each bin, on a logarithmic scale that all panels share. The last panel is held-out data (the "
        "paper's Figure 3)."
    )

    columns = f"Columns. Held-out rows and samples ({trained}), in the table's own units."
    together = f"Correlations. Spearman's rank correlation of each pair of columns; samples of the {trained}."

    return {
        beside: figures.data_and_latents(
            clouds, plane, ("first component", "second component"), title="held-out data"
        ),
        columns: figures.marginals(real, generated),
        together: figures.correlations(real, generated),
    }


SYSTEM = SCGAN()
