"""Strengths read off pixels: the ridge regression it says, and how well it reads the drawn set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from scgan.data.images.synthetic import GRADED, NAMES, draw
from scgan.metrics.strength import RIDGE, StrengthReader, agreement


def test_it_is_the_ridge_regression_of_averaged_colours():
    random = torch.Generator().manual_seed(0)
    images = torch.rand(40, 2, 32, 32, generator=random) * 2 - 1
    strengths = torch.rand(40, 3, generator=random)
    x = images.numpy().astype(float).reshape(40, 2, 16, 2, 16, 2).mean((3, 5)).reshape(40, -1)
    centred, origin = x - x.mean(0), strengths.numpy().astype(float)
    # Rows of the penalty below those of the data; the constant is free, so both are centred.
    below = np.sqrt(RIDGE * 40) * np.eye(x.shape[1])
    left = np.concatenate([centred, below])
    right = np.concatenate([origin - origin.mean(0), np.zeros((x.shape[1], 3))])
    weights = np.linalg.lstsq(left, right, rcond=None)[0]
    expected = (x - x.mean(0)) @ weights + origin.mean(0)

    reader = StrengthReader.fit(images, strengths)
    assert_close(reader.read(images), torch.from_numpy(expected).float(), rtol=1e-4, atol=1e-4)
    assert reader.read(images[:7]).shape == (7, 3)


def test_bytes_are_read_as_floats():
    random = torch.Generator().manual_seed(1)
    images = torch.randint(256, (20, 3, 16, 16), generator=random, dtype=torch.uint8)
    s = torch.rand(20, 1, generator=random)
    floats = images.float() / 127.5 - 1
    assert_close(
        StrengthReader.fit(images, s).read(floats), StrengthReader.fit(floats, s).read(images)
    )


def test_agreement_is_correlation_and_slope():
    a = torch.linspace(0, 1, 101)
    assert agreement(a, 0.3 + 0.5 * a) == pytest.approx((1.0, 0.5))
    assert agreement(a, 1 - 2 * a) == pytest.approx((-1.0, -2.0))
    assert agreement(a, torch.full((101,), 0.2)) == pytest.approx((0.0, 0.0))
    noisy = a + torch.randn(101, generator=torch.Generator().manual_seed(0))
    r, slope = np.corrcoef(a, noisy)[0, 1], np.polyfit(a, noisy, 1)[0]
    assert agreement(a, noisy) == pytest.approx((r, slope), rel=1e-5)


def test_the_drawn_sets_strengths_are_read():
    drawn, places = draw(1500, seed=9), [NAMES.index(name) for name in GRADED]
    x = torch.from_numpy(drawn.images).permute(0, 3, 1, 2)
    s = torch.from_numpy(drawn.strengths[:, places])
    found = StrengthReader.fit(x[:1200], s[:1200]).read(x[1200:])
    r = {name: agreement(s[1200:, i], found[:, i])[0] for i, name in enumerate(GRADED)}
    print({name: round(value, 2) for name, value in r.items()})
    assert min(r.values()) > 0.6
