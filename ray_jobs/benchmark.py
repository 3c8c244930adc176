"""What Ray costs and brings: the same training here and there, in one run, as ratios.

``python ray_jobs/benchmark.py overhead`` and ``python ray_jobs/benchmark.py packing``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.resources import Resources  # noqa: E402
from ray_jobs.session import LazyRayExecutor  # noqa: E402
from scgan import commands, systems  # noqa: E402
from scgan.artifacts import ArtifactStore  # noqa: E402
from scgan.config import override  # noqa: E402
from scgan.data.dataset import DataConfig  # noqa: E402
from scgan.execution import Executor, LocalExecutor
from scgan.pipeline import fit_stages, prepare  # noqa: E402
from scgan.spec import Spec
from scgan.training.runtime import Progress  # noqa: E402


class LoopTimes:
    """A listener that keeps each stage's time in its loop, start-up apart."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def progress(self, stage: str, progress: Progress) -> None:
        """Keep the latest."""
        self.seconds[stage] = progress.seconds

    def __getattr__(self, name: str) -> object:
        return lambda *args: None


def loop_seconds(spec: Spec, stage: str, executor: Executor, rounds: int = 1) -> float:
    """Least time in a stage's loop over some rounds, each in a store of its own."""
    seconds = []
    for _ in range(rounds):
        times = LoopTimes()
        with tempfile.TemporaryDirectory() as folder:
            fit_stages(spec, prepare(spec), ArtifactStore(folder), executor, [times])  # type: ignore[list-item]
        seconds.append(times.seconds[stage])
    return min(seconds)


@click.group()
def cli() -> None:
    """Measure what Ray costs and brings on this machine."""


@cli.command()
@click.option("--samples", default=2_000_000, show_default=True, help="Samples seen by the encoder.")
@click.option("--rounds", default=2, show_default=True, help="The least of so many counts.")
def overhead(samples: int, rounds: int) -> None:
    """The encoder's loop under Ray Train with one worker, against the plain loop."""
    spec = _spec({"encoder.num_samples": samples, "mappers.num_samples": 64, "decoder.num_samples": 512})
    executor = LazyRayExecutor(Resources())
    plain = loop_seconds(spec, "encode", LocalExecutor(), rounds)
    train = loop_seconds(spec, "encode", executor, rounds)
    executor.close()
    _show(plain_seconds=plain, ray_train_seconds=train, ratio=train / plain)


@cli.command()
@click.option("--clusters", default=32, show_default=True, help="Mappers in all.")
@click.option("--samples", default=600_000, show_default=True, help="Samples seen by each mapper.")
def packing(clusters: int, samples: int) -> None:
    """All mappers as two Ray tasks on two CPUs, against one task."""
    spec = _spec(
        {
            "encoder.num_samples": 65_536,
            "clusters.num_clusters": clusters,
            "mappers.num_samples": samples,
            "decoder.num_samples": 512,
        }
    )
    one = LazyRayExecutor(Resources(clusters_per_task=clusters))
    together = loop_seconds(spec, "map", one)
    two = LazyRayExecutor(Resources(clusters_per_task=-(-clusters // 2)))
    apart = loop_seconds(spec, "map", two)
    one.close()
    _show(one_task_seconds=together, two_tasks_seconds=apart, speedup=together / apart)


def _spec(changes: dict[str, int]) -> Spec:
    config = override(systems.load("scgan").presets["default"], changes)
    return Spec("scgan", DataConfig(source="checkerboard"), config)


def _show(**figures: float) -> None:
    click.echo(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    commands.guarded(cli)
