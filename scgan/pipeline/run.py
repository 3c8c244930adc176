"""A run: a system's stages in order, each taken from the store or trained, then scored.

Where a stage's units are trained is the executor's business; what is trained, and under which key
it is stored, is decided here, so that a run here, under Ray, killed and taken up again, or
repeated, ends in the same artifacts.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from typing_extensions import override

from scgan import systems
from scgan.contract import Declared, Inputs, Stage, Units
from scgan.data.dataset import Dataset
from scgan.data.loading import load as load_data
from scgan.metrics.scores import Score
from scgan.pipeline.executor import Executor, Job, Reporter, Usage
from scgan.pipeline.finishing import EVALUATE, FIGURES, pictures_of, scores_of, stages_of
from scgan.pipeline.listeners import Listener
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, ArtifactStore, digest
from scgan.training.runtime import Progress


def prepare(spec: Spec) -> Dataset:
    """Load a run's data and check that its settings can be used on it, before anything is started.

    Raises:
        ValueError: If the data can't be read or the settings don't fit it.
    """
    data, system = load_data(spec.data, spec.seed), systems.load(spec.system)

    if data.kind not in system.examples:
        what = {"images": "images", "table": "a table"}
        models = " or ".join(what[kind] for kind in system.examples)
        every = {name: systems.load(name) for name in systems.available()}
        fitting = [name for name, other in every.items() if data.kind in other.examples]
        raise ValueError(
            f"{spec.system} models {models}, but {data.name} is {what[data.kind]}: take --system "
            f"{' or '.join(fitting)}, or other --data"
        )

    if not system.stages(data):
        raise ValueError(
            f"{spec.system} takes no data larger than memory; give --data.stream false, or fewer "
            "rows"
        )

    system.check(spec.config, data)
    return data


def run(
    spec: Spec,
    data: Dataset,
    store: ArtifactStore,
    executor: Executor,
    listeners: Sequence[Listener] = (),
    *,
    pictures: bool = False,
) -> Outcome:
    """Run the stages in order, each from the store where it is there, and score the result.

    Args:
        spec: What to run.
        data: The spec's data, as :func:`prepare` gives it.
        store: Where artifacts lie.
        executor: Who trains what is missing, and scores.
        listeners: Who is told.
        pictures: Whether to draw the result, too.

    Returns:
        The trained system and its scores.
    """
    for listener in listeners:
        listener.run_started(spec, data)

    try:
        outcome = _run(spec, data, store, executor, listeners, pictures)
    except BaseException as error:
        for listener in listeners:
            listener.run_failed(error)
        raise

    for listener in listeners:
        listener.run_finished(outcome)
    return outcome


def _run(
    spec: Spec,
    data: Dataset,
    store: ArtifactStore,
    executor: Executor,
    listeners: Sequence[Listener],
    pictures: bool,
) -> Outcome:
    system = systems.load(spec.system)
    names = [stage.name for stage in system.stages(data)]
    last = [EVALUATE, FIGURES] if pictures else [EVALUATE]
    fitted = fit_stages(spec, data, store, executor, listeners, only=[*names, *last])
    scores = scores_of(fitted[EVALUATE].artifact)
    _write_run(spec, fitted, names, data, scores, store)

    artifacts = {name: fitted[name].artifact for name in names}
    model = system.model(spec.config, artifacts, torch.device("cpu"))
    trained = tuple(name for name in names if fitted[name].new)
    seconds = {name: stage.seconds for name, stage in fitted.items()}
    images = pictures_of(fitted[FIGURES].artifact) if pictures else {}
    return Outcome(spec, data, artifacts, model, scores, trained, seconds, images)


def drawn(outcome: Outcome, store: ArtifactStore, executor: Executor) -> Outcome:
    """The same with its pictures, from the store or drawn by the executor."""
    wanted = [*outcome.artifacts, FIGURES]
    fitted = fit_stages(outcome.spec, outcome.data, store, executor, only=wanted)
    return replace(outcome, pictures=pictures_of(fitted[FIGURES].artifact))


@dataclass(frozen=True)
class Fitted:
    """A stage's artifact and where it came from.

    Args:
        artifact: The artifact.
        key: Its key in the store.
        new: Whether it was trained now.
        seconds: How long it took to train or load.
    """

    artifact: Artifact
    key: str
    new: bool
    seconds: float


def fit_stages(
    spec: Spec,
    data: Dataset,
    store: ArtifactStore,
    executor: Executor,
    listeners: Sequence[Listener] = (),
    only: Sequence[str] | None = None,
) -> dict[str, Fitted]:
    """Take each stage from the store or train it, in order.

    Args:
        spec: What to run.
        data: The spec's data.
        store: Where artifacts lie.
        executor: Who trains what is missing.
        listeners: Who is told of the stages.
        only: Names of the stages that are wanted, with all that they need; by default the
            system's own, without scoring and pictures.

    Returns:
        The stages by name.
    """
    fitted: dict[str, Fitted] = {}
    system = systems.load(spec.system)
    wanted = [stage.name for stage in system.stages(data)] if only is None else only

    for stage in stages_of(system, data):
        if stage.name not in wanted:
            continue

        needed = {name: fitted[name].artifact for name in stage.needs}
        inputs = Inputs(data, Declared(stage.name, needed), spec.seed)
        job = _job(spec, stage, {name: f.key for name, f in fitted.items()}, inputs, store.url)
        start = time.monotonic()
        stored = store.load(job.key)
        artifact = stored or train_stage(job, store, executor, listeners)
        seconds = time.monotonic() - start
        fitted[stage.name] = Fitted(artifact, job.key, stored is None, seconds)
        for listener in listeners:
            listener.stage_finished(stage.name, artifact, None if stored else seconds)

    return fitted


def _job(spec: Spec, stage: Stage, keys: Mapping[str, str], inputs: Inputs, store_url: str) -> Job:
    tree = spec.config.model_dump(mode="json")
    provenance = {
        "stage": stage.recipe or f"{spec.system}.{stage.name}",
        "version": stage.version,
        "config": {section: tree[section] for section in stage.sections},
        "upstream": {name: keys[name] for name in stage.needs},
        "data": inputs.data.fingerprint,
        "seed": spec.seed,
    }

    key = f"{stage.name}-{digest(provenance)[:24]}"
    return Job(spec.system, stage.name, spec.config, key, provenance, inputs, store_url)


def train_stage(
    job: Job, store: ArtifactStore, executor: Executor, listeners: Sequence[Listener]
) -> Artifact:
    """Fit the units that no stored part holds, then merge the parts.

    Args:
        job: The stage.
        store: Where its parts and the artifact lie.
        executor: Who fits the units.
        listeners: Who is told.

    Returns:
        The stage's artifact, stored.
    """
    stage = job.definition
    units = stage.units(stage.view(job.config), job.inputs)
    for listener in listeners:
        listener.stage_started(stage.name, len(units))

    parts = _parts(job, store)
    done = _units_of(parts)
    missing = [unit for unit in units if unit not in done]

    if missing:
        report = _StageReport(job, len(units), len(units) - len(missing), listeners)
        executor.fit(job, missing, report)
        parts = _parts(job, store)

    if _units_of(parts) == set(units):
        artifact = stage.merge(list(parts.values()))
        store.save(job.key, artifact, job.provenance)
    else:
        # Another run of the same stage has ended it meanwhile, and cleared its parts away.
        artifact = _stored(job, store)

    for key in list(store.keys(f"{job.key}.part-")):
        store.delete(key)

    return artifact


def _units_of(parts: Mapping[str, Artifact]) -> set[str]:
    """The units that some parts hold together."""
    return set(itertools.chain.from_iterable(part.meta["units"] for part in parts.values()))


def _stored(job: Job, store: ArtifactStore) -> Artifact:
    stored = store.load(job.key)
    if stored is None:
        raise RuntimeError(
            f"{job.stage}: parts of it have gone from the store; the same command trains them again"
        )
    return stored


def _parts(job: Job, store: ArtifactStore) -> dict[str, Artifact]:
    """The stored parts of a stage, no unit in two; large ones first if two runs packed it."""
    keys = [key for key in store.keys(f"{job.key}.part-") if not key.endswith(".checkpoint")]
    found = [(key, part) for key in keys if (part := store.load(key)) is not None]
    parts: dict[str, Artifact] = {}
    seen: set[str] = set()

    for key, part in sorted(found, key=lambda pair: -len(pair[1].meta["units"])):
        if not seen & set(part.meta["units"]):
            parts[key] = part
            seen |= set(part.meta["units"])

    return parts


class _StageReport(Reporter):
    """Adds up what an executor tells of a stage's packs, and tells the listeners."""

    def __init__(self, job: Job, num_units: int, done: int, listeners: Sequence[Listener]) -> None:
        self.stage, self.listeners = job.stage, listeners
        self.num_units, self.done = num_units, done
        self.latest: dict[str, Progress] = {}

        # Of all files, begun or not.
        self.rows = job.inputs.data.num_train if job.definition.by_file else None
        self.fitted(())

    @override
    def progress(self, pack: str, progress: Progress) -> None:
        self.latest[pack] = progress
        packs = self.latest.values()
        samples = sum(pack.samples for pack in packs)
        total = self.rows or sum(pack.total for pack in packs)
        seconds = max(pack.seconds for pack in packs)

        for listener in self.listeners:
            listener.progress(self.stage, Progress(samples, total, progress.metrics, seconds))

    @override
    def fitted(self, units: Units) -> None:
        self.done += len(units)
        for listener in self.listeners:
            listener.units_fitted(self.stage, self.done, self.num_units)

    @override
    def used(self, usage: Usage) -> None:
        for listener in self.listeners:
            listener.resources_used(usage)


def _write_run(
    spec: Spec,
    fitted: Mapping[str, Fitted],
    stages: Sequence[str],
    data: Dataset,
    scores: Mapping[str, Score],
    store: ArtifactStore,
) -> None:
    """Write down what the run is, and which artifacts are its own."""
    keys = {name: stage.key for name, stage in fitted.items()}
    record = {
        "spec": spec.to_json(),
        "artifacts": {name: keys[name] for name in stages},
        "results": {name: key for name, key in keys.items() if name not in stages},
        "data": data.describe(),
        "schema": data.schema.to_json(),
        "scores": {name: asdict(score) for name, score in scores.items()},
    }

    text = json.dumps(record, indent=1, allow_nan=False)
    store.storage.write(f"{spec.run_id}/run.json", text.encode())
