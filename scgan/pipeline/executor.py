"""How a stage is fitted wherever an executor puts it, and the executor of this process."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from scgan.config import Settings
from scgan.contract import Inputs, Stage, Units
from scgan.pipeline.finishing import stage_of
from scgan.store.artifacts import Artifact, ArtifactStore, digest
from scgan.store.parquet import Tables
from scgan.training.runtime import Progress, Runtime, StoredCheckpoints


@dataclass(frozen=True)
class Job:
    """One stage of a run, ready to be fitted anywhere.

    Args:
        system: The system's name.
        stage: The stage's name.
        config: The system's settings.
        key: The artifact's key in the store.
        provenance: What the key is the hash of, for the manifest.
        inputs: What the fit may read.
        store_url: Where artifacts and checkpoints lie.
    """

    system: str
    stage: str
    config: Settings
    key: str
    provenance: Mapping[str, Any]
    inputs: Inputs
    store_url: str

    @property
    def definition(self) -> Stage:
        """The stage itself."""
        return stage_of(self.system, self.inputs.data, self.stage)

    def part_key(self, units: Units) -> str:
        """Key of the part that holds these units."""
        return f"{self.key}.part-{digest(list(units))[:16]}"


def fit_part(job: Job, units: Units, runtime: Runtime) -> None:
    """Fit some units of a stage and store the part; called wherever an executor puts it.

    Args:
        job: The stage.
        units: Names of the units.
        runtime: Where it runs; its checkpoints and tables are set here.
    """
    store = ArtifactStore(job.store_url, probe=False)
    checkpoint = f"{job.part_key(units)}.checkpoint"

    runtime = replace(
        runtime,
        checkpoints=StoredCheckpoints(store, checkpoint, job.provenance),
        tables=Tables(store.storage, job.key),
    )

    stage = job.definition
    with _one_thread(runtime.device):
        artifact = stage.fit(stage.view(job.config), units, job.inputs, runtime)

    if runtime.rank == 0:
        meta = {**artifact.meta, "units": list(units)}
        store.save(job.part_key(units), Artifact(artifact.tensors, meta), job.provenance)
        store.delete(checkpoint)


@contextlib.contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """One thread on a CPU: small networks crawl with more, and sums keep their order."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Usage:
    """What of a cluster is there and in use.

    Args:
        nodes: Nodes alive.
        gpus: GPUs of them.
        gpus_in_use: Those that somebody holds, fractions included.
        cpus: CPUs of the nodes.
        cpus_in_use: Those that somebody holds.
        cost: Of the nodes since the job began, in the unit of the prices; None where no prices are
            given.
    """

    nodes: int
    gpus: float
    gpus_in_use: float
    cpus: float
    cpus_in_use: float
    cost: float | None = None

    @property
    def words(self) -> dict[str, str]:
        """Each figure as a person reads it, by its name; GPUs where there are any, else CPUs."""
        kind = (
            ("GPUs", self.gpus_in_use, self.gpus)
            if self.gpus
            else ("CPUs", self.cpus_in_use, self.cpus)
        )
        figures = {"nodes": str(self.nodes), kind[0]: f"{kind[1]:g}/{kind[2]:g}"}
        return figures if self.cost is None else figures | {"cost": f"{self.cost:.2f}"}


class Reporter(Protocol):
    """Who an executor tells how a fit goes."""

    def progress(self, pack: str, progress: Progress) -> None:
        """A pack of units is somewhere."""

    def fitted(self, units: Units) -> None:
        """These units are fitted and stored."""

    def used(self, usage: Usage) -> None:
        """What the fit runs on, now and then."""


class Executor(Protocol):
    """Who maps over a stage's units."""

    def warm_up(self) -> None:
        """Begin whatever takes time before the first fit, without waiting for it."""

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Have every unit fitted by :func:`fit_part`, in packs of its choice, reported by name."""


class LocalExecutor:
    """Fits all units at once, in this process; files one after another.

    Args:
        device: Where; the first GPU where there is one, by default.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def warm_up(self) -> None:
        """Nothing to begin."""

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Fit every unit as one part; of streamed data, each by itself."""
        packs = {unit: [unit] for unit in units} if job.definition.by_file else {"all": units}
        for name, pack in packs.items():
            told = functools.partial(report.progress, name)
            fit_part(job, pack, Runtime(self.device, report=told))
            report.fitted(pack)
