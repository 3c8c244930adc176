"""What a race ended with: a table a data set, the best in bold, what SC-GAN loses, a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ray_jobs.benchmarks.magic import PUBLISHED, WITH_LABEL
from scgan.figures.style import PALETTE, panels, png, style
from scgan.metrics.comparing import beats, shortfall
from scgan.metrics.meanings import meaning_of
from scgan.reproductions import best_in_bold, markdown_table, mean_and_std

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "scgan"
SHOWN = (  # those that a race has, in this order
    "c2st_accuracy",
    "c2st_network",
    "detection_xgboost",
    "detection_logistic",
    "shape",
    "trend",
    "sliced_wasserstein",
    "energy_distance",
    "off_support_exact",
    "modes_captured",
    "modes_total_variation",
    "density",
    "coverage",
    "alpha_precision",
    "beta_recall",
    "closer_share",
    "dcr_share",
)
COSTS = {  # columns without a best
    "training_seconds": "process time, s",
    "samples_per_second": "samples a second",
    "parameters": "parameters",
}

Runs = Mapping[str, Sequence[Mapping[str, Any]]]


def report(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Print the tables, write them as ``race.md`` and the picture as ``race.png``.

    Args:
        rows: The results.
        folder: Of both files.
    """
    if not rows:
        click.echo("no results yet")
        return

    text = markdown(rows)
    click.echo(text)
    (folder / "race.md").write_text(text + "\n")
    (folder / "race.png").write_bytes(png(picture(rows)))


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A section a data set and budget: the table, and where SC-GAN is behind.

    Values are means with their standard deviation over the seeds; in bold the best and all that it
    does not beat (:func:`scgan.metrics.comparing.beats`).
    """
    sections = []
    for title, group in _races(rows).items():
        runs = _by_entrant(group)
        lines = [f"### {title}", _table(runs), _behind(runs)]
        if group[0]["data"].endswith(WITH_LABEL):
            lines.insert(2, _published())
        sections.append("\n\n".join(line for line in lines if line))

    return "\n\n".join(sections)


def values_of(runs: Sequence[Mapping[str, Any]], score: str) -> list[float]:
    """A score's values over the seeds."""
    return [run["scores"][score][0] for run in runs if score in run["scores"]]


def ratios_of(runs: Sequence[Mapping[str, Any]], score: str) -> list[float]:
    """A score's values over their floors, a seed each; none where it has no floor above 0."""
    pairs = [run["scores"][score] for run in runs if score in run["scores"]]
    return [value / floor for value, floor in pairs if floor]


def picture(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel a data set and budget: each entrant's first score of those shown, with its spread."""
    races = _races(rows)
    with style():
        figure, axes = panels(len(races), min(3, len(races)), (3.2, 2.4))
        for ax, (title, found_rows) in zip(axes, races.items(), strict=True):
            runs = _by_entrant(found_rows)
            score = _shown(runs)[0]
            for place, (entrant, group) in enumerate(runs.items()):
                found = values_of(group, score)
                ours = entrant.startswith(OURS)
                ax.errorbar(
                    np.mean(found), place, xerr=np.std(found), fmt="o", color=PALETTE[int(ours)]
                )

            ax.set_yticks(range(len(runs)), list(runs))
            ax.set_title(title)
            ax.set_xlabel(meaning_of(score)[0].label)
    return figure


def _races(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The results of each data set and budget, under their title."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[f"{row['data']}, {row['budget']:g} s"].append(row)
    return dict(groups)


def _by_entrant(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Runs by peer and columns, ours first."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: not row["peer"].startswith(OURS)):
        found[f"{row['peer']}, {row['columns']}"].append(row)
    return dict(found)


def _shown(runs: Runs) -> list[str]:
    measured: set[str] = set()
    for group in runs.values():
        for run in group:
            measured |= run["scores"].keys()
    return [score for score in SHOWN if score in measured]


def _table(runs: Runs) -> str:
    shown = _shown(runs)
    columns, lines = [], {}
    for score in shown:
        found = {entrant: values_of(group, score) for entrant, group in runs.items()}
        columns.append(best_in_bold(score, found, 3))

    for entrant, group in runs.items():
        cells = [column[entrant] for column in columns]
        for cost in COSTS:
            cells.append(mean_and_std([run[cost] for run in group], 3))
        ours = entrant.startswith(OURS)
        lines[f"→ {entrant} (ours)" if ours else entrant] = [*cells, str(len(group))]

    floors = {score: _floors(runs, score) for score in shown}
    lines["real rows"] = [*(mean_and_std(floors[s], 3) for s in shown), *[""] * (len(COSTS) + 1)]
    labels = [meaning_of(score)[0].label for score in shown]
    return markdown_table(["", *labels, *COSTS.values(), "seeds"], lines)


def _floors(runs: Runs, score: str) -> list[float]:
    """The score of real rows, a seed each."""
    by_seed = {}
    for group in runs.values():
        for run in group:
            if run["scores"].get(score, [0, None])[1] is not None:
                by_seed[run["seed"]] = run["scores"][score][1]
    return list(by_seed.values())


def _behind(runs: Runs) -> str:
    """The scores in which some peer beats the better of our own entrants, and who does."""
    ours = {entrant: group for entrant, group in runs.items() if entrant.startswith(OURS)}
    if not ours:
        return ""

    lost = []
    for score in _shown(runs):
        mine = [values_of(group, score) for group in ours.values()]
        mine = [values for values in mine if values]
        if not mine:
            continue
        best = min(mine, key=lambda values: np.mean([shortfall(score, v) for v in values]))
        ahead = [e for e, g in runs.items() if e not in ours and _ahead(score, g, best)]
        if ahead:
            lost.append(f"{meaning_of(score)[0].label} ({'; '.join(ahead)})")

    return f"SC-GAN is behind in: {', '.join(lost) or 'nothing'}."


def _ahead(score: str, group: Sequence[Mapping[str, Any]], best: Sequence[float]) -> bool:
    theirs = values_of(group, score)
    return bool(theirs) and beats(score, theirs, best)


def _published() -> str:
    """What was published of MAGIC by the same protocol."""
    scores = list(PUBLISHED["TabPC"])
    lines = {}
    for name, found in PUBLISHED.items():
        lines[name] = [f"{found[score]:.3f}" for score in scores]
    return markdown_table(["published", *(meaning_of(s)[0].label for s in scores)], lines)
