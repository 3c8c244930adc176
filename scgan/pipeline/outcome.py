"""What a run ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scgan.capabilities import Model
from scgan.data.dataset import Dataset
from scgan.metrics.scores import Score
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact


@dataclass(frozen=True)
class Outcome:
    """What a run ends with.

    Args:
        spec: What was run.
        data: The data.
        artifacts: Of each stage, by its name.
        model: The trained system.
        scores: On the held-out split, beside their floors.
        trained: Names of the stages that were trained now, not taken from the store.
        seconds: How long each stage, scoring and pictures took in this call.
        pictures: Caption to PNG file, in their order; none where they were not asked for.
    """

    spec: Spec
    data: Dataset
    artifacts: Mapping[str, Artifact]
    model: Model
    scores: Mapping[str, Score]
    trained: tuple[str, ...]
    seconds: Mapping[str, float]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
