"""InfoSCC-GAN's Tables 4 to 6, attribute by attribute: 5, 10 and 15 of them an image.

Of CelebA the paper's attributes; of the drawn set ``shapes``, which needs no file, some of its own.
What is recalled of an attribute stands beside its ceiling: what the same network recalls of it in
held-out real images.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from scgan.config import override, shortened
from scgan.data.dataset import SHAPES, DataConfig
from scgan.data.images import synthetic
from scgan.data.images.schema import ImageSchema, as_floats
from scgan.data.loading import load
from scgan.metrics.strength import StrengthReader, agreement
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.reproductions import Cell, Pages, Result, markdown_table, mean_and_std, plain_values
from scgan.reproductions.infoscc_gan import CELEBA, MANY
from scgan.reproductions.infoscc_gan import render as render_together
from scgan.systems.infoscc_gan import SYSTEM

_FIVE = "Bright_Background,Red_Body,Ground,Legs,Framed"
_TEN = f"{_FIVE},Sun,Square_Body,Wearing_Hat,Eyes,Hazy"
STAND_IN: Mapping[str, str] = {
    "5": _FIVE,
    "10": _TEN,
    "15": f"{_TEN},Large_Body,Arms,Horns,Outlined_Body,Striped_Background",
}
"""As many of the drawn set's, from those that change much to those that change little."""

NUM_DRAWN = 2000  # samples of a training
NUM_KNOWN, KNOWN_SEED = 4000, 2  # images that strengths are learnt from, in no other set
SMALL = 32  # pixels, below the whole length: an encoder for 64 takes a minute for 4,000 images

RECALL = {
    "judge": "recall, judge",
    "judge_ceiling": "its ceiling",
    "judge_balanced": "balanced accuracy, judge",
    "judge_balanced_ceiling": "its ceiling",
    "classifier": "recall, classifier",
    "classifier_ceiling": "its ceiling",
}
STRENGTH = {
    "correlation": "asked and measured",
    "correlation_ceiling": "its ceiling",
    "slope": "slope",
    "slope_ceiling": "its ceiling",
}


def rounds(seeds: Sequence[int], budget: float, source: str | None) -> list[list[list[Cell]]]:
    """A training for each number of attributes and seed.

    Args:
        seeds: Seeds.
        budget: Length of each training, in multiples of the default preset's; below 1 the images
            are taken at 32 pixels.
        source: Images with the paper's attributes, or the drawn set's; that set by default.

    Raises:
        ValueError: If the source has neither.
    """
    data = DataConfig(source=source or SHAPES, image_size=SMALL if budget < 1 else None)
    schema = load(data, 0).schema
    known = set(schema.attributes) if isinstance(schema, ImageSchema) else set()
    sets = next((s for s in (CELEBA, STAND_IN) if set(s["15"].split(",")) <= known), None)
    if sets is None:
        raise ValueError(f"{data.source} has not the attributes of Tables 4 to 6: {CELEBA['15']}")

    changes = {"attributes.source": "external"}
    if schema.size > SMALL:
        changes["encoder.backbone"] = "resnet18"
    config = override(shortened(SYSTEM.presets["default"], budget), changes)
    cells = [
        Cell(number, MANY, Spec("infoscc_gan", override(data, {"attributes": names}), config, seed))
        for seed in seeds
        for number, names in sets.items()
    ]
    return [[[cell] for cell in cells]]


def measure(outcome: Outcome) -> dict[str, Any]:
    """What is recalled of each attribute, and how far strengths are followed.

    Args:
        outcome: Of a cell.

    Returns:
        ``recall``: a row of :data:`RECALL`'s keys for each attribute; ``strength``: a row of
        :data:`STRENGTH`'s for each that is there by degrees, where the truth of these is known.
    """
    model: Any = outcome.model
    data, names = outcome.data, model.attributes.names
    assert data.test_labels is not None
    random = torch.Generator(model.device).manual_seed(outcome.spec.seed)
    fake, y = model.draw(NUM_DRAWN, random)

    asked, real = (y.cpu() > 0.5), torch.from_numpy(data.test_labels).bool()
    rows: dict[str, dict[str, float]] = {name: {} for name in names}
    for reader, read in (("judge", model.judged), ("classifier", model.read)):
        made, found = read(fake).bool(), read(as_floats(data.test)).bool()
        for a, name in enumerate(names):
            rows[name] |= _row(reader, "", made[:, a], asked[:, a])
            rows[name] |= _row(reader, "_ceiling", found[:, a], real[:, a])

    is_drawn = set(names) <= set(synthetic.NAMES) and data.image_schema.channels == 3
    graded = [name for name in names if is_drawn and name in synthetic.GRADED]
    return {"recall": rows, "strength": _strengths(model, data.test[:NUM_DRAWN], graded, random)}


def _row(reader: str, ending: str, found: Tensor, true: Tensor) -> dict[str, float]:
    """Recall and balanced accuracy of an attribute that is found, or not, ``[N]``."""
    recall = float(found[true].float().mean())
    absent = float((~found[~true]).float().mean())
    return {f"{reader}{ending}": recall, f"{reader}_balanced{ending}": (recall + absent) / 2}


def _strengths(
    model: Any, images: Tensor, graded: Sequence[str], random: torch.Generator
) -> dict[str, dict[str, float]]:
    """How strengths that are measured follow those that are asked for, of each attribute."""
    if not graded:
        return {}

    known = synthetic.draw(NUM_KNOWN, KNOWN_SEED)
    columns = [synthetic.NAMES.index(name) for name in graded]
    pixels, truth = (
        torch.from_numpy(known.images).permute(0, 3, 1, 2),
        torch.from_numpy(known.strengths),
    )
    half = NUM_KNOWN // 2
    reader = StrengthReader.fit(pixels[:half], truth[:half, columns])
    of_known = reader.read(pixels[half:])

    rows = {}
    for place, name in enumerate(graded):
        y = model.attributes.sample(NUM_DRAWN // 2, random)
        asked = torch.rand(len(y), generator=random, device=y.device)
        y[:, model.attributes.names.index(name)] = asked
        measured = reader.read(model.sample(len(y), random, attributes=y))[:, place]

        pair = agreement(asked.cpu(), measured)
        ceiling = agreement(truth[half:, columns[place]], of_known[:, place])
        rows[name] = dict(zip(STRENGTH, (pair[0], ceiling[0], pair[1], ceiling[1]), strict=True))

    return rows


def render(results: Sequence[Result]) -> Pages:
    """The tables as the paper has them, then each attribute beside its ceiling."""
    together = render_together(results)
    parts = [together.markdown]
    for number in dict.fromkeys(result.cell.row for result in results):
        details = [result.details for result in results if result.cell.row == number]
        parts.append(f"### {number} attributes\n\n{_table(details, 'recall', RECALL)}")
        if any(found["strength"] for found in details):
            parts.append(_table(details, "strength", STRENGTH))

    rows = [
        {
            "table": result.cell.column,
            "row": result.cell.row,
            **plain_values(result),
            **result.details,
        }
        for result in results
    ]
    return Pages("\n\n".join(parts), rows, together.figures)


def _table(details: Sequence[Mapping[str, Any]], what: str, titles: Mapping[str, str]) -> str:
    """A row an attribute, means and deviations over the seeds; last, their mean."""
    lines: dict[str, list[str]] = {name: [] for name in (*details[0][what], "mean")}
    for key in titles:
        means = []
        for found in details:
            values = [row[key] for row in found[what].values()]
            means.append(statistics.mean(values))
        lines["mean"].append(mean_and_std(means, 3))

        for name in details[0][what]:
            lines[name].append(mean_and_std([found[what][name][key] for found in details], 3))

    return markdown_table(["", *titles.values()], lines)
