"""The settings that every training has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import Field

from scgan.config import Settings

PrecisionName = Literal["fp32", "bf16"]
ScheduleName = Literal["constant", "linear", "late_linear", "cosine"]

SCHEDULES: dict[ScheduleName, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1 - done,
    "late_linear": lambda done: min(1.0, 2 * (1 - done)),
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}
"""Factor on the learning rate by the share of the training done."""

BatchSize = Annotated[int, Field(ge=1, description="samples a step, over all workers")]
NumSamples = Annotated[
    int, Field(ge=1, description="length of the training: samples seen, over all workers")
]
LearningRate = Annotated[float, Field(gt=0, description="of Adam, a step, before the schedule")]
Schedule = Annotated[
    ScheduleName, Field(description="course of the learning rates: late_linear falls from half-way")
]
Precision = Annotated[
    PrecisionName,
    Field(
        description="of the networks' forward passes: fp32, the same on every device, or bf16, "
        "mixed precision in bfloat16, faster where the hardware has it (GPUs, CPUs with AMX)"
    ),
]


class TrainingSettings(Settings):
    """What every training is told; a stage's own settings derive from it and give the defaults."""

    batch_size: BatchSize
    num_samples: NumSamples
    learning_rate: LearningRate
    schedule: Schedule


Usual = TypeVar("Usual", bound=NamedTuple)


def chosen(c: Settings, usual: Usual) -> Usual:
    """Settings that are set, the rest as is usual.

    Args:
        c: Has each by its name, None where it isn't set.
        usual: What it then is.
    """
    given = {name: getattr(c, name) for name in usual._fields}
    return usual._replace(**{name: value for name, value in given.items() if value is not None})
