"""What a decoder's samples are brought to: the data's distribution, column by column."""

from types import SimpleNamespace

import pytest
import torch
from scipy import stats

from scgan.config import override
from scgan.contract import Inputs
from scgan.stages.tables import decode, latents
from scgan.stages.tables import map as mapping
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.latents import LATENTS
from scgan.store.artifacts import Artifact
from scgan.systems.scgan import SCGANConfig
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(**changes):
    short = {"mappers.kind": "adversarial", "decoder.num_samples": 1024}
    return override(SCGANConfig(), short | {f"decoder.{key}": changes[key] for key in changes})


def inputs_of(*normal):
    """Two clusters of codes, and mappers that are not trained: nothing is as the data."""
    k = (torch.arange(400) % 4 == 3).long()
    centres = torch.tensor([[1.0] * 2, [-1.0] * 2])
    codes = centres[k] + torch.randn(400, 2, generator=seeded(1))
    found = ClusteredCodes(centres, torch.bincount(k), torch.ones(2), 0, k, codes)
    mappers = mapping.build_mappers(config_of().mappers, 2, 2, [seeded(2), seeded(3)])
    mapped = Artifact(dict(mappers.state_dict()), {"data_dim": 2})

    schema = SimpleNamespace(modelled=[SimpleNamespace(is_normal=each) for each in normal])
    x = torch.randn(400, 2, generator=seeded(4))
    data = SimpleNamespace(train=x, stream=None, num_train=400, table_schema=schema)
    return Inputs(data, {"cluster": found.to_artifact(), "map": mapped}, 0)


@pytest.mark.parametrize("normal", [(True, False), (False, False)])
def test_ranked_columns_of_every_latent_models_samples_become_normal(normal):
    inputs, config = inputs_of(*normal), config_of(noise_scale=1.0)
    artifact = decode.decode(config, ("all",), inputs, Runtime())
    found = any(name.startswith("margins") for name in artifact.tensors)
    assert found == (True in normal)

    decoder = decode.load_decoder(config.decoder, artifact)
    for name in LATENTS:
        model = latents.latent_model(name, config, inputs.artifacts, CPU)
        with torch.no_grad():
            x = decoder(model.sample(8000, seeded(7)), decoder.noise(8000, seeded(8)))
            matched = decode.load_margins(artifact, name)(x)

        assert torch.equal(matched[:, 1], x[:, 1])
        if found:
            assert stats.kstest(matched[:, 0], "norm").statistic < 0.03
        else:
            assert torch.equal(matched, x)


def test_nothing_is_matched_where_that_is_set():
    config = config_of(match_margins=False)
    artifact = decode.decode(config, ("all",), inputs_of(True, True), Runtime())
    assert not any(name.startswith("margins") for name in artifact.tensors)
