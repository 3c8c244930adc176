"""The one seam between a fit and where it runs: device, rank, checkpoints, progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from typing_extensions import override

from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.store.parquet import Tables
from scgan.training.settings import PrecisionName


@dataclass(frozen=True)
class Progress:
    """Where a fit is.

    Args:
        samples: Samples seen so far, over all workers.
        total: Samples in all.
        metrics: Latest losses by name.
        seconds: Time in the loop so far, start-up apart.
    """

    samples: int
    total: int
    metrics: Mapping[str, float]
    seconds: float = 0.0


class Checkpoints(Protocol):
    """Where a running fit keeps its state, so that a killed one goes on."""

    def load(self) -> Artifact | None:
        """The last state, or None at the start."""

    def save(self, state: Artifact) -> None:
        """Replace the last state."""


@dataclass(frozen=True)
class StoredCheckpoints(Checkpoints):
    """A fit's state as an artifact of the store, removed once the fit's result is there."""

    store: ArtifactStore
    key: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @override
    def load(self) -> Artifact | None:
        return self.store.load(self.key)

    @override
    def save(self, state: Artifact) -> None:
        self.store.save(self.key, state, self.provenance)


@dataclass(frozen=True)
class Runtime:
    """Where a fit runs. The default is this process, alone, with nothing kept and nothing reported.

    Args:
        device: Where tensors lie.
        rank: This worker's number, 0 for the one that reports and saves.
        world_size: Workers that train the same unit together.
        report: Called by rank 0 with the progress.
        checkpoints: Where the state is kept; None keeps none.
        checkpoint_every: Seconds between checkpoints.
        tables: Parquet files of the store, for fits that read or write some; None has none.
        until: Samples after which a fit is left early, its state saved, to be taken up again: the
            artifact is what it would be if the training ended there. None goes to the end.
    """

    device: torch.device = torch.device("cpu")
    rank: int = 0
    world_size: int = 1
    report: Callable[[Progress], None] = lambda progress: None
    checkpoints: Checkpoints | None = None
    checkpoint_every: float = 30.0
    tables: Tables | None = None
    until: int | None = None

    def place(self, module: nn.Module) -> None:
        """Move a network of images here, its weights channels last: faster on either device."""
        module.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def copy(self, rows: Tensor) -> Tensor:
        """A copy here of rows that lie on the CPU, which a GPU's queue is not waited for."""
        if self.device.type == "cuda":
            rows = rows.pin_memory()  # else the copy waits until the GPU has nothing more to do
        return rows.to(self.device, non_blocking=True)

    def parallel(self, module: nn.Module) -> nn.Module:
        """Move a network here and, with several workers, average its gradients over them."""
        module = module.to(self.device)
        if self.world_size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def share(self, batch: Tensor) -> Tensor:
        """This worker's equal share of the rows of a global batch; a remainder is left out."""
        rows = len(batch) // self.world_size
        return batch[self.rank * rows : (self.rank + 1) * rows]

    def gather(self, rows: Tensor) -> Tensor:
        """Rows of all workers in rank order, with gradients flowing back to each."""
        if self.world_size == 1:
            return rows
        from torch.distributed.nn.functional import all_gather

        return torch.cat(list(all_gather(rows)))

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a tensor over the workers."""
        if self.world_size > 1:
            value = value.clone()
            dist.all_reduce(value)
            value /= self.world_size
        return value

    def mixed(
        self, network: Callable[..., Tensor], precision: PrecisionName
    ) -> Callable[..., Tensor]:
        """A network whose forward pass is in a precision and whose output is in fp32."""
        if precision == "fp32":
            return network

        def forward(*inputs: Tensor) -> Tensor:
            with self.autocast(precision):
                return network(*inputs).float()

        return forward

    def autocast(self, precision: PrecisionName) -> contextlib.AbstractContextManager[Any]:
        """A forward pass in mixed precision, or nothing."""
        if precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)
