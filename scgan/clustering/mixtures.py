"""Mixtures of Gaussians by expectation maximisation."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

LEAST_VARIANCE = 1e-4  # added to each axis, of rows whose axes have unit variance


def fit_mixture(rows: Tensor, num_components: int, seed: int) -> GaussianMixture:
    """Fit a mixture of Gaussians with covariances of their own, from a k-means++ start.

    Args:
        rows: ``[N, D]``, their axes about unit variance.
        num_components: M, at most N.
        seed: Of the start.

    Returns:
        The mixture; the same for the same rows and seed, whatever the number of threads.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    mixture = GaussianMixture(
        num_components,
        reg_covar=LEAST_VARIANCE,
        init_params="k-means++",  # as good as K-means, and faster
        random_state=seed,
    )
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred rounds will do
        return mixture.fit(rows.double().numpy())
