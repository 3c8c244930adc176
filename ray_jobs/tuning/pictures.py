"""Pictures of a search: history, importance of the settings, parallel coordinates, Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from scgan.drawing import PALETTE, panels, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_TRIALS = 4  # complete ones, fewer say nothing of importance


def draw(study: optuna.Study, metrics: Sequence[str]) -> dict[str, Figure]:
    """Draw what the study's complete trials allow.

    Args:
        study: The study.
        metrics: What is minimised.

    Returns:
        Figures by file name.
    """
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not done:
        return {}
    stopped = study.get_trials(deepcopy=False, states=[TrialState.PRUNED])
    with style():
        figures = {"history": history(done, stopped, metrics[0]), "parallel-coordinates": parallel(done, metrics[0])}
        shares = importances(study, done)
        if shares:
            figures["importance"] = importance(shares, metrics[0])
        if len(metrics) > 1:
            figures["pareto-front"] = pareto(done, study.best_trials, metrics)
    return figures


def history(done: Sequence[FrozenTrial], stopped: Sequence[FrozenTrial], metric: str) -> Figure:
    """Each trial's value, and the best so far."""
    figure, (ax,) = panels(1, 1, (6.5, 3.2))
    numbers, values = [t.number for t in done], np.array([t.values[0] for t in done])
    if early := [t for t in stopped if t.values]:
        places = [t.number for t in early], [t.values[0] for t in early]
        ax.plot(*places, "x", color="#999999", markersize=4, label="stopped early (its last value)")
    ax.plot(numbers, values, "o", markersize=4, label="complete")
    ax.step(numbers, np.minimum.accumulate(values), where="post", color=PALETTE[1], label="best so far")
    ax.set_yscale("log")
    ax.set(xlabel="trial", ylabel=metric)
    ax.legend(loc="upper right")
    return figure


def importances(study: optuna.Study, done: Sequence[FrozenTrial]) -> dict[str, float]:
    """Share of the first metric's variation that each setting explains; nothing for too few trials."""
    if len(done) < MIN_TRIALS:
        return {}
    try:
        return dict(optuna.importance.get_param_importances(study, target=lambda trial: trial.values[0]))
    except (ValueError, RuntimeError):  # no setting is in all trials, or all values are equal
        return {}


def importance(shares: dict[str, float], metric: str) -> Figure:
    """A bar a setting."""
    figure, (ax,) = panels(1, 1, (6.5, 0.8 + 0.35 * len(shares)))
    names = list(shares)[::-1]
    ax.barh(names, [shares[name] for name in names])
    ax.set(xlabel=f"importance for {metric}", xlim=(0, None))
    return figure


def parallel(done: Sequence[FrozenTrial], metric: str) -> Figure:
    """A line a trial over all settings, dark where the metric is good."""
    from matplotlib import colormaps

    keys = sorted({key for trial in done for key in trial.params})
    places = np.stack([_places([trial.params.get(key) for trial in done]) for key in keys], 1)
    values = np.array([trial.values[0] for trial in done])
    ranks = values.argsort().argsort() / max(1, len(values) - 1)
    figure, (ax,) = panels(1, 1, (max(4.5, 1.7 * len(keys)), 3.6))
    for i in values.argsort()[::-1]:
        ax.plot(places[i], color=colormaps["viridis"](0.95 * ranks[i]), linewidth=1.0, alpha=0.85)
    ax.set_xticks(range(len(keys)), [f"{key}\n{_ends(done, key)}" for key in keys], fontsize=7)
    ax.set_yticks([])
    ax.set_title(f"dark: low {metric} ({values.min():.3g} to {values.max():.3g})")
    return figure


def _places(values: list[Any]) -> np.ndarray:
    """Values in [0, 1]: numbers by their logarithm where all are positive, others by their order."""
    if all(isinstance(v, (int, float)) for v in values):
        numbers = np.array(values, dtype=float)
        numbers = np.log(numbers) if (numbers > 0).all() else numbers
    else:
        order = {text: i for i, text in enumerate(sorted({str(v) for v in values}))}
        numbers = np.array([order[str(v)] for v in values], dtype=float)
    return (numbers - numbers.min()) / max(float(np.ptp(numbers)), 1e-12)


def _ends(done: Sequence[FrozenTrial], key: str) -> str:
    values = [trial.params[key] for trial in done if key in trial.params]
    if all(isinstance(v, (int, float)) for v in values):
        return f"{min(values):.3g} to {max(values):.3g}"
    return ", ".join(sorted({str(v) for v in values}))[:24]


def pareto(done: Sequence[FrozenTrial], front: Sequence[FrozenTrial], metrics: Sequence[str]) -> Figure:
    """The first two metrics of every trial; those that no other beats at both are joined."""
    figure, (ax,) = panels(1, 1, (4.8, 3.6))
    ax.plot(*np.array([t.values[:2] for t in done]).T, "o", markersize=4, color="#999999", label="trials")
    best = np.array(sorted(t.values[:2] for t in front))
    ax.plot(*best.T, "o-", markersize=5, color=PALETTE[1], label="Pareto front")
    ax.set(xlabel=metrics[0], ylabel=metrics[1], xscale="log", yscale="log")
    ax.legend()
    return figure
