"""Pictures of a search: what is where on them."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from matplotlib import pyplot, rcParams
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


def points_of(figure):
    """Dots by their label."""
    return {dots.get_label(): dots.get_offsets() for dots in figure.axes[0].collections}


ROWS = [
    (1.0, "one", 4.0),
    (0.1, "two", 1.0),
    (2.0, "stopped", 9.0),
    (10.0, "one", 3.0),
    (3.0, "two", 2.0),
]
ROWS += [(4.0, "stopped", 8.0)]


def test_history_shows_every_trial_and_the_best_so_far():
    figure = draw(study_of(ROWS), ["loss"])["history"]
    assert points_of(figure)["loss"].tolist() == [[0, 4], [1, 1], [3, 3], [4, 2]]
    lines = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}
    assert lines["stopped early (its last value)"].tolist() == [[2, 9], [5, 8]]
    assert [y for _, y in lines["Best Value"]] == [4, 1, 1, 1, 1, 1]


def test_parallel_coordinates_name_every_setting_and_what_is_minimised():
    figure = draw(study_of(ROWS), ["loss"])["parallel-coordinates"]
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["loss", "a.\nx", "b.\nkind"]
    (lines,) = figure.axes[0].collections
    firsts = [segment[0][1] for segment in lines.get_segments()]
    assert firsts == [4, 1, 9, 3, 2, 8]  # from the loss
    dotted = [dashes is not None for _, dashes in lines.get_linestyle()]
    assert dotted == [value in (9, 8) for value in firsts]  # stopped early
    (legend,) = figure.axes[0].get_legend().get_texts()
    assert legend.get_text() == "stopped early"


@pytest.mark.parametrize("values", [(0.031, 0.033, 0.04), (0.02, 0.09, 7.0), (0.0, 1.0, 500.0)])
def test_the_labels_of_the_history_do_not_meet(values):
    rows = [(1.0, "one", values[number % 3]) for number in range(120)]
    figure = draw(study_of(rows), ["loss"])["history"]
    figure.canvas.draw()
    (ax,) = figure.axes
    for axis, side in ((ax.yaxis, "y"), (ax.xaxis, "x")):
        labels = axis.get_majorticklabels() + axis.get_minorticklabels()
        boxes = [label.get_window_extent() for label in labels if label.get_text()]
        ends = sorted((getattr(box, f"{side}0"), getattr(box, f"{side}1")) for box in boxes)
        assert len(ends) >= 3
        assert all(before[1] < after[0] for before, after in zip(ends, ends[1:], strict=False))


def test_pictures_leave_no_figure_and_no_style_behind():
    before = dict(rcParams)
    draw(study_of(ROWS), ["loss"])
    assert pyplot.get_fignums() == [] and dict(rcParams) == before


def test_importance_tells_the_setting_that_matters():
    rows = [(x, kind, x) for x in np.linspace(0.1, 10, 30) for kind in ("one", "two")]
    bars = draw(study_of(rows), ["loss"])["importance"].axes[0].patches
    widths = [bar.get_width() for bar in bars]
    assert max(widths) > 0.8 and sum(widths) == pytest.approx(1)
    assert "importance" not in draw(study_of(ROWS[:2]), ["loss"])


def test_the_front_holds_what_nothing_beats():
    rows = [
        (1.0, "one", 1.0, 4.0),
        (2.0, "one", 2.0, 2.0),
        (3.0, "two", 3.0, 3.0),
        (4.0, "two", 4.0, 1.0),
    ]
    figures = draw(study_of(rows, 2), ["loss", "error"])
    drawn = points_of(figures["pareto-front"])
    assert sorted(drawn["Best Trial"].tolist()) == [[1, 4], [2, 2], [4, 1]]
    assert drawn["Trial"].tolist() == [[3, 3]]


def test_nothing_complete_is_no_picture():
    assert draw(study_of([(1.0, "stopped", 1.0)]), ["loss"]) == {}
