"""InfoSCC-GAN's Tables 4 to 6, attribute by attribute: 5, 10 and 15 of them an image.

Of CelebA the paper's attributes; of the drawn set ``shapes``, which needs no file, some of its own.
What is recalled of an attribute stands beside its ceiling: what the same network recalls of it in
held-out real images.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from scgan.config import override, shortened
from scgan.data.dataset import SHAPES, DataConfig
from scgan.data.images import synthetic
from scgan.data.images.schema import ImageSchema
from scgan.data.loading import load
from scgan.metrics.scores import Score
from scgan.metrics.strength import StrengthReader, agreement
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.reproductions import Cell, Pages, Result, markdown_table, mean_and_std
from scgan.reproductions.infoscc_gan import CELEBA, MANY
from scgan.reproductions.infoscc_gan import render as render_together
from scgan.store.artifacts import ArtifactStore
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

ALL = {"all that were asked for": "accuracy", "balanced accuracy": "balanced"}
"""Rows below the attributes', and what their scores end with."""

STRENGTH = "strength_of_"
"""What the scores of strengths begin with; those of slopes end with "slope", too."""


MEANING = (
    "how far an attribute is there, measured off pixels, against how far it was asked to be: "
    "correlation, or slope"
)


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
    if sets is None or not isinstance(schema, ImageSchema):
        raise ValueError(f"{data.source} has not the attributes of Tables 4 to 6: {CELEBA['15']}")

    changes = {"attributes.source": "external"}
    if schema.size > SMALL:
        changes["encoder.backbone"] = "resnet18"
    config = override(shortened(SYSTEM.presets["plain"], budget), changes)
    groups = []
    for seed, (number, names) in itertools.product(seeds, sets.items()):
        spec = Spec("infoscc_gan", override(data, {"attributes": names}), config, seed)
        groups.append([Cell(number, MANY, spec, strengths)])
    return [groups]


def strengths(outcome: Outcome, store: ArtifactStore) -> dict[str, Score]:
    """Score how strengths that lie between absent and present are followed.

    Args:
        outcome: Of a cell.
        store: Not needed.

    Returns:
        For each attribute that is there by degrees, where the truth of these is known:
        ``strength_of_<name>``, the correlation of the strength that is measured with the one that
        was asked for, and ``strength_of_<name>_slope``; their floors those of real images.
    """
    model: Any = outcome.model
    names, schema = model.attributes.names, outcome.data.image_schema
    graded = [name for name in names if name in synthetic.GRADED]
    if not graded or not set(names) <= set(synthetic.NAMES) or schema.channels != 3:
        return {}

    known = synthetic.draw(NUM_KNOWN, KNOWN_SEED)
    pixels = torch.from_numpy(known.images).permute(0, 3, 1, 2)
    columns = [synthetic.NAMES.index(name) for name in graded]
    truth, half = torch.from_numpy(known.strengths[:, columns]), NUM_KNOWN // 2
    reader = StrengthReader.fit(pixels[:half], truth[:half])
    of_known = reader.read(pixels[half:])

    random = torch.Generator(model.device).manual_seed(outcome.spec.seed)
    scores: dict[str, Score] = {}
    for place, name in enumerate(graded):
        y = model.attributes.sample(NUM_DRAWN, random)
        asked = torch.rand(len(y), generator=random, device=y.device)
        y[:, names.index(name)] = asked
        measured = reader.read(model.sample(len(y), random, attributes=y))[:, place]

        found = agreement(asked.cpu(), measured)
        real = agreement(truth[half:, place], of_known[:, place])
        for ending, value, ceiling in zip(("", "_slope"), found, real, strict=True):
            label = f"strength of {name}{ending.replace('_', ', ')}"
            scores[f"{STRENGTH}{name}{ending}"] = Score(value, ceiling, "higher", label, MEANING)

    return scores


def render(results: Sequence[Result]) -> Pages:
    """The tables as the paper has them, then each attribute beside its ceiling."""
    together = render_together(results)
    parts = [together.markdown]
    for number in dict.fromkeys(result.cell.row for result in results):
        mine = [result for result in results if result.cell.row == number]
        parts.append(f"### {number} attributes: recall beside its ceiling\n\n{_recall(mine)}")
        if graded := [name for name in mine[0].scores if name.startswith(STRENGTH)]:
            table = _strength(mine, [name for name in graded if not name.endswith("_slope")])
            parts.append(f"### {number} attributes: strength\n\n{table}")

    return Pages("\n\n".join(parts), together.rows, together.figures)


def _recall(results: Sequence[Result]) -> str:
    """A row an attribute: what each reader recalls in samples, and in held-out images."""
    first = [name for name in results[0].scores if name.startswith("control_of_")]
    rows = {name.removeprefix("control_of_"): name.removeprefix("control_") for name in first}
    lines = {
        row: [*_beside(results, f"judge_control_{ending}"), *_beside(results, f"control_{ending}")]
        for row, ending in (rows | ALL).items()
    }
    return markdown_table(["", "by the judge", "ceiling", "by the classifier", "ceiling"], lines)


def _strength(results: Sequence[Result], names: Sequence[str]) -> str:
    """A row an attribute that is there by degrees."""
    lines = {
        name.removeprefix(STRENGTH): [*_beside(results, name), *_beside(results, f"{name}_slope")]
        for name in names
    }
    return markdown_table(["", "correlation", "ceiling", "slope", "ceiling"], lines)


def _beside(results: Sequence[Result], name: str) -> tuple[str, str]:
    """A score, mean and deviation over the seeds, and its ceiling."""
    there = [result.scores[name] for result in results if name in result.scores]
    ceilings = [score.floor for score in there if score.floor is not None]
    return mean_and_std([score.value for score in there], 3), mean_and_std(ceilings, 3)
