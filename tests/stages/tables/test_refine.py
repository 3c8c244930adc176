"""What is drawn brought nearer to the data: what is compared, stored, and drawn then."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from scipy import stats

from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.nn.mappers import MixtureMappers
from scgan.nn.ratio_trees import RatioTrees
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.stages.tables import decode, encode, latents, refine
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.latents import LATENTS
from scgan.stages.tables.map import build_mappers
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.systems.scgan import SYSTEM, SCGANConfig, SCGANModel
from scgan.training.runtime import Runtime
from scgan.training.state import named_weights

CPU = torch.device("cpu")
CENTRES = torch.tensor([[1.0] * 2, [-1.0] * 2])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(kind="adversarial", latent="mapping", **changes):
    changes = {f"refine.{key}": value for key, value in changes.items()}
    given = {"mappers.kind": kind, "decoder.latent": latent, "decoder.noise_scale": 1.0}
    return override(SCGANConfig(), given | changes)


def mixtures(spread):
    """Two clusters of two Gaussians each, weights 3:1, all of one spread."""
    mappers = MixtureMappers(2, 2, 2)
    mappers.weights.copy_(torch.tensor([[0.75, 0.25]] * 2))
    mappers.whitening.centre.copy_(CENTRES.repeat_interleave(2, 0)[:, None])
    mappers.whitening.centre[1::2, 0, 0] += 1.0
    mappers.whitening.scale.fill_(spread)
    return mappers


def inputs_of(*normal, mappers=None, x=None):
    """Two clusters of codes, three to one, and networks that are not trained."""
    k = (torch.arange(400) % 4 == 3).long()
    codes = CENTRES[k] + torch.randn(400, 2, generator=seeded(1))
    found = ClusteredCodes(CENTRES, torch.bincount(k), torch.ones(2), 0, k, codes)
    if mappers is None:
        mappers = build_mappers(config_of().mappers, 2, 2, [seeded(2), seeded(3)])
    told = {"data_dim": 2, "quality": [0.1, 0.1], "quality_floor": [0.1, 0.1]}
    decoder = decode.build_decoder(config_of().decoder, 2, 2, seeded(5))
    artifacts = {
        "cluster": found.to_artifact(),
        "map": Artifact(dict(mappers.state_dict()), told),
        "decode": Artifact(named_weights("decoder", decoder)),
    }
    schema = SimpleNamespace(modelled=[SimpleNamespace(is_normal=each) for each in normal])
    x = torch.randn(400, 2, generator=seeded(4)) if x is None else x
    data = SimpleNamespace(train=x, stream=None, num_train=len(x), table_schema=schema)
    return Inputs(data, artifacts, 0)


def refined(config, inputs, runtime=None):
    return refine.refine(config, ("all",), inputs, runtime or Runtime())


def model_of(config, inputs, artifact, without=()):
    """The trained system, without some of what was refined."""
    network = encode.build_encoder(config.encoder, 2, seeded(1), 0.1)
    encoder = Artifact(named_weights("encoder", network), {"data_dim": 2, "noise_std": 0.1})
    tensors = {k: t for k, t in artifact.tensors.items() if k.split(".")[0] not in without}
    artifacts = inputs.artifacts | {"encode": encoder, "refine": Artifact(tensors)}
    return SCGANModel(config, artifacts, CPU)


class Calls(list):
    """Calls, and what divergence is told of."""

    told = 0.1


@pytest.fixture(autouse=True)
def few_codes(monkeypatch):
    """Mixtures are refitted to fewer codes, and quicker."""
    monkeypatch.setattr(refine, "NUM_CODES", 20_000)
    monkeypatch.setattr(refine, "CODES_AT_ONCE", 16_384)


@pytest.fixture
def asked(monkeypatch):
    """What trees are asked for; those that are given tell something unless ``told`` is 0."""
    calls = Calls()

    def fitted(real, draw, **how):
        calls.append((real, draw, how))
        trees = RatioTrees(real.shape[1], how["num_trees"], how["depth"])
        trees.divergence.fill_(calls.told)
        return trees

    monkeypatch.setattr(refine, "fit_ratio_trees", fitted)
    return calls


@pytest.mark.parametrize("normal", [(True, False), (False, False)])
def test_ranked_columns_of_every_latent_models_samples_become_normal(normal):
    inputs, config = inputs_of(*normal), config_of(num_trees=0)
    noisy = decode.load_decoder(config.decoder, inputs.artifacts["decode"])
    noisy.scale_noise(20.0)
    inputs.artifacts["decode"] = Artifact(named_weights("decoder", noisy))
    artifact = refined(config, inputs)
    found = any(name.startswith("margins") for name in artifact.tensors)
    assert found == (True in normal)

    decoder = decode.load_decoder(config.decoder, inputs.artifacts["decode"])
    for name in LATENTS:
        model = latents.latent_model(name, config, inputs.artifacts, CPU)
        with torch.no_grad():
            x = decoder(model.sample(8000, seeded(7)), decoder.noise(8000, seeded(8)))
            matched = refine.load_margins(artifact, name, 2)(x)

        assert torch.equal(matched[:, 1], x[:, 1])
        if found:
            assert stats.kstest(matched[:, 0], "norm").statistic < 0.03
        else:
            assert torch.equal(matched, x)


def test_nothing_is_done_where_that_is_set(asked):
    config = config_of("mixture", match_margins=False, num_trees=0)
    assert not refined(config, inputs_of(True, True, mappers=mixtures(1.0))).tensors and not asked


@pytest.mark.parametrize("latent", ["mapping", "gaussian"])
def test_training_rows_are_compared_with_samples_as_they_are_drawn(asked, latent):
    """Of the latent model in training, with noise, their margins matched."""
    inputs = inputs_of(True, False)
    config = config_of(latent=latent, use="accept", num_trees=7, tree_depth=3, samples_a_row=9)
    artifact = refined(config, inputs)
    ((real, draw, how),) = asked
    generator, _ = how.pop("generator"), how.pop("grown")
    assert torch.equal(real, inputs.data.train)
    assert how == {"num_trees": 7, "depth": 3, "num_drawn": 9 * 400}

    state = generator.get_state()
    drawn = draw(3000)
    generator.set_state(state)
    model = model_of(config, inputs, artifact, without=("trees", "weights"))
    assert torch.equal(drawn, model.sample(3000, generator, latent=latent))
    again = draw(3000)
    assert not torch.equal(again, drawn)

    stored = refine.load_refined(config, inputs.artifacts | {"refine": artifact}, CPU).trees
    assert stored is not None and stored.columns.shape == (7, 3)


def test_few_of_very_many_rows_are_taken(asked, monkeypatch):
    monkeypatch.setattr(refine, "NUM_ROWS", 50)
    monkeypatch.setattr(refine, "MOST_DRAWN", 150)
    inputs = inputs_of(True, False)
    refined(config_of(use="accept"), inputs)
    ((real, _, how),) = asked
    assert torch.equal(real, inputs.data.train[:50]) and how["num_drawn"] == 150


@pytest.mark.parametrize(
    ("kind", "latent", "use", "grown", "stored"),
    [
        ("mixture", "mapping", "refit", 1, {"mappers"}),
        ("mixture", "mapping", "accept", 1, {"trees", "weights"}),
        ("mixture", "mapping", "both", 2, {"mappers", "trees", "weights"}),
        ("mixture", "centres", "refit", 0, set()),
        ("adversarial", "mapping", "refit", 0, set()),
        ("mixture", "centres", "accept", 1, {"trees"}),
        ("adversarial", "mapping", "both", 1, {"trees", "weights"}),
    ],
)
def test_trees_are_grown_where_something_is_done_by_them(asked, kind, latent, use, grown, stored):
    """Of samples that trees can't tell nothing is changed."""
    mappers = mixtures(1.0) if kind == "mixture" else None
    inputs, config = inputs_of(False, False, mappers=mappers), config_of(kind, latent, use=use)
    artifact = refined(config, inputs)
    assert len(asked) == grown
    assert {name.split(".")[0] for name in artifact.tensors} == stored

    asked.told = 0.0
    asked.clear()
    assert not refined(config, inputs).tensors
    assert len(asked) == min(grown, 1)


def test_samples_are_accepted_by_trees_of_the_refitted_mixtures(asked):
    inputs, config = inputs_of(True, False, mappers=mixtures(0.3)), config_of("mixture", use="both")
    artifact = refined(config, inputs)
    (_, _, first), (_, draw, how) = asked
    assert (4 * first["num_drawn"], how["num_drawn"]) == (16 * 400, 16 * 400)
    state = how["generator"].get_state()
    drawn = draw(3000)
    how["generator"].set_state(state)
    model = model_of(config, inputs, artifact, without=("trees", "weights"))
    assert torch.equal(drawn, model.sample(3000, how["generator"]))


@pytest.mark.parametrize("use", ["refit", "accept", "both"])
@pytest.mark.parametrize("seed", [0, 1])
def test_samples_of_mixtures_that_are_too_wide_come_nearer_to_the_data(use, seed):
    """The data are what the right mixtures would make; the cluster's shares stay as they are."""
    wide, right = inputs_of(False, False, mappers=mixtures(1.0)), mixtures(0.5)
    decoder = decode.load_decoder(config_of().decoder, wide.artifacts["decode"])
    k = (torch.arange(6000) % 4 == 3).long()
    with torch.no_grad():
        x, held_out = (
            decoder.draw(right.sample(k, seeded(9 + 2 * seed + part)), seeded(20 + part))
            for part in (0, 1)
        )
    inputs = inputs_of(False, False, mappers=mixtures(1.0), x=x)
    config = config_of("mixture", use=use, num_trees=150, tree_depth=4)
    artifact = refined(config, inputs)
    before = model_of(config, inputs, Artifact()).sample(6000, seeded(seed))
    model = model_of(config, inputs, artifact)
    after = model.sample(6000, seeded(seed))
    assert after.shape == (6000, 2)
    for column in (0, 1):
        far, near = (
            stats.ks_2samp(rows[:, column], held_out[:, column]).statistic
            for rows in (before, after)
        )
        assert near < 0.5 * far
    assert len(model.sample(50, seeded(), cluster=1)) == 50
    for name in set(LATENTS) - {"mapping"}:
        one, other = (
            m.sample(50, seeded(), latent=name)
            for m in (model, model_of(config, inputs, Artifact()))
        )
        assert torch.equal(one, other)


def test_refitted_mixtures_samples_have_margins_of_their_own():
    inputs = inputs_of(True, False, mappers=mixtures(1.0))
    config = config_of("mixture", use="refit", num_trees=30, tree_depth=2)
    artifact = refined(config, inputs)
    assert any(name.startswith("mappers") for name in artifact.tensors)
    x = model_of(config, inputs, artifact).sample(20_000, seeded(3))
    assert stats.kstest(x[:, 0], "norm").statistic < 0.015


@pytest.mark.parametrize("rows", [3, 4000])
def test_codes_are_drawn_by_their_clusters_and_accepted_by_their_samples(rows, monkeypatch):
    """Trees that refuse samples left of the middle; enough codes, or as many as may be drawn."""
    monkeypatch.setattr(refine, "CODES_AT_ONCE", 1000)
    monkeypatch.setattr(refine, "NUM_CODES", 2500)
    given = []
    monkeypatch.setattr(refine, "refit_mixtures", lambda *args: given.append(args) or args[0])
    inputs, config = inputs_of(True, False, mappers=mixtures(0.5)), config_of("mixture")
    decoder = decode.load_decoder(config.decoder, inputs.artifacts["decode"])
    sampling = refine.Sampling(decoder, torch.tensor([True, False]), torch.zeros(rows, 2), inputs)
    model = latents.latent_model("mapping", config, inputs.artifacts, CPU)
    margins = sampling.margins("mapping", model)
    trees = RatioTrees(2, 1, 1)
    trees.values.copy_(torch.tensor([[-50.0, 0.0]]))

    made = refine.refit(refine.mixtures_of(model), sampling, margins, trees)
    ((mappers, eps, k),) = given
    assert made.mappers is mappers is model.mappers and made.weights is model.weights
    wanted = max(2500, rows)
    assert wanted <= len(eps) == len(k) < wanted + 1000
    with torch.no_grad():
        decoded = torch.stack([margins(decoder.draw(eps, seeded(each))) for each in range(20)])
    assert (decoded[..., 0].mean(0) > 0).float().mean() > 0.9  # the middle of what is matched
    assert ((eps.mean(1) > 0.2) == (k == 0)).float().mean() > 0.9

    monkeypatch.setattr(refine, "MOST_CODES", 2000 / wanted)
    refine.refit(refine.mixtures_of(model), sampling, margins, trees)
    assert len(given[1][1]) < 1500


def trees_of_one_question(column, cut, values):
    """Log ratios of what is below and above, no more of which is accepted than the lesser has."""
    trees = RatioTrees(2, 1, 1)
    trees.edges.fill_(cut)
    trees.columns.fill_(column)
    trees.values.copy_(torch.tensor([values]))
    return trees


@pytest.mark.parametrize("spread", [0.2, 0.7])
@pytest.mark.parametrize("use", ["accept", "both"])
def test_accepted_samples_have_the_clusters_shares_of_the_data(spread, use, monkeypatch):
    """Trees that refuse two samples of five of a half; wide clusters lie around others' centres."""
    inputs = inputs_of(False, False, mappers=mixtures(spread))
    config = config_of("mixture", use=use)
    decoder = decode.load_decoder(config.decoder, inputs.artifacts["decode"])
    with torch.no_grad():
        side = decoder.draw(CENTRES[:, None].expand(2, 500, 2).flatten(0, 1), seeded(8))
    apart = side.view(2, 500, 2).mean(1)
    column = int((apart[0] - apart[1]).abs().argmax())
    values = [-0.5, 0.0] if apart[0, column] < apart[1, column] else [0.0, -0.5]
    trees = trees_of_one_question(column, float(apart[:, column].mean()), values)
    trees.divergence.fill_(0.1)
    monkeypatch.setattr(refine, "fit_ratio_trees", lambda *args, **how: trees)

    model = model_of(config, inputs, refined(config, inputs))
    num = 100_000
    drawn = model.latents["mapping"].sample(num, seeded(6))
    kept = model.trees.accepts(model.margins["mapping"](decoder.draw(drawn, seeded(7))), seeded(9))
    eps = drawn[kept]
    around_first = (torch.cdist(eps, CENTRES).argmin(1) == 0).float().mean()
    assert around_first == pytest.approx(0.75, abs=0.01)
    assert float(model.trees.rate) == pytest.approx(len(eps) / num, abs=0.01)

    plain = model_of(config, inputs, Artifact())  # its shares are of what is drawn
    refused = plain.latents["mapping"].sample(num, seeded(6))
    refused = refused[trees.accepts(decoder.draw(refused, seeded(7)), seeded(9))]
    assert (torch.cdist(refused, CENTRES).argmin(1) == 0).float().mean() < 0.7
    weights = model.latents["mapping"].weights
    assert weights.sum() == pytest.approx(1) and not torch.equal(
        weights, torch.tensor([0.75, 0.25])
    )


@pytest.mark.parametrize(
    ("every", "cluster", "expected"),
    [(10**9, 1, [0.75, 0.25]), (100, 0, [12 / 13, 1 / 13])],
    ids=["nothing of the second", "a hundredth of the first"],
)
def test_a_clusters_weight_is_not_far_from_its_share(every, cluster, expected, monkeypatch):
    """Where samples of a cluster are not accepted they are not where the data are."""
    monkeypatch.setattr(refine, "CODES_AT_ONCE", 100)
    inputs, config = inputs_of(False, False, mappers=mixtures(0.2)), config_of("mixture")
    decoder = decode.load_decoder(config.decoder, inputs.artifacts["decode"])
    sampling = refine.Sampling(decoder, torch.zeros(2).bool(), torch.zeros(2000, 2), inputs)
    model = latents.latent_model("mapping", config, inputs.artifacts, CPU)
    drawn = refine.draw_accepted

    def few_of_one(*args):
        kept = drawn(*args)
        assert 8000 <= len(kept.codes) <= 8100  # four a row
        number = torch.arange(1, len(kept.codes) + 1)
        some = (kept.clusters != cluster) | (number % every == 0)
        return kept._replace(codes=kept.codes[some], clusters=kept.clusters[some])

    monkeypatch.setattr(refine, "draw_accepted", few_of_one)
    trees = RatioTrees(2, 1, 1)
    held = refine.hold_shares(model, sampling, sampling.margins("mapping", model), trees)
    assert held.tolist() == pytest.approx(expected, abs=0.02)


def test_only_samples_of_the_latent_model_in_training_are_accepted_by_trees():
    """Trees that refuse what is left of the middle; others' samples stay as they were."""
    inputs, config = inputs_of(False, False), config_of()
    plain = model_of(config, inputs, Artifact())
    middle = float(plain.sample(4000, seeded(3))[:, 0].median())
    trees = RatioTrees(2, 1, 1)
    trees.edges.fill_(middle)
    trees.values.copy_(torch.tensor([[-50.0, 0.0]]))
    trees.rate.fill_(0.5)

    model = model_of(config, inputs, Artifact(named_weights("trees", trees)))
    x = model.sample(500, seeded(4))
    assert x.shape == (500, 2) and (x[:, 0] > middle).float().mean() > 0.99
    assert torch.equal(x, model.sample(500, seeded(4), latent="mapping"))
    assert len(model.sample(301, seeded(4), chunk=100)) == 301
    assert len(model.sample(200, seeded(4), cluster=1)) == 200
    assert model.sample(0, seeded(4)).shape == (0, 2)
    for name in set(LATENTS) - {"mapping"}:
        one, other = (m.sample(500, seeded(4), latent=name) for m in (model, plain))
        assert torch.equal(one, other)


@pytest.mark.parametrize("use", ["refit", "both"])
def test_a_fitted_run_draws_by_what_it_stored(tmp_path, use):
    data = DataConfig(source="checkerboard", num_train=3000, num_test=500)
    changes = {
        "refine.num_trees": 30,
        "refine.use": use,
        "mappers.kind": "mixture",
        "mappers.num_components": 1,  # too few for what four clusters hold
        "clusters.num_clusters": 4,
        "decoder.num_samples": 20_480,
        "decoder.lambda_x": 0.0,
    }
    config = override(SYSTEM.presets["smoke"], changes)
    spec = Spec("scgan", data, config)
    store = ArtifactStore(str(tmp_path))
    fitted = fit_stages(spec, prepare(spec), store, LocalExecutor())
    artifacts = {stage: done.artifact for stage, done in fitted.items()}
    model = SYSTEM.model(config, artifacts, CPU)
    every = SYSTEM.model(config, artifacts | {"refine": Artifact()}, CPU)
    rung = SYSTEM.model(config, {k: v for k, v in artifacts.items() if k != "refine"}, CPU)
    assert torch.equal(rung.sample(50, seeded()), every.sample(50, seeded()))
    again = SYSTEM.model(config, artifacts, CPU)
    assert torch.equal(again.sample(50, seeded()), model.sample(50, seeded()))
    assert not torch.equal(every.sample(50, seeded()), model.sample(50, seeded()))
    assert (model.trees is None) == (use == "refit")
    if use == "both":
        assert 0.05 < float(model.trees.rate) < 1


@pytest.fixture
def told(monkeypatch):
    """What is reported, were a second none."""
    monkeypatch.setattr(refine._Growing, "EVERY", 0.0)
    return []


def test_it_is_said_how_many_trees_there_are(told):
    """A thing of the trees' own, not of the samples of training."""
    config = config_of(use="accept", num_trees=7, tree_depth=2)
    refined(config, inputs_of(True, False), Runtime(report=told.append))
    assert [progress.samples for progress in told] == list(range(1, 8))
    for progress in told:
        assert progress.total == 0 and progress.metrics["trees"] == progress.samples
        assert math.isfinite(progress.metrics["divergence"]) and progress.seconds >= 0


def test_what_is_said_is_said_once_a_second(monkeypatch):
    now, told = iter([10.0, 10.5, 11.0, 11.5, 12.2]), []
    monkeypatch.setattr(refine.time, "monotonic", lambda: next(now))
    growing = refine._Growing(Runtime(report=told.append))
    for number in range(1, 5):
        growing(number, 0.5)
    expected = [
        (2, 0, {"trees": 2.0, "divergence": 0.5}),
        (4, 0, {"trees": 4.0, "divergence": 0.5}),
    ]
    assert [(p.samples, p.total, p.metrics) for p in told] == expected
    assert [p.seconds for p in told] == pytest.approx([1.0, 2.2])
