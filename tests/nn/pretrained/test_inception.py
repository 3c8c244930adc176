"""Inception-v3: every tensor's name and shape as published, and what sets it apart."""

from __future__ import annotations

import torch
from torch import nn
from torch.testing import assert_close

from scgan.nn.pretrained.inception import InceptionV3, Mixed

# Convolution kernels of the public conversion: module, then name=out x in x height x width.
KERNELS = """
Conv2d_1a_3x3 -=32x3x3x3
Conv2d_2a_3x3 -=32x32x3x3
Conv2d_2b_3x3 -=64x32x3x3
Conv2d_3b_1x1 -=80x64x1x1
Conv2d_4a_3x3 -=192x80x3x3
Mixed_5b 1x1=64x192x1x1 5x5_1=48x192x1x1 5x5_2=64x48x5x5 3x3dbl_1=64x192x1x1 3x3dbl_2=96x64x3x3 3x3dbl_3=96x96x3x3 _pool=32x192x1x1
Mixed_5c 1x1=64x256x1x1 5x5_1=48x256x1x1 5x5_2=64x48x5x5 3x3dbl_1=64x256x1x1 3x3dbl_2=96x64x3x3 3x3dbl_3=96x96x3x3 _pool=64x256x1x1
Mixed_5d 1x1=64x288x1x1 5x5_1=48x288x1x1 5x5_2=64x48x5x5 3x3dbl_1=64x288x1x1 3x3dbl_2=96x64x3x3 3x3dbl_3=96x96x3x3 _pool=64x288x1x1
Mixed_6a 3x3=384x288x3x3 3x3dbl_1=64x288x1x1 3x3dbl_2=96x64x3x3 3x3dbl_3=96x96x3x3
Mixed_6b 1x1=192x768x1x1 7x7_1=128x768x1x1 7x7_2=128x128x1x7 7x7_3=192x128x7x1 7x7dbl_1=128x768x1x1 7x7dbl_2=128x128x7x1 7x7dbl_3=128x128x1x7 7x7dbl_4=128x128x7x1 7x7dbl_5=192x128x1x7 _pool=192x768x1x1
Mixed_6c 1x1=192x768x1x1 7x7_1=160x768x1x1 7x7_2=160x160x1x7 7x7_3=192x160x7x1 7x7dbl_1=160x768x1x1 7x7dbl_2=160x160x7x1 7x7dbl_3=160x160x1x7 7x7dbl_4=160x160x7x1 7x7dbl_5=192x160x1x7 _pool=192x768x1x1
Mixed_6d 1x1=192x768x1x1 7x7_1=160x768x1x1 7x7_2=160x160x1x7 7x7_3=192x160x7x1 7x7dbl_1=160x768x1x1 7x7dbl_2=160x160x7x1 7x7dbl_3=160x160x1x7 7x7dbl_4=160x160x7x1 7x7dbl_5=192x160x1x7 _pool=192x768x1x1
Mixed_6e 1x1=192x768x1x1 7x7_1=192x768x1x1 7x7_2=192x192x1x7 7x7_3=192x192x7x1 7x7dbl_1=192x768x1x1 7x7dbl_2=192x192x7x1 7x7dbl_3=192x192x1x7 7x7dbl_4=192x192x7x1 7x7dbl_5=192x192x1x7 _pool=192x768x1x1
Mixed_7a 3x3_1=192x768x1x1 3x3_2=320x192x3x3 7x7x3_1=192x768x1x1 7x7x3_2=192x192x1x7 7x7x3_3=192x192x7x1 7x7x3_4=192x192x3x3
Mixed_7b 1x1=320x1280x1x1 3x3_1=384x1280x1x1 3x3_2a=384x384x1x3 3x3_2b=384x384x3x1 3x3dbl_1=448x1280x1x1 3x3dbl_2=384x448x3x3 3x3dbl_3a=384x384x1x3 3x3dbl_3b=384x384x3x1 _pool=192x1280x1x1
Mixed_7c 1x1=320x2048x1x1 3x3_1=384x2048x1x1 3x3_2a=384x384x1x3 3x3_2b=384x384x3x1 3x3dbl_1=448x2048x1x1 3x3dbl_2=384x448x3x3 3x3dbl_3a=384x384x1x3 3x3dbl_3b=384x384x3x1 _pool=192x2048x1x1
"""  # noqa: E501


def published():
    shapes = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for line in KERNELS.strip().splitlines():
        module, *kernels = line.split()
        for name, _, shape in (kernel.partition("=") for kernel in kernels):
            prefix = module if name == "-" else f"{module}.branch{name}"
            shapes[f"{prefix}.conv.weight"] = tuple(map(int, shape.split("x")))
            for of_bn in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{prefix}.bn.{of_bn}"] = shapes[f"{prefix}.conv.weight"][:1]
            shapes[f"{prefix}.bn.num_batches_tracked"] = ()
    return shapes


def test_every_tensor_is_as_published():
    network = InceptionV3()
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == published()
    assert sum(p.numel() for p in network.parameters()) == 23_850_960
    assert {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3}


def test_features_and_logits_of_grey_and_colour():
    torch.manual_seed(0)
    network = InceptionV3().eval()
    sizes = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _, __, out, name=name: sizes.update({name: tuple(out.shape[1:])})
        )
    grey = torch.rand(2, 1, 28, 28) * 2 - 1
    with torch.no_grad():
        h = network(grey)
        assert_close(h, network(grey.expand(-1, 3, -1, -1)))
        assert h.shape == (2, 2048) and bool((h >= 0).all()) and h[0].std() > 0
        assert_close(network.logits(h), network.fc(h) - network.fc.bias, rtol=1e-4, atol=1e-5)
    assert sizes["Conv2d_2b_3x3"] == (64, 147, 147) and sizes["Conv2d_4a_3x3"] == (192, 71, 71)
    assert sizes["Mixed_5d"] == (288, 35, 35) and sizes["Mixed_6e"] == (768, 17, 17)
    assert sizes["Mixed_7a"] == (1280, 8, 8) and sizes["Mixed_7c"] == (2048, 8, 8)


def test_pools_ignore_the_padding():
    """The pool's branch alone, with a kernel of 1: ones stay one in the corners, -1 stays -1."""
    for pool in ("average", "maximum"):
        block = Mixed(1, {"1x1": ((1, 1),)}, pool, 1).eval()
        nn.init.ones_(block.branch_pool.conv.weight)
        block.branch_pool.bn.bias.data.fill_(2.0)  # so that the ReLU passes both
        for value in (1.0, -1.0):
            with torch.no_grad():
                pooled = block(torch.full((1, 1, 4, 4), value))[:, 1] - 2
            assert_close(pooled, torch.full((1, 4, 4), value), rtol=0, atol=1e-2)


def test_only_the_last_block_pools_by_the_maximum():
    network = InceptionV3()
    pools = {
        name: module.pool for name, module in network.named_children() if isinstance(module, Mixed)
    }
    assert {name for name, pool in pools.items() if pool == "maximum"} == {"Mixed_7c"}
    assert {name for name, pool in pools.items() if pool == "halving"} == {"Mixed_6a", "Mixed_7a"}


def test_a_fork_sees_the_convolution_before_it():
    torch.manual_seed(1)
    block = Mixed(
        3, {"3x3": ((5, 1), (4, (1, 3)), (6, (3, 1)))}, "average", 2, forked=("3x3",)
    ).eval()
    x = torch.randn(2, 3, 5, 5)
    h = block.branch3x3_1(x)
    pooled = nn.functional.avg_pool2d(nn.functional.pad(x, (1, 1, 1, 1)), 3, 1)
    weights = nn.functional.avg_pool2d(
        nn.functional.pad(torch.ones(1, 1, 5, 5), (1, 1, 1, 1)), 3, 1
    )
    expected = torch.cat(
        [block.branch3x3_2a(h), block.branch3x3_2b(h), block.branch_pool(pooled / weights)], 1
    )
    assert_close(block(x), expected)
