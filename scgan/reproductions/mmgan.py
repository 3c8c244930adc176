"""MMGAN's Tables 1 and 2: clusters beside labels, with and without pairing.

The paper's sets of images are its own where they are given by ``--data``, by their names:
``mnist.npz``, ``fashion_mnist.npz``, a folder ``coil_20`` with a folder a class. Learning rates,
lengths and dimensions are not published; these are the default presets', the same for every set.
There E of images learns groups that views share, which is ours; the rows "by samples" are as
published, which of moons all are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import torch

from scgan import systems
from scgan.config import override, shortened
from scgan.data.dataset import DIGITS, DataConfig
from scgan.data.loading import load
from scgan.figures import images as image_figures
from scgan.figures import tables as table_figures
from scgan.pipeline.spec import Spec
from scgan.reproductions import (
    Cell,
    Pages,
    Result,
    best_in_bold,
    markdown_table,
    plain_values,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOONS = "moons"
NUM_PICTURED = 20  # images of a model in the figure
NUM_MOONS = {"num_train": 20_000, "num_test": 10_000}

PAIRED, UNPAIRED = "MMGAN by samples", "MMGAN by samples, no pairs"
_BY_SAMPLES = {"gan.critic": "crasgan", "gan.start": "noise"}

MODELS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "MMGAN (SGAN)": ("mmgan", {"gan.critic": "sgan"}),
    "MMGAN (RSGAN)": ("mmgan", {"gan.critic": "rsgan"}),
    "MMGAN (cRaSGAN)": ("mmgan", {"gan.critic": "crasgan"}),
    "GMVAE": ("gmvae", {}),
    "AAE": ("aae", {}),
    "ClusterGAN": ("clustergan", {}),
    PAIRED: ("mmgan", _BY_SAMPLES),
    UNPAIRED: ("mmgan", {**_BY_SAMPLES, "gan.batches": "prior"}),
}
"""Table 1's models, and the two that Table 2 compares: system, settings."""


class Published(NamedTuple):
    """A row of the paper."""

    nmi: float
    ari: float
    purity: float


SCORES = {"label_nmi": "NMI", "label_ari": "ARI", "label_purity": "purity"}
OURS = {"label_hungarian": "Hungarian accuracy"}
"""Beside them; the paper's ACC is the purity."""

TABLE_1: Mapping[tuple[str, str], Published] = {
    ("moons", "MMGAN (SGAN)"): Published(0.64, 0.74, 0.93),
    ("moons", "MMGAN (RSGAN)"): Published(0.76, 0.81, 0.95),
    ("moons", "MMGAN (cRaSGAN)"): Published(0.60, 0.70, 0.92),
    ("moons", PAIRED): Published(0.60, 0.70, 0.92),
    ("moons", "GMVAE"): Published(0.39, 0.47, 0.84),
    ("moons", "AAE"): Published(0.48, 0.57, 0.86),
    ("moons", "ClusterGAN"): Published(0.36, 0.45, 0.83),
    ("mnist", "MMGAN (SGAN)"): Published(0.81, 0.74, 0.81),
    ("mnist", "MMGAN (RSGAN)"): Published(0.86, 0.80, 0.88),
    ("mnist", "MMGAN (cRaSGAN)"): Published(0.92, 0.94, 0.97),
    ("mnist", PAIRED): Published(0.92, 0.94, 0.97),
    ("mnist", "GMVAE"): Published(0.68, 0.57, 0.70),
    ("mnist", "AAE"): Published(0.73, 0.64, 0.76),
    ("mnist", "ClusterGAN"): Published(0.72, 0.64, 0.74),
    ("fashion_mnist", "MMGAN (SGAN)"): Published(0.73, 0.60, 0.74),
    ("fashion_mnist", "MMGAN (RSGAN)"): Published(0.67, 0.53, 0.69),
    ("fashion_mnist", "MMGAN (cRaSGAN)"): Published(0.68, 0.56, 0.70),
    ("fashion_mnist", PAIRED): Published(0.68, 0.56, 0.70),
    ("fashion_mnist", "GMVAE"): Published(0.51, 0.32, 0.48),
    ("fashion_mnist", "AAE"): Published(0.52, 0.31, 0.50),
    ("fashion_mnist", "ClusterGAN"): Published(0.30, 0.18, 0.42),
    ("coil_20", "MMGAN (SGAN)"): Published(0.71, 0.55, 0.67),
    ("coil_20", "MMGAN (RSGAN)"): Published(0.76, 0.58, 0.67),
    ("coil_20", "MMGAN (cRaSGAN)"): Published(0.80, 0.60, 0.72),
    ("coil_20", PAIRED): Published(0.80, 0.60, 0.72),
    ("coil_20", "GMVAE"): Published(0.65, 0.29, 0.44),
    ("coil_20", "AAE"): Published(0.75, 0.56, 0.61),
    ("coil_20", "ClusterGAN"): Published(0.62, 0.38, 0.45),
}

TABLE_2: Mapping[tuple[str, str], Published] = {
    ("mnist", PAIRED): Published(0.91, 0.90, 0.94),
    ("mnist", UNPAIRED): Published(0.92, 0.93, 0.96),
    ("fashion_mnist", PAIRED): Published(0.65, 0.52, 0.66),
    ("fashion_mnist", UNPAIRED): Published(0.63, 0.49, 0.63),
    ("coil_20", PAIRED): Published(0.80, 0.62, 0.73),
    ("coil_20", UNPAIRED): Published(0.70, 0.48, 0.64),
}
"""Means of five runs."""


def rounds(seeds: Sequence[int], budget: float, source: str | None) -> list[list[list[Cell]]]:
    """A cell a set, model and seed, each on its own.

    Args:
        seeds: Seeds.
        budget: Length of each training, in multiples of the default presets'.
        source: Sets of images, comma-separated; the bundled digits by default. Moons are always
            there.

    Raises:
        ValueError: If a source is no set of images with one class each.
    """
    sets = {MOONS: DataConfig(source=MOONS, **NUM_MOONS)}
    for path in (source or DIGITS).split(","):
        data = DataConfig(source=path)
        if not _has_classes(data):
            raise ValueError(f"{path} is no set of images with one class each; leave it out")
        sets[name_of(path)] = data

    cells = []
    for seed in seeds:
        for name, data in sets.items():
            for model, (system, changes) in MODELS.items():
                base = shortened(systems.load(system).presets["default"], budget)
                cells.append(Cell(name, model, Spec(system, data, override(base, changes), seed)))
    return [[[cell] for cell in cells]]


def name_of(path: str) -> str:
    """A set's name as the tables have it: of ``/data/COIL-20.zip``, ``coil_20``."""
    name = PurePosixPath(path).name.lower().partition(".")[0]
    return re.sub(r"[^a-z0-9]+", "_", name)


def _has_classes(config: DataConfig) -> bool:
    data = load(config, 0)
    return data.kind == "images" and data.image_schema.labels == "one"


def render(results: Sequence[Result]) -> Pages:
    """Both tables, means and deviations over seeds beside the published; samples of each model."""
    sets = list(dict.fromkeys(result.cell.row for result in results))
    parts = []
    for name in sets:
        table = _table(results, name, [model for model in MODELS if model != UNPAIRED], TABLE_1)
        parts.append(f"### Table 1, {name}; ours (published)\n\n{table}")
    for name in sets:
        table = _table(results, name, [PAIRED, UNPAIRED], TABLE_2)
        parts.append(f"### Table 2, {name}, with and without pairing; ours (published)\n\n{table}")

    rows = [
        {"data": result.cell.row, "model": result.cell.column, **plain_values(result)}
        for result in results
    ]
    pictures = {f"samples_{name}.png": _picture(results, name) for name in sets}
    return Pages("\n\n".join(parts), rows, pictures)


def _table(
    results: Sequence[Result],
    data: str,
    models: Sequence[str],
    published: Mapping[tuple[str, str], Published],
) -> str:
    """Models of a set as rows, scores as columns; the best, and all that it does not beat, bold."""
    lines: dict[str, list[str]] = {model: [] for model in models}
    for number, score in enumerate({**SCORES, **OURS}):
        values = {model: _values(results, data, model, score) for model in models}
        known = {model: found for model, found in values.items() if found}
        cells = best_in_bold(score, known, 2)
        for model in models:
            beside = published.get((data, model)) if score in SCORES else None
            text = cells.get(model, "-")
            lines[model].append(text if beside is None else f"{text} ({beside[number]:.2f})")

    return markdown_table(["", *SCORES.values(), *OURS.values()], lines)


def _values(results: Sequence[Result], data: str, model: str, score: str) -> list[float]:
    mine = [result for result in results if (result.cell.row, result.cell.column) == (data, model)]
    return [result.scores[score].value for result in mine]


def _picture(results: Sequence[Result], data: str) -> Figure:
    """Samples of each model of a set, of the first seed, and the data."""
    first: dict[str, Result] = {}
    for result in results:
        if result.cell.row == data:
            first.setdefault(result.cell.column, result)

    clouds = {model: result.samples for model, result in first.items()}
    clouds["data"] = next(iter(first.values())).reference
    if clouds["data"].ndim == 2:
        arrays = {model: rows.numpy() for model, rows in clouds.items()}
        return table_figures.density_rows({data: arrays})

    rows = [images[:NUM_PICTURED] for images in clouds.values()]
    return image_figures.grid(torch.cat(rows), list(clouds))
