"""The pipeline around a system made up here: keys, parts, progress, what is scored and drawn."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from scgan import systems
from scgan.config import Settings
from scgan.contract import Inputs, Stage, System, UndeclaredRead
from scgan.data.dataset import DataConfig
from scgan.metrics.scores import Score
from scgan.pipeline.executor import Job, LocalExecutor, fit_part
from scgan.pipeline.finishing import EVALUATE, FIGURES, pictures_of, scores_of, stages_of
from scgan.pipeline.run import _StageReport, drawn, fit_stages, prepare, run
from scgan.pipeline.spec import Spec
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.training.runtime import Progress, Runtime


class Section(Settings):
    """One number."""

    value: float = 1.0


class Config(Settings):
    """A section a stage, and one that only scoring reads."""

    first: Section = Section()
    second: Section = Section()
    evaluation: Section = Section()


class Model:
    """Remembers what it was made from."""

    options = ()

    def __init__(self, config, artifacts, device):
        self.config, self.artifacts, self.device = config, artifacts, device

    def sample(self, num, generator):
        return torch.randn(num, 2, generator=generator)


def fit_first(config, units, inputs, runtime):
    drawn = torch.rand((), generator=inputs.generator("first", "all"))
    return Artifact({"w": drawn + config.first.value})


def fit_second(config, units, inputs, runtime):
    base = inputs.artifacts["first"].tensors["w"]
    return Artifact({"w": torch.stack([base + 10 * int(unit) for unit in units])})


def merge_second(parts):
    rows = [
        (int(unit), row)
        for part in parts
        for unit, row in zip(part.meta["units"], part.tensors["w"], strict=True)
    ]
    return Artifact({"w": torch.stack([row for _, row in sorted(rows, key=lambda r: r[0])])})


class Toy(System):
    """Two stages, the second of three units."""

    examples = {"table": "ring"}
    Config = Config
    Model = Model
    by_file = False

    def __init__(self):
        self.asked, self.checked = [], []

    def stages(self, data):
        return (
            Stage("first", ("first",), (), fit_first),
            Stage(
                "second",
                ("second",),
                ("first",),
                fit_second,
                units=lambda config, inputs: ("0", "1", "2"),
                merge=merge_second,
                by_file=self.by_file,
            ),
        )

    def check(self, config, data):
        self.checked.append((config, data))

    def evaluate(self, model, data, seed):
        self.asked.append((model, data, seed))
        yield "b", Score(2.0, 1.0, "lower", "B")
        yield "a", Score(3.0, None, "higher", "A", "of a", "difference")

    def figures(self, model, data, seed):
        self.asked.append((model, data, seed))
        for number, caption in enumerate(("Z. Last of the alphabet.", "A. First of it.")):
            yield caption, Figure(figsize=(1 + number, 1), dpi=50)


DATA = DataConfig(source="ring", num_train=100, num_test=60)


@pytest.fixture
def system(monkeypatch):
    made = Toy()
    monkeypatch.setattr(systems, "load", lambda name: made)
    return made


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(str(tmp_path / "runs"))


def spec_of(seed=0, data=DATA, system="toy", **values):
    sections = {name: Section(value=value) for name, value in values.items()}
    return Spec(system, data, Config(**sections), seed)


ALL = ("first", "second", EVALUATE, FIGURES)


def keys_of(spec, store, data=None):
    data = data or prepare(spec)
    fitted = fit_stages(spec, data, store, LocalExecutor(), only=ALL)
    return {name: stage.key for name, stage in fitted.items()}


# Keys


@pytest.mark.parametrize(
    ("change", "others"),
    [
        ({"first": 2.0}, ALL),
        ({"second": 2.0}, ALL[1:]),
        ({"evaluation": 2.0}, ALL[2:]),
        ({"seed": 1}, ALL),
        ({"data": DATA.model_copy(update={"num_test": 61})}, ALL),
        ({"system": "another"}, ALL),
    ],
)
def test_a_key_is_of_all_that_determines_a_stage_and_of_nothing_else(system, store, change, others):
    before, after = keys_of(spec_of(), store), keys_of(spec_of(**change), store)
    assert tuple(name for name in ALL if before[name] != after[name]) == others
    assert all(before[name].startswith(f"{name}-") for name in ALL)


@pytest.mark.parametrize("change", [{"version": 2}, {"recipe": "x"}])
def test_a_key_is_of_the_stages_version_and_recipe(system, store, monkeypatch, change):
    before, (first, second) = keys_of(spec_of(), store), system.stages(None)
    monkeypatch.setattr(Toy, "stages", lambda self, data: (replace(first, **change), second))
    after = keys_of(spec_of(), store)
    assert before["first"] != after["first"] and before["second"] != after["second"]


def test_two_systems_share_what_one_recipe_makes(system, store, monkeypatch):
    first, second = system.stages(None)
    monkeypatch.setattr(Toy, "stages", lambda self, data: (replace(first, recipe="r"), second))
    one, other = keys_of(spec_of(), store), keys_of(spec_of(system="another"), store)
    assert one["first"] == other["first"] and one["second"] != other["second"]


def test_a_manifest_says_what_the_key_is_the_hash_of(system, store):
    spec = spec_of(seed=3, second=2.5)
    keys = keys_of(spec, store)
    assert store.manifest(keys["second"])["provenance"] == {
        "stage": "toy.second",
        "version": 1,
        "config": {"second": {"value": 2.5}},
        "upstream": {"first": keys["first"]},
        "data": prepare(spec).fingerprint,
        "seed": 3,
    }


def test_random_numbers_are_of_the_seed_the_stage_and_the_unit():
    def drawn(seed, stage, unit):
        return float(torch.rand((), generator=Inputs(None, {}, seed).generator(stage, unit)))

    asked = [(0, "a", "0"), (1, "a", "0"), (0, "b", "0"), (0, "a", "1")]
    assert len({drawn(*one) for one in asked}) == 4 and drawn(0, "a", "0") == drawn(0, "a", "0")


# Parts


def job_of(store, data, stage="second", **more):
    inputs = Inputs(data, {"first": Artifact({"w": torch.zeros(())})}, 0)
    return Job("toy", stage, Config(), "second-1", more, inputs, store.url)


def test_every_unit_is_merged_once_though_it_lies_in_parts_of_several_packings(system, store):
    """Whichever of them are taken, a unit that is left out or counted twice would show."""

    class Packed(LocalExecutor):
        def fit(self, job, units, report):
            if job.stage != "second":
                return super().fit(job, units, report)
            for pack in (["0", "1"], ["1", "2"], ["2"]):
                fit_part(job, pack, Runtime())

    fitted = fit_stages(spec_of(), prepare(spec_of()), store, Packed())
    w = fitted["second"].artifact.tensors["w"]
    assert torch.equal(w, fitted["first"].artifact.tensors["w"] + torch.tensor([0.0, 10, 20]))
    assert not [key for key in store.keys() if ".part-" in key]


def test_only_units_that_no_part_holds_are_fitted(system, store):
    asked = []

    class Watched(LocalExecutor):
        def fit(self, job, units, report):
            if job.stage == "second":
                asked.append(list(units))
                if len(asked) == 1:
                    fit_part(job, ["1"], Runtime())
                    unfinished = f"{job.part_key(['0', '2'])}.checkpoint"
                    store.save(unfinished, Artifact(meta={"samples": 1}))
                    raise KeyboardInterrupt
            super().fit(job, units, report)

    with pytest.raises(KeyboardInterrupt):
        fit_stages(spec_of(), prepare(spec_of()), store, Watched())
    done = []

    class Listener:
        def __getattr__(self, name):
            return lambda *words: done.append((name, *words))

    fit_stages(spec_of(), prepare(spec_of()), store, Watched(), [Listener()])
    assert asked == [["0", "1", "2"], ["0", "2"]]
    told = [words for name, *words in done if name == "units_fitted"]
    assert told == [["second", 1, 3], ["second", 3, 3]]


def test_files_are_fitted_one_by_one_and_other_units_at_once(system, store):
    for by_file, expected in ((False, [["0", "1", "2"]]), (True, [["0"], ["1"], ["2"]])):
        system.by_file, told = by_file, []
        data = prepare(spec_of())
        report = SimpleNamespace(fitted=told.append, progress=lambda pack, progress: None)
        LocalExecutor().fit(job_of(store, data), ["0", "1", "2"], report)
        assert [list(units) for units in told] == expected


def test_a_part_is_stored_by_the_first_worker_alone_and_its_checkpoint_goes(system, store):
    job = job_of(store, prepare(spec_of()), stage_of="toy")
    fit_part(job, ["0"], Runtime(rank=1, world_size=2))
    assert list(store.keys()) == []
    store.save(f"{job.part_key(['0'])}.checkpoint", Artifact(meta={"samples": 1}))
    fit_part(job, ["0"], Runtime())
    assert list(store.keys()) == [job.part_key(["0"])] != [job.part_key(["1"])]
    assert store.load(job.part_key(["0"])).meta == {"units": ["0"]}
    assert store.manifest(job.part_key(["0"]))["provenance"] == {"stage_of": "toy"}


def test_progress_is_that_of_all_packs_together(system, store):
    told = []

    class Listener:
        def progress(self, stage, progress):
            told.append((stage, progress))

        def units_fitted(self, *words):
            told.append(words)

    data = prepare(spec_of())
    report = _StageReport(job_of(store, data), 3, 1, [Listener()])
    report.progress("a", Progress(10, 50, {"loss": 1.0}, 2.0))
    report.progress("b", Progress(5, 30, {"loss": 3.0}, 4.0))
    report.progress("a", Progress(20, 50, {"loss": 2.0}, 3.0))
    report.fitted(["1", "2"])
    assert told[0] == ("second", 1, 3) and told[-1] == ("second", 3, 3)
    assert told[-2] == ("second", Progress(25, 80, {"loss": 2.0}, 4.0))

    system.by_file = True
    report = _StageReport(job_of(store, data), 3, 0, [Listener()])
    report.progress("a", Progress(10, 10, {}, 2.0))
    assert told[-1] == ("second", Progress(10, 100, {}, 2.0))


# Scoring and pictures


def test_the_trained_system_is_scored_by_the_runs_seed_and_kept_in_order(system, store):
    spec = spec_of(seed=5, first=3.0)
    data = prepare(spec)
    outcome = run(spec, data, store, LocalExecutor(), pictures=True)
    expected = [("b", 2.0, 1.0), ("a", 3.0, None)]
    assert [(name, s.value, s.floor) for name, s in outcome.scores.items()] == expected
    assert outcome.scores["a"] == Score(3.0, None, "higher", "A", "of a", "difference")

    for model, scored, seed in system.asked:
        assert seed == 5 and scored is data and model.config.first.value == 3.0
        assert set(model.artifacts) == {"first", "second"}
        for name in ("first", "second"):
            ours, theirs = model.artifacts[name].tensors["w"], outcome.artifacts[name].tensors["w"]
            assert torch.equal(ours, theirs)
    assert outcome.trained == ("first", "second") and set(outcome.seconds) == set(ALL)
    assert outcome.model.artifacts.keys() == outcome.artifacts.keys() == {"first", "second"}


def test_each_picture_is_kept_under_its_own_caption(system, store):
    spec = spec_of()
    outcome = run(spec, prepare(spec), store, LocalExecutor(), pictures=True)
    assert list(outcome.pictures) == ["Z. Last of the alphabet.", "A. First of it."]
    widths = []
    for content in outcome.pictures.values():
        widths.append(Image.open(io.BytesIO(content)).size[0])
    assert widths[0] < widths[1]

    plain = run(spec, prepare(spec), store, LocalExecutor())
    assert plain.pictures == {} and plain.trained == ()
    assert drawn(plain, store, LocalExecutor()).pictures == outcome.pictures


def test_scoring_and_pictures_read_all_settings_and_every_artifact(system):
    *_, evaluate, figures = stages_of(system, None)
    for stage, name in ((evaluate, EVALUATE), (figures, FIGURES)):
        assert stage.name == name and stage.needs == ("first", "second")
        assert set(stage.sections) == {"first", "second", "evaluation"}


def test_what_is_kept_of_scores_and_pictures_is_read_as_it_was():
    score = {"value": 1.0, "floor": 0.5, "better": "lower"}
    scores = scores_of(Artifact(meta={"scores": [{"name": "x", "score": score}]}))
    assert scores == {"x": Score(1.0, 0.5, "lower")}
    tensors = {f"{i:03d}": torch.tensor([i], dtype=torch.uint8) for i in range(12)}
    pictures = pictures_of(Artifact(tensors, {"captions": [f"c{i}" for i in range(12)]}))
    assert pictures == {f"c{i}": bytes([i]) for i in range(12)}


def test_a_stored_run_is_the_one_that_was_run(system, store):
    spec = spec_of(seed=2)
    outcome = run(spec, prepare(spec), store, LocalExecutor())
    record = json.loads(store.storage.read(f"{spec.run_id}/run.json"))
    assert record["artifacts"] == {k: v for k, v in keys_of(spec, store).items() if k in ALL[:2]}
    stored = open_run(spec.run_id, store)
    assert stored.spec == spec and stored.scores == outcome.scores and stored.kind == "table"
    assert stored.fingerprint == outcome.data.fingerprint
    assert torch.equal(
        stored.model.artifacts["second"].tensors["w"], outcome.artifacts["second"].tensors["w"]
    )


def test_settings_are_checked_on_the_data_and_what_cannot_be_taken_is_refused(system, monkeypatch):
    spec = spec_of()
    data = prepare(spec)
    assert system.checked == [(spec.config, data)]
    with pytest.raises(ValueError, match="toy models a table, but digits is images"):
        prepare(spec_of(data=DataConfig(source="digits")))
    monkeypatch.setattr(Toy, "stages", lambda self, data: ())
    with pytest.raises(ValueError, match="toy takes no data larger than memory"):
        prepare(spec)


def test_stages_come_from_the_store_and_listeners_hear_where_from(system, store):
    told = []

    class Listener:
        def __getattr__(self, name):
            return lambda *words: told.append((name, *words))

    class Refusing(LocalExecutor):
        def fit(self, job, units, report):
            raise AssertionError("trained anew")

    spec = spec_of()
    for executor in (LocalExecutor(), Refusing()):
        fit_stages(spec, prepare(spec), store, executor, [Listener()])
    ended = [words for name, *words in told if name == "stage_finished"]
    assert [words[0] for words in ended] == ["first", "second"] * 2
    assert [words[2] is None for words in ended] == [False, False, True, True]


def test_a_stage_of_one_unit_has_one_part(system):
    first, _ = system.stages(None)
    part = Artifact(meta={"n": 1})
    assert first.merge([part]) is part
    with pytest.raises(ValueError):
        first.merge([part, part])


def test_a_run_is_named_by_all_that_determines_it_and_read_as_it_was(system):
    specs = [spec_of(), spec_of(seed=1), spec_of(first=2.0), spec_of(system="another")]
    specs.append(spec_of(data=DATA.model_copy(update={"num_test": 61})))
    assert len({spec.run_id for spec in specs}) == 5
    for spec in specs:
        assert Spec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_stage_reads_the_artifacts_it_declares_and_no_other(system, store, monkeypatch):
    first, second = system.stages(None)
    monkeypatch.setattr(Toy, "stages", lambda self, data: (first, replace(second, needs=())))
    with pytest.raises(UndeclaredRead, match="'second' reads the artifact of 'first'"):
        fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor())
