"""The contract: a system is a list of stages; a stage fits units that don't depend on each other.

What a model can do beside sampling is a capability (:mod:`scgan.capabilities`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from scgan import capabilities
from scgan.capabilities import Kind
from scgan.config import Settings, override
from scgan.data.dataset import Dataset
from scgan.metrics import objectives
from scgan.metrics.default_scores import score_images, score_table
from scgan.metrics.mode_matching import mode_matching_scores
from scgan.metrics.objectives import Objective
from scgan.metrics.scores import Score
from scgan.space import Space
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Runtime

if TYPE_CHECKING:
    from matplotlib.figure import Figure


C = TypeVar("C", bound=Settings)


def preset(defaults: C, table: Mapping[str, Any]) -> C:
    """Settings from a flat table of dotted keys, the others as they are by default."""
    return override(defaults, table)


class UndeclaredRead(RuntimeError):
    """A fit read what its stage does not declare: its artifact's key would not know of it."""


class Sections:
    """The settings that a stage declares, as its fit sees them: any other section is an error.

    Args:
        stage: The stage's name.
        config: All settings.
        declared: The sections that may be read.
    """

    def __init__(self, stage: str, config: Settings, declared: Sequence[str]) -> None:
        self._stage, self._declared = stage, tuple(declared)
        self._sections = {name: getattr(config, name) for name in declared}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._sections:
            raise UndeclaredRead(
                f"the stage {self._stage!r} reads the section {name!r} of the settings, but "
                f"declares {', '.join(self._declared) or 'none'}: add it to its sections"
            )
        return self._sections[name]


class Declared(Mapping[str, Artifact]):
    """The artifacts that a stage declares, as its fit sees them: any other is an error.

    Args:
        stage: The stage's name.
        artifacts: By the name of the stage that made them.
    """

    def __init__(self, stage: str, artifacts: Mapping[str, Artifact]) -> None:
        self._stage, self._artifacts = stage, dict(artifacts)

    def __getitem__(self, name: str) -> Artifact:
        if name not in self._artifacts:
            raise UndeclaredRead(
                f"the stage {self._stage!r} reads the artifact of {name!r}, but declares "
                f"{', '.join(self._artifacts) or 'none'}: add it to its needs"
            )
        return self._artifacts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._artifacts)

    def __len__(self) -> int:
        return len(self._artifacts)


@dataclass(frozen=True)
class Inputs:
    """What a fit may read: the data, the artifacts of the stages it needs, and the run's seed."""

    data: Dataset
    artifacts: Mapping[str, Artifact]
    seed: int

    def generator(
        self, stage: str, unit: str, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        """Random numbers by the run's seed, the stage and the unit, and nothing else."""
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
        sections: Sections of the config that determine it, and that its fit and units may read; a
            change in another leaves its artifact valid.
        needs: Names of the earlier stages whose artifacts it reads.
        fit: Trains some units at once: ``(config, units, inputs, runtime) -> part``. The length of
            a training is a setting ``num_samples`` of a section, by which trials are shortened; its
            losses are the part's ``meta["curve"]``.
        units: The independent pieces, ``(config, inputs) -> names``; one by default.
        merge: Joins the parts, which together hold every unit once, in any packing and order.
        data_parallel: Whether several workers can train a unit together, each on its share of every
            batch.
        by_file: Whether its units are files of streamed data, fitted in small packs so that little
            is lost with one.
        version: Raised when ``fit`` changes its results, so that older artifacts and checkpoints
            don't count; while it is being written, a fresh ``--store`` serves as well.
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

    def view(self, config: Settings) -> Sections:
        """The settings as its fit sees them."""
        return Sections(self.name, config, self.sections)


class System:
    """A system, a paper's or a baseline, found as ``SYSTEM`` of a module in :mod:`scgan.systems`.

    A file states what differs from the defaults below. A section ``evaluation`` of its settings,
    which no stage reads, may hold what only scoring depends on.

    Attributes:
        paper: Key in :mod:`scgan.papers`.
        examples: The kinds of data that it takes, each with bundled data of that kind; the first
            is its default source.
        Config: Its settings.
        Model: Builds the trained system: ``(config, artifacts, device)``.
        presets: Settings by name; ``smoke`` and ``default`` at least.
        search_space: What a search varies by default.
    """

    paper: str
    examples: Mapping[Kind, str]
    Config: type[Settings]
    Model: Callable[[Any, Mapping[str, Artifact], torch.device], capabilities.Model]
    presets: Mapping[str, Any]
    search_space: Space

    @property
    def name(self) -> str:
        """Its module's name."""
        return type(self).__module__.rpartition(".")[2]

    def stages(self, data: Dataset) -> tuple[Stage, ...]:
        """Its stages in order, by what the data is; none for data that it can't take streamed."""
        raise NotImplementedError

    def objectives(self, data: Dataset) -> Mapping[str, Objective]:
        """What a search can minimise on this data; the first by default."""
        return objectives.GENERATION if data.kind == "table" else objectives.IMAGES

    def check(self, config: Any, data: Dataset) -> None:
        """Refuse, with a ValueError, settings that this data can't bear."""

    def model(
        self, config: Any, artifacts: Mapping[str, Artifact], device: torch.device
    ) -> capabilities.Model:
        """Build the trained system from its stages' artifacts alone."""
        return self.Model(config, artifacts, device)

    def evaluate(self, model: Any, data: Dataset, seed: int) -> Iterator[tuple[str, Score]]:
        """Score it on the held-out split, one named score after another."""
        score = score_table if data.kind == "table" else score_images
        yield from score(model, data, seed)
        if capabilities.draws_by_mode(model):
            yield from mode_matching_scores(model, data, seed)

    def figures(self, model: Any, data: Dataset, seed: int) -> Iterator[tuple[str, Figure]]:
        """Draw what a person would want to see, one captioned picture after another."""
        from scgan.figures.default_figures import draw_images, draw_table
        from scgan.figures.modes import draw_modes

        draw = draw_table if data.kind == "table" else draw_images
        yield from draw(model, data, seed)
        if capabilities.draws_by_mode(model):
            yield from draw_modes(model, data, seed)
