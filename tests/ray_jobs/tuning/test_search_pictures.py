"""Pictures of a search: what is where on them."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgba
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from ray_jobs.tuning.pictures import draw

SPACE = {
    "a.x": FloatDistribution(0.1, 10, log=True),
    "b.kind": CategoricalDistribution(("one", "two")),
}


def study_of(rows, directions=1):
    """A study of ``(x, kind, values)``; a trial with one value too few was stopped early."""
    study = optuna.create_study(directions=["minimize"] * directions)
    for x, kind, *values in rows:
        state = TrialState.PRUNED if kind == "stopped" else TrialState.COMPLETE
        params = {"a.x": x, "b.kind": "one" if kind == "stopped" else kind}
        study.add_trial(
            create_trial(state=state, values=values, params=params, distributions=SPACE)
        )
    return study


def lines_of(figure):
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}


ROWS = [
    (1.0, "one", 4.0),
    (0.1, "two", 1.0),
    (2.0, "stopped", 9.0),
    (10.0, "one", 3.0),
    (3.0, "two", 2.0),
]
ROWS += [(4.0, "stopped", 8.0)]


def test_history_shows_every_trial_and_the_best_so_far_to_the_end():
    drawn = lines_of(draw(study_of(ROWS), ["loss"])["history"])
    assert drawn["complete"].tolist() == [[0, 4], [1, 1], [3, 3], [4, 2]]
    assert drawn["stopped early (its last value)"].tolist() == [[2, 9], [5, 8]]
    assert drawn["best so far"].tolist() == [[0, 4], [1, 1], [3, 1], [4, 1], [5, 1]]


def test_parallel_coordinates_are_dark_where_the_metric_is_low():
    figure = draw(study_of(ROWS), ["loss"])["parallel-coordinates"]
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["a.\nx", "b.\nkind", "loss"]
    found = {round(float(line.get_ydata()[0]), 6): line for line in figure.axes[0].lines}
    best, worst, largest = found[0.0], found[0.5], found[1.0]
    assert to_rgba(best.get_color()) == colormaps["viridis"](0.0) and best.get_ydata()[
        1:
    ].tolist() == [1, 0]
    assert to_rgba(worst.get_color()) == colormaps["viridis"](0.95) and worst.get_ydata()[
        1:
    ].tolist() == [0, 1]
    assert largest.get_ydata()[2] == pytest.approx(np.log(3) / np.log(4))
    assert {text.get_text() for text in figure.axes[0].texts} == {
        "0.1",
        "10",
        "one",
        "two",
        "1",
        "4",
    }


def test_importance_tells_the_setting_that_matters():
    rows = [(x, kind, x) for x in np.linspace(0.1, 10, 30) for kind in ("one", "two")]
    bars = draw(study_of(rows), ["loss"])["importance"].axes[0].patches
    widths = [bar.get_width() for bar in bars]
    assert widths[-1] > 0.8 and sum(widths) == pytest.approx(1)  # the most important on top
    assert "importance" not in draw(study_of(ROWS[:2]), ["loss"])


def test_the_front_holds_what_nothing_beats():
    rows = [
        (1.0, "one", 1.0, 4.0),
        (2.0, "one", 2.0, 2.0),
        (3.0, "two", 3.0, 3.0),
        (4.0, "two", 4.0, 1.0),
    ]
    figures = draw(study_of(rows, 2), ["loss", "error"])
    drawn = lines_of(figures["pareto-front"])
    assert drawn["Pareto front"].tolist() == [[1, 4], [2, 2], [4, 1]] and len(drawn["trials"]) == 4


def test_nothing_complete_is_no_picture():
    assert draw(study_of([(1.0, "stopped", 1.0)]), ["loss"]) == {}
