"""What is drawn, scheduled, averaged and stored in the generator's training."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from scgan.stages.images import generate
from scgan.training.runtime import Runtime

BATCH = 5


@pytest.mark.parametrize("kind", ["one", None])
def test_each_network_has_its_own_learning_rate_and_the_schedule(train_generator, kind):
    record = train_generator(
        kind, discriminator="global", learning_rate=3e-4, d_learning_rate=7e-4, schedule="linear"
    ).record
    for number, step in enumerate(record.steps):
        for network, rate in (("generator", 3e-4), ("discriminator", 7e-4)):
            for update in step.updates(network):
                assert update.options["lr"] == pytest.approx(rate * (1 - number / 4))
                assert update.options["betas"] == (0.5, 0.99)
                assert update.options["weight_decay"] == 0.0


@pytest.mark.parametrize("half_life", [1.5, 1e6])
def test_the_average_of_the_weights_is_stored(train_generator, half_life):
    """A half-life is at most a twentieth of what is seen; the first step's weights start it."""
    training = train_generator(ema_half_life=half_life, learning_rate=5e-2, num_samples=50)
    weights = [after["generator"] for after in training.record.after]
    average = weights[0]
    for number, current in enumerate(weights[1:], 1):
        keep = 0.5 ** (BATCH / min(half_life, 0.05 * number * BATCH))
        average = {name: keep * average[name] + (1 - keep) * current[name] for name in current}
    stored = training.artifact.section("generator")
    assert_close(stored, average, rtol=1e-4, atol=1e-6)
    last = weights[-1]
    assert any((stored[name] - last[name]).abs().max() > 1e-3 for name in last)


def test_the_stored_generator_is_taken_up_frozen(train_generator):
    training = train_generator()
    loaded = generate.load_generator(training.c, training.artifact)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert_close(dict(loaded.state_dict()), training.artifact.section("generator"))
    meta = training.artifact.meta
    assert (meta["channels"], meta["size"], meta["num_attributes"]) == (1, 28, 3)
    assert [point["samples"] for point in meta["curve"]] == [5, 10, 15, 20]


def test_the_networks_are_of_the_widths_that_are_set(train_generator):
    modules = train_generator(
        code_dim=3, noise_dim=5, noise_scale=9.0, width=6, d_width=16, max_width=40
    ).record.modules
    generator, critic = modules["generator"], modules["discriminator"]
    assert (generator.code_dim, generator.noise_shape) == (3, (2, 5))
    assert (generator.base[0], generator.output.in_channels) == (24, 6)
    assert critic.trunk.layers[0].out_channels == 16
    assert critic.trunk.layers[-1].in_features == 40
    assert critic.trunk.layers[-1].out_features == 3 + 1


def test_upsampling_the_mapper_and_spectral_normalisation_are_as_set(train_generator):
    settings = {"upsampling": "resize", "spectral": True, "balanced_mapper": False}
    modules = train_generator(code_dim=64, learning_rate=1e-9, **settings).record.modules
    assert isinstance(modules["generator"].blocks[0].up, torch.nn.Sequential)
    assert modules["generator"].mapper.attributes.weight.abs().max() < 1
    layer = modules["discriminator"].trunk.layers[0]
    assert torch.nn.utils.parametrize.is_parametrized(layer, "weight")
    plain = train_generator(code_dim=64).record.modules
    assert isinstance(plain["generator"].blocks[0].up, torch.nn.ConvTranspose2d)
    assert plain["generator"].mapper.attributes.weight.max() > 7


def test_importances_start_at_the_scale_that_is_set(train_generator):
    record = train_generator(noise_scale=9.0, learning_rate=1e-9).record
    for block in record.modules["generator"].blocks:
        assert_close(float(block.subspace.L.detach().max()), 9.0, rtol=1e-3, atol=0)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_attributes_are_drawn_by_their_frequency_apart_from_the_real_batch(
    world, train_generator, kind
):
    record = train_generator(kind, batch_size=100, num_samples=600, n=100, r1_weight=0.0).record
    asked = torch.cat([step.calls("generator")[-1].inputs[2] for step in record.steps])
    real = torch.cat([step.calls("discriminator")[0].inputs[1][:100] for step in record.steps])
    frequency = world.y[kind].mean(0)
    assert_close(asked.mean(0), frequency, rtol=0, atol=0.08)
    assert_close(real.mean(0), frequency, rtol=0, atol=0.08)
    # Of two independent draws, as many agree as chance has it.
    rows = torch.unique(world.y[kind], dim=0, return_counts=True)[1] / len(world.images)
    agree = (asked == real).all(1).double().mean().item()
    assert agree == pytest.approx(rows.square().sum().item(), abs=0.08)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_combinations_are_asked_for_alike_where_that_is_set(world, train_generator, kind):
    settings = {"batch_size": 100, "num_samples": 600, "n": 100, "r1_weight": 0.0}
    record = train_generator(kind, attribute_law="uniform", **settings).record
    asked = torch.cat([step.calls("generator")[-1].inputs[2] for step in record.steps])
    real = torch.cat([step.calls("discriminator")[0].inputs[1][:100] for step in record.steps])
    combinations = torch.unique(world.y[kind], dim=0)
    shares = [(asked == row).all(1).double().mean().item() for row in combinations]
    assert shares == pytest.approx([1 / len(combinations)] * len(combinations), abs=0.06)
    assert_close(real.mean(0), world.y[kind].mean(0), rtol=0, atol=0.08)
    first = record.steps[0].calls("generator")[0].inputs[2]  # towards the attributes: the real's
    assert_close(first, record.steps[0].calls("discriminator")[0].inputs[1][:100])


def test_the_weight_of_the_attributes_follows_its_schedule(train_generator):
    settings = {"n": 1, "learning_rate": 1e-9, "classification_weight": 2.0}
    whole, falling = (
        train_generator(classification_schedule=name, **settings).record
        for name in ("constant", "linear")
    )
    for number, pair in enumerate(zip(whole.steps, falling.steps, strict=True)):
        for name, gradient in pair[0].updates("generator")[0].gradients.items():
            found = pair[1].updates("generator")[0].gradients[name]
            assert_close(found, gradient * (1 - number / 4), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_samples_are_made_no_surer_than_real_images_where_that_is_set(world, train_generator, kind):
    from scgan.losses.classification import limited_attribute_loss

    record = train_generator(kind, certainty="as_real", n=1).record
    allowed = torch.tensor([[0.3, 0.9, 1.2], [0.8, 0.2, 0.5]])
    for step, losses in zip(record.steps, record.losses, strict=True):
        call = step.calls("generator")[0]
        with torch.no_grad():
            h = world.encoder.backbone(call.output)
            logits = h @ world.linear["classifier.weight"].T + world.linear["classifier.bias"]
        limits = allowed[0] if kind == "one" else allowed
        expected = limited_attribute_loss(logits, call.inputs[2], kind, limits)
        assert_close(losses["classification"], expected.item(), rtol=1e-4, atol=1e-6)


def test_features_are_scored_in_full_precision_whatever_networks_are_trained_in(train_generator):
    first, other = (
        train_generator("one", n=1, energy_weight=1.0, precision=precision).record.losses[0]
        for precision in ("fp32", "bf16")
    )
    assert first["energy"] != other["energy"] == pytest.approx(first["energy"], rel=0.05)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_two_samples_of_each_real_images_attributes_are_scored_by_features_where_that_is_set(
    world, train_generator, kind
):
    from scgan.losses.classification import attribute_loss
    from scgan.losses.energy import energy_score

    settings = {"n": 1, "learning_rate": 1e-9, "classification_weight": 2.0}
    training = train_generator(kind, energy_weight=3.0, **settings)
    backbone, linear = world.encoder.backbone, world.linear
    for step, losses in zip(training.record.steps, training.record.losses, strict=True):
        call, update = step.calls("generator")[0], step.updates("generator")[0]
        x, y = (t[:BATCH] for t in step.calls("discriminator")[-2].inputs)
        assert torch.equal(call.inputs[2], torch.cat([y, y])) and len(call.output) == 2 * BATCH
        assert len(call.inputs[0].unique(dim=0)) == 2 * BATCH

        twin = training.record.twin("generator", update.weights)
        h = backbone(twin(*call.inputs))
        logits = h @ linear["classifier.weight"].T + linear["classifier.bias"]
        classification = attribute_loss(logits, call.inputs[2], kind)
        energy = energy_score(h[:BATCH], h[BATCH:], backbone(x)).mean()
        (2.0 * classification + 3.0 * energy).backward()
        assert_close(losses["classification"], classification.item(), rtol=1e-4, atol=1e-6)
        assert_close(losses["energy"], energy.item(), rtol=1e-4, atol=1e-6)
        for name, gradient in training.record.gradients(twin).items():
            assert_close(update.gradients[name], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["one", None])
def test_latents_are_normal_and_new_at_every_call(train_generator, kind):
    settings = {"batch_size": 60, "num_samples": 180, "n": 1} if kind else {"batch_size": 60}
    record = train_generator(kind, discriminator="global", **settings).record
    for which in (0, 1):
        drawn = torch.cat([call.inputs[which] for call in record.calls("generator")]).flatten()
        assert stats.kstest(drawn.numpy(), "norm").pvalue > 1e-4
        assert len(drawn.unique()) > 0.999 * len(drawn)


def test_real_images_are_drawn_evenly(world, train_generator):
    record = train_generator(batch_size=100, num_samples=600, r1_weight=0.0).record
    shown = [step.calls("discriminator")[0].inputs[0][:100] for step in record.steps]
    assert not torch.equal(shown[0], shown[1])
    rows = (torch.cat(shown)[:, None] - world.x).abs().amax((2, 3, 4)).argmin(1)
    assert stats.chisquare(rows.bincount(minlength=24).numpy()).pvalue > 1e-4


def test_another_seed_draws_other_weights_images_and_latents(train_generator):
    """The weights all but stay as they were drawn."""
    rates = {"learning_rate": 1e-9, "d_learning_rate": 1e-9}
    first, again, other = (train_generator(seed=seed, **rates).record for seed in (0, 0, 1))
    for network in ("generator", "discriminator"):
        before = [record.updates(network)[0].weights[network] for record in (first, again, other)]
        for name, weight in before[0].items():
            assert torch.equal(weight, before[1][name])
            drawn = weight.ndim > 1 and name != "mapper.attributes.weight"
            assert not drawn or not torch.equal(weight, before[2][name])
        call, same, others = (record.calls(network)[0].inputs for record in (first, again, other))
        assert torch.equal(call[0], same[0]) and not torch.equal(call[0], others[0])


class Worker(Runtime):
    """One of two that would train together, without the other."""

    def parallel(self, module):
        return module

    def mean(self, value):
        return value


def test_workers_take_each_their_half_of_a_batch(train_generator):
    settings = {"batch_size": 6, "num_samples": 6, "diff_augment": ("cutout",)}
    settings["augment_probability"] = 1.0
    runs = [train_generator(runtime=Worker(rank=rank, world_size=2), **settings) for rank in (0, 1)]
    whole = train_generator(**settings).record.steps[0]
    halves = [training.record.steps[0] for training in runs]
    # Before the first updates the networks are alike.
    first, joined = whole.calls("generator")[0], [h.calls("generator")[0] for h in halves]
    for i in range(3):
        assert_close(torch.cat([call.inputs[i] for call in joined]), first.inputs[i])
    first, joined = whole.calls("discriminator")[0], [h.calls("discriminator")[0] for h in halves]
    for i in range(2):
        assert_close(torch.cat([call.inputs[i] for call in joined]), first.inputs[i])


def test_the_unconditional_generator_is_asked_for_nothing(train_generator):
    training = train_generator(None, r1_every=2)
    assert training.artifact.meta["num_attributes"] == 0
    for step, losses in zip(training.record.steps, training.record.losses, strict=True):
        assert "classification" not in losses
        assert len(step.updates("generator")) == 1
        assert all(call.inputs[2].shape == (BATCH, 0) for call in step.calls("generator"))
