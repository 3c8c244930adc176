"""The stages' trainings against the papers' objectives written out, a cluster at a time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from scgan import systems
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.stages.tables import decode, encode, latents
from scgan.stages.tables import map as mapping
from scgan.stages.tables.mapper_fits import Codes, mapper_batches
from scgan.store.artifacts import ArtifactStore
from scgan.training.runtime import Runtime

STEPS = 3
CHANGES = {
    "encoder.num_samples": 64 * STEPS,
    "encoder.batch_size": 64,
    "encoder.schedule": "constant",
    "encoder.temperature": 0.7,
    "encoder.noise_std": 0.2,
    "encoder.code_dim": 3,
    "clusters.num_clusters": 3,
    "mappers.num_samples": 16 * STEPS,
    "mappers.batch_size": 16,
    "mappers.schedule": "constant",
    "mappers.adversarial_weight": 0.6,
    "mappers.r1_weight": 0.2,
    "mappers.d_learning_rate": 5e-3,
    "decoder.num_samples": 32 * STEPS,
    "decoder.batch_size": 32,
    "decoder.schedule": "constant",
    "decoder.noise_spread": None,  # draws once more
    "decoder.r1_every": 2,
    "decoder.d_learning_rate": 3e-3,
    "decoder.ema_half_life": 1e-9,  # the average is the last step's weights
    "decoder.lambda_x": 0.7,
}


def spec_of(**changes):
    config = override(systems.load("scgan").presets["smoke"], {**CHANGES, **changes})
    return Spec("scgan", DataConfig(source="abs", num_train=400, num_test=400), config)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    store = ArtifactStore(str(tmp_path_factory.mktemp("store")))
    return {
        name: stage.artifact
        for name, stage in fit_stages(spec_of(), prepare(spec_of()), store, LocalExecutor()).items()
    }


def linear(x, weight, bias):
    return x @ weight + bias


def perceptron(x, layers):
    """A perceptron with leaky activations, from a list of (weight [in, out], bias)."""
    for i, (weight, bias) in enumerate(layers):
        x = linear(x if i == 0 else torch.where(x > 0, x, 0.2 * x), weight, bias)
    return x


def network_of(stack, k):
    return [
        (
            layer.weight[k].detach().clone().requires_grad_(),
            layer.bias[k, 0].detach().clone().requires_grad_(),
        )
        for layer in stack.layers
    ]


def parameters(*networks):
    return [tensor for network in networks for pair in network for tensor in pair]


def test_contrastive_step_raises_the_bound_of_equation_1(fitted):
    """Adam on the mean over anchors of -log of the true pair's share, of views by added noise."""
    config, data = spec_of().config.encoder, prepare(spec_of())
    inputs = Inputs(data, {}, 0)
    generator = inputs.generator("encode", "batches")
    std = encode.view_noise(config, data.train, inputs.generator("encode", "noise"))
    network = encode.build_encoder(config, 2, inputs.generator("encode", "weights"), std).net
    adam = torch.optim.Adam(network.parameters(), config.learning_rate)
    for _ in range(STEPS):
        rows = data.train[torch.randint(400, (64,), generator=generator)]
        views = [rows + std * torch.randn(64, 2, generator=generator) for _ in range(2)]
        projected = torch.cat([network(view) for view in views])
        u, potential = projected[:, :3], projected[:, 3]
        loss = torch.zeros(())
        for i in range(128):
            scores = (potential - (u - u[i]).square().sum(1)) / config.temperature
            others = torch.cat([scores[:i], scores[i + 1 :]])
            loss = loss - (scores[(i + 64) % 128] - torch.logsumexp(others, 0)) / 128
        adam.zero_grad()
        loss.backward()
        adam.step()
    trained = network.state_dict()
    # Shifts all codes alike: its gradient is zero but for rounding.
    assert trained.pop("mlp.6.bias").shape == (4,)
    for name, tensor in trained.items():
        assert_close(fitted["encode"].tensors[f"encoder.net.{name}"], tensor, rtol=1e-4, atol=1e-5)


def test_an_isometric_start_is_as_wide_as_is_best():
    """Codes are as alike as rows are likely by the views' noise: of one row's, N(0, 2 std^2 I)."""
    c, std = spec_of().config.encoder.model_copy(update={"code_dim": None}), 0.25
    network = encode.build_encoder(c, 2, torch.Generator().manual_seed(1), std).net
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(2))
    u = network(x)[:, :2]
    log_density = -torch.cdist(x, x).square() / (2 * 2 * std**2)
    assert_close(-torch.cdist(u, u).square() / c.temperature, log_density, rtol=1e-3, atol=1e-3)


def test_mappers_minimise_equation_2_cluster_by_cluster(fitted):
    """KL(q(omega) || N(0, I)) by a discriminator, plus lambda_eps times reconstruction."""
    c, data = spec_of().config.mappers, prepare(spec_of())
    inputs = Inputs(data, fitted, 0)
    eps = encode.load_encoder(spec_of().config.encoder, fitted["encode"]).embed(data.train)
    k = fitted["cluster"].tensors["k"]
    for cluster in range(int(k.max()) + 1):
        unit = str(cluster)
        codes = Codes.of([unit], [eps[k == cluster]], inputs)
        (rows,) = codes.train
        mappers = mapping.build_mappers(c, 3, 2, [inputs.generator("map", unit)])
        mappers.whitening.fit([rows], c.axis_floor)
        centre, axes, scale = (
            getattr(mappers.whitening, name)[0] for name in ("centre", "axes", "scale")
        )
        coder, decoder, critic = (
            network_of(s, 0) for s in (mappers.encoder, mappers.decoder, mappers.discriminator)
        )
        g_adam = torch.optim.Adam(parameters(coder, decoder), c.learning_rate, betas=(0.5, 0.99))
        d_adam = torch.optim.Adam(parameters(critic), c.d_learning_rate, betas=(0.5, 0.99))
        batches = mapper_batches(c, mappers, codes, Runtime())
        for step in range(STEPS):
            (eps_block, prior_block), place = batches.at(step)
            v = (eps_block[0, place] - centre) @ axes / scale
            prior = prior_block[0, place].clone().requires_grad_()
            real, fake = (
                perceptron(prior, critic),
                perceptron((v[:, :2] + perceptron(v, coder)).detach(), critic),
            )
            (gradient,) = torch.autograd.grad(real.sum(), prior, create_graph=True)
            penalty = gradient.square().sum(1).mean()
            d_loss = (
                -torch.log(torch.sigmoid(real)).mean() - torch.log(1 - torch.sigmoid(fake)).mean()
            )
            d_adam.zero_grad()
            (d_loss + c.r1_weight * penalty).backward()
            d_adam.step()
            omega = v[:, :2] + perceptron(v, coder)
            again = torch.cat([omega, torch.zeros(16, 1)], 1) + perceptron(omega, decoder)
            divergence = -torch.log(torch.sigmoid(perceptron(omega, critic))).mean()
            g_adam.zero_grad()
            (0.6 * divergence + c.lambda_eps * F.mse_loss(again, v)).backward()
            g_adam.step()
        for name, network in (("encoder", coder), ("decoder", decoder), ("discriminator", critic)):
            for number, (weight, bias) in enumerate(network):
                layer = f"{name}.layers.{number}"
                assert_close(
                    fitted["map"].tensors[f"{layer}.weight"][cluster],
                    weight.detach(),
                    rtol=1e-4,
                    atol=1e-5,
                )
                assert_close(
                    fitted["map"].tensors[f"{layer}.bias"][cluster, 0],
                    bias.detach(),
                    rtol=1e-4,
                    atol=1e-5,
                )


def own_axes(x):
    """Rows to the principal axes of all of them, each of unit variance, an axis at a time."""
    covariance = torch.cov(x.T.double(), correction=0)
    variance, axes = torch.linalg.eigh(covariance)
    order = variance.argsort(descending=True)
    columns = [axes[:, i] / variance[i].sqrt() for i in order]
    centre, to = x.mean(0), torch.stack(columns, 1).float()
    return lambda rows: (rows - centre) @ to


def critics_loss(c, critics, v, fakes, penalised):
    """Cross-entropy of each critic, and R1 as it is set."""
    d_loss = torch.zeros(())
    for name, critic in critics.items():
        rows = v.clone().requires_grad_()
        real = critic(rows)
        assert len(real) == 32 / c.d_pack
        d_loss = d_loss - torch.log(torch.sigmoid(real)).mean()
        d_loss = d_loss - torch.log(1 - torch.sigmoid(critic(fakes[name].detach()))).mean()
        if penalised:
            (gradient,) = torch.autograd.grad(real.sum(), rows, create_graph=True)
            d_loss = d_loss + c.r1_weight * gradient.square().sum(1).mean()
    return d_loss


@pytest.mark.parametrize(
    ("latent", "changes"),
    [
        *[(latent, {"reconstruction_critic": True}) for latent in latents.LATENTS],
        ("mapping", {}),
        ("mapping", {"lambda_x": 0.0, "reconstruction_critic": True}),
        ("mapping", {"lambda_x": 0.0}),
        ("mapping", {"d_pack": 2, "d_normalisation": "layer", "whitened": False}),
    ],
)
def test_decoder_minimises_equation_4(fitted, latent, changes):
    """Reconstruction, and each divergence that is on by a critic of its own."""
    changes = {f"decoder.{key}": value for key, value in changes.items()}
    config = spec_of(**{"decoder.latent": latent}, **changes).config
    data = prepare(spec_of())
    c, inputs = config.decoder, Inputs(data, fitted, 0)
    eps = encode.load_encoder(config.encoder, fitted["encode"]).embed(data.train)
    own = own_axes(data.train) if c.whitened else lambda rows: rows

    weights = inputs.generator("decode", "weights")
    decoder = decode.build_decoder(c, eps.shape[1], 2, weights)
    decoder.start(eps, data.train)
    critics = decode.build_critics(c, 2, weights)
    weight_of = {"reconstructed": 1.0 if c.reconstruction_critic else 0.0, "generated": c.lambda_x}
    assert set(critics) == {name for name, weight in weight_of.items() if weight}

    g_adam = torch.optim.Adam(decoder.parameters(), c.learning_rate, betas=(0.5, 0.99))
    d_adam = critics and torch.optim.Adam(
        critics.parameters(), c.d_learning_rate, betas=(0.5, 0.99)
    )
    batches = decode._decoder_batches(config, inputs, eps, Runtime())
    for step in range(STEPS):
        block, place = batches.at(step)
        x, code, latents_drawn, z = (tensor[place] for tensor in block)
        v = own(x)
        fakes = {
            "reconstructed": own(decoder(code, torch.zeros_like(z))),
            "generated": own(decoder(latents_drawn, z)),
        }

        d_loss = critics_loss(c, critics, v, fakes, penalised=step % 2 == 0)
        if critics:
            d_adam.zero_grad()
            d_loss.backward()
            d_adam.step()

        g_loss = c.reconstruction_weight * F.mse_loss(fakes["reconstructed"], v)
        for name, critic in critics.items():
            divergence = -torch.log(torch.sigmoid(critic(fakes[name]))).mean()
            g_loss = g_loss + weight_of[name] * divergence
        orthonormal = sum(
            (s.U @ s.U.T - torch.eye(len(s.U))).square().sum() for s in decoder.subspaces
        )
        g_adam.zero_grad()
        (g_loss + c.orthogonality_weight * orthonormal).backward()
        g_adam.step()

    trained = decode.decode(config, ("all",), inputs, Runtime()).section("decoder")
    for name, tensor in decoder.state_dict().items():
        # Adam's step is as long where a gradient is all but zero: there rounding shows.
        gap = (trained[name] - tensor).abs()
        assert gap.median() < 1e-5, name  # a hundredth of a step
