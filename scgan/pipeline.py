"""A run: a system's stages in order, each taken from the store or trained, then scored.

Where a stage's units are trained is the executor's business; what is trained, and under which key it is stored, is
decided here, so that a run here, under Ray, killed and taken up again, or repeated, ends in the same artifacts.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import torch

from scgan import systems
from scgan.artifacts import Artifact, ArtifactStore, digest
from scgan.config import Settings, build, suggest
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.dataset import load as load_data
from scgan.data.schema import Schema
from scgan.metrics.scores import Score
from scgan.systems.base import Inputs, Model, Stage, System, Units
from scgan.training.runtime import Progress, Runtime, StoredCheckpoints

_RUN_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Spec:
    """All that determines a run's result.

    Args:
        system: The system's name.
        data: Which data.
        config: The system's settings.
        seed: Of everything random.
    """

    system: str
    data: DataConfig
    config: Settings
    seed: int = 0

    @property
    def run_id(self) -> str:
        """The run's name: system, data and the hash of everything."""
        source = self.data.source.rstrip("/").rsplit("/", 1)[-1].partition(".")[0]
        source = re.sub(r"[^A-Za-z0-9_-]+", "-", source).strip("-") or "data"
        return f"{self.system}-{source}-{digest(self.to_json())[:8]}"

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` takes back."""
        return {
            "system": self.system,
            "data": self.data.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Spec:
        """The spec that :meth:`to_json` wrote down."""
        config = build(systems.load(tree["system"]).Config, tree["config"])
        return cls(tree["system"], build(DataConfig, tree["data"]), config, tree["seed"])


@dataclass(frozen=True)
class Job:
    """One stage of a run, ready to be fitted anywhere.

    Args:
        system: The system's name.
        stage: The stage's name.
        config: The system's settings.
        key: The artifact's key in the store.
        provenance: What the key is the hash of, for the manifest.
        inputs: What the fit may read.
        store_url: Where artifacts and checkpoints lie.
    """

    system: str
    stage: str
    config: Settings
    key: str
    provenance: Mapping[str, Any]
    inputs: Inputs
    store_url: str

    @property
    def definition(self) -> Stage:
        """The stage itself."""
        return next(stage for stage in systems.load(self.system).stages if stage.name == self.stage)

    def part_key(self, units: Units) -> str:
        """Key of the part that holds these units."""
        return f"{self.key}.part-{digest(list(units))[:16]}"


def fit_part(job: Job, units: Units, runtime: Runtime) -> None:
    """Fit some units of a stage and store the part; called wherever an executor puts it.

    Args:
        job: The stage.
        units: Names of the units.
        runtime: Where it runs; its checkpoints are set here.
    """
    store = ArtifactStore(job.store_url)
    checkpoint = f"{job.part_key(units)}.checkpoint"
    runtime = replace(runtime, checkpoints=StoredCheckpoints(store, checkpoint))
    with _one_thread(runtime.device):
        artifact = job.definition.fit(job.config, units, job.inputs, runtime)
    if runtime.rank == 0:
        meta = {**artifact.meta, "units": list(units)}
        store.save(job.part_key(units), Artifact(artifact.tensors, meta), job.provenance)
        store.delete(checkpoint)


@contextlib.contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """One thread on a CPU: small networks crawl with more, and sums come in the same order on any machine."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Executor(Protocol):
    """Who maps over a stage's units."""

    def warm_up(self) -> None:
        """Begin whatever takes time before the first fit, without waiting for it."""

    def fit(self, job: Job, units: Units, report: Callable[[str, Progress], None]) -> None:
        """Have every unit fitted by :func:`fit_part`, in packs of its choice, reporting each pack by a name."""


class LocalExecutor:
    """Fits all units at once, in this process.

    Args:
        device: Where; the first GPU where there is one, by default.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def warm_up(self) -> None:
        """Nothing to begin."""

    def fit(self, job: Job, units: Units, report: Callable[[str, Progress], None]) -> None:
        """Fit every unit as one part."""
        runtime = Runtime(self.device, report=lambda progress: report("all", progress), amp=self.device.type == "cuda")
        fit_part(job, units, runtime)


class Listener(Protocol):
    """Who is told how a run goes: a terminal, MLflow."""

    def run_started(self, spec: Spec, data: Dataset) -> None:
        """A run begins; settings and data are known to be usable."""

    def stage_started(self, stage: str, num_units: int) -> None:
        """A stage begins to be trained."""

    def progress(self, stage: str, progress: Progress) -> None:
        """A stage is somewhere, all packs together."""

    def stage_finished(self, stage: str, artifact: Artifact, seconds: float | None) -> None:
        """A stage is there; ``seconds`` is None where it came from the store."""

    def run_finished(self, outcome: Outcome) -> None:
        """Everything is trained and scored."""

    def run_failed(self, error: BaseException) -> None:
        """The run ended early."""


@dataclass(frozen=True)
class Outcome:
    """What a run ends with.

    Args:
        spec: What was run.
        data: The data.
        artifacts: Of each stage, by its name.
        model: The trained system.
        scores: On the held-out split, beside their floors.
        trained: Names of the stages that were trained now, not taken from the store.
        seconds: How long each stage, and scoring, took in this call.
    """

    spec: Spec
    data: Dataset
    artifacts: Mapping[str, Artifact]
    model: Model
    scores: Mapping[str, Score]
    trained: tuple[str, ...]
    seconds: Mapping[str, float]


def prepare(spec: Spec) -> Dataset:
    """Load a run's data and check that its settings can be used on it, before anything is started.

    Raises:
        ValueError: If the data can't be read or the settings don't fit it.
    """
    data = load_data(spec.data, spec.seed)
    systems.load(spec.system).check(spec.config, data)
    return data


def run(
    spec: Spec, data: Dataset, store: ArtifactStore, executor: Executor, listeners: Sequence[Listener] = ()
) -> Outcome:
    """Run the stages in order, each from the store where it is there, and score the result.

    Args:
        spec: What to run.
        data: The spec's data, as :func:`prepare` gives it.
        store: Where artifacts lie.
        executor: Who trains what is missing.
        listeners: Who is told.

    Returns:
        The trained system and its scores.
    """
    system = systems.load(spec.system)
    for listener in listeners:
        listener.run_started(spec, data)
    try:
        outcome = _run(spec, system, data, store, executor, listeners)
    except BaseException as error:
        for listener in listeners:
            listener.run_failed(error)
        raise
    for listener in listeners:
        listener.run_finished(outcome)
    return outcome


def _run(
    spec: Spec,
    system: System,
    data: Dataset,
    store: ArtifactStore,
    executor: Executor,
    listeners: Sequence[Listener],
) -> Outcome:
    trained = fit_stages(spec, data, store, executor, listeners)
    artifacts = {name: stage.artifact for name, stage in trained.items()}
    keys = {name: stage.key for name, stage in trained.items()}
    model = system.model(spec.config, artifacts, torch.device("cpu"))
    start = time.monotonic()
    scores = _scores(spec, system, model, data, keys, store)
    seconds = {name: stage.seconds for name, stage in trained.items()}
    seconds["evaluate"] = time.monotonic() - start
    _write_run(spec, keys, data, scores, store)
    new = tuple(name for name, stage in trained.items() if stage.new)
    return Outcome(spec, data, artifacts, model, scores, new, seconds)


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
        only: Names of the stages that are wanted, with all that they need; all by default.

    Returns:
        The stages by name.
    """
    fitted: dict[str, Fitted] = {}
    for stage in systems.load(spec.system).stages:
        if only is not None and stage.name not in only:
            continue
        inputs = Inputs(data, {name: fitted[name].artifact for name in stage.needs}, spec.seed)
        job = _job(spec, stage, {name: f.key for name, f in fitted.items()}, inputs, store.url)
        start = time.monotonic()
        stored = store.load(job.key)
        artifact = stored or _train(job, store, executor, listeners)
        seconds = time.monotonic() - start
        fitted[stage.name] = Fitted(artifact, job.key, stored is None, seconds)
        for listener in listeners:
            listener.stage_finished(stage.name, artifact, None if stored else seconds)
    return fitted


@dataclass(frozen=True)
class StoredRun:
    """A finished run, as the store holds it.

    Args:
        spec: What was run.
        schema: The data's columns.
        model: The trained system.
        artifacts: Of each stage, by its name.
        scores: On the held-out split.
        fingerprint: Of the data it was trained on.
    """

    spec: Spec
    schema: Schema
    model: Any
    artifacts: Mapping[str, Artifact]
    scores: Mapping[str, Score]
    fingerprint: str

    def outcome(self) -> Outcome:
        """What the run ended with, its data loaded again.

        Raises:
            ValueError: If the data can't be read any more, or is no longer what the run was trained on.
        """
        data = prepare(self.spec)
        if data.fingerprint != self.fingerprint:
            raise ValueError(f"{self.spec.data.source} has changed since the run {self.spec.run_id}; run it again")
        return Outcome(self.spec, data, self.artifacts, self.model, self.scores, trained=(), seconds={})


def open_run(name: str, store: ArtifactStore) -> StoredRun:
    """Load a finished run from a store.

    Args:
        name: The run's name, as the run printed it.
        store: Where it lies.

    Returns:
        The run.

    Raises:
        ValueError: If there is none of that name, or an artifact of it is missing.
    """
    raw = store.storage.read(f"{name}/run.json") if _RUN_NAME.fullmatch(name) else None
    if raw is None:
        known = [n.split("/")[0] for n in store.storage.names("") if n.endswith("/run.json")]
        raise ValueError(f"no run {name!r} in the store {store.url!r}{suggest(name, known)}")
    record = json.loads(raw)
    spec = Spec.from_json(record["spec"])
    artifacts = {stage: store.load(key) for stage, key in record["artifacts"].items()}
    missing = [stage for stage, artifact in artifacts.items() if artifact is None]
    if missing:
        raise ValueError(f"the run {name!r} has lost its {missing[0]!r} artifact; run it again to train it anew")
    found = {stage: artifact for stage, artifact in artifacts.items() if artifact is not None}
    model = systems.load(spec.system).model(spec.config, found, torch.device("cpu"))
    scores = {key: Score(**score) for key, score in record["scores"].items()}
    schema, fingerprint = Schema.from_json(record["schema"]), record["data"]["fingerprint"]
    return StoredRun(spec, schema, model, found, scores, fingerprint)


def _job(spec: Spec, stage: Stage, keys: Mapping[str, str], inputs: Inputs, store_url: str) -> Job:
    tree = spec.config.model_dump(mode="json")
    provenance = {
        "system": spec.system,
        "stage": stage.name,
        "version": stage.version,
        "config": {section: tree[section] for section in stage.sections},
        "upstream": {name: keys[name] for name in stage.needs},
        "data": inputs.data.fingerprint,
        "seed": spec.seed,
    }
    key = f"{stage.name}-{digest(provenance)[:24]}"
    return Job(spec.system, stage.name, spec.config, key, provenance, inputs, store_url)


def _train(job: Job, store: ArtifactStore, executor: Executor, listeners: Sequence[Listener]) -> Artifact:
    """Fit the units that no stored part holds, then merge the parts."""
    stage = job.definition
    units = stage.units(job.config, job.inputs)
    for listener in listeners:
        listener.stage_started(stage.name, len(units))
    parts = _parts(job, store)
    done = {unit for part in parts.values() for unit in part.meta["units"]}
    missing = [unit for unit in units if unit not in done]
    if missing:
        executor.fit(job, missing, _totals(stage.name, listeners))
        parts = _parts(job, store)
    artifact = stage.merge(list(parts.values()))
    store.save(job.key, artifact, job.provenance)
    for key in list(store.keys(f"{job.key}.part-")):
        store.delete(key)
    return artifact


def _parts(job: Job, store: ArtifactStore) -> dict[str, Artifact]:
    """The stored parts of a stage, no unit in two of them."""
    parts: dict[str, Artifact] = {}
    seen: set[str] = set()
    for key in store.keys(f"{job.key}.part-"):
        part = None if key.endswith(".checkpoint") else store.load(key)
        if part is not None and not seen & set(part.meta["units"]):
            parts[key] = part
            seen |= set(part.meta["units"])
    return parts


def _totals(stage: str, listeners: Sequence[Listener]) -> Callable[[str, Progress], None]:
    """Add the packs' progress up and tell the listeners."""
    latest: dict[str, Progress] = {}

    def report(pack: str, progress: Progress) -> None:
        latest[pack] = progress
        samples, total = (sum(getattr(p, name) for p in latest.values()) for name in ("samples", "total"))
        for listener in listeners:
            seconds = max(p.seconds for p in latest.values())
            listener.progress(stage, Progress(samples, total, progress.metrics, seconds))

    return report


def _scores(
    spec: Spec, system: System, model: Model, data: Dataset, keys: Mapping[str, str], store: ArtifactStore
) -> dict[str, Score]:
    key = f"scores-{digest({'keys': dict(keys), 'data': data.fingerprint, 'seed': spec.seed})[:24]}"
    if (stored := store.load(key)) is not None:
        return {name: Score(**score) for name, score in stored.meta["scores"].items()}
    scores = system.evaluate(model, data, spec.seed)
    store.save(key, Artifact(meta={"scores": {name: asdict(score) for name, score in scores.items()}}))
    return scores


def _write_run(
    spec: Spec, keys: Mapping[str, str], data: Dataset, scores: Mapping[str, Score], store: ArtifactStore
) -> None:
    record = {
        "spec": spec.to_json(),
        "artifacts": dict(keys),
        "data": data.describe(),
        "schema": data.schema.to_json(),
        "scores": {name: asdict(score) for name, score in scores.items()},
    }
    store.storage.write(f"{spec.run_id}/run.json", json.dumps(record, indent=1, allow_nan=False).encode())
