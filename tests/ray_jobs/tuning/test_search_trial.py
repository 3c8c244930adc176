"""What a trial trains: the stages that all share, the one that is cut into rungs, and where."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ray_jobs.tuning.trial import fixed_stages, last_training, plan_trials
from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.spec import Spec

IN_MEMORY = SimpleNamespace(stream=None, kind="table")
SPEC = Spec("scgan", DataConfig(source="ring"), systems.load("scgan").presets["smoke"])


def test_stages_that_no_setting_touches_are_fixed():
    space = ("decoder.lambda_x", "mappers.lambda_eps", "clusters.num_clusters")
    assert fixed_stages(SPEC, IN_MEMORY, dict.fromkeys(space)) == ("encode",)
    later = fixed_stages(SPEC, IN_MEMORY, {"decoder.lambda_x": None})
    assert later == ("encode", "cluster", "map")
    assert fixed_stages(SPEC, IN_MEMORY, {"encoder.width": None}) == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("scgan", ("decode", "decoder.num_samples")),
        ("infoscc_gan", ("generate", "generator.num_samples")),
        ("eigengan", ("generate", "generator.num_samples")),
    ],
)
def test_what_is_trained_in_pieces_comes_from_the_stages(name, expected, monkeypatch):
    system = systems.load(name)
    (example,) = system.examples.values()
    spec = Spec(name, DataConfig(source=example), system.presets["smoke"])
    assert last_training(spec, IN_MEMORY) == expected

    # A last stage that is trained by one worker, or that has no length, changes nothing.
    stages = system.stages(IN_MEMORY)
    after = replace(stages[-1], name="score", data_parallel=False)
    monkeypatch.setattr(type(system), "stages", lambda self, data: (*stages, after))
    assert last_training(spec, IN_MEMORY) == expected


def test_of_a_stage_on_one_worker_no_pieces_are_made(monkeypatch):
    encode, cluster, map_stage, decode, refine = systems.load("scgan").stages(IN_MEMORY)
    alone = (encode, cluster, map_stage, replace(decode, data_parallel=False), refine)
    monkeypatch.setattr(type(systems.load("scgan")), "stages", lambda self, data: alone)
    assert last_training(SPEC, IN_MEMORY) == ("encode", "encoder.num_samples")


def planned(num_samples, space=(), *, stops_early=True):
    settings = SimpleNamespace(stops_early=stops_early, workers=2)
    config = override(SPEC.config, {"decoder.num_samples": num_samples})
    search = SimpleNamespace(
        trial_spec=replace(SPEC, config=config),
        settings=settings,
        data=IN_MEMORY,
        space=dict.fromkeys(space),
        store=SimpleNamespace(url="/store"),
        metrics=("sliced_wasserstein",),
    )
    return plan_trials(search)


def test_rungs_are_a_ninth_and_a_third_of_the_length():
    plan = planned(9000)
    assert plan.rungs == (1000, 3000) and plan.total == 9000
    assert (plan.stage, plan.workers, plan.store_url) == ("decode", 2, "/store")
    assert planned(9001).rungs == (1001, 3003)  # rounded up, so that no rung is empty
    assert planned(9000, stops_early=False).rungs == ()


@pytest.mark.parametrize(("num_samples", "space"), [(8, ()), (9000, ("decoder.num_samples",))])
def test_there_are_no_rungs_of_a_length_that_is_searched_or_too_short(num_samples, space):
    with pytest.raises(ValueError, match="needs a fixed decoder.num_samples of at least 9"):
        planned(num_samples, space)
