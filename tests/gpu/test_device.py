"""Every stage of every system on the device: it trains, resumes, packs, serves and is scored.

``make gpu`` runs these on a machine with a GPU. On any other they run on its CPU, so that the code
is held without one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from scgan import systems
from scgan.capabilities import Clustering, Reconstructing, cluster_probabilities
from scgan.config import leaves, override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor, fit_part
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.stages.images.generate import GeneratorTraining
from scgan.store.artifacts import ArtifactStore
from scgan.training.runtime import Runtime, StoredCheckpoints

pytestmark = pytest.mark.gpu

CPU = torch.device("cpu")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DATA = {
    "table": DataConfig(source="eight_gaussians", num_train=1000, num_test=400),
    "images": DataConfig(source="digits"),
}
STEPS = 6  # of each training


def short(name, kind, **changes):
    """The smoke preset of a system, every training cut to a few steps of small batches."""
    config = systems.load(name).presets["smoke"]
    sizes = dict(leaves(config))
    for key in sizes:
        if key.endswith(".num_samples"):
            batch = key.replace("num_samples", "batch_size")
            changes |= {batch: min(64, sizes[batch]), key: STEPS * min(64, sizes[batch])}
    return Spec(name, DATA[kind], override(config, changes))


def fitted(spec, folder, executor, only=None):
    """Every stage, or those named, by name."""
    return fit_stages(spec, prepare(spec), ArtifactStore(str(folder)), executor, only=only)


@dataclass(frozen=True)
class Trained:
    """A system after a few steps on the device."""

    spec: Spec
    data: Any
    artifacts: Any

    def model(self, device):
        system = systems.load(self.spec.system)
        return system.model(self.spec.config, self.artifacts, device)


KINDS = [(name, kind) for name in systems.available() for kind in systems.load(name).examples]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def trained(request, tmp_path_factory):
    spec = short(*request.param)
    stages = fitted(spec, tmp_path_factory.mktemp("trained"), LocalExecutor(DEVICE))
    return Trained(spec, prepare(spec), {name: fit.artifact for name, fit in stages.items()})


def test_every_stage_trains(trained):
    for artifact in trained.artifacts.values():
        assert all(t.isfinite().all() for t in artifact.tensors.values() if t.is_floating_point())


class InPieces(LocalExecutor):
    """Leaves every training half-way, takes it up, leaves it there again, then goes on."""

    def __init__(self):
        super().__init__(DEVICE)
        self.checked = []

    def fit(self, job, units, report):
        store = ArtifactStore(job.store_url)
        checkpoints = StoredCheckpoints(store, f"{job.part_key(units)}.checkpoint")
        own = getattr(job.config, job.definition.sections[-1])
        if hasattr(own, "num_samples"):
            until = STEPS // 2 * own.batch_size
            runtime = Runtime(DEVICE, checkpoints=checkpoints, until=until)
            self._compare(job, [self._left(job, units, runtime) for _ in range(2)])
        fit_part(job, units, Runtime(DEVICE))

    def _left(self, job, units, runtime):
        job.definition.fit(job.config, units, job.inputs, runtime)
        return runtime.checkpoints.load()

    def _compare(self, job, states):
        first, second = states
        if first is None:  # a kind of mapper that is not trained by steps
            return
        assert first.meta == second.meta and first.meta["samples"] > 0
        for name, tensor in first.tensors.items():
            assert torch.equal(tensor, second.tensors[name]), name
        self.checked.append(job.stage)


def test_every_training_is_taken_up_as_it_was_left(trained, tmp_path):
    executor = InPieces()
    resumed = fitted(trained.spec, tmp_path, executor)
    assert executor.checked
    for stage, whole in trained.artifacts.items():
        again = resumed[stage].artifact
        curves = [artifact.meta.get("curve", []) for artifact in (whole, again)]
        assert [len(curve) for curve in curves] == [len(curves[0])] * 2
        if DEVICE == CPU:  # on a GPU sums have no fixed order
            assert curves[0] == curves[1]
            assert all(torch.equal(t, again.tensors[name]) for name, t in whole.tensors.items())


def layers_in(thing):
    """Every layer with weights of its own that an object holds, in whatever it holds."""
    if isinstance(thing, torch.nn.Module):
        yield from (layer for layer in thing.modules() if [*layer.parameters(recurse=False)])
    elif isinstance(thing, Mapping):
        yield from layers_in(list(thing.values()))
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from layers_in(part)
    elif type(thing).__module__.startswith("scgan."):
        yield from layers_in(vars(thing))


def test_every_layer_is_brought_to_the_device(trained, monkeypatch):
    """Seen without a GPU: one that was forgotten stays on the CPU, and a sample or score fails."""
    brought, to = set(), torch.nn.Module.to
    monkeypatch.setattr(
        torch.nn.Module,
        "to",
        lambda self, *args, **how: (
            brought.update(map(id, self.modules())) or to(self, *args, **how)
        ),
    )
    layers = list(layers_in(trained.model(CPU)))
    assert layers and not [layer for layer in layers if id(layer) not in brought]


def test_it_serves_where_it_is(trained):
    model = trained.model(DEVICE)
    drawn, again = (model.sample(300, torch.Generator(DEVICE).manual_seed(seed)) for seed in (1, 1))
    assert drawn.device.type == DEVICE.type and drawn.isfinite().all()
    assert drawn.shape == (300, *trained.data.train.shape[1:])
    assert torch.allclose(drawn, again, atol=1e-4)


def test_it_is_scored_where_it_is(trained):
    system, model = systems.load(trained.spec.system), trained.model(DEVICE)
    _, score = next(iter(system.evaluate(model, trained.data, 0)))
    assert math.isfinite(score.value)


@pytest.mark.slow  # minutes on a CPU, where scores have tests of their own; `make gpu` runs it
def test_every_score_is_computed_where_it_is(trained):
    system, model = systems.load(trained.spec.system), trained.model(DEVICE)
    scores = dict(system.evaluate(model, trained.data, 0))
    assert all(math.isfinite(score.value) for score in scores.values())


@pytest.mark.slow
def test_it_is_pictured_where_it_is(trained):
    system, model = systems.load(trained.spec.system), trained.model(DEVICE)
    for caption, figure in system.figures(model, trained.data, 0):
        assert caption and figure.axes
        figure.clear()


def test_cpu_and_gpu_agree(trained):
    """What is computed without random numbers is the same; samples have the same means."""
    here, there = trained.model(CPU), trained.model(DEVICE)
    x = trained.data.test[:200]
    if isinstance(here, Clustering):
        one, other = (cluster_probabilities(model, x).cpu() for model in (here, there))
        assert (one.argmax(1) == other.argmax(1)).float().mean() > 0.99
        assert (one - other).abs().mean() < 0.01

    if isinstance(here, Reconstructing):
        one, other = (model.reconstruct(x).cpu() for model in (here, there))
        assert (one - other).abs().max() < 0.02 * one.abs().max()

    num = 2000 if x.ndim == 2 else 400
    draws = [
        model.sample(num, torch.Generator(model.device).manual_seed(seed)).cpu().flatten(1)
        for seed, model in enumerate((here, there))
    ]
    error = 6 * (draws[0].std(0) + draws[1].std(0)) / num**0.5
    assert ((draws[0].mean(0) - draws[1].mean(0)).abs() <= error + 1e-3).all()


class OneByOne(LocalExecutor):
    """Fits mappers one by one."""

    def fit(self, job, units, report):
        for pack in [[unit] for unit in units] if job.stage == "map" else [units]:
            fit_part(job, pack, Runtime(DEVICE))


@pytest.mark.parametrize("kind", ["adversarial", "flow", "mixture"])
def test_packing_changes_nothing(kind, tmp_path):
    spec = short("scgan", "table", **{"mappers.kind": kind, "clusters.num_clusters": 3})
    made = [
        fitted(spec, tmp_path / executor.__name__, executor(DEVICE))["map"].artifact.tensors
        for executor in (LocalExecutor, OneByOne)
    ]
    for name, tensor in made[0].items():
        assert torch.allclose(tensor, made[1][name], atol=0.02), name
        assert DEVICE != CPU or torch.equal(tensor, made[1][name]), name


OF_IMAGES = {"encoder": "encode", "judge": "judge", "generator": "generate"}  # by the section
TRAININGS = OF_IMAGES | {"decoder": "decode"}


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("scgan", "encoder"),
        ("scgan", "decoder"),
        *(("infoscc_gan", section) for section in OF_IMAGES),
    ],
)
def test_bf16_is_another_artifact_near_the_first(name, section, tmp_path):
    (kind,), stage, found = systems.load(name).examples, TRAININGS[section], []
    for precision in ("fp32", "bf16"):
        spec = short(name, kind, **{f"{section}.precision": precision})
        names = [other.name for other in systems.load(name).stages(prepare(spec))]
        needed = names[: names.index(stage) + 1]
        found.append(fitted(spec, tmp_path, LocalExecutor(DEVICE), needed)[stage])

    assert found[0].key != found[1].key
    first, other = (fit.artifact.meta["curve"][0] for fit in found)
    (loss, *_) = (name for name in first if name != "samples")
    assert first[loss] != other[loss] and first[loss] == pytest.approx(other[loss], rel=0.05)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # that it sees most, not all
def test_a_step_of_a_generator_never_waits_for_the_gpu():
    """One that did would leave it idle while the CPU makes ready what comes next."""
    spec = short("eigengan", "images", **{"generator.diff_augment": "color,translation,cutout"})
    training = GeneratorTraining(
        spec.config.generator, None, Inputs(prepare(spec), {}, 0), Runtime(DEVICE)
    )
    training.step()  # kernels are loaded, memory is set aside
    with no_waiting():
        losses = training.step()
    assert all(loss.isfinite() for loss in losses.values())


class no_waiting:  # noqa: N801
    """Within it, whatever waits for the GPU is an error."""

    def __enter__(self):
        if DEVICE.type == "cuda":
            torch.cuda.set_sync_debug_mode("error")

    def __exit__(self, *error):
        if DEVICE.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
