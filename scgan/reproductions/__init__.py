"""The papers' tables and figures: which trainings they need, and how the results are laid beside what was published.

One file a paper, named as its system.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from scgan.config import Settings, leaves, override, suggest
from scgan.metrics.scores import Score
from scgan.pipeline.spec import Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


@dataclass(frozen=True)
class Cell:
    """One training of a table.

    Args:
        row: Label of its row.
        column: Label of its column.
        spec: What is trained.
    """

    row: str
    column: str
    spec: Spec


@dataclass(frozen=True)
class Result:
    """What a cell gave.

    Args:
        cell: The cell.
        scores: On the held-out split.
        samples: Some generated rows, in data units, ``[N, D]``; or images in [-1, 1], ``[N, C, H,
            W]``.
        reference: As many held-out ones.
    """

    cell: Cell
    scores: Mapping[str, Score]
    samples: Tensor
    reference: Tensor


@dataclass(frozen=True)
class Pages:
    """What a reproduction ends with.

    Args:
        markdown: The tables, published values beside ours.
        rows: The same as plain values, a row a cell.
        figures: By file name.
    """

    markdown: str
    rows: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Figure]


class Reproduction(Protocol):
    """A module of this package."""

    def rounds(
        self, seeds: Sequence[int], budget: float, source: str | None
    ) -> list[list[list[Cell]]]:
        """The trainings: rounds one after the other, in each groups at once, in each cells one after the other.

        Cells of a group share their first stages, and those of a round share what earlier rounds
        have made.
        """

    def render(self, results: Sequence[Result]) -> Pages:
        """Lay the results beside what was published."""


def available() -> list[str]:
    """Names of the papers' systems that have tables here, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Reproduction:
    """The reproduction of a system's paper.

    Raises:
        ValueError: If there is none; the nearest is named.
    """
    if name not in available():
        raise ValueError(f"no tables of {name!r}{suggest(name, available())}")
    module: Any = importlib.import_module(f"{__name__}.{name}")
    return module


def shortened(config: Settings, budget: float) -> Settings:
    """The same settings with every training ``budget`` times as long, in samples."""
    lengths = {
        key: max(1, round(value * budget))
        for key, value in leaves(config)
        if key.endswith(".num_samples")
    }
    return override(config, lengths)
