"""What a GPU brings, each part a call of under nine minutes; on a CPU the same parts, small."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from typing_extensions import override

from ray_jobs.benchmarks.loading import loading, write_folder
from ray_jobs.benchmarks.rates import compiled_rates, few_steps, mapper_rates, stage_rates
from ray_jobs.benchmarks.showing import show
from scgan import systems
from scgan.config import override as changed
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.finishing import EVALUATE
from scgan.pipeline.listeners import Listener
from scgan.pipeline.run import prepare, run
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore
from scgan.training.runtime import Progress

CPU = torch.device("cpu")
SYSTEMS = "scgan,infoscc_gan,eigengan,mmgan,nemgan"
COMPILED: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "compiled": {},
    "captured": {"mode": "reduce-overhead"},  # compiled, and replayed as a CUDA graph
}
TRACED: dict[str, dict[str, Any] | None] = {"plain": None, "traced": {"backend": "eager"}}

_small = click.option(
    "--small/--whole", default=None, help="A few steps only; by default where there is no GPU."
)


def here() -> torch.device:
    """The first GPU, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _is_small(small: bool | None) -> bool:
    if here() == CPU:
        torch.set_num_threads(1)
    return here() == CPU if small is None else small


def _spec(system: str, source: str | None, preset: str, small: bool, seed: int = 0) -> Spec:
    """A run on some data, or on the system's own example; a small one is over in seconds."""
    found = systems.load(system)
    source = source or next(iter(found.examples.values()))
    if small:
        data = DataConfig(source=source, num_train=500, num_test=200)
        return Spec(system, data, few_steps(found.presets["smoke"], 2), seed)
    return Spec(system, DataConfig(source=source), found.presets[preset], seed)


@click.command()
@click.option("--system", "names", default=SYSTEMS, show_default=True, help="Comma-separated.")
@click.option("--data", default=None, help="Path of the data; by default bundled.")
@click.option("--preset", default="default", show_default=True, help="Of the settings.")
@click.option("--seconds", default=8.0, show_default=True, help="That each training is timed.")
@_small
def stages(names: str, data: str | None, preset: str, seconds: float, small: bool | None) -> None:
    """Samples a second of each stage, on the CPU and the GPU, in fp32 and bf16."""
    small = _is_small(small)
    devices = [CPU] if here() == CPU else [here(), CPU]

    for name in names.split(","):
        spec = _spec(name, data, preset, small)
        for row in stage_rates(spec, devices, 0.0 if small else seconds):
            show(**row)


@click.command()
@click.option("--data", default=None, help="Path of images; by default the bundled digits.")
@click.option("--preset", default="default", show_default=True, help="Of the settings.")
@click.option("--steps", default=300, show_default=True, help="That are timed.")
@_small
def compiled(data: str | None, preset: str, steps: int, small: bool | None) -> None:
    """EigenGAN's step with plain networks, compiled, and captured as CUDA graphs."""
    small = _is_small(small)
    modes, steps = (TRACED, 2) if small else (COMPILED, steps)
    spec = _spec("eigengan", data, preset, small)
    for row in compiled_rates(spec, here(), steps, modes):
        show(**row)


@click.command()
@click.option("--clusters", default=2048, show_default=True, help="Mappers in all.")
@click.option("--alone", default=8, show_default=True, help="Of them one by one, to reckon from.")
@click.option("--steps", default=500, show_default=True, help="Of each mapper.")
@_small
def mappers(clusters: int, alone: int, steps: int, small: bool | None) -> None:
    """Many mappers in one stack against one by one."""
    sizes = (16, 2, 4) if _is_small(small) else (clusters, alone, steps)
    show(**mapper_rates(here(), *sizes))


@click.command()
@click.option("--images", default=5_000, show_default=True, help="JPEG files, written first.")
@click.option("--size", default=64, show_default=True, help="Pixels a side.")
@click.option("--batch-size", default=64, show_default=True, help="Images a step.")
@click.option("--steps", default=200, show_default=True, help="That are timed.")
@_small
def waiting(images: int, size: int, batch_size: int, steps: int, small: bool | None) -> None:
    """The share of EigenGAN's step in which it waits for data."""
    if _is_small(small):
        images, size, batch_size, steps = 40, 32, 4, 2
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), images)
        show(**loading(Path(folder), size, batch_size, steps))


class OutOfTime(Exception):
    """A call's minutes are over; the same call goes on from the last checkpoint."""


class Deadline(Listener):
    """Ends a training when the time is over; scoring, which can't be taken up, goes on.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    @override
    def progress(self, stage: str, progress: Progress) -> None:
        training = stage != EVALUATE and threading.current_thread() is threading.main_thread()
        if training and time.monotonic() > self.end:
            raise OutOfTime(f"{stage}: {progress.samples:,} of {progress.total:,} samples")


@click.command()
@click.option("--system", required=True, help="Which system.")
@click.option("--data", default=None, help="Path of the data; by default bundled.")
@click.option("--preset", default="default", show_default=True, help="Of the settings.")
@click.option("--minutes", default=8.0, show_default=True, help="Of this call; it can be repeated.")
@click.option("--store", default="runs/gpu", show_default=True, help="Where the run lies.")
@click.option("--seed", default=0, show_default=True)
@click.argument("settings", nargs=-1)
@_small
def quality(
    system: str,
    data: str | None,
    preset: str,
    minutes: float,
    store: str,
    seed: int,
    settings: tuple[str, ...],
    small: bool | None,
) -> None:
    """Train a system whole and score it: FID, control, clusters; SETTINGS are KEY=VALUE."""
    spec = _spec(system, data, preset, _is_small(small), seed)
    changes = dict(setting.partition("=")[::2] for setting in settings)
    spec = replace(spec, config=changed(spec.config, changes))
    start, deadline = time.monotonic(), Deadline(60 * minutes)

    try:
        executor = LocalExecutor(here())
        outcome = run(spec, prepare(spec), ArtifactStore(store), executor, [deadline])
    except OutOfTime as error:
        show(system=system, unfinished=str(error), next="the same command goes on from here")
        return

    show(
        system=system,
        run=spec.run_id,
        device=here().type,
        seconds=time.monotonic() - start,
        stages=dict(outcome.seconds),
        scores={name: score.value for name, score in outcome.scores.items()},
        floors={name: s.floor for name, s in outcome.scores.items() if s.floor is not None},
    )


@click.group("gpu")
def command() -> None:
    """What a GPU brings, in parts; where there is none, small on the CPU (see docs/gpu.md)."""


for part in (stages, compiled, mappers, waiting, quality):
    command.add_command(part)
