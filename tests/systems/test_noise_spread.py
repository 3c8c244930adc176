"""The spread of SC-GAN's noise, as its score tells it; and settings refused before training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.config import override
from scgan.stages.tables import decode
from scgan.systems import scgan

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model():
    """A decoder of codes that are the rows, doubled."""
    decoder = decode.build_decoder(scgan.SCGANConfig().decoder, 2, 2, seeded(1))
    parts = SimpleNamespace(
        device=CPU,
        decoder=decoder,
        encode=lambda x: 2 * x,
        mapper_distances=[0.1],
        mapper_distance_floors=[0.1],
        view_information=lambda x, generator: (1.0, 2.0),
    )
    parts.redraw = lambda *args: scgan.SCGANModel.redraw(parts, *args)
    return parts


def test_each_rows_own_code_is_decoded_with_noises_of_its_own(model):
    x = torch.randn(50, 2, generator=seeded(8))
    draws, again = model.redraw(x, 3, seeded(9)), seeded(9)
    assert draws.shape == (3, 50, 2) and (draws[0] - draws[1]).abs().min() > 0
    for drawn in draws:
        assert_close(drawn, model.decoder(2 * x, model.decoder.noise(50, again)))


def test_the_spread_is_told_of_sixteen_noises_for_each_held_out_row(model, monkeypatch):
    given = []
    monkeypatch.setattr(scgan, "spread_ratio", lambda draws, x: given.append((draws, x)) or 0.7)
    monkeypatch.setattr(scgan.System, "evaluate", lambda *args: iter(()))
    x = torch.randn(50, 2, generator=seeded(8))
    scores = dict(scgan.SYSTEM.evaluate(model, SimpleNamespace(test=x), 5))
    told = scores["noise_spread"]
    assert (told.value, told.floor, told.better) == (0.7, 1.0, "none")
    ((draws, rows),) = given
    assert torch.equal(draws, model.redraw(x, 16, seeded(5))) and torch.equal(rows, x)


def test_packs_that_do_not_divide_the_batch_are_refused_before_anything_is_trained():
    config = override(scgan.SCGANConfig(), {"decoder.d_pack": 3})
    with pytest.raises(ValueError, match=r"decoder\.d_pack is 3"):
        scgan.SYSTEM.check(config, SimpleNamespace(num_train=1000))
