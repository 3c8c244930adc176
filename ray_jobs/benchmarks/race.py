"""Races of SC-GAN against its peers: each trains for the same process time on one thread.

Every result is a line of ``results.jsonl`` in a folder, and is not trained again.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from ray_jobs.benchmarks import magic as protocol
from ray_jobs.benchmarks.courses import SCGAN, Columns, Mixture, View
from ray_jobs.benchmarks.peers import NEEDS, PEERS
from ray_jobs.benchmarks.race_report import report
from ray_jobs.benchmarks.showing import Results, table
from ray_jobs.benchmarks.training import Clock, Peer
from scgan.config import suggest
from scgan.data.dataset import DataConfig, Dataset
from scgan.data.loading import load
from scgan.data.tables.reading import read_table
from scgan.data.toy import PAPER_TOYS
from scgan.metrics.default_scores import toy_scores
from scgan.metrics.distributions import c2st
from scgan.metrics.fidelity import training_share
from scgan.metrics.scores import Score, compare_rows, mode_scores
from scgan.metrics.standard import detection

NUM_SAMPLES = 40_000  # drawn to be scored, as of a run
NUM_TIMED = 10_000  # by which the rate of sampling is measured
NUM_MODE_SAMPLES = 200_000  # by which the weights of modes are judged
NUM_CLASSIFIED = 10_000  # rows a side of XGBoost's detection
NAMES = ("scgan", *PEERS)
KEY = ("data", "peer", "columns", "seed", "budget")  # of a result
SIZES = tuple(itertools.product((8, 64, 512), (2, 8, 32)))  # modes and dimensions

Scoring = Callable[[View, Peer, int], dict[str, Score]]


@dataclass(frozen=True)
class Race:
    """How a race is run.

    Args:
        folder: Of its results.
        budget: Process time of a training, s.
        seeds: So many, from 0.
        peers: Who runs.
        columns: In which coordinates.
        preset: SC-GAN's.
        own_length: Whether SC-GAN is trained as long as its preset says, whatever the budget.
    """

    folder: Path
    budget: float
    seeds: int
    peers: tuple[str, ...]
    columns: tuple[Columns, ...]
    preset: str = "default"
    own_length: bool = False

    @property
    def results(self) -> Results:
        """What was found so far."""
        return Results(self.folder / "results.jsonl", KEY)

    def run(self, sources: Mapping[str, DataConfig], score: Scoring) -> None:
        """Train and score whatever has no result yet.

        Args:
            sources: The data by the name that it has in the results.
            score: What is measured of a trained peer.
        """
        torch.set_num_threads(1)
        self.folder.mkdir(parents=True, exist_ok=True)
        done = self.results.done()
        with threadpool_limits(1):
            for seed, (name, config) in itertools.product(range(self.seeds), sources.items()):
                data = load(config, seed)
                for peer, columns in itertools.product(self._there(), self._of(name, data)):
                    key = (name, self._entrant(peer), columns, seed, self.budget)
                    if key in done:
                        continue
                    found = self._race(peer, View(data, columns), seed, score)
                    self._write({**dict(zip(KEY, key, strict=True)), **found})

    def _entrant(self, peer: str) -> str:
        """A peer's name, of SC-GAN with what is asked of it beside the default."""
        if peer != "scgan":
            return peer
        preset = "" if self.preset == "default" else f" {self.preset}"
        return f"scgan{preset}{', own length' if self.own_length else ''}"

    def _there(self) -> Iterator[str]:
        for name in self.peers:
            if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
                click.echo(f"{name} is left out: it needs {NEEDS[name]}, of the extra bench")
            else:
                yield name

    def _of(self, name: str, data: Dataset) -> Iterator[Columns]:
        """The coordinates; no raw ones of what is more than numbers."""
        numbers = all(c.is_number for c in data.table_schema.modelled)
        for columns in self.columns:
            if columns == "encoded" or numbers:
                yield columns
            else:
                click.echo(f"raw columns of {name} are left out: it has texts, times or gaps")

    def _race(self, name: str, view: View, seed: int, score: Scoring) -> dict[str, Any]:
        peer: Peer = SCGAN(view, self.preset, self.own_length) if name == "scgan" else PEERS[name]()
        clock = Clock(self.budget)
        peer.fit(view.train, self.budget, seed)
        seconds = peer.training_seconds if isinstance(peer, SCGAN) else clock.spent

        clock = Clock(self.budget)
        peer.sample(NUM_TIMED, seed)
        rate = NUM_TIMED / clock.spent
        scores = {key: [s.value, s.floor] for key, s in score(view, peer, seed).items()}

        return {
            "training_seconds": seconds,
            "parameters": peer.num_parameters,
            "samples_per_second": rate,
            "scores": scores,
        }

    def _write(self, row: Mapping[str, Any]) -> None:
        self.results.add(row)
        about = f"{row['data']}, {row['peer']} on {row['columns']} columns, seed {row['seed']}"
        click.echo(f"{about}: {row['training_seconds']:.0f} s", err=True)


def table_scores(view: View, peer: Peer, seed: int) -> dict[str, Score]:
    """All scores of a table, in the coordinates of its schema; of a toy those of its density, too.

    Args:
        view: The data, and the coordinates in which the peer was trained.
        peer: Trained.
        seed: Of samples and scores.

    Returns:
        The scores by name, of the samples that are finite.
    """
    samples = _finite(peer.sample(NUM_SAMPLES, seed))
    return scores_of_columns(view.decode(samples), view, seed)


def scores_of_columns(columns: Mapping[str, np.ndarray], view: View, seed: int) -> dict[str, Score]:
    """The same of samples as a user gets them.

    Args:
        columns: The samples.
        view: The data.
        seed: Of the scores.
    """
    data, x = view.data, view.encode(columns)
    places = data.table_schema.categorical
    compared = compare_rows(x, data.test, data.train, seed=seed, categorical=places)
    scores = dict(compared)
    real = data.test[torch.randperm(len(data.test), generator=_seeded(seed))]

    half, other = real.tensor_split(2)
    value, floor = (c2st(y, half, seed=seed, classifier="network") for y in (x, other))
    scores["c2st_network"] = Score.of("c2st_network", value, floor)
    train = view.encode(data.table_schema.decode(data.train))  # shared values not spread, as of all
    scores["dcr_share"] = Score.of("dcr_share", training_share(x, train, real, seed=seed))

    if importlib.util.find_spec("xgboost") is not None:
        num = min(len(x), len(real), NUM_CLASSIFIED)
        found = detection(real[:num].numpy(), x[:num].numpy(), "xgboost", seed=seed)
        scores["detection_xgboost"] = Score.of("detection_xgboost", found)

    if data.toy is not None:
        scores |= toy_scores(data.toy, *(_matrix(c) for c in (columns, _decoded(data))))
    return scores


def scores_of_mixture(mixture: Mixture) -> Scoring:
    """The scores of a table with those of a mixture's modes.

    Their floors are what training rows get, drawn again: their weights are not quite the mixture's,
    and no more can be learnt of them.
    """
    modes = (mixture.centres, mixture.std, mixture.weights)

    def score(view: View, peer: Peer, seed: int) -> dict[str, Score]:
        columns = view.decode(_finite(peer.sample(NUM_MODE_SAMPLES, seed)))
        found = mode_scores(_matrix(columns), *modes)
        again = torch.randint(len(view.train), (NUM_MODE_SAMPLES,), generator=_seeded(seed))
        floors = mode_scores(_matrix(view.decode(view.train))[again], *modes)
        beside = {name: Score.of(name, s.value, floors[name].value) for name, s in found.items()}
        return {**table_scores(view, peer, seed), **beside}

    return score


def _finite(rows: Tensor) -> Tensor:
    """The rows without NaN and infinity; how many there were is said."""
    fine = rows.isfinite().all(1)
    if not fine.all():
        click.echo(f"{int((~fine).sum())} of {len(rows)} samples are not finite", err=True)
    return rows[fine]


def _decoded(data: Dataset) -> dict[str, np.ndarray]:
    return data.table_schema.decode(data.test[:NUM_SAMPLES])


def _matrix(columns: Mapping[str, np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(list(columns.values()), 1))


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _raced(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a race, and whether it is run or only shown."""

    @functools.wraps(command)
    def call(
        folder: str,
        budget: float,
        seeds: int,
        peers: str,
        columns: str,
        preset: str,
        own_length: bool,
        only_report: bool,
        **others: Any,
    ) -> None:
        chosen = _words(peers, NAMES), _words(columns, ("encoded", "raw"))
        race = Race(Path(folder), budget, seeds, *chosen, preset, own_length)
        if not only_report:
            command(race, **others)
        report(race.results.read(), race.folder)

    for option in (
        click.option("--folder", default="runs/race", show_default=True, help="Of the results."),
        click.option("--budget", default=100.0, show_default=True, help="Process seconds."),
        click.option("--seeds", default=5, show_default=True, help="So many, from 0."),
        click.option("--peers", default=",".join(NAMES), show_default=True, help="Who runs."),
        click.option("--columns", default="encoded,raw", show_default=True, help="Coordinates."),
        click.option("--preset", default="default", show_default=True, help="SC-GAN's."),
        click.option("--own-length", is_flag=True, help="Of SC-GAN, whatever the budget."),
        click.option("--report", "only_report", is_flag=True, help="Only show what is there."),
    ):
        call = option(call)
    return call


def _words(text: str, known: Iterable[str]) -> Any:
    words, allowed = tuple(text.split(",")), tuple(known)
    for word in words:
        if word not in allowed:
            raise ValueError(f"unknown {word!r}{suggest(word, allowed)}")
    return words


@click.command()
@_raced
@click.option("--data", multiple=True, help="A table, PATH or PATH@LABEL; may be repeated.")
def tables(race: Race, data: Sequence[str]) -> None:
    """SC-GAN against its peers on tables, each on its transform of columns and on raw ones."""
    if not data and not race.results.read():
        raise ValueError("which tables? give --data PATH, or --data PATH@LABEL, for each")

    sources = {}
    for word in data:
        source = table(word)
        sources[Path(source.source).stem] = source.model_copy(update={"missing": "model"})
    race.run(sources, table_scores)


@click.command()
@_raced
@click.option("--sets", default=",".join(PAPER_TOYS), show_default=True, help="Comma-separated.")
@click.option("--rows", default=128_000, show_default=True, help="To train on, as many held out.")
def toy2d(race: Race, sets: str, rows: int) -> None:
    """SC-GAN against its peers on toy sets in the plane, with the exact share off the support."""
    names = sets.split(",")
    sizes = {"num_train": rows, "num_test": rows}
    race.run({name: DataConfig(source=name, **sizes) for name in names}, table_scores)


@click.command()
@_raced
@click.option("--modes", type=int, help="Only mixtures of so many modes.")
@click.option("--dim", type=int, help="Only of so many dimensions.")
@click.option("--rows", default=100_000, show_default=True, help="A fifth of them held out.")
def mixtures(race: Race, modes: int | None, dim: int | None, rows: int) -> None:
    """SC-GAN against its peers on mixtures of unequal weights: modes and their total variation."""
    for k, d in SIZES:
        if (modes or k, dim or d) != (k, d):
            continue
        mixture, name = Mixture.draw(k, d), f"{k} modes, {d} dimensions"
        path = race.folder / "mixtures" / f"k{k}_d{d}_{rows}.npy"
        if not path.exists():
            mixture.write(path, rows)
        race.run({name: DataConfig(source=str(path))}, scores_of_mixture(mixture))


@click.command()
@_raced
@click.option("--data", required=True, help="The table of MAGIC, or another with two classes.")
@click.option("--label", help="Its column of classes, made numbers; the format's own by default.")
def magic(race: Race, data: str, label: str | None) -> None:
    """The protocol of TabPC's paper: the label is a column, all is compared with training rows."""
    path = race.folder / f"{Path(data).stem}{protocol.WITH_LABEL}.npz"
    if not path.exists():
        protocol.write_with_label(read_table(data, None, label, "error"), path)
    source = DataConfig(source=str(path), test_fraction=protocol.TEST_FRACTION)
    race.run({path.stem: source}, protocol.scores)
