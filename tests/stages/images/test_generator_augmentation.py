"""Augmentation undone: whatever a critic is shown, by which numbers it came from which image."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

BATCH = 5
SHIFTS = [(down, right) for down in range(-3, 4) for right in range(-3, 4)]


def shifted(x, down, right):
    out = torch.zeros_like(x)
    height, width = x.shape[-2:]
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[..., i, j] = x[..., i - down, j - right]
    return out


def blanked(x, top, left):
    keep = torch.ones_like(x)
    keep[..., max(0, top) : max(0, top + 14), max(0, left) : max(0, left + 14)] = 0
    return x * keep


def stretched(x, contrast, moved):
    return contrast * (x - x.mean()) + x.mean() + moved


def find_color(x, shown):
    """Grey values stretched about their mean, and moved."""
    slope = float(((x - x.mean()) * (shown - shown.mean())).sum() / (x - x.mean()).square().sum())
    moved = float(shown.mean() - x.mean())
    return (slope, moved) if 0.5 <= slope <= 1.5 and abs(moved) <= 0.5 else None


def find_translation(x, shown):
    for down, right in SHIFTS:
        inner = x[..., 3 - down : 25 - down, 3 - right : 25 - right]
        if (shown[..., 3:25, 3:25] - inner).abs().max() < 1e-6:
            return down, right
    return None


def find_cutout(x, shown):
    """From the pixels that were blanked; those that are 0 of themselves are none here."""
    rows, columns = ((shown == 0) & (x != 0)).squeeze(0).nonzero().unbind(1)
    if not len(rows):
        return None
    top, left = int(rows.min()), int(columns.min())
    top = top if top > 0 else int(rows.max()) - 13
    left = left if left > 0 else int(columns.max()) - 13
    return top, left


KINDS = {
    "color": (find_color, stretched),
    "translation": (find_translation, shifted),
    "cutout": (find_cutout, blanked),
}


def found(kind, x, shown):
    """The numbers by which ``shown`` came from ``x`` ``[1, 28, 28]``, or None."""
    find, apply = KINDS[kind]
    numbers = find(x, shown)
    if numbers is None or (apply(x, *numbers) - shown).abs().max() > 1e-4:
        return None
    return numbers


def of_images(world, kind, batch):
    """Which training images were shown, and by which numbers."""
    pairs = []
    for shown in batch:
        tried = [(row, found(kind, x, shown)) for row, x in enumerate(world.x)]
        (pair,) = [(row, numbers) for row, numbers in tried if numbers is not None]
        pairs.append(pair)
    rows, numbers = zip(*pairs, strict=True)
    return list(rows), list(numbers)


@pytest.mark.parametrize("kind", KINDS)
def test_real_and_generated_images_alike_are_augmented(world, train_generator, kind):
    """The discriminator's, the generator's and R1's; each image its own way."""
    settings = {"diff_augment": (kind,), "augment_probability": 1.0, "r1_every": 1}
    record = train_generator(num_samples=10, **settings).record
    for step in record.steps:
        penalised, judged, deceived = step.calls("discriminator")
        fake = step.calls("generator")[-1].output
        rows, real = of_images(world, kind, judged.inputs[0][:BATCH])
        assert_close(judged.inputs[1][:BATCH], world.y["one"][rows])
        again, penalty = of_images(world, kind, penalised.inputs[0])
        assert again == rows
        made = [found(kind, x, s) for x, s in zip(fake, judged.inputs[0][BATCH:], strict=True)]
        assert None not in made
        for numbers in (real, penalty, made):
            assert len(set(numbers)) > 2
        assert real != made and real != penalty
        assert_close(deceived.inputs[0], judged.inputs[0][BATCH:])


@pytest.mark.parametrize("kind", KINDS)
def test_r1_is_of_the_image_before_its_augmentation(world, train_generator, kind):
    settings = {"diff_augment": (kind,), "augment_probability": 1.0, "num_samples": 5}
    record = train_generator(**settings).record
    (step,), expected = record.steps, 0.0
    critic = record.twin("discriminator", step.updates("discriminator")[0].weights)
    rows, numbers = of_images(world, kind, step.calls("discriminator")[0].inputs[0])
    for row, number in zip(rows, numbers, strict=True):
        x = world.x[row].clone().requires_grad_()
        logits = critic(KINDS[kind][1](x, *number)[None], world.y["one"][[row]])
        expected += float(torch.autograd.grad(logits.sum(), x)[0].square().sum()) / BATCH
    assert_close(record.losses[0]["r1"], expected, rtol=1e-3, atol=1e-8)


def test_generated_images_pass_their_gradient_through_the_augmentation(world, train_generator):
    settings = {"diff_augment": ("cutout",), "augment_probability": 1.0}
    record = train_generator(**settings, n=9, orthogonality_weight=0.0).record
    step = record.steps[-1]
    call, shown = step.calls("generator")[-1], step.calls("discriminator")[-1].inputs
    update = step.updates("generator")[-1]
    generator = record.twin("generator", update.weights)
    critic = record.twin("discriminator", update.weights)
    images = [
        blanked(x, *found("cutout", x.detach(), s))
        for x, s in zip(generator(*call.inputs), shown[0], strict=True)
    ]
    (1 - critic(torch.stack(images), shown[1])).clamp_min(0).mean().backward()
    assert_close(update.gradients, record.gradients(generator), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_a_batch_is_augmented_as_often_as_is_set(train_generator, probability):
    record = train_generator(
        diff_augment=("cutout",), augment_probability=probability, num_samples=200, r1_weight=0.0
    ).record
    shown = torch.cat([step.calls("discriminator")[-1].inputs[0] for step in record.steps])
    fakes = torch.cat([step.calls("generator")[-1].output for step in record.steps])
    changed = (shown != fakes).flatten(1).any(1).double().mean()
    assert abs(float(changed) - probability) <= 3 * math.sqrt(probability * (1 - probability) / 40)


def is_cut_from(x, shown):
    """Whether a hole makes ``shown`` of ``x``, whose border of zeros may hide where it begins."""
    blank = ((shown == 0) & (x != 0)).squeeze(0).nonzero()
    if not len(blank):
        return False
    ends = [(int(blank[:, i].min()), int(blank[:, i].max()) - 13) for i in (0, 1)]
    tops, lefts = ([*range(low - 3, low + 1), *range(high, high + 4)] for low, high in ends)
    places = itertools.product(tops, lefts)
    return any((blanked(x, *place) - shown).abs().max() < 1e-4 for place in places)


def test_parts_of_the_augmentation_come_together(train_generator):
    """Cut out of what is shifted: a hole, and zeros at the border."""
    record = train_generator(
        diff_augment=("translation", "cutout"), augment_probability=1.0, num_samples=5
    ).record
    (step,) = record.steps
    fake, shown = step.calls("generator")[-1].output, step.calls("discriminator")[-1].inputs[0]
    for x, s in zip(fake, shown, strict=True):
        assert any(is_cut_from(shifted(x, *shift), s) for shift in SHIFTS)
