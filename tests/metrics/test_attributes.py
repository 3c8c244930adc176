"""Control accuracy and diversity by hand and by loops."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from scgan.metrics import attributes
from scgan.metrics.attributes import control_accuracy, diversities, diversity


def test_control_accuracy_by_hand():
    y, predicted = torch.tensor([0, 0, 0, 2, 2, 0]), torch.tensor([0, 1, 0, 2, 0, 0])
    accuracy = control_accuracy(predicted, y)
    assert accuracy.overall == pytest.approx(4 / 6)
    assert accuracy.by_attribute[0] == 0.75 and accuracy.by_attribute[2] == 0.5
    assert (
        math.isnan(accuracy.by_attribute[1]) and len(accuracy.by_attribute) == 3
    )  # never asked for


def test_control_accuracy_of_many_attributes_an_image_is_of_those_that_were_asked_for():
    y = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0], [1, 1, 0]])
    predicted = torch.tensor([[1, 0, 0], [0, 1, 1], [1, 0, 0], [1, 1, 0]])
    accuracy = control_accuracy(predicted, y)
    assert accuracy.by_attribute == (1.0, 0.5, 0.5)
    assert accuracy.overall == pytest.approx(5 / 7)
    assert accuracy.balanced == pytest.approx(
        ((1 + 1) / 2 + (1 / 2 + 1 / 2) / 2 + (0.5 + 1) / 2) / 3
    )


def test_never_drawing_any_attribute_finds_none():
    """Each is had by a twentieth of CelebA: as plain accuracy that would be .95."""
    y = (torch.rand(5000, 5, generator=torch.Generator().manual_seed(0)) < 0.05).long()
    accuracy = control_accuracy(torch.zeros_like(y), y)
    assert accuracy.overall == 0 and accuracy.by_attribute == (0.0,) * 5
    assert accuracy.balanced == 0.5


def test_balanced_accuracy_of_classes_is_the_mean_of_their_recalls():
    y, predicted = torch.tensor([0, 0, 0, 2, 2, 0]), torch.tensor([0, 1, 0, 2, 0, 0])
    assert control_accuracy(predicted, y).balanced == pytest.approx((0.75 + 0.5) / 2)


def test_attributes_that_are_always_or_never_asked_for_leave_the_balance():
    y = torch.tensor([[1, 0, 1], [1, 0, 0]])
    accuracy = control_accuracy(torch.tensor([[1, 0, 1], [0, 1, 1]]), y)
    assert accuracy.by_attribute[0] == 0.5 and math.isnan(accuracy.by_attribute[1])
    assert accuracy.balanced == pytest.approx((1 + 0) / 2)
    assert control_accuracy(torch.tensor([[1], [0]]), torch.tensor([[1], [1]])).balanced == 0.5
    with pytest.raises(ValueError, match="no attribute is asked for"):
        control_accuracy(torch.zeros(2, 3), torch.zeros(2, 3))


@pytest.mark.parametrize(
    "shapes", [((3,), (4,)), ((3, 2), (3,)), ((0,), (0,)), ((2, 2, 2), (2, 2, 2))]
)
def test_attributes_that_do_not_go_together_are_refused(shapes):
    with pytest.raises(ValueError, match="two tensors"):
        control_accuracy(*(torch.zeros(shape, dtype=torch.long) for shape in shapes))


def slow(x, groups):
    def difference(i, j):
        return math.sqrt(((x[i] - x[j]) ** 2).mean())

    means = []
    for group in groups:
        pairs = list(itertools.combinations(group, 2))
        means.append(sum(difference(i, j) for i, j in pairs) / len(pairs))
    return sum(means) / len(means)


def test_diversity_equals_loops_over_pairs():
    x = torch.randn(9, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1, 1, 0, 4, 0, 1])  # 4 has one image: no pair
    assert diversity(x, y) == pytest.approx(slow(x, [[0, 2, 5, 7], [1, 3, 4, 8]]), rel=1e-9)
    many = torch.stack([y == 0, torch.ones(9), torch.zeros(9)], 1).long()
    assert diversity(x, many) == pytest.approx(slow(x, [[0, 2, 5, 7], range(9)]), rel=1e-9)


def test_diversities_are_of_each_attribute():
    x = torch.randn(9, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.tensor([0, 1, 0, 1, 1, 0, 3, 0, 1])
    found = diversities(x, y)
    assert found[:2].tolist() == pytest.approx(
        [slow(x, [[0, 2, 5, 7]]), slow(x, [[1, 3, 4, 8]])], rel=1e-9
    )
    assert found.isnan().tolist() == [False, False, True, True]  # never, once


def test_diversity_of_two_images_is_their_difference():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]])
    assert diversity(x, torch.tensor([1, 1, 2])) == pytest.approx(5 / math.sqrt(2))


def test_diversity_of_noise_is_known_and_a_collapse_is_seen():
    """Of independent N(0, s^2) values, the difference is s times the root of 2."""
    y = torch.arange(3).repeat(200)
    x = torch.randn(600, 400, generator=torch.Generator().manual_seed(0)) * 0.3
    assert diversity(x, y) == pytest.approx(0.3 * math.sqrt(2), rel=0.01)
    assert diversity(x[:3].repeat(200, 1), y) == pytest.approx(0, abs=1e-6)
    assert diversity(x + 5 * y[:, None], y) == pytest.approx(
        diversity(x, y), rel=1e-5
    )  # blind between attributes


def test_diversity_of_pixels_is_that_of_their_floats():
    pixels = torch.randint(
        0, 256, (20, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    y = torch.arange(2).repeat(10)
    assert diversity(pixels, y) == pytest.approx(diversity(pixels.float() / 127.5 - 1, y), rel=1e-6)
    assert diversity(pixels.double() + 1e9, y) == pytest.approx(
        diversity(pixels.double(), y), rel=1e-6
    )


def test_diversity_of_many_images_is_of_a_random_part(monkeypatch):
    monkeypatch.setattr(attributes, "NUM_IMAGES_MAX", 50)
    x, y = (
        torch.randn(500, 30, generator=torch.Generator().manual_seed(0)),
        torch.zeros(500, dtype=torch.long),
    )
    assert diversity(x, y, 1) == diversity(x, y, 1) != diversity(x, y, 2)
    assert diversity(x, y, 1) == pytest.approx(math.sqrt(2), rel=0.05)


def test_diversity_without_pairs_is_refused():
    with pytest.raises(ValueError, match="no attribute has two images"):
        diversity(torch.randn(3, 4), torch.arange(3))
    with pytest.raises(ValueError, match="need x"):
        diversity(torch.randn(3, 4), torch.arange(2))
