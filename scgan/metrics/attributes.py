"""Whether generated images have the attributes asked for, and how they differ within one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scgan.metrics.images import floats

NUM_IMAGES_MAX = 1000  # of an attribute whose pairs are compared


@dataclass(frozen=True)
class ControlAccuracy:
    """How often a classifier finds the attributes that were asked for.

    Attributes:
        overall: Recall: of all attributes that were asked for, of all images, the share found.
        balanced: Mean over attributes of its recall and its specificity, the share of images of
            which it was not asked and in which it is not found; of classes the mean of recalls.
        by_attribute: Recall of each attribute, ``[A]``; NaN where it was never asked for.
    """

    overall: float
    balanced: float
    by_attribute: tuple[float, ...]


def control_accuracy(predicted: Tensor, y: Tensor) -> ControlAccuracy:
    """Compare the attributes that a classifier finds in generated images with those asked for.

    Absent attributes count in the balanced accuracy alone: with many attributes an image, most are
    absent, and never drawing any of them would find most "right".

    Args:
        predicted: Classes ``[N]``, or attributes ``[N, A]`` of 0 and 1, of the images.
        y: What was asked for, likewise.

    Returns:
        Shares in [0, 1].

    Raises:
        ValueError: If the shapes differ, or no attribute is asked for.

    Source: [INFOSCC-GAN] Sec. 4, and its code.
    """
    if predicted.shape != y.shape or y.ndim not in (1, 2) or not y.numel():
        raise ValueError(
            f"need two tensors [N] or [N, A], got {tuple(predicted.shape)} and {tuple(y.shape)}"
        )

    predicted, y = predicted.cpu(), y.cpu()
    if y.ndim == 1:
        recalls = torch.bincount(y, (predicted == y).double()) / torch.bincount(y)
        overall = float((predicted == y).double().mean())
        return ControlAccuracy(overall, float(recalls.nanmean()), tuple(recalls.tolist()))

    asked, found = y.bool(), predicted.bool()
    if not asked.any():
        raise ValueError("no attribute is asked for: draw more images")

    hits, misses = (asked & found).sum(0), (~asked & ~found).sum(0)
    recalls, specificities = hits / asked.sum(0), misses / (~asked).sum(0)
    balanced = (recalls + specificities).double().nanmean() / 2  # where both are known
    overall = float(hits.sum() / asked.sum())
    if balanced.isnan():
        balanced = torch.tensor(overall)

    return ControlAccuracy(overall, float(balanced), tuple(recalls.double().tolist()))


def diversities(x: Tensor, y: Tensor, seed: int = 0) -> Tensor:
    """How different two images of each attribute are: root mean square difference of their values.

    The mean over all pairs of 1,000 random images of the attribute. Read it beside the real images'
    own: less is a collapse, more is noise.

    Args:
        x: Images or features, ``[N, ...]``, floating point; or images as uint8, taken as floating
            point in [-1, 1].
        y: Classes ``[N]``, or attributes ``[N, A]`` of 0 and 1.
        seed: Of the images that are taken.

    Returns:
        The difference in units of ``x``, 0 or more, to about 1e-7 of the values' size, ``[A]``; NaN
        for an attribute of fewer than two images. Classes are counted up to the largest.

    Raises:
        ValueError: If the lengths differ.

    Source: none (the spread within an attribute, which accuracy alone does not see).
    """
    if len(x) != len(y) or y.ndim not in (1, 2):
        raise ValueError(
            f"need x [N, ...] and y [N] or [N, A], got {tuple(x.shape)} and {tuple(y.shape)}"
        )

    generator = torch.Generator().manual_seed(seed)
    one_hot = F.one_hot(y.long()) if y.ndim == 1 else y  # [N, A]
    differences = torch.full((one_hot.shape[1],), torch.nan, dtype=torch.float64)
    for a, member in enumerate(one_hot.bool().T):
        index = member.nonzero().flatten().cpu()
        if len(index) > 1:
            differences[a] = _mean_difference(x[_some(index, generator)])
    return differences


def diversity(x: Tensor, y: Tensor, seed: int = 0) -> float:
    """The mean of :func:`diversities` over the attributes that have two images.

    Raises:
        ValueError: If the lengths differ or no attribute has two images.
    """
    mean = diversities(x, y, seed).nanmean()
    if mean.isnan():
        raise ValueError("no attribute has two images: draw more")
    return float(mean)


def _mean_difference(x: Tensor) -> float:
    """Root mean square difference of the values of two rows, its mean over all pairs of rows."""
    rows = floats(x.detach().cpu()).double().flatten(1)
    rows = rows - rows.mean(0)  # distances by matrix products lose what is common to all
    distances = torch.cdist(rows, rows, compute_mode="use_mm_for_euclid_dist").fill_diagonal_(0)
    return float(distances.sum()) / (len(rows) * (len(rows) - 1) * math.sqrt(rows.shape[1]))


def _some(index: Tensor, generator: torch.Generator) -> Tensor:
    return index[torch.randperm(len(index), generator=generator)[:NUM_IMAGES_MAX]]
