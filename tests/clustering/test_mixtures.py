"""Mixtures of Gaussians: what is known is found, the same whatever the threads."""

from __future__ import annotations

import numpy as np
import torch

from scgan.clustering.mixtures import fit_mixture


def rows_of(num=4000):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(num, 2, generator=generator)
    left = torch.rand(num, generator=generator) < 0.25
    return torch.where(left[:, None], 0.2 * x - 2, x @ torch.tensor([[0.5, 0.3], [0.0, 0.4]]) + 1)


def test_it_finds_the_components_it_was_drawn_from():
    found = fit_mixture(rows_of(), 2, seed=0)
    small, large = np.argsort(found.weights_)
    np.testing.assert_allclose(found.weights_[[small, large]], [0.25, 0.75], atol=0.02)
    np.testing.assert_allclose(found.means_[[small, large]], [[-2, -2], [1, 1]], atol=0.05)
    root = np.array([[0.5, 0.3], [0.0, 0.4]])
    np.testing.assert_allclose(found.covariances_[small], 0.04 * np.eye(2), atol=0.01)
    np.testing.assert_allclose(found.covariances_[large], root.T @ root, atol=0.02)


def test_it_is_of_the_rows_and_the_seed():
    one, other = fit_mixture(rows_of(), 5, seed=0), fit_mixture(rows_of(), 5, seed=0)
    assert np.array_equal(one.means_, other.means_)
    assert not np.array_equal(one.means_, fit_mixture(rows_of(), 5, seed=3).means_)


def test_an_axis_without_variance_does_not_break_it():
    rows = torch.cat([rows_of(200), torch.zeros(200, 1)], 1)
    found = fit_mixture(rows, 3, seed=0)
    assert np.isfinite(found.means_).all() and (found.covariances_[:, 2, 2] > 0).all()
