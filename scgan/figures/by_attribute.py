"""Pictures of a conditional model of images: samples by attribute, and attributes by degrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scgan.figures import images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12  # attributes that a picture has room for
DEGREES = (0.0, 0.25, 0.5, 0.75, 1.0)


def samples_by_attribute(
    model: Any,
    generator: torch.Generator,
    names: Sequence[str],
    real: Tensor,
    real_y: Tensor,
) -> Figure:
    """Draw eight samples of each attribute beside eight real images that have it.

    Args:
        model: Draws images by attribute, in [-1, 1].
        generator: Of the samples.
        names: The attributes that are drawn, the first of the model's.
        real: Real images, ``[N, C, H, W]`` in [-1, 1].
        real_y: Their attributes, ``[N]`` or ``[N, A]``.

    Returns:
        The figure.
    """
    has = {
        name: real_y == a if real_y.ndim == 1 else real_y[:, a] > 0 for a, name in enumerate(names)
    }
    fake = {name: model.sample(8, generator, attribute=name).cpu() for name in names}
    return images.by_attribute(fake, {name: real[rows][:8] for name, rows in has.items()})


def attributes_by_degrees(model: Any, generator: torch.Generator, num: int) -> Tensor:
    """One image, each attribute brought in by degrees.

    Where an image has one attribute, it comes in as the one before goes.

    Args:
        model: A conditional generator of images with its attributes.
        generator: Of the one image's latents and noise.
        num: Attributes that are brought in, the first of the model's.

    Returns:
        Images, ``[num, T, C, H, W]`` in [-1, 1], T the number of DEGREES.
    """
    eps, z = model.generator.latents(1, generator)
    identity = torch.eye(len(model.attributes.names), device=model.device)
    degrees = torch.tensor(DEGREES, device=model.device)[:, None]
    rows = []

    for a in range(num):
        start = identity[a - 1] if model.attributes.kind == "one" else torch.zeros_like(identity[a])
        y = (1 - degrees) * start + degrees * identity[a]
        with torch.no_grad():
            rows.append(model.generator(eps.expand(len(y), -1), z.expand(len(y), -1, -1), y).cpu())

    return torch.stack(rows)
