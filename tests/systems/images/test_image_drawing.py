"""What models of images draw, read and compare in, by networks of the tests' own."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from scgan.capabilities import choose
from scgan.config import override
from scgan.stages.images import measures
from scgan.systems import eigengan, infoscc_gan

NAMES, SIZE = ("red", "green", "blue"), 40


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_attributes_are_drawn_by_their_frequency_and_given_as_they_are(imaging, kind):
    model = imaging.model_of(kind)
    x, y = model.draw(1000, seeded(), chunk=300)
    assert [len(call[0]) for call in model.generator.calls] == [300, 300, 300, 100]
    eps, z, given, made = imaging.asked(model)
    assert torch.equal(given, y) and torch.equal(made, x)
    combinations = model.attributes.combinations
    shares = [float((y == row).all(1).double().mean()) for row in combinations]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.05)
    for latents in (eps, z):
        assert stats.kstest(latents.flatten().numpy(), "norm").pvalue > 1e-4
        assert len(latents.unique()) > 0.99 * latents.numel()


@pytest.mark.parametrize("a", range(3))
def test_an_attribute_is_asked_for_by_its_name(imaging, a):
    model = imaging.model_of()
    x = model.sample(5, seeded(), attribute=NAMES[a])
    _, _, given, made = imaging.asked(model)
    assert torch.equal(given, torch.eye(3)[[a] * 5]) and torch.equal(made, x)


def test_degrees_are_of_all_images_or_of_each(imaging):
    for degrees in (torch.tensor([0.1, 0.7, 0.2]), torch.rand(5, 3, generator=seeded(1))):
        model = imaging.model_of()
        x, y = model.draw(5, seeded(), attributes=degrees, chunk=2)
        _, _, given, made = imaging.asked(model)
        assert torch.equal(given, degrees.expand(5, 3)) and torch.equal(given, y)
        assert torch.equal(made, x)
    with pytest.raises(ValueError, match="not both"):
        model.sample(1, seeded(), attribute="red", attributes=degrees)


def test_what_can_be_chosen_is_named(imaging):
    one, degrees, coefficients = imaging.model_of().options
    assert (one.name, one.read("green")) == ("attribute", "green")
    assert degrees.name == "attributes"
    assert torch.equal(degrees.read("blue=0.5,red=1"), torch.tensor([1, 0, 0.5]))
    assert coefficients.names == ("1.1", "1.2", "2.1", "2.2")
    assert imaging.unconditional().options == (coefficients,)


@pytest.mark.parametrize("conditional", [True, False])
def test_coefficients_take_the_noises_place_and_all_else_is_drawn_as_before(imaging, conditional):
    drawn = []
    for given in ({}, {"coefficients": "2.1=1.5"}):
        model = imaging.model_of() if conditional else imaging.unconditional()
        x = model.sample(7, seeded(), chunk=3, **choose(model, given))
        calls = model.generator.calls
        assert torch.equal(torch.cat([call[3] for call in calls]), x)
        drawn.append([torch.cat([call[i] for call in calls]) for i in (0, 1)])

    most = int(model.generator.importances()[1].abs().argmax())
    (eps, z), (eps_too, moved) = drawn
    assert (moved[:, 1, most] == 1.5).all()
    moved[:, 1, most] = z[:, 1, most]
    assert torch.equal(moved, z) and torch.equal(eps, eps_too)


def test_the_unconditional_draws_as_many_as_are_asked_for(imaging):
    model = imaging.unconditional()
    x = model.sample(7, seeded(), chunk=3)
    assert [len(call[0]) for call in model.generator.calls] == [3, 3, 1]
    eps, z = (torch.cat([call[i] for call in model.generator.calls]) for i in (0, 1))
    assert torch.equal(torch.cat([call[3] for call in model.generator.calls]), x)
    assert len(eps.unique()) == eps.numel() and len(z.unique()) == z.numel()
    assert model.sample(0, seeded()).shape == (0, 1, 28, 28)
    model = imaging.unconditional()
    model.sample(1000, seeded())
    for i in (0, 1):
        drawn = torch.cat([call[i] for call in model.generator.calls]).flatten()
        assert stats.kstest(drawn.numpy(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("kind", ["one", "many"])
def test_attributes_are_read_by_two_networks(imaging, kind):
    model, x = imaging.model_of(kind), imaging.floats(imaging.data_of().test)
    by_encoder = imaging.decided(imaging.read_by_encoder(model, x), kind)
    by_judge = imaging.decided(imaging.read_by_judge(model, x), kind)
    assert torch.equal(model.read(x), by_encoder) and torch.equal(model.judged(x), by_judge)
    assert not torch.equal(by_encoder, by_judge) and len(by_encoder.unique()) > 1
    y = torch.tensor([[0, 1.0, 0], [1, 0, 0]])
    expected = torch.tensor([1, 0]) if kind == "one" else y.long()
    assert torch.equal(model.asked(y), expected)

    logits, degrees = imaging.read_by_encoder(model, x), model.degrees(imaging.data_of().test)
    assert_close(degrees, logits.softmax(1) if kind == "one" else logits.sigmoid())
    assert_close(model.degrees(x), degrees)


def test_real_images_have_the_nearest_centres_attribute_or_their_labels(imaging):
    model, test = imaging.model_of(centres=True), imaging.data_of().test
    labels = torch.zeros(SIZE, dtype=torch.long)
    with torch.no_grad():
        h = torch.nn.functional.normalize(model.encoder.backbone(imaging.floats(test)))
    nearest = (h[:, None] - model.attributes.centres).square().sum(2).argmin(1)
    assert torch.equal(model.attributes_of(test, labels), nearest)
    assert torch.equal(imaging.model_of().attributes_of(test, labels), labels)


def test_extractors_are_the_backbones_of_encoder_and_judge(imaging):
    model, x = imaging.model_of(), imaging.floats(imaging.data_of().test)
    assert list(model.extractors) == ["encoder", "judge"]
    assert_close(model.extractors["encoder"](x), model.encoder.backbone(x))
    assert_close(model.extractors["judge"](x), model.judge.backbone(x))
    for name, extractor in model.extractors.items():
        assert extractor.name == name
        assert extractor.num_features == extractor(x).shape[1]
        assert not extractor(x).requires_grad
    assert not model.encoder.training and not model.judge.training
    model = imaging.unconditional()
    assert_close(model.extractors["encoder"](x), model.encoder.backbone(x))


def test_networks_that_the_user_names_are_loaded(imaging, monkeypatch):
    monkeypatch.setattr(measures, "load_extractor", lambda spec: spec.upper())
    c = measures.EvaluationSettings(extractors=("a:1", "b:2"))
    assert measures.named_networks(c, torch.device("cpu")) == ["A:1", "B:2"]


def test_the_generator_never_meets_the_judge(imaging):
    stages = {stage.name: stage for stage in infoscc_gan.SYSTEM.stages(imaging.data_of())}
    assert set(stages["generate"].needs) == {"encode", "attributes"}
    assert set(stages["generate"].sections) == {"encoder", "attributes", "generator"}
    assert stages["judge"].needs == ("attributes",) and stages["judge"].sections == ("judge",)


@pytest.mark.parametrize("critic", ["global", "patch"])
def test_the_unconditional_takes_critics_that_look_at_images_alone(imaging, critic):
    c = override(eigengan.SYSTEM.presets["smoke"], {"generator.discriminator": critic})
    eigengan.SYSTEM.check(c, imaging.data_of())
