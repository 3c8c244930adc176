"""Weights from a user's file: what loads, what is refused, and what the network then sees."""

from __future__ import annotations

import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

from scgan.metrics.images import load_extractor
from scgan.nn.pretrained.inception import InceptionV3
from scgan.nn.pretrained.resnet import ResNet


@pytest.fixture(scope="module")
def weights():
    """A ResNet-18's, with torchvision's names and its last layer."""
    torch.manual_seed(0)
    network = ResNet(18)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.state_dict() | {"fc.weight": torch.randn(7, 512), "fc.bias": torch.randn(7)}


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_resnet_sees_normalised_images_of_224_pixels(weights, tmp_path, ending):
    path = tmp_path / f"weights.{ending}"
    (torch.save if ending == "pth" else save_file)(weights, path)
    extractor = load_extractor(f"resnet18:{path}")
    assert (extractor.name, extractor.num_features, extractor.training) == ("resnet18", 512, False)
    assert not any(p.requires_grad for p in extractor.parameters())
    plain = ResNet(18).eval()
    plain.load_state_dict(
        {name: value for name, value in weights.items() if not name.startswith("fc.")}
    )
    pixels = torch.rand(2, 3, 224, 224)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        h = extractor(pixels * 2 - 1)
        assert_close(
            h, plain((pixels - mean[:, None, None]) / std[:, None, None]), rtol=1e-4, atol=1e-4
        )
        assert_close(extractor.logits(h), h @ weights["fc.weight"].T + weights["fc.bias"])
        grey = torch.rand(2, 1, 28, 28)
        assert_close(extractor(grey), extractor(grey.expand(-1, 3, -1, -1)))


def test_inception_loads_without_the_batch_counters(tmp_path):
    torch.manual_seed(0)
    saved = {
        k: v for k, v in InceptionV3().state_dict().items() if not k.endswith("num_batches_tracked")
    }
    torch.save(saved, tmp_path / "inception.pth")
    extractor = load_extractor(f"inception:{tmp_path}/inception.pth")
    assert (extractor.name, extractor.num_features, extractor.training) == (
        "inception",
        2048,
        False,
    )
    assert all(torch.equal(extractor.state_dict()[name], value) for name, value in saved.items())


@pytest.mark.parametrize(
    "spec", ["resnet34:weights.pth", "resnet50", "resnet50:", "", "/weights.pth"]
)
def test_an_unknown_extractor_is_refused(spec):
    with pytest.raises(
        ValueError, match="give one of inception, resnet18, resnet50 and its weights, name:path"
    ):
        load_extractor(spec)


def refused(path, weights=None):
    if weights is not None:
        torch.save(weights, path)
    with pytest.raises(ValueError) as caught:
        load_extractor(f"resnet18:{path}")
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_files_that_are_no_weights_are_refused_in_one_line(tmp_path):
    assert "no file" in refused(tmp_path / "nowhere.pth")
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("no weights")
        assert "can't read weights" in refused(tmp_path / name)
    (tmp_path / "code.pth").write_bytes(
        pickle.dumps(print)
    )  # a pickle that names a function is not run
    assert "can't read weights" in refused(tmp_path / "code.pth")
    assert "no mapping of names to tensors" in refused(tmp_path / "list.pth", [torch.zeros(1)])
    assert "no mapping of names to tensors" in refused(
        tmp_path / "whole.pth", {"state": {"a": torch.zeros(1)}}
    )


def test_weights_of_another_network_are_refused(weights, tmp_path):
    path = tmp_path / "weights.pth"
    lacking = {name: value for name, value in weights.items() if name != "layer1.0.conv1.weight"}
    assert "lacks 1 tensors of PretrainedResNet (layer1.0.conv1.weight)" in refused(path, lacking)
    assert "has unknown 1 tensors" in refused(path, weights | {"more": torch.zeros(1)})
    assert "has other shapes of 1 tensors" in refused(
        path, weights | {"conv1.weight": torch.zeros(64, 1, 7, 7)}
    )
