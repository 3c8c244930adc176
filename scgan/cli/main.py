"""The command ``scgan``: systems, fit, sample, evaluate, report, cluster, modes, explore, ...."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from scgan import __version__
from scgan.cli import commands
from scgan.cli.clusters import cluster, modes
from scgan.cli.config_file import Configurable, dump
from scgan.cli.explore import explore
from scgan.cli.store import store_commands
from scgan.config import leaves, override, suggest

_STORE = commands.STORE
_SEED = click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
_JSON = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")


class _Commands(click.Group):
    """A group that names the nearest command where there is none of a name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise ValueError(
                f"unknown command {args[0]!r}{suggest(args[0], sorted(self.commands))}"
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(__version__)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Generative models of data on discontinuous manifolds."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command("systems")
@click.argument("name", required=False)
@_JSON
def show_systems(name: str | None, as_json: bool) -> None:
    """List the systems and their presets, or one system's settings and defaults."""
    from scgan import systems

    if name is None:
        loaded = [systems.load(n) for n in systems.available()]
        if as_json:
            click.echo(json.dumps({s.name: sorted(s.presets) for s in loaded}))
            return

        for each in loaded:
            kinds = " or ".join(f"{kind}, such as {data}" for kind, data in each.examples.items())
            click.echo(f"{each.name}: {kinds}; presets {', '.join(sorted(each.presets))}")
        return

    system = systems.load(name)
    config = system.presets["default"]

    if as_json:
        click.echo(config.model_dump_json())
        return

    for key, value in leaves(config):
        click.echo(f"{key} = {'none' if value is None else value}")


@cli.command(cls=Configurable, context_settings=commands.FLEXIBLE)
@commands.run_options
@click.option(
    "--dump-config", is_flag=True, help="Print all settings as --config takes them, and end."
)
@click.pass_context
def fit(
    ctx: click.Context,
    *,
    system: str,
    data: str | None,
    preset: str,
    changes: tuple[str, ...],
    store: str,
    seed: int,
    as_json: bool,
    dump_config: bool,
) -> None:
    """Train a system in this process, without Ray: the same stages, the same artifacts.

    Every setting is a flag: --decoder.lambda_x 0.5, --data.missing drop (see `scgan systems
    scgan`).
    """
    from scgan.pipeline.executor import LocalExecutor

    spec, resources = commands.build_spec(system, data, preset, changes, ctx.args, seed)
    if resources:
        raise ValueError(
            f"resources.{next(iter(resources))} is for ray_jobs/full_pipeline.py; scgan fit runs "
            "here alone"
        )

    if dump_config:
        click.echo(dump(spec, store), nl=False)
        return

    executor = LocalExecutor()
    commands.run_and_show(spec, store, executor, folder=commands.folder_of(store), as_json=as_json)


@cli.command(context_settings=commands.FLEXIBLE)
@click.argument("run")
@click.option(
    "--num", type=click.IntRange(1, 10**9), help="How many; 10,000 rows or 100 images if not given."
)
@click.option(
    "--out",
    required=True,
    help=".parquet, .csv, .csv.gz, .feather, .npz, .npy, .h5, .fits or .root; images: .npz, .png "
    "for a grid, a folder, .zip or .tar.",
)
@_SEED
@_STORE
@_JSON
@click.pass_context
def sample(
    ctx: click.Context,
    run: str,
    *,
    num: int | None,
    out: str,
    seed: int,
    store: str,
    as_json: bool,
) -> None:
    """Draw samples of RUN: rows in the units, names and types of its data, or images.

    What may be chosen is a flag by the run's system, and in its report: --cluster 3, --latent real;
    --attribute NAME, --attributes NAME=0.5,...
    """
    from scgan.capabilities import choose
    from scgan.pipeline import sampling

    sampling.check_out(out)
    given = dict(commands.pairs(ctx.args))
    stored = commands.open_run(run, store)
    chosen = choose(stored.model, given)
    num = num or (sampling.NUM_ROWS if stored.kind == "table" else sampling.NUM_IMAGES)
    sampling.sample_to(out, stored, num, seed, chosen)

    if as_json:
        click.echo(json.dumps({"run": run, "num": num, "out": str(Path(out).absolute())}))
    else:
        click.echo(f"{num:,} samples of {run} in {out}")


@cli.command()
@click.argument("run", required=False)
@click.option("--samples", help="Anybody's samples, a table or images.")
@click.option("--reference", help="The real data they should look like.")
@click.option(
    "--extractor",
    "extractors",
    multiple=True,
    metavar="NAME:PATH",
    help="Network to compare images in: inception:PATH, resnet50:PATH, encoder:RUN, judge:RUN; "
    "also several.",
)
@click.option(
    "--data.columns",
    "columns",
    metavar="A,B",
    help="Columns to compare; the reference's if not given.",
)
@click.option(
    "--data.label", "label", help="A column of the reference that is no part of the data."
)
@click.option(
    "--data.missing",
    "missing",
    type=click.Choice(["error", "drop", "model"]),
    default="error",
    show_default=True,
)
@click.option(
    "--data.missing_values",
    "marks",
    metavar="A,B",
    help="Numbers that stand for no value, in any column of either.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), help="Of the metrics; the run's own, or 0."
)
@_STORE
@_JSON
def evaluate(
    run: str | None,
    *,
    samples: str | None,
    reference: str | None,
    extractors: tuple[str, ...],
    columns: str | None,
    label: str | None,
    missing: Literal["error", "drop", "model"],
    marks: str | None,
    seed: int | None,
    store: str,
    as_json: bool,
) -> None:
    """Score RUN on its held-out split, or --samples against --reference by the same metrics."""
    tables = [text for text in (samples, reference) if text is not None]
    given = {"columns": columns, "label": label, "missing_values": marks}
    asked = {key: text for key, text in given.items() if text is not None}
    asked |= {"missing": missing} if missing != "error" else {}

    if len(tables) != (0 if run is not None else 2):
        raise ValueError("give a run's name, or both --samples and --reference")

    if run is not None:
        if asked or extractors:
            raise ValueError(
                f"{f'--data.{next(iter(asked))}' if asked else '--extractor'} goes with --samples; "
                "a run has its own"
            )

        from scgan import systems

        stored = commands.open_run(run, store)
        data = stored.outcome().data
        seed = stored.spec.seed if seed is None else seed
        scores = dict(systems.load(stored.spec.system).evaluate(stored.model, data, seed))
        commands.show_scores(scores, run, as_json, run=run)
        return

    from scgan.data.dataset import DataConfig
    from scgan.data.tables.checking import Choice
    from scgan.pipeline.scoring import score_files

    samples, reference = tables
    told = override(DataConfig(), asked, "data")
    choice = Choice(told.columns, told.label, told.missing, told.missing_values)
    scores = score_files(
        samples, reference, seed or 0, choice=choice, extractors=extractors, store=store
    )

    commands.show_scores(
        scores, f"{samples} against {reference}", as_json, samples=samples, reference=reference
    )


@cli.command()
@click.argument("run")
@_STORE
def report(run: str, store: str) -> None:
    """Write the report of RUN again and say where it is."""
    from scgan.pipeline.executor import LocalExecutor
    from scgan.pipeline.run import drawn
    from scgan.report.page import write_report
    from scgan.store.artifacts import ArtifactStore

    outcome = commands.open_run(run, store).outcome()
    writable = ArtifactStore(store)
    place, _ = write_report(drawn(outcome, writable, LocalExecutor()), writable)
    click.echo(place)


for command in (cluster, modes, explore, store_commands):
    cli.add_command(command)


def main() -> None:
    """Entry point."""
    commands.guarded(cli)
