"""InfoSCC-GAN's composite objective against loops over images, patches and layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.infoscc_gan import generator_loss


@pytest.mark.parametrize("shape", [(4, 1), (3, 1, 2, 5)])
def test_generator_loss_equals_equations_7_and_9_a_logit_and_basis_at_a_time(shape):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(*shape, dtype=torch.float64, generator=generator)
    bases = [torch.randn(2, dim, dtype=torch.float64, generator=generator) for dim in (3, 8)]
    found = generator_loss(logits, bases, orthogonality_weight=0.3, adversarial="hinge_clipped")
    flat = logits.flatten().tolist()
    g_loss = math.fsum(max(0.0, 1 - logit) for logit in flat) / len(flat)
    penalty = 0.0
    for basis in bases:
        for i in range(2):
            for j in range(2):
                penalty += (float(basis[i] @ basis[j]) - (i == j)) ** 2
    assert_close(found.g_loss.item(), g_loss)
    assert_close(found.orthogonality.item(), penalty)
    assert_close(found.total.item(), g_loss + 0.3 * penalty)


def test_generator_loss_by_hand():
    """One basis of twice the unit vectors, two logits of which the second is clipped."""
    logits, bases = torch.tensor([[0.0], [3.0]]), [2 * torch.eye(2)]
    clipped = generator_loss(logits, bases, orthogonality_weight=0.5, adversarial="hinge_clipped")
    assert_close(clipped.total.item(), 0.5 + 0.5 * 18.0)
    unclipped = generator_loss(logits, bases, orthogonality_weight=0.5, adversarial="hinge")
    assert_close(unclipped.total.item(), -1.5 + 0.5 * 18.0)
