"""Networks after DCGAN: layers, shapes, ranges, and that the generator's seed is all there is."""

from __future__ import annotations

import pytest
import torch

from scgan.nn.dcgan import BalancedLogits, Sizes, build_generator, build_reader

SIZES = Sizes(width=24, num_layers=2, image_width=8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def kinds(network):
    return [type(layer).__name__ for layer in network]


@pytest.mark.parametrize("shape", [(5,), (1, 28, 28), (3, 32, 32), (1, 64, 64)])
def test_networks_follow_the_samples_shape(shape):
    g, d = build_generator(6, shape, SIZES, seeded()), build_reader(shape, 7, SIZES, seeded())
    x = g(torch.randn(3, 6, generator=seeded()))
    assert x.shape == (3, *shape) and d(x).shape == (3, 7)
    if len(shape) == 3:
        assert x.abs().max() <= 1 and 5 < (50 * g[:-1](torch.randn(3, 6))).abs().max()


def test_a_generator_doubles_from_four_or_seven_pixels():
    block = ["BatchNorm2d", "ReLU", "ConvTranspose2d"]
    for size, blocks in ((28, 2), (32, 3), (64, 4)):
        g = build_generator(6, (3, size, size), SIZES, seeded())
        assert kinds(g) == ["Linear", "Unflatten", *block * blocks, "Tanh"]
        most = 8 * 2 ** (blocks - 1)
        assert g[1].unflattened_size == (most, 7 if size == 28 else 4, 7 if size == 28 else 4)
        channels = [layer.out_channels for layer in g if type(layer).__name__ == block[-1]]
        assert channels == [8 * 2**i for i in reversed(range(blocks - 1))] + [3]


def test_a_reader_halves_to_four_or_seven_pixels_and_has_a_hidden_layer():
    d = build_reader((3, 28, 28), 7, SIZES, seeded())
    end = ["Flatten", "Linear", "LeakyReLU", "Linear"]
    assert kinds(d) == ["Conv2d", "LeakyReLU", "Conv2d", "LeakyReLU", *end]
    assert [d[0].out_channels, d[2].out_channels] == [8, 16]
    assert d[5].in_features == 16 * 49 and d[5].out_features == 24


def test_rows_go_through_rectifiers():
    g, d = build_generator(6, (5,), SIZES, seeded()), build_reader((5,), 1, SIZES, seeded())
    assert kinds(g) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert kinds(d) == ["Linear", "LeakyReLU", "Linear", "LeakyReLU", "Linear"]
    assert d[1].negative_slope == 0.2 and g[2].out_features == 24


def test_weights_are_the_generators_alone():
    torch.manual_seed(0)
    first = build_generator(6, (1, 28, 28), SIZES, seeded(3)).state_dict()
    torch.manual_seed(1)
    again = build_generator(6, (1, 28, 28), SIZES, seeded(3)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_logits_are_balanced_over_the_batch_and_others_stay():
    """In training by the batch's own mean and deviation; later by those that it has seen."""
    read = 5 + 3 * torch.randn(400, 7, generator=torch.Generator().manual_seed(0))
    balanced = BalancedLogits(4)
    balanced.scale.data.fill_(2.0)
    x = balanced(read)
    first = read[:, :4]
    expected = 2 * (first - first.mean(0)) / first.std(0, correction=0)
    torch.testing.assert_close(x[:, :4], expected, rtol=1e-3, atol=1e-3)
    assert torch.equal(x[:, 4:], read[:, 4:])

    for _ in range(100):
        balanced(read)
    torch.testing.assert_close(balanced.eval()(read[:1])[0], x[0], rtol=0.02, atol=0.02)
    assert [name for name, _ in balanced.named_parameters()] == ["scale"]
