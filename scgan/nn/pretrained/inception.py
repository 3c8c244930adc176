"""Inception-v3 as the Fréchet distance uses it: TensorFlow's of December 2015, of 1008 logits.

Parameters are named as in the public PyTorch conversion of its weights
(``pt_inception-2015-12-05``), so that they load. Two things set it apart from other Inception-v3
networks: average pools don't count the padding, and the last block pools by the maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Kernel = int | tuple[int, int]
Branch = tuple[tuple[int, Kernel], ...]  # channels and kernel of each convolution
Pool = Literal["average", "maximum", "halving"]

NUM_FEATURES, NUM_LOGITS, SIZE = 2048, 1008, 299


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, before: int, after: int, kernel: Kernel, stride: int = 1, *, padded: bool = True
    ) -> None:
        super().__init__()
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (rows // 2, columns // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(before, after, (rows, columns), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, before, H, W]`` to ``[B, after, H', W']``."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Mixed(nn.Module):
    """Branches of convolutions and a pool side by side, their channels joined.

    Convolutions are named ``branch<name>_<i>``, or ``branch<name>`` where a branch has one; of a
    forked branch the last two (``a`` and ``b``) both see the one before them.

    Args:
        before: Channels of the input.
        branches: Name to convolutions.
        pool: "average" or "maximum" over 3x3, then a 1x1 convolution; "halving": maximum with
            stride 2, as have the branches' last convolutions.
        pool_channels: Of the pool's convolution.
        forked: Names of forked branches.
    """

    def __init__(
        self,
        before: int,
        branches: dict[str, Branch],
        pool: Pool,
        pool_channels: int = 0,
        forked: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.pool = pool
        # The convolutions of each branch: in a row, then side by side.
        self.paths: list[tuple[list[str], list[str]]] = []

        for branch, layers in branches.items():
            names = [f"branch{branch}_{i + 1}" for i in range(len(layers))]
            if len(layers) == 1:
                names = [f"branch{branch}"]
            if branch in forked:
                names[-2:] = [f"{names[-2]}a", f"{names[-2]}b"]

            num_last = 2 if branch in forked else 1
            self.paths.append((names[:-num_last], names[-num_last:]))
            self._add(before, names, layers, num_last)

        if pool != "halving":
            self.branch_pool = Convolution(before, pool_channels, 1)

    def _add(self, before: int, names: Sequence[str], layers: Branch, num_last: int) -> None:
        for i, (name, (after, kernel)) in enumerate(zip(names, layers, strict=True)):
            is_last = i >= len(layers) - num_last
            halves = is_last and self.pool == "halving"
            stride = 2 if halves else 1
            setattr(self, name, Convolution(before, after, kernel, stride, padded=not halves))
            if not is_last:
                before = after

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, before, H, W]`` to ``[B, after, H', W']``."""
        joined = []
        for row, last in self.paths:
            h = x
            for name in row:
                h = getattr(self, name)(h)

            joined += [getattr(self, name)(h) for name in last]

        if self.pool == "halving":
            return torch.cat([*joined, F.max_pool2d(x, 3, 2)], 1)

        if self.pool == "average":
            pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        else:
            pooled = F.max_pool2d(x, 3, 1, 1)

        return torch.cat([*joined, self.branch_pool(pooled)], 1)


class InceptionV3(nn.Module):
    """Inception-v3 up to its pooled features, and its logits.

    Source: [INCEPTION] Table 1. Differs: as the weights of December 2015 need it (see the module).
    """

    name = "inception"
    num_features = NUM_FEATURES
    classifier_name = "inception"

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, 2, padded=False)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, padded=False)

        self.Mixed_5b = _narrow(192, 32)
        self.Mixed_5c = _narrow(256, 64)
        self.Mixed_5d = _narrow(288, 64)

        double: Branch = ((64, 1), (96, 3), (96, 3))
        self.Mixed_6a = Mixed(288, {"3x3": ((384, 3),), "3x3dbl": double}, "halving")
        self.Mixed_6b = _factorised(128)
        self.Mixed_6c = _factorised(160)
        self.Mixed_6d = _factorised(160)
        self.Mixed_6e = _factorised(192)

        seven: Branch = ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3))
        self.Mixed_7a = Mixed(768, {"3x3": ((192, 1), (320, 3)), "7x7x3": seven}, "halving")
        self.Mixed_7b = _wide(1280, "average")
        self.Mixed_7c = _wide(2048, "maximum")
        self.fc = nn.Linear(NUM_FEATURES, NUM_LOGITS)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: ``[B, C, H, W]`` in [-1, 1], C 1 or 3; resized bilinearly to 299 pixels.

        Returns:
            Pooled features ``[B, 2048]``, 0 or more.
        """
        x = F.interpolate(images, (SIZE, SIZE), mode="bilinear", align_corners=False)
        x = x.expand(-1, 3, -1, -1)  # [B, 3, 299, 299]; a grey image's channels are equal
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, 2)  # [B, 64, 73, 73]
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)  # [B, 192, 35, 35]
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))  # [B, 768, 17, 17]
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # [B, 2048, 8, 8]

        return x.mean((2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``[B, 1008]`` of features ``[B, 2048]``, biasless, as the Inception Score's."""
        return F.linear(features, self.fc.weight)


def _narrow(before: int, pool_channels: int) -> Mixed:
    branches: dict[str, Branch] = {
        "1x1": ((64, 1),),
        "5x5": ((48, 1), (64, 5)),
        "3x3dbl": ((64, 1), (96, 3), (96, 3)),
    }
    return Mixed(before, branches, "average", pool_channels)


def _factorised(width: int) -> Mixed:
    across, down = (1, 7), (7, 1)
    branches: dict[str, Branch] = {
        "1x1": ((192, 1),),
        "7x7": ((width, 1), (width, across), (192, down)),
        "7x7dbl": ((width, 1), (width, down), (width, across), (width, down), (192, across)),
    }
    return Mixed(768, branches, "average", 192)


def _wide(before: int, pool: Pool) -> Mixed:
    fork: Branch = ((384, (1, 3)), (384, (3, 1)))
    branches: dict[str, Branch] = {
        "1x1": ((320, 1),),
        "3x3": ((384, 1), *fork),
        "3x3dbl": ((448, 1), (384, 3), *fork),
    }
    return Mixed(before, branches, pool, 192, forked=("3x3", "3x3dbl"))
