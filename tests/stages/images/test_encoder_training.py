"""The contrastive encoder's training: its views, batches, loss and updates, and what is stored."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.contract import Inputs
from scgan.stages.images import encode
from scgan.stages.images.encode import ImageEncoderSettings
from scgan.training.runtime import Runtime

STEPS, BATCH = 3, 4


class Seen(torch.nn.Module):
    """Views that are noise by their seed upon what is given, and a list of all that was."""

    made: list[Seen] = []

    def __init__(self, name, size):
        super().__init__()
        self.name, self.size, self.calls = name, size, []
        self.made.append(self)

    def forward(self, x, seed):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed % 2**40))
        self.calls.append((x.clone(), seed, x + noise / 3))
        return self.calls[-1][2]


@pytest.fixture
def train_encoder(world, recorded, monkeypatch):
    def run(*, images=None, seed=0, runtime=None, **changes):
        monkeypatch.setattr(encode, "Views", Seen)
        sizes = {"batch_size": BATCH, "num_samples": STEPS * BATCH, "projection_dim": 5}
        c = ImageEncoderSettings(**{**sizes, **changes})
        data = SimpleNamespace(train=world.images if images is None else images)
        inputs = Inputs(data, {}, seed)
        config = SimpleNamespace(encoder=c)
        artifact, record = recorded(encode, encode.encode_images, config, inputs, runtime)
        return SimpleNamespace(c=c, artifact=artifact, record=record, views=Seen.made[-1])

    return run


def information(u, temperature):
    """Eq. (1) by its words: each view's share among all others, with its image's other view's."""
    num, total = len(u) // 2, 0.0
    for i in range(2 * num):
        cosines = [u[i] @ u[j] / (u[i].norm() * u[j].norm()) for j in range(2 * num)]
        scores = [torch.exp(cosine / temperature) for cosine in cosines]
        others = sum(score for j, score in enumerate(scores) if j != i)
        total = total - torch.log(scores[(i + num) % (2 * num)] / others)
    return total / (2 * num)


@pytest.mark.parametrize("temperature", [0.2, 1.5])
def test_every_update_goes_down_equation_1(train_encoder, temperature):
    training = train_encoder(temperature=temperature)
    assert len(training.record.steps) == STEPS
    for step, losses in zip(training.record.steps, training.record.losses, strict=True):
        (call,), (update,) = step.calls("encoder"), step.updates("encoder")
        twin = training.record.twin("encoder", update.weights)
        loss = information(twin(call.inputs[0]), temperature)
        loss.backward()
        assert_close(losses, {"nt_xent": loss.item()}, rtol=1e-4, atol=0)
        expected = training.record.gradients(twin)
        assert_close(update.gradients, expected, rtol=1e-3, atol=1e-5)
        assert call.training and not update.options["maximize"]


def distance(a, b):
    """Squared, between directions."""
    return sum((a / a.norm() - b / b.norm()) ** 2)


def test_every_update_of_byol_goes_down_its_equation_2_and_the_target_follows(train_encoder):
    training = train_encoder(contrastive="byol", target_momentum=0.6)
    record, before = training.record, None
    for number, (step, losses) in enumerate(zip(record.steps, record.losses, strict=True)):
        (call,), (update,) = step.calls("encoder"), step.updates("encoder")
        online, target = (record.twin(name, update.weights) for name in ("encoder", "target"))
        q, t = online(call.inputs[0]), target(call.inputs[0]).detach()
        pairs = [(i, (i + BATCH) % (2 * BATCH)) for i in range(2 * BATCH)]
        loss = sum(distance(q[i], t[j]) for i, j in pairs) / BATCH
        loss.backward()
        assert_close(losses, {"byol": loss.item()}, rtol=1e-4, atol=0)
        assert_close(update.gradients, record.gradients(online), rtol=1e-3, atol=1e-5)

        keep = 1 - 0.4 * (math.cos(math.pi * number / STEPS) + 1) / 2
        if before is None:
            before = dict(target.named_parameters())
        for name, weight in record.after[number]["target"].items():
            if name in before:
                followed = record.after[number]["encoder"][f"0.{name}"]
                assert_close(weight, keep * before[name] + (1 - keep) * followed)
                before[name] = weight


def test_byols_target_starts_as_the_encoder_and_alone_is_stored_without_its_predictor(
    train_encoder, world
):
    training = train_encoder(contrastive="byol", num_samples=BATCH, learning_rate=1e-9)
    after = training.record.after[0]
    stored = training.artifact.section("encoder")
    assert set(stored) == set(after["target"])
    for name, weight in stored.items():
        assert_close(weight, after["encoder"][f"0.{name}"])
        assert_close(weight, after["target"][name], rtol=1e-4, atol=1e-6)
    assert encode.load_image_encoder(training.c, training.artifact)(world.x).shape == (24, 5)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_every_update_of_barlow_twins_goes_down_its_equation_1(train_encoder, weight):
    training = train_encoder(contrastive="barlow_twins", redundancy_weight=weight, batch_size=6)
    for step, losses in zip(training.record.steps, training.record.losses, strict=True):
        (call,), (update,) = step.calls("encoder"), step.updates("encoder")
        twin = training.record.twin("encoder", update.weights)
        u = twin(call.inputs[0])
        a, b = (half - half.mean(0) for half in (u[:6], u[6:]))
        loss = torch.zeros(())
        for i in range(5):
            for j in range(5):
                c = a[:, i] @ b[:, j] / (a[:, i].norm() * b[:, j].norm())
                loss = loss + ((1 - c) ** 2 if i == j else weight * c**2)
        loss.backward()
        assert_close(losses, {"barlow_twins": loss.item()}, rtol=1e-4, atol=0)
        expected = training.record.gradients(twin)
        assert_close(update.gradients, expected, rtol=1e-2, atol=1e-4)


def test_a_worker_correlates_the_views_of_all_workers(train_encoder):
    from scgan.losses.contrastive import barlow_twins

    worker = Worker(rank=1, world_size=2)
    step = train_encoder(contrastive="barlow_twins", num_samples=4, runtime=worker).record
    u0, u1 = step.steps[0].calls("encoder")[0].output.chunk(2)
    joined = (worker.gather(u) for u in (u0, u1))
    expected = barlow_twins(*joined, 5e-3).item()
    assert_close(step.losses[0]["barlow_twins"], expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("contrastive", ["simclr", "byol", "barlow_twins"])
def test_a_killed_training_of_the_encoder_goes_on_bit_for_bit(world, contrastive):
    from scgan.stages.images.encode import encode_images

    class Kept:
        state = None

        def load(self):
            return self.state

        def save(self, state):
            self.state = state

    c = ImageEncoderSettings(contrastive=contrastive, batch_size=4, num_samples=16)
    inputs, config = Inputs(SimpleNamespace(train=world.images), {}, 0), SimpleNamespace(encoder=c)
    whole = encode_images(config, ("all",), inputs, Runtime())
    kept = Kept()
    encode_images(config, ("all",), inputs, Runtime(checkpoints=kept, until=8))
    resumed = encode_images(config, ("all",), inputs, Runtime(checkpoints=kept))
    for name, tensor in whole.tensors.items():
        assert torch.equal(tensor, resumed.tensors[name]), name


def test_two_views_of_each_image_are_compared(world, train_encoder):
    """Both halves of a batch are the same images as floats; the network sees their views."""
    training, seeds = train_encoder(), set()
    for step, (x, seed, shown) in zip(training.record.steps, training.views.calls, strict=True):
        assert x.shape == (2 * BATCH, 1, 28, 28) and torch.equal(x[:BATCH], x[BATCH:])
        assert ((x[:, None] - world.x).abs().amax((2, 3, 4)).amin(1) < 1e-6).all()
        (call,) = step.calls("encoder")
        assert_close(call.inputs[0], shown)
        seeds.add(seed)
    assert len(seeds) == STEPS


def test_images_are_drawn_anew_and_evenly(world, train_encoder):
    views = train_encoder(batch_size=60, num_samples=300).views
    x = torch.cat([x[:60] for x, *_ in views.calls])
    counts = (x[:, None] - world.x).abs().amax((2, 3, 4)).argmin(1).bincount(minlength=24)
    assert counts.sum() == 300 and counts.min() >= 3 and counts.max() <= 28
    assert not torch.equal(views.calls[0][0], views.calls[1][0])


@pytest.mark.parametrize(
    ("channels", "views", "expected"),
    [
        (1, "auto", "affine"),
        (3, "auto", "simclr"),
        (3, "affine", "affine"),
        (3, "simclr", "simclr"),
        (1, "affine", "affine"),
    ],
)
def test_the_views_suit_the_images_unless_they_are_named(train_encoder, channels, views, expected):
    images = torch.randint(256, (9, channels, 32, 32), dtype=torch.uint8)
    training = train_encoder(images=images, views=views, num_samples=4)
    assert (training.views.name, training.views.size) == (expected, 32)
    assert (training.artifact.meta["channels"], training.artifact.meta["size"]) == (channels, 32)


def test_adam_has_the_rate_the_decay_and_the_schedule_that_are_set(train_encoder):
    settings = {"learning_rate": 2e-3, "weight_decay": 0.03, "schedule": "cosine"}
    updates = train_encoder(**settings).record.updates("encoder")
    for number, update in enumerate(updates):
        rate = 2e-3 * (1 + math.cos(math.pi * number / STEPS)) / 2
        assert update.options["lr"] == pytest.approx(rate)
        assert update.options["weight_decay"] == 0.03 and update.options["betas"] == (0.9, 0.999)


def test_the_last_weights_are_stored_and_taken_up_frozen(world, train_encoder):
    training = train_encoder()
    stored = training.artifact.section("encoder")
    assert_close(stored, training.record.after[-1]["encoder"])
    loaded = encode.load_image_encoder(training.c, training.artifact)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    assert_close(dict(loaded.state_dict()), stored)
    assert loaded(world.x).shape == (24, 5)


def test_another_seed_draws_other_weights_and_other_images(train_encoder):
    """The weights all but stay as they were drawn."""
    first, again, other = (train_encoder(seed=seed, learning_rate=1e-9) for seed in (0, 0, 1))
    for name, weight in first.artifact.tensors.items():
        if name.endswith("weight") and weight.ndim > 1:
            assert_close(weight, again.artifact.tensors[name])
            assert (weight - other.artifact.tensors[name]).abs().max() > 1e-2
    x, same, others = (training.views.calls[0][0] for training in (first, again, other))
    assert torch.equal(x, same) and not torch.equal(x, others)


class Worker(Runtime):
    """One of two that would train together; the other's projections are zeros and ones."""

    def parallel(self, module):
        return module

    def mean(self, value):
        return value

    def gather(self, rows):
        others = [torch.eye(len(rows), rows.shape[1]), rows]
        return torch.cat(others if self.rank else others[::-1])


@pytest.mark.parametrize("rank", [0, 1])
def test_a_worker_takes_its_half_and_has_the_others_views_as_negatives(train_encoder, rank):
    whole = train_encoder(num_samples=4).views.calls[0]
    training = train_encoder(num_samples=4, runtime=Worker(rank=rank, world_size=2))
    (x, seed, _), (step,) = training.views.calls[0], training.record.steps
    assert torch.equal(x[:2], whole[0][2 * rank : 2 * rank + 2])
    assert seed == whole[1] + rank
    u = step.calls("encoder")[0].output
    others, total = torch.eye(2, 5), 0.0
    for i in range(4):
        candidates = [u[j] for j in range(4) if j != i] + [*others, *others]
        scores = [torch.exp(torch.cosine_similarity(u[i], v, 0) / 0.5) for v in candidates]
        positive = torch.exp(torch.cosine_similarity(u[i], u[(i + 2) % 4], 0) / 0.5)
        total = total - torch.log(positive / sum(scores)) / 4
    assert_close(training.record.losses[0]["nt_xent"], total.item(), rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({"backbone": "small"}, (3, 64), "small, for 28 and 32 pixels, but the images have 64"),
        ({"views": "simclr"}, (1, 28), "which jitters colours, but the images are grey"),
    ],
    ids=["small backbone", "colours of grey images"],
)
def test_what_the_images_cannot_bear_is_refused(settings, shape, message):
    channels, size = shape
    data = SimpleNamespace(train=torch.zeros(2, channels, size, size, dtype=torch.uint8))
    with pytest.raises(ValueError, match=message):
        encode.check_encoder(ImageEncoderSettings(**settings), data)


def test_what_they_can_bear_is_not():
    for name, channels, size in (("small", 1, 32), ("resnet18", 3, 64)):
        data = SimpleNamespace(train=torch.zeros(2, channels, size, size, dtype=torch.uint8))
        encode.check_encoder(ImageEncoderSettings(backbone=name), data)
    data = SimpleNamespace(train=torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    encode.check_encoder(ImageEncoderSettings(views="simclr"), data)
