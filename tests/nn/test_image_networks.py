"""Networks of images: shapes, seeds, and forward passes written out by hand."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from scgan.data.images.schema import to_float
from scgan.nn.discriminators import (
    AttributeDiscriminators,
    DiscriminatorName,
    MulticlassDiscriminator,
    PatchDiscriminator,
    ProjectionDiscriminator,
    build_discriminator,
)
from scgan.nn.eigengan import AttributeMapper, EigenBlock, ImageGenerator, traverse
from scgan.nn.image_encoder import ImageEncoder
from scgan.nn.pretrained.resnet import BasicBlock, ResNet


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def generator_of(channels=1, size=28, num_attributes=3, seed=0, **changes):
    sizes = {
        "code_dim": 5,
        "noise_dim": 2,
        "noise_scale": 1.0,
        "width": 8,
        "max_width": 16,
    } | changes
    return ImageGenerator(
        channels, size, num_attributes=num_attributes, generator=seeded(seed), **sizes
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 64])
def test_generator_and_discriminators_fit_every_size(channels, size):
    network = generator_of(channels, size)
    y = torch.eye(3)
    x = network(*network.latents(3, seeded()), y)
    assert x.shape == (3, channels, size, size) and x.abs().max() <= 1
    for name in ("global", "patch", "attributes", "projection"):
        critic = build_discriminator(
            name, channels, size, width=8, max_width=16, num_attributes=3, generator=seeded()
        )
        logits = critic(x, y)
        assert len(logits) == 3 and logits.isfinite().all()
        assert (logits[0].numel() > 1) == (name == "patch")


def test_block_equals_the_code_of_the_paper_written_out():
    block = EigenBlock(4, 6, 3, 2, 1.0, seeded()).double()
    h, z = torch.randn(2, 4, 3, 3, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)

    def transposed(x, layer, stride):
        out = torch.zeros(
            len(x), layer.weight.shape[1], *(stride * s + 4 for s in x.shape[2:]), dtype=x.dtype
        )
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                patch = torch.einsum("bc,cokl->bokl", x[:, :, i, j], layer.weight)
                out[:, :, stride * i : stride * i + 3, stride * j : stride * j + 3] += patch
        size = stride * x.shape[2]
        return out[:, :, 1 : 1 + size, 1 : 1 + size] + layer.bias[:, None, None]

    phi = torch.zeros(2, 36, dtype=torch.float64)
    for b in range(2):
        for q in range(2):
            phi[b] += block.subspace.U[q] * block.subspace.L[q] * z[b, q]
    phi = (phi + block.subspace.mu).view(2, 4, 3, 3)
    projected = torch.einsum("bchw,co->bohw", phi, block.project.weight[:, :, 0, 0])
    middle = transposed(
        F.leaky_relu(h + projected + block.project.bias[:, None, None], 0.2), block.up, 2
    )
    slow = transposed(
        F.leaky_relu(middle + transposed(phi, block.project_up, 2), 0.2), block.same, 1
    )
    assert_close(block(h, z), slow)


def test_mapper_is_linear_in_attributes_and_latents():
    mapper = AttributeMapper(3, 4, seeded(2))
    eps, y = torch.randn(2, 1, 4, generator=seeded()), torch.rand(2, 1, 3, generator=seeded(1))
    middle = mapper(eps.mean(0), y.mean(0))
    assert_close(middle, (mapper(eps[0], y[0]) + mapper(eps[1], y[1])) / 2)
    assert (mapper(eps[0], y[0]) - mapper(eps[0], y[1])).abs().min() > 0


def test_an_attribute_starts_with_the_weight_of_all_latents():
    mapper = AttributeMapper(10, 128, seeded())
    eps, none = torch.randn(2000, 128, generator=seeded(1)), torch.zeros(2000, 10)
    of_latents = (mapper(eps, none) - mapper(0 * eps, none)).square().mean()
    of_attributes = (
        (mapper(0 * eps[:10], torch.eye(10)) - mapper(0 * eps[:10], none[:10])).square().mean()
    )
    assert 0.8 < of_attributes / of_latents < 1.25


def test_every_layers_noise_attribute_and_latent_moves_the_image():
    network = generator_of(size=32)
    eps, z = network.latents(1, seeded())
    y = torch.eye(3)[:1]
    image = network(eps, z, y)
    for layer in range(3):
        moved = z.clone()
        moved[:, layer] += 1
        assert (network(eps, moved, y) - image).abs().max() > 1e-6
    assert (network(eps + 1, z, y) - image).abs().max() > 1e-6
    assert (network(eps, z, torch.eye(3)[1:2]) - image).abs().max() > 1e-6


def test_traversal_moves_one_dimension_the_most_important_first():
    network = generator_of(num_attributes=0)
    with torch.no_grad():
        network.blocks[0].subspace.L.copy_(torch.tensor([0.5, -2.0]))
    strips = traverse(network, seeded(), values=(-1.0, 0.0, 1.0))
    assert [strip.shape for strip in strips] == [(2, 3, 1, 28, 28)] * 2
    eps, z = network.latents(1, seeded())
    z[0, 0, 1] = 1.0
    assert_close(strips[0][0, 2], network(eps, z)[0].detach())


def test_weights_depend_on_the_generator_alone():
    def build(seed):
        torch.manual_seed(seed)
        return [
            generator_of(),
            build_discriminator(
                "patch", 1, 28, width=8, max_width=16, num_attributes=0, generator=seeded()
            ),
            ImageEncoder("small", 1, 28, 8, seeded()),
        ]

    for one, other in zip(build(0), build(1), strict=True):
        assert all(
            torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
        )
    assert not torch.equal(generator_of(seed=1).input.weight, generator_of(seed=2).input.weight)


def test_each_attribute_has_its_own_discriminator():
    members = iter([torch.nn.Linear(4, 1) for _ in range(4)])
    critic = AttributeDiscriminators(3, lambda: next(members))
    x = torch.randn(4, 4, generator=seeded())
    y = torch.tensor([[1.0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    own = [member(x) for member in critic.members]
    slow = torch.stack([own[0][0], own[2][1], (own[0][2] + own[1][2]) / 2, own[3][3]])
    assert_close(critic(x, y), slow)
    critic(x[:2], y[:2]).sum().backward()
    assert all(
        parameter.grad is not None for parameter in critic.parameters()
    )  # several workers wait for every one


@pytest.mark.parametrize(
    ("depth", "count", "num_features"), [(18, 11_176_512, 512), (50, 23_508_032, 2048)]
)
def test_resnets_are_torchvisions(depth, count, num_features):
    """Its published parameter counts less those of the last layer, and its names."""
    network = ResNet(depth)
    assert sum(p.numel() for p in network.parameters()) == count
    assert network.num_features == num_features
    names = network.state_dict().keys()
    assert {
        "conv1.weight",
        "bn1.running_var",
        "layer2.0.downsample.0.weight",
        "layer4.1.conv2.weight",
    } <= names
    assert ("layer1.0.downsample.0.weight" in names) == (depth == 50)


@pytest.mark.parametrize(
    ("backbone", "size", "num_features"),
    [("small", 28, 128), ("small", 32, 128), ("resnet18", 32, 512)],
)
def test_encoders_embed_images_without_regard_to_their_neighbours(backbone, size, num_features):
    encoder = ImageEncoder(backbone, 1, size, 8, seeded()).eval()
    images = torch.randint(256, (5, 1, size, size), dtype=torch.uint8, generator=seeded())
    h, u = encoder.embed(images, chunk=2)
    assert h.shape == (5, num_features) and u.shape == (5, 8)
    assert_close(encoder.embed(images[3:4])[0][0], h[3])


def test_multiclass_logits_are_those_of_the_images_own_attributes():
    trunk = torch.nn.Linear(5, 4)
    x = torch.randn(4, 5, generator=seeded())
    y = torch.tensor([[1.0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    own = trunk(x)
    slow = torch.stack([own[0, 0], own[1, 2], (own[2, 0] + own[2, 1]) / 2, own[3, 3]])
    assert_close(MulticlassDiscriminator(trunk)(x, y)[:, 0], slow)


def test_projection_adds_an_images_attributes_to_a_logit_of_all_images():
    """Psi is the last row of the trunk's layer, v and b of an attribute its own."""
    trunk = torch.nn.Linear(5, 4)
    phi = torch.randn(4, 5, generator=seeded())
    y = torch.tensor([[1.0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    (*v, psi), (*b, psi_0) = trunk.weight, trunk.bias
    slow = []
    for features, has in zip(phi, y, strict=True):
        logit = features @ psi + psi_0
        for a in range(3):
            if has[a]:
                logit = logit + v[a] @ features + b[a]
        slow.append(logit)
    assert_close(ProjectionDiscriminator(trunk)(phi, y), torch.stack(slow)[:, None])


def test_the_default_discriminators_have_a_logit_for_no_attribute():
    x, y = torch.randn(2, 1, 28, 28, generator=seeded()), torch.zeros(2, 3)
    for name in ("multiclass", "attributes", "projection"):
        sizes = {"width": 4, "max_width": 8, "num_attributes": 3}
        critic = build_discriminator(name, 1, 28, **sizes, generator=seeded())
        of_none = critic(x, y)
        assert of_none.shape == (2, 1)
        for attribute in range(3):
            assert (critic(x, F.one_hot(torch.tensor([attribute] * 2), 3) + y) - of_none).all()


def test_latents_are_standard_normal_and_each_layer_has_its_own_noise():
    network = generator_of(num_attributes=0, code_dim=3)
    eps, z = network.latents(20_000, seeded())
    for drawn in (eps, z):
        assert_close(drawn.mean(0), torch.zeros(drawn.shape[1:]), rtol=0, atol=0.04)
        assert_close(drawn.std(0), torch.ones(drawn.shape[1:]), rtol=0, atol=0.03)

    # With the first layer's importances at zero only the second's noise is left.
    with torch.no_grad():
        network.blocks[0].subspace.L.zero_()
    eps, z = eps[:1], z[:1]
    first, second = z.clone(), z.clone()
    first[:, 0] += 1
    second[:, 1] += 1
    assert torch.equal(network(eps, first), network(eps, z))
    assert not torch.equal(network(eps, second), network(eps, z))


def test_images_stay_in_range_however_large_the_features():
    network = generator_of(num_attributes=0)
    with torch.no_grad():
        network.output.weight.mul_(1000)
    x = network(*network.latents(2, seeded()))
    assert 0.99 < x.abs().max() <= 1


def test_mapper_joins_its_attributes_with_the_latents():
    mapper = AttributeMapper(3, 4, seeded())
    with torch.no_grad():
        mapper.attributes.weight.copy_(torch.arange(9.0).view(3, 3))
    eps, y = torch.randn(2, 4, generator=seeded()), torch.eye(3)[:2]
    middle = y @ mapper.attributes.weight.T + mapper.attributes.bias
    slow = torch.cat([middle, eps], 1) @ mapper.join.weight.T + mapper.join.bias
    assert_close(mapper(eps, y), slow)


def test_traversal_keeps_the_attributes():
    network, y = generator_of(), torch.tensor([[0.0, 1.0, 0.0]])
    strips = traverse(network, seeded(), y, values=(0.5,))
    eps, z = network.latents(1, seeded())
    z[0, 1, 0] = 0.5
    assert_close(strips[1][0, 0], network(eps, z, y)[0].detach())


def test_projections_are_made_of_the_features_of_pixels_as_floats():
    encoder = ImageEncoder("small", 1, 28, 8, seeded()).eval()
    images = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8, generator=seeded())
    h, u = encoder.embed(images)
    assert_close(h, encoder.backbone(to_float(images)).detach())
    assert_close(u, encoder.projector(h).detach())
    assert_close(encoder(to_float(images)).detach(), u)


def test_small_images_are_not_halved_by_the_stem():
    for size, stride in ((32, 1), (64, 2)):
        stem = ImageEncoder("resnet18", 1, size, 8, seeded()).backbone.conv1
        assert stem.stride == (stride, stride)


@pytest.mark.parametrize("size", [8, 28, 32, 64, 256])
def test_each_logit_of_the_patch_critic_sees_the_whole_image(size):
    """But for the border that its place cuts off: the middle logit, with groups left aside."""
    critic = PatchDiscriminator(1, size, width=8, max_width=8, normalised=False)
    for parameter in critic.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    x = torch.ones(1, 1, size, size, requires_grad=True)
    logits = critic(x)
    assert logits.shape[2:] == ((5, 5) if size == 28 else (2, 2))
    middle = logits.shape[2] // 2
    seen = torch.autograd.grad(logits[0, 0, middle, middle], x)[0] != 0
    assert seen.float().mean() > 0.7


@pytest.mark.parametrize("name", get_args(DiscriminatorName))
def test_spectral_normalisation_bounds_every_layer_and_replaces_groups(name):
    def build():
        return build_discriminator(
            name, 1, 28, width=8, max_width=16, num_attributes=3, generator=seeded(), spectral=True
        )

    critic, again = build(), build()
    assert_close(dict(critic.state_dict()), dict(again.state_dict()))
    layers = [m for m in critic.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert 0.9 < largest < 1.2
    assert not any(isinstance(m, torch.nn.GroupNorm) for m in critic.modules())


def test_resizing_repeats_pixels_and_then_convolves():
    block = EigenBlock(4, 6, 3, 2, 1.0, seeded(), "resize").double()
    h = torch.randn(1, 4, 3, 3, dtype=torch.float64, generator=seeded())
    large = torch.zeros(1, 4, 8, 8, dtype=torch.float64)
    for i in range(6):
        for j in range(6):
            large[0, :, i + 1, j + 1] = h[0, :, i // 2, j // 2]
    weight, bias = block.up[1].weight, block.up[1].bias
    slow = torch.zeros(1, 6, 6, 6, dtype=torch.float64)
    for i in range(6):
        for j in range(6):
            patch = large[0, :, i : i + 3, j : j + 3]
            slow[0, :, i, j] = (weight * patch).sum((1, 2, 3)) + bias
    assert_close(block.up(h), slow.detach(), check_dtype=False)
    assert block(h, torch.zeros(1, 2, dtype=torch.float64)).shape == (1, 6, 6, 6)


def test_an_even_image_shows_a_checkerboard_unless_pixels_are_repeated():
    """Inside, away from the border: of one value by resizing, of four by transposed layers."""
    for upsampling, even in (("transposed", False), ("resize", True)):
        block = EigenBlock(4, 6, 8, 2, 1.0, seeded(), upsampling)
        inner = block.up(torch.ones(1, 4, 8, 8))[0, 0, 4:-4, 4:-4]
        assert (inner.std() < 1e-5) == even


def test_the_mapper_of_the_papers_code_starts_as_a_linear_layer_does():
    mapper = AttributeMapper(10, 128, seeded(), balanced=False)
    eps, none = torch.randn(2000, 128, generator=seeded(1)), torch.zeros(2000, 10)
    of_latents = (mapper(eps, none) - mapper(0 * eps, none)).square().mean()
    of_attributes = (
        (mapper(0 * eps[:10], torch.eye(10)) - mapper(0 * eps[:10], none[:10])).square().mean()
    )
    assert of_attributes / of_latents < 0.02
    bound = 1 / 10**0.5
    assert mapper.attributes.weight.abs().max() <= bound


def test_a_block_adds_its_input():
    block = BasicBlock(4, 4, 1).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 5, 5)
    assert_close(block(x), x)
