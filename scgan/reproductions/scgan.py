"""SC-GAN's Table 1 (reconstruction under four latent models) and Figure 3 (their samples).

The paper gives no hyper-parameters; these are the default preset's, the same for every cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from scgan.config import override, shortened
from scgan.data.dataset import DataConfig
from scgan.figures import tables as figures
from scgan.metrics.scores import Score
from scgan.pipeline.spec import Spec
from scgan.reproductions import (
    Cell,
    Pages,
    Result,
    best_in_bold,
    markdown_table,
    mean_and_std,
    plain_values,
)
from scgan.stages.tables.latents import LATENT_TITLES, LATENTS, LatentName
from scgan.systems.scgan import SYSTEM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PUBLISHED: dict[str, dict[LatentName, float]] = {
    "eight_gaussians": {"gaussian": 2.339, "centres": 0.053, "mapping": 0.065, "real": 0.016},
    "checkerboard": {"gaussian": 0.337, "centres": 0.034, "mapping": 0.015, "real": 0.009},
    "two_spirals": {"gaussian": 1.771, "centres": 0.058, "mapping": 0.062, "real": 0.011},
    "abs": {"gaussian": 0.133, "centres": 0.021, "mapping": 0.029, "real": 0.019},
    "sine_wave": {"gaussian": 0.062, "centres": 0.023, "mapping": 0.024, "real": 0.021},
    "crescent_cubed": {"gaussian": 0.062, "centres": 0.023, "mapping": 0.024, "real": 0.021},
    "four_circles": {"gaussian": 0.031, "centres": 0.034, "mapping": 0.044, "real": 0.035},
}
"""Table 1. Its "sinewaved cube" may be ``sine_wave`` or ``crescent_cubed``: both are trained."""


def rounds(seeds: Sequence[int], budget: float, source: str | None) -> list[list[list[Cell]]]:
    """A group a set and seed: its four latent models share encoder, clusters and mappers.

    Raises:
        ValueError: If a source is given: the paper's sets are fixed.
    """
    if source is not None:
        raise ValueError("SC-GAN's tables are of the paper's own sets; leave --data out")

    base = shortened(SYSTEM.presets["default"], budget)
    configs = {latent: override(base, {"decoder.latent": latent}) for latent in LATENTS}
    groups = []
    for seed, toy in itertools.product(seeds, PUBLISHED):
        data = DataConfig(source=toy)
        specs = {latent: Spec("scgan", data, config, seed) for latent, config in configs.items()}
        groups.append([Cell(toy, latent, spec) for latent, spec in specs.items()])

    return [groups]


def render(results: Sequence[Result]) -> Pages:
    """Table 1, means and deviations over seeds beside the published values, and Figure 3."""
    mse = _table(results, "reconstruction_mse_data_units", lambda s: s.value)
    sliced = _table(results, "sliced_wasserstein", lambda s: s.value / (s.floor or 1.0))
    off = _table(results, "off_support_fraction", lambda s: s.value)

    tables = {
        "Table 1: reconstruction MSE on held-out data, data units; ours (published)": mse,
        "Generation: sliced Wasserstein-1 over its noise floor": sliced,
        "Generation: off-support fraction (0.001 is real data's)": off,
    }
    markdown = "\n\n".join(f"### {title}\n\n{table}" for title, table in tables.items())

    rows = []
    for result in results:
        toy, latent = result.cell.row, cast(LatentName, result.cell.column)
        cell = {"data": toy, "latent": latent, "published_mse": PUBLISHED[toy][latent]}
        rows.append(cell | plain_values(result))

    return Pages(markdown, rows, {"figure3.png": _figure_3(results)})


def _table(results: Sequence[Result], metric: str, value: Callable[[Score], float]) -> str:
    """A markdown table of sets and latent models, mean and standard deviation over the seeds.

    In bold the best latent model and all that it does not beat; real codes are no model.
    """
    found: dict[str, dict[str, list[float]]] = {toy: {} for toy in PUBLISHED}
    for result in results:
        values = found[result.cell.row].setdefault(result.cell.column, [])
        values.append(value(result.scores[metric]))

    lines: dict[str, list[str]] = {toy: [] for toy in PUBLISHED}
    for toy, by_latent in found.items():
        real = mean_and_std(by_latent.pop("real", []), 2)
        cells = {"real": real, **best_in_bold(metric, by_latent, 2)}
        for latent in LATENTS:
            text = cells.get(latent, "-")
            if metric.startswith("reconstruction"):
                text += f" ({PUBLISHED[toy][latent]:.3f})"
            lines[toy].append(text)

    return markdown_table(["data", *(LATENT_TITLES[latent] for latent in LATENTS)], lines)


def _figure_3(results: Sequence[Result]) -> Figure:
    """A row a set: samples under the four latent models, and the data; of the first seed."""
    first: dict[tuple[str, str], Result] = {}
    for result in results:
        first.setdefault((result.cell.row, result.cell.column), result)

    rows = {}
    for toy in PUBLISHED:
        mine = {latent: first.get((toy, latent)) for latent in LATENTS}
        done = {LATENT_TITLES[latent]: result for latent, result in mine.items() if result}
        if len(done) == len(LATENTS):
            clouds = {title: result.samples.numpy() for title, result in done.items()}
            rows[toy] = {**clouds, "data": first[toy, LATENTS[-1]].reference.numpy()}

    return figures.density_rows(rows)
