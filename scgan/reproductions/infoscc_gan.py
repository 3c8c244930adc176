"""InfoSCC-GAN's Tables 1 to 6 and its baseline, on the data and at the size that are given.

The paper's own are AFHQ at 256 pixels and CelebA at 128, after 200,000 steps; its figures are
printed beside ours, and are comparable only there and with the same Inception network.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from scgan.config import Settings, leaves, override, shortened
from scgan.data.dataset import DataConfig
from scgan.data.images.schema import ImageSchema
from scgan.data.loading import load
from scgan.figures import images as image_figures
from scgan.metrics.scores import Score
from scgan.pipeline.spec import Spec
from scgan.reproductions import (
    Cell,
    Pages,
    Result,
    markdown_table,
    mean_and_std,
    plain_values,
)
from scgan.systems import eigengan, infoscc_gan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_PICTURED = 12  # images a row of the figure


class Published(NamedTuple):
    """A row of the paper: FID and Inception Score by 2015's Inception, Chamfer distance."""

    fid: float
    inception: float
    chamfer: float | None = None


DISCRIMINATORS = "Table 1: discriminator and loss"
ATTRIBUTES = "Table 2: inner and external attributes"
CLUSTERS = "Table 3: number of clusters"
MANY = "Tables 4 to 6: many attributes an image"
BASELINE = "EigenGAN, Sec. 4.1: conditioning alone differs"

PUBLISHED: Mapping[tuple[str, str], Published] = {
    (DISCRIMINATORS, "global, hinge_clipped"): Published(13.08, 10.71, 4030),
    (DISCRIMINATORS, "global, non_saturating"): Published(25.62, 10.33, 28595),
    (DISCRIMINATORS, "global, least_squares"): Published(29.02, 9.89, 45583),
    (DISCRIMINATORS, "patch, hinge_clipped"): Published(15.95, 10.51, 7327),
    (DISCRIMINATORS, "patch, non_saturating"): Published(14.83, 10.21, 5114),
    (DISCRIMINATORS, "patch, least_squares"): Published(11.59, 11.06, 3645),
    (ATTRIBUTES, "inner"): Published(13.08, 10.71, 4030),
    (ATTRIBUTES, "external"): Published(14.30, 10.11, 4423),
    (CLUSTERS, "3"): Published(13.08, 10.71, 4030),
    (CLUSTERS, "4"): Published(97.37, 6.77, 44113),
    (CLUSTERS, "6"): Published(148.7, 5.45, 94858),
    (CLUSTERS, "15"): Published(101.4, 7.15, 54016),
    (MANY, "5"): Published(27.84, 9.91),
    (MANY, "10"): Published(32.39, 9.04),
    (MANY, "15"): Published(34.97, 8.87),
    (BASELINE, "eigengan, inner"): Published(29.02, 8.52),
}

SAME_CRITIC: Mapping[str, str] = {"generator.discriminator": "global"}
"""What gives InfoSCC-GAN the critic of EigenGAN, which has no attributes."""

CELEBA: Mapping[str, str] = {
    "5": "Bald,Eyeglasses,Mustache,Wearing_Hat,Wearing_Necktie",
    "10": "Bald,Black_Hair,Blond_Hair,Brown_Hair,Double_Chin,Eyeglasses,Gray_Hair,Mustache,"
    "Wearing_Hat,Wearing_Necktie",
    "15": "Bald,Blurry,Chubby,Double_Chin,Eyeglasses,Goatee,Gray_Hair,Mustache,Narrow_Eyes,"
    "Pale_Skin,Receding_Hairline,Rosy_Cheeks,Sideburns,Wearing_Hat,Wearing_Necktie",
}
"""The attributes of Tables 4 to 6."""

COLUMNS: Mapping[str, str] = {
    "fid_encoder": "FID, encoder",
    "fid_judge": "FID, judge",
    "is_judge": "IS, judge",
    "chamfer_sum": "Chamfer",
    "control_accuracy": "control (ceiling)",
    "judge_control_accuracy": "by the judge (ceiling)",
    "judge_control_balanced": "balanced, judge (ceiling)",
    "diversity_pixels": "diversity (real images')",
    "diversity_worst_pixels": "its smallest ratio",
}


def rounds(seeds: Sequence[int], budget: float, source: str | None) -> list[list[list[Cell]]]:
    """First the trainings whose encoder and attributes the others share, then the others.

    Args:
        seeds: Seeds.
        budget: Length of each training, in multiples of the presets'.
        source: The images; the bundled digits by default.

    Raises:
        ValueError: If the source holds no images.
    """
    data = DataConfig(source=source or infoscc_gan.SYSTEM.examples["images"])
    schema = load(data, 0).schema
    if not isinstance(schema, ImageSchema):
        raise ValueError(f"InfoSCC-GAN's tables need images; {data.source} is a table")

    base, ours = (
        shortened(infoscc_gan.SYSTEM.presets[name], budget) for name in ("plain", "default")
    )
    tables = _many if schema.labels == "many" else _cells
    first: list[list[Cell]] = []
    cells: list[Cell] = []
    for seed in seeds:
        first.append([Cell("base", "", Spec("infoscc_gan", data, base, seed))])
        cells += tables(base, data, schema, seed)
        cells += _baseline(base, data, schema, seed)
        cells += _ours(ours, data, schema, seed)

    return [first, [[cell] for cell in cells]]


def _baseline(base: Settings, data: DataConfig, schema: ImageSchema, seed: int) -> list[Cell]:
    """EigenGAN, and InfoSCC-GAN with the same generator, critic, rates and images.

    Of each kind of attributes: EigenGAN; InfoSCC-GAN, first conditioned by Eq. (5) alone, its
    critic EigenGAN's, then by its own critic, too. Encoder and judge are the same networks.
    """
    cells = []
    kinds = {"one": ("inner", "external"), "many": ("external",)}
    for source in kinds.get(schema.labels, ("inner",)):
        own = override(base, {"attributes.source": source})
        same = override(own, SAME_CRITIC)
        for row, system, config in (
            ("eigengan", "eigengan", unconditional(same)),
            ("infoscc_gan, global", "infoscc_gan", same),
            ("infoscc_gan, multiclass", "infoscc_gan", own),
        ):
            cells.append(Cell(f"{row}, {source}", BASELINE, Spec(system, data, config, seed)))

    return cells


def _ours(config: Settings, data: DataConfig, schema: ImageSchema, seed: int) -> list[Cell]:
    """InfoSCC-GAN as it is by default, and EigenGAN by the judge of its inner attributes."""
    if schema.labels == "many":
        return []
    vanilla = unconditional(override(config, SAME_CRITIC))
    pair = ("eigengan", vanilla), ("infoscc_gan", config)
    return [
        Cell(f"{system}, default", BASELINE, Spec(system, data, settings, seed))
        for system, settings in pair
    ]


def unconditional(config: Any) -> Settings:
    """EigenGAN's settings that are InfoSCC-GAN's in all that EigenGAN has."""
    shared = dict(leaves(eigengan.EigenGANConfig()))
    return override(
        eigengan.EigenGANConfig(),
        {key: value for key, value in leaves(config) if key in shared},
    )


def _cells(base: Settings, data: DataConfig, schema: ImageSchema, seed: int) -> list[Cell]:
    """Tables 1 to 3, for images with one class each or none."""

    def cell(row: str, table: str, changes: Mapping[str, object]) -> Cell:
        return Cell(row, table, Spec("infoscc_gan", data, override(base, changes), seed))

    cells = []
    critics = ("global", "patch", "multiclass")
    losses = ("hinge_clipped", "non_saturating", "least_squares", "quartic")
    for name, loss in itertools.product(critics, losses):
        changes = {"generator.discriminator": name, "generator.adversarial": loss}
        cells.append(cell(f"{name}, {loss}", DISCRIMINATORS, changes))

    sources = ("inner", "external") if schema.labels == "one" else ("inner",)
    cells += [cell(name, ATTRIBUTES, {"attributes.source": name}) for name in sources]
    numbers = (3, 4, 6, 10, 15)
    return cells + [cell(str(k), CLUSTERS, {"attributes.num_clusters": k}) for k in numbers]


def _many(base: Settings, data: DataConfig, schema: ImageSchema, seed: int) -> list[Cell]:
    """Tables 4 to 6, for CelebA."""
    config = override(base, {"attributes.source": "external"})
    return [
        Cell(number, MANY, Spec("infoscc_gan", override(data, {"attributes": names}), config, seed))
        for number, names in CELEBA.items()
        if set(names.split(",")) <= set(schema.attributes)
    ]


def render(results: Sequence[Result]) -> Pages:
    """The tables, means and deviations over seeds, the paper's values last; samples of Table 1."""
    results = [result for result in results if result.cell.column]
    tables = list(dict.fromkeys(result.cell.column for result in results))
    markdown = "\n\n".join(f"### {table}\n\n{_table(results, table)}" for table in tables)
    if baseline := [result for result in results if result.cell.column == BASELINE]:
        markdown += f"\n\n### {BASELINE}, ratios\n\n{_ratios(baseline)}"

    rows = [
        {"table": result.cell.column, "row": result.cell.row, **plain_values(result)}
        for result in results
    ]
    return Pages(markdown, rows, {"samples.png": _picture(results)})


def _table(results: Sequence[Result], table: str) -> str:
    mine = [result for result in results if result.cell.column == table]
    lines: dict[str, list[str]] = {}

    for row in dict.fromkeys(result.cell.row for result in mine):
        scores = [result.scores for result in mine if result.cell.row == row]
        lines[row] = [_cell(scores, prefix) for prefix in COLUMNS]
        published = PUBLISHED.get((table, row), ())
        beside = ["-" if value is None else f"{value:g}" for value in published]
        lines[row].append(" / ".join(beside) or "-")

    return markdown_table(["", *COLUMNS.values(), "paper: FID / IS / Chamfer"], lines)


def _cell(results: Sequence[Mapping[str, Score]], prefix: str) -> str:
    """Mean and deviation of a score, and in brackets its floor where that is what counts."""
    found = _found(results, prefix)
    text = mean_and_std([score.value for score in found], 3)
    floors = [score.floor for score in found if score.floor is not None]
    if "(" not in COLUMNS[prefix] or not floors:
        return text
    return f"{text} ({statistics.mean(floors):.3g})"


def _found(results: Sequence[Mapping[str, Score]], prefix: str) -> list[Score]:
    """Each result's score of that name, whatever number of images follows it, where it has one."""
    found = []
    for scores in results:
        names = [name for name in scores if f"{name}_".startswith(f"{prefix}_")]
        found += [scores[name] for name in names[:1]]
    return found


def _ratios(results: Sequence[Result]) -> str:
    """Distances of InfoSCC-GAN over EigenGAN's, seed by seed."""
    of: dict[tuple[str, int], Mapping[str, Score]] = {
        (result.cell.row, result.cell.spec.seed): result.scores for result in results
    }
    prefixes = ("fid_encoder", "fid_judge")
    lines: dict[str, list[str]] = {}
    for row in dict.fromkeys(row for row, _ in of if not row.startswith("eigengan")):
        base = f"eigengan, {row.rpartition(', ')[2]}"
        seeds = [seed for name, seed in of if name == row and (base, seed) in of]
        lines[row] = []

        for prefix in prefixes:
            pairs = [_found([of[row, seed], of[base, seed]], prefix) for seed in seeds]
            ratios = [pair[0].value / pair[1].value for pair in pairs if len(pair) == 2]
            lines[row].append(mean_and_std(ratios, 3))

    titles = ["over EigenGAN's", *(COLUMNS[prefix] for prefix in prefixes)]
    return markdown_table(titles, lines)


def _picture(results: Sequence[Result]) -> Figure:
    """Samples of every row of Table 1, or of what there is, of the first seed; the data first."""
    rows: dict[str, torch.Tensor] = {}
    for result in results:
        if result.cell.column in (DISCRIMINATORS, MANY, BASELINE):
            rows.setdefault("data", result.reference[:NUM_PICTURED])
            rows.setdefault(result.cell.row, result.samples[:NUM_PICTURED])
    return image_figures.grid(torch.cat(list(rows.values())), list(rows))
