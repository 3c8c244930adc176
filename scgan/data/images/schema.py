"""What a set of images is: size, channels, attributes; and pixels as floats."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from scgan.data.tables.schema import Schema

Size = Literal[28, 32, 64, 128, 256]
"""Sides of an image, in pixels, that the networks are built for."""

Channels = Literal[1, 3]
Labels = Literal["none", "one", "many"]

SIZES: tuple[Size, ...] = get_args(Size)


def to_float(images: Tensor) -> Tensor:
    r"""Bring pixels into the range of the networks.

    .. math:: x = v / 127.5 - 1

    Args:
        images: uint8, any shape.

    Returns:
        float32 in [-1, 1], of the same shape, on the same device.
    """
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def as_floats(x: Tensor) -> Tensor:
    """Images, uint8, as floats in [-1, 1]; what is floats already, as a table's rows, as it is."""
    return x if x.is_floating_point() else to_float(x)


@dataclass(frozen=True)
class ImageSchema:
    """What all images of a set have in common.

    Attributes:
        channels: 1 for grey, 3 for colour.
        size: Width and height in pixels.
        attributes: Names of the classes, or of the attributes; empty where the set is unlabelled.
        labels: An image's labels: ``"none"``, ``"one"`` class, or ``"many"`` attributes, each there
            or not.
    """

    channels: int
    size: int
    attributes: tuple[str, ...]
    labels: Labels

    def encode(self, images: np.ndarray) -> Tensor:
        """Bring images into the layout of the data.

        Args:
            images: uint8, ``[N, H, W]`` (grey) or ``[N, H, W, 3]``.

        Returns:
            uint8, ``[N, C, H, W]``.

        Raises:
            ValueError: If type or shape is another.
        """
        layout = (self.size, self.size, 3) if self.channels == 3 else (self.size, self.size)
        if images.dtype != np.uint8 or images.shape[1:] != layout:
            given = f"{images.dtype.name} {list(images.shape)}"
            raise ValueError(
                f"images are {given}; this schema needs uint8 [N, {', '.join(map(str, layout))}]"
            )
        planes = images[:, None] if self.channels == 1 else images.transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(planes))

    def decode(self, x: Tensor) -> np.ndarray:
        """Bring generated images into pixels, rounded to the nearest.

        Args:
            x: float, ``[N, C, H, W]``; clipped to [-1, 1].

        Returns:
            uint8, ``[N, H, W]`` (grey) or ``[N, H, W, 3]``.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
        """
        if x.shape[1:] != (self.channels, self.size, self.size):
            needed = f"[N, {self.channels}, {self.size}, {self.size}]"
            raise ValueError(f"images have shape {list(x.shape)}; this schema needs {needed}")

        x = x.detach().cpu().float()
        odd = ~x.isfinite().flatten(1).all(1)
        if odd.any():
            raise ValueError(f"{int(odd.sum())} of {len(x)} images are not finite")

        pixels = x.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
        if self.channels == 1:
            return pixels[:, 0].numpy()
        return pixels.permute(0, 2, 3, 1).contiguous().numpy()

    @property
    def summary(self) -> str:
        """In a few words: ``"28 x 28 pixels, grey, 10 classes"``."""
        colour = "colour" if self.channels == 3 else "grey"
        labels = {"none": "unlabelled", "one": "classes", "many": "attributes"}[self.labels]
        kind = labels if self.labels == "none" else f"{len(self.attributes)} {labels}"
        return f"{self.size} x {self.size} pixels, {colour}, {kind}"

    def describe(self) -> dict[str, Any]:
        """Plain values for a log."""
        return asdict(self) | {"attributes": list(self.attributes)}

    def to_json(self) -> str:
        """Text that :func:`schema_from_json` turns into an equal schema."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ImageSchema:
        """Read what :meth:`to_json` wrote."""
        entries: dict[str, Any] = json.loads(text)
        return cls(**entries | {"attributes": tuple(entries["attributes"])})


def schema_from_json(text: str) -> Schema | ImageSchema:
    """Read the text of a schema: a table's is a list of columns, that of images is not."""
    is_table = isinstance(json.loads(text), list)
    return Schema.from_json(text) if is_table else ImageSchema.from_json(text)
