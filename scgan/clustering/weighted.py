"""A mixture of Gaussians whose components' weights are known."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

NUM_AXES = 20  # principal axes in which rows or images are grouped
LEAST_VARIANCE = 1e-2  # added to each axis, of rows whose first axis has unit variance
NUM_ROWS = 10_000  # that a mixture is fitted to; all are assigned
NUM_ROUNDS = 60
NUM_BALANCINGS = 20  # rounds of bringing the shares to the weights


def principal_axes(x: Tensor, num_axes: int = NUM_AXES) -> Tensor:
    """Rows in their first principal axes, the first of unit variance.

    Args:
        x: Rows or images as floats, ``[N, ...]``.
        num_axes: At most; fewer where rows have fewer dimensions.

    Returns:
        ``[N, d]``, float64.
    """
    rows = x.flatten(1).double()
    rows = rows - rows.mean(0)
    values, axes = torch.linalg.eigh(rows.T @ rows / len(rows))  # ascending
    num = min(num_axes, rows.shape[1])
    return rows @ axes.flip(1)[:, :num] / values[-1].clamp_min(1e-12).sqrt()


def fit_weighted_mixture(
    rows: Tensor, weights: Tensor, generator: torch.Generator, num_starts: int = 12
) -> Tensor:
    r"""Fit a mixture of Gaussians, covariances of their own, whose shares of rows are given.

    .. math:: r_{ik} \propto e^{b_k} N(x_i \mid \mu_k, \Sigma_k), \quad
              b: \frac1N \sum_i r_{ik} = w_k

    Expectation maximisation in which the responsibilities' means are held at the weights: weights
    that only multiply densities are overruled by them, and a light component grows.

    Args:
        rows: ``[N, D]``, of about unit variance.
        weights: Of the components, ``[K]``, positive, summing to 1.
        generator: Draws the rows that components start at.
        num_starts: Of which the likeliest is kept.

    Returns:
        Responsibilities, ``[N, K]``, float64, of column means ``weights``.

    Source: expectation maximisation as in Dempster, Laird and Rubin (1977), its E-step under the
        constraint on the means, by the scalings of Sinkhorn (1967). [NEMGAN] has no such start.
    """
    rows, log_w = rows.double(), weights.double().log()
    order = torch.randperm(len(rows), generator=generator)
    some = rows[order[:NUM_ROWS]]
    best, found = -math.inf, None

    for _ in range(num_starts):
        chosen = torch.randperm(len(some), generator=generator)[: len(weights)]
        fit = _one_fit(some, log_w, some[chosen])
        if fit.likelihood > best:
            best, found = fit.likelihood, fit

    assert found is not None
    return _balanced(_log_density(rows, found.mu, found.sigma), found.bias, log_w)[0]


class _Fit(NamedTuple):
    likelihood: float
    mu: Tensor
    sigma: Tensor
    bias: Tensor


def _one_fit(rows: Tensor, log_w: Tensor, mu: Tensor) -> _Fit:
    """Mean log density of rows under their own components, and the components ``[K, ...]``."""
    least = LEAST_VARIANCE * torch.eye(rows.shape[1], dtype=rows.dtype)
    sigma = (torch.cov(rows.T).view_as(least) + least).repeat(len(mu), 1, 1)
    bias = log_w

    for _ in range(NUM_ROUNDS):
        shares, bias = _balanced(_log_density(rows, mu, sigma), bias, log_w)
        weighed = shares / shares.sum(0)  # [N, K]
        mu = weighed.T @ rows
        spreads = [_spread(rows - m, w) for m, w in zip(mu, weighed.T, strict=True)]
        sigma = torch.stack(spreads) + least

    density = _log_density(rows, mu, sigma)
    shares, bias = _balanced(density, bias, log_w)
    return _Fit(float((shares * density).sum(1).mean()), mu, sigma, bias)


def _spread(gaps: Tensor, weights: Tensor) -> Tensor:
    """Covariance ``[D, D]`` of gaps to a mean ``[N, D]`` with weights ``[N]``."""
    return (weights[:, None] * gaps).T @ gaps


def _log_density(rows: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Of each row under each component, ``[N, K]``, one component at a time for the memory."""
    columns = []
    for mean, covariance in zip(mu, sigma, strict=True):
        root = torch.linalg.cholesky(covariance)
        scaled = torch.linalg.solve_triangular(root, (rows - mean).T, upper=False)  # [D, N]
        volume = root.diagonal().log().sum() + len(root) / 2 * math.log(2 * math.pi)
        columns.append(-scaled.square().sum(0) / 2 - volume)
    return torch.stack(columns, 1)


def _balanced(density: Tensor, bias: Tensor, log_w: Tensor) -> tuple[Tensor, Tensor]:
    """Responsibilities whose means are the weights, and the components' bias."""
    for _ in range(NUM_BALANCINGS):
        bias = bias + log_w - (density + bias).softmax(1).mean(0).log()
    return (density + bias).softmax(1), bias
