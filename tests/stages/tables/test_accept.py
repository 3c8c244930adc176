"""What a decoder's samples are accepted by: what is compared, what is stored and drawn."""

from __future__ import annotations

import math

import pytest
import torch

from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.nn.margins import Margins
from scgan.nn.ratio_trees import RatioTrees
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.stages.tables import accept, decode, encode
from scgan.stages.tables.latents import LATENTS
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.systems.scgan import SYSTEM, SCGANConfig, SCGANModel
from scgan.training.runtime import Runtime
from scgan.training.state import named_weights
from tests.stages.tables.test_margins import inputs_of

CPU = torch.device("cpu")
SHORT = {"decoder.num_samples": 1024, "mappers.kind": "adversarial", "decoder.noise_scale": 1.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(**changes):
    return override(SCGANConfig(), SHORT | {f"decoder.{key}": changes[key] for key in changes})


@pytest.fixture
def asked(monkeypatch):
    """What trees are asked for."""
    calls = []

    def fitted(real, draw, **how):
        calls.append((real, draw, how))
        return RatioTrees(real.shape[1], how["num_trees"], how["depth"])

    monkeypatch.setattr(accept, "fit_ratio_trees", fitted)
    return calls


def test_none_are_grown_unless_they_are_asked_for(asked):
    artifact = decode.decode(config_of(), ("all",), inputs_of(True, False), Runtime())
    assert not asked and decode.load_acceptance(artifact, CPU) is None


@pytest.mark.parametrize("latent", ["mapping", "gaussian"])
def test_training_rows_are_compared_with_samples_as_they_are_drawn(asked, latent):
    """Of the latent model in training, with noise, their margins matched."""
    inputs, config = inputs_of(True, False), config_of(ratio_trees=7, ratio_depth=3, latent=latent)
    artifact = decode.decode(config, ("all",), inputs, Runtime())
    ((real, draw, how),) = asked
    generator, _ = how.pop("generator"), how.pop("grown")
    assert torch.equal(real, inputs.data.train)
    assert how == {"num_trees": 7, "depth": 3, "num_drawn": 16 * 400}

    state = generator.get_state()
    drawn = draw(3000)
    generator.set_state(state)
    model = _model(config, inputs, artifact)
    assert torch.equal(drawn, model.sample(3000, generator, latent=latent))
    again = draw(3000)
    assert not torch.equal(again, drawn)

    stored = decode.load_acceptance(artifact, CPU)
    assert stored is not None and stored.columns.shape == (7, 3)


def _model(config, inputs, artifact):
    """The trained system, all of whose samples are accepted."""
    tensors = {k: t for k, t in artifact.tensors.items() if not k.startswith("accept")}
    encoder = {"data_dim": 2, "noise_std": 0.1}
    network = encode.build_encoder(config.encoder, 2, seeded(1), 0.1)
    quality = {"quality": [0.1, 0.1], "quality_floor": [0.1, 0.1]}
    mapped = inputs.artifacts["map"]
    artifacts = {
        "encode": Artifact(named_weights("encoder", network), encoder),
        "cluster": inputs.artifacts["cluster"],
        "map": Artifact(mapped.tensors, {**mapped.meta, **quality}),
        "decode": Artifact(tensors),
    }
    return SCGANModel(config, artifacts, CPU)


def test_few_of_very_many_rows_are_taken(asked, monkeypatch):
    monkeypatch.setattr(accept, "NUM_ROWS", 50)
    monkeypatch.setattr(accept, "MOST_DRAWN", 300)
    inputs, config = inputs_of(True, False), config_of(ratio_trees=7)
    decode.decode(config, ("all",), inputs, Runtime())
    ((real, _, how),) = asked
    assert torch.equal(real, inputs.data.train[:50]) and how["num_drawn"] == 300


def test_only_samples_of_the_latent_model_in_training_are_accepted_by_them():
    """Trees that refuse what is left of the middle; others' samples stay as they were."""
    inputs, config = inputs_of(False, False), config_of(ratio_trees=1)
    artifact = decode.decode(config_of(), ("all",), inputs, Runtime())
    plain = _model(config, inputs, artifact)
    middle = float(plain.sample(4000, seeded(3))[:, 0].median())
    trees = RatioTrees(2, 1, 1)
    trees.edges.fill_(middle)
    trees.values.copy_(torch.tensor([[-50.0, 0.0]]))
    trees.rate.fill_(0.5)

    model = _model(config, inputs, artifact)
    model.acceptance = trees
    x = model.sample(500, seeded(4))
    assert x.shape == (500, 2) and (x[:, 0] > middle).float().mean() > 0.99
    assert torch.equal(x, model.sample(500, seeded(4), latent="mapping"))
    assert len(model.sample(301, seeded(4), chunk=100)) == 301
    assert len(model.sample(200, seeded(4), cluster=1)) == 200
    assert model.sample(0, seeded(4)).shape == (0, 2)
    for name in set(LATENTS) - {"mapping"}:
        one, other = (m.sample(500, seeded(4), latent=name) for m in (model, plain))
        assert torch.equal(one, other)


def test_a_fitted_run_draws_by_what_it_stored(tmp_path):
    data = DataConfig(source="checkerboard", num_train=3000, num_test=500)
    changes = {"decoder.ratio_trees": 30, "decoder.num_samples": 20_480, "decoder.lambda_x": 0.0}
    config = override(SYSTEM.presets["smoke"], changes)
    spec = Spec("scgan", data, config)
    store = ArtifactStore(str(tmp_path))
    fitted = fit_stages(spec, prepare(spec), store, LocalExecutor())
    artifacts = {stage: done.artifact for stage, done in fitted.items()}
    model = SYSTEM.model(config, artifacts, CPU)
    assert model.acceptance is not None and 0.05 < float(model.acceptance.rate) < 1

    tensors = artifacts["decode"].tensors
    kept = {k: t for k, t in tensors.items() if not k.startswith("accept")}
    every = SYSTEM.model(config, artifacts | {"decode": Artifact(kept)}, CPU)
    real, ratios = prepare(spec).test, model.acceptance
    mine, theirs = (ratios(m.sample(4000, seeded())).mean() for m in (model, every))
    assert theirs < mine and abs(mine - ratios(real).mean()) < abs(theirs - ratios(real).mean())


def test_margins_are_those_of_the_latent_model_in_training(asked, monkeypatch):
    seen = []
    forward = Margins.forward

    def noted(self, x):
        seen.append(self)
        return forward(self, x)

    inputs, config = inputs_of(True, True), config_of(ratio_trees=3, latent="centres")
    artifact = decode.decode(config, ("all",), inputs, Runtime())
    monkeypatch.setattr(Margins, "forward", noted)
    asked[0][1](10)
    assert torch.equal(seen[0].knots, decode.load_margins(artifact, "centres").knots)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_worker_says_how_many_trees_there_are(monkeypatch, rank):
    """At once if a second was none; a thing of the trees' own, not of the samples of training."""
    monkeypatch.setattr(accept._Growing, "EVERY", 0.0)
    told = []
    runtime = Runtime(rank=rank, report=told.append)
    inputs, config = inputs_of(True, False), config_of(ratio_trees=7, ratio_depth=2)
    margins, decoder = Margins(2), decode.build_decoder(config.decoder, 2, 2, seeded())
    accept.fit_acceptance(config, decoder, margins, inputs.data.train, inputs, runtime)
    assert [progress.samples for progress in told] == ([] if rank else list(range(1, 8)))
    for progress in told:
        assert progress.total == 0 and progress.metrics["trees"] == progress.samples
        assert math.isfinite(progress.metrics["divergence"]) and progress.seconds >= 0


def test_what_is_said_is_said_once_a_second(monkeypatch):
    now, told = iter([10.0, 10.5, 11.0, 11.5, 12.2]), []
    monkeypatch.setattr(accept.time, "monotonic", lambda: next(now))
    growing = accept._Growing(Runtime(report=told.append))
    for number in range(1, 5):
        growing(number, 0.5)
    expected = [
        (2, 0, {"trees": 2.0, "divergence": 0.5}),
        (4, 0, {"trees": 4.0, "divergence": 0.5}),
    ]
    assert [(p.samples, p.total, p.metrics) for p in told] == expected
    assert [p.seconds for p in told] == pytest.approx([1.0, 2.2])
