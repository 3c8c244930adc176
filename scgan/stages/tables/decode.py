"""Stage: the stochastic decoder, trained to reconstruct and to generate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scgan.contract import Inputs, Units
from scgan.losses.regularizers import orthogonality
from scgan.losses.scgan import decoder_loss, discriminator_loss
from scgan.metrics.noise import spread_ratio
from scgan.nn.critics import Critic
from scgan.nn.mappers import Whitening
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.decoder_settings import DecoderSettings
from scgan.stages.tables.latents import latent_model
from scgan.stages.tables.rows import training_codes, training_rows
from scgan.store.artifacts import Artifact
from scgan.training.blocks import Blocks
from scgan.training.loop import GAN_BETAS, adam, descend, frozen, train
from scgan.training.runtime import Runtime
from scgan.training.state import Average, TrainState, named_weights

NUM_NOISE_ROWS, NUM_NOISES = 2048, 16  # by which the noise's spread is measured
NOISE_ROUNDS, MOST_STEP = 5, 10.0  # of scaling it, and by how much at once
LEAST_STEPS = 100  # of a training, however few the rows
AXIS_FLOOR = 0.01  # least scale of a principal axis, as a share of the largest


def build_decoder(
    c: DecoderSettings, code_dim: int, data_dim: int, generator: torch.Generator | None = None
) -> SubspaceDecoder:
    """A new decoder, its weights drawn from ``generator``."""
    return SubspaceDecoder(
        code_dim,
        data_dim,
        width=c.width,
        num_layers=c.num_layers,
        noise_dim=c.noise_dim,
        noise_scale=c.noise_scale,
        generator=generator or torch.Generator(),
    )


def check_packs(c: DecoderSettings, num_rows: int) -> None:
    """Refuse packs into which the rows of a worker's step can't be put.

    Raises:
        ValueError: If ``num_rows`` is no multiple of the pack.
    """
    if num_rows % c.d_pack:
        raise ValueError(
            f"decoder.d_pack is {c.d_pack}, but a worker's step has {num_rows} rows: take a "
            "divisor of it, or another decoder.batch_size"
        )


def critic_weights(c: DecoderSettings) -> dict[str, float]:
    """Weights of the divergences of Eq. (4) that are on, by the name of what their critic sees."""
    weights = {"reconstructed": float(c.reconstruction_critic), "generated": c.lambda_x}
    return {name: weight for name, weight in weights.items() if weight}


def build_critics(c: DecoderSettings, data_dim: int, generator: torch.Generator) -> nn.ModuleDict:
    """New critics of reconstructed and of generated rows, as far as they are on."""
    critics = {}
    for name in critic_weights(c):
        critics[name] = Critic(
            data_dim,
            width=c.d_width,
            num_layers=c.d_num_layers,
            normalisation=c.d_normalisation,
            pack=c.d_pack,
            generator=generator,
        )
    return nn.ModuleDict(critics)


def load_decoder(c: DecoderSettings, artifact: Artifact) -> SubspaceDecoder:
    """The trained decoder."""
    weights = artifact.section("decoder")
    decoder = build_decoder(c, weights["input.weight"].shape[1], len(weights["output.bias"]))
    decoder.load_state_dict(weights)
    return decoder


def decode(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 3: reconstruct x from its code with fixed noise, generate from latents with random.

    Source: [SCGAN] Sec. 2.3, Eq. (4).
    """
    c = within_passes(config.decoder, inputs.data.num_train)
    check_packs(c, c.batch_size // runtime.world_size)
    device, data_dim = runtime.device, inputs.data.train.shape[1]
    clusters = ClusteredCodes.from_artifact(inputs.artifacts["cluster"])
    weights = inputs.generator("decode", "weights")
    codes, rows = _first_rows(inputs, clusters.codes, runtime)
    decoder = build_decoder(c, clusters.centres.shape[1], data_dim, weights).to(device)
    decoder.start(codes, rows)
    critics = build_critics(c, data_dim, weights).to(device)
    own = own_axes(c, rows)
    average = Average(decoder, c.ema_half_life, c.batch_size)
    batches = _decoder_batches(config, inputs, clusters.codes, runtime)

    network = runtime.mixed(runtime.parallel(decoder), c.precision)
    critic = {name: runtime.mixed(runtime.parallel(d), c.precision) for name, d in critics.items()}
    judges = {name: runtime.mixed(d, c.precision) for name, d in critics.items()}
    optimizers = _optimizers(c, decoder, critics)
    state = TrainState({"decoder": decoder, "critics": critics, "average": average}, optimizers, {})

    def step() -> Mapping[str, Tensor]:
        number = state.samples // c.batch_size
        block, place = batches.at(number)
        real, code, latent, z = (runtime.share(t[place]) for t in block)
        v = own(real)

        fakes = {"reconstructed": own(network(code))}
        if c.lambda_x:
            fakes["generated"] = own(network(latent, z))
        losses: dict[str, Tensor] = {}

        if critics:
            penalty = c.r1_weight if number % c.r1_every == 0 else 0.0
            loss = _critics_loss(c, critic, v, fakes, penalty, losses)
            descend(optimizers["critics"], loss)
        with frozen(critics.values()):
            loss = _decoder_loss(c, judges, v, fakes, decoder.bases(), losses)
            descend(optimizers["decoder"], loss)

        average.update(decoder)
        return losses

    curve = train(state, step, c, name="decode", runtime=runtime)
    trained: SubspaceDecoder = average.module
    if c.noise_spread is not None:
        seed = inputs.generator("decode", "noise").initial_seed()
        spread_noise(trained, codes, rows, c.noise_spread, seed)
    return Artifact(named_weights("decoder", trained), {"curve": curve})


def within_passes(c: DecoderSettings, num_rows: int) -> DecoderSettings:
    """The settings with no more samples than come of so many passes over the training rows."""
    if c.max_passes is None:
        return c
    most = max(c.max_passes * num_rows, LEAST_STEPS * c.batch_size)
    return c.model_copy(update={"num_samples": min(c.num_samples, most)})


def _optimizers(
    c: DecoderSettings, decoder: nn.Module, critics: nn.ModuleDict
) -> dict[str, torch.optim.Optimizer]:
    optimizers: dict[str, torch.optim.Optimizer] = {}
    optimizers["decoder"] = adam(decoder, c.learning_rate, betas=GAN_BETAS)
    if critics:
        optimizers["critics"] = adam(critics, c.d_learning_rate, betas=GAN_BETAS)
    return optimizers


@torch.no_grad()
def spread_noise(
    decoder: SubspaceDecoder, eps: Tensor, x: Tensor, wanted: float, seed: int
) -> None:
    r"""Scale the decoder's noise until its spread is a share of what codes leave open.

    .. math:: \mathbb{E} \operatorname{Var}_z g(\varepsilon, z) = s^2 \,
              \mathbb{E} (x - \mathbb{E}_z g(\varepsilon, z))^2

    Noise that is off stays so.

    Args:
        decoder: Whose importances are scaled.
        eps: Codes, ``[N, code_dim]``.
        x: Their rows, ``[N, D]``.
        wanted: s.
        seed: Of the draws.
    """
    eps, x = eps[:NUM_NOISE_ROWS], x[:NUM_NOISE_ROWS]
    for _ in range(NOISE_ROUNDS):  # the spread is nearly linear in the scale
        generator = torch.Generator(eps.device).manual_seed(seed)
        draws = torch.stack([decoder.draw(eps, generator) for _ in range(NUM_NOISES)])
        ratio = spread_ratio(draws, x)
        if not 0 < ratio < math.inf:
            return
        decoder.scale_noise(min(MOST_STEP, wanted / ratio))


def _first_rows(inputs: Inputs, eps: Tensor, runtime: Runtime) -> tuple[Tensor, Tensor]:
    """Codes of the training rows, or of a streamed table's first shard, and these rows."""
    codes = training_codes("decode", eps.to(runtime.device), inputs, runtime)
    rows = training_rows("decode", inputs.data.train.to(runtime.device), inputs, runtime)
    return codes.at(0), rows.at(0)


def own_axes(c: DecoderSettings, rows: Tensor) -> Callable[[Tensor], Tensor]:
    """Takes rows ``[B, D]`` to the principal axes of ``rows``, or, not whitened, leaves them."""
    if not c.whitened:
        return lambda x: x
    whitening = Whitening(1, rows.shape[1]).to(rows.device)
    whitening.fit([rows], AXIS_FLOOR)
    return lambda x: whitening(x[None])[0]


def _critics_loss(
    c: DecoderSettings,
    critics: Mapping[str, Callable[..., Tensor]],
    real: Tensor,
    fakes: Mapping[str, Tensor],
    penalty: float,
    losses: dict[str, Tensor],
) -> Tensor:
    """The critics' losses, R1 weighted by ``penalty``; each is noted in ``losses``."""
    total, rows = real.new_zeros(()), real.clone().requires_grad_(penalty > 0)

    for name, critic in critics.items():
        logits = critic(torch.cat([rows, fakes[name].detach()])).chunk(2)
        loss = discriminator_loss(rows, *logits, r1_weight=penalty, adversarial=c.adversarial)
        losses[f"{name}_d_loss"] = loss.d_loss
        total = total + loss.total

    return total


def _decoder_loss(
    c: DecoderSettings,
    critics: Mapping[str, Callable[..., Tensor]],
    real: Tensor,
    fakes: Mapping[str, Tensor],
    bases: Sequence[Tensor],
    losses: dict[str, Tensor],
) -> Tensor:
    """The decoder's loss, its bases held orthonormal; each term is noted in ``losses``."""
    loss = decoder_loss(
        real,
        fakes["reconstructed"],
        {name: critic(fakes[name]) for name, critic in critics.items()},
        reconstruction_weight=c.reconstruction_weight,
        weights=critic_weights(c),
        adversarial=c.adversarial,
    )

    losses["reconstruction"] = loss.entropy
    losses |= {f"{name}_g_loss": value for name, value in loss.divergences.items()}
    losses["orthogonality"] = orthogonality(bases)

    return loss.total + c.orthogonality_weight * losses["orthogonality"]


def _decoder_batches(
    config: Any, inputs: Inputs, eps: Tensor, runtime: Runtime
) -> Blocks[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Real rows with their codes, latents of the latent model, and noise, some steps at once.

    ``eps`` ``[N, d]`` are the codes of the training rows, which a streamed table's files hold.
    """
    c: DecoderSettings = config.decoder
    steps, device, shape = 16, runtime.device, (c.num_layers, c.noise_dim)
    rows = training_rows("decode", inputs.data.train.to(device), inputs, runtime)
    codes = training_codes("decode", eps.to(device), inputs, runtime)
    latents = latent_model(c.latent, config, inputs.artifacts, device)

    def draw(generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (generator,) = generators
        num = steps * c.batch_size
        x, eps_of_x = rows.at(blocks.number * num), codes.at(blocks.number * num)
        index = torch.randint(len(x), (num,), generator=generator, device=device)
        latent = latents.sample(num, generator)
        z = torch.randn(num, *shape, generator=generator, device=device)

        drawn = x[index], eps_of_x[index], latent, z
        real, code, latent, z = (t.view(steps, c.batch_size, *t.shape[1:]) for t in drawn)
        return real, code, latent, z

    seed = inputs.generator("decode", "batches").initial_seed()
    blocks = Blocks(draw, [seed], steps, device)
    return blocks
