"""Who is told how a run goes: a terminal, MLflow, or anybody's own."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scgan.data.dataset import Dataset
    from scgan.pipeline.executor import Usage
    from scgan.pipeline.outcome import Outcome
    from scgan.pipeline.spec import Spec
    from scgan.store.artifacts import Artifact
    from scgan.training.runtime import Progress


class Listener:
    """Told of each step of a run; a class of its own states only what it wants to hear.

    Scoring and pictures are told as the stages ``evaluate`` and ``figures`` are: they run where
    training runs.
    """

    def run_started(self, spec: Spec, data: Dataset) -> None:
        """A run begins; settings and data are known to be usable."""

    def stage_started(self, stage: str, num_units: int) -> None:
        """A stage begins to be trained."""

    def progress(self, stage: str, progress: Progress) -> None:
        """A stage is somewhere, all packs together."""

    def units_fitted(self, stage: str, done: int, num_units: int) -> None:
        """So many of a stage's units are fitted and stored."""

    def resources_used(self, usage: Usage) -> None:
        """What the stage runs on, where that is a cluster."""

    def stage_finished(self, stage: str, artifact: Artifact, seconds: float | None) -> None:
        """A stage is there; ``seconds`` is None where it came from the store."""

    def run_finished(self, outcome: Outcome) -> None:
        """Everything is trained and scored."""

    def run_failed(self, error: BaseException) -> None:
        """The run ended early."""


def added() -> list[Listener]:
    """The listeners that ``SCGAN_LISTENERS`` adds to every command that runs a pipeline.

    It names classes, ``module:Class,module:Class``; each is made without arguments.

    Raises:
        ValueError: In one line, for one that can't be imported or is no listener.
    """
    words = [word.strip() for word in os.environ.get("SCGAN_LISTENERS", "").split(",")]
    return [_load(word) for word in words if word]


def _load(word: str) -> Listener:
    module, _, name = word.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"SCGAN_LISTENERS: {word!r} can't be used ({error}); give module:Class, where "
            "PYTHONPATH finds the module"
        ) from error

    if not isinstance(made, Listener):
        raise ValueError(f"SCGAN_LISTENERS: {word!r} is no scgan.pipeline.listeners.Listener")
    return made
