"""The encoders' benchmark on the bundled digits, a few steps each."""

from __future__ import annotations

import pytest

from ray_jobs.benchmarks.encoders import encoders


@pytest.mark.parametrize("name", ["simclr", "byol", "barlow_twins"])
def test_an_encoder_is_measured_by_clusters_and_by_a_probe(name):
    found = encoders("digits", name, 0, 0.005)
    assert (found["contrastive"], found["seed"]) == (name, 0)
    assert 0 < found["nmi"] < 1 and found["seconds"] > 0
    assert 0 < found["probe"] <= 1


def test_images_without_classes_are_refused(tmp_path):
    import numpy as np

    path = tmp_path / "plain.npz"
    images = np.zeros((40, 28, 28), np.uint8)
    np.savez(path, x_train=images, x_test=images)
    with pytest.raises(ValueError, match="labels|classes"):
        encoders(str(path), "byol", 0, 0.001)
