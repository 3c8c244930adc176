"""What Ray costs and brings: the same training here and there, as ratios."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace

import click
import ray
import torch
from ray.cluster_utils import Cluster
from typing_extensions import override

from ray_jobs.benchmarks.plain_step import seconds_a_step
from ray_jobs.benchmarks.showing import checkerboard, show
from ray_jobs.cluster.resources import Resources
from ray_jobs.cluster.session import LazyRayExecutor
from scgan.pipeline.executor import Executor, LocalExecutor
from scgan.pipeline.listeners import Listener
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore
from scgan.training.runtime import Progress


class LoopTimes(Listener):
    """A listener that keeps each stage's time in its loop, start-up apart."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @override
    def progress(self, stage: str, progress: Progress) -> None:
        self.seconds[stage] = progress.seconds


def loop_seconds(spec: Spec, stage: str, executor: Executor, rounds: int = 1) -> float:
    """Least time in a stage's loop over some rounds, each in a store of its own."""
    seconds = []
    for _ in range(rounds):
        times = LoopTimes()
        with tempfile.TemporaryDirectory() as folder:
            store = ArtifactStore(folder)
            fit_stages(spec, prepare(spec), store, executor, [times])
        seconds.append(times.seconds[stage])

    return min(seconds)


@click.command()
@click.option("--samples", default=2_000_000, show_default=True, help="Seen by the encoder.")
@click.option("--rounds", default=2, show_default=True, help="The least of so many counts.")
def overhead(samples: int, rounds: int) -> None:
    """The encoder's loop under Ray Train with one worker, against the plain loop."""
    short = {"mappers.num_samples": 64, "decoder.num_samples": 512}
    spec = checkerboard({"encoder.num_samples": samples, **short})
    plain = loop_seconds(spec, "encode", LocalExecutor(), rounds)

    executor = LazyRayExecutor(Resources(num_workers=1))
    train = loop_seconds(spec, "encode", executor, rounds)
    executor.close()
    show(plain_seconds=plain, ray_train_seconds=train, ratio=train / plain)


@click.command()
@click.option("--clusters", default=32, show_default=True, help="Mappers in all.")
@click.option(
    "--kind",
    type=click.Choice(("adversarial", "mixture", "flow")),  # a Gaussian is fitted in no time
    default="adversarial",
    show_default=True,
    help="What the mappers are.",
)
@click.option("--samples", default=600_000, show_default=True, help="Samples seen by each mapper.")
@click.option("--rows", default=None, type=int, help="Of the data.  [default: the toy set's own]")
@click.option("--rounds", default=1, show_default=True, help="The least of so many times.")
def packing(clusters: int, kind: str, samples: int, rows: int | None, rounds: int) -> None:
    """All mappers as two Ray tasks on two CPUs, against one task."""
    spec = checkerboard(
        {
            "encoder.num_samples": 65_536,
            "clusters.num_clusters": clusters,
            "mappers.kind": kind,
            "mappers.num_samples": samples,
            "decoder.num_samples": 512,
            "refine.num_trees": 0,
        }
    )
    if rows is not None:
        spec = replace(spec, data=spec.data.model_copy(update={"num_train": rows}))

    one = LazyRayExecutor(Resources(clusters_per_task=clusters))
    together = loop_seconds(spec, "map", one, rounds)
    two = LazyRayExecutor(Resources(clusters_per_task=-(-clusters // 2)))
    apart = loop_seconds(spec, "map", two, rounds)
    one.close()
    show(one_task_seconds=together, two_tasks_seconds=apart, speedup=together / apart)


@click.command()
@click.option("--clusters", default=32, show_default=True, help="Mappers in all.")
@click.option("--encoder-samples", default=400_000, show_default=True, help="Seen by the encoder.")
@click.option("--samples", default=200_000, show_default=True, help="Samples seen by each mapper.")
@click.option("--rounds", default=3, show_default=True, help="Turns of each, for the medians.")
def nodes(clusters: int, encoder_samples: int, samples: int, rounds: int) -> None:
    """Encoder and mappers on two logical nodes of a CPU each, against one of two CPUs, in turns."""
    spec = checkerboard(
        {
            "encoder.num_samples": encoder_samples,
            "clusters.num_clusters": clusters,
            "mappers.kind": "adversarial",
            "mappers.num_samples": samples,
        }
    )

    alone, together = [], []
    for _ in range(rounds):
        alone.append(stage_seconds(spec, (2,)))
        together.append(stage_seconds(spec, (1, 1)))

    one, two = _medians(alone), _medians(together)
    show(one_node_seconds=one, two_nodes_seconds=two, ratio=sum(two.values()) / sum(one.values()))


def stage_seconds(spec: Spec, cpus: Sequence[int]) -> dict[str, float]:
    """Time of each stage up to the mappers, start-up and all, on new nodes of so many CPUs."""
    head = {"num_cpus": cpus[0], "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for count in cpus[1:]:
            cluster.add_node(num_cpus=count)

        ray.init(address=cluster.address, log_to_driver=False)
        executor = LazyRayExecutor(Resources(num_workers=sum(cpus)))
        with tempfile.TemporaryDirectory() as folder:
            store, stages = ArtifactStore(folder), ("encode", "cluster", "map")
            fitted = fit_stages(spec, prepare(spec), store, executor, only=stages)

        executor.close()
        return {name: stage.seconds for name, stage in fitted.items()}
    finally:
        ray.shutdown()
        cluster.shutdown()


def _medians(turns: Sequence[dict[str, float]]) -> dict[str, float]:
    medians = {}
    for stage in ("encode", "map"):
        medians[stage] = statistics.median(turn[stage] for turn in turns)
    return medians


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Turns of each, for the medians.")
@click.option("--steps", default=100, show_default=True, help="Of a turn.")
def step(rounds: int, steps: int) -> None:
    """InfoSCC-GAN's generator step, against the same written plainly, in turns."""
    torch.set_num_threads(1)
    framework, plain = (statistics.median(seconds) for seconds in seconds_a_step(rounds, steps))
    show(framework_seconds=framework, plain_seconds=plain, ratio=framework / plain)
