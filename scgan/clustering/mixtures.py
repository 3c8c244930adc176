"""Mixtures of Gaussians by expectation maximisation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from torch import Tensor

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

LEAST_VARIANCE = 1e-4  # added to each axis, of rows whose axes have unit variance


class Components(NamedTuple):
    """The Gaussians of a mixture.

    Args:
        weights: ``[M]``, summing to 1.
        means: ``[M, d]``.
        covariances: ``[M, d, d]``.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    @classmethod
    def of(cls, mixture: GaussianMixture) -> Self:
        """Those of a fitted mixture."""
        fitted = mixture.weights_, mixture.means_, mixture.covariances_
        return cls(*map(torch.from_numpy, fitted))


def fit_mixture(rows: Tensor, num_components: int, seed: int) -> GaussianMixture:
    """Fit a mixture of Gaussians with covariances of their own, from a k-means++ start.

    Args:
        rows: ``[N, D]``, their axes about unit variance.
        num_components: M, at most N.
        seed: Of the start.

    Returns:
        The mixture; the same for the same rows and seed, whatever the number of threads.
    """
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        num_components,
        reg_covar=LEAST_VARIANCE,
        init_params="k-means++",  # as good as K-means, and faster
        random_state=seed,
    )
    return _fitted(mixture, rows)


def go_on(rows: Tensor, components: Components, num_rounds: int) -> Components:
    """Fit a mixture to rows from where it is.

    Args:
        rows: ``[N, D]``, their axes about unit variance.
        components: Of the mixture as it is, in double precision.
        num_rounds: Of expectation maximisation.
    """
    from sklearn.mixture import GaussianMixture

    weights, means, covariances = (values.double().cpu() for values in components)
    mixture = GaussianMixture(
        len(weights),
        reg_covar=LEAST_VARIANCE,
        weights_init=(weights / weights.sum()).numpy(),
        means_init=means.numpy(),
        precisions_init=torch.linalg.inv(covariances).numpy(),
        max_iter=num_rounds,
        tol=0.0,
        random_state=0,  # of a start that is replaced
    )
    return Components.of(_fitted(mixture, rows.cpu()))


def _fitted(mixture: GaussianMixture, rows: Tensor) -> GaussianMixture:
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred rounds will do
        return mixture.fit(rows.double().numpy())
