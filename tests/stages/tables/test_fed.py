"""What the table stages are fed and hand on, where a network's arithmetic would not show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.clustering import in_memory
from scgan.config import override
from scgan.contract import Inputs
from scgan.losses.contrastive import isometric_info_nce
from scgan.nn.encoder import Projection
from scgan.nn.mlp import MLP
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables import cluster as clustering
from scgan.stages.tables import decode, encode, latents, mapper_fits
from scgan.stages.tables import map as mapping
from scgan.stages.tables.cluster import ClusteredCodes, ClusterSettings
from scgan.stages.tables.mapper_fits import Codes
from scgan.store.artifacts import Artifact
from scgan.systems.scgan import SCGANConfig
from scgan.training.runtime import Runtime

CPU = torch.device("cpu")
LINEAR = SimpleNamespace(modelled=[SimpleNamespace(is_normal=False)] * 2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(**changes):
    lengths = {"encoder.num_samples": 64, "encoder.batch_size": 16}
    lengths |= {"mappers.num_samples": 64, "mappers.batch_size": 16}
    lengths |= {"mappers.kind": "adversarial"}
    lengths |= {"decoder.num_samples": 128, "decoder.batch_size": 32, "decoder.noise_spread": None}
    return override(SCGANConfig(), lengths | changes)


def rows(num=200):
    """Row i begins with i, so that it is known wherever it turns up."""
    return torch.stack([torch.arange(num).float(), torch.randn(num, generator=seeded(1))], 1)


def codes_of(x):
    """Codes that tell their row: 4 columns, of the first cluster below row 150."""
    k = (x[:, 0] >= 150).long()
    codes = torch.randn(len(x), 4, generator=seeded(2)) + 50 * k[:, None]
    codes[:, 0] = x[:, 0]
    return codes, k


@pytest.fixture
def inputs():
    x = rows()
    codes, k = codes_of(x)
    centres = torch.stack([codes[k == i].mean(0) for i in range(2)])
    spread = torch.tensor([0.5, 2.0])
    found = ClusteredCodes(centres, torch.bincount(k), spread, 3, k, codes)
    mappers = mapping.build_mappers(config_of().mappers, 4, 2, [seeded(3), seeded(4)])
    mapped = Artifact(dict(mappers.state_dict()), {"data_dim": 2})
    data = SimpleNamespace(train=x, stream=None, num_train=len(x), table_schema=LINEAR)
    return Inputs(data, {"cluster": found.to_artifact(), "map": mapped}, 0)


@dataclass(frozen=True)
class Worker(Runtime):
    """The second of two workers, alone: what the first would give is made up of zeros."""

    rank: int = 1
    world_size: int = 2

    def parallel(self, module):
        return module

    def mean(self, value):
        return value

    def gather(self, rows):
        return torch.cat([torch.zeros_like(rows), rows])


# Encoder


def test_the_noise_of_views_is_the_median_distance_to_the_nearest_row_by_dimension():
    c = config_of().encoder
    # 256 places of a grid of four columns, a row at each and another beside it, most of them near.
    place = 20 * torch.cartesian_prod(*[torch.arange(4.0)] * 4)
    apart = torch.where(torch.arange(256) % 4 == 0, 8.0, 1.0)
    beside = place + apart[:, None] * torch.tensor([1.0, 0, 0, 0])
    x = torch.cat([place, beside])
    assert encode.view_noise(c, x, seeded()) == pytest.approx(1 / math.sqrt(4), abs=0.01)
    assert encode.view_noise(c, x / 100, seeded()) == 0.05
    many = torch.cat([x + 100 * step for step in range(8)])
    assert encode.view_noise(c, many, seeded()) > 2  # of 512 rows most have lost their neighbour
    set_to = c.model_copy(update={"noise_std": 0.01})
    assert encode.view_noise(set_to, x, seeded()) == 0.01


def test_codes_are_centred_and_scaled_by_all_rows(inputs):
    config = config_of()
    artifact = encode.encode(config, ("all",), inputs, Runtime())
    sizes = {"width": 128, "num_layers": 3, "stretch": 1.0, "potential": True}
    raw = Projection(2, 2, **sizes, generator=seeded())
    raw.load_state_dict(artifact.section("encoder.net"))
    u = raw(inputs.data.train).detach()[:, :2]
    eps = encode.load_encoder(config.encoder, artifact).embed(inputs.data.train)
    assert_close(eps, (u - u.mean(0)) / (u - u.mean(0)).square().mean().sqrt())
    assert artifact.meta["data_dim"] == 2 and len(artifact.meta["curve"]) == 4
    assert artifact.meta["curve"][0].keys() == {
        *("samples", "isometric_info_nce", "mutual_information")
    }
    for point in artifact.meta["curve"]:  # of 16 pairs
        total = point["isometric_info_nce"] + point["mutual_information"]
        assert total == pytest.approx(math.log(31))


def test_a_worker_embeds_its_share_of_both_views_and_compares_with_all(inputs, monkeypatch):
    fed, compared = [], []
    monkeypatch.setattr(MLP, "forward", recorded(MLP.forward, fed))

    def loss(u0, u1, temperature, *, gathered, rank):
        compared.append((u0, u1, temperature, gathered, rank))
        return isometric_info_nce(u0, u1, temperature)

    monkeypatch.setitem(encode.CONTRASTIVE, "isometric_info_nce", loss)
    config = config_of(**{"encoder.noise_std": 1e-3, "encoder.temperature": 0.3})
    encode.encode(config, ("all",), inputs, Worker())

    first, second = fed[0][0].chunk(2)
    assert len(first) == 8 and not torch.equal(first, second)
    assert torch.equal(first[:, 0].round(), second[:, 0].round())  # two views of the same rows
    u0, u1, temperature, gathered, rank = compared[0]
    assert rank == 1 and temperature == 0.3 and len(gathered[0]) == len(gathered[1]) == 16
    assert torch.equal(gathered[0][8:], u0) and torch.equal(gathered[1][8:], u1)


def recorded(forward, calls):
    """A forward pass whose inputs are kept."""

    def kept(self, *tensors):
        calls.append([None if t is None else t.detach().clone() for t in tensors])
        return forward(self, *tensors)

    return kept


def test_batches_are_drawn_from_all_rows_evenly(inputs, monkeypatch):
    fed = []
    monkeypatch.setattr(MLP, "forward", recorded(MLP.forward, fed))
    config = config_of(**{"encoder.noise_std": 1e-3, "encoder.num_samples": 16 * 200})
    encode.encode(config, ("all",), inputs, Runtime())
    numbers = torch.cat([x for (x,) in fed if len(x) == 32])[:, 0].round()
    assert len(numbers.unique()) == 200
    assert numbers.mean() == pytest.approx(99.5, abs=4)


# Clusters


def test_k_is_what_is_set_or_what_held_out_codes_say_and_why(inputs, caplog):
    place = torch.randint(4, (2000,), generator=seeded(1))
    eps = torch.randn(2000, 2, generator=seeded(2)) + 40 * place[:, None]
    assert clustering.num_clusters(ClusterSettings(num_clusters=7), eps, 0) == (7, {})
    with caplog.at_level("INFO"):
        num, why = clustering.num_clusters(ClusterSettings(), eps, 0)
    assert num in (1, 4) and max(why["evidence"], key=why["evidence"].get) == str(num)
    assert "clusters, as a small mixture each explains held-out codes" in caplog.text

    config = config_of()
    made = {"encode": encode.encode(config, ("all",), inputs, Runtime())}
    artifact = clustering.cluster(config, ("all",), Inputs(inputs.data, made, 0), Runtime())
    assert "1" in artifact.meta["evidence"] and "64" not in artifact.meta["evidence"]
    config = config_of(**{"clusters.num_clusters": 3})
    artifact = clustering.cluster(config, ("all",), Inputs(inputs.data, made, 0), Runtime())
    assert artifact.meta["num_clusters"] == 3 and "evidence" not in artifact.meta


def test_the_clustering_gets_the_codes_the_settings_and_a_seed_of_the_run(inputs, monkeypatch):
    calls = []

    def found(eps, num_clusters, **how):
        calls.append((eps, num_clusters, how))
        return in_memory.fit_clusters(eps, num_clusters, **how)

    monkeypatch.setattr(clustering, "fit_clusters", found)
    changes = {"num_clusters": 3, "min_rows": 5, "max_iter": 17, "mini_batch_above": 1234}
    config = config_of(**{f"clusters.{key}": value for key, value in changes.items()})
    made = {"encode": encode.encode(config, ("all",), inputs, Runtime())}
    for seed in (0, 0, 1):
        clustering.cluster(config, ("all",), Inputs(inputs.data, made, seed), Runtime())

    eps, num, how = calls[0]
    assert_close(eps, encode.load_encoder(config.encoder, made["encode"]).embed(inputs.data.train))
    assert num == 3 and (how["min_rows"], how["max_iter"], how["mini_batch_above"]) == (5, 17, 1234)
    seeds = [how["seed"] for _, _, how in calls]
    assert seeds[0] == seeds[1] != seeds[2]


def test_how_many_clusters_were_dissolved_is_kept(inputs):
    found = ClusteredCodes.from_artifact(inputs.artifacts["cluster"])
    assert found.dissolved == 3 and found.to_artifact().meta["dissolved"] == 3


# Mappers


def test_each_cluster_has_a_unit_and_omega_the_datas_dimension(inputs):
    assert mapping.mapper_units(config_of(), inputs) == ["0", "1"]
    for set_to, dim, expected in ((None, 4, 2), (3, 4, 3), (9, 4, 4), (None, 1, 1)):
        c = config_of(**{"mappers.code_dim": set_to}).mappers
        assert mapping.build_mappers(c, dim, 2, [seeded()]).code_dim == expected


def test_the_curve_of_the_mappers_says_what_it_names(inputs):
    """A code as wide as eps is at first what is encoded, so that nothing is lost."""
    config = config_of(**{"mappers.code_dim": 4, "mappers.num_samples": 16})
    (point,) = mapping.map_clusters(config, ["0", "1"], inputs, Runtime()).meta["curve"]
    assert point["samples"] == 16 and point["reconstruction"] == pytest.approx(0, abs=1e-10)
    assert point["d_loss"] == pytest.approx(2 * math.log(2), abs=0.3)
    assert point["g_loss"] == pytest.approx(math.log(2), abs=0.3)


def test_a_mappers_distance_is_its_own_and_its_floor_that_of_real_codes():
    x = torch.randn(4000, 2, generator=seeded(5))
    clusters = [10 * x[:2000] + 7, x[2000:]]
    c = config_of().mappers
    codes = Codes.of(["4", "7"], clusters, Inputs(None, {}, 0))
    mappers = mapping.build_mappers(c, 2, 2, [seeded(6), seeded(7)])
    mappers.whitening.fit(codes.train, 1e-3)
    good, floor = mapping.mapper_quality(c, mappers, codes)
    assert all(value < 0.25 for value in (*good, *floor)) and min(floor) > 0
    with torch.no_grad():
        mappers.decoder.layers[-1].bias[1, 0, 0] += 3  # in the cluster's own standard deviations
    bad, same = mapping.mapper_quality(c, mappers, codes)
    assert bad[0] == good[0] and same == floor
    assert bad[1] == pytest.approx(3 * 2 / math.pi, abs=0.25)  # a mean over directions


def test_each_units_distance_and_floor_are_kept_under_their_names(inputs, monkeypatch):
    judged = []

    def quality(c, mappers, codes):
        judged.append(codes)
        return [1.0, 2.0], [3.0, 4.0]

    monkeypatch.setattr(mapping, "mapper_quality", quality)
    made = mapping.map_clusters(config_of(), ["1", "0"], inputs, Runtime())
    assert made.meta["quality"] == [1, 2] and made.meta["quality_floor"] == [3, 4]
    (codes,) = judged
    assert [len(eps) for eps in codes.train] == [45, 135]
    assert [len(eps) for eps in codes.held_out] == [5, 15]


def test_parts_of_any_sizes_are_merged_by_their_clusters():
    def part(units, loss):
        numbers = torch.tensor([float(unit) for unit in units])
        meta = {"curve": [{"samples": 8, "loss": loss}], "data_dim": 2, "units": units}
        meta |= {"quality": numbers.tolist(), "quality_floor": (-numbers).tolist()}
        return Artifact({"w": numbers[:, None]}, meta)

    merged = mapping.merge_mappers([part(["2"], 1.0), part(["0", "3", "1"], 5.0)])
    assert merged.tensors["w"][:, 0].tolist() == merged.meta["quality"] == [0, 1, 2, 3]
    assert merged.meta["quality_floor"] == [0, -1, -2, -3] and merged.meta["data_dim"] == 2
    assert merged.meta["curve"] == [{"samples": 8, "loss": pytest.approx(4.0)}]


def test_every_run_and_unit_draws_of_its_own(inputs):
    def batches(seed, unit):
        again = Inputs(inputs.data, inputs.artifacts, seed)
        clusters = ClusteredCodes.from_artifact(inputs.artifacts["cluster"]).codes_of([0])
        codes = Codes.of([unit], clusters, again)
        mappers = mapping.load_mappers(config_of().mappers, inputs.artifacts["map"])
        c = config_of().mappers
        made = mapper_fits.mapper_batches(c, mappers, codes, Runtime())
        return made.at(0)[0][1]

    first = batches(0, "0")
    assert torch.equal(first, batches(0, "0"))
    assert not torch.equal(first, batches(1, "0")) and not torch.equal(first, batches(0, "1"))


# Latents


@pytest.mark.parametrize("name", ["centres", "mapping", "real"])
def test_a_latent_model_draws_its_clusters_by_their_rows_and_with_their_spread(inputs, name):
    drawn = latents.latent_model(name, config_of(), inputs.artifacts, CPU)
    if name != "real":
        assert_close(drawn.weights / drawn.weights.sum(), torch.tensor([0.75, 0.25]))
    if name == "centres":
        centres = inputs.artifacts["cluster"].tensors["centres"]
        for k, spread in ((0, 0.5), (1, 2.0)):
            eps = drawn.sample(4000, seeded(), cluster=k)
            assert_close(eps.std(0), torch.full((4,), spread), rtol=0.05, atol=0)
            assert_close(eps.mean(0), centres[k], rtol=0, atol=0.15)
    if name == "mapping":
        stored = inputs.artifacts["map"].tensors["discriminator.layers.0.weight"]
        assert torch.equal(drawn.mappers.discriminator.layers[0].weight, stored)
    if name == "real":
        eps = drawn.sample(4000, seeded())
        assert (eps[:, 0] < 150).float().mean() == pytest.approx(0.75, abs=0.03)
        assert (drawn.sample(50, seeded(), cluster=1)[:, 0] >= 150).all()


# Decoder


def test_a_worker_decodes_its_share_of_each_batch(inputs, monkeypatch):
    whole, share = [], []
    for calls, runtime in ((whole, Runtime()), (share, Worker())):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SubspaceDecoder, "forward", recorded(SubspaceDecoder.forward, calls))
            decode.decode(config_of(), ("all",), inputs, runtime)

    assert len(whole) == len(share) == 8
    for ours, theirs in zip(share, whole, strict=True):
        for one, all_rows in zip(ours, theirs, strict=True):
            assert torch.equal(one, all_rows[16:])


def test_the_decoder_draws_rows_latents_and_noise_of_the_runs_seed(inputs):
    def block(seed, number=0):
        again = Inputs(inputs.data, inputs.artifacts, seed)
        codes = inputs.artifacts["cluster"].tensors["codes"]
        blocks = decode._decoder_batches(config_of(), again, codes, Runtime())
        return blocks.at(16 * number)[0]

    first, other, later = block(0), block(1), block(0, number=1)
    assert all(torch.equal(a, b) for a, b in zip(first, block(0), strict=True))
    for a, b, c in zip(first, other, later, strict=True):
        assert not torch.equal(a, b) and not torch.equal(a, c)

    x, eps, latent, z = first
    assert torch.equal(x[..., 0], eps[..., 0])  # a row's own code
    assert x.shape == (16, 32, 2) and latent.shape == (16, 32, 4) and z.shape == (16, 32, 3, 6)
    assert len(x[..., 0].unique()) > 150


def test_the_half_life_of_the_average_counts_samples(inputs, monkeypatch):
    calls = []
    average = decode.Average

    def averaged(module, half_life, batch_size):
        calls.append((half_life, batch_size))
        return average(module, half_life, batch_size)

    monkeypatch.setattr(decode, "Average", averaged)
    decode.decode(config_of(**{"decoder.ema_half_life": 77.0}), ("all",), inputs, Runtime())
    assert calls == [(77.0, 32)]
