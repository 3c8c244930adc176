"""What Ray and the search cost and bring: the same training here and there, in one run, as ratios.

``python ray_jobs/benchmark.py overhead``, ``packing``, ``nodes``, ``step``, ``loading``, ``scale``,
``search``, ``stopping``, ``gain`` and ``stream``.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import ray
import torch
from ray.cluster_utils import Cluster

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.benchmarks import loading as image_loading  # noqa: E402
from ray_jobs.benchmarks import searching as measuring  # noqa: E402
from ray_jobs.benchmarks import streaming as stream_measure  # noqa: E402
from ray_jobs.benchmarks.plain_step import seconds_a_step  # noqa: E402
from ray_jobs.benchmarks.scale import growth  # noqa: E402
from ray_jobs.cluster.resources import Resources  # noqa: E402
from ray_jobs.cluster.session import LazyRayExecutor, connect, results_folder  # noqa: E402
from scgan import systems  # noqa: E402
from scgan.cli import commands  # noqa: E402
from scgan.config import override  # noqa: E402
from scgan.data.dataset import DataConfig  # noqa: E402
from scgan.pipeline.executor import Executor, LocalExecutor
from scgan.pipeline.run import fit_stages, prepare  # noqa: E402
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore  # noqa: E402
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
    """Measure what Ray and the search cost and bring on this machine."""


@cli.command()
@click.option(
    "--samples", default=2_000_000, show_default=True, help="Samples seen by the encoder."
)
@click.option("--rounds", default=2, show_default=True, help="The least of so many counts.")
def overhead(samples: int, rounds: int) -> None:
    """The encoder's loop under Ray Train with one worker, against the plain loop."""
    spec = _spec(
        {"encoder.num_samples": samples, "mappers.num_samples": 64, "decoder.num_samples": 512}
    )
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


@cli.command()
@click.option("--clusters", default=32, show_default=True, help="Mappers in all.")
@click.option(
    "--encoder-samples", default=400_000, show_default=True, help="Samples seen by the encoder."
)
@click.option("--samples", default=200_000, show_default=True, help="Samples seen by each mapper.")
@click.option(
    "--rounds", default=3, show_default=True, help="Turns of each; the medians are compared."
)
def nodes(clusters: int, encoder_samples: int, samples: int, rounds: int) -> None:
    """Encoder and mappers on two logical nodes of a CPU each, against one of two CPUs, in turns."""
    changes = {
        "encoder.num_samples": encoder_samples,
        "clusters.num_clusters": clusters,
        "mappers.num_samples": samples,
    }

    turns = [
        [stage_seconds(_spec(changes), cpus) for cpus in ((2,), (1, 1))] for _ in range(rounds)
    ]
    one, two = (
        {
            stage: statistics.median(turn[layout][stage] for turn in turns)
            for stage in ("encode", "map")
        }
        for layout in (0, 1)
    )

    _show(one_node_seconds=one, two_nodes_seconds=two, ratio=sum(two.values()) / sum(one.values()))


def stage_seconds(spec: Spec, cpus: Sequence[int]) -> dict[str, float]:
    """Time of each stage up to the mappers, start-up and all, on new logical nodes of so many CPUs."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": cpus[0], "include_dashboard": False}
    )
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


@cli.command()
@click.option(
    "--rounds", default=5, show_default=True, help="Turns of each; the medians are compared."
)
@click.option("--steps", default=100, show_default=True, help="Of a turn.")
def step(rounds: int, steps: int) -> None:
    """InfoSCC-GAN's generator step, against the same written plainly, in turns."""
    torch.set_num_threads(1)
    framework, plain = (statistics.median(seconds) for seconds in seconds_a_step(rounds, steps))
    _show(framework_seconds=framework, plain_seconds=plain, ratio=framework / plain)


@cli.command()
@click.option("--images", default=5_000, show_default=True, help="JPEG files, written first.")
@click.option(
    "--size", default=64, show_default=True, help="Pixels a side that they are decoded to."
)
@click.option("--batch-size", default=64, show_default=True, help="Images a step.")
@click.option("--steps", default=30, show_default=True, help="Steps that are timed.")
def loading(images: int, size: int, batch_size: int, steps: int) -> None:
    """JPEG files decoded a second, and the share of EigenGAN's step in which its batch is fetched."""
    with tempfile.TemporaryDirectory() as folder:
        image_loading.write_folder(Path(folder), images)
        _show(**image_loading.loading(Path(folder), size, batch_size, steps))


@cli.command()
@click.option("--gpus", default=64, show_default=True, help="Logical GPUs of a private Ray.")
@click.option(
    "--gpus-per-task",
    default=1.0,
    show_default=True,
    help="Of each task; a process each runs at once.",
)
@click.option(
    "--tasks", default="64,250,1000", show_default=True, help="Counts of tasks, comma-separated."
)
@click.option("--seconds", default=1.0, show_default=True, help="That each task sleeps.")
def scale(gpus: int, gpus_per_task: float, tasks: str, seconds: float) -> None:
    """The scheduler's share of the time of many mapper tasks, by their number."""
    connect(num_gpus=gpus)
    for row in growth(gpus, gpus_per_task, [int(count) for count in tasks.split(",")], seconds):
        _show(**row)


SPACE = "clusters.num_clusters=choice(4,8,16,32)"
KEYS = ("decoder.lambda_x", "mappers.lambda_eps", "clusters.num_clusters")
SETS = "eight_gaussians,checkerboard,two_spirals,abs,sine_wave,four_circles"  # of [SCGAN] Table 1


@cli.command()
@click.option("--trials", default=40, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--space",
    default=SPACE,
    show_default=True,
    metavar="KEY=DOMAIN",
    help="Change what is searched.",
)
def search(trials: int, seed: int, space: str) -> None:
    """A short search over lambda_x, lambda_eps and K, against each of its trials trained whole."""
    _show(
        **measuring.sharing(
            measuring.Measured("checkerboard", "smoke", (space,), KEYS, trials, seed=seed)
        )
    )


@cli.command()
@click.option("--trials", default=40, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--space",
    default=SPACE,
    show_default=True,
    metavar="KEY=DOMAIN",
    help="Change what is searched.",
)
@click.option(
    "--rounds",
    default=4,
    show_default=True,
    help="Seeds from which each best point is trained again.",
)
def stopping(trials: int, seed: int, space: str, rounds: int) -> None:
    """The same search with ASHA and without early stops: training time and what was found."""
    _show(
        **measuring.stopping(
            measuring.Measured("checkerboard", "smoke", (space,), KEYS, trials, seed=seed), rounds
        )
    )


@cli.command()
@click.option("--sets", default=SETS, show_default=True, help="Toy sets, comma-separated.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Comma-separated.")
@click.option("--trials", default=40, show_default=True)
@click.option("--preset", default="default", show_default=True)
@click.option(
    "--training",
    default=0.125,
    show_default=True,
    help="Share of the preset's training, for all alike.",
)
@click.option("--length", default=1.0, show_default=True, help="Of trials, share of that training.")
@click.option(
    "--rows", default=256_000, show_default=True, help="To train on, and as many held out."
)
@click.option(
    "--store",
    default="runs/gain",
    show_default=True,
    help="Folder; rows of its gain.jsonl are not redone.",
)
def gain(
    sets: str,
    seeds: str,
    trials: int,
    preset: str,
    training: float,
    length: float,
    rows: int,
    store: str,
) -> None:
    """The best of a search against the preset, equally long trained, on each set from each seed.

    Trained in full (``--training 1``), the default preset is so near to the noise floor on most of
    the sets that two settings differ by little more than chance.
    """
    folder = results_folder() / store
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / "gain.jsonl"
    known = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    done = {(row["set"], row["seed"]) for row in known}

    for seed in (int(text) for text in seeds.split(",")):
        for name in sets.split(","):
            if (name, seed) in done:
                continue

            measured = measuring.Measured(
                name, preset, (), (), trials, length, seed, training, rows
            )
            row = {
                "set": name,
                "seed": seed,
                **measuring.gain(measured, str(folder / f"{name}-{seed}")),
            }

            with lines.open("a") as file:
                file.write(json.dumps(row) + "\n")

            _show(**row)


@cli.command(context_settings=commands.FLEXIBLE)
@click.option("--rows", default=20_000_000, show_default=True, help="Of 8 float32 columns.")
@click.option(
    "--folder",
    help="Where data and results lie; a temporary folder, removed at the end, if not given.",
)
@click.pass_context
def stream(ctx: click.Context, rows: int, folder: str | None) -> None:
    """The main job on a streamed table, against a tenth of its rows: time, and every process's memory.

    Further words (--preset smoke) are the main job's.
    """
    seconds = []
    for number in (rows // 10, rows):
        with tempfile.TemporaryDirectory(dir=folder) as here:
            stream_measure.write_table(Path(here) / "table", number)
            measured = stream_measure.run_main(
                Path(here) / "table", Path(here) / "runs", tuple(ctx.args)
            )
            seconds.append(measured["seconds"])
            _show(rows=number, **measured)

    _show(ratio=seconds[1] / seconds[0])


def _spec(changes: dict[str, int]) -> Spec:
    config = override(systems.load("scgan").presets["default"], changes)
    return Spec("scgan", DataConfig(source="checkerboard"), config)


def _show(**figures: Any) -> None:
    click.echo(json.dumps(_rounded(figures)))


def _rounded(value: Any) -> Any:
    """Numbers to four digits, also inside."""
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    commands.guarded(cli)
