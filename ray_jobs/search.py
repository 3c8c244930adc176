"""The search service: the settings that generate best, found by Tune and Optuna, shown in MLflow.

``python ray_jobs/search.py --data checkerboard --trials 40`` here, under ``ray job submit``, or
several at once on one cluster. The same command again goes on where it was stopped; more
``--trials`` continue a study.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.cluster.ending import ended_by_sigterm  # noqa: E402
from ray_jobs.cluster.resources import Resources  # noqa: E402
from ray_jobs.cluster.session import placed, said_of_a_job  # noqa: E402
from ray_jobs.tuning.run import search  # noqa: E402
from ray_jobs.tuning.settings import TuneSettings, tune_options  # noqa: E402
from scgan.cli import commands  # noqa: E402
from scgan.cli.config_file import Configurable  # noqa: E402
from scgan.config import build, override  # noqa: E402


@click.command(cls=Configurable, context_settings=commands.FLEXIBLE)
@commands.run_options
@tune_options
@click.pass_context
def main(
    ctx: click.Context,
    /,
    *,
    system: str,
    data: str | None,
    preset: str,
    changes: tuple[str, ...],
    store: str,
    seed: int,
    as_json: bool,
    **tuning: Any,
) -> None:
    """Search a system's settings on Ray.

    Settings that are not searched are flags, as for every command: --encoder.num_samples 65536.
    """
    domains = [word for word in ctx.args if _is_domain(word)]
    extra = [word for word in ctx.args if not _is_domain(word)]
    spec, asked = commands.build_spec(system, data, preset, changes, extra, seed)
    settings = build(TuneSettings, {**tuning, "space": (*tuning["space"], *domains)})
    resources = override(Resources(), asked, "resources")
    with ended_by_sigterm(), said_of_a_job():
        enough = search(spec, settings, placed(store), resources, as_json=as_json)

    if not enough:
        share = f"{settings.max_failed:.0%}"
        raise RuntimeError(f"more than {share} of the trials failed (--max-failed)")


def _is_domain(word: str) -> bool:
    return re.match(r"[\w.]+=\w+\(", word) is not None


if __name__ == "__main__":
    commands.guarded(main)
