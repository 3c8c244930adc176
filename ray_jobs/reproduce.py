"""A paper's tables and figures: every training a Ray task, published values beside ours.

``python ray_jobs/reproduce.py scgan --seeds 0,1,2 --budget 1`` writes ``table.md``, ``table.json``
and the figures.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import click
import ray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.cluster.resources import Resources, plan  # noqa: E402
from ray_jobs.cluster.session import connect, results_folder  # noqa: E402
from scgan import reproductions  # noqa: E402
from scgan.cli import commands  # noqa: E402
from scgan.pipeline import executor as execution  # noqa: E402
from scgan.reproductions import Cell, Pages, Result  # noqa: E402

NUM_ROWS, NUM_IMAGES = 20_000, 100  # of a figure's panel


def train_group(cells: list[Cell], store_url: str) -> list[Result]:
    """Train some cells one after the other, sharing what they have in common through the store."""
    return [_train(cell, store_url) for cell in cells]


def _train(cell: Cell, store_url: str) -> Result:
    import torch

    from scgan.pipeline import run as pipeline
    from scgan.store.artifacts import ArtifactStore

    data, store = pipeline.prepare(cell.spec), ArtifactStore(store_url)
    outcome = pipeline.run(cell.spec, data, store, execution.LocalExecutor())
    more = {} if cell.more is None else cell.more(outcome, store)
    num = NUM_ROWS if data.train.ndim == 2 else NUM_IMAGES
    x = outcome.model.sample(num, torch.Generator().manual_seed(cell.spec.seed))
    samples, reference = (_in_units(data, rows) for rows in (x, data.test[:num]))

    return Result(cell, {**outcome.scores, **more}, samples, reference)


def _in_units(data: Any, rows: Any) -> Any:
    import torch

    from scgan.data.images.schema import ImageSchema, to_float

    if isinstance(data.schema, ImageSchema):
        return rows if rows.is_floating_point() else to_float(rows)

    columns = data.table_schema.decode(rows).values()
    return torch.stack([torch.from_numpy(column) for column in columns], 1)


@click.command()
@click.argument("paper", type=click.Choice(reproductions.available()))
@click.option("--seeds", default="0", show_default=True, help="Comma-separated.")
@click.option(
    "--budget",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 1000),
    help="Length of each training, in multiples of the default preset's samples.",
)
@click.option(
    "--data",
    "source",
    default=None,
    help="Images, for a paper of images; the bundled digits by default.",
)
@click.option("--only", default="", help="Only tables whose title holds these words.")
@click.option(
    "--store", default="runs", show_default=True, help="Folder or s3:// address of results."
)
def main(
    *, paper: str, seeds: str, budget: float, source: str | None, only: str, store: str
) -> None:
    """Train what a PAPER's tables need and write them."""
    words = [word.strip() for word in seeds.split(",")]
    if not all(word.isdigit() for word in words):
        raise ValueError(f"--seeds takes whole numbers separated by commas, not {seeds!r}")

    if "://" not in store:
        store = str(results_folder() / store)

    reproduction = reproductions.load(paper)
    rounds = reproduction.rounds([int(word) for word in words], budget, source)
    rounds = _some(rounds, only)
    results = _trained(rounds, store, f"{paper}: trainings")
    _write(reproduction.render(results), commands.folder_of(store) / f"reproduce-{paper}")


def _some(rounds: list[list[list[Cell]]], only: str) -> list[list[list[Cell]]]:
    """The cells of tables whose title holds some words, and those that stand in no table."""
    groups = itertools.chain.from_iterable(rounds)
    titles = {cell.column for cell in itertools.chain.from_iterable(groups)}
    wanted = {title for title in titles if only.lower() in title.lower()}
    if not wanted - {""}:
        raise ValueError(f"--only {only!r} is in no title; they are: {'; '.join(sorted(titles))}")

    def kept(groups: list[list[Cell]]) -> list[list[Cell]]:
        some = []
        for group in groups:
            some.append([cell for cell in group if not cell.column or cell.column in wanted])
        return [group for group in some if group]

    return [kept(groups) for groups in rounds]


def _trained(rounds: list[list[list[Cell]]], store: str, label: str) -> list[Result]:
    """Train every cell, a group a task, and give the results in the cells' order."""
    connect()
    resources = plan(Resources())
    options = {"num_cpus": resources.cpus, "num_gpus": resources.task_gpus, "max_retries": 3}
    task = ray.remote(**options)(train_group)

    results: list[Result] = []
    with click.progressbar(length=sum(map(len, rounds)), label=label, file=sys.stderr) as bar:
        for groups in rounds:
            pending = {task.remote(group, store): number for number, group in enumerate(groups)}
            done: dict[int, list[Result]] = {}
            while pending:
                (ready, *_), _ = ray.wait(list(pending))
                done[pending.pop(ready)] = ray.get(ready)
                bar.update(1)

            for number in range(len(groups)):
                results += done[number]

    return results


def _write(pages: Pages, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(pages.markdown + "\n")
    (folder / "table.json").write_text(json.dumps(list(pages.rows), indent=1))
    for name, figure in pages.figures.items():
        figure.savefig(folder / name, dpi=150)

    click.echo(pages.markdown)
    click.echo(f"\nwritten to {folder}")


if __name__ == "__main__":
    commands.guarded(main)
