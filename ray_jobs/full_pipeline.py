"""The main job: a system trained in its stages on a Ray cluster, scored, reported and logged.

Run it as ``python ray_jobs/full_pipeline.py`` for a private Ray on this machine, or on a cluster as
``ray job submit --address http://127.0.0.1:8265 --working-dir . -- python
ray_jobs/full_pipeline.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.cluster.ending import ended_by_sigterm  # noqa: E402
from ray_jobs.cluster.resources import Resources  # noqa: E402
from ray_jobs.cluster.session import LazyRayExecutor, folder_beside, placed, said_of_a_job  # noqa: E402
from scgan.cli import commands  # noqa: E402
from scgan.cli.config_file import Configurable  # noqa: E402
from scgan.config import override  # noqa: E402


@click.command(cls=Configurable, context_settings=commands.FLEXIBLE)
@commands.run_options
@click.pass_context
def main(
    ctx: click.Context,
    *,
    system: str,
    data: str | None,
    preset: str,
    changes: tuple[str, ...],
    store: str,
    seed: int,
    as_json: bool,
) -> None:
    """Train a system on Ray.

    Every setting is a flag: --decoder.lambda_x 0.5, --data.missing drop, --resources.gpus_per_task
    0.25.
    """
    spec, asked = commands.build_spec(system, data, preset, changes, ctx.args, seed)
    resources = override(Resources(), asked, "resources")
    store = placed(store)
    executor = LazyRayExecutor(resources)
    with ended_by_sigterm(), said_of_a_job():
        try:
            folder = folder_beside(store)
            commands.run_and_show(spec, store, executor, folder=folder, as_json=as_json)
        finally:
            executor.close()


if __name__ == "__main__":
    commands.guarded(main)
