"""Figures: the right panels, data and labels; odd data is drawn, not refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from scgan.figures import tables as figures
from scgan.figures.marginals import marginals
from scgan.figures.style import PALETTE, bins, contrasting, ends_of, png, short, window_of

RNG = np.random.default_rng


def titles(figure):
    return [ax.get_title("left") for ax in figure.axes if ax.get_title("left")]


def shown(ax):
    """The values of a panel's only image, rows up."""
    (image,) = ax.get_images()
    return np.ma.filled(image.get_array().astype(float), np.nan)


def test_curves_have_a_panel_a_stage_and_a_line_a_loss():
    encode = [{"samples": 10.0, "nt_xent": 6.0}, {"samples": 20.0, "nt_xent": 5.0}]
    decode = [
        {"samples": 5.0, "g_loss": 0.7, "mse": 1e-4},
        {"samples": 9.0, "g_loss": 0.6, "mse": 1e-5},
    ]
    figure = figures.curves({"encode": encode, "cluster": [], "decode": decode})
    assert titles(figure) == ["encode", "decode"]
    first, second = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_xydata(), [[10, 6], [20, 5]])
    assert [line.get_label() for line in second.lines] == ["g loss", "mse"]
    assert (first.get_yscale(), second.get_yscale()) == ("linear", "log")
    assert second.get_ylim()[0] < 1e-5 < 0.7 < second.get_ylim()[1]


def test_curves_with_negative_losses_keep_them_in_sight():
    points = [{"samples": float(i), "g": -3.0 + i, "mse": 1e-3} for i in range(6)]
    (ax,) = figures.curves({"decode": points}).axes
    assert ax.get_yscale() == "symlog"
    assert ax.get_ylim()[0] <= -3 and ax.get_ylim()[1] >= 2


def test_curves_draw_zeros_and_single_points():
    assert png(figures.curves({"map": [{"samples": 1.0, "loss": 0.0}]}))


def test_curves_draw_losses_that_are_not_of_every_step():
    points = [
        {"samples": 1.0, "r1": 0.5, "g": 1.0},
        {"samples": 2.0, "g": 2.0},
        {"samples": 3.0, "g": 3.0, "late": 4.0},
    ]
    (ax,) = figures.curves({"generate": points}).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn == {"r1": [[1, 0.5]], "g": [[1, 1], [2, 2], [3, 3]], "late": [[3, 4]]}
    assert [line.get_marker() for line in ax.lines] == ["o", "", "o"]


def test_curves_without_a_point_are_refused():
    with pytest.raises(ValueError, match="no stage has a training curve"):
        figures.curves({"encode": []})


def test_samples_and_data_share_window_and_scale():
    data = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0))
    figure = figures.data_and_latents(
        {"a": data[:2000], "b": data + 10}, data, ("x", "y"), title="target"
    )
    assert titles(figure) == ["a", "b", "target"]
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes}) == 1
    assert len({ax.get_images()[0].get_clim() for ax in figure.axes[:3]}) == 1
    for ax, share in zip(figure.axes, (1.0, 0.0, 1.0), strict=True):
        assert np.nansum(shown(ax)) == pytest.approx(share)
    assert [t.get_text() for t in figure.axes[1].texts] == ["100.0% outside"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "y")


def test_a_density_is_the_right_way_round():
    data = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    figure = figures.data_and_latents({"corner": data[[1]]}, data)
    ax = figure.axes[0]
    (row,), (column,) = np.nonzero(np.nan_to_num(shown(ax)))
    size = len(shown(ax))
    assert column > size / 2 > row  # x = 1 is at the right, y = 0 below
    assert ax.get_images()[0].origin == "lower"


def test_a_single_stray_row_is_seen_on_white():
    data = RNG(0).normal(size=(20_000, 2)) * 0.05
    data[0] = [2.0, 2.0]
    ax = figures.data_and_latents({"stray": data}, RNG(1).uniform(-3, 3, (20_000, 2))).axes[0]
    image = ax.get_images()[0]
    assert np.nanmin(shown(ax)) == pytest.approx(1 / 20_000)
    red, green, blue, _ = image.cmap(image.norm(1 / 20_000))
    assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.85
    assert image.cmap.get_bad()[3] == 0  # an empty bin is left white


def test_the_window_is_square_for_one_scale_and_not_for_two():
    rows = RNG(0).uniform(size=(1000, 2))
    for scale, square in ((1.5, True), (1e6, False)):
        spans = np.diff(window_of(rows * [1, scale]), axis=1)[:, 0]
        assert np.isclose(spans[0], spans[1]) == square
        assert spans[1] == pytest.approx(1.16 * scale, rel=0.02)


def test_long_tails_are_cut_and_short_ones_are_not():
    values = RNG(0).normal(size=10_000)
    np.testing.assert_array_equal(ends_of(values), [values.min(), values.max()])
    values[0] = 1e9
    assert -5 < ends_of(values)[0] < -2.5 and 2.5 < ends_of(values)[1] < 5


def test_bins_grow_finer_with_rows():
    window = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert [len(bins(window, num)[0]) - 1 for num in (10, 40_000, 10**9)] == [40, 100, 160]
    assert bins(window, 10)[1][-1] == 2


def test_latent_space_colours_clusters_and_projects_all_codes_alike():
    codes = RNG(0).normal(size=(600, 4)) * [5, 2, 0.1, 0.1]
    k = np.repeat([0, 1, 2], 200)
    figure = figures.latent_space(torch.from_numpy(codes), k, {"copy": codes})
    assert titles(figure) == ["3 clusters", "copy", "codes of data"]
    np.testing.assert_array_equal(shown(figure.axes[1]), shown(figure.axes[2]))
    (points,) = figure.axes[0].collections
    offsets = np.asarray(points.get_offsets())
    np.testing.assert_allclose(np.abs(offsets), np.abs(codes - codes.mean(0))[:, :2], atol=0.6)
    assert len(np.unique(points.get_facecolors(), axis=0)) == 3


def test_equal_colours_are_far_apart():
    num = 4 * len(PALETTE)
    k = np.arange(num)
    line = np.stack([k.astype(float), np.zeros(num)], 1)
    (points,) = figures.latent_space(line, k, {}).axes[0].collections
    colours = points.get_facecolors()
    assert len(np.unique(colours, axis=0)) == len(PALETTE)
    assert (np.abs(colours[1:] - colours[:-1]).max(1) > 0).all()


def test_thousands_of_clusters_are_coloured_in_no_time():
    k = np.arange(50_000)
    assert len(np.unique(contrasting(np.stack([k, k], 1) / 1.0, k))) == len(PALETTE)


def test_the_principal_plane_keeps_most_variance_and_is_shared():
    rows = RNG(0).normal(size=(5000, 3)) * [0.1, 3, 1]
    plane, project = figures.principal_plane(rows)
    np.testing.assert_allclose(plane.std(0), [3, 1], rtol=0.05)
    np.testing.assert_allclose(project(rows[:7]), plane[:7])
    line, _ = figures.principal_plane(rows[:, :1])
    np.testing.assert_allclose(
        np.abs(line), np.abs(np.pad(rows[:, :1] - rows[:, :1].mean(0), ((0, 0), (0, 1))))
    )


def test_marginals_draw_both_sides_of_every_column():
    real = {"a": RNG(0).normal(size=3000), "b": RNG(1).integers(0, 5, 3000)}
    figure = marginals(real, {"a": real["a"] + 1, "b": real["b"]})
    assert titles(figure) == ["a", "b"]
    first, second = ([patch.get_data() for patch in ax.patches] for ax in figure.axes)
    centre = [(data.values * (data.edges[1:] + data.edges[:-1]) / 2).sum() for data in first]
    assert centre[0] == pytest.approx(real["a"].mean(), abs=0.05)
    assert centre[1] > centre[0] + 0.9
    np.testing.assert_array_equal(
        second[0].edges, np.arange(-0.5, 5)
    )  # a bin an integer, centred on it
    np.testing.assert_allclose(second[0].values, np.bincount(real["b"]) / 3000)


def test_marginals_of_wide_integers_have_bins_of_equally_many_integers():
    (ax,) = marginals({"n": np.arange(1000)}, {"n": np.arange(1000)}).axes
    edges = ax.patches[0].get_data().edges
    assert set(np.diff(edges)) == {34.0}  # in at most 30 bins
    assert edges[0] == -0.5
    assert ax.patches[0].get_data().values.sum() == pytest.approx(1)


def test_marginals_say_what_is_cut_left_out_or_logarithmic():
    heavy = np.concatenate([RNG(0).normal(size=5000), [1e8]])
    spike = np.concatenate([np.zeros(100_000), RNG(0).uniform(-1, 1, 1000)])
    figure = marginals({"heavy": heavy, "spike": spike}, {"heavy": heavy, "spike": spike})
    said = [ax.texts[0].get_text() for ax in figure.axes]
    assert said == ["0.1–99.9 % range", "log"]
    assert figure.axes[1].get_yscale() == "log"
    many = {f"c{i}": heavy for i in range(30)}
    figure = marginals(many, many)
    assert len(figure.axes) == figures.NUM_COLUMNS_MAX
    assert "the first 24 of 30 columns; 6 are left out" in figure.legends[0].get_title().get_text()


@pytest.mark.parametrize(
    "values",
    [
        np.array([1e30, 2e30, 3e30]),
        np.array([-1e300, 0.0, 1e300]),
        np.array([1e9, 1e9 + 1e-6, 1e9 + 2e-6]),
        np.array([2**62, 2**62 + 1, 2**63 - 1]),
        np.array([0, 2**64 - 1], dtype=np.uint64),
        np.array([True, False, True]),
        np.array([7.0, 7.0]),
        np.array([1e-300, 2e-300]),
    ],
    ids=["1e30", "1e300", "offset", "int64", "uint64", "bool", "constant", "tiny"],
)
def test_columns_of_any_magnitude_are_drawn(values):
    assert png(marginals({"c": values}, {"c": values}), dpi=30)


def test_names_of_any_kind_are_drawn_as_they_are():
    hostile = ["$\\frac{$", "<script>", "列", "a\nb", "_hidden", "x" * 200, "100 %"]
    columns = {name: RNG(i).normal(size=50) for i, name in enumerate(hostile)}
    figure = marginals(columns, columns)
    assert titles(figure)[0] == "$\\frac{$"
    plane = np.stack([columns["列"], columns["_hidden"]], 1)
    for drawn in (
        figure,
        figures.correlations(columns, columns),
        figures.data_and_latents({}, plane, hostile[:2]),
        figures.reconstructions(plane, plane, hostile[:2]),
    ):
        assert png(drawn, dpi=30).startswith(b"\x89PNG")
    assert short("a\nb  c", 4) == "a b…" and short("abcd", 4) == "abcd"


def test_correlations_are_spearmans():
    from scipy.stats import spearmanr

    x = RNG(0).integers(0, 6, (500, 3)).astype(float)  # with ties
    x[:, 2] = np.exp(5 * x[:, 0]) + x[:, 1]
    columns = {f"c{i}": x[:, i] for i in range(3)}
    expected = spearmanr(x).statistic
    np.testing.assert_allclose(figures.rank_correlation(columns), expected, atol=1e-12)
    generated = {name: RNG(1).permutation(values) for name, values in columns.items()}
    figure = figures.correlations(columns, generated)
    drawn = [shown(ax) for ax in figure.axes[:3]]
    np.testing.assert_allclose(drawn[0], expected, atol=1e-12)
    np.testing.assert_allclose(drawn[2], drawn[1] - drawn[0])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["c0", "c1", "c2"]


def test_what_is_missing_has_the_mean_rank():
    values = RNG(2).normal(size=(300, 2))
    lacking = np.arange(300) < 100
    masked = np.ma.MaskedArray(values[:, 0], lacking)
    there = figures.rank_correlation({"a": values[100:, 0], "b": values[100:, 1]})[0, 1]
    found = figures.rank_correlation({"a": masked, "b": values[:, 1]})
    assert found[0, 0] == pytest.approx(1) and abs(found[0, 1] - there) < 0.1
    times = np.datetime64("2020-01-01") + np.arange(300)
    assert figures.rank_correlation({"t": times, "n": np.arange(300)})[0, 1] == pytest.approx(1)
    none = np.ma.MaskedArray(values[:, 0], np.ones(300, bool))
    assert np.isnan(figures.rank_correlation({"a": none, "b": values[:, 1]})[0, 1])


def test_categories_are_bars_and_gaps_are_said():
    real = {
        "word": np.repeat(["often", "seldom"], [30, 10]),
        "gap": np.ma.MaskedArray(np.arange(40.0), np.arange(40) < 10),
        "many": np.arange(40).astype(str),
        "when": np.datetime64("2020-01-01T00:00:00") + np.arange(40) * np.timedelta64(9, "D"),
        "none": np.ma.MaskedArray(np.zeros(40), np.ones(40, bool)),
    }
    made = {name: values[:20] for name, values in real.items()}
    made["word"] = np.repeat(["often", "other"], [5, 15])
    figure = marginals(real, made)
    assert png(figure, dpi=30)
    word, gap, many, when, none = figure.axes[:5]
    *bars, step = word.patches
    assert [bar.get_height() for bar in bars] == [0.75, 0.25]
    assert step.get_data().values.tolist() == [0.25, 0.0]
    assert [label.get_text() for label in word.get_xticklabels()] == ["often", "seldom"]
    said = [[text.get_text() for text in ax.texts] for ax in (word, gap, many, none)]
    assert said[1] == ["missing: 25.0%, generated 50.0%"] and said[2] == ["30 more categories"]
    assert said[3] == ["missing: 100.0%, generated 100.0%, no real value"]
    assert type(when.xaxis.get_major_formatter()).__name__ == "ConciseDateFormatter"


def test_correlations_of_constant_and_of_many_columns():
    columns = {f"c{i}": RNG(i).normal(size=40) for i in range(200)}
    columns["c0"] = np.ones(40)
    figure = figures.correlations(columns, columns)
    assert np.isnan(shown(figure.axes[0])[0]).all()
    assert not figure.axes[0].get_yticklabels()
    assert png(figure, dpi=30)


def test_reconstructions_show_the_error_where_it_is():
    x = RNG(0).uniform(size=(5000, 2))
    x_hat = x.copy()
    x_hat[x[:, 0] > 0.5] += [0.03, 0.04]  # 0.05 to the right, none to the left
    figure = figures.reconstructions(x, x_hat, ("u", "v"))
    assert titles(figure) == ["data", "reconstructed", "error by place"]
    error = shown(figure.axes[2])
    half = error.shape[1] // 2
    assert np.nanmax(error[:, : half - 1]) == 0
    np.testing.assert_allclose(error[:, half + 1 :][~np.isnan(error[:, half + 1 :])], 0.05)
    assert png(figures.reconstructions(x, x), dpi=30)  # perfect ones too


def test_clusters_are_sorted_by_size_beside_their_quality():
    figure = figures.clusters(torch.tensor([5, 20, 10]), {"spread": [0.1, 0.2, 0.3]})
    np.testing.assert_array_equal(figure.axes[0].patches[0].get_data().values, [20, 10, 5])
    assert figure.axes[0].get_title("left") == "3 clusters, 5 to 20 rows"
    np.testing.assert_allclose(
        figure.axes[1].collections[0].get_offsets(), [[5, 0.1], [20, 0.2], [10, 0.3]]
    )
    assert figure.axes[1].get_title("left") == "spread"
    assert len(figures.clusters(torch.tensor([5])).axes) == 1


def test_nothing_is_left_in_matplotlibs_global_state():
    # In a process of its own: another test may have loaded matplotlib, or drawn before.
    code = (
        "import sys, numpy; from scgan.figures import style, tables;"
        "assert 'matplotlib' not in sys.modules;"
        "import matplotlib; rc = matplotlib.rcParams; before = [*dict.items(rc)];"
        "style.png(tables.clusters(numpy.array([3]))); assert [*dict.items(rc)] == before;"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
