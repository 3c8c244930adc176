"""What the search costs and brings, as commands: what they measure is in ``searching``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import click

from ray_jobs.benchmarks import searching
from ray_jobs.benchmarks.showing import Results, show
from ray_jobs.cluster.session import results_folder
from scgan.data.toy import TOYS

SPACE = "clusters.num_clusters=choice(4,8,16,32)"
KEY = ("set", "metric", "seed")  # of a result of `gain`
KEYS = ("decoder.lambda_x", "mappers.lambda_eps", "clusters.num_clusters")
SETS = "eight_gaussians,checkerboard,two_spirals,abs,sine_wave,four_circles"  # of [SCGAN] Table 1


def _searched(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a short search."""
    space = click.option("--space", default=SPACE, show_default=True, help="What is searched.")
    seed = click.option("--seed", default=0, show_default=True)
    trials = click.option("--trials", default=40, show_default=True)
    return trials(seed(space(command)))


def _short(trials: int, seed: int, space: str) -> searching.Measured:
    return searching.Measured("checkerboard", "smoke", (space,), KEYS, trials, seed=seed)


@click.command()
@_searched
def search(trials: int, seed: int, space: str) -> None:
    """A short search over lambda_x, lambda_eps and K, against each of its trials trained whole."""
    show(**searching.sharing(_short(trials, seed, space)))


@click.command()
@_searched
@click.option("--rounds", default=4, show_default=True, help="Trainings of each best point.")
def stopping(trials: int, seed: int, space: str, rounds: int) -> None:
    """The same search with ASHA and without early stops: training time and what was found."""
    show(**searching.stopping(_short(trials, seed, space), rounds))


@click.command()
@click.option(
    "--sets", default=SETS, show_default=True, help="Toy sets, or tables as PATH@LABEL, by commas."
)
@click.option(
    "--metric",
    default=searching.METRIC,
    show_default=True,
    help="Minimised, as c2st_error.",
)
@click.option("--seeds", default="0,1,2", show_default=True, help="Comma-separated.")
@click.option("--trials", default=40, show_default=True)
@click.option("--preset", default="default", show_default=True)
@click.option("--training", default=0.125, show_default=True, help="Share of the preset's.")
@click.option("--length", default=1.0, show_default=True, help="Of trials, share of that training.")
@click.option("--rows", default=256_000, show_default=True, help="To train on, as many held out.")
@click.option("--store", default="runs/gain", show_default=True, help="Folder; its rows are kept.")
def gain(
    sets: str,
    metric: str,
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
    results = Results(folder / "gain.jsonl", KEY)
    done = results.done()

    for seed, name in itertools.product(map(int, seeds.split(",")), sets.split(",")):
        key = (name, metric, seed)
        if key in done:
            continue

        size = rows if name in TOYS else None  # a table has its own
        measured = searching.Measured(
            name, preset, (), (), trials, length, seed, training, size, metric
        )
        found = searching.gain(measured, str(folder / f"{Path(name).stem}-{metric}-{seed}"))
        row = {**dict(zip(KEY, key, strict=True)), **found}
        results.add(row)
        show(**row)
