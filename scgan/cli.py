"""The command ``scgan``: systems, fit, sample, evaluate, report."""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch

from scgan import __version__, commands, pipeline, systems
from scgan.artifacts import ArtifactStore
from scgan.config import leaves

_STORE = click.option("--store", default="runs", show_default=True, help="Folder or s3:// address of results.")
_SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
_JSON = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")


@click.group()
@click.version_option(__version__)
def cli() -> None:
    """Generative models of data on discontinuous manifolds."""


@cli.command("systems")
@click.argument("name", required=False)
@_JSON
def show_systems(name: str | None, as_json: bool) -> None:
    """List the systems and their presets, or one system's settings and defaults."""
    if name is None:
        found = {n: sorted(systems.load(n).presets) for n in systems.available()}
        lines = [f"{system}: presets {', '.join(presets)}" for system, presets in found.items()]
        click.echo(json.dumps(found) if as_json else "\n".join(lines))
        return
    system = systems.load(name)
    config = system.presets["default"]
    if as_json:
        click.echo(config.model_dump_json())
        return
    for key, value in leaves(config):
        click.echo(f"{key} = {'none' if value is None else value}")


@cli.command(context_settings=commands.FLEXIBLE)
@commands.run_options
@click.pass_context
def fit(
    ctx: click.Context,
    *,
    system: str,
    data: str,
    preset: str,
    changes: tuple[str, ...],
    store: str,
    seed: int,
    as_json: bool,
) -> None:
    """Train a system in this process, without Ray: the same stages, the same artifacts.

    Every setting is a flag: --decoder.lambda_x 0.5, --data.missing drop (see `scgan systems scgan`).
    """
    spec, resources = commands.build_spec(system, data, preset, changes, ctx.args, seed)
    if resources:
        raise ValueError(
            f"resources.{next(iter(resources))} is for ray_jobs/full_pipeline.py; scgan fit runs here alone"
        )
    executor = pipeline.LocalExecutor()
    commands.run_and_show(spec, store, executor, folder=commands.folder_of(store), as_json=as_json)


@cli.command()
@click.argument("run")
@click.option("--num", default=10_000, show_default=True, type=click.IntRange(1, 10**9), help="How many rows.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help=".parquet, .csv, .npz or .npy")
@click.option("--cluster", type=click.IntRange(0), help="From this cluster only; all by their weights if not given.")
@click.option("--latent", help="From another latent model than the decoder was trained with.")
@_SEED
@_STORE
@_JSON
def sample(
    run: str,
    *,
    num: int,
    out: str,
    cluster: int | None,
    latent: str | None,
    seed: int,
    store: str,
    as_json: bool,
) -> None:
    """Draw samples of RUN, in the units, names and types of its data."""
    from scgan.data.export import check_target, write_samples

    check_target(out)
    stored = pipeline.open_run(run, ArtifactStore(store))
    how = {key: value for key, value in (("cluster", cluster), ("latent", latent)) if value is not None}
    x = stored.model.sample(num, torch.Generator().manual_seed(seed), **how)
    write_samples(out, stored.schema.decode(x))
    if as_json:
        click.echo(json.dumps({"run": run, "num": num, "out": str(Path(out).absolute())}))
    else:
        click.echo(f"{num:,} samples of {run} in {out}")


@cli.command()
@click.argument("run", required=False)
@click.option("--samples", type=click.Path(), help="Anybody's samples, a table.")
@click.option("--reference", type=click.Path(), help="The real data they should look like, a table.")
@_SEED
@_STORE
@_JSON
def evaluate(
    run: str | None, *, samples: str | None, reference: str | None, seed: int, store: str, as_json: bool
) -> None:
    """Score RUN on its held-out split, or --samples against --reference by the same metrics."""
    if (run is None) == (samples is None) or (samples is None) != (reference is None):
        raise ValueError("give a run's name, or both --samples and --reference")
    if run is not None:
        stored = pipeline.open_run(run, ArtifactStore(store))
        data = pipeline.prepare(stored.spec)
        scores = systems.load(stored.spec.system).evaluate(stored.model, data, seed)
        commands.show_scores(scores, run, as_json, run=run)
        return
    from scgan.evaluation import score_tables

    assert samples is not None and reference is not None
    scores = score_tables(samples, reference, seed)
    commands.show_scores(scores, f"{samples} against {reference}", as_json, samples=samples, reference=reference)


@cli.command()
@click.argument("run")
@_STORE
def report(run: str, store: str) -> None:
    """Write the report of RUN again and say where it is."""
    from scgan.report import write_report

    opened = ArtifactStore(store)
    click.echo(write_report(pipeline.open_run(run, opened).outcome(), opened))


def main() -> None:
    """Entry point."""
    commands.guarded(cli)
