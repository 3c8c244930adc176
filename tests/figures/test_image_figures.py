"""Pictures of images: every image in its place, names beside it, what is best ringed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scgan.figures import images as figures
from scgan.figures.style import png


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def titles(figure):
    return [ax.get_title("left") for ax in figure.axes if ax.get_title("left")]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def drawn(ax):
    (image,) = ax.get_images()
    return np.asarray(image.get_array())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mosaic_by_loops(channels):
    rows = noise(3, 2, channels, 5, 4)
    tiled = figures.mosaic(rows, gap=2)
    assert tiled.shape == (3 * 7 - 2, 2 * 6 - 2, 3)
    expected = np.ones_like(tiled)
    for r in range(3):
        for c in range(2):
            for colour in range(3):
                channel = rows[r, c, colour if channels == 3 else 0]
                expected[7 * r : 7 * r + 5, 6 * c : 6 * c + 4, colour] = (channel + 1) / 2
    np.testing.assert_allclose(tiled, expected, atol=1e-6)
    assert figures.mosaic(rows * 5, 1).min() == 0 and figures.mosaic(rows * 5, 1).max() == 1


def test_a_grid_has_a_name_a_row():
    images = noise(12, 1, 28, 28)
    figure = figures.grid(images, ["cat", "$a dog", "x" * 40], "animals")
    (ax,) = figure.axes
    assert ticks(ax.yaxis) == ["cat", "$a dog", "x" * 27 + "…"]
    assert titles(figure) == ["animals"]
    np.testing.assert_array_equal(drawn(ax), figures.mosaic(images.view(3, 4, 1, 28, 28), 1))
    assert ax.get_yticks()[1] == 29 + 13.5  # amid the second row's pixels, 29 to 56
    assert png(figure)


@pytest.mark.parametrize(("num", "labels"), [(5, ["a", "b"]), (0, ["a"]), (4, [])])
def test_a_grid_that_is_not_full_is_refused(num, labels):
    with pytest.raises(ValueError, match="don't fill"):
        figures.grid(noise(num, 1, 4, 4), labels)


def test_real_and_generated_images_share_their_rows():
    real = {"b": noise(2, 3, 32, 32, seed=1), "a": noise(4, 3, 32, 32, seed=2)}
    fake = {"a": noise(3, 3, 32, 32, seed=3), "b": noise(3, 3, 32, 32, seed=4)}
    figure = figures.by_attribute(fake, real)
    left, right = figure.axes
    assert titles(figure) == ["real", "generated"]
    assert (ticks(left.yaxis), ticks(right.yaxis)) == (["a", "b"], [])
    assert drawn(left).shape[1] == 4 * 33 - 1 and drawn(right).shape[1] == 3 * 33 - 1
    np.testing.assert_allclose(
        drawn(left)[33:65, 33:65], (real["b"][1].permute(1, 2, 0) + 1) / 2, atol=1e-6
    )
    np.testing.assert_array_equal(drawn(left)[33:65, 66:], 1.0)  # only two real ones
    np.testing.assert_allclose(
        drawn(right)[:32, 66:98], (fake["a"][2].permute(1, 2, 0) + 1) / 2, atol=1e-6
    )
    assert png(
        figures.by_attribute({"a": fake["a"]}, {"a": fake["a"][:0]})
    )  # an attribute that no real image has
    with pytest.raises(ValueError, match="same attributes"):
        figures.by_attribute(fake, {"a": real["a"]})


def test_a_panel_a_layer_with_its_dimensions_and_coefficients():
    strips = [noise(6, 3, 1, 28, 28, seed=i) for i in range(3)]
    figure = figures.traversals(strips, [-4.0, 0.0, 4.0])
    assert titles(figure) == ["layer 1, coarsest", "layer 2", "layer 3, finest"]
    for ax, strip in zip(figure.axes, strips, strict=True):
        assert ticks(ax.yaxis) == list("123456") and ticks(ax.xaxis) == ["-4", "0", "4"]
        np.testing.assert_array_equal(drawn(ax), figures.mosaic(strip, 1))
    assert png(figure)
    assert titles(figures.traversals(strips[:1], [-1.0, 0.0, 1.0])) == ["layer 1"]


def test_continuous_attributes_have_a_row_each():
    images = noise(2, 5, 3, 64, 64)
    figure = figures.attribute_traversal(images, ["Bald", "Eyeglasses"], [0, 0.25, 0.5, 0.75, 1])
    (ax,) = figure.axes
    assert ticks(ax.yaxis) == ["Bald", "Eyeglasses"] and ticks(ax.xaxis) == [
        "0",
        "0.25",
        "0.5",
        "0.75",
        "1",
    ]
    np.testing.assert_array_equal(drawn(ax), figures.mosaic(images, 2))


def shown(ax):
    """Points of each scatter, and the colours of the last."""
    clouds = [collection for collection in ax.collections if len(collection.get_offsets())]
    return [np.asarray(cloud.get_offsets()) for cloud in clouds], clouds[-1].get_facecolors()


def test_an_embedding_shows_real_and_generated_on_one_plane():
    y = torch.arange(2).repeat(15)
    rows = noise(30, 6) + 50 * y[:, None]
    figure = figures.tsne(rows, y, rows[:20] + 0.1, y[:20], ["left", "right"], 0)
    assert titles(figure) == ["real (in grey: generated)", "generated (in grey: real)"]
    (grey, real), colours = shown(figure.axes[0])
    (grey_too, fake), _ = shown(figure.axes[1])
    np.testing.assert_array_equal(real, grey_too)
    np.testing.assert_array_equal(fake, grey)
    assert (len(real), len(fake)) == (30, 20)
    assert len(np.unique(colours, axis=0)) == 2
    for ax in figure.axes:
        assert {text.get_text() for text in ax.texts} == {"left", "right"}
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert png(figure)


def test_an_embedding_of_many_points_without_generated_ones_or_their_attributes(monkeypatch):
    monkeypatch.setattr(figures, "NUM_POINTS_MAX", 25)
    y = torch.arange(3).repeat(20)
    rows = noise(60, 4) + y[:, None]
    alone = figures.tsne(rows, y, None, None, ["a", "b", "c"], 0)
    assert titles(alone) == ["real"] and len(shown(alone.axes[0])[0][0]) == 25
    figure = figures.tsne(rows, y, noise(30, 4), None, ["a", "b", "c"], 0)
    assert not figure.axes[1].texts and len(figure.axes[0].texts) == 3
