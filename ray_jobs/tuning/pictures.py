"""Pictures of a search: history, importance of the settings, parallel coordinates, Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from scgan.figures.style import PALETTE, panels, style

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
        figures = {
            "history": history(done, stopped, metrics[0]),
            "parallel-coordinates": parallel(done, metrics[0]),
        }
        shares = importances(study, done)
        if shares:
            figures["importance"] = importance(shares, " and ".join(metrics))

        if len(metrics) > 1:
            figures["pareto-front"] = pareto(done, study.best_trials, metrics)

        if len(_keys(done)) == 1 and len(done) > 1:
            figures["sweep"] = sweep(done)

    return figures


def history(done: Sequence[FrozenTrial], stopped: Sequence[FrozenTrial], metric: str) -> Figure:
    """Each trial's value, and the best so far."""
    from matplotlib.ticker import FuncFormatter

    figure, (ax,) = panels(1, 1, (6.5, 3.2))
    numbers, values = [t.number for t in done], np.array([t.values[0] for t in done])

    if early := [t for t in stopped if t.values]:
        places = [t.number for t in early], [t.values[0] for t in early]
        ax.plot(*places, "x", color="#999999", markersize=4, label="stopped early (its last value)")

    ax.plot(numbers, values, "o", markersize=4, label="complete")
    lowest, end = np.minimum.accumulate(values), max(t.number for t in (*done, *stopped))
    ax.step(
        [*numbers, end], [*lowest, lowest[-1]], where="post", color=PALETTE[1], label="best so far"
    )
    ax.set_yscale("log")
    plain = FuncFormatter(lambda value, place: f"{value:.2g}")
    ax.yaxis.set(major_formatter=plain, minor_formatter=plain)
    ax.set(xlabel="trial", ylabel=metric)
    ax.legend(loc="upper right")

    return figure


def importances(study: optuna.Study, done: Sequence[FrozenTrial]) -> dict[str, float]:
    """How much each setting has to do with being among the best, in shares; nothing for too few trials."""
    if len(done) < MIN_TRIALS:
        return {}
    try:
        return dict(optuna.importance.get_param_importances(study))
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
    """A line a trial over all settings and the metric, dark where the metric is good."""
    from matplotlib import colormaps

    values = [trial.values[0] for trial in done]
    columns: dict[str, list[Any]] = {
        key: [trial.params.get(key) for trial in done] for key in _keys(done)
    }
    columns[metric] = values
    places = np.stack([_places(column) for column in columns.values()], 1)
    ranks = np.argsort(np.argsort(values)) / max(1, len(values) - 1)  # 0 for the best
    figure, (ax,) = panels(1, 1, (max(4.5, 1.6 * len(columns)), 3.6))
    for i in np.argsort(values)[::-1]:
        ax.plot(places[i], color=colormaps["viridis"](0.95 * ranks[i]), linewidth=1.0, alpha=0.85)

    for place, column in enumerate(columns.values()):
        ax.vlines(place, 0, 1, color="#888888", linewidth=0.7, zorder=0)
        for height, text, side in zip((0, 1), _ends(column), ("top", "bottom"), strict=True):
            ax.annotate(
                text, (place, height), (0, -5 if side == "top" else 5), textcoords="offset points", fontsize=7,
                ha="center", va=side, color="#555555",
            )  # fmt: skip

    ax.set_xticks(range(len(columns)), [name.replace(".", ".\n") for name in columns], fontsize=8)
    ax.set(yticks=[], ylim=(-0.12, 1.12), title=f"dark: low {metric}")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)

    return figure


def sweep(done: Sequence[FrozenTrial]) -> Figure:
    """Every score against the one setting that is searched, a panel a score, the least ringed."""
    (key,) = _keys(done)
    done = sorted(done, key=lambda trial: trial.params[key])
    settings, names = [trial.params[key] for trial in done], list(done[0].user_attrs["scores"])
    numbers = _are_numbers(settings)
    figure, axes = panels(len(names), 3, (3.1, 2.7))

    for ax, name in zip(axes, names, strict=False):
        values = [trial.user_attrs["scores"][name] for trial in done]
        places = settings if numbers else list(range(len(settings)))
        least = int(np.argmin(values))
        ax.plot(places, values, "o-", markersize=4)

        ax.plot(
            places[least],
            values[least],
            "o",
            markersize=11,
            markerfacecolor="none",
            markeredgecolor="#222222",
        )

        ax.set(
            title=f"{name}: least {values[least]:.3g} at {settings[least]}",
            xlabel=key,
            ylim=(0, 1.1 * max(values)),
        )

        if numbers and min(settings) > 0 and max(settings) > 10 * min(settings):
            ax.set_xscale("log")
            ax.minorticks_off()

        if len(places) <= 8:
            ax.set_xticks(places, [str(setting) for setting in settings])

    return figure


def _keys(done: Sequence[FrozenTrial]) -> list[str]:
    return sorted({key for trial in done for key in trial.params})


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _places(values: list[Any]) -> np.ndarray:
    """Values in [0, 1]: numbers by their logarithm where all are positive, others by their order."""
    if _are_numbers(values):
        numbers = np.array(values, dtype=float)
        numbers = np.log(numbers) if (numbers > 0).all() else numbers
    else:
        order = {text: i for i, text in enumerate(_words(values))}
        numbers = np.array([order[str(v)] for v in values], dtype=float)
    return (numbers - numbers.min()) / max(float(np.ptp(numbers)), 1e-12)


def _words(values: list[Any]) -> list[str]:
    return sorted({str(v) for v in values})


def _ends(values: list[Any]) -> tuple[str, str]:
    """What is at the foot and at the head of an axis."""
    if _are_numbers(values):
        return f"{min(values):.3g}", f"{max(values):.3g}"
    return _words(values)[0], _words(values)[-1]


def pareto(
    done: Sequence[FrozenTrial], front: Sequence[FrozenTrial], metrics: Sequence[str]
) -> Figure:
    """The first two metrics of every trial; those that no other beats at both are joined."""
    figure, (ax,) = panels(1, 1, (4.8, 3.6))
    ax.plot(
        *np.array([t.values[:2] for t in done]).T,
        "o",
        markersize=4,
        color="#999999",
        label="trials",
    )

    best = np.array(sorted(t.values[:2] for t in front))
    ax.plot(*best.T, "o-", markersize=5, color=PALETTE[1], label="Pareto front")
    ax.set(xlabel=metrics[0], ylabel=metrics[1], xscale="log", yscale="log")
    ax.legend()

    return figure
