"""The attributes' loss against loops over images and attributes."""

from __future__ import annotations

import math

import torch
from torch.testing import assert_close

from scgan.losses.classification import attribute_loss


def test_equals_the_slow_loops():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5, 4, dtype=torch.float64, generator=generator)
    classes = torch.tensor([0, 3, 1, 1, 2])
    one_hot = torch.nn.functional.one_hot(classes, 4).double()
    bits = torch.randint(2, (5, 4), generator=generator).double()
    one = many = 0.0
    for i in range(5):
        total = sum(math.exp(v) for v in logits[i].tolist())
        one -= math.log(math.exp(float(logits[i, classes[i]])) / total) / 5
        for a in range(4):
            p = 1 / (1 + math.exp(-float(logits[i, a])))
            many -= (math.log(p) if bits[i, a] else math.log(1 - p)) / 20
    assert_close(attribute_loss(logits, one_hot, "one").item(), one)
    assert_close(attribute_loss(logits, bits, "many").item(), many)


def test_closed_forms_at_zero_logits():
    y = torch.eye(6)
    assert_close(attribute_loss(torch.zeros(6, 6), y, "one").item(), math.log(6))
    assert_close(attribute_loss(torch.zeros(6, 6), y, "many").item(), math.log(2))
