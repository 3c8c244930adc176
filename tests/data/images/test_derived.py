"""Sets that are made of another: which images they hold, in which numbers."""

from __future__ import annotations

import numpy as np
import pytest

from scgan.data.dataset import DataConfig
from scgan.data.images.derived import write_stacked, write_thinned
from scgan.data.loading import load


@pytest.fixture
def source(tmp_path):
    """Images of one grey value each, of three classes; the test part's values are above 200."""
    x = np.arange(120, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    y = np.arange(120) % 3
    parts = {"x_train": x, "y_train": y, "x_test": x[:30] + 200, "y_test": y[:30]}
    np.savez(tmp_path / "grey.npz", **parts)
    return str(tmp_path / "grey.npz")


def test_stacked_images_have_an_image_in_each_channel(source):
    path = write_stacked(source, 500)
    assert path.name == "grey_stacked500.npz"
    data = load(DataConfig(source=str(path)), 0)
    assert data.train.shape == (500, 3, 28, 28) and len(data.test) == 10_000
    assert data.train_labels is None
    values = data.train[:, :, 0, 0]
    assert (data.train == values[:, :, None, None]).all()
    assert values.max() < 120 and data.test.min() >= 200
    # Channels are drawn apart, and all images are.
    assert len(values.unique(dim=0)) > 490 and len(values.unique()) == 120


def test_a_file_that_is_there_is_taken(source):
    path = write_stacked(source, 50)
    before = path.stat().st_mtime_ns
    assert write_stacked(source, 50) == path and path.stat().st_mtime_ns == before


def test_classes_are_thinned_to_their_shares_and_the_test_part_is_not(source):
    path = write_thinned(source, ("2", "0"), (0.25, 0.75))
    assert path.name == "grey_2-0_25-75.npz"
    data = load(DataConfig(source=str(path)), 0)
    assert data.image_schema.attributes == ("0", "2")
    assert np.bincount(data.train_labels).tolist() == [40, 13]  # 40 are 75 % of 53
    assert np.bincount(data.test_labels).tolist() == [10, 10]
    # The labels are the images' own.
    values = data.train[:, 0, 0, 0].numpy()
    assert np.array_equal(values % 3 // 2, data.train_labels)
    assert len(set(values)) == 53
    assert write_thinned(source, ("2", "0"), (0.25, 0.75)) == path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda s: write_thinned(s, ("0", "7"), (1, 1)),
            "not all of the classes 0, 7; it has 0, 1",
        ),
        (lambda s: write_stacked("digits", 9), "digits: no file to make others of"),
        (lambda s: write_stacked(s.replace("grey", "table"), 9), "table.npz holds no grey images"),
    ],
)
def test_refusals(source, make, message):
    np.savez(source.replace("grey", "table"), X=np.random.default_rng(0).normal(size=(40, 2)))
    with pytest.raises(ValueError, match=message):
        make(source)
