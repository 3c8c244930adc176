"""The adversarial training, an image and an attribute at a time, for every critic and loss."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch.testing import assert_close

from scgan.losses.adversarial import PAIRS
from scgan.nn.discriminators import DiscriminatorName

STEPS, BATCH = 4, 5
NETWORKS = ("generator", "discriminator")
D_LOSS = {
    "non_saturating": lambda r, f: -torch.sigmoid(r).log() - torch.sigmoid(-f).log(),
    "hinge": lambda r, f: (1 - r).clamp_min(0) + (1 + f).clamp_min(0),
    "hinge_clipped": lambda r, f: (1 - r).clamp_min(0) + (1 + f).clamp_min(0),
    "least_squares": lambda r, f: (r - 1) * (r - 1) + f * f,
    "quartic": lambda r, f: (r - 1) ** 4 + f**4,
}
G_LOSS = {
    "non_saturating": lambda f: -torch.sigmoid(f).log(),
    "hinge": lambda f: -f,
    "hinge_clipped": lambda f: (1 - f).clamp_min(0),
    "least_squares": lambda f: (f - 1) * (f - 1),
    "quartic": lambda f: (f - 1) ** 4,
}


def logits_of(name, critic, image, has):
    """D(x | y) of one image by the paper's words: its attributes' logits, or the image's alone."""
    image = image[None]
    if name in ("global", "patch"):
        return critic.layers(image).flatten()
    if name == "projection":
        *projections, psi = critic.trunk(image)[0]
        return psi[None] + sum(projections[a] for a in range(len(has)) if has[a] == 1)
    present = [a for a in range(len(has)) if has[a] == 1] or [len(has)]
    if name == "multiclass":
        logits = [critic.trunk(image)[0, a] for a in present]
    else:
        logits = [critic.members[a](image)[0, 0] for a in present]
    return torch.stack(logits).mean()[None]


def rows_of(world, x):
    """Numbers of the images that these are."""
    same = (x[:, None] - world.x).abs().amax((2, 3, 4)) < 1e-6
    assert same.any(1).all(), "not a training image"
    return same.long().argmax(1)


def attribute_loss(training, fake, y):
    """Eq. (5): an image at a time, by the encoder's features h as they are."""
    logits = training.world.encoder.backbone(fake) @ training.world.linear["classifier.weight"].T
    logits = logits + training.world.linear["classifier.bias"]
    total = 0.0
    for row, has in zip(logits, y, strict=True):
        if training.kind == "one":
            total = total - row.softmax(0)[has.bool()].log().sum()
        else:
            p = torch.sigmoid(row)
            total = total - (has * p.log() + (1 - has) * (1 - p).log()).mean()
    return total / len(y)


def check_update(record, update, loss):
    """The update went down the gradient of ``loss(networks as they were)``."""
    twins = {name: record.twin(name, update.weights) for name in NETWORKS}
    value = loss(**twins)
    value.backward()
    found, expected = update.gradients, record.gradients(twins[update.network])
    scale = max(float(t.abs().max()) for t in expected.values())
    assert scale > 0 and not update.options["maximize"]
    for name, gradient in expected.items():
        assert_close(found[name], gradient, rtol=1e-3, atol=1e-4 * scale, msg=name)
    return float(value.detach())


def check_steps(training):
    """Every update of the training against equations, images and attributes of the test's own."""
    c, record = training.c, training.record
    assert len(record.steps) == STEPS
    for number, (step, losses) in enumerate(zip(record.steps, record.losses, strict=True)):
        held, penalised = number % c.n == 0, c.r1_weight > 0 and number % c.r1_every == 0
        assert [len(step.updates(name)) for name in NETWORKS] == [1 + held, 1 + penalised]
        assert [len(step.calls(name)) for name in NETWORKS] == [1 + held, 2 + penalised]
        now_and_then = [name for name, due in (("classification", held), ("r1", penalised)) if due]
        assert set(losses) == {"d_loss", "g_loss", "orthogonality", *now_and_then}

        rows = check_inputs(training, step)
        if held:
            check_classification(training, step, losses, rows)
        if penalised:
            check_penalty(training, step, losses, rows)
        check_discriminator(training, step, losses, rows)
        check_generator(training, step, losses)


def check_inputs(training, step):
    """Real images with their own attributes, generated ones with those that were asked for."""
    y_all, fake = training.world.y[training.kind], step.calls("generator")[-1]
    judged, deceived = step.calls("discriminator")[-2:]
    x, y = judged.inputs
    rows = rows_of(training.world, x[:BATCH])
    assert_close(y[:BATCH], y_all[rows])
    assert_close(x[BATCH:], fake.output)
    assert_close(y[BATCH:], fake.inputs[2])
    assert_close(deceived.inputs[0], fake.output)
    assert_close(deceived.inputs[1], fake.inputs[2])
    return rows


def check_classification(training, step, losses, rows):
    call, weight = step.calls("generator")[0], training.c.classification_weight
    assert_close(call.inputs[2], training.world.y[training.kind][rows])

    def loss(generator, discriminator):
        return weight * attribute_loss(training, generator(*call.inputs), call.inputs[2])

    value = check_update(training.record, step.updates("generator")[0], loss)
    assert_close(losses["classification"], value / weight, rtol=1e-4, atol=0)


def check_penalty(training, step, losses, rows):
    """R1 of the real images alone, each under its own attributes."""
    c, world = training.c, training.world
    own, own_y = step.calls("discriminator")[0].inputs
    y = world.y[training.kind][rows]
    assert torch.equal(rows_of(world, own), rows) and torch.equal(own_y, y)

    def loss(generator, discriminator):
        total = 0.0
        for row, has in zip(rows.tolist(), y, strict=True):
            image = world.x[row].clone().requires_grad_()
            logits = logits_of(c.discriminator, discriminator, image, has).sum()
            slope = torch.autograd.grad(logits, image, create_graph=True)[0]
            total = total + (slope * slope).sum()
        return c.r1_weight * total / BATCH

    value = check_update(training.record, step.updates("discriminator")[0], loss)
    assert_close(losses["r1"], value / c.r1_weight, rtol=1e-4, atol=1e-8)


def check_discriminator(training, step, losses, rows):
    c, world, fake = training.c, training.world, step.calls("generator")[-1]
    y = world.y[training.kind]

    def loss(generator, discriminator):
        total = 0.0
        for row, made, has in zip(rows.tolist(), fake.output, fake.inputs[2], strict=True):
            real_logit = logits_of(c.discriminator, discriminator, world.x[row], y[row])
            fake_logit = logits_of(c.discriminator, discriminator, made, has)
            total = total + D_LOSS[c.adversarial](real_logit, fake_logit).mean()
        return total / BATCH

    value = check_update(training.record, step.updates("discriminator")[-1], loss)
    assert_close(losses["d_loss"], value, rtol=1e-4, atol=1e-5)


def check_generator(training, step, losses):
    """Eq. (7), by the discriminator as it is after its step."""
    c, fake, terms = training.c, step.calls("generator")[-1], {}

    def loss(generator, discriminator):
        g_loss = 0.0
        for made, has in zip(generator(*fake.inputs), fake.inputs[2], strict=True):
            logits = logits_of(c.discriminator, discriminator, made, has)
            g_loss = g_loss + G_LOSS[c.adversarial](logits).mean() / BATCH
        apart = sum(not_orthonormal(block.subspace.U) for block in generator.blocks)
        terms["g_loss"], terms["orthogonality"] = float(g_loss.detach()), float(apart.detach())
        return g_loss + c.orthogonality_weight * apart

    check_update(training.record, step.updates("generator")[-1], loss)
    assert_close({name: losses[name] for name in terms}, terms, rtol=1e-4, atol=1e-5)


def not_orthonormal(U):
    total = 0.0
    for i in range(len(U)):
        for j in range(len(U)):
            total = total + (U[i] @ U[j] - float(i == j)) ** 2
    return total


@pytest.mark.parametrize("adversarial", PAIRS)
@pytest.mark.parametrize("critic", get_args(DiscriminatorName))
def test_every_update_is_the_papers(train_generator, critic, adversarial):
    """Eq. (5) every other step, R1 every third, Eqs. (8) to (13) at each, for one attribute."""
    check_steps(train_generator(discriminator=critic, adversarial=adversarial))


@pytest.mark.parametrize("critic", ["attributes", "multiclass", "projection"])
def test_images_have_none_one_or_many_attributes(train_generator, critic):
    check_steps(train_generator("many", discriminator=critic, orthogonality_weight=0.3))


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 1, "classification_weight": 0.5},
        {"n": 3, "r1_every": 1, "r1_weight": 0.7},
        {"r1_weight": 0.0, "orthogonality_weight": 7.0},
    ],
)
def test_weights_and_periods_are_the_settings(train_generator, changes):
    check_steps(train_generator(**changes))
