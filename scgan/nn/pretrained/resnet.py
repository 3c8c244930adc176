"""Residual networks for images, named as in torchvision, so that its weights load."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Depth = Literal[18, 50]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut.

    Source: [RESNET] Fig. 5, left.
    """

    expansion = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(before, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, before, H, W]`` to ``[B, width, H / stride, W / stride]``."""
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3, 1x1 and a shortcut.

    Source: [RESNET] Fig. 5, right. Differs: the stride is the 3x3's, as in torchvision.
    """

    expansion = 4

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = width * self.expansion
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, before, H, W]`` to ``[B, 4 width, H / stride, W / stride]``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class ResNet(nn.Module):
    """ResNet up to its pooled features.

    Args:
        depth: 18 or 50.
        in_channels: C.
        small_images: A 3x3 stem without stride or pooling, for images of 32 pixels or fewer.

    Source: [RESNET] Sec. 3; [SIMCLR] App. B.9 for the small stem.
    """

    def __init__(self, depth: Depth, in_channels: int = 3, *, small_images: bool = False) -> None:
        super().__init__()
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock if depth == 18 else Bottleneck
        counts = (2, 2, 2, 2) if depth == 18 else (3, 4, 6, 3)
        kernel, stride = (3, 1) if small_images else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, 64, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, 2, 1)
        before = 64

        for i, count in enumerate(counts):
            width = 64 * 2**i
            blocks = []
            for j in range(count):
                blocks.append(block(before, width, stride=2 if i > 0 and j == 0 else 1))
                before = width * block.expansion

            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))

        self.num_features = before

    def forward(self, x: Tensor) -> Tensor:
        """Features ``[B, num_features]`` of images ``[B, C, H, W]``."""
        h = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(1, 5):
            h = getattr(self, f"layer{i}")(h)
        return h.mean((2, 3))


def _shortcut(before: int, after: int, stride: int) -> nn.Module:
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
