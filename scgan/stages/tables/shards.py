"""Stages of a table larger than memory: its rows in shards, their codes, the codes by cluster."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from scgan.clustering.in_memory import nearest_centre
from scgan.contract import Inputs, Units
from scgan.data.split import spreading
from scgan.stages.tables.encode import load_encoder
from scgan.stages.tables.rows import named, read_codes, read_shard, stream_of, tables_of
from scgan.store.artifacts import Artifact
from scgan.store.parquet import TableFile
from scgan.training.runtime import Progress, Runtime

CHUNK_VALUES = 2**23  # numbers of a file that are in memory before they are written


class _Written:
    """The files that a fit has written, and how many rows they hold."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.files, self.started = runtime, list[TableFile](), time.monotonic()

    def add(self, file: TableFile) -> None:
        """Keep the file and say how far the fit is."""
        self.files.append(file)
        rows = sum(file.rows for file in self.files)
        self.runtime.report(Progress(rows, rows, {}, time.monotonic() - self.started))

    def artifact(self) -> Artifact:
        """The part that lists them."""
        return Artifact(meta={"tables": [asdict(file) for file in self.files]})


def merge_tables(parts: Sequence[Artifact]) -> Artifact:
    """All parts' files, in the order of their names."""
    entries = itertools.chain.from_iterable(part.meta["tables"] for part in parts)
    files = [TableFile(**entry) for entry in entries]
    return Artifact(tables=tuple(sorted(files, key=lambda file: file.name)))


def part_units(config: Any, inputs: Inputs) -> Units:
    """One unit a file of the table."""
    return [str(i) for i in range(len(stream_of(inputs).parts.paths))]


def shard_units(config: Any, inputs: Inputs) -> Units:
    """One unit a shard."""
    return [str(i) for i in range(stream_of(inputs).num_shards)]


def shard(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Scale the training rows of some files, sorted by shard: each a random sample of all."""
    written = _Written(runtime)
    for unit in units:
        for number, (x, shards) in enumerate(_chunks(int(unit), inputs)):
            order = shards.argsort(kind="stable")
            columns = {"shard": shards[order], **named(x[order], "x")}
            written.add(
                tables_of(runtime).write(f"{int(unit):06d}-{number:04d}", columns, by="shard")
            )

    return written.artifact()


def _chunks(part: int, inputs: Inputs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scaled rows ``[n, D]`` of a file and their shards ``[n]``, a chunk at a time."""
    schema, rng = inputs.data.table_schema, spreading(inputs.seed, part)
    held: list[tuple[np.ndarray, np.ndarray]] = []

    for columns, shards in stream_of(inputs).train_rows(part):
        held.append((schema.encode(columns, rng).numpy(), shards))
        if sum(len(rows) for rows, _ in held) * schema.dim >= CHUNK_VALUES:
            yield _joined(held)
            held = []

    if held:
        yield _joined(held)


def _joined(held: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    x, shards = zip(*held, strict=True)
    return np.concatenate(x), np.concatenate(shards)


def embed(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """The codes eps of some shards, a file each."""
    encoder = load_encoder(config.encoder, inputs.artifacts["encode"]).to(runtime.device)
    written = _Written(runtime)
    for unit in units:
        x = read_shard(int(unit), inputs, runtime)
        eps = torch.cat([encoder.embed(rows.to(runtime.device)).cpu() for rows in x.split(2**16)])
        written.add(tables_of(runtime).write(f"{int(unit):06d}", named(eps.numpy(), "eps")))
    return written.artifact()


def partition(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """The codes of some shards sorted by cluster, so that a mapper reads its own alone."""
    centres, codes = (
        inputs.artifacts["cluster"].tensors["centres"],
        inputs.artifacts["embed"].tables,
    )
    written = _Written(runtime)

    for unit in units:
        eps = read_codes(codes[int(unit)], runtime)
        k = nearest_centre(eps, centres)
        order = k.argsort(stable=True)
        columns = {"k": k[order].int().numpy(), **named(eps[order].numpy(), "eps")}
        written.add(tables_of(runtime).write(f"{int(unit):06d}", columns, by="k"))

    return written.artifact()
