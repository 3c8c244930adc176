"""Who is told how a run goes: a terminal, MLflow, or anybody's own."""

from __future__ import annotations

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
