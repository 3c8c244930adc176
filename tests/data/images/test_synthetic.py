"""The stand-in for CelebA: attributes change the pixels they should and no others, and are true."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from scgan.data.dataset import DataConfig
from scgan.data.images import scenes, synthetic
from scgan.data.images.synthetic import BOXES, GRADED, NAMES, Scenes, draw, paint, pixels
from scgan.data.loading import load

NUM = 1500
PLACES = {name: place for place, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def drawn():
    return draw(NUM, seed=3)


def inside(name):
    mask = np.zeros((64, 64), dtype=bool)
    mask[pixels(BOXES[name])] = True
    return mask


def test_there_are_forty_attributes_and_some_are_by_degrees(drawn):
    assert len(set(NAMES)) == 40 and len(GRADED) == 7
    assert drawn.images.shape == (NUM, 64, 64, 3) and drawn.images.dtype == np.uint8
    assert drawn.y.shape == drawn.strengths.shape == (NUM, 40)

    graded = np.isin(NAMES, GRADED)
    assert np.array_equal(drawn.y[:, ~graded], drawn.strengths[:, ~graded])
    assert np.array_equal(drawn.y[:, graded], drawn.strengths[:, graded] > 0.5)
    assert np.abs(np.quantile(drawn.strengths[:, graded], [0.25, 0.75]) - [0.25, 0.75]).max() < 0.02


def test_attributes_are_as_frequent_as_they_should_be_and_independent(drawn):
    shares = [0.4, 0.5, *(layer.share for layer in scenes.LAYERS)]
    assert np.abs(drawn.y.mean(0) - shares).max() < 4 * 0.5 / sqrt(NUM)
    correlations = np.corrcoef(drawn.y.T)[np.triu_indices(40, 1)]
    assert np.abs(correlations).max() < NormalDist().inv_cdf(1 - 0.001 / 780) / sqrt(NUM)


def test_the_same_seed_draws_the_same_and_fewer_are_the_first_of_more(drawn):
    again, other = draw(20, seed=3), draw(20, seed=4)
    assert np.array_equal(again.images, drawn.images[:20])
    assert np.array_equal(again.strengths, drawn.strengths[:20])
    assert not np.array_equal(other.y, again.y)
    assert not np.array_equal(draw(251, seed=3).images[250], drawn.images[0])  # chunks differ


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_alone_changes_pixels_in_its_box_and_none_outside(name):
    """The same scene with it and without, all else as it is."""
    rng = np.random.default_rng(0)
    strengths = draw(50, seed=5).strengths
    without, half, whole = (strengths.copy() for _ in range(3))
    for rows, value in ((without, 0), (half, 0.5), (whole, 1)):
        rows[:, PLACES[name]] = value
        rows[:, PLACES["Hazy"]] *= name == "Hazy"  # what lies over all
    scene = Scenes.draw(50, rng)
    pictures = [paint(rows, scene).astype(float) for rows in (without, half, whole)]

    changed = np.abs(pictures[2] - pictures[0]).mean(-1)  # [N, 64, 64]
    assert not changed[:, ~inside(name)].any()
    # Seen in nearly all: something may lie on it, and a body be of its colour.
    assert (changed.max((1, 2)) > 15).mean() > 0.8
    steps = np.abs(pictures[1] - pictures[0]).sum((1, 2, 3)), changed.sum((1, 2)) * 3
    assert (steps[0] <= steps[1] + 1e-9).mean() > 0.95
    if name in GRADED:
        assert 0.3 < steps[0].sum() / steps[1].sum() < 0.7


@pytest.mark.parametrize("name", NAMES)
def test_no_box_cuts_what_it_holds(name, monkeypatch):
    """Painted on the whole image instead, it is the same."""
    scene = Scenes.draw(20, np.random.default_rng(1))
    strengths = np.zeros((20, 40))
    strengths[:, PLACES[name]] = 1
    strengths[:10, PLACES["Square_Body"]] = strengths[:10, PLACES["Large_Body"]] = 1
    boxed = paint(strengths, scene)
    monkeypatch.setattr(synthetic, "pixels", lambda box: (slice(0, 64), slice(0, 64)))
    assert np.array_equal(boxed, paint(strengths, scene))


def test_images_with_and_without_differ_where_they_should_and_only_there(drawn):
    """Over the whole set, where all else is random: t-tests of every value of a pixel."""
    x = drawn.images.astype(np.float32).reshape(NUM, -1)  # [N, 64 * 64 * 3]
    bound = NormalDist().inv_cdf(1 - 0.001 / (40 * x.shape[1]) / 2)
    unseen = []
    for name, has in zip(NAMES, drawn.y.T.astype(bool), strict=True):
        groups = x[has], x[~has]
        error = np.sqrt(sum(rows.var(0, ddof=1) / len(rows) for rows in groups))
        t = np.abs(groups[0].mean(0) - groups[1].mean(0)) / error
        mask = np.repeat(inside(name).ravel(), 3)
        assert t[~mask].max(initial=0) < bound, name
        unseen += [name] * bool(t[mask].max() < bound)

    # Patterns of a random phase leave each pixel's mean as it is; their variance is another matter.
    assert set(unseen) <= {"Striped_Background", "Checkered_Body", "Striped_Body", "Square_Body"}


def test_the_bundled_set_is_read_like_any_other(monkeypatch):
    monkeypatch.setattr(synthetic, "NUM_TRAIN", 300)
    monkeypatch.setattr(synthetic, "NUM_TEST", 100)
    data = load(DataConfig(source="shapes", attributes=("Sun", "Eyes")), seed=0)
    assert data.train.shape == (300, 3, 64, 64) and data.test.shape == (100, 3, 64, 64)
    assert data.image_schema.attributes == ("Sun", "Eyes")
    y = draw(300, seed=0).y[:, [PLACES["Sun"], PLACES["Eyes"]]]
    assert np.array_equal(data.train_labels, y)
    assert np.array_equal(data.test.numpy(), draw(100, seed=1).images.transpose(0, 3, 1, 2))

    small = load(DataConfig(source="shapes", image_size=32, channels=1), seed=0)
    assert small.train.shape == (300, 1, 32, 32) and small.fingerprint != data.fingerprint
    with pytest.raises(ValueError, match="a set of images: it has no --data.label"):
        load(DataConfig(source="shapes", label="y"), seed=0)


def test_the_script_writes_celebas_layout(tmp_path, caplog):
    folder = tmp_path / "shapes"
    synthetic.main.main([str(folder), "--num", "40", "--seed", "7"], standalone_mode=False)
    data, kept = load(DataConfig(source=str(folder)), seed=0), draw(40, seed=7)
    assert data.image_schema.attributes == NAMES and data.image_schema.size == 64
    assert "4 validation images are left out" in caplog.text

    places = np.arange(40)
    train, test = kept.images[places % 10 < 8], kept.images[places % 10 == 9]
    assert np.array_equal(data.train.numpy(), train.transpose(0, 3, 1, 2))
    assert np.array_equal(data.test.numpy(), test.transpose(0, 3, 1, 2))
    assert np.array_equal(data.test_labels, kept.y[places % 10 == 9])
    assert np.array_equal(np.load(folder / "strengths.npy"), kept.strengths)

    with pytest.raises(ValueError, match="is not empty"):
        synthetic.write(folder, 1, 0)


def test_another_process_draws_the_same(drawn):
    code = (
        "import hashlib, json; from scgan.data.images.synthetic import draw; d = draw(50, 3);"
        "print(json.dumps([hashlib.sha256(a.tobytes()).hexdigest() for a in (d.images, d.y)]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mine = [hashlib.sha256(a[:50].tobytes()).hexdigest() for a in (drawn.images, drawn.y)]
    assert json.loads(said.stdout) == mine
