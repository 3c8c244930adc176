"""Critics of rows: what each setting does to a logit, and what they see on generators made bad."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from scgan.nn.critics import Critic


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def critic_of(seed=0, **changes):
    settings = {"width": 8, "num_layers": 2, "normalisation": "none", "pack": 1, **changes}
    return Critic(3, generator=seeded(seed), **settings)


def linear_layers(critic):
    return [layer for layer in critic.layers if isinstance(layer, nn.Linear)]


def leaky(h):
    return torch.where(h > 0, h, 0.2 * h)


@pytest.mark.parametrize("normalisation", ["none", "layer"])
def test_a_logit_is_that_of_the_perceptron_written_out(normalisation):
    critic, x = critic_of(normalisation=normalisation), torch.randn(5, 3, generator=seeded(1))
    *hidden, last = linear_layers(critic)
    assert len(hidden) == 2
    h = x
    for layer in hidden:
        h = h @ layer.weight.T + layer.bias
        if normalisation == "layer":
            centred = h - h.mean(1, keepdim=True)
            h = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        h = leaky(h)
    assert_close(critic(x), h @ last.weight.T + last.bias)


@pytest.mark.parametrize("pack", [1, 2, 3])
def test_a_pack_of_rows_has_one_logit_of_its_own_rows(pack):
    critic, x = critic_of(pack=pack), torch.randn(6, 3, generator=seeded(1))
    logits = critic(x)
    assert logits.shape == (6 // pack, 1)
    for row in range(6):
        changed = x.clone()
        changed[row] += 1
        moved = (critic(changed) != logits)[:, 0].nonzero()[:, 0].tolist()
        assert moved == [row // pack]


def test_spectral_normalisation_bounds_the_slope_by_one():
    torch.manual_seed(0)
    critic = critic_of(normalisation="spectral", width=32)
    with torch.no_grad():
        for layer in linear_layers(critic):
            layer.parametrizations.weight.original.mul_(30)
    x = torch.randn(50, 3, generator=seeded(1))
    for _ in range(30):  # power iterations
        critic(x)
    for layer in linear_layers(critic):
        largest = torch.linalg.matrix_norm(layer.weight.detach(), 2)
        assert largest.item() == pytest.approx(1, abs=1e-2)
    gap = (critic(x[:25]) - critic(x[25:])).abs()[:, 0]
    assert (gap <= 1.03 * torch.linalg.vector_norm(x[:25] - x[25:], dim=1)).all()
    plain = critic_of(width=32)
    assert not any(hasattr(layer, "parametrizations") for layer in linear_layers(plain))


@pytest.mark.parametrize("normalisation", ["none", "layer", "spectral"])
def test_its_weights_depend_on_the_generator_alone(normalisation):
    states = []
    for seed, of_pytorch in ((3, 1), (3, 2), (4, 2)):
        torch.manual_seed(of_pytorch)
        states.append(critic_of(seed, normalisation=normalisation).state_dict())
    first, again, other = states
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_width_and_depth_are_those_asked_for():
    shapes = [layer.weight.shape for layer in linear_layers(critic_of(width=7, num_layers=3))]
    assert shapes == [(7, 3), (7, 7), (7, 7), (1, 7)]
    packed = linear_layers(critic_of(width=7, num_layers=1, pack=4))
    assert [layer.weight.shape for layer in packed] == [(7, 12), (1, 7)]


def test_a_pack_shows_what_single_rows_hide():
    """Samples that come in equal pairs: no row is unlike the data's, but each pair is."""
    advantage = {}
    for pack in (1, 2):
        critic = critic_of(pack=pack, width=32)
        adam = torch.optim.Adam(critic.parameters(), 5e-3)
        generator = seeded(2)
        for _ in range(150):
            real = torch.randn(256, 3, generator=generator)
            fake = torch.randn(128, 3, generator=generator).repeat_interleave(2, 0)
            logits = critic(real), critic(fake)
            loss = nn.functional.softplus(-logits[0]).mean()
            loss = loss + nn.functional.softplus(logits[1]).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        advantage[pack] = 2 * math.log(2) - loss.item()
    assert advantage[1] < 0.05 and advantage[2] > 0.4
