"""Rows and codes as the stages read them: in memory, or from a streamed table's parquet files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from scgan.contract import Inputs
from scgan.data.tables.streaming import Stream
from scgan.store.parquet import TableFile, Tables
from scgan.training.runtime import Runtime

Reader = Callable[[int, Inputs, Runtime], Tensor]
"""Reads what is wanted of a shard, by its number."""


class Rows(Protocol):
    """Training rows that batches are drawn from."""

    def at(self, samples: int) -> Tensor:
        """The rows ``[N, D]`` to draw from when so many samples have been seen."""


class Resident(Rows):
    """All rows, in memory.

    Args:
        x: ``[N, D]``.
    """

    def __init__(self, x: Tensor) -> None:
        self.x = x

    @override
    def at(self, samples: int) -> Tensor:
        return self.x


class Sharded(Rows):
    """The rows of one shard after another, each a random sample of all, in a new order each round.

    All workers read the same shards, each of a batch its own share: so their number changes
    nothing.

    Args:
        stage: Who draws.
        inputs: Of the fit.
        runtime: Of the fit.
        read: What to read of a shard: its rows, or their codes.
    """

    def __init__(
        self, stage: str, inputs: Inputs, runtime: Runtime, read: Reader | None = None
    ) -> None:
        self.stage, self.inputs, self.runtime = stage, inputs, runtime
        self.read = read or read_shard
        self.num_shards = stream_of(inputs).num_shards
        self.length = max(1, stream_of(inputs).num_train // self.num_shards)
        self.turn = -1
        self.x: Tensor

    @override
    def at(self, samples: int) -> Tensor:
        # A turn is as many samples as a shard has rows.
        turn = samples // self.length
        if turn != self.turn:
            turns, place = divmod(turn, self.num_shards)
            order = torch.randperm(
                self.num_shards, generator=self.inputs.generator(self.stage, f"shards {turns}")
            )
            x = self.read(int(order[place]), self.inputs, self.runtime)
            self.x, self.turn = x.to(self.runtime.device), turn

        return self.x


def training_rows(stage: str, x: Tensor, inputs: Inputs, runtime: Runtime) -> Rows:
    """The training rows: ``x`` where that is all of them, else its shards."""
    return Resident(x) if inputs.data.stream is None else Sharded(stage, inputs, runtime)


def training_codes(stage: str, eps: Tensor, inputs: Inputs, runtime: Runtime) -> Rows:
    """The training rows' codes, row by row those of :func:`training_rows`."""
    if inputs.data.stream is None:
        return Resident(eps)
    return Sharded(stage, inputs, runtime, read_shard_codes)


def read_shard(number: int, inputs: Inputs, runtime: Runtime) -> Tensor:
    """The standardised rows of a shard, ``[n, D]``, in an order that says nothing."""
    tables, files = tables_of(runtime), inputs.artifacts["shards"].tables
    x = np.concatenate([matrix(tables.read(file, "shard", [number]), "x") for file in files])
    order = torch.randperm(len(x), generator=inputs.generator("shards", f"order {number}"))
    return torch.from_numpy(x)[order]


def read_shard_codes(number: int, inputs: Inputs, runtime: Runtime) -> Tensor:
    """The codes of a shard, ``[n, d]``, in the order of :func:`read_shard`."""
    return read_codes(inputs.artifacts["embed"].tables[number], runtime)


def read_codes(file: TableFile, runtime: Runtime) -> Tensor:
    """The codes of a shard, ``[n, d]``."""
    return torch.from_numpy(matrix(tables_of(runtime).read(file), "eps"))


def read_clusters(
    clusters: Sequence[int], inputs: Inputs, runtime: Runtime, limit: int
) -> list[Tensor]:
    """Codes of some clusters, and no others', from the files that hold them cluster by cluster.

    Args:
        clusters: Their numbers.
        inputs: Of the fit.
        runtime: Of the fit.
        limit: Codes of a cluster that are enough: files are read until there are as many.

    Returns:
        The codes of each, ``[n, d]``, n at most ``limit``: a random sample where there are more.
    """
    found: dict[int, list[Tensor]] = {k: [] for k in clusters}
    for file in inputs.artifacts["partition"].tables:
        wanted = [k for k, pieces in found.items() if sum(map(len, pieces)) < limit]
        if not wanted:
            break

        columns = tables_of(runtime).read(file, "k", wanted)
        eps, k = torch.from_numpy(matrix(columns, "eps")), columns["k"]

        for number in wanted:
            first, last = np.searchsorted(k, number, "left"), np.searchsorted(k, number, "right")
            found[number].append(eps[first:last].clone())

    return [torch.cat(found.pop(k))[:limit] for k in clusters]


def named(values: np.ndarray, letter: str) -> dict[str, np.ndarray]:
    """The columns of a matrix, named by a letter and their number."""
    return {f"{letter}{i}": np.ascontiguousarray(values[:, i]) for i in range(values.shape[1])}


def matrix(columns: Mapping[str, np.ndarray], letter: str) -> np.ndarray:
    """The matrix ``[n, D]`` whose columns :func:`named` made."""
    num = sum(name.removeprefix(letter).isdecimal() for name in columns)
    return np.stack([columns[f"{letter}{i}"] for i in range(num)], axis=1)


def stream_of(inputs: Inputs) -> Stream:
    """The streamed table, of stages that have one."""
    assert inputs.data.stream is not None
    return inputs.data.stream


def tables_of(runtime: Runtime) -> Tables:
    """The store's parquet files, of stages that run with a store."""
    assert runtime.tables is not None
    return runtime.tables
