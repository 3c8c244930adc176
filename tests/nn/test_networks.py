"""Networks: what they promise of their shapes, seeds, Jacobians and neighbours."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.nn import mlp
from scgan.nn.encoder import Encoder
from scgan.nn.mappers import AutoencoderMappers, Whitening
from scgan.nn.stacked import StackedMLP
from scgan.nn.subspace import SubspaceDecoder, SubspaceLayer


def seeded(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_subspace_jacobian_is_the_scaled_basis():
    layer = SubspaceLayer(7, 3, 0.5, *seeded(0)).double()
    jacobian = torch.autograd.functional.jacobian(layer, torch.randn(1, 3, dtype=torch.float64))[
        0, :, 0
    ]
    assert_close(jacobian, (layer.U * layer.L[:, None]).T)
    assert_close(layer.U @ layer.U.T, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-6)


def test_decoder_is_fixed_without_noise_and_moves_with_it():
    decoder = SubspaceDecoder(
        4, 2, width=16, num_layers=3, noise_dim=2, noise_scale=1.0, generator=seeded(0)[0]
    )
    eps = torch.randn(5, 4)
    zero = torch.zeros(5, 3, 2)
    assert_close(decoder(eps), decoder(eps, zero))
    noise = decoder.noise(5, seeded(1)[0])
    assert noise.shape == (5, 3, 2)
    assert (decoder(eps, noise) - decoder(eps)).abs().min() > 0


def test_weights_depend_on_the_generator_alone():
    torch.manual_seed(1)
    sizes = {"width": 8, "num_layers": 2, "stretch": 2.0, "potential": True}
    first = Encoder(2, 4, **sizes, generator=seeded(3)[0])
    torch.manual_seed(2)
    second = Encoder(2, 4, **sizes, generator=seeded(3)[0])
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("potential", [False, True])
def test_encoder_scale_centres_codes_and_keeps_angles(potential):
    sizes = {"width": 8, "num_layers": 1, "stretch": None, "potential": potential}
    encoder = Encoder(2, 3, **sizes, generator=seeded(0)[0])
    x = torch.randn(500, 2)
    raw = encoder.net(x)[:, :3]
    assert encoder.net(x).shape == (500, 3 + potential)
    encoder.fit_scale(x)
    codes = encoder.embed(x)
    assert_close(codes.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    assert_close(codes.square().mean().item(), 1.0, rtol=1e-4, atol=0)
    ratio = torch.cdist(codes[:50], codes[50:100]) / torch.cdist(raw[:50], raw[50:100])
    assert ratio.std() / ratio.mean() < 1e-4


@pytest.mark.parametrize(("data_dim", "code_dim"), [(3, 3), (3, 5), (5, 2)])
@pytest.mark.parametrize("potential", [False, True])
def test_an_isometric_start_turns_and_stretches_the_data(data_dim, code_dim, potential):
    encoder = Encoder(
        data_dim,
        code_dim,
        width=8,
        num_layers=2,
        stretch=3.0,
        potential=potential,
        generator=seeded(1)[0],
    )
    x = torch.randn(50, data_dim, generator=seeded(2)[0])
    projected = encoder.net(x)
    assert projected.shape == (50, code_dim + potential)
    if code_dim >= data_dim:
        assert_close(
            torch.cdist(projected[:, :code_dim], projected[:, :code_dim]).square(),
            9 * torch.cdist(x, x).square(),
            rtol=1e-3,
            atol=1e-3,
        )
    if potential:
        assert projected[:, -1].abs().max() == 0  # nothing is known of the density yet
    for parameter in encoder.net.parameters():
        assert parameter.requires_grad
    assert torch.linalg.matrix_rank(projected[:, :code_dim]) == min(data_dim, code_dim)


def test_a_decoder_starts_as_the_best_linear_map():
    decoder = SubspaceDecoder(
        4, 2, width=8, num_layers=2, noise_dim=2, noise_scale=1.0, generator=seeded(0)[0]
    )
    eps = torch.randn(500, 4, generator=seeded(1)[0]) + 1000
    eps[:, 3] = eps[:, 2]  # codes on a sheet
    slopes = torch.tensor([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0], [0.0, 0.0]])
    x = (eps - 1000) @ slopes + torch.tensor([7.0, -5.0])
    decoder.start(eps, x)
    assert_close(decoder(eps), x, rtol=0, atol=2e-2)
    z = decoder.noise(500, seeded(2)[0])
    assert torch.equal(decoder(eps, z), decoder(eps))  # noise, too, is learnt from nothing
    assert decoder.output.weight.requires_grad and decoder.linear.weight.requires_grad


def test_many_rows_a_few_at_a_time_are_the_same_rows(monkeypatch):
    monkeypatch.setitem(mlp.ROWS_AT_ONCE, "cpu", 64)
    decoder = SubspaceDecoder(
        3, 2, width=8, num_layers=2, noise_dim=2, noise_scale=0.1, generator=seeded(0)[0]
    )
    eps, seen = torch.randn(150, 3), []

    def watched(*batch):
        seen.append(len(batch[0]))
        return decoder(*batch)

    z = decoder.noise(150, seeded(1)[0])
    assert_close(mlp.by_rows(watched, eps, z), decoder(eps, z))
    assert seen == [64, 64, 22]


def test_a_stacked_network_is_its_own_alone():
    together = StackedMLP([3, 8, 2], seeded(0, 1, 2))
    x = torch.randn(3, 5, 3)
    for k in range(3):
        alone = StackedMLP([3, 8, 2], seeded(k))
        assert torch.equal(alone(x[k : k + 1])[0], together(x)[k])


def test_which_picks_the_network():
    stack = StackedMLP([2, 4, 2], seeded(0, 1))
    x = torch.randn(3, 5, 2)
    which = torch.tensor([1, 0, 1])
    expected = torch.stack([stack(x[t].expand(2, 5, 2))[which[t]] for t in range(3)])
    assert_close(stack(x, which), expected)


def test_whitening_gives_unit_axes_and_inverts():
    generator = seeded(0)[0]
    clusters = [
        torch.randn(400, 3, generator=generator) @ torch.randn(3, 3, generator=generator) + 5
        for _ in range(2)
    ]
    whitening = Whitening(2, 3)
    whitening.fit(clusters, floor=1e-4)
    v = whitening(torch.stack(clusters))
    for k in range(2):
        assert_close(v[k].mean(0), torch.zeros(3), rtol=0, atol=1e-4)
        assert_close(v[k].T @ v[k] / 400, torch.eye(3), rtol=0, atol=1e-3)
    assert_close(whitening.inverse(v), torch.stack(clusters), rtol=1e-4, atol=1e-4)


def test_whitening_floor_keeps_flat_axes_small():
    flat = torch.randn(300, 3, generator=seeded(1)[0]) * torch.tensor([1.0, 1e-6, 0.0])
    whitening = Whitening(1, 3)
    whitening.fit([flat], floor=0.01)
    v = whitening(flat[None])[0]
    assert v[:, 1:].abs().max() < 1e-2
    assert_close(v[:, 0].std(), torch.tensor(1.0), rtol=0.01, atol=0)


def test_new_mappers_draw_each_clusters_gaussian():
    generator = seeded(2)[0]
    clusters = [
        torch.randn(2000, 3, generator=generator) * scale + centre
        for scale, centre in ((0.5, -4.0), (2.0, 4.0))
    ]
    mappers = AutoencoderMappers(3, 3, width=8, num_layers=1, generators=seeded(0, 1))
    mappers.whitening.fit(clusters, floor=0.01)
    k = torch.tensor([0, 1]).repeat(4000)[torch.randperm(8000, generator=generator)]
    eps = mappers.sample(k, generator, tile=64)
    for cluster, rows in enumerate(clusters):
        drawn = eps[k == cluster]
        assert_close(drawn.mean(0), rows.mean(0), rtol=0, atol=0.15)
        assert_close(drawn.std(0), rows.std(0), rtol=0.1, atol=0)


def test_mapper_samples_do_not_depend_on_tiles_and_handle_absent_clusters():
    mappers = AutoencoderMappers(3, 2, width=8, num_layers=2, generators=seeded(0, 1, 2))
    for parameter in mappers.decoder.parameters():
        torch.nn.init.normal_(parameter, generator=seeded(9)[0])
    k = torch.tensor([2, 0, 0, 2, 2, 0, 2])
    drawn = [mappers.sample(k, seeded(5)[0], tile=tile) for tile in (1, 3, 64)]
    assert_close(drawn[0], drawn[1])
    assert_close(drawn[0], drawn[2])
    omega = torch.randn(7, 2, generator=seeded(5)[0])
    for i in range(7):
        v = mappers.decode(omega[i].view(1, 1, 2), k[i : i + 1])
        assert_close(drawn[0][i], mappers.whitening.inverse(v, k[i : i + 1])[0, 0])


def test_mlp_equals_its_layers_written_out():
    network = mlp.MLP([3, 5, 4])
    mlp.initialise(network, seeded(0)[0])
    x = torch.randn(6, 3)
    h = x @ network[0].weight.T + network[0].bias
    slow = (h * torch.sigmoid(h)) @ network[2].weight.T + network[2].bias
    assert_close(network(x), slow)


def test_initial_weights_and_biases_fill_their_range():
    layer = torch.nn.Linear(100, 400)
    mlp.initialise(layer, seeded(0)[0])
    for parameter in (layer.weight, layer.bias):
        assert 0.098 < parameter.abs().max() <= 0.1
        assert_close(parameter.std(), torch.tensor(0.1 / 3**0.5), rtol=0.08, atol=0)

    again = torch.nn.Linear(100, 400)
    mlp.initialise(again, seeded(0)[0])
    assert torch.equal(again.weight, layer.weight) and torch.equal(again.bias, layer.bias)


def test_stacked_networks_equal_a_loop_over_them():
    for last in (1, 2):
        stack = StackedMLP([3, 4, last], seeded(0, 1))
        x = torch.randn(2, 5, 3)
        slow = []
        for k in range(2):
            h = x[k] @ stack.layers[0].weight[k] + stack.layers[0].bias[k]
            h = torch.where(h > 0, h, 0.2 * h)
            slow.append(h @ stack.layers[1].weight[k] + stack.layers[1].bias[k])
        assert_close(stack(x), torch.stack(slow))


def test_stacked_layers_start_within_the_bound_of_their_width():
    stack = StackedMLP([25, 400, 3], seeded(0), last_gain=0.0)
    assert 0.19 < stack.layers[0].weight.abs().max() <= 0.2
    assert stack.layers[1].weight.abs().max() == 0 == stack.layers[1].bias.abs().max()


def test_new_mappers_are_the_identity_on_their_first_coordinates():
    mappers = AutoencoderMappers(3, 2, width=8, num_layers=1, generators=seeded(0, 1))
    v = torch.randn(2, 4, 3)
    assert torch.equal(mappers.encode(v), v[..., :2])
    assert torch.equal(mappers.decode(v[..., :2])[..., :2], v[..., :2])
    assert mappers.decode(v[..., :2])[..., 2].abs().max() == 0


def test_a_subspace_starts_orthonormal_its_importances_falling_from_the_scale():
    layer = SubspaceLayer(9, 4, 2.0, *seeded(0))
    assert_close(layer.U @ layer.U.T, torch.eye(4), rtol=0, atol=1e-6)
    assert layer.L.tolist() == [2.0, 1.5, 1.0, 0.5] and layer.mu.abs().max() == 0

    with torch.no_grad():
        layer.mu.copy_(torch.arange(9.0))
    z = torch.randn(3, 4)
    slow = torch.stack([sum(z[b, i] * layer.L[i] * layer.U[i] for i in range(4)) for b in range(3)])
    assert_close(layer(z), slow + torch.arange(9.0))


def test_decoder_equals_its_equation_written_out():
    decoder = SubspaceDecoder(
        4, 2, width=8, num_layers=3, noise_dim=2, noise_scale=1.0, generator=seeded(0)[0]
    )
    eps, z = torch.randn(5, 4), torch.randn(5, 3, 2)

    def slow(z):
        h = torch.nn.functional.silu(decoder.input(eps))
        for i in range(3):
            phi = (z[:, i] * decoder.subspaces[i].L) @ decoder.subspaces[i].U
            h = torch.nn.functional.silu(decoder.hidden[i](h + phi + decoder.subspaces[i].mu))
        return decoder.output(h) + eps @ decoder.linear.weight.T + decoder.linear.bias

    assert_close(decoder(eps, z), slow(z))
    assert_close(decoder(eps), slow(0 * z))


def test_noise_and_codes_are_drawn_standard_normal():
    decoder = SubspaceDecoder(
        4, 2, width=8, num_layers=2, noise_dim=3, noise_scale=1.0, generator=seeded(0)[0]
    )
    z = decoder.noise(20_000, seeded(1)[0])
    assert_close(z.mean(0), torch.zeros(2, 3), rtol=0, atol=0.04)
    assert_close(z.std(0), torch.ones(2, 3), rtol=0, atol=0.03)
