"""The commands ``scgan cluster`` and ``scgan modes``: anybody's rows by a run, or by a mixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from scgan.cli import commands

_JSON = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")


@click.command()
@click.argument("run")
@click.option(
    "--data",
    required=True,
    help="Path or s3:// address of a table with RUN's columns, or of images.",
)
@click.option("--out", required=True, help=".parquet, .csv or .npz")
@click.option(
    "--keep",
    metavar="A,B",
    help="Columns to keep beside the clusters; all that RUN does not model if not given.",
)
@click.option(
    "--data.missing",
    "missing",
    type=click.Choice(["error", "drop", "model"]),
    help="What to do with rows without a value; what RUN did if not given.",
)
@commands.STORE
@_JSON
def cluster(
    run: str,
    *,
    data: str,
    out: str,
    keep: str | None,
    missing: Literal["error", "drop", "model"] | None,
    store: str,
    as_json: bool,
) -> None:
    """Find the clusters of new rows or images by RUN, and how sure it is of each."""
    from scgan.data.tables.writing import check_target, write_samples
    from scgan.pipeline.assigning import assign

    check_target(out)
    stored = commands.open_run(run, store)
    chosen = None if keep is None else [name for name in keep.split(",") if name]
    found = assign(stored, data, keep=chosen, missing=missing)
    write_samples(out, found.columns, found.meanings)

    counts, place = found.counts.tolist(), str(Path(out).absolute())
    if as_json:
        fields = {"run": run, "out": place, "counts": counts, "dropped": found.dropped}
        click.echo(json.dumps(fields))
        return

    click.echo(f"{sum(counts):,} rows in {sum(map(bool, counts))} clusters in {out}")
    if found.dropped:
        click.echo(f"{found.dropped:,} rows with missing values were left out")


@click.command()
@click.option("--samples", required=True, help="Path or s3:// address of a table, or of images.")
@click.option(
    "--reference",
    required=True,
    help="A toy set with modes (ring, grid), or a table of a mixture's modes: the samples' "
    "columns, a column spread, and weight where they differ; or grey images with a class each, of "
    "which every channel of a sample should be one (stacked MNIST: mnist.npz).",
)
@click.option(
    "--num",
    type=click.IntRange(1),
    help="Samples that are counted, drawn at random: 2,500, of images 26,000, if not given, as "
    "VEEGAN does; all where there are fewer.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@commands.STORE
@_JSON
def modes(
    *, samples: str, reference: str, num: int | None, seed: int, store: str, as_json: bool
) -> None:
    """Count the modes that anybody's samples capture, by VEEGAN's protocol."""
    from scgan.pipeline.counting import score_modes

    scores, counted = score_modes(samples, reference, num=num, seed=seed, store=store)
    title = f"{counted:,} samples of {samples} against {reference}"
    fields = {"samples": samples, "reference": reference, "counted": counted}
    commands.show_scores(scores, title, as_json, **fields)
