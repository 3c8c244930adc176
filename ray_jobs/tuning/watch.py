"""What Tune tells the driver: MLflow is kept up, and a person sees a table."""

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

from ray_jobs.cluster.meter import Meter
from ray_jobs.tuning.lease import Lease
from ray_jobs.tuning.study import FINISHED, best, count
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import ArtifactStore

PLAIN_EVERY = 10.0  # seconds between lines where the output is no terminal


class Board:
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
        self.began, self.said = time.monotonic(), 0.0
        self.before = self._finished()
        self.shown = -1
        self.usage: Usage | None = None

    def __enter__(self) -> Board:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *how: object) -> None:
        self.show(at_once=True)
        if self.console.is_terminal:
            self.live.stop()

    def show(self, *, at_once: bool = False) -> None:
        """Redraw, at most once a second; in a log, when a trial has ended and ten seconds have passed."""
        wait = 1.0 if self.console.is_terminal else PLAIN_EVERY
        if not at_once and time.monotonic() - self.said < wait:
            return

        self.said = time.monotonic()
        if self.console.is_terminal:
            self.live.update(self._table(), refresh=True)
        elif self._finished() != self.shown or at_once:
            self.shown = self._finished()
            self.console.print(
                "  ".join(f"{name} {value}" for name, value in self._cells().items()),
                soft_wrap=True,
            )

    def _finished(self) -> int:
        counts = count(self.study)
        return sum(counts[state] for state in FINISHED)

    def _cells(self) -> dict[str, str]:
        counts, top = count(self.study), best(self.study)
        finished = sum(counts[state] for state in FINISHED)
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


class Watch(tune.Callback):  # type: ignore[misc]
    """Tune's callback of a search, in the driver.

    Args:
        store: Where artifacts lie.
        lease: The driver's, renewed as long as Tune's loop turns.
        board: Shows how it goes.
        sync: Brings MLflow up to the study, and tells it what the search holds of the cluster,
            where that was read.
        meter: Reads that.
    """

    SYNC_EVERY = 2.0  # seconds

    def __init__(
        self,
        store: ArtifactStore,
        lease: Lease,
        board: Board,
        sync: Callable[[Usage | None], None],
        meter: Meter,
    ) -> None:
        self.store, self.lease, self.board = store, lease, board
        self.sync, self.meter = sync, meter
        self.errors: dict[str, Any] = {}
        self.synced = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune's own snapshot of a search, which is never read, holds none of this."""
        return (tune.Callback, ())

    def error_of(self, trial_id: str) -> str:
        """What Tune wrote down of a trial's failure."""
        trial = self.errors.get(trial_id)
        return Path(trial.error_file).read_text() if trial is not None and trial.error_file else ""

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Know the trial, in case it dies."""
        self.errors[trial.trial_id] = trial

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The state of one that was stopped will not be taken up again."""
        result = trial.last_result or {}
        if "account" in result and not result.get("final"):
            part = json.loads(result["account"])["part"]
            if part:
                self.store.delete(f"{part}.checkpoint")

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Show, log, live."""
        self.board.show()
        self.lease.renew()
        if time.monotonic() - self.synced > self.SYNC_EVERY:
            usage = self.meter.due()
            self.board.usage = usage or self.board.usage
            self.sync(usage)
            self.synced = time.monotonic()
