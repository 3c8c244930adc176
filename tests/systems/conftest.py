"""What tests of whole systems share."""

from __future__ import annotations

import functools

import pytest

from scgan.figures import by_attribute, modes
from scgan.metrics import default_scores, mode_matching


@pytest.fixture(scope="module")
def few_samples():
    """Scores and pictures of few samples, where a test asks only that they are there."""
    import sklearn.manifold

    quick = functools.partial(sklearn.manifold.TSNE, max_iter=250)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.manifold, "TSNE", quick)
        patch.setattr(default_scores, "NUM_SAMPLES", 1000)
        patch.setattr(mode_matching, "NUM_SAMPLES", 1000)
        patch.setattr(modes, "NUM_ROWS", 400)
        patch.setattr(by_attribute, "NUM_DRAWN", 400)
        yield
