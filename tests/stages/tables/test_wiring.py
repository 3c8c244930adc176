"""What goes into each network of the table stages, and what is handed on, on data made by hand."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.config import override
from scgan.contract import Inputs
from scgan.nn.mappers import AutoencoderMappers
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables import cluster as clustering
from scgan.stages.tables import decode, encode, latents, mapper_fits, refine
from scgan.stages.tables import map as mapping
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.mapper_fits import Codes
from scgan.store.artifacts import Artifact
from scgan.systems.scgan import SCGANConfig
from scgan.training.runtime import Runtime

LENGTHS = {
    "encoder.num_samples": 256,
    "encoder.batch_size": 64,
    "clusters.num_clusters": 2,
    "mappers.kind": "adversarial",
    "mappers.num_samples": 128,
    "mappers.batch_size": 32,
    "decoder.num_samples": 4096,
    "decoder.batch_size": 512,
    "decoder.noise_spread": None,  # draws once more
}
LINEAR = SimpleNamespace(modelled=[SimpleNamespace(is_normal=False)] * 2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(**changes):
    return override(SCGANConfig(), LENGTHS | changes)


def cluster_artifact(num=400):
    """Codes of two clusters at 1000 and -1000, the first three times as large; rows interleaved."""
    k = (torch.arange(num) % 4 == 3).long()
    centres = torch.tensor([[1000.0] * 4, [-1000.0] * 4])
    codes = centres[k] + torch.randn(num, 4, generator=seeded(1))
    spread = torch.tensor([1.0, 1.0])
    return ClusteredCodes(centres, torch.bincount(k), spread, 0, k, codes).to_artifact()


def map_artifact():
    """Untrained mappers, whose draws lie about 5000 and -5000: nowhere that another model draws."""
    mappers = mapping.build_mappers(config_of().mappers, 4, 2, [seeded(2), seeded(3)])
    mappers.whitening.centre[0], mappers.whitening.centre[1] = 5000.0, -5000.0
    return Artifact(dict(mappers.state_dict()), {"data_dim": 2})


@pytest.fixture
def inputs():
    x = torch.randn(400, 2, generator=seeded(4))
    data = SimpleNamespace(train=x, stream=None, num_train=400, table_schema=LINEAR)
    return Inputs(data, {"cluster": cluster_artifact(), "map": map_artifact()}, 0)


def fit_decoder(inputs, **changes):
    config = config_of(**{f"decoder.{key}": value for key, value in changes.items()})
    return decode.decode(config, ("all",), inputs, Runtime())


@pytest.fixture
def decoded(monkeypatch):
    """What the decoder is called with: pairs (eps, z)."""
    calls = []
    forward = SubspaceDecoder.forward

    def recorded(self, eps, z=None):
        calls.append((eps.detach().clone(), None if z is None else z.detach().clone()))
        return forward(self, eps, z)

    monkeypatch.setattr(SubspaceDecoder, "forward", recorded)
    return calls


# Codes


def test_clustered_codes_are_put_away_and_taken_up():
    artifact = cluster_artifact()
    again = ClusteredCodes.from_artifact(artifact).to_artifact()
    assert artifact.meta == again.meta == {"num_clusters": 2, "dissolved": 0}
    assert artifact.tensors.keys() == again.tensors.keys()
    assert all(torch.equal(t, again.tensors[name]) for name, t in artifact.tensors.items())


def test_codes_of_clusters_are_theirs_in_the_rows_order():
    found = ClusteredCodes.from_artifact(cluster_artifact())
    second, first = found.codes_of([1, 0])
    assert torch.equal(first, found.codes[found.k == 0])
    assert torch.equal(second, found.codes[found.k == 1])


def test_the_partition_keeps_every_rows_code_and_the_latents_a_part(inputs, monkeypatch):
    monkeypatch.setattr(clustering, "KEPT_CODES", 10)
    monkeypatch.setattr(latents, "KEPT_CODES", 10)
    config = config_of()
    made = {"encode": encode.encode(config, ("all",), inputs, Runtime())}
    artifact = clustering.cluster(config, ("all",), Inputs(inputs.data, made, 0), Runtime())
    eps = encode.load_encoder(config.encoder, made["encode"]).embed(inputs.data.train)
    assert_close(artifact.tensors["codes"], eps)
    nearest = torch.cdist(eps, artifact.tensors["centres"]).argmin(1)
    assert (nearest == artifact.tensors["k"]).float().mean() > 0.99
    real = latents.latent_model("real", config, {"cluster": artifact}, torch.device("cpu"))
    assert torch.equal(real.codes, artifact.tensors["codes"][:10])


# Mappers


def test_a_mapper_is_trained_on_its_clusters_rows_but_a_tenth_and_on_no_other(inputs, monkeypatch):
    seen = []
    forward = AutoencoderMappers.encode

    def recorded(self, v):
        seen.append(self.whitening.inverse(v).detach())
        return forward(self, v)

    monkeypatch.setattr(AutoencoderMappers, "encode", recorded)
    config = config_of(**{"mappers.num_samples": 32 * 64})
    mapping.map_clusters(config, ["1", "0"], inputs, Runtime())
    rows = torch.cat(seen, 1)
    found = ClusteredCodes.from_artifact(inputs.artifacts["cluster"])
    for place, number in enumerate((1, 0)):
        own = found.codes[found.k == number]
        distance = torch.cdist(rows[place].double(), own.double())
        assert distance.min(1).values.max() < 0.01
        assert 0.85 * len(own) < len(set(distance.argmin(1).tolist())) <= 0.9 * len(own)


def test_parts_merge_into_what_all_units_make_at_once(inputs):
    """Whatever the packing: the tensors to the bit, and the curve as the mean over the clusters."""
    config, parts = config_of(), []
    for units in (["1"], ["0"], ["0", "1"]):
        part = mapping.map_clusters(config, units, inputs, Runtime())
        parts.append(Artifact(part.tensors, {**part.meta, "units": units}))
    whole, merged = parts[2], mapping.merge_mappers(parts[:2])
    assert all(torch.equal(whole.tensors[name], t) for name, t in merged.tensors.items())
    for key in ("quality", "quality_floor"):
        assert merged.meta[key] == whole.meta[key] and len(merged.meta[key]) == 2
    for one, other in zip(merged.meta["curve"], whole.meta["curve"], strict=True):
        assert one["samples"] == other["samples"] and isinstance(one["samples"], int)
        assert one == pytest.approx(other, rel=1e-5)


def test_the_priors_of_the_mappers_are_standard_normal(inputs):
    config, runtime, units = config_of(), Runtime(), ["0", "1"]
    found = ClusteredCodes.from_artifact(inputs.artifacts["cluster"])
    mappers = mapping.load_mappers(config.mappers, inputs.artifacts["map"])
    codes = Codes.of(units, found.codes_of([0, 1]), inputs)
    batches = mapper_fits.mapper_batches(config.mappers, mappers, codes, runtime)
    (_, omega), _ = batches.at(0)
    check_standard_normal(omega)


# Decoder


def check_standard_normal(values):
    flat = values.flatten().double()
    assert_close(flat.mean().item(), 0.0, rtol=0, atol=0.05)
    assert_close(flat.square().mean().item(), 1.0, rtol=0, atol=0.08)
    assert_close(flat.pow(4).mean().item(), 3.0, rtol=0, atol=0.5)  # uniform noise's is 1.8


def test_it_reconstructs_from_the_rows_own_codes_with_the_noise_fixed(inputs, monkeypatch):
    pairs = []
    loss = decode.decoder_loss

    def recorded(x, x_hat, *logits, **weights):
        pairs.append((x, codes[-1]))
        return loss(x, x_hat, *logits, **weights)

    codes = []
    forward = SubspaceDecoder.forward

    def fixed(self, eps, z=None):
        if z is None:
            codes.append(eps.clone())
        return forward(self, eps, z)

    monkeypatch.setattr(SubspaceDecoder, "forward", fixed)
    monkeypatch.setattr(decode, "decoder_loss", recorded)
    fit_decoder(inputs, num_samples=1024, whitened=False)
    found, x = ClusteredCodes.from_artifact(inputs.artifacts["cluster"]), inputs.data.train
    assert len(pairs) == 2
    for rows, eps in pairs:
        numbers = torch.cdist(rows, x).argmin(1)
        assert torch.equal(x[numbers], rows) and torch.equal(found.codes[numbers], eps)
        assert len(set(numbers.tolist())) > 200


@pytest.mark.parametrize("latent", latents.LATENTS)
def test_it_generates_from_the_latents_that_are_set(inputs, decoded, latent):
    fit_decoder(inputs, latent=latent)
    eps = torch.cat([eps for eps, z in decoded if z is not None])
    found = ClusteredCodes.from_artifact(inputs.artifacts["cluster"])
    if latent == "gaussian":  # one bump over both clusters, half of it between them
        between = (eps.mean(1).abs() < 700).float().mean()
        assert between > 0.3
        return
    middle = 5000.0 if latent == "mapping" else 1000.0
    assert (eps.mean(1).abs() - middle).abs().max() < 10
    assert_close((eps[:, 0] > 0).float().mean().item(), 0.75, rtol=0, atol=0.03)
    known = (torch.cdist(eps.double(), found.codes.double()).min(1).values < 1e-3).float().mean()
    assert known == (1.0 if latent == "real" else 0.0)


def test_its_noise_is_standard_normal_and_new_at_every_step_layer_and_row(inputs, decoded):
    fit_decoder(inputs)
    z = torch.stack([z for _, z in decoded if z is not None])
    check_standard_normal(z)
    assert len(z.flatten().unique()) > 0.99 * z.numel()


def test_the_averaged_weights_are_stored_and_not_the_last(inputs, monkeypatch):
    states = []
    train = decode.train

    def recorded(state, *args, **kwargs):
        states.append(state)
        return train(state, *args, **kwargs)

    monkeypatch.setattr(decode, "train", recorded)
    stored = fit_decoder(inputs).section("decoder")
    (state,) = states
    last, average = (state.modules[name] for name in ("decoder", "average"))
    for name, tensor in average.module.state_dict().items():
        assert torch.equal(stored[name], tensor)
    assert not torch.equal(stored["output.weight"], last.state_dict()["output.weight"])


@pytest.mark.parametrize("every", [1, 3])
def test_the_penalty_comes_now_and_then_and_weighs_what_is_set(inputs, monkeypatch, every):
    weights = []
    loss = decode.discriminator_loss

    def recorded(*tensors, r1_weight, **kwargs):
        weights.append(r1_weight)
        return loss(*tensors, r1_weight=r1_weight, **kwargs)

    monkeypatch.setattr(decode, "discriminator_loss", recorded)
    fit_decoder(inputs, r1_every=every, r1_weight=0.2, reconstruction_critic=True)
    expected = [0.2 if step % every == 0 else 0.0 for step in range(8)]
    assert weights[::2] == weights[1::2] == expected


# Settings

STAGES = {
    "encoder": ("encode", encode.encode),
    "clusters": ("cluster", clustering.cluster),
    "mappers": ("map", lambda c, u, i, r: mapping.map_clusters(c, ["0", "1"], i, r)),
    "decoder": ("decode", decode.decode),
    "refine": ("refine", refine.refine),
}
OTHER = {
    "encoder": {
        "code_dim": 3,
        "width": 16,
        "num_layers": 2,
        "noise_std": 0.9,
        "contrastive": "nt_xent",
        "isometric_start": False,
        "temperature": 0.1,
        "batch_size": 32,
        "num_samples": 128,
        "learning_rate": 1e-2,
        "schedule": "constant",
        "precision": "bf16",
    },
    "clusters": {"num_clusters": 5, "min_rows": 399, "max_iter": 1, "mini_batch_above": 50},
    "mappers": {
        "kind": "gaussian",
        "code_dim": 1,
        "width": 8,
        "num_layers": 1,
        "num_couplings": 2,
        "num_pieces": 3,
        "num_components": 3,
        "adversarial_weight": 0.0,
        "lambda_eps": 0.1,
        "axis_floor": 1.0,
        "adversarial": "hinge",
        "r1_weight": 0.5,
        "batch_size": 16,
        "num_samples": 64,
        "learning_rate": 1e-2,
        "d_learning_rate": 1e-2,
        "schedule": "constant",
    },
    "decoder": {
        "latent": "centres",
        "width": 16,
        "num_layers": 2,
        "noise_dim": 2,
        "noise_scale": 1.0,
        "whitened": False,
        "reconstruction_weight": 1.0,
        "reconstruction_critic": True,
        "lambda_x": 0.1,
        "adversarial": "hinge",
        "d_width": 16,
        "d_num_layers": 2,
        "d_normalisation": "layer",
        "d_pack": 2,
        "r1_weight": 3.0,
        "r1_every": 2,
        "noise_spread": 0.5,
        "orthogonality_weight": 30.0,
        "ema_half_life": 1.0,
        "batch_size": 256,
        "num_samples": 2048,
        "learning_rate": 1e-2,
        "d_learning_rate": 1e-2,
        "max_passes": 2,
        "schedule": "constant",
        "precision": "bf16",
    },
    "refine": {
        "match_margins": False,
        "num_trees": 0,
        "tree_depth": 2,
        "samples_a_row": 2,
        "use": "refit",
    },
}


WITH = {
    "max_passes": {"num_samples": 1200, "batch_size": 4},
    "num_couplings": {"kind": "flow"},
    "num_pieces": {"kind": "flow"},
    "num_components": {"kind": "mixture"},
    "num_trees": {"match_margins": False},
    "tree_depth": {"match_margins": False},
    "samples_a_row": {"match_margins": False},
    "use": {"match_margins": False},
}
"""Settings that count with others only."""


def test_every_setting_of_every_stage_is_tried():
    for section, changes in OTHER.items():
        assert changes.keys() == type(getattr(SCGANConfig(), section)).model_fields.keys()


@pytest.fixture(scope="module")
def fit():
    """Fits the stage of a section, on rows of which the encoder and the clusters are trained."""
    angle = 6.3 * torch.rand(400, generator=seeded(5))
    x = torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(400, 2, generator=seeded(6))
    ranked = SimpleNamespace(modelled=[SimpleNamespace(is_normal=True)] * 2)
    data = SimpleNamespace(train=x, stream=None, num_train=400, table_schema=ranked)
    codes = {"cluster": cluster_artifact(), "map": map_artifact()}
    codes["encode"] = encode.encode(config_of(), ("all",), Inputs(data, {}, 0), Runtime())
    codes["decode"] = decode.decode(config_of(), ("all",), Inputs(data, codes, 0), Runtime())

    @functools.cache
    def fitted(section, **changes):
        _, stage = STAGES[section]
        config = config_of(**{f"{section}.{key}": value for key, value in changes.items()})
        return stage(config, ("all",), Inputs(data, codes, 0), Runtime()).tensors

    return fitted


CASES = [(section, key) for section, changes in OTHER.items() for key in changes]


@pytest.mark.parametrize(("section", "key"), CASES)
def test_every_setting_changes_what_its_stage_makes(fit, section, key):
    others = WITH.get(key, {})
    one, other = fit(section, **others), fit(section, **others, **{key: OTHER[section][key]})
    same = one.keys() == other.keys()
    assert not same or any(not torch.equal(one[name], other[name]) for name in one)
