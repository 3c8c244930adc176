"""The pipeline: what is retrained after a change, a kill, damage, a failure."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline import executor as execution
from scgan.pipeline.executor import LocalExecutor, fit_part
from scgan.pipeline.run import fit_stages, prepare, run
from scgan.pipeline.spec import Spec
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import ArtifactStore
from scgan.store.inventory import inventory, waste
from scgan.training.loop import NonFiniteLoss
from scgan.training.runtime import Runtime

LENGTHS = {"encoder.num_samples": 2048, "mappers.num_samples": 512, "decoder.num_samples": 4096}


def spec_of(**changes):
    changes = {key.replace("__", "."): value for key, value in changes.items()}
    config = override(
        systems.load("scgan").presets["smoke"], {**LENGTHS, "clusters.num_clusters": 6, **changes}
    )
    return Spec("scgan", DataConfig(source="checkerboard", num_train=1200, num_test=1200), config)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(str(tmp_path))


def tensors_equal(a, b):
    return all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)


class Packs(LocalExecutor):
    """Fits the units in packs of given sizes; can die before a pack."""

    def __init__(self, *sizes, die_before=None):
        super().__init__()
        self.sizes, self.die_before, self.fitted = sizes, die_before, []

    def fit(self, job, units, report):
        if job.stage != "map":
            return super().fit(job, units, report)
        units = list(units)
        for number, size in enumerate(self.sizes):
            pack, units = units[:size], units[size:]
            if number == self.die_before:
                raise KeyboardInterrupt
            if pack:
                fit_part(job, pack, Runtime())
                self.fitted += pack
        assert not units


@pytest.mark.parametrize(
    ("change", "retrained"),
    [
        ({"refine__tree_depth": 3}, ("refine",)),
        ({"decoder__lambda_x": 0.5}, ("decode", "refine")),
        ({"mappers__lambda_eps": 3.0}, ("map", "decode", "refine")),
        ({"clusters__num_clusters": 5}, ("cluster", "map", "decode", "refine")),
        ({"encoder__temperature": 0.3}, ("encode", "cluster", "map", "decode", "refine")),
    ],
)
def test_a_change_retrains_its_stage_and_what_follows(store, change, retrained):
    fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor())
    fitted = fit_stages(spec_of(**change), prepare(spec_of(**change)), store, LocalExecutor())
    assert tuple(name for name, stage in fitted.items() if stage.new) == retrained


def test_any_packing_of_clusters_gives_the_same_mappers(tmp_path):
    made = []
    for i, sizes in enumerate([(6,), (1, 1, 1, 1, 1, 1), (4, 2)]):
        store = ArtifactStore(str(tmp_path / str(i)))
        made.append(fit_stages(spec_of(), prepare(spec_of()), store, Packs(*sizes))["map"].artifact)
    assert tensors_equal(made[0], made[1]) and tensors_equal(made[0], made[2])


def test_a_run_that_dies_between_packs_trains_only_what_is_missing(store, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit_stages(spec_of(), prepare(spec_of()), store, Packs(2, 4, die_before=1))
    second = Packs(1, 3)
    fitted = fit_stages(spec_of(), prepare(spec_of()), store, second)
    assert second.fitted == ["2", "3", "4", "5"]
    assert not fitted["encode"].new and fitted["map"].new
    whole = fit_stages(
        spec_of(), prepare(spec_of()), ArtifactStore(str(tmp_path / "w")), LocalExecutor()
    )
    assert tensors_equal(fitted["map"].artifact, whole["map"].artifact)
    assert not list(store.keys("map-" + fitted["map"].key.split("-")[1] + ".part"))


@pytest.mark.parametrize("stage", ["encode", "map", "decode"])
def test_a_stage_killed_after_a_checkpoint_goes_on_to_the_same_result(
    store, tmp_path, stage, monkeypatch
):
    whole = fit_stages(
        spec_of(), prepare(spec_of()), ArtifactStore(str(tmp_path / "w")), LocalExecutor()
    )
    save, saves = ArtifactStore.save, []

    def dying(self, key, artifact, provenance=None):
        save(self, key, artifact, provenance)
        if key.startswith(stage) and key.endswith(".checkpoint"):
            saves.append(artifact.meta["samples"])
            if len(saves) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(ArtifactStore, "save", dying)
    monkeypatch.setattr(
        execution, "Runtime", lambda *a, **k: Runtime(*a, **{**k, "checkpoint_every": 0.0})
    )
    with pytest.raises(KeyboardInterrupt):
        fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor())
    resumed = fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor())
    assert saves[3] > saves[2]
    for name in whole:
        assert tensors_equal(whole[name].artifact, resumed[name].artifact)
        assert whole[name].artifact.meta == resumed[name].artifact.meta
    assert not [key for key in store.keys() if "part" in key]


def test_a_run_that_was_overtaken_takes_what_is_there_and_leaves_no_parts(store):
    """Another run ends the stage, and clears its parts away, between two packs of this one."""

    class Overtaken(LocalExecutor):
        def fit(self, job, units, report):
            if job.stage == "map":
                fit_part(job, units[:2], Runtime())
                fit_stages(
                    spec_of(),
                    prepare(spec_of()),
                    store,
                    LocalExecutor(),
                    only=["encode", "cluster", "map"],
                )
                fit_part(job, units[2:], Runtime())
            else:
                super().fit(job, units, report)

    fitted = fit_stages(
        spec_of(), prepare(spec_of()), store, Overtaken(), only=["encode", "cluster", "map"]
    )
    assert tensors_equal(fitted["map"].artifact, store.load(fitted["map"].key))
    assert [key for key in store.keys() if ".part-" in key] == []


def test_a_damaged_artifact_is_trained_again(store, tmp_path):
    fitted = fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor())
    (file,) = (tmp_path / "artifacts" / fitted["cluster"].key).glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    again = fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor())
    assert [name for name, stage in again.items() if stage.new] == ["cluster"]


def test_a_loss_that_explodes_stops_the_run_and_tells_the_listeners(store):
    class Listener:
        def __init__(self):
            self.said = []

        def __getattr__(self, name):
            return lambda *args: self.said.append(name)

    listener = Listener()
    spec = spec_of(encoder__learning_rate=1e30)
    with pytest.raises(NonFiniteLoss, match=r"encode: isometric_info_nce is nan after \d"):
        run(spec, prepare(spec), store, LocalExecutor(), [listener])
    assert listener.said == ["run_started", "stage_started", "units_fitted", "run_failed"]


def test_listeners_hear_of_every_stage_once(store):
    heard = []

    class Listener:
        def __getattr__(self, name):
            return lambda *args: heard.append((name, *[a for a in args if isinstance(a, str)]))

    run(spec_of(), prepare(spec_of()), store, LocalExecutor(), [Listener()])
    stages = ("encode", "cluster", "map", "decode", "refine", "evaluate")
    assert [entry for entry in heard if entry[0] == "stage_finished"] == [
        ("stage_finished", s) for s in stages
    ]
    assert heard[0] == ("run_started",) and heard[-1] == ("run_finished",)
    progress = {entry[1] for entry in heard if entry[0] == "progress"}
    assert progress == {"encode", "map", "decode", "evaluate"}


def test_opening_a_run_that_is_not_there_names_the_nearest(store):
    run(spec_of(), prepare(spec_of()), store, LocalExecutor())
    name = spec_of().run_id
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        open_run(name[:-1], store)
    with pytest.raises(ValueError, match="no run"):
        open_run("../../etc", store)


def test_opening_a_run_whose_artifact_is_lost_says_so(store):
    outcome = run(spec_of(), prepare(spec_of()), store, LocalExecutor())
    record = json.loads(store.storage.read(f"{outcome.spec.run_id}/run.json"))
    store.delete(record["artifacts"]["decode"])
    with pytest.raises(ValueError, match="lost its 'decode'"):
        open_run(outcome.spec.run_id, store)


def test_more_clusters_than_rows_is_refused_before_training():
    spec = spec_of(clusters__num_clusters=5000)
    with pytest.raises(ValueError, match="only 1200 training rows"):
        prepare(spec)


def test_specs_survive_json():
    spec = replace(spec_of(), seed=7)
    assert Spec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_run_whose_data_changed_is_not_scored_against_other_rows(store, tmp_path):
    table = tmp_path / "table.csv"
    rows = torch.randn(300, 2, generator=torch.Generator().manual_seed(0)).numpy().round(4)
    table.write_text("a,b\n" + "\n".join(f"{a},{b}" for a, b in rows))
    spec = replace(spec_of(), data=DataConfig(source=str(table)))
    run(spec, prepare(spec), store, LocalExecutor())
    assert open_run(spec.run_id, store).outcome().data.fingerprint == prepare(spec).fingerprint
    table.write_text(table.read_text() + "\n0.5,0.5\n")
    with pytest.raises(ValueError, match="has changed since the run"):
        open_run(spec.run_id, store).outcome()


def test_a_key_holds_the_stages_name_and_version_and_no_path_of_the_code(store, monkeypatch):
    """A fit that moves to another file keeps its artifacts; another version of it does not."""
    spec, system = spec_of(), systems.load("scgan")
    first = fit_stages(spec, prepare(spec), store, LocalExecutor(), only=["encode"])["encode"]

    def moved(*args):
        raise AssertionError("trained anew")

    encode, *others = system.stages(prepare(spec))
    later = replace(encode, version=encode.version + 1)
    for changed, found in ((replace(encode, fit=moved), True), (later, False)):
        stages = (changed, *others)
        monkeypatch.setattr(type(system), "stages", lambda self, data, stages=stages: stages)
        again = fit_stages(spec, prepare(spec), store, LocalExecutor(), only=["encode"])["encode"]
        assert (again.key == first.key) is found and again.new is not found


def test_scores_and_pictures_are_kept_as_long_as_their_run(store):
    """Whatever a run made is its own: cleaning the store takes none of it."""
    outcome = run(spec_of(), prepare(spec_of()), store, LocalExecutor(), pictures=True)
    users = {item.key: item.runs for item in inventory(store)}
    assert len(users) == len(outcome.artifacts) + 2
    assert all(list(runs) == [outcome.spec.run_id] for runs in users.values())
    assert waste(store, hours=0) == []

    again = run(spec_of(), prepare(spec_of()), store, LocalExecutor(), pictures=True)
    assert again.pictures == outcome.pictures and again.scores == outcome.scores
