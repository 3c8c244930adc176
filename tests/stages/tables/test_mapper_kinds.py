"""Each kind of mapper on clusters whose codes are known: what it learns, alone and side by side."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.clustering.mixtures import Components
from scgan.config import override
from scgan.contract import Inputs
from scgan.losses.likelihood import negative_log_likelihood
from scgan.nn.mappers import FlowMappers, Mappers, MixtureMappers, Whitening
from scgan.stages.tables import map as mapping
from scgan.stages.tables import mapper_fits
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.latents import latent_model
from scgan.stages.tables.mapper_fits import Best, Codes
from scgan.store.artifacts import Artifact
from scgan.systems.scgan import SCGANConfig
from scgan.training.runtime import Runtime

KINDS = ("adversarial", "gaussian", "mixture", "flow")
CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(kind, **changes):
    short = {"mappers.kind": kind, "mappers.num_samples": 32 * 40, "mappers.batch_size": 32}
    return override(SCGANConfig(), short | changes)


def clusters_of(num=900):
    """Codes of a bent sheet, of two bumps and of a Gaussian; 2-D data in three dimensions."""
    a, b = torch.randn(2, num, generator=seeded(1))
    side = 2.0 * torch.randint(2, (num,), generator=seeded(2)) - 1
    flat = 0.001 * torch.randn(num, generator=seeded(3))
    return [
        torch.stack([3 * a, 2 * b, 0.3 * a.square() + flat], 1) + 100,
        torch.stack([2 * side + 0.3 * a, b, flat], 1) - 100,
        torch.stack([2 * a + b, b, flat], 1),
    ]


@pytest.fixture
def inputs():
    clusters = clusters_of()
    k = torch.arange(3).repeat_interleave(900)
    codes = torch.cat(clusters)
    centres = torch.stack([eps.mean(0) for eps in clusters])
    found = ClusteredCodes(centres, torch.bincount(k), torch.ones(3), 0, k, codes)
    data = SimpleNamespace(train=torch.zeros(2700, 2), stream=None, num_train=2700)
    return Inputs(data, {"cluster": found.to_artifact()}, 0)


def fit(config, inputs, units=("0", "1", "2"), runtime=None):
    part = mapping.map_clusters(config, units, inputs, runtime or Runtime())
    return Artifact(part.tensors, {**part.meta, "units": list(units)})


# All kinds


@pytest.mark.parametrize("kind", KINDS)
def test_any_packing_makes_the_same_to_the_bit(inputs, kind):
    config = config_of(kind)
    whole = fit(config, inputs)
    parts = [fit(config, inputs, units) for units in (["2"], ["1", "0"])]
    merged = mapping.merge_mappers(parts)
    assert merged.tensors.keys() == whole.tensors.keys()
    assert all(torch.equal(merged.tensors[name], t) for name, t in whole.tensors.items())
    assert merged.meta["quality"] == whole.meta["quality"]
    assert len(merged.meta["curve"]) == len(whole.meta["curve"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_draws_each_clusters_codes(inputs, kind):
    artifact = fit(config_of(kind), inputs)
    artifacts = {**inputs.artifacts, "map": artifact}
    latents = latent_model("mapping", config_of(kind), artifacts, CPU)
    for number, eps in enumerate(clusters_of()):
        drawn = latents.sample(4000, seeded(4), cluster=number)
        assert_close(drawn.mean(0), eps.mean(0), rtol=0, atol=0.3)
        assert_close(drawn.std(0)[:2], eps.std(0)[:2], rtol=0.4, atol=0)
    for value, floor in zip(artifact.meta["quality"], artifact.meta["quality_floor"], strict=True):
        assert 0 < value < 4 * floor


# At such a rate a flow's best weights are among its first: they must be taken up, too.
@pytest.mark.parametrize(("kind", "rate"), [("adversarial", 2e-3), ("flow", 2e-3), ("flow", 0.05)])
def test_a_fit_that_is_taken_up_is_the_uninterrupted_one(inputs, kind, rate):
    config, saved = config_of(kind, **{"mappers.learning_rate": rate}), []

    class Memory:
        def load(self):
            return saved[-1] if saved else None

        def save(self, state):
            copied = {name: t.clone() for name, t in state.tensors.items()}
            saved.append(Artifact(copied, {**state.meta, "curve": list(state.meta["curve"])}))

    whole = fit(config, inputs)
    fit(config, inputs, runtime=Runtime(checkpoints=Memory(), until=32 * 23))
    again = fit(config, inputs, runtime=Runtime(checkpoints=Memory()))
    assert len(saved) == 1
    assert all(torch.equal(again.tensors[name], t) for name, t in whole.tensors.items())
    assert again.meta["curve"] == whole.meta["curve"]


# Held out


def test_a_tenth_of_a_clusters_codes_is_held_out_by_its_own_draw():
    eps = torch.arange(40_000.0)[:, None]
    clusters = [eps[:100], eps[:100], eps[:19], eps]
    codes = Codes.of(["0", "1", "2", "3"], clusters, Inputs(None, {}, 0))
    assert [len(rows) for rows in codes.held_out] == [10, 10, 19, 512]
    assert [len(rows) for rows in codes.train] == [90, 90, 19, 40_000 - 512]
    both = torch.cat([codes.train[0], codes.held_out[0]])
    assert torch.equal(both.sort(0).values, eps[:100])
    assert not torch.equal(codes.held_out[0], codes.held_out[1])
    alone = Codes.of(["1"], clusters[1:2], Inputs(None, {}, 0))
    assert torch.equal(alone.held_out[0], codes.held_out[1])


def test_a_mapper_is_measured_on_codes_it_was_not_trained_on():
    """One that gives back its training codes is as far from the others as they are."""
    eps = torch.randn(400, 3, generator=seeded(5))
    codes = Codes.of(["0"], [eps], Inputs(None, {}, 0))

    class Copies(Mappers):
        def sample(self, k, generator, tile=64):
            return codes.train[0][: len(k)]

    c = config_of("gaussian").mappers
    (value,), (floor,) = mapping.mapper_quality(c, Copies(1, 3, 3), codes)
    assert floor > 0.05 and value == pytest.approx(floor, rel=0.5)


# Gaussian and mixture


def test_a_gaussian_a_cluster_has_its_moments(inputs):
    mappers = mapping.load_mappers(
        config_of("gaussian").mappers, fit(config_of("gaussian"), inputs)
    )
    for number, eps in enumerate(clusters_of()):
        drawn = mappers.sample(torch.full((100_000,), number), seeded(6))
        assert_close(drawn.mean(0), eps.mean(0), rtol=0, atol=0.15)
        assert_close(torch.cov(drawn.T), torch.cov(eps.T), rtol=0.1, atol=0.15)


def test_a_mixture_has_the_components_of_its_cluster_and_their_weights(inputs):
    config = config_of("mixture", **{"mappers.num_components": 2})
    mappers = mapping.load_mappers(config.mappers, fit(config, inputs))
    drawn = mappers.sample(torch.full((20_000,), 1), seeded(7)) + 100
    right = drawn[:, 0] > 0
    own = clusters_of()[1][:, 0] + 100 > 0
    assert right.float().mean() == pytest.approx(float(own.float().mean()), abs=0.03)
    assert_close(drawn[right].mean(0), torch.tensor([2.0, 0, 0]), rtol=0, atol=0.1)
    assert_close(drawn[right].std(0)[:2], torch.tensor([0.3, 1.0]), rtol=0.1, atol=0)
    assert (drawn[:, 0].abs() < 0.5).float().mean() < 1e-3  # nothing between the bumps


def test_rows_of_clusters_side_by_side_are_drawn_by_their_own_weights():
    mappers, own, means = MixtureMappers(2, 2, 1), Whitening(1, 1), torch.tensor([[-5.0], [5.0]])
    for number, weights in enumerate(([0.9, 0.1], [0.2, 0.8])):
        mappers.put(
            number,
            own,
            Components(torch.tensor(weights), means, torch.full((2, 1, 1), 0.01)),
        )
    k = torch.arange(20_000) % 2
    above = mappers.sample(k, seeded(11))[:, 0] > 0
    for number, share in enumerate((0.1, 0.8)):
        assert above[k == number].float().mean() == pytest.approx(share, abs=0.02)


def test_a_component_without_weight_is_never_drawn():
    mappers = MixtureMappers(3, 4, 1)
    mappers.whitening.centre.copy_(torch.arange(12.0)[:, None, None])
    mappers.whitening.scale.fill_(1e-6)
    weights = [[0, 0.5, 0, 0.5], [0, 0, 3, 0], [1e-3, 0, 0, 1]]  # need not sum to 1
    mappers.weights.copy_(torch.tensor(weights))
    k = torch.arange(30_000) % 3
    numbers = mappers.sample(k, seeded(12))[:, 0].round().long()
    assert numbers[k == 0].unique().tolist() == [1, 3]
    assert numbers[k == 1].unique().tolist() == [6]
    assert numbers[k == 2].unique().tolist() == [8, 11]


def test_a_mixtures_components_are_put_in_the_codes_own_coordinates():
    eps = torch.randn(500, 2, generator=seeded(8)) @ torch.tensor([[3.0, 1.0], [0.0, 0.2]]) + 50
    own = Whitening(1, 2)
    own.fit([eps], 1e-3)
    mappers = MixtureMappers(2, 3, 2)
    covariance = torch.tensor([[[0.5, 0.2], [0.2, 0.3]]])
    mappers.put(1, own, Components(torch.ones(1), torch.tensor([[0.4, -0.3]]), covariance))
    v = own(mappers.sample(torch.ones(200_000, dtype=torch.long), seeded(9))[None])[0]
    assert_close(v.mean(0), torch.tensor([0.4, -0.3]), rtol=0, atol=0.01)
    assert_close(torch.cov(v.T), covariance[0], rtol=0, atol=0.01)
    assert mappers.weights.tolist() == [[0, 0, 0], [1, 0, 0]]


def test_a_mixtures_number_of_components_is_what_held_out_codes_prefer(inputs):
    found = fit(config_of("mixture"), inputs).tensors["weights"]
    numbers = (found > 0).sum(1).tolist()
    assert found.shape == (3, 32) and numbers[2] <= 2 and 2 <= numbers[1] < 16 and numbers[0] >= 2
    assert_close(found.sum(1), torch.ones(3))


def test_few_codes_have_few_components(inputs):
    c = config_of("mixture").mappers
    v = clusters_of()[1][:25]
    assert mapper_fits._best_mixture(c, v, v, 0).n_components <= 4
    set_to = config_of("mixture", **{"mappers.num_components": 40}).mappers
    assert mapper_fits._best_mixture(set_to, v, v, 0).n_components == 25


# Flows


def test_a_flow_learns_the_sheet_that_the_codes_lie_on(inputs):
    """Its third axis is a function of the first two, to within a thousandth, and isn't blurred."""
    changes = {"num_samples": 32 * 300, "learning_rate": 1e-2, "num_couplings": 2, "num_pieces": 4}
    config = config_of("flow", **{f"mappers.{key}": value for key, value in changes.items()})
    mappers = mapping.load_mappers(config.mappers, fit(config, inputs, ["0"]))
    drawn = mappers.sample(torch.zeros(4000, dtype=torch.long), seeded(10)) - 100
    off = drawn[:, 2] - 0.3 * (drawn[:, 0] / 3).square()
    assert off.abs().median() < 0.05 and drawn[:, 2].std() > 0.3
    skewness = ((drawn[:, 2] - drawn[:, 2].mean()) / drawn[:, 2].std()).pow(3).mean()
    assert skewness > 1  # a Gaussian's is 0


def test_a_flows_density_is_that_of_all_axes():
    mappers = FlowMappers(
        3, 2, num_couplings=2, num_pieces=4, width=8, num_layers=1, generators=[seeded(1)]
    )
    for parameter in mappers.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=seeded(2))
    v = torch.randn(1, 5, 3, generator=seeded(3))
    omega, slope = mappers(v)
    assert_close(mappers.decode(omega), v, rtol=0, atol=1e-4)
    jacobian = torch.autograd.functional.jacobian(lambda t: mappers(t)[0].sum(1), v)
    for b in range(5):
        own = jacobian[0, :, 0, b]
        assert_close(torch.linalg.slogdet(own).logabsdet, slope[0, b], rtol=1e-3, atol=1e-3)
    mappers.log_spread.data.fill_(-99.0)
    thin = mappers.decode(torch.zeros(1, 1, 3)) - mappers.decode(torch.tensor([[[0.0, 0, 1]]]))
    assert thin[..., 2].abs().item() == pytest.approx(1e-3, rel=1e-2)


def test_the_weights_that_held_out_codes_prefer_are_kept_a_flow_each():
    flows = FlowMappers(
        1,
        1,
        num_couplings=1,
        num_pieces=3,
        width=4,
        num_layers=1,
        generators=[seeded(1), seeded(2)],
    )
    held_out = torch.randn(2, 50, 1, generator=seeded(3))
    best = Best(flows, held_out)
    flows.flows.margins.data += 0.1
    first = best.keep(flows)
    assert_close(first, negative_log_likelihood(*flows(held_out)))
    good = flows.flows.margins.detach().clone()
    flows.flows.margins.data[0] += torch.linspace(-9, 9, 8)  # bad
    flows.flows.margins.data[1] -= 0.1  # the identity, which is right
    second = best.keep(flows)
    assert second[0] > first[0]
    assert torch.equal(best.kept.flows.margins[0], good[0])
    better = second[1] < first[1]
    assert torch.equal(best.kept.flows.margins[1], (flows.flows.margins if better else good)[1])
    assert_close(best.loss, torch.minimum(first, second))


def test_the_curve_of_a_flow_is_in_nats(inputs):
    artifact = fit(config_of("flow"), inputs)
    first, last = artifact.meta["curve"][0], artifact.meta["curve"][-1]
    assert first["negative_log_likelihood"] == pytest.approx(
        1.5 * math.log(2 * math.pi) + 1.5, abs=0.5
    )
    assert last["negative_log_likelihood"] < first["negative_log_likelihood"]
    assert "held_out_negative_log_likelihood" in last
    short = fit(config_of("flow", **{"mappers.num_samples": 32 * 3}), inputs).meta["curve"]
    assert all("held_out_negative_log_likelihood" in point for point in short)


def test_how_far_mixtures_are_is_told_after_each_cluster(inputs):
    told = []
    fit(config_of("mixture"), inputs, ("2", "0"), Runtime(report=told.append))
    assert [(each.samples, each.total) for each in told] == [(810, 1620), (1620, 1620)]
    assert 0 < told[0].seconds <= told[1].seconds and not told[0].metrics  # a tenth is held out


@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
def test_a_closed_form_has_no_curve(inputs, kind):
    assert fit(config_of(kind), inputs).meta["curve"] == []
