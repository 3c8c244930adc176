"""The attributes' loss against loops over images and attributes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.classification import (
    attribute_loss,
    limited_attribute_loss,
    mean_attribute_loss,
)


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


def entropies(logits, y, kind):
    """An image and an attribute at a time: ``[N]`` of classes, ``[N][A]`` of many."""
    rows = []
    for row, has in zip(logits.tolist(), y.tolist(), strict=True):
        if kind == "one":
            total = sum(math.exp(v) for v in row)
            rows.append(-math.log(math.exp(row[has.index(1.0)]) / total))
        else:
            p = [1 / (1 + math.exp(-v)) for v in row]
            rows.append([-math.log(q if h else 1 - q) for q, h in zip(p, has, strict=True)])
    return rows


def drawn(kind, num=7):
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(num, 3, dtype=torch.float64, generator=generator)
    classes = torch.tensor([0, 2, 1, 1, 2, 0, 0])
    bits = torch.randint(2, (num, 3), generator=generator).double()
    return logits, torch.nn.functional.one_hot(classes, 3).double() if kind == "one" else bits


def test_the_limited_loss_of_classes_equals_the_slow_loop():
    logits, y = drawn("one")
    allowed = torch.tensor([0.01, 0.9, 0.1], dtype=torch.float64)
    costs, limits = entropies(logits, y, "one"), (y @ allowed).tolist()
    expected = sum(max(0.0, c - limit) for c, limit in zip(costs, limits, strict=True)) / 7
    assert 0 < expected < sum(costs) / 7 - 0.05
    assert_close(limited_attribute_loss(logits, y, "one", allowed).item(), expected)


def test_the_limited_loss_of_many_attributes_equals_the_slow_loop():
    logits, y = drawn("many")
    allowed = torch.tensor([[0.4, 0.9, 0.1], [0.2, 0.3, 1.2]], dtype=torch.float64)
    total = 0.0
    for costs, has in zip(entropies(logits, y, "many"), y.tolist(), strict=True):
        for a in range(3):
            total += max(0.0, costs[a] - float(allowed[int(has[a]), a])) / 21
    assert_close(limited_attribute_loss(logits, y, "many", allowed).item(), total)


def test_without_allowance_it_is_the_papers_and_with_enough_of_it_0():
    for kind, shape in (("one", (3,)), ("many", (2, 3))):
        logits, y = drawn(kind)
        nothing, much = (torch.full(shape, v, dtype=torch.float64) for v in (0.0, 99.0))
        plain = attribute_loss(logits, y, kind)
        assert_close(limited_attribute_loss(logits, y, kind, nothing), plain)
        assert limited_attribute_loss(logits, y, kind, much) == 0


def test_what_real_images_cost_is_by_attribute():
    logits, y = drawn("one")
    costs = entropies(logits, y, "one")
    by_class = [[c for c, has in zip(costs, y, strict=True) if has[a]] for a in range(3)]
    expected = [sum(group) / len(group) for group in by_class]
    assert mean_attribute_loss(logits, y, "one").tolist() == pytest.approx(expected)

    logits, y = drawn("many")
    costs = entropies(logits, y, "many")
    found = mean_attribute_loss(logits, y, "many")
    for a in range(3):
        for present in (0, 1):
            group = [row[a] for row, has in zip(costs, y, strict=True) if has[a] == present]
            assert float(found[present, a]) == pytest.approx(sum(group) / len(group))

    never = mean_attribute_loss(logits[:2], torch.zeros(2, 3, dtype=torch.float64), "many")
    assert (never[1] == 0).all() and (never[0] > 0).all()
