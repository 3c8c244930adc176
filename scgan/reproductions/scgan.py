"""SC-GAN's Table 1 (reconstruction under four latent models) and Figure 3 (their samples).

The paper gives no hyper-parameters; these are the default preset's, the same for every cell.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.figures import tables as figures
from scgan.metrics.scores import Score
from scgan.pipeline.spec import Spec
from scgan.reproductions import Cell, Pages, Result, shortened
from scgan.stages.tables.latents import LATENTS, LatentName
from scgan.systems.scgan import LATENT_TITLES, SYSTEM

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
"""Table 1. The paper's "sinewaved cube" may be ``sine_wave`` or ``crescent_cubed``: both are trained."""


def rounds(seeds: Sequence[int], budget: float, source: str | None) -> list[list[list[Cell]]]:
    """A group a set and seed: its four latent models share encoder, clusters and mappers.

    Raises:
        ValueError: If a source is given: the paper's sets are fixed.
    """
    if source is not None:
        raise ValueError("SC-GAN's tables are of the paper's own sets; leave --data out")

    base = shortened(SYSTEM.presets["default"], budget)
    groups = [
        [
            Cell(
                toy,
                latent,
                Spec(
                    "scgan",
                    DataConfig(source=toy),
                    override(base, {"decoder.latent": latent}),
                    seed,
                ),
            )
            for latent in LATENTS
        ]
        for seed in seeds
        for toy in PUBLISHED
    ]

    return [groups]


def render(results: Sequence[Result]) -> Pages:
    """Table 1 with mean and standard deviation over seeds beside the published value, and Figure 3."""
    mse = _table(results, "reconstruction_mse_data_units", lambda s: s.value)
    sliced = _table(results, "sliced_wasserstein", lambda s: s.value / (s.floor or 1.0))
    off = _table(results, "off_support_fraction", lambda s: s.value)

    markdown = "\n\n".join(
        [
            "### Table 1: reconstruction MSE on held-out data, data units; ours (published)\n\n"
            + mse,
            "### Generation: sliced Wasserstein-1 over its noise floor\n\n" + sliced,
            "### Generation: off-support fraction (0.001 is real data's)\n\n" + off,
        ]
    )

    rows = [
        {
            "data": result.cell.row,
            "latent": result.cell.column,
            "seed": result.cell.spec.seed,
            "published_mse": PUBLISHED[result.cell.row][cast(LatentName, result.cell.column)],
            **{name: score.value for name, score in result.scores.items()},
            **{
                f"{name}_floor": s.floor for name, s in result.scores.items() if s.floor is not None
            },
        }
        for result in results
    ]

    return Pages(markdown, rows, {"figure3.png": _figure_3(results)})


def _table(results: Sequence[Result], metric: str, value: Callable[[Score], float]) -> str:
    """A markdown table of sets and latent models, mean and standard deviation over the seeds."""
    titles = [LATENT_TITLES[latent] for latent in LATENTS]
    lines = ["| data | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]

    for toy, published in PUBLISHED.items():
        cells = []
        for latent in LATENTS:
            found = [
                value(result.scores[metric])
                for result in results
                if (result.cell.row, result.cell.column) == (toy, latent)
            ]

            beside = f" ({published[latent]:.3f})" if metric.startswith("reconstruction") else ""
            cells.append(_mean_and_std(found) + beside)

        lines.append(f"| {toy} | " + " | ".join(cells) + " |")

    return "\n".join(lines)


def _mean_and_std(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.2g}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1g}"


def _figure_3(results: Sequence[Result]) -> Figure:
    """A row a set: samples under the four latent models, and the data; of the first seed."""
    first: dict[tuple[str, str], Result] = {}
    for result in results:
        first.setdefault((result.cell.row, result.cell.column), result)

    rows = {
        toy: {
            **{LATENT_TITLES[latent]: first[toy, latent].samples.numpy() for latent in LATENTS},
            "data": first[toy, LATENTS[-1]].reference.numpy(),
        }
        for toy in PUBLISHED
        if all((toy, latent) in first for latent in LATENTS)
    }

    return figures.density_rows(rows)
