"""What the critics of stage 3 see, what each switch turns off, and whether they see at all."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from scgan.config import override
from scgan.contract import Inputs
from scgan.losses.scgan import DecoderLoss
from scgan.nn.critics import Critic
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables import decode
from scgan.stages.tables import map as mapping
from scgan.stages.tables.cluster import ClusteredCodes
from scgan.stages.tables.decoder_settings import DecoderSettings
from scgan.store.artifacts import Artifact
from scgan.systems.scgan import SCGANConfig
from scgan.training.loop import descend
from scgan.training.runtime import Runtime

LINEAR = SimpleNamespace(modelled=[SimpleNamespace(is_normal=False)] * 2)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def config_of(**changes):
    lengths = {"decoder.num_samples": 32, "decoder.batch_size": 32, "mappers.kind": "gaussian"}
    lengths["decoder.noise_spread"] = None  # it draws once more
    return override(SCGANConfig(), lengths | {f"decoder.{k}": v for k, v in changes.items()})


@pytest.fixture
def inputs():
    x = torch.randn(200, 2, generator=seeded(1)) @ torch.tensor([[3.0, 2.9], [0.0, 0.1]]) + 7
    codes = torch.cat([x, torch.randn(200, 2, generator=seeded(2))], 1)
    found = ClusteredCodes(
        codes.mean(0, keepdim=True),
        torch.tensor([200]),
        torch.ones(1),
        0,
        torch.zeros(200, dtype=torch.long),
        codes,
    )
    mappers = mapping.build_mappers(config_of().mappers, 4, 2, [seeded(3)])
    mappers.whitening.fit([codes], 1e-3)
    mapped = Artifact(dict(mappers.state_dict()), {"data_dim": 2})
    data = SimpleNamespace(train=x, stream=None, num_train=len(x), table_schema=LINEAR)
    return Inputs(data, {"cluster": found.to_artifact(), "map": mapped}, 0)


@pytest.fixture
def watched(monkeypatch):
    """What the decoder makes, by name; what each critic is fed; the critics themselves."""
    made, seen, critics = [], [], []
    forward, judge, build = SubspaceDecoder.forward, Critic.forward, decode.build_critics

    def decoded(self, eps, z=None):
        value = forward(self, eps, z)
        made.append(("generated" if z is not None else "reconstructed", value))
        return value

    def judged(self, x):
        seen.append((self, x))
        return judge(self, x)

    def built(*args):
        critics.append(build(*args))
        return critics[-1]

    monkeypatch.setattr(SubspaceDecoder, "forward", decoded)
    monkeypatch.setattr(Critic, "forward", judged)
    monkeypatch.setattr(decode, "build_critics", built)
    return made, seen, critics


def fit(inputs, **changes):
    return decode.decode(config_of(**changes), ("all",), inputs, Runtime())


def are_of(rows, known):
    """Which of some rows are among others, exactly."""
    return (rows[:, None] == known[None]).all(-1).any(1)


def test_each_critic_sees_its_own_samples_and_the_real_rows(inputs, watched):
    """That of reconstructions never sees what is generated, nor the other way about."""
    made, seen, built = watched
    fit(inputs, reconstruction_critic=True, whitened=False)
    (critics,), x, fakes = built, inputs.data.train, dict(made)
    told_apart, judged = seen[:2], seen[2:]

    for (network, batch), (judge, fake) in zip(told_apart, judged, strict=True):
        (name,) = [name for name in critics if critics[name] is network]
        assert judge is network and torch.equal(fake, fakes[name]) and fake.requires_grad
        assert torch.equal(batch[32:], fakes[name])
        assert are_of(batch[:32], x).all()

    assert {id(network) for network, _ in seen} == {id(network) for network in critics.values()}


@pytest.mark.parametrize(
    ("changes", "on"),
    [
        ({}, {"generated"}),
        ({"reconstruction_critic": True}, {"reconstructed", "generated"}),
        ({"lambda_x": 0.0}, set()),
        ({"lambda_x": 0.0, "reconstruction_critic": True}, {"reconstructed"}),
    ],
)
def test_a_term_that_is_off_has_no_critic_no_loss_and_no_pass(inputs, watched, changes, on):
    made, _, built = watched
    (point,) = fit(inputs, **changes).meta["curve"]
    assert set(built[0]) == on
    losses = {f"{name}_{side}_loss" for name in on for side in "dg"}
    assert point.keys() == {"samples", "reconstruction", "orthogonality"} | losses
    assert {name for name, _ in made} == on | {"reconstructed"}


def test_a_critic_has_the_settings_that_are_set(inputs, watched):
    settings = {"d_width": 24, "d_num_layers": 2, "d_normalisation": "layer", "d_pack": 4}
    fit(inputs, **settings)
    critic = watched[2][0]["generated"]
    shapes = [tuple(p.shape) for name, p in critic.named_parameters() if p.ndim == 2]
    assert shapes == [(24, 8), (24, 24), (1, 24)]
    assert sum(isinstance(layer, torch.nn.LayerNorm) for layer in critic.layers) == 2


def test_packs_are_wholly_real_or_wholly_made(inputs, watched):
    """Of an eighth of the rows in a pack each: no logit is of rows of both kinds."""
    made, seen, _ = watched
    fit(inputs, d_pack=8, whitened=False)
    (_, told_apart), (_, judged) = seen
    packs = told_apart.reshape(8, 8, 2)
    fake = dict(made)["generated"]
    is_fake = are_of(packs.reshape(-1, 2), fake).reshape(8, 8)
    assert is_fake[4:].all() and not is_fake[:4].any() and len(judged) == 32


def test_a_batch_that_is_no_multiple_of_the_pack_is_refused(inputs):
    with pytest.raises(ValueError, match=r"decoder\.d_pack is 3.* 32 rows"):
        fit(inputs, d_pack=3)


def test_errors_and_critics_see_rows_in_their_principal_axes(inputs, watched):
    seen = watched[1]
    fit(inputs, num_samples=32 * 20)
    real = torch.cat([batch[:32].detach() for _, batch in seen[::2]])
    assert_close(torch.cov(real.T), torch.eye(2), rtol=0, atol=0.25)
    assert_close(real.mean(0), torch.zeros(2), rtol=0, atol=0.2)


def test_axes_that_the_data_hardly_uses_are_not_blown_up_to_noise():
    """To a hundredth of the largest axis, no further; and not whitened, rows are left alone."""
    x = torch.randn(4000, 2, generator=seeded()) * torch.tensor([10.0, 1e-5]) + 3
    own = decode.own_axes(config_of().decoder, x)
    assert_close(own(x).std(0), torch.tensor([1.0, 1e-5 / 0.1]), rtol=0.05, atol=1e-4)
    assert torch.equal(decode.own_axes(config_of(whitened=False).decoder, x)(x), x)


def test_critics_collect_no_gradients_where_the_decoder_descends(inputs, watched, monkeypatch):
    collecting, loss = [], decode.decoder_loss

    def recorded(*tensors, **weights):
        collecting.append([p.requires_grad for p in watched[2][0].parameters()])
        return loss(*tensors, **weights)

    monkeypatch.setattr(decode, "decoder_loss", recorded)
    fit(inputs, num_samples=32 * 2, reconstruction_critic=True)
    assert len(collecting) == 2 and not any(map(any, collecting))
    assert all(p.requires_grad for p in watched[2][0].parameters())


def test_the_decoder_is_trained_in_the_precision_that_is_set(inputs):
    alone = {"lambda_x": 0.0, "num_samples": 32 * 20}  # without a critic
    weight = fit(inputs, **alone).tensors["decoder.output.weight"]
    rounded = fit(inputs, **alone, precision="bf16").tensors["decoder.output.weight"]
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, weight)
    assert_close(rounded, weight, rtol=0, atol=0.02)


def test_the_curve_says_what_it_names(inputs, monkeypatch):
    def loss(x, x_hat, logits, **weights):
        nothing = x_hat.sum() * 0
        divergences = {"reconstructed": nothing + 2, "generated": nothing + 3}
        return DecoderLoss(nothing + 1, divergences, nothing + 100)

    monkeypatch.setattr(decode, "decoder_loss", loss)
    monkeypatch.setattr(decode, "orthogonality", lambda bases: bases[0].sum() * 0 + 4)
    (point,) = fit(inputs, reconstruction_critic=True).meta["curve"]
    assert point["reconstruction"] == 1 and point["orthogonality"] == 4
    assert (point["reconstructed_g_loss"], point["generated_g_loss"]) == (2, 3)
    assert {"reconstructed_d_loss", "generated_d_loss"} <= point.keys()


# Generators made bad on purpose


def bent(num, seed):
    """Rows of a table: a ring, a column that follows it closely, and one of its own."""
    angle = 2 * math.pi * torch.rand(num, generator=seeded(seed))
    noise = torch.randn(num, 4, generator=seeded(seed + 1))
    ring = torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * noise[:, :2]
    follows = (ring.prod(1) + 0.05 * noise[:, 2])[:, None]
    return torch.cat([ring, follows, noise[:, 3:]], 1)


def noisy(num, seed):
    """A decoder whose noise is three times as wide as what is left: rows are smeared."""
    return bent(num, seed) + 0.15 * torch.randn(num, 4, generator=seeded(seed + 9))


def gaussian(num, seed):
    """Codes of a single Gaussian: the rows' mean and covariance, and nothing else."""
    rows = bent(20_000, 77)
    root = torch.linalg.cholesky(torch.cov(rows.T))
    return rows.mean(0) + torch.randn(num, 4, generator=seeded(seed)) @ root.T


def shuffled(num, seed):
    """Each column as it should be, and no relation between them."""
    rows = bent(num, seed)
    columns = [rows[torch.randperm(num, generator=seeded(seed + i)), i] for i in range(4)]
    return torch.stack(columns, 1)


def advantage(critic, own, bad):
    """Nats below 2 ln 2 on rows that it was not trained on: twice the divergence that it sees."""
    with torch.no_grad():
        real, fake = critic(own(bent(8000, 501))), critic(own(bad(8000, 601)))
    return 2 * math.log(2) - (F.softplus(-real).mean() + F.softplus(fake).mean()).item()


SLOW = [pytest.param(bad, marks=pytest.mark.slow) for bad in (noisy, gaussian)]


@pytest.mark.parametrize("bad", [shuffled, *SLOW])
def test_both_critics_see_half_of_what_a_stronger_fresh_one_sees(bad):
    """As the stage trains them, on a generator that stays bad, against one wider and longer."""
    c = config_of(reconstruction_critic=True, batch_size=256).decoder
    real, fake = bent(20_000, 1), bad(20_000, 101)
    own = decode.own_axes(c, real)
    critics = decode.build_critics(c, 4, seeded(5))
    adam = torch.optim.Adam(critics.parameters(), c.d_learning_rate, betas=(0.5, 0.99), fused=True)
    generator = seeded(6)

    for step in range(400):
        index = torch.randint(20_000, (3, 256), generator=generator)
        fakes = {"reconstructed": own(fake[index[0]]), "generated": own(fake[index[1]])}
        penalty = c.r1_weight if step % c.r1_every == 0 else 0.0
        loss = decode._critics_loss(c, critics, own(real[index[2]]), fakes, penalty, {})
        descend(adam, loss)

    strong = Critic(4, width=256, num_layers=3, normalisation="layer", pack=1, generator=seeded(7))
    adam = torch.optim.Adam(strong.parameters(), 1e-3, fused=True)
    for step in range(600):
        adam.param_groups[0]["lr"] = 1e-3 * min(1, 2 * (1 - step / 600))
        index = torch.randint(20_000, (2, 256), generator=generator)
        logits = strong(own(torch.cat([real[index[0]], fake[index[1]]]))).chunk(2)
        descend(adam, F.softplus(-logits[0]).mean() + F.softplus(logits[1]).mean())

    best = advantage(strong, own, bad)
    assert best > 0.2
    for critic in critics.values():
        assert advantage(critic, own, bad) > 0.5 * best


@pytest.mark.parametrize(
    ("num_samples", "max_passes", "rows", "expected"),
    [
        (1_024_000, 128, 1600, 204_800),
        (1_024_000, 128, 8000, 1_024_000),
        (1_024_000, None, 10, 1_024_000),
        (1_024_000, 128, 10, 51_200),  # a hundred steps
        (20_480, 128, 10, 20_480),
    ],
)
def test_few_rows_are_not_seen_again_and_again(num_samples, max_passes, rows, expected):
    c = DecoderSettings(num_samples=num_samples, max_passes=max_passes)
    bound = decode.within_passes(c, rows)
    assert bound.num_samples == expected
    assert bound == c.model_copy(update={"num_samples": expected})


def test_a_decoder_of_few_rows_is_trained_for_so_many_passes(inputs, monkeypatch):
    seen = []

    def told(state, step, c, **how):
        seen.append(c.num_samples)
        return []

    monkeypatch.setattr(decode, "train", told)
    config = config_of(num_samples=10_000, batch_size=4, max_passes=3)
    decode.decode(config, ("all",), inputs, Runtime())
    assert seen == [3 * 200]
