"""The figures of generated images for the final table, each named by what measured it.

A name reads ``metric_extractor_count``: ``fid_encoder_10k`` is the Fréchet distance of 10,000
generated to as many real images in the features of the encoder. The floor beside it is the same
between two disjoint sets of real images of that size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from scgan.config import suggest
from scgan.metrics.attributes import control_accuracy, diversities
from scgan.metrics.images import (
    Classifying,
    Extractor,
    chamfer_tsne,
    features,
    fid,
    inception_score,
    kid,
    probabilities,
)
from scgan.metrics.scores import Score

NUM_IMAGES_MIN = 10


class Pixels:
    """Grey values averaged to 8 by 8, for models that bring no network: features ``[B, 64]``."""

    name = "pixels"
    num_features = 64

    def __call__(self, images: Tensor) -> Tensor:
        """Features of images ``[B, C, H, W]`` in [-1, 1]."""
        return nn.functional.adaptive_avg_pool2d(images.mean(1), 8).flatten(1)  # [B, 64]


PIXELS = Pixels()


def compare_images(
    real: Tensor,
    fake: Tensor,
    extractors: Sequence[Extractor],
    seed: int,
    *,
    held_out: Tensor | None = None,
    num_max: int = 10_000,
    chamfer: Sequence[str] = (),
    chamfer_points: int = 1000,
) -> Iterator[tuple[str, Score]]:
    """Score generated images against real ones, in the features of each extractor.

    All comparisons have ``n = min(num_max, M, (N + H) // 2)`` images a side: real images A (of
    ``real`` as far as it goes) against generated ones, and for the floor against other real ones, B
    (of ``held_out`` as far as it goes). A and B share no image. The Inception Score's floor is A's
    own.

    Args:
        real: Images that the generator was trained on, ``[N, C, H, W]``, uint8 or floating point in
            [-1, 1].
        fake: Generated images, ``[M, C, H, W]``, likewise.
        extractors: Networks to measure with; one that classifies gives an Inception Score, too.
        seed: Of the images that are taken, of subsets and embeddings.
        held_out: Real images that no stage saw, ``[H, C, H, W]``, likewise; None where there are
            none.
        num_max: Most images a side.
        chamfer: Names of extractors by which to take the Chamfer distances, too: two 3-D t-SNEs.
        chamfer_points: Points a side of them, at most.

    Yields:
        For each extractor ``fid_<name>_<n>``, ``kid_<name>_<n>``, ``is_<classifier's name>_<n>``
        where it classifies, and with ``chamfer`` the distances ``chamfer_sum_<name>_<points>`` and
        ``chamfer_mean_<name>_<points>``.

    Raises:
        ValueError: If there are fewer than 10 images a side, no extractor, or none of a name in
            ``chamfer``.
    """
    if not extractors:
        raise ValueError(
            "image scores need an extractor: name one, such as resnet50:path, or use the encoder"
        )

    known = [extractor.name for extractor in extractors]
    for name in chamfer:
        if name not in known:
            raise ValueError(f"no extractor {name!r} for Chamfer distances{suggest(name, known)}")

    held_out = real[:0] if held_out is None else held_out
    num = min(num_max, len(fake), (len(real) + len(held_out)) // 2)

    if num < NUM_IMAGES_MIN:
        raise ValueError(
            f"scoring needs {NUM_IMAGES_MIN} generated and twice as many real images, "
            f"got {len(fake)} and {len(real) + len(held_out)}: draw more or give more data"
        )

    generator = torch.Generator().manual_seed(seed)
    parts = (
        fake[torch.randperm(len(fake), generator=generator)[:num]],
        *_parts(real, held_out, num, generator),
    )

    for extractor in extractors:
        made, real_a, real_b = (features(extractor, images) for images in parts)
        yield from _distances(extractor.name, made, real_a, real_b, seed)

        if isinstance(extractor, Classifying):
            values = [inception_score(probabilities(extractor, h))[0] for h in (made, real_a)]
            name = f"is_{extractor.classifier_name}_{count(num)}"
            yield name, Score.of(name, *values)

        if extractor.name in chamfer:
            yield from _chamfer(extractor.name, made, real_a, real_b, seed, chamfer_points)


def control_scores(
    predicted: Tensor,
    y: Tensor,
    real_predicted: Tensor,
    real_y: Tensor,
    names: Sequence[str],
    *,
    by: str = "",
) -> dict[str, Score]:
    """Score how generated images follow their attributes, as a classifier reads them.

    The floor of each is the same of real images: what the classifier finds of the attributes that
    they have, and so the most that can be asked of generated ones.

    Args:
        predicted: Attributes that it finds in generated images, ``[M]``, or ``[M, A]`` of 0 and 1.
        y: Attributes asked for, likewise.
        real_predicted: Attributes that it finds in real images, ``[N]`` or ``[N, A]``.
        real_y: Their attributes, likewise.
        names: Of the attributes, A.
        by: What the scores' names begin with.

    Returns:
        ``control_accuracy``, ``control_accuracy_worst`` (of an attribute), ``control_balanced``,
        and ``control_of_<name>`` for each attribute that was asked for, in [0, 1].
    """
    made, real = control_accuracy(predicted, y), control_accuracy(real_predicted, real_y)
    ceilings = dict(zip(names, real.by_attribute, strict=False))
    asked_for = {
        name: share
        for name, share in zip(names, made.by_attribute, strict=False)
        if not math.isnan(share)
    }
    worst = min(asked_for, key=lambda name: asked_for[name])
    values = {
        "control_accuracy": (made.overall, real.overall),
        "control_accuracy_worst": (asked_for[worst], ceilings.get(worst)),
        "control_balanced": (made.balanced, real.balanced),
    }
    for name, share in asked_for.items():
        plain = name.replace("_", "-").replace(" ", "-")
        values[f"control_of_{plain}"] = (share, ceilings.get(name))

    return {f"{by}{name}": _beside(f"{by}{name}", *pair) for name, pair in values.items()}


def _beside(name: str, value: float, floor: float | None) -> Score:
    known = floor is not None and not math.isnan(floor)
    return Score.of(name, value, floor if known else None)


def diversity_scores(
    fake: Tensor,
    y: Tensor,
    real: Tensor,
    real_y: Tensor,
    seed: int,
    extractors: Sequence[Extractor] = (),
) -> dict[str, Score]:
    """Score how generated images differ within an attribute.

    Args:
        fake: Generated images, ``[M, C, H, W]``, uint8 or floating point in [-1, 1].
        y: Attributes asked for: classes ``[M]``, or ``[M, A]`` of 0 and 1.
        real: Real images, ``[N, C, H, W]``.
        real_y: Their attributes, ``[N]`` or ``[N, A]``.
        seed: Of the images whose pairs are compared.
        extractors: Networks in whose features images are compared, beside pixels.

    Returns:
        ``diversity_pixels`` (of pixels in [-1, 1]) and ``diversity_<name>``, their floors the real
        images' own; ``diversity_worst_...``, the smallest ratio of an attribute's to its real
        images'.

    Raises:
        ValueError: If no attribute has two images of either.
    """
    views = {"pixels": (fake, real)}
    views |= {
        extractor.name: (features(extractor, fake), features(extractor, real))
        for extractor in extractors
    }

    scores = {}
    for name, (made, true) in views.items():
        values, floors = diversities(made, y, seed), diversities(true, real_y, seed)
        num = min(len(values), len(floors))
        ratios = values[:num] / floors[:num]
        ratios = ratios[~ratios.isnan()]
        if not len(ratios):
            raise ValueError("no attribute has two images: draw more")

        key, worst = f"diversity_{name}", f"diversity_worst_{name}"
        scores[key] = Score.of(key, float(values.nanmean()), float(floors.nanmean()))
        scores[worst] = Score.of(worst, float(ratios.min()))

    return scores


def count(num: int) -> str:
    """A number of images as names have it: 10k, 50k; 898."""
    return f"{num // 1000}k" if num % 1000 == 0 else str(num)


def _parts(
    real: Tensor, held_out: Tensor, num: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Two sets of ``num`` images that share none: of ``real`` first, and of ``held_out`` first."""
    own, others = (torch.randperm(len(images), generator=generator) for images in (real, held_out))
    from_others, from_own = (
        num - min(num, len(own)),
        num - min(num, len(others)),
    )  # where the first run out
    part_a = torch.cat([real[own[:num]], held_out[others[len(others) - from_others :]]])
    part_b = torch.cat([held_out[others[:num]], real[own[len(own) - from_own :]]])
    return part_a, part_b


def _distances(
    extractor: str, made: Tensor, real_a: Tensor, real_b: Tensor, seed: int
) -> Iterator[tuple[str, Score]]:
    name = f"fid_{extractor}_{count(len(made))}"
    yield name, Score.of(name, fid(real_a, made), fid(real_a, real_b))

    name = f"kid_{extractor}_{count(len(made))}"
    yield name, Score.of(name, kid(real_a, made, seed), kid(real_a, real_b, seed))


def _chamfer(
    extractor: str, made: Tensor, real_a: Tensor, real_b: Tensor, seed: int, num: int
) -> Iterator[tuple[str, Score]]:
    value, floor = (chamfer_tsne(real_a, other, seed, num) for other in (made, real_b))
    label = f"{extractor}_{count(value.num)}"

    name = f"chamfer_sum_{label}"
    yield name, Score.of(name, value.real_to_fake_sum, floor.real_to_fake_sum)

    name = f"chamfer_mean_{label}"
    yield name, Score.of(name, value.symmetric_mean, floor.symmetric_mean)
