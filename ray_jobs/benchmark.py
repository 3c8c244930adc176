"""What Ray and the search cost and bring, as ratios, and races of SC-GAN against other models.

``python ray_jobs/benchmark.py overhead``, ``packing``, ``nodes``, ``step``, ``loading``, ``scale``,
``search``, ``stopping``, ``gain``, ``stream``, ``serving``; ``gpu``, of parts; ``encoders``, of
images; the races ``tables``, ``toy2d``, ``mixtures`` and ``magic``; ``ablations``, of SC-GAN's
parts; ``clusters``, of labelled tables; each is in ``ray_jobs/benchmarks``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scgan.cli import commands  # noqa: E402


def main() -> None:
    """Measure what Ray and the search cost and bring, and race SC-GAN against other models."""
    try:
        from ray_jobs.benchmarks import (
            ablations,
            clusters,
            encoders,
            gains,
            gpu,
            loading,
            race,
            running,
            scale,
            serving,
            streaming,
        )
    except ModuleNotFoundError as error:
        if error.name != "ray_jobs.benchmarks":
            raise
        sys.exit("the benchmarks are not installed: run them from a copy of the repository")

    cli = click.Group(help=main.__doc__)
    for command in (
        running.overhead,
        running.packing,
        running.nodes,
        running.step,
        loading.command,
        encoders.command,
        scale.command,
        gains.search,
        gains.stopping,
        gains.gain,
        gpu.command,
        streaming.stream,
        serving.serving,
        race.tables,
        race.toy2d,
        race.mixtures,
        race.magic,
        ablations.ablations,
        clusters.clusters,
    ):
        cli.add_command(command)

    commands.guarded(cli)


if __name__ == "__main__":
    main()
