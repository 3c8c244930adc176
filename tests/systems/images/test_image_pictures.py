"""What the figures of images show: which images, with which attributes, under which names."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from scgan.figures import by_attribute
from scgan.figures import images as pictures
from scgan.nn.eigengan import TRAVERSED
from scgan.systems import eigengan, infoscc_gan

NAMES, SIZE = ("red", "green", "blue"), 40


@pytest.fixture
def drawn(monkeypatch):
    """Figures by what they are given."""
    for name in ("by_attribute", "attribute_traversal", "traversals", "tsne", "grid", "nearest"):
        monkeypatch.setattr(pictures, name, lambda *given, name=name: (name, given))

    def draw(system, model, data):
        figures = system.figures(model, data, 3)
        start, found = 0, {}
        for caption, (name, given) in figures:
            calls = model.generator.calls
            found[name] = (caption, given, calls[start:])
            start = len(calls)
        return found

    return draw


@pytest.mark.parametrize("kind", ["one", "many"])
def test_samples_of_an_attribute_stand_beside_real_images_that_have_it(imaging, drawn, kind):
    model, data = imaging.model_of(kind), imaging.data_of(kind)
    caption, (fake, real), calls = drawn(infoscc_gan.SYSTEM, model, data)["by_attribute"]
    assert caption.startswith("Samples by attribute.") and list(fake) == list(real) == list(NAMES)
    labels, test = torch.from_numpy(data.test_labels), imaging.floats(data.test)
    for a, (name, call) in enumerate(zip(NAMES, calls, strict=True)):
        eps, _, y, made = call
        assert len(eps) == 8 and (y[:, a] == 1).all() and torch.equal(fake[name], made)
        has = labels == a if kind == "one" else labels[:, a] == 1
        assert_close(real[name], test[has][:8])


def test_held_out_images_have_the_clusters_attribute(imaging, drawn):
    model, data = imaging.model_of(centres=True), imaging.data_of()
    found = drawn(infoscc_gan.SYSTEM, model, data)
    y, test = model.attributes_of(data.test, None), imaging.floats(data.test)
    for a, name in enumerate(NAMES):
        assert_close(found["by_attribute"][1][1][name], test[y == a][:8])
    assert torch.equal(found["tsne"][1][1], y)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_degrees_bring_an_attribute_in_with_all_else_fixed(imaging, drawn, kind):
    model, data = imaging.model_of(kind), imaging.data_of(kind)
    _, given, calls = drawn(infoscc_gan.SYSTEM, model, data)["attribute_traversal"]
    strips, names, degrees = given
    assert names == NAMES and degrees == (0.0, 0.25, 0.5, 0.75, 1.0)
    first = calls[0]
    for a, (eps, z, y, made) in enumerate(calls):
        assert torch.equal(eps, first[0][:1].expand(5, -1))
        assert torch.equal(z, first[1][:1].expand(5, -1, -1))
        for row, degree in zip(y, degrees, strict=True):
            expected = torch.zeros(3)
            if kind == "one":
                expected[a - 1] = 1 - degree  # as the one before goes
            expected[a] = degree
            assert_close(row, expected)
        assert torch.equal(strips[a], made)
    assert len(strips) == len(calls) == 3


@pytest.mark.parametrize("kind", ["one", "many"])
def test_subspaces_are_traversed_of_an_image_with_a_samples_attributes(imaging, drawn, kind):
    model, data = imaging.model_of(kind), imaging.data_of(kind)
    _, (strips, values, labels), calls = drawn(infoscc_gan.SYSTEM, model, data)["traversals"]
    assert [len(texts) for texts in labels] == [2, 2]
    assert values == TRAVERSED and [strip.shape[:2] for strip in strips] == [(2, 9), (2, 9)]
    samples, moved = [call for call in calls if len(call[0]) > 9], calls[-4:]
    wanted = torch.cat([call[2] for call in samples])
    assert len(wanted) == 2000
    for call, strip in zip(moved, torch.cat(strips), strict=True):
        assert torch.equal(call[2], wanted[:1].expand(9, -1)) and torch.equal(call[3], strip)


def test_features_of_held_out_images_and_samples_are_embedded_together(imaging, drawn):
    model, data = imaging.model_of(), imaging.data_of()
    found = drawn(infoscc_gan.SYSTEM, model, data)
    h, y, h_fake, y_fake, names, seed = found["tsne"][1]
    samples = [call for call in found["traversals"][2] if len(call[0]) > 9]
    made, wanted = (torch.cat([call[i] for call in samples])[:1000] for i in (3, 2))
    with torch.no_grad():
        assert_close(h, model.encoder.backbone(imaging.floats(data.test)), rtol=1e-4, atol=1e-4)
        assert_close(h_fake, model.encoder.backbone(made), rtol=1e-4, atol=1e-4)
    assert torch.equal(y, torch.from_numpy(data.test_labels))
    assert torch.equal(y_fake, wanted.argmax(1)) and (names, seed) == (NAMES, 3)


def test_many_attributes_an_image_are_not_embedded(imaging, drawn):
    model, data = imaging.model_of("many"), imaging.data_of("many")
    assert set(drawn(infoscc_gan.SYSTEM, model, data)) == {
        "by_attribute",
        "attribute_traversal",
        "traversals",
        "nearest",
        "grid",
    }


def test_the_unconditionals_samples_and_subspaces_are_drawn(imaging, drawn):
    model, data = imaging.unconditional(), imaging.data_of()
    found = drawn(eigengan.SYSTEM, model, data)
    assert list(found) == ["grid", "tsne", "nearest", "traversals"]
    made = torch.cat([call[3] for call in found["grid"][2]])
    shown = found["grid"][1][0]
    assert_close(shown, torch.cat([imaging.floats(data.test)[:36], made[:36]]))
    _, (strips, values), calls = found["traversals"]
    assert values == TRAVERSED
    for call, strip in zip(calls, torch.cat(strips), strict=True):
        assert torch.equal(call[3], strip)


def test_the_samples_nearest_to_training_images_stand_beside_these(imaging, drawn):
    model, data = imaging.unconditional(), imaging.data_of()
    caption, (samples, training), _ = drawn(eigengan.SYSTEM, model, data)["nearest"]
    made = torch.cat([call[3] for call in model.generator.calls if len(call[0]) > 9])
    train = imaging.floats(data.train)
    h, h_made = model.encoder.backbone(train), model.encoder.backbone(made)
    distances = (h_made[:, None] - h).square().sum(2).sqrt()
    rows = distances.min(1).values.argsort()[:6]
    assert_close(samples, made[rows])
    for row, found in zip(rows, training, strict=True):
        assert_close(found, train[distances[row].argsort()[:6]])

    held_out = model.encoder.backbone(imaging.floats(data.test))
    beside = (held_out[:, None] - h).square().sum(2).sqrt().min(1).values.median()
    medians = (
        f"{distances.min(1).values.median():.3g} from its nearest, a held-out image {beside:.3g}"
    )
    assert medians in caption


def test_a_dimension_is_named_by_what_it_changes():
    random = torch.Generator().manual_seed(1)
    z = torch.randn(500, 2, 2, generator=random)
    degrees = torch.randn(500, 3, generator=random)
    degrees[:, 1] -= 3 * z[:, 0, 1]
    degrees[:, 2] += 2 * z[:, 1, 0]
    importances = [torch.tensor([1.0, -2.0]), torch.tensor([3.0, 1.0])]
    found = by_attribute.subspace_names(z, degrees, importances, NAMES)
    r = [
        float(torch.corrcoef(torch.stack(pair))[0, 1])
        for pair in ((z[:, 0, 1], degrees[:, 1]), (z[:, 1, 0], degrees[:, 2]))
    ]
    assert found == [[f"green {r[0]:+.2f}", ""], [f"blue {r[1]:+.2f}", ""]]


@pytest.mark.parametrize("kind", ["one", "many"])
def test_failures_are_the_samples_in_which_the_judge_sees_least(imaging, drawn, kind):
    model, data = imaging.model_of(kind), imaging.data_of(kind)
    _, (made, labels), calls = drawn(infoscc_gan.SYSTEM, model, data)["grid"]
    assert len(made) == 3 * 8 and [len(call[0]) for call in calls] == [64] * 3
    for a, (name, call) in enumerate(zip(NAMES, calls, strict=True)):
        assert (call[2][:, a] == 1).all()
        logits = model.judge.classify(call[3])
        seen = logits.softmax(1)[:, a] if kind == "one" else logits[:, a]
        assert_close(made[8 * a : 8 * a + 8], call[3][seen.argsort()[:8]])
        missed = logits.argmax(1) != a if kind == "one" else logits[:, a] <= 0
        assert labels[a] == f"{name} {float(missed.float().mean()):.0%}"
