"""What every system must do, whichever is there: a new file in systems/ is tested with no edit here."""

from __future__ import annotations

import pytest
import torch

from scgan import systems
from scgan.config import leaves, override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare, run
from scgan.pipeline.spec import Spec
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import ArtifactStore

DATA = {
    "table": DataConfig(source="eight_gaussians", num_train=1500, num_test=1500),
    "images": DataConfig(source="digits"),
}
SYSTEMS = systems.available()


def tiny(name):
    """The smoke preset, every training cut to a few steps."""
    system = systems.load(name)
    config = system.presets["smoke"]
    few = 512 if system.kind == "images" else 2048
    changes = {key: few for key, _ in leaves(config) if key.endswith(".num_samples")}
    changes |= {key: 200 for key, _ in leaves(config) if key == "evaluation.num_images"}
    return Spec(name, DATA[system.kind], override(config, changes))


@pytest.fixture(scope="module", params=SYSTEMS)
def outcome(request, tmp_path_factory):
    store = ArtifactStore(str(tmp_path_factory.mktemp(request.param)))
    spec = tiny(request.param)
    return run(spec, prepare(spec), store, LocalExecutor()), store


def test_presets_have_what_every_command_offers():
    for name in SYSTEMS:
        assert {"smoke", "default"} <= systems.load(name).presets.keys()


@pytest.mark.parametrize("how", ["stages", "streamed"])
def test_stages_read_only_what_earlier_ones_made(how):
    for name in SYSTEMS:
        stages = getattr(systems.load(name), how)
        sections = set(systems.load(name).Config.model_fields)
        for i, stage in enumerate(stages):
            assert set(stage.needs) <= {earlier.name for earlier in stages[:i]}
            assert set(stage.sections) <= sections
        assert not stages or sections - set().union(*(stage.sections for stage in stages)) <= {
            "evaluation"
        }


def test_every_stage_is_trained_and_finite(outcome):
    result, _ = outcome
    assert result.trained == tuple(stage.name for stage in systems.load(result.spec.system).stages)
    for artifact in result.artifacts.values():
        assert all(t.isfinite().all() for t in artifact.tensors.values() if t.is_floating_point())


def test_samples_have_the_datas_shape_and_follow_the_seed(outcome):
    result, _ = outcome
    first, second, third = (
        result.model.sample(50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (50, *result.data.train.shape[1:]) and first.isfinite().all()
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_again_nothing_is_trained_and_the_scores_are_the_same(outcome):
    result, store = outcome
    again = run(result.spec, prepare(result.spec), store, LocalExecutor())
    assert again.trained == ()
    assert again.scores == result.scores


def test_a_stored_run_samples_like_the_trained_one(outcome):
    result, store = outcome
    stored = open_run(result.spec.run_id, store)
    assert stored.spec == result.spec and stored.scores == result.scores
    draw = [
        model.sample(40, torch.Generator().manual_seed(3)) for model in (stored.model, result.model)
    ]
    assert torch.equal(*draw)


def test_another_seed_gives_other_artifacts(outcome):
    result, _ = outcome
    spec = Spec(result.spec.system, result.spec.data, result.spec.config, seed=1)
    assert spec.run_id != result.spec.run_id


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_parameter_is_trained(name, tmp_path, monkeypatch):
    """Each optimiser's every parameter gets a finite gradient that is not zero everywhere, within a training."""
    touched = {}
    step = torch.optim.Adam.step

    def watched(optimizer, *args, **kwargs):
        for group in optimizer.param_groups:
            for i, parameter in enumerate(group["params"]):
                assert parameter.grad is None or parameter.grad.isfinite().all()
                moving = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
                key = (id(optimizer), i)
                touched[key] = touched.get(key, False) or moving
        return step(optimizer, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    spec = tiny(name)
    fit_stages(spec, prepare(spec), ArtifactStore(str(tmp_path)), LocalExecutor())
    assert touched and all(touched.values())


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_stage_is_a_function_of_its_inputs(name, tmp_path):
    """The global random state has no say."""
    spec, made = tiny(name), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        made.append(
            fit_stages(
                spec, prepare(spec), ArtifactStore(str(tmp_path / str(seed))), LocalExecutor()
            )
        )
    for stage in made[0]:
        first, second = (fitted[stage].artifact.tensors for fitted in made)
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_recipe_is_one_fit():
    """Stages that share a name in the store's keys are the same: what one makes, the others may take."""
    recipes = {}
    for name in SYSTEMS:
        system = systems.load(name)
        for stage in (*system.stages, *system.streamed):
            if stage.recipe is not None:
                recipes.setdefault(stage.recipe, set()).add(
                    (
                        stage.fit,
                        stage.version,
                        system.Config.model_fields[stage.sections[0]].annotation,
                    )
                )
    assert recipes and all(len(fits) == 1 for fits in recipes.values())
