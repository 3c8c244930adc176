"""What a person at a terminal sees: a bar a stage, the table of scores, one line for an error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from scgan.data.telling import listed
from scgan.pipeline.listeners import Listener

if TYPE_CHECKING:
    from scgan.data.dataset import Dataset
    from scgan.metrics.scores import Score
    from scgan.pipeline.executor import Usage
    from scgan.pipeline.outcome import Outcome
    from scgan.pipeline.spec import Spec
    from scgan.store.artifacts import Artifact
    from scgan.training import runtime

PLAIN_EVERY = 5.0  # seconds between lines where the output is no terminal, at first
PLAIN_MOST = 300.0  # and at last: a twentieth of the run's time, so that a long log stays short


class _Bars(Progress):
    """Bars with a line below them."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.below:
            yield Text(self.below)


class Terminal(Listener):
    """Shows a run on stderr: live bars in a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars = _Bars(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )

        self.tasks: dict[str, TaskID] = {}
        self.said = self.began = time.monotonic()
        self.training: dict[str, float] = {}
        self.units: dict[str, str] = {}
        self.usage: Usage | None = None

    @override
    def run_started(self, spec: Spec, data: Dataset) -> None:
        self._say(
            f"{spec.run_id}: {spec.system} on {data.name}, {data.num_train:,} training and "
            f"{data.num_test:,} test {data.unit}, {data.schema.summary}"
        )
        if data.stream is not None:
            files, shards = len(data.stream.parts.paths), data.stream.num_shards
            self._say(
                f"streamed, not read whole (--data.stream false does): {files} files, {shards} "
                f"shards; scored on {len(data.test):,} of the test rows"
            )

        formulas = _formulas(data.schema.describe())
        if formulas:
            self._say(f"columns that others tell (--data.relations): {listed(formulas)}")

        if data.dropped:
            why = "rows with missing values" if data.kind == "table" else "damaged images"
            self._say(f"{data.dropped:,} {why} were left out")

        self.bars.start()

    @override
    def stage_started(self, stage: str, num_units: int) -> None:
        name = stage if num_units == 1 else f"{stage} x{num_units}"
        self.tasks[stage] = self.bars.add_task(name, total=None, state="starting")
        self.units[stage] = ""
        self.said = time.monotonic()
        if not self.console.is_terminal:
            self._say(f"{name}: starting")

    @override
    def progress(self, stage: str, progress: runtime.Progress) -> None:
        if not progress.total:  # scores or pictures, whose number nobody knows before
            self._say_where(stage, f"{progress.samples} done  {progress.seconds:.0f} s", progress)
            return

        self.training[stage] = progress.seconds
        rate = progress.samples / max(progress.seconds, 1e-9)
        left = (progress.total - progress.samples) / max(rate, 1e-9)
        done = f"{_short(progress.samples)}/{_short(progress.total)} samples  {_short(rate)}/s"
        self._say_where(stage, done, progress, f"  {left:.0f} s left")

    def _say_where(self, stage: str, done: str, progress: runtime.Progress, end: str = "") -> None:
        """Move the stage's bar on, or write a line now and then."""
        figures = [f"{name} {value:.3g}" for name, value in list(progress.metrics.items())[:2]]
        state = "  ".join([done, *figures])
        total = progress.total or None
        self.bars.update(self.tasks[stage], completed=progress.samples, total=total, state=state)
        self._say_now_and_then(f"{stage}: {self.units[stage]}{state}{end}")

    @override
    def units_fitted(self, stage: str, done: int, num_units: int) -> None:
        self.units[stage] = f"{done}/{num_units} units  " if num_units > 1 else ""
        if num_units > 1:
            self.bars.update(self.tasks[stage], description=f"{stage} {done}/{num_units}")

    @override
    def resources_used(self, usage: Usage) -> None:
        changed = self.usage is not None and usage.nodes != self.usage.nodes
        self.usage = usage
        self.bars.below = _listed(usage)
        if changed and not self.console.is_terminal:
            self._say(_listed(usage))

    @override
    def stage_finished(self, stage: str, artifact: Artifact, seconds: float | None) -> None:
        words = "from the store" if seconds is None else f"done in {seconds:.1f} s"
        if seconds is not None and stage in self.training:
            words += f", {self.training[stage]:.1f} s of it training"

        for note in artifact.meta.get("notes", ()):
            self._say(f"{stage}: {note}")

        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(stage, total=1, state=words)

        task: Task = self.bars.tasks[self.tasks[stage]]
        self.bars.update(task.id, completed=task.total or 1, total=task.total or 1, state=words)
        if not self.console.is_terminal:
            self._say(f"{stage}: {words}")

    @override
    def run_finished(self, outcome: Outcome) -> None:
        self.bars.stop()

    def say_time(self) -> None:
        """Say how long everything took since the start, and what of it was training."""
        total = time.monotonic() - self.began
        self._say(f"{total:.1f} s in all, {sum(self.training.values()):.1f} s of it training")

    @override
    def run_failed(self, error: BaseException) -> None:
        self.bars.stop()

    def _say_now_and_then(self, line: str) -> None:
        """In a log, say where the run is, and what it holds."""
        now = time.monotonic()
        wait = max(PLAIN_EVERY, min(PLAIN_MOST, (now - self.began) / 20))
        if not self.console.is_terminal and now - self.said > wait:
            self._say(line if self.usage is None else f"{line}  {_listed(self.usage)}")
            self.said = now

    def _say(self, line: str) -> None:
        """Print a line as it is: a file's name may hold brackets, and a log breaks no lines."""
        self.console.print(line, markup=False, soft_wrap=True)


def score_table(scores: Mapping[str, Score], title: str) -> Table:
    """The table of scores beside their floors, the worst ratios in yellow."""
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for column in ("metric", "value", "noise floor", "value / floor"):
        table.add_column(column, justify="left" if column == "metric" else "right")

    for name, score in scores.items():
        ratio = score.value / score.floor if score.floor else None
        style = "yellow" if ratio is not None and score.better == "lower" and ratio > 2 else ""
        shown = "" if ratio is None else f"{ratio:.2f}"
        floor = "" if score.floor is None else f"{score.floor:.4g}"
        table.add_row(name, f"{score.value:.4g}", floor, Text(shown, style=style))

    return table


def print_table(table: Table) -> None:
    """Print a table to stdout, as wide as it needs to be."""
    Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 100).print(
        table
    )


def size(num_bytes: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def age(seconds: float) -> str:
    """A time span as a person reads it."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _listed(usage: Usage) -> str:
    return "  ".join(f"{name} {figure}" for name, figure in usage.words.items())


def _short(number: float) -> str:
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.0f}"


def _formulas(described: Mapping[str, Any]) -> list[str]:
    """Columns that are computed of others, and those of which what others leave is modelled."""
    exact = described.get("derived_columns", {}).items()
    close = described.get("nearly_derived_columns", {}).items()
    return [f"{n} = {formula}" for n, formula in exact] + [f"{n} ≈ {f}" for n, f in close]
