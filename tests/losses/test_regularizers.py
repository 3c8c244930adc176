"""Penalties against finite differences and constructed bases."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from scgan.losses.regularizers import orthogonality, r1
from scgan.nn.mlp import MLP, initialise


def test_r1_of_a_linear_discriminator_is_its_squared_weight():
    weight = torch.tensor([3.0, -4.0], dtype=torch.float64)
    x = torch.randn(
        5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert_close(r1(x @ weight, x), torch.full((5,), 25.0, dtype=torch.float64))


def test_r1_equals_finite_differences():
    generator = torch.Generator().manual_seed(1)
    network = MLP([3, 8, 1]).double()
    initialise(network, generator)
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator).requires_grad_()
    step = 1e-6
    slow = torch.zeros(4, dtype=torch.float64)
    with torch.no_grad():
        for column in range(3):
            shift = torch.zeros(3, dtype=torch.float64)
            shift[column] = step
            slow += ((network(x + shift) - network(x - shift)).squeeze(1) / (2 * step)) ** 2
    assert_close(r1(network(x), x), slow, rtol=1e-5, atol=1e-8)


def test_r1_passes_gradients_to_the_discriminator():
    network = MLP([2, 4, 1])
    initialise(network, torch.Generator().manual_seed(2))
    x = torch.ones(3, 2, requires_grad=True)
    r1(network(x), x).mean().backward()
    assert network[0].weight.grad.abs().sum() > 0


def test_orthogonality_equals_a_slow_sum_and_vanishes_for_orthonormal_rows():
    generator = torch.Generator().manual_seed(3)
    bases = [torch.randn(3, dim, dtype=torch.float64, generator=generator) for dim in (6, 4)]
    slow = 0.0
    for basis in bases:
        for i in range(3):
            for j in range(3):
                slow += (float(basis[i] @ basis[j]) - (i == j)) ** 2
    assert_close(orthogonality(bases).item(), slow)
    orthonormal = torch.linalg.qr(bases[0].T).Q.T
    assert orthogonality([orthonormal]) < 1e-24
    assert_close(orthogonality([orthonormal, 2 * orthonormal]).item(), 3 * 9.0)
