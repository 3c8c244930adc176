"""MMGAN's own: Algorithm 1 by hand, what each network is fed, its clusters, what it refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from scgan.capabilities import Clustering, SoftClustering, cluster_table
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.losses.mmgan import Game, Judged, critic_loss, generator_loss
from scgan.nn.dcgan import Sizes, build_reader
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages import mixture_gan
from scgan.stages.mixture_gan import MixtureTraining, Networks
from scgan.systems.mmgan import SYSTEM, build_mixture_generator, num_clusters_of
from scgan.training.runtime import Runtime
from tests.training.test_loop import Memory

CPU, ALONE = torch.device("cpu"), Runtime()
KINDS = {"table": DataConfig(source="ring", num_train=500, num_test=500)}
KINDS |= {"images": DataConfig(source="digits")}
SMALL = {
    "gan.batch_size": 8,
    "gan.num_clusters": 3,
    "gan.width": 16,
    "gan.image_width": 8,
    "gan.code_dim": 4,
    "gan.schedule": "constant",
    "gan.sigma": 0.5,
    "gan.alpha": 0.7,
    "gan.r1_every": 3,
    "gan.r1_weight": 0.05,
    "gan.ema_half_life": 2,
    "gan.sigma_floor": 0.5,
    "gan.start": "noise",
}


def dataset(data):
    return prepare(Spec("mmgan", data, SYSTEM.presets["smoke"]))


def settings(**changes):
    return override(SYSTEM.presets["default"], {**SMALL, **changes})


def fitted(data, config, **where):
    (stage,) = SYSTEM.stages(data)
    return stage.fit(stage.view(config), ("all",), Inputs(data, {}, 0), Runtime(**where))


def networks_of(c, shape, weights):
    g = build_mixture_generator(c, c.num_clusters, shape, weights)
    sizes = Sizes(c.width, c.num_layers, c.image_width)
    d = build_reader(shape, 1, sizes, weights)
    return g, build_reader(shape, c.num_clusters, sizes, weights), d


def descend(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def averaged(average, network, keep):
    now = {key: w.detach().clone() for key, w in network.state_dict().items()}
    if average is None:
        return now
    learned = {key for key, _ in network.named_parameters()}
    return {k: keep * average[k] + (1 - keep) * w if k in learned else w for k, w in now.items()}


def by_hand(c, data, steps):
    """Algorithm 1, a line at a time: the averages of G and E, and the losses of each step."""
    inputs, game = Inputs(data, {}, 0), Game(c.num_clusters, c.critic, c.batches, c.divisor)
    g, e, critic = networks_of(c, data.train.shape[1:], inputs.generator("gan", "weights"))
    rows, noise = inputs.generator("gan", "batches"), inputs.generator("gan", "noise")
    both = [*g.parameters(), *e.parameters()]
    adam = torch.optim.Adam(both, c.learning_rate, betas=(0.5, 0.99))
    d_adam = torch.optim.Adam(critic.parameters(), c.d_learning_rate, betas=(0.5, 0.99))
    averages, losses = (None, None), []

    for number in range(steps):
        x = data.train[torch.randint(len(data.train), (c.batch_size,), generator=rows)]
        x = x.float() / 127.5 - 1 if data.kind == "images" else x
        z, z_prior = torch.randn(2, c.batch_size, c.code_dim, generator=noise)
        k_prior = torch.randint(c.num_clusters, (c.batch_size,), generator=noise)

        p = e(x).softmax(1)
        k = p.argmax(1)
        y = F.one_hot(k, c.num_clusters).float()
        y = y + p - p.detach() if c.straight_through else y
        y_prior = F.one_hot(k_prior, c.num_clusters).float()
        made = g(torch.cat([y, y_prior]), torch.cat([z, z_prior]))  # normalised over both
        paired, prior = made.chunk(2)

        x.requires_grad_()
        judged = [critic(part)[:, 0] for part in (x, paired.detach(), prior.detach())]
        d_loss = critic_loss(Judged(judged[0], k, *judged[1:], k_prior), game)
        total = d_loss
        if number % c.r1_every == 0:
            (slope,) = torch.autograd.grad(judged[0].sum(), x, create_graph=True)
            total = total + c.r1_weight * c.r1_every * slope.flatten(1).square().sum(1).mean()
        descend(d_adam, total)

        judged = [critic(part)[:, 0] for part in (x.detach(), paired, prior)]
        found = Judged(judged[0], k, *judged[1:], k_prior)
        loss = generator_loss(found, e(prior), game, alpha=c.alpha)
        descend(adam, loss.total)
        with torch.no_grad():
            g.latent.sigma.clamp_(min=c.sigma_floor)

        half_life = min(c.ema_half_life, 0.05 * number * c.batch_size)
        keep = 0.5 ** (c.batch_size / half_life) if number else 0.0
        averages = tuple(averaged(a, n, keep) for a, n in zip(averages, (g, e), strict=True))
        losses.append((d_loss.item(), loss.g_loss.item(), loss.cross_entropy.item()))

    return averages, losses


def test_weights_and_start_are_as_usual_for_rows_or_for_images():
    usual = mixture_gan.MixtureSettings()
    found = mixture_gan.choices_of(usual, (5,)), mixture_gan.choices_of(usual, (1, 28, 28))
    assert found == ((1.0, 0.005, "noise"), (0.3, 3.0, "views"))
    given = mixture_gan.MixtureSettings(r1_weight=0.0, start="noise")
    assert mixture_gan.choices_of(given, (1, 28, 28)) == (0.3, 0, "noise")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("table", {"gan.critic": "crasgan"}),
        ("table", {"gan.critic": "sgan", "gan.batches": "prior"}),
        ("table", {"gan.critic": "rsgan", "gan.batches": "paired"}),
        ("table", {"gan.critic": "crasgan", "gan.straight_through": False, "gan.divisor": "batch"}),
        ("images", {}),
    ],
)
def test_a_training_is_algorithm_1_by_hand(kind, changes):
    data, steps = dataset(KINDS[kind]), {"table": 30, "images": 12}[kind]
    config = settings(**{"gan.num_samples": 8 * steps, "gan.learning_rate": 3e-4, **changes})
    artifact = fitted(data, config)
    averages, losses = by_hand(config.gan, data, steps)
    for name, average in zip(("generator", "encoder"), averages, strict=True):
        made = artifact.section(name)
        assert made.keys() == average.keys()
        assert all(torch.allclose(made[key], average[key], atol=3e-4) for key in made)

    curve = artifact.meta["curve"]
    for i, name in enumerate(("d_loss", "g_loss", "cross_entropy")):
        expected = [step[i] for step in losses]
        assert [point[name] for point in curve] == pytest.approx(expected, abs=3e-3)


def training(data, runtime=ALONE, start=0, **changes):
    c = settings(**changes).gan
    inputs = Inputs(data, {}, 0)
    weights = inputs.generator("gan", "weights")
    g, e, critic = networks_of(c, data.train.shape[1:], weights)
    return MixtureTraining(c, Networks(g, e, critic), inputs, runtime, start)


@pytest.fixture
def fed(monkeypatch):
    """What the two losses were given in one step."""
    calls = {}

    def told(name):
        loss = getattr(mixture_gan, name)

        def called(*args, **how):
            calls[name] = (args, how)
            return loss(*args, **how)

        monkeypatch.setattr(mixture_gan, name, called)

    told("critic_loss")
    told("generator_loss")
    return calls


def test_the_losses_are_fed_each_batch_with_its_clusters(fed):
    """Real rows with E's clusters, samples of those clusters, and samples of drawn ones."""
    data = dataset(KINDS["table"])
    made = training(data)
    seen = []
    made.generate.register_forward_hook(lambda _, given, out: seen.append((*given, out)))
    before = {key: w.clone() for key, w in made.critic.state_dict().items()}
    scores_of = []
    made.encoder.register_forward_hook(lambda _, given, out: scores_of.append((given[0], out)))
    made.step(0)

    ((judged, game), _) = fed["critic_loss"]
    ((y, z, fake),) = seen
    (x, scores), (again, prior_scores) = scores_of
    assert z.shape == (16, 4) and not torch.equal(z[:8], z[8:])
    assert torch.equal(judged.k, scores.argmax(1)) and torch.equal(y[:8].argmax(1), judged.k)
    assert torch.equal(y[8:].argmax(1), judged.k_prior) and torch.equal(again, fake[8:])

    made.critic.load_state_dict(before)
    with torch.no_grad():
        logits = made.critic(torch.cat([x, fake]))[:, 0]
    given = torch.cat([judged.real, judged.paired, judged.prior])
    assert torch.allclose(given, logits, atol=1e-6)
    assert game == Game(3, "rsgan", "both", "cluster")

    ((judged, scores, same), how) = fed["generator_loss"]
    assert same == game and how == {"alpha": 0.7} and torch.equal(scores, prior_scores)
    assert not torch.allclose(judged.real, given[:8])  # after the critic's step


@dataclass(frozen=True)
class Worker(Runtime):
    """One of two workers, whose neighbour has the same share."""

    world_size: int = 2

    def parallel(self, module):
        return module

    def gather(self, rows):
        return torch.cat([rows, rows])


def test_workers_compare_each_other_s_samples(fed):
    """A cluster's mean is over the batch of all workers: every logit is gathered."""
    data = dataset(KINDS["table"])
    made = training(data, Worker())
    made.step(0)
    ((judged, _), _) = fed["critic_loss"]
    assert [len(part) for part in judged] == [8] * 5
    assert all(torch.equal(*part.chunk(2)) for part in judged)
    ((judged, scores, _), _) = fed["generator_loss"]
    assert [len(part) for part in judged] == [8] * 5 and len(scores) == 8

    alone = training(data)
    alone.step(0)
    whole = fed["critic_loss"][0][0]
    assert torch.equal(whole.k_prior[:4], judged.k_prior[:4])


@pytest.mark.parametrize("straight_through", [True, False])
def test_the_adversarial_loss_reaches_the_encoder_if_it_is_to(straight_through):
    data = dataset(KINDS["table"])
    made = training(data, **{"gan.alpha": 0.0, "gan.straight_through": straight_through})
    made.step(0)
    moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in made.encoder.parameters()]
    assert all(moved) if straight_through else not any(moved)


def test_deviations_stay_above_the_floor():
    data = dataset(KINDS["table"])
    made = training(data, **{"gan.learning_rate": 0.05})
    for _ in range(5):
        made.step(0)
        assert made.generator.latent.sigma.min() >= 0.5


def test_the_penalty_comes_every_few_steps_with_its_weight():
    data = dataset(KINDS["table"])
    made = training(data, **{"gan.r1_every": 3, "gan.r1_weight": 0.0})
    assert "r1" not in made.step(0)
    made = training(data)
    had = []
    for number in range(7):
        had.append("r1" in made.step(number))
    assert had == [True, False, False, True, False, False, True]


def test_of_several_starts_the_one_that_tells_most_is_kept(monkeypatch):
    data = dataset(KINDS["table"])
    told = []

    def information(p):
        told.append(p)
        return [0.1, 0.9, 0.5][len(told) - 1]

    config = settings(**{"gan.num_samples": 80, "gan.num_starts": 3})
    first = fitted(data, settings(**{"gan.num_samples": 80}))
    monkeypatch.setattr(mixture_gan, "cluster_information", information)
    artifact = fitted(data, config)
    assert artifact.meta["start"] == 1 and artifact.meta["information"] == [0.1, 0.9, 0.5]
    kept = SYSTEM.model(config, {"gan": artifact}, CPU)
    assert torch.allclose(kept.probabilities(data.train), told[1])
    assert torch.equal(kept.counts, told[1].argmax(1).bincount(minlength=3))

    # The first start is what it is alone; the others draw rows and noise of their own.
    alone = SYSTEM.model(config, {"gan": first}, CPU)
    assert torch.equal(alone.probabilities(data.train), told[0])
    assert not torch.allclose(told[0], told[1]) and not torch.allclose(told[1], told[2])
    made = [training(data, start=start)._draw() for start in (0, 1)]
    assert not any(torch.equal(a, b) for a, b in zip(*made, strict=True))


def test_starts_side_by_side_are_taken_up_where_they_were():
    data = dataset(KINDS["table"])
    config = settings(**{"gan.num_samples": 160, "gan.num_starts": 2})
    whole, kept = fitted(data, config), Memory()
    for until in (80, None):
        artifact = fitted(data, config, checkpoints=kept, until=until)
    assert all(torch.equal(artifact.tensors[key], whole.tensors[key]) for key in whole.tensors)
    assert artifact.meta["information"] == whole.meta["information"]


def labelled(data, labels):
    return replace(data, train_labels=labels)


def test_clusters_are_as_many_as_classes_unless_told():
    data, c = dataset(KINDS["table"]), settings().gan
    assert num_clusters_of(c, data) == 3
    free = settings(**{"gan.num_clusters": None}).gan
    assert num_clusters_of(free, data) == 8
    assert num_clusters_of(free, labelled(data, None)) == 10
    assert num_clusters_of(free, labelled(data, np.arange(500) / 7)) == 10  # no classes
    assert num_clusters_of(free, labelled(data, np.array(["a", "b"] * 250))) == 2
    assert num_clusters_of(free, labelled(data, np.zeros(500))) == 10
    assert num_clusters_of(free, labelled(data, np.tile([0, 1], (500, 1)))) == 10


def model_of(data, **changes):
    config = settings(**{"gan.num_samples": 64, **changes})
    artifact = fitted(data, config)
    return SYSTEM.model(config, {"gan": artifact}, CPU), artifact


@pytest.mark.parametrize("kind", KINDS)
def test_its_clusters_are_the_encoders(kind):
    data = dataset(KINDS[kind])
    model, artifact = model_of(data)
    assert isinstance(model, Clustering) and isinstance(model, SoftClustering)
    x = data.test[:50]
    p = model.probabilities(x)
    floats = x.float() / 127.5 - 1 if kind == "images" else x
    assert torch.allclose(p, model.encoder(floats).softmax(1))
    assert torch.equal(model.assign(x), p.argmax(1))
    assert torch.equal(model.counts, model.assign(data.train).bincount(minlength=3))

    table = cluster_table(model)
    assert table["rows"] == model.counts.tolist() and sum(table["rows"]) == len(data.train)
    assert table["weight"] == pytest.approx([1 / 3] * 3)
    assert table["latent deviation"] == artifact.tensors["generator.latent.sigma"].tolist()


def test_samples_are_of_the_cluster_that_was_asked_for():
    data = dataset(KINDS["table"])
    model, _ = model_of(data)
    codes, k = model.codes(3000, torch.Generator().manual_seed(0))
    drawn = model.sample(3000, torch.Generator().manual_seed(0), chunk=700)
    assert torch.allclose(drawn, model.generator.core(codes), atol=1e-6)
    assert (k.bincount(minlength=3) / 3000 - 1 / 3).abs().max() < 0.04
    for cluster in range(3):
        mine = codes[k == cluster]
        assert torch.allclose(mine.mean(0), model.latent.mu[cluster], atol=0.08)
        assert mine.std(0).mean().item() == pytest.approx(
            float(model.latent.sigma[cluster]), rel=0.06
        )

    codes, k = model.codes(20, torch.Generator().manual_seed(0), 2)
    drawn = model.sample(20, torch.Generator().manual_seed(0), cluster=2)
    assert k.eq(2).all() and torch.allclose(drawn, model.generator.core(codes), atol=1e-6)
    (option,) = model.options
    assert (option.name, option.below) == ("cluster", 3)
    assert model.sample(0, torch.Generator()).shape == (0, 2)


def test_the_latent_mixture_is_drawn():
    data = dataset(KINDS["table"])
    model, _ = model_of(data)
    *_, (caption, figure) = SYSTEM.figures(model, data, 0)
    assert (
        caption.startswith("Latent mixture. ") and figure.axes[0].get_title("left") == "3 clusters"
    )


def test_the_posterior_of_a_code_is_the_mixture_with_the_encoders_weights():
    data = dataset(KINDS["table"])
    model, _ = model_of(data)
    x, z = data.test[:4], torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    found, p = model.posterior_log_prob(z, x), model.probabilities(x)
    for row in range(4):
        total = 0.0
        for k in range(3):
            sigma = model.latent.sigma[k].item()
            squared = (z[row] - model.latent.mu[k]).square().sum().item()
            density = math.exp(-squared / (2 * sigma**2)) / (2 * math.pi * sigma**2) ** 2
            total += p[row, k].item() * density
        assert found[row].item() == pytest.approx(math.log(total), abs=1e-4)


def test_a_small_cube_is_refused_and_streams_are_not_taken():
    data = dataset(KINDS["table"])
    SYSTEM.check(settings(**{"gan.num_clusters": 16}), data)
    with pytest.raises(ValueError, match="gan.code_dim is 4, whose cube has 16 vertices .* 5$"):
        SYSTEM.check(settings(**{"gan.num_clusters": 17}), data)
    with pytest.raises(ValueError, match="ring is a table and only images have views; .* noise$"):
        SYSTEM.check(settings(**{"gan.start": "views"}), data)
    assert SYSTEM.stages(replace(data, stream=object())) == ()
    names = {"sliced_wasserstein", "energy_distance", "c2st_error", "cluster_uncertainty"}
    assert set(SYSTEM.objectives(data)) == names
