"""What a search costs and brings: against whole trials, without early stops, and without it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

import optuna
import ray
import torch
from optuna.trial import FrozenTrial, TrialState
from torch import Tensor

from ray_jobs.benchmarks.showing import table
from ray_jobs.tuning.guard import join
from ray_jobs.tuning.run import search
from ray_jobs.tuning.settings import TuneSettings, resolve, trial_spec
from ray_jobs.tuning.study import best, costs
from scgan import systems
from scgan.config import override, shortened
from scgan.data.split import validation_split
from scgan.metrics.objectives import GENERATION, measure
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

METRIC = "sliced_wasserstein"


@dataclass(frozen=True)
class Measured:
    """A search to be measured.

    Args:
        source: The data's name, or PATH or PATH@LABEL of a table.
        preset: Settings to start from.
        words: Changes of the system's space, as ``--space`` takes them.
        keys: The settings that are searched; all of the space where empty.
        trials: How many.
        length: Share of the full length that trials train for.
        seed: Of everything random.
        training: Share of the preset's training lengths, for the trials and all that is trained
            after them.
        rows: Of a toy set to train on, and as many held out; None for the settings' own number.
        metric: What is minimised.
    """

    source: str
    preset: str
    words: tuple[str, ...]
    keys: Sequence[str]
    trials: int
    length: float = 1.0
    seed: int = 0
    training: float = 1.0
    rows: int | None = None
    metric: str = METRIC

    @property
    def spec(self) -> Spec:
        """The run at full length, with the settings that the words fix."""
        rows = {} if self.rows is None else {"num_train": self.rows, "num_test": self.rows}
        config = shortened(systems.load("scgan").presets[self.preset], self.training)
        data = table(self.source).model_copy(update=rows)
        spec = Spec("scgan", data, config, self.seed)
        return resolve(self.settings, spec)[1]

    @property
    def settings(self) -> TuneSettings:
        """How it is searched."""
        return TuneSettings(
            trials=self.trials,
            study="measured",
            space=self.words,
            only=",".join(self.keys) or None,
            metric=(self.metric,),
            length=self.length,
            max_failed=0.0,
        )


def run(measured: Measured, folder: str, **changes: Any) -> optuna.Study:
    """Search, with MLflow beside the store, and return the study."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    settings = measured.settings.model_copy(update=changes)
    if not search(measured.spec, settings, folder):
        raise RuntimeError("a trial failed, so that nothing can be compared")
    return optuna.load_study(study_name="measured", storage=settings.database("measured", folder))


def train_whole(spec: Spec, validation: float) -> float:
    """Train every stage of a trial's settings in a store of its own, and score as a search does."""
    torch.set_num_threads(1)
    data = validation_split(pipeline.prepare(spec), validation, spec.seed)
    with tempfile.TemporaryDirectory() as folder:
        fitted = pipeline.fit_stages(spec, data, ArtifactStore(folder), LocalExecutor())
    artifacts = {name: stage.artifact for name, stage in fitted.items()}
    system = systems.load(spec.system)
    model = system.model(spec.config, artifacts, torch.device("cpu"))
    return measure(model, data, system.objectives(data), spec.seed)[METRIC]


def sharing(measured: Measured) -> dict[str, Any]:
    """A search, and then each of its trials trained whole, as many at a time, on one machine.

    Returns:
        Fits a stage, both times and their ratio, seconds a trial outside its training, and the
        largest difference between the two values of a trial's metric, relative.
    """
    join()
    slots = int(ray.cluster_resources()["CPU"])

    with tempfile.TemporaryDirectory() as folder:
        study = run(measured, folder)
        told = costs(study)
        seconds = study.user_attrs["seconds"]
        trials = study.get_trials(deepcopy=False)

    base = trial_spec(measured.spec, measured.settings)
    specs = [replace(base, config=override(base.config, trial.params)) for trial in trials]
    task = ray.remote(num_cpus=1)(train_whole)
    start = time.monotonic()
    values = ray.get([task.remote(spec, measured.settings.validation) for spec in specs])
    whole = time.monotonic() - start

    pairs = [
        (t.value, value)
        for t, value in zip(trials, values, strict=True)
        if t.state == TrialState.COMPLETE
    ]

    return {
        "fits": dict(told.fits),
        "search_seconds": seconds,
        "whole_seconds": whole,
        "ratio": seconds / whole,
        "seconds_outside_training": (slots * seconds - told.spent) / len(trials),
        "largest_difference": max(abs(one - other) / other for one, other in pairs),
    }


def stopping(measured: Measured, rounds: int) -> dict[str, Any]:
    """The same search with early stops and without, both bests trained from other seeds.

    Returns:
        Seconds of training of both and their ratio, the trials' best values, and mean and standard
        deviation of the held-out distance of each best point over the seeds.
    """
    join()
    found: dict[str, Any] = {}

    for name in ("asha", "none"):
        with tempfile.TemporaryDirectory() as folder:
            study = run(measured, folder, stop=name)

        top = _best(study)
        others = [_at(measured.spec, top, measured.seed + 1 + i) for i in range(rounds)]
        again = held_out(others, METRIC)

        found[name] = {
            "training_seconds": costs(study).spent,
            "best": top.value,
            "held_out_mean": fmean(again),
            "held_out_std": stdev(again),
        }

    found["ratio"] = found["asha"]["training_seconds"] / found["none"]["training_seconds"]
    return found


def gain(measured: Measured, folder: str) -> dict[str, Any]:
    """The best of a search against the preset's own settings, trained on all rows, equally long.

    Returns:
        The held-out distance of both, that of the training rows, which is the noise floor, and the
        best settings.
    """
    join()
    spec = measured.spec
    top = _best(run(measured, folder))
    whole = [_at(spec, top, measured.seed), spec]
    found, plain = held_out(whole, measured.metric, folder)
    data = pipeline.prepare(spec)
    floor = GENERATION[measured.metric](Resampled(data.train), data, measured.seed)

    return {
        "best": found,
        "preset": plain,
        "floor": floor,
        "trial": top.number,
        "settings": top.params,
    }


def _best(study: optuna.Study) -> FrozenTrial:
    top = best(study)
    if top is None:
        raise RuntimeError("no trial is complete")
    return top


def _at(spec: Spec, trial: FrozenTrial, seed: int) -> Spec:
    return replace(spec, config=override(spec.config, trial.params), seed=seed)


class Resampled:
    """The model that can do no more than give training rows again: the noise floor."""

    device = torch.device("cpu")

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """Rows ``[num, D]``, each drawn anew."""
        return self.rows[torch.randint(len(self.rows), (num,), generator=generator)]


def held_out(specs: Sequence[Spec], metric: str, store_url: str | None = None) -> list[float]:
    """Train runs whole, as many at once as there are CPUs, and measure each on held-out rows."""
    task = ray.remote(num_cpus=1)(value_of)
    return list(ray.get([task.remote(spec, metric, store_url) for spec in specs]))


def value_of(spec: Spec, metric: str, store_url: str | None) -> float:
    """A metric of a run, by its held-out rows."""
    torch.set_num_threads(1)
    data = pipeline.prepare(spec)

    with tempfile.TemporaryDirectory() as folder:
        fitted = pipeline.fit_stages(
            spec, data, ArtifactStore(store_url or folder), LocalExecutor()
        )

    artifacts = {name: stage.artifact for name, stage in fitted.items()}
    model = systems.load(spec.system).model(spec.config, artifacts, torch.device("cpu"))
    return GENERATION[metric](model, data, spec.seed)
