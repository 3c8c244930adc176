"""What tests of whole systems share."""

from __future__ import annotations

import functools

import pytest
import torch

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


@pytest.fixture(scope="session")
def bars_and_discs():
    """Images of 28 pixels, a share of them bars, the rest discs, and which is which.

    Sizes and places differ more within a shape than shapes do from each other.
    """

    def drawn(share):
        draw = torch.Generator().manual_seed(0)
        y = (torch.rand(600, generator=draw) < share).long()
        axis = torch.linspace(-1, 1, 28)
        right, down, size = (torch.rand(3, 600, generator=draw) - 0.5)[:, :, None, None]
        across, along = axis[None, None, :] - 0.4 * right, axis[None, :, None] - 0.4 * down
        disc = across.square() + along.square() < (0.5 + 0.3 * size).square()
        bar = (across.abs() < 0.12) & (along.abs() < 0.7 + 0.3 * size)
        shapes = torch.where(y[:, None, None].bool(), bar, disc)[:, None]
        return (255 * shapes).to(torch.uint8), y

    return drawn
