"""The contract: a system is a list of stages; a stage fits units that don't depend on each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor

from scgan.config import Settings
from scgan.data.dataset import Dataset
from scgan.metrics.objectives import Metric
from scgan.metrics.scores import Score
from scgan.space import Space
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Inputs:
    """What a fit may read: the data, the artifacts of the stages it needs, and the run's seed."""

    data: Dataset
    artifacts: Mapping[str, Artifact]
    seed: int

    def generator(
        self, stage: str, unit: str, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        """Random numbers that depend on the run's seed, the stage and the unit, and on nothing else."""
        name = hashlib.sha256(f"{self.seed}/{stage}/{unit}".encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(name[:8], "big") >> 1)


Units = Sequence[str]
"""Names of independent pieces of a stage's work, each an integer or a word."""


def _one_unit(config: Any, inputs: Inputs) -> Units:
    return ("all",)


def _only(parts: Sequence[Artifact]) -> Artifact:
    (part,) = parts
    return part


@dataclass(frozen=True)
class Stage:
    """A stage of a system.

    Args:
        name: ``"encode"``, ``"map"`` ...
        sections: Sections of the config that determine it; a change in another leaves its artifact
            valid.
        needs: Names of the earlier stages whose artifacts it reads.
        fit: Trains some units at once: ``(config, units, inputs, runtime) -> part``.
        units: The independent pieces, ``(config, inputs) -> names``; one by default.
        merge: Joins the parts, which together hold every unit once, in any packing and order.
        data_parallel: Whether several workers can train a unit together, each on its share of every
            batch.
        by_file: Whether its units are files of streamed data, fitted in small packs so that little
            is lost with one.
        version: Raised when ``fit`` changes its results, so that older artifacts don't count.
        recipe: Its name in the store's keys. Systems whose stages are the same, fit and settings,
            give them one recipe and so share their artifacts; without one it is the system's own,
            ``"system.stage"``.
    """

    name: str
    sections: tuple[str, ...]
    needs: tuple[str, ...]
    fit: Callable[[Any, Units, Inputs, Runtime], Artifact]
    units: Callable[[Any, Inputs], Units] = _one_unit
    merge: Callable[[Sequence[Artifact]], Artifact] = _only
    data_parallel: bool = False
    by_file: bool = False
    version: int = 1
    recipe: str | None = None


class Model(Protocol):
    """A trained system, on standardised rows or on images in [-1, 1]."""

    def sample(self, num: int, generator: torch.Generator, **how: Any) -> Tensor:
        """Draw samples, ``[num, D]`` or ``[num, C, H, W]``; ``how`` is the system's own (cluster, attribute)."""


class System(Protocol):
    """A paper's system, found as ``SYSTEM`` of a module in :mod:`scgan.systems`.

    A section ``evaluation`` of its settings, which no stage reads, may hold what only scoring
    depends on.

    Attributes:
        name: Its module's name.
        paper: Key in :mod:`scgan.papers`.
        kind: What data it models.
        example: Data that needs no download, its default source.
        Config: Its settings.
        presets: Settings by name: ``smoke``, ``default``, ``paper``.
        stages: In order.
        streamed: The stages for a table larger than memory; none where it takes no such data.
        search_space: What a search varies by default.
        metrics: What a search can minimise; the first by default.
    """

    name: str
    paper: str
    kind: Literal["table", "images"]
    example: str
    Config: type[Settings]
    presets: Mapping[str, Any]
    stages: tuple[Stage, ...]
    streamed: tuple[Stage, ...]
    search_space: Space
    metrics: Mapping[str, Metric]

    def check(self, config: Any, data: Dataset) -> None:
        """Refuse, with a ValueError, settings that this data can't bear."""

    def model(self, config: Any, artifacts: Mapping[str, Artifact], device: torch.device) -> Model:
        """Build the trained system from its stages' artifacts alone."""

    def evaluate(self, model: Any, data: Dataset, seed: int) -> dict[str, Score]:
        """Score it on the held-out split."""

    def figures(self, model: Any, data: Dataset, seed: int) -> dict[str, Figure]:
        """Draw what a person would want to see, by caption."""
