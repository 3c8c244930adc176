"""The decoder's noise, scaled to what codes leave open once it is trained."""

import pytest
import torch

from scgan.config import override
from scgan.contract import Inputs
from scgan.stages.tables import decode
from scgan.systems.scgan import SCGANConfig
from scgan.training.runtime import Runtime
from tests.stages.tables.test_refine import inputs_of, seeded

CODES, NOISE = torch.randn(3000, 3, generator=seeded(1)), 0.2


def config_of(**changes):
    short = {"mappers.kind": "adversarial", "decoder.num_samples": 1024}
    return override(SCGANConfig(), short | {f"decoder.{key}": changes[key] for key in changes})


def linear_decoder(noise_scale):
    """One that decodes these codes by a line, and its noise is as it was drawn."""
    config = config_of(noise_scale=noise_scale, width=32).decoder
    decoder = decode.build_decoder(config, 3, 2, seeded(2))
    decoder.start(CODES, rows(0.0))
    with torch.no_grad():
        decoder.output.weight.copy_(torch.randn(2, 32, generator=seeded(3)))
    return decoder


def rows(noise):
    """What the codes tell of them but for normal noise."""
    x = CODES @ torch.randn(3, 2, generator=seeded(4))
    return x + noise * torch.randn(x.shape, generator=seeded(5))


@torch.no_grad()
def spread(decoder, eps, num=64):
    """Standard deviation over the noise at a fixed code, over rows and columns."""
    draws = [decoder(eps, decoder.noise(len(eps), seeded(seed))) for seed in range(num)]
    return float(torch.stack(draws).var(0).mean().sqrt()), torch.stack(draws).mean(0)


@pytest.mark.parametrize("wanted", [1.0, 0.5])
@pytest.mark.parametrize("noise_scale", [0.001, 3.0])
def test_the_noise_is_as_wide_as_what_codes_leave_open(wanted, noise_scale):
    decoder = linear_decoder(noise_scale)
    before = [subspace.L.detach().clone() for subspace in decoder.subspaces]
    bases = [basis.detach().clone() for basis in decoder.bases()]
    x = rows(NOISE)
    with torch.no_grad():
        x += decoder(CODES) - rows(0.0)  # whatever the decoder's mean is, rows lie about it

    decode.spread_noise(decoder, CODES, x, wanted, seed=6)
    found, mean = spread(decoder, CODES[:2000])
    left = float((x[:2000] - mean).square().mean() - found**2 / 64) ** 0.5
    assert found / left == pytest.approx(wanted, rel=0.05)
    assert left == pytest.approx(NOISE, rel=0.2)

    # All layers by one factor, in the same directions.
    torch.testing.assert_close(decoder.bases(), bases, rtol=0, atol=0)
    factors = torch.cat([s.L / b for s, b in zip(decoder.subspaces, before, strict=True)])
    torch.testing.assert_close(factors, factors[:1].expand_as(factors))


def test_noise_that_is_off_stays_off():
    decoder = linear_decoder(0.0)
    decode.spread_noise(decoder, CODES, rows(NOISE), 1.0, seed=6)
    assert spread(decoder, CODES[:100])[0] == 0


@pytest.mark.parametrize("wanted", [None, 0.6])
def test_the_stored_decoders_noise_is_scaled_where_that_is_set(wanted):
    inputs: Inputs = inputs_of(True, True)
    config = config_of(noise_spread=wanted)
    artifact = decode.decode(config, ("all",), inputs, Runtime())
    decoder = decode.load_decoder(config.decoder, artifact)

    codes = inputs.artifacts["cluster"].tensors["codes"]
    found, mean = spread(decoder, codes)
    left = float((inputs.data.train - mean).square().mean()) ** 0.5
    if wanted is None:
        assert found / left < 0.1
    else:
        assert found / left == pytest.approx(wanted, rel=0.1)
