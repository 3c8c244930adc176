"""The papers' tables and figures: the trainings they need, results beside what was published.

One file a paper, named as its system.
"""

from __future__ import annotations

import importlib
import pkgutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from scgan.config import suggest
from scgan.metrics.comparing import leaders
from scgan.metrics.scores import Score
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

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
        more: Scores beside those of every run, of the trained system; a function of a module, as it
            is sent to where the training is.
    """

    row: str
    column: str
    spec: Spec
    more: Callable[[Outcome, ArtifactStore], Mapping[str, Score]] | None = None


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
        """The trainings: rounds in turn, a round's groups at once, a group's cells in turn.

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


def plain_values(result: Result) -> dict[str, Any]:
    """A result's seed, scores and their floors, by name."""
    values = {name: score.value for name, score in result.scores.items()}
    floors = {f"{name}_floor": score.floor for name, score in result.scores.items()}
    known = {name: floor for name, floor in floors.items() if floor is not None}
    return {"seed": result.cell.spec.seed, **values, **known}


def mean_and_std(values: Sequence[float], digits: int) -> str:
    """Mean, and the standard deviation where there are several; "-" for none."""
    if not values:
        return "-"
    mean = statistics.mean(values)
    text = f"{mean:,.0f}" if mean >= 1000 else f"{mean:.{digits}g}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.1g}"


def best_in_bold(score: str, models: Mapping[str, Sequence[float]], digits: int) -> dict[str, str]:
    """Mean and deviation of each model's values, in bold the best and all that it does not beat.

    Args:
        score: The score's name, which says which direction is better.
        models: Model to its values, one a seed.
        digits: Of a mean.

    Returns:
        A cell of a markdown table for each.
    """
    best = leaders(score, models)
    cells = {}
    for model, values in models.items():
        text = mean_and_std(values, digits)
        cells[model] = f"**{text}**" if model in best else text
    return cells


def markdown_table(titles: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A markdown table; the first title is that of the rows' names."""
    lines = [titles, ["---"] * len(titles), *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
