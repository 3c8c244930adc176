"""Scoring and pictures as stages: stored, resumed and run on the executor's device like any other.

They read all settings and all artifacts, so that whatever changes the trained system scores and
draws it anew.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch

from scgan import systems
from scgan.contract import Inputs, Stage, System, Units
from scgan.data.dataset import Dataset
from scgan.metrics.scores import Score
from scgan.store.artifacts import Artifact
from scgan.training.heartbeat import heartbeat
from scgan.training.runtime import Progress, Runtime

EVALUATE, FIGURES = "evaluate", "figures"
REPORT_EVERY = 2.0  # seconds between signs of life while a score or a picture takes its time


def stages_of(system: System, data: Dataset) -> tuple[Stage, ...]:
    """A system's stages on this data, then scoring and pictures."""
    stages = system.stages(data)
    sections = tuple(system.Config.model_fields)
    needs = tuple(stage.name for stage in stages)
    fits = {EVALUATE: _evaluate, FIGURES: _draw}

    last = [
        Stage(name, sections, needs, functools.partial(fit, system)) for name, fit in fits.items()
    ]
    return (*stages, *last)


def stage_of(system: str, data: Dataset, name: str) -> Stage:
    """The stage of that name."""
    return next(stage for stage in stages_of(systems.load(system), data) if stage.name == name)


def scores_of(artifact: Artifact) -> dict[str, Score]:
    """The scores that the stage ``evaluate`` stored, in their order."""
    return {entry["name"]: Score(**entry["score"]) for entry in artifact.meta["scores"]}


def pictures_of(artifact: Artifact) -> dict[str, bytes]:
    """The pictures that the stage ``figures`` stored: caption to PNG, in their order."""
    captions = artifact.meta["captions"]
    return {
        caption: artifact.tensors[f"{i:03d}"].numpy().tobytes()
        for i, caption in enumerate(captions)
    }


def _evaluate(
    system: System, config: Any, units: Units, inputs: Inputs, runtime: Runtime
) -> Artifact:
    """Score the trained system on the held-out split."""
    model = system.model(config, inputs.artifacts, runtime.device)
    scores: dict[str, Score] = {}

    with _reporting(runtime, scores):
        for name, score in system.evaluate(model, inputs.data, inputs.seed):
            scores[name] = score

    entries = [{"name": name, "score": asdict(score)} for name, score in scores.items()]
    return Artifact(meta={"scores": entries})


def _draw(system: System, config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Draw what a person would want to see, each picture as a PNG file."""
    from scgan.figures.style import png

    model = system.model(config, inputs.artifacts, runtime.device)
    pictures: dict[str, bytes] = {}

    with _reporting(runtime, pictures):
        for caption, figure in system.figures(model, inputs.data, inputs.seed):
            pictures[caption] = png(figure)

    tensors = {
        f"{i:03d}": torch.frombuffer(bytearray(content), dtype=torch.uint8)
        for i, content in enumerate(pictures.values())
    }
    return Artifact(tensors, {"captions": list(pictures)})


@contextmanager
def _reporting(runtime: Runtime, done: Mapping[str, Any]) -> Iterator[None]:
    """Say every two seconds how many are done and what the last one was."""
    start = time.monotonic()

    def report() -> None:
        last = list(done.items())[-1:]
        metrics = {name: score.value for name, score in last if isinstance(score, Score)}
        runtime.report(Progress(len(done), 0, metrics, time.monotonic() - start))

    with heartbeat(report, REPORT_EVERY):
        yield
    report()
