"""How a search goes: a table or lines on stderr, and Tune's callback that keeps MLflow up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from ray import tune
from rich.console import Console
from rich.live import Live
from rich.table import Table
from typing_extensions import override

from ray_jobs.cluster.meter import Meter
from ray_jobs.tuning.study import best, count, num_finished
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import ArtifactStore

PLAIN_EVERY = 10.0  # seconds between lines where the output is no terminal


class SearchProgress:
    """The search on stderr: a table that is redrawn in a terminal, a line now and then in a log.

    Args:
        study: The study.
        asked: Trials in all.
        metric: What is shown of them.
    """

    def __init__(self, study: optuna.Study, asked: int, metric: str) -> None:
        self.study, self.asked, self.metric = study, asked, metric
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False, transient=False)
        self.began, self.drawn = time.monotonic(), 0.0
        self.before, self.shown = num_finished(study), -1
        self.usage: Usage | None = None

    def __enter__(self) -> SearchProgress:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *how: object) -> None:
        self.show(at_once=True)
        if self.console.is_terminal:
            self.live.stop()

    def show(self, *, at_once: bool = False) -> None:
        """Redraw, at most once a second; in a log, when a trial has ended, every ten seconds."""
        wait = 1.0 if self.console.is_terminal else PLAIN_EVERY
        if not at_once and time.monotonic() - self.drawn < wait:
            return

        self.drawn = time.monotonic()
        if self.console.is_terminal:
            self.live.update(self._table(), refresh=True)
        elif num_finished(self.study) != self.shown or at_once:
            self.shown = num_finished(self.study)
            cells = "  ".join(f"{name} {value}" for name, value in self._cells().items())
            self.console.print(cells, soft_wrap=True)

    def _cells(self) -> dict[str, str]:
        counts, top = count(self.study), best(self.study)
        finished = num_finished(self.study)
        seconds = time.monotonic() - self.began
        now = finished - self.before
        left = f"{seconds / now * (self.asked - finished):.0f} s" if now else "?"

        return {
            "trials": f"{finished}/{self.asked}",
            "complete": str(counts[TrialState.COMPLETE]),
            "stopped early": str(counts[TrialState.PRUNED]),
            "failed": str(counts[TrialState.FAIL]),
            "running": str(counts[TrialState.RUNNING]),
            f"best {self.metric}": f"{top.values[0]:.4g} (trial {top.number})" if top else "-",
            "left": left if finished < self.asked else "0 s",
            **(self.usage.words if self.usage else {}),
        }

    def _table(self) -> Table:
        table = Table(
            title=f"search {self.study.study_name}", title_justify="left", title_style="bold"
        )
        cells = self._cells()
        for name in cells:
            table.add_column(name, justify="right")

        table.add_row(*cells.values())
        for trial in _leaders(self.study):
            settings = "  ".join(f"{key} {_short(value)}" for key, value in trial.params.items())
            table.caption = (
                f"{table.caption or ''}{trial.number:>4}  {trial.values[0]:.4g}  {settings}\n"
            )

        table.caption_justify = "left"
        return table


def _leaders(study: optuna.Study) -> list[FrozenTrial]:
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return sorted(done, key=lambda trial: tuple(trial.values))[:5]


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class SearchCallback(tune.Callback):  # type: ignore[misc]
    """Tune's callback of a search, in the driver.

    Args:
        store: Where artifacts lie.
        shown: Shows how it goes.
        sync: Brings MLflow up to the study, and tells it what the search holds of the cluster,
            where that was read.
        meter: Reads that.
    """

    SYNC_EVERY = 2.0  # seconds

    def __init__(
        self,
        store: ArtifactStore,
        shown: SearchProgress,
        sync: Callable[[Usage | None], None],
        meter: Meter,
    ) -> None:
        self.store, self.shown, self.sync, self.meter = store, shown, sync, meter
        self.trials: dict[str, Any] = {}  # Tune's, by its ids
        self.synced = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune's own snapshot of a search, which is never read, holds none of this."""
        return (tune.Callback, ())

    def error_of(self, trial_id: str) -> str:
        """What Tune wrote down of a trial's failure."""
        trial = self.trials.get(trial_id)
        return Path(trial.error_file).read_text() if trial is not None and trial.error_file else ""

    @override
    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.trials[trial.trial_id] = trial

    @override
    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result or {}
        # The checkpoint of one that was stopped early is of no more use.
        if "account" in result and not result.get("final"):
            part = json.loads(result["account"])["part"]
            if part:
                self.store.delete(f"{part}.checkpoint")

    @override
    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.shown.show()
        if time.monotonic() - self.synced > self.SYNC_EVERY:
            usage = self.meter.due()
            self.shown.usage = usage or self.shown.usage
            self.sync(usage)
            self.synced = time.monotonic()
