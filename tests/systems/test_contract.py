"""What every system must do: a new file in systems/ is tested with no edit here."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scgan import systems
from scgan.capabilities import Amounts, OneOf, WholeNumber, choose
from scgan.config import leaves, override
from scgan.contract import UndeclaredRead
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import drawn, fit_stages, prepare, run
from scgan.pipeline.spec import Spec
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import ArtifactStore

DATA = {
    "table": DataConfig(source="eight_gaussians", num_train=600, num_test=600),
    "images": DataConfig(source="digits"),
}
SYSTEMS = systems.available()


def kinds(names=SYSTEMS):
    return [(name, kind) for name in names for kind in systems.load(name).examples]


def tiny(name, kind):
    """The smoke preset, every training cut to a few steps."""
    config = systems.load(name).presets["smoke"]
    few = 512 if kind == "images" else 2048
    changes = {key: few for key, _ in leaves(config) if key.endswith(".num_samples")}
    changes |= {key: 200 for key, _ in leaves(config) if key == "evaluation.num_images"}
    return Spec(name, DATA[kind], override(config, changes))


@pytest.fixture(scope="module", params=kinds(), ids="-".join)
def spec(request):
    return tiny(*request.param)


@pytest.fixture(scope="module")
def outcome(spec, few_samples, tmp_path_factory):
    torch.manual_seed(0)
    store = ArtifactStore(str(tmp_path_factory.mktemp(spec.system)))
    return run(spec, prepare(spec), store, LocalExecutor()), store


@pytest.fixture(scope="module")
def watched(spec, tmp_path_factory):
    """The stages fitted once more, and which parameters of which optimiser had a gradient."""
    moved = {}
    step = torch.optim.Adam.step

    def watched_step(optimizer, *args, **kwargs):
        for group in optimizer.param_groups:
            for i, parameter in enumerate(group["params"]):
                assert parameter.grad is None or parameter.grad.isfinite().all()
                moving = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
                key = (id(optimizer), i)
                moved[key] = moved.get(key, False) or moving
        return step(optimizer, *args, **kwargs)

    torch.manual_seed(1)
    store = ArtifactStore(str(tmp_path_factory.mktemp(spec.system)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", watched_step)
        return fit_stages(spec, prepare(spec), store, LocalExecutor()), moved


def test_presets_have_what_every_command_offers():
    for name in SYSTEMS:
        assert {"smoke", "default"} <= systems.load(name).presets.keys()


def streamed(data):
    """The same data, as if it were larger than memory."""
    return replace(data, stream=object())


@pytest.mark.parametrize("name", SYSTEMS)
def test_stages_read_only_what_earlier_ones_made(name):
    system, read = systems.load(name), {"evaluation"}
    sections = set(system.Config.model_fields)

    for kind in system.examples:
        data = prepare(tiny(name, kind))
        for stages in (system.stages(data), system.stages(streamed(data))):
            for i, stage in enumerate(stages):
                assert set(stage.needs) <= {earlier.name for earlier in stages[:i]}
                assert set(stage.sections) <= sections
                read |= set(stage.sections)

    assert sections <= read


def test_every_stage_is_trained_and_finite(outcome):
    result, _ = outcome
    assert result.trained == tuple(
        stage.name for stage in systems.load(result.spec.system).stages(result.data)
    )
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


def test_every_parameter_is_trained(watched):
    """Each optimiser's every parameter gets a finite gradient that is not zero everywhere."""
    _, moved = watched
    assert moved and all(moved.values())


def test_a_stage_is_a_function_of_its_inputs(outcome, watched):
    """The global random state has no say."""
    (result, _), (again, _) = outcome, watched
    assert result.artifacts.keys() == again.keys()
    for name, fitted in again.items():
        first, second = result.artifacts[name].tensors, fitted.artifact.tensors
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_recipe_is_one_fit():
    """Stages that share a name in the store's keys are the same: what one makes, all may take."""
    recipes = {}
    for name, kind in kinds():
        system, data = systems.load(name), prepare(tiny(name, kind))
        for stage in (*system.stages(data), *system.stages(streamed(data))):
            if stage.recipe is not None:
                settings = [system.Config.model_fields[s].annotation for s in stage.sections]
                fit = (stage.fit, stage.version, *settings)
                recipes.setdefault(stage.recipe, set()).add(fit)

    assert recipes and all(len(fits) == 1 for fits in recipes.values())


@pytest.mark.parametrize(("name", "kind"), kinds())
def test_every_setting_is_described(name, kind):
    def undescribed(config, prefix=""):
        for key, field in type(config).model_fields.items():
            value = getattr(config, key)
            if hasattr(type(value), "model_fields"):
                yield from undescribed(value, f"{prefix}{key}.")
            elif not (field.description or "").strip():
                yield prefix + key

    assert not list(undescribed(systems.load(name).presets["default"]))


def test_every_option_of_a_model_is_taken_by_its_sample(outcome):
    result, _ = outcome
    for option in result.model.options:
        assert option.meaning and option.allowed
        value = 0 if isinstance(option, WholeNumber) else None
        if isinstance(option, OneOf):
            value = option.choices[-1]
        if isinstance(option, Amounts):
            value = {option.names[0]: 0.5}
        assert value is not None, "another kind of option"
        chosen = choose(result.model, {option.name: value})
        drawn = result.model.sample(8, torch.Generator().manual_seed(0), **chosen)
        assert drawn.shape == (8, *result.data.train.shape[1:])

    with pytest.raises(ValueError, match="no nonsense to choose"):
        choose(result.model, {"nonsense": 1})


def test_scores_and_pictures_are_explained(outcome):
    result, store = outcome
    for score in result.scores.values():
        assert score.label and score.meaning

    pictures = drawn(result, store, LocalExecutor()).pictures
    assert pictures
    for caption, content in pictures.items():
        assert ". " in caption and content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("section", "artifact", "words"),
    [
        ("clusters", None, "the stage 'encode' reads the section 'clusters' .* declares encoder"),
        (None, "cluster", "the stage 'encode' reads the artifact of 'cluster', but declares none"),
    ],
)
def test_an_undeclared_read_is_an_error_that_names_both(tmp_path, section, artifact, words):
    """It would make a stale artifact: the key knows of what is declared, and of nothing else."""
    spec = tiny("scgan", "table")
    system, data = systems.load("scgan"), prepare(spec)
    encode, *others = system.stages(data)

    def fit(config, units, inputs, runtime):
        if section is not None:
            getattr(config, section)
        return inputs.artifacts[artifact]

    class Changed(type(system)):
        def stages(self, data):
            return (replace(encode, fit=fit), *others)

    store = ArtifactStore(str(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(systems, "load", lambda name: Changed())
        with pytest.raises(UndeclaredRead, match=words):
            fit_stages(spec, data, store, LocalExecutor(), only=["encode"])
