"""Whether generated images have the attributes asked for, and how they differ within one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from scgan.metrics.images import floats

NUM_IMAGES_MAX = 1000  # of an attribute whose pairs are compared


@dataclass(frozen=True)
class ControlAccuracy:
    """How often a classifier finds the attributes that were asked for.

    Attributes:
        overall: Share of images whose attribute is found; of many attributes an image, the mean of
            their shares.
        by_attribute: Share of each attribute, ``[A]``: of the images that should have it, or, with
            many attributes an image, of all images; NaN where there is no image.
    """

    overall: float
    by_attribute: tuple[float, ...]


def control_accuracy(predicted: Tensor, y: Tensor) -> ControlAccuracy:
    """Compare the attributes that a classifier finds in generated images with those asked for.

    Args:
        predicted: Classes ``[N]``, or attributes ``[N, A]`` of 0 and 1, of the images.
        y: What was asked for, likewise.

    Returns:
        Shares in [0, 1].

    Raises:
        ValueError: If the shapes differ or there are no images.

    Source: [INFOSCC-GAN] Sec. 4. Differs from its code: of many attributes, the absent count as the
        present.
    """
    if predicted.shape != y.shape or y.ndim not in (1, 2) or not y.numel():
        raise ValueError(
            f"need two tensors [N] or [N, A], got {tuple(predicted.shape)} and {tuple(y.shape)}"
        )

    predicted, y = predicted.cpu(), y.cpu()
    right = (predicted == y).double()

    if y.ndim == 2:
        return ControlAccuracy(float(right.mean()), tuple(right.mean(0).tolist()))

    shares = torch.bincount(y, right) / torch.bincount(y)
    return ControlAccuracy(float(right.mean()), tuple(shares.tolist()))


def diversity(x: Tensor, y: Tensor, seed: int = 0) -> float:
    """How different two images of an attribute are: root mean square difference of their values.

    The mean over all pairs inside an attribute, then over attributes; of 1,000 random images an
    attribute. Read it beside the real images' own: less is a collapse, more is noise.

    Args:
        x: Images or features, ``[N, ...]``, floating point; or images as uint8, taken as floating
            point in [-1, 1].
        y: Classes ``[N]``, or attributes ``[N, A]`` of 0 and 1.
        seed: Of the images that are taken.

    Returns:
        The difference in units of ``x``, 0 or more, to about 1e-7 of the values' size.

    Raises:
        ValueError: If the lengths differ or no attribute has two images.

    Source: none (the spread within an attribute, which accuracy alone does not see).
    """
    if len(x) != len(y) or y.ndim not in (1, 2):
        raise ValueError(
            f"need x [N, ...] and y [N] or [N, A], got {tuple(x.shape)} and {tuple(y.shape)}"
        )

    generator = torch.Generator().manual_seed(seed)
    members = [y == k for k in y.unique()] if y.ndim == 1 else list(y.bool().T)

    differences = []
    for member in members:
        index = member.nonzero().flatten().cpu()
        if len(index) > 1:
            differences.append(_mean_difference(x[_some(index, generator)]))

    if not differences:
        raise ValueError("no attribute has two images: draw more")

    return sum(differences) / len(differences)


def _mean_difference(x: Tensor) -> float:
    """Root mean square difference of the values of two rows, its mean over all pairs of rows."""
    rows = floats(x.detach().cpu()).double().flatten(1)
    rows = rows - rows.mean(0)  # distances by matrix products lose what is common to all
    distances = torch.cdist(rows, rows, compute_mode="use_mm_for_euclid_dist").fill_diagonal_(0)
    return float(distances.sum()) / (len(rows) * (len(rows) - 1) * math.sqrt(rows.shape[1]))


def _some(index: Tensor, generator: torch.Generator) -> Tensor:
    return index[torch.randperm(len(index), generator=generator)[:NUM_IMAGES_MAX]]
