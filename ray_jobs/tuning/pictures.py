"""Pictures of a search: Optuna's own of a study in our style, and every score over one setting."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from scgan.figures.style import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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

    keys = sorted(set[str]().union(*(trial.params for trial in done)))
    with style(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna says each time that its pictures are experimental
        figures = {
            "history": _history(study, metrics[0]),
            "parallel-coordinates": _parallel_coordinates(study, keys, metrics[0]),
        }

        if len(done) >= MIN_TRIALS and (importance := _importance(study, metrics[0])):
            figures["importance"] = importance
        if len(metrics) > 1:
            figures["pareto-front"] = _pareto_front(study, metrics)
        if len(keys) == 1 and len(done) > 1:
            figures["sweep"] = _sweep(done, keys[0])

    return figures


def _first_value(trial: FrozenTrial) -> float:
    return trial.values[0]


def _history(study: optuna.Study, metric: str) -> Figure:
    """Each complete trial's value and the best so far; Optuna leaves out those stopped early."""
    from optuna.visualization.matplotlib import plot_optimization_history

    # Optuna draws the best so far only where it need not be told what a trial's value is.
    several = len(study.directions) > 1
    ax = plot_optimization_history(
        study, target=_first_value if several else None, target_name=metric
    )

    stopped = study.get_trials(deepcopy=False, states=[TrialState.PRUNED])
    if early := [trial for trial in stopped if trial.values]:
        places = [trial.number for trial in early], [trial.values[0] for trial in early]
        ax.plot(*places, "x", color="#999999", markersize=4, label="stopped early (its last value)")

    _sparse_ticks(ax, [trial.values[0] for trial in study.get_trials() if trial.values])
    ax.legend(loc="upper right", frameon=False)

    return _in_our_style(ax, (6.5, 3.2))


def _sparse_ticks(ax: Axes, values: Sequence[float]) -> None:
    """Few ticks, whose labels don't meet; logarithmic where values span a factor of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    wide = min(values) > 0 and max(values) > 10 * min(values)
    if wide:
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())

    ax.yaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8) if wide else MaxNLocator(6))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _parallel_coordinates(study: optuna.Study, keys: Sequence[str], metric: str) -> Figure:
    """A line a trial; dotted where it was stopped early, from its last value."""
    from matplotlib.lines import Line2D
    from optuna.visualization.matplotlib import plot_parallel_coordinate

    # Optuna draws complete trials alone: it is given a study in which all are.
    shown, ends = optuna.create_study(directions=study.directions), []
    for trial in study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED]):
        if trial.values and all(key in trial.params for key in keys):
            ends.append(":" if trial.state == TrialState.PRUNED else "-")
            trial.state = TrialState.COMPLETE
            shown.add_trial(trial)

    ax = plot_parallel_coordinate(shown, params=list(keys), target=_first_value, target_name=metric)
    ax.collections[0].set_linestyle(ends)
    if ":" in ends:
        dotted = Line2D([], [], color="#666666", linestyle=":", label="stopped early")
        ax.legend(handles=[dotted], loc="lower left", bbox_to_anchor=(0, 1), frameon=False)

    names = [metric, *(key.replace(".", ".\n") for key in keys)]
    ax.set_xticks(range(len(names)), names, rotation=0)
    for each in ax.figure.axes:
        each.minorticks_off()
        each.spines["right"].set_visible(each is not ax)

    return _in_our_style(ax, (max(5.0, 2.0 * len(names)), 3.8))


def _importance(study: optuna.Study, metric: str) -> Figure | None:
    """A bar a setting; None where no setting is in all trials, or all values are equal."""
    from optuna.visualization.matplotlib import plot_param_importances

    try:
        ax = plot_param_importances(study, target=_first_value, target_name=metric)
    except (ValueError, RuntimeError):
        return None

    ax.get_legend().remove()
    ax.set(xlabel=f"importance for {metric}", ylabel="")

    return _in_our_style(ax, (6.5, 1.0 + 0.35 * len(ax.get_yticks())))


def _pareto_front(study: optuna.Study, metrics: Sequence[str]) -> Figure:
    """The first two metrics of every trial; those that no other beats at both are told apart."""
    from optuna.visualization.matplotlib import plot_pareto_front

    names = list(metrics[:2])
    ax = plot_pareto_front(study, targets=lambda trial: trial.values[:2], target_names=names)
    ax.set(xscale="log", yscale="log")
    return _in_our_style(ax, (4.8, 3.6))


def _in_our_style(ax: Axes, inches: tuple[float, float]) -> Figure:
    """Take off what Optuna's style sheet puts on: title, grey ground, grid; of all its axes."""
    from matplotlib import pyplot

    figure = cast("Figure", ax.figure)
    for each in figure.axes:
        each.set_title("")
        each.set_facecolor("none")
        each.grid(visible=False)
        each.spines[["left", "bottom"]].set_color("#888888")
        each.xaxis.label.set_fontsize(8.5)
        each.yaxis.label.set_fontsize(8.5)

    figure.set_size_inches(*inches)
    pyplot.close(figure)  # which only forgets it

    return figure


def _sweep(done: Sequence[FrozenTrial], key: str) -> Figure:
    """Every score against the one setting that is searched, a panel a score, the least ringed."""
    done = sorted(done, key=lambda trial: trial.params[key])
    settings, names = [trial.params[key] for trial in done], list(done[0].user_attrs["scores"])
    numbers = _are_numbers(settings)
    places = settings if numbers else list(range(len(settings)))
    figure, axes = panels(len(names), 3, (3.1, 2.7))

    for ax, name in zip(axes, names, strict=False):
        values = [trial.user_attrs["scores"][name] for trial in done]
        least = int(np.argmin(values))
        ax.plot(places, values, "o-", markersize=4)

        ring: dict[str, Any] = {"markersize": 11, "markerfacecolor": "none"}
        ax.plot(places[least], values[least], "o", markeredgecolor="#222222", **ring)
        title = f"{name}: least {values[least]:.3g} at {settings[least]}"
        ax.set(title=title, xlabel=key, ylim=(0, 1.1 * max(values)))

        if numbers and min(settings) > 0 and max(settings) > 10 * min(settings):
            ax.set_xscale("log")
            ax.minorticks_off()
        if len(places) <= 8:
            ax.set_xticks(places, [str(setting) for setting in settings])

    return figure


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
