"""Augmentation: each kind against a loop over images, and what randomness may and may not touch."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from scgan.data.images import augment
from scgan.data.images.augment import DiffAugment, Views


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def images(num=6, channels=3, size=16):
    return torch.rand(num, channels, size, size, generator=seeded(0)) * 2 - 1


def test_color_equals_a_loop():
    augment, x = DiffAugment(("color",), 1.0), images()
    draws = augment.draw(len(x), *[seeded(1)] * 2)
    slow = []
    for image, (b, s, c, *_) in zip(x, draws[1].tolist(), strict=True):
        image = image + (b - 0.5)
        grey = sum(image) / 3
        image = torch.stack([grey + 2 * s * (plane - grey) for plane in image])
        slow.append(image.mean() + (0.5 + c) * (image - image.mean()))
    assert_close(augment(x, draws), torch.stack(slow))


def test_translation_equals_a_loop():
    augment, x = DiffAugment(("translation",), 1.0), images(40)
    draws = augment.draw(len(x), *[seeded(2)] * 2)
    slow, shifts = torch.zeros_like(x), set()
    for i, numbers in enumerate(draws[1].tolist()):
        down, right = (int(numbers[j] * 5) - 2 for j in (3, 4))
        shifts |= {down, right}
        for row in range(16):
            for column in range(16):
                if 0 <= row - down < 16 and 0 <= column - right < 16:
                    slow[i, :, row, column] = x[i, :, row - down, column - right]
    assert_close(augment(x, draws), slow)
    assert shifts == {-2, -1, 0, 1, 2}


def test_cutout_equals_a_loop():
    augment, x = DiffAugment(("cutout",), 1.0), images(40)
    draws = augment.draw(len(x), *[seeded(3)] * 2)
    slow = x.clone()
    for i, numbers in enumerate(draws[1].tolist()):
        top, left = (int(numbers[j] * 17) - 4 for j in (5, 6))
        slow[i, :, max(0, top) : max(0, top + 8), max(0, left) : max(0, left + 8)] = 0
    assert_close(augment(x, draws), slow)


def test_each_kind_comes_with_its_probability():
    augment = DiffAugment(("color", "cutout"), 0.6)
    generator = seeded(4)
    drawn = [augment.draw(1, generator, generator)[0] for _ in range(2000)]
    chosen = (torch.stack(drawn) < 0.6).double()
    assert_close(chosen.mean(0), torch.full((2,), 0.6, dtype=torch.float64), rtol=0, atol=0.05)
    x = images(2)
    draws = (torch.tensor([0.7, 0.7]), torch.rand(2, 7))
    assert torch.equal(augment(x, draws), x)


def test_what_is_decided_once_a_batch_has_a_generator_of_its_own():
    augment = DiffAugment(("color", "cutout"), 0.6)
    first, other = augment.draw(3, seeded(1), seeded(2)), augment.draw(3, seeded(3), seeded(2))
    assert torch.equal(first[1], other[1]) and not torch.equal(first[0], other[0])


def test_gradients_pass_and_none_leaves_images_alone():
    x = images().requires_grad_()
    augment = DiffAugment(("color", "translation", "cutout"), 1.0)
    augment(x, augment.draw(len(x), *[seeded(5)] * 2)).square().sum().backward()
    assert x.grad.abs().sum() > 0
    nothing = DiffAugment((), 0.6)
    assert nothing(x, nothing.draw(len(x), *[seeded(6)] * 2)) is x


@pytest.mark.parametrize(("name", "channels"), [("affine", 1), ("simclr", 3)])
def test_views_follow_the_seed_alone(name, channels):
    views, x = Views(name, 32), images(8, channels, 32)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = views(x, 1)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(1)
    assert torch.equal(first, views(x, 1)) and not torch.equal(first, views(x, 2))
    assert first.shape == x.shape and first.abs().max() <= 1
    twins = views(x[:1].expand(2, -1, -1, -1), 3)
    assert not torch.equal(twins[0], twins[1])


def test_real_and_fake_are_augmented_by_the_draws_and_nothing_else():
    augment, x = DiffAugment(("color", "translation", "cutout"), 1.0), images()
    draws = augment.draw(len(x), *[seeded(7)] * 2)
    torch.manual_seed(0)
    first = augment(x, draws)
    assert torch.equal(first, augment(x, draws))
    assert torch.equal(first[2:3], augment(x[2:3], (draws[0], draws[1][2:3])))
    assert not torch.equal(first, augment(x, augment.draw(len(x), *[seeded(8)] * 2)))


def test_affine_views_keep_black_black_and_add_noise():
    views = Views("affine", 32)
    black = views(torch.full((16, 1, 32, 32), -1.0), 0)
    assert black.max() < -0.3 and black.mean() < -0.9

    grey = views(torch.zeros(16, 1, 32, 32), 1)[:, :, 12:20, 12:20]
    assert abs(grey.mean().item()) < 0.02
    assert grey.std().item() == pytest.approx(0.1, rel=0.1)


def test_simclr_views_are_flipped_half_of_the_time():
    ramp = torch.linspace(-0.9, 0.9, 32).expand(300, 3, 32, 32)
    view = Views("simclr", 32)(ramp, 0)
    rising = view[..., 16:].mean((1, 2, 3)) > view[..., :16].mean((1, 2, 3))
    assert 0.4 < rising.double().mean() < 0.6


def test_affine_views_equal_a_loop_over_pixels():
    x, weights = images(5), torch.Generator().manual_seed(3)
    draws = torch.rand(5, augment.AFFINE_DRAWS, generator=weights)
    found = augment.affine_views(x, draws, 0.8)
    size = x.shape[-1]
    for n in range(5):
        turn, scale, stretch, shear, right, down = (
            0.8 * most * (2 * float(draw) - 1)
            for most, draw in zip((0.35, 0.25, 0.2, 0.3, 0.12, 0.12), draws[n], strict=True)
        )
        scale, stretch = 1 + scale, 1 + stretch
        for row, column in itertools.product(range(0, size, 3), repeat=2):
            u, v = (2 * column + 1) / size - 1, (2 * row + 1) / size - 1
            from_u = scale * (math.cos(turn) * u + (shear - math.sin(turn)) * v) + right
            from_v = scale * stretch * (math.sin(turn) * u + math.cos(turn) * v) + down
            at_column, at_row = ((w + 1) * size / 2 - 0.5 for w in (from_u, from_v))
            value = 0.0  # of images at 0 where they are dark
            for i, j in itertools.product(range(size), repeat=2):
                near = max(0.0, 1 - abs(at_row - i)) * max(0.0, 1 - abs(at_column - j))
                value += near * (float(x[n, 0, i, j]) + 1)
            assert float(found[n, 0, row, column]) == pytest.approx(value - 1, abs=1e-4)


def test_affine_views_are_the_images_in_the_middle_of_the_draws_and_let_gradients_pass():
    x = images(4).requires_grad_()
    half = torch.full((4, augment.AFFINE_DRAWS), 0.5)
    torch.testing.assert_close(augment.affine_views(x, half, 1.0), x)
    any_draws = torch.rand(4, augment.AFFINE_DRAWS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(augment.affine_views(x, any_draws, 0.0), x)
    augment.affine_views(x, any_draws, 1.0).sum().backward()
    assert x.grad.abs().sum() > 0
