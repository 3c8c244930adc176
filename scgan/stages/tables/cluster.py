"""Stage: the codes cut into clusters by K-means."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from scgan.clustering.evidence import choose_num_clusters
from scgan.clustering.in_memory import Clusters, Partition, fit_clusters, nearest_centre
from scgan.clustering.streamed import fit_partition
from scgan.config import Settings
from scgan.contract import Inputs, Units
from scgan.stages.tables.encode import load_encoder
from scgan.stages.tables.rows import read_codes
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime

KEPT_CODES = 65_536  # of a streamed table, and for the latent models that draw on codes

_log = logging.getLogger(__name__)


class ClusterSettings(Settings):
    """Stage 2, the partition."""

    num_clusters: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="K; none: of 1, 4, 16, 64 and 256 what explains held-out codes best by a "
        "small mixture a cluster",
    )
    min_rows: int = Field(
        16, ge=2, description="rows; a smaller cluster is dissolved into the nearest other"
    )
    max_iter: int = Field(
        30, ge=1, description="rounds of K-means at most; of a streamed table, passes over it"
    )
    mini_batch_above: int = Field(
        50_000, ge=1, description="rows above which K-means works in mini-batches"
    )


@dataclass(frozen=True)
class ClusteredCodes(Clusters):
    """What stage 2's partition hands on: the clusters, and codes to train on.

    Args:
        centres: ``[K, d]``.
        counts: Training rows of each cluster, ``[K]``.
        spread: Root mean square distance to the centre, per dimension, ``[K]``.
        dissolved: Clusters that were too small.
        k: Cluster of each code, ``[N]``.
        codes: eps of the training rows in their order, ``[N, d]``; of a streamed table some only.
    """

    codes: Tensor

    @classmethod
    def of(cls, found: Partition, k: Tensor, codes: Tensor) -> ClusteredCodes:
        """A partition with the clusters ``[N]`` of codes ``[N, d]``."""
        return cls(found.centres, found.counts, found.spread, found.dissolved, k, codes)

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> ClusteredCodes:
        """What :meth:`to_artifact` put away."""
        return cls(dissolved=artifact.meta["dissolved"], **artifact.tensors)

    def to_artifact(self) -> Artifact:
        """Tensors by the fields' names."""
        names = ("centres", "counts", "spread", "k", "codes")
        meta = {"num_clusters": len(self.counts), "dissolved": self.dissolved}
        return Artifact({name: getattr(self, name) for name in names}, meta)

    def codes_of(self, clusters: Sequence[int]) -> list[Tensor]:
        """The codes of some clusters, ``[n_k, d]`` each, in the rows' order."""
        order = self.k.argsort(stable=True)
        lengths = torch.bincount(self.k, minlength=len(self.counts)).tolist()
        pieces = order.split(lengths)
        return [self.codes[pieces[k]] for k in clusters]


def num_clusters(
    c: ClusterSettings, eps: Tensor, seed: int
) -> tuple[int, Mapping[str, Mapping[str, float]]]:
    """K: what is set, or by held-out codes of ``eps`` ``[N, d]``; and what the artifact says of it.

    The evidence is the mean log-likelihood of a held-out code, in nats, by K.
    """
    if c.num_clusters is not None:
        return c.num_clusters, {}

    num, evidence = choose_num_clusters(eps, min_rows=c.min_rows, max_iter=c.max_iter, seed=seed)
    tried = ", ".join(f"{k}: {value:.2f}" for k, value in evidence.items())
    _log.info(
        "%d clusters, as a small mixture each explains held-out codes (log-likelihood, nats: %s)",
        num,
        tried,
    )
    return num, {"evidence": {str(k): value for k, value in evidence.items()}}


def cluster(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 2, the partition of the codes into K subsets."""
    c: ClusterSettings = config.clusters
    encoder = load_encoder(config.encoder, inputs.artifacts["encode"]).to(runtime.device)
    on_device = encoder.embed(inputs.data.train.to(runtime.device))
    eps = on_device.cpu()
    num, why = num_clusters(c, eps, _seed(inputs))

    found = fit_clusters(
        on_device,
        num,
        min_rows=c.min_rows,
        max_iter=c.max_iter,
        mini_batch_above=c.mini_batch_above,
        seed=_seed(inputs),
    )

    return _artifact(c, ClusteredCodes.of(found, found.k, eps), why)


def cluster_shards(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 2, the partition of a streamed table's codes, read shard by shard."""
    c: ClusterSettings = config.clusters
    files = inputs.artifacts["embed"].tables
    num, why = num_clusters(c, read_codes(files[0], runtime), _seed(inputs))

    found = fit_partition(
        lambda number: read_codes(files[number], runtime),
        [file.rows for file in files],
        num,
        min_rows=c.min_rows,
        max_passes=c.max_iter,
        seed=_seed(inputs),
        runtime=runtime,
    )

    kept, rows = list[Tensor](), 0
    for file in files:
        kept.append(read_codes(file, runtime)[: KEPT_CODES - rows])
        rows += len(kept[-1])
        if rows == KEPT_CODES:
            break

    codes = torch.cat(kept)
    k = nearest_centre(codes, found.centres)
    return _artifact(c, ClusteredCodes.of(found, k, codes), why)


def _seed(inputs: Inputs) -> int:
    return int(torch.randint(2**31, (), generator=inputs.generator("cluster", "start")))


def _artifact(c: ClusterSettings, found: ClusteredCodes, why: Mapping[str, Any]) -> Artifact:
    if found.dissolved:
        _log.warning(
            "%d clusters with fewer than %d rows were dissolved", found.dissolved, c.min_rows
        )
    artifact = found.to_artifact()
    return Artifact(artifact.tensors, {**artifact.meta, **why})
