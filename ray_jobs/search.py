"""The search service: the settings that generate best, found by Tune and Optuna, compared in MLflow.

``python ray_jobs/search.py --data checkerboard --trials 40`` here, under ``ray job submit``, or
several at once on one cluster. The same command again goes on where it was stopped; more
``--trials`` continue a study.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.cluster.resources import Resources  # noqa: E402
from ray_jobs.cluster.session import results_folder  # noqa: E402
from ray_jobs.tuning.driver import search  # noqa: E402
from ray_jobs.tuning.request import Request  # noqa: E402
from scgan import systems  # noqa: E402
from scgan.cli import commands  # noqa: E402
from scgan.config import override, suggest  # noqa: E402
from scgan.metrics.objectives import check_metrics  # noqa: E402
from scgan.space import change  # noqa: E402


@click.command(context_settings=commands.FLEXIBLE)
@commands.run_options
@click.option(
    "--trials", default=40, show_default=True, type=click.IntRange(1, 100_000), help="In all."
)
@click.option("--study", default=None, help="The study's name; by default made of system and data.")
@click.option(
    "--space",
    "words",
    multiple=True,
    metavar="KEY=DOMAIN ...",
    help="Narrow or widen what is searched: KEY=loguniform(0.01,10), uniform, int, logint, choice(4,8), each with "
    "' if OTHER=VALUE' behind it where it depends on another; KEY=VALUE fixes a setting.",
)
@click.option(
    "--only", default=None, metavar="KEY,KEY", help="Search these settings of the space alone."
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="What is minimised: sliced_wasserstein, energy_distance, reconstruction_mse; of images fid_encoder and, with "
    "attributes, fid_judge, control_error ... Given twice, the Pareto front of both.  [default: the system's first]",
)
@click.option(
    "--stop",
    default="asha",
    show_default=True,
    type=click.Choice(["asha", "none"]),
    help="Early stopping.",
)
@click.option(
    "--length",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 1),
    help="Of trials, share of full length.",
)
@click.option(
    "--validation",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the training rows that trials are scored on.",
)
@click.option(
    "--cpus",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Of a trial.",
)
@click.option(
    "--gpus",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Of a trial; 0.25 shares one.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="That train a trial together, each so large.",
)
@click.option(
    "--max-failed",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of trials that may fail.",
)
@click.option(
    "--warm-start",
    default=None,
    metavar="STUDY",
    help="Begin with the best trials of another study.",
)
@click.option(
    "--study-storage",
    default=None,
    metavar="URL",
    help="SQLAlchemy's; by default a file beside the store.",
)
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
    trials: int,
    study: str | None,
    words: tuple[str, ...],
    only: str | None,
    metrics: tuple[str, ...],
    stop: str,
    length: float,
    validation: float,
    cpus: float,
    gpus: float,
    workers: int,
    max_failed: float,
    warm_start: str | None,
    study_storage: str | None,
) -> None:
    """Search a system's settings on Ray.

    Settings that are not searched are flags, as for every command: --encoder.num_samples 65536.
    """
    domains = [word for word in ctx.args if _is_domain(word)]
    extra = [word for word in ctx.args if not _is_domain(word)]
    spec, asked = commands.build_spec(system, data, preset, changes, extra, seed)
    loaded = systems.load(system)
    metrics = metrics or (next(iter(loaded.metrics)),)
    check_metrics(metrics, loaded.metrics)
    declared = dict(loaded.search_space)
    space, config = change(declared, [*words, *domains], spec.config)
    if only is not None:
        space = _only(space, only)

    if "://" not in store:
        store = str(results_folder() / Path(store).expanduser())

    request = Request(
        spec=replace(spec, config=config),
        space=space,
        metrics=metrics,
        trials=trials,
        study=_study_name(study or f"{system}-{Path(spec.data.source).stem}"),
        storage_url=study_storage,
        store_url=store,
        length=length,
        validation=validation,
        stop_early=stop == "asha",
        cpus=cpus,
        gpus=gpus,
        workers=workers,
        max_failed=max_failed,
        warm_start=warm_start,
        resources=override(Resources(), asked, "resources"),
        as_json=as_json,
    )

    if not search(request):
        raise RuntimeError(f"more than {max_failed:.0%} of the trials failed (--max-failed)")


def _is_domain(word: str) -> bool:
    return re.match(r"[\w.]+=\w+\(", word) is not None


def _only(space: dict, keys: str) -> dict:
    names = [key.strip() for key in keys.split(",") if key.strip()]
    for name in names:
        if name not in space:
            raise ValueError(f"--only: {name!r} is not searched{suggest(name, space)}")
    return {name: space[name] for name in names}


def _study_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
        raise ValueError(f"{name!r} is no name for a study; use letters, digits, '-', '_' and '.'")
    return name


if __name__ == "__main__":
    commands.guarded(main)
