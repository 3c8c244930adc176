"""Networks whose weights the user has in a file, made ready to take images in [-1, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scgan.nn.pretrained.inception import InceptionV3
from scgan.nn.pretrained.resnet import Depth, ResNet

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET_SIZE = 224


class PretrainedResNet(nn.Module):
    """A ResNet trained on ImageNet, with torchvision's parameter names.

    Args:
        depth: 18 or 50.
        num_logits: Classes of its last layer, ``fc``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, depth: Depth, num_logits: int = 1000) -> None:
        super().__init__()
        self.name = self.classifier_name = f"resnet{depth}"
        self.backbone = ResNet(depth)
        self.num_features = self.backbone.num_features
        self.fc = nn.Linear(self.num_features, num_logits)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: ``[B, C, H, W]`` in [-1, 1], C 1 or 3; resized to 224 pixels, smoothed where
                that is smaller.

        Returns:
            Pooled features ``[B, num_features]``, 0 or more.
        """
        size = (IMAGENET_SIZE, IMAGENET_SIZE)
        x = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        x = x.expand(-1, 3, -1, -1)  # [B, 3, 224, 224]; a grey image's channels are equal
        return self.backbone(((x + 1) / 2 - self.mean) / self.std)

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``[B, num_logits]`` of features ``[B, num_features]``."""
        return self.fc(features)


def load_resnet(depth: Depth, path: str) -> PretrainedResNet:
    """A ResNet with the weights of a file.

    Raises:
        ValueError: If the file can't be read, or holds other tensors.
    """
    weights = read_weights(path)
    network = PretrainedResNet(depth, len(weights.get("fc.bias", torch.empty(1000))))
    named: dict[str, Tensor] = {}
    for name, value in weights.items():
        named[name if name.startswith("fc.") else f"backbone.{name}"] = value

    fill(network, named, path)
    return network


def load_inception(path: str) -> InceptionV3:
    """Inception-v3 with the weights of a file.

    Raises:
        ValueError: If the file can't be read, or holds other tensors.
    """
    network = InceptionV3()
    fill(network, read_weights(path), path)
    return network


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: str) -> None:
    """Put weights into a network, all of them, and set it to evaluation, without gradients.

    Args:
        network: Where they go.
        weights: Name to tensor.
        path: Where they came from, for the error.

    Raises:
        ValueError: If names or shapes don't fit.
    """
    own = network.state_dict()

    # Batch counters steer training only, and conversions from other frameworks lack them.
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    missing, surplus = own.keys() - weights.keys() - counters, weights.keys() - own.keys()
    wrong = [name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape]

    for what, names in (
        ("lacks", missing),
        ("has unknown", surplus),
        ("has other shapes of", wrong),
    ):
        if names:
            first = ", ".join(sorted(names)[:3]).replace("backbone.", "")
            raise ValueError(
                f"{path} {what} {len(names)} tensors of {type(network).__name__} ({first}): "
                "give the weights of that network with torchvision's names"
            )

    network.load_state_dict(weights, strict=False)
    network.eval().requires_grad_(False)


def read_weights(path: str) -> dict[str, Tensor]:
    """Tensors of a ``.pth``, ``.pt`` or ``.safetensors`` file, by name.

    Raises:
        ValueError: If there is no such file, or it holds anything but named tensors.
    """
    if not Path(path).is_file():
        raise ValueError(
            f"no file {path}: give the path of the weights, a .pth or .safetensors file"
        )

    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            return load_file(path)

        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of the many that a damaged file can raise, none is documented
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"can't read weights from {path}: {reason[:120]}") from error

    if isinstance(loaded, Mapping):
        tensors = {name: value for name, value in loaded.items() if isinstance(value, Tensor)}
        if len(tensors) == len(loaded):
            return tensors

    raise ValueError(
        f"{path} holds no mapping of names to tensors: save the network's state_dict()"
    )
