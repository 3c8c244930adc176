"""The attributes, the classifier of features, and the judge: what they are fitted on and to."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from scgan.contract import Inputs
from scgan.stages.images import attributes as stage
from scgan.stages.images import judge as judge_stage
from scgan.stages.images.attributes import Attributes, AttributeSettings, load_attributes
from scgan.stages.images.judge import JudgeSettings, load_judge
from scgan.store.artifacts import Artifact

NAMES = ("red", "green", "blue")


@pytest.fixture
def fit_attributes(world, recorded):
    def run(kind="one", *, seed=0, **changes):
        sizes = {"batch_size": 6, "num_samples": 18, "num_clusters": 4}
        c = AttributeSettings(**{**sizes, **changes})
        config, given = SimpleNamespace(encoder=world.settings, attributes=c), world.inputs(kind)
        inputs = Inputs(given.data, {"encode": given.artifacts["encode"]}, seed)
        artifact, record = recorded(stage, stage.attributes, config, inputs)
        return SimpleNamespace(c=c, artifact=artifact, record=record)

    return run


@pytest.fixture
def fit_judge(world, recorded):
    def run(kind="one", *, seed=0, **changes):
        c = JudgeSettings(**{"batch_size": 6, "num_samples": 18, **changes})
        given = world.inputs(kind)
        inputs = Inputs(given.data, {"attributes": given.artifacts["attributes"]}, seed)
        config = SimpleNamespace(judge=c)
        artifact, record = recorded(judge_stage, judge_stage.judge, config, inputs)
        return SimpleNamespace(c=c, artifact=artifact, record=record)

    return run


def features(world):
    with torch.no_grad():
        h = world.encoder.backbone(world.x)
        return h, world.encoder.projector(h)


def cross_entropy(logits, y, kind):
    """Eq. (3), an image at a time."""
    total = 0.0
    for row, has in zip(logits, y, strict=True):
        if kind == "one":
            total = total - (row - row.logsumexp(0))[has.bool()].sum()
        else:
            p = torch.sigmoid(row)
            total = total - (has * p.log() + (1 - has) * (1 - p).log()).mean()
    return total / len(y)


def rows_of(x, known):
    same = (x[:, None] - known).flatten(2).abs().amax(2) < 1e-5
    assert same.any(1).all(), "not one of the training images'"
    return same.long().argmax(1)


def check_updates(record, network, known, y, kind, forward):
    """Each went down the cross-entropy of the attributes of the images that were shown."""
    for step, losses in zip(record.steps, record.losses, strict=True):
        (update,) = step.updates(network)
        twin = record.twin(network, update.weights)
        x = step.calls(network)[0].inputs[0]
        loss = cross_entropy(forward(twin, x), y[rows_of(x, known)], kind)
        loss.backward()
        assert_close(losses, {"classification": loss.item()}, rtol=1e-4, atol=1e-6)
        assert_close(update.gradients, record.gradients(twin), rtol=1e-3, atol=1e-5)
        assert not update.options["maximize"]


@pytest.mark.parametrize("kind", ["one", "many"])
def test_the_classifier_reads_labels_off_features_as_they_are(world, fit_attributes, kind):
    fitted, (h, _) = fit_attributes(kind, source="external"), features(world)
    check_updates(
        fitted.record, "classifier", h, world.y[kind], kind, lambda twin, rows: twin(rows)
    )
    found = load_attributes(fitted.artifact)
    assert (found.kind, found.names, found.centres) == (kind, NAMES, None)
    assert torch.equal(found.y, world.labels[kind])
    assert torch.equal(found.rows(found.y), world.y[kind])


@pytest.mark.parametrize("kind", ["one", "many"])
def test_combinations_are_counted(world, fit_attributes, kind):
    found = load_attributes(fit_attributes(kind, source="external").artifact)
    counted = Counter(tuple(row) for row in world.y[kind].int().tolist())
    stored = zip(found.combinations.int().tolist(), found.counts.tolist(), strict=True)
    assert {tuple(row): number for row, number in stored} == counted


@pytest.mark.parametrize("kind", ["one", "many"])
def test_agreement_is_of_the_trained_classifier_on_all_images(world, fit_attributes, kind):
    fitted, (h, _) = fit_attributes(kind, source="external", num_samples=3000), features(world)
    found = load_attributes(fitted.artifact)
    logits, right = found.classifier(h), 0.0
    for row, has in zip(logits, world.y[kind], strict=True):
        read = row == row.max() if kind == "one" else row > 0
        right += float(has[read].sum() if kind == "one" else (read == has.bool()).float().mean())
    assert fitted.artifact.meta["agreement"] == pytest.approx(right / 24, abs=1e-6)
    assert 0.5 < right / 24
    assert not found.classifier.training and not found.classifier.weight.requires_grad
    assert_close(dict(found.classifier.state_dict()), fitted.record.after[-1]["classifier"])


@pytest.mark.parametrize("space", ["features", "projections", "raw_features"])
def test_clusters_lie_in_the_space_that_is_set(world, fit_attributes, space):
    """K-means' fixed point: centres are their members' means, members nearest to their centre."""

    def place(h, u):
        rows = u if space == "projections" else h
        lengths = 1 if space == "raw_features" else rows.square().sum(1, keepdim=True).sqrt()
        return rows / lengths

    fitted, (h, u) = fit_attributes(space=space), features(world)
    found, rows = load_attributes(fitted.artifact), place(h, u)
    assert (found.kind, found.space, len(found.centres)) == ("one", space, len(found.names))
    assert found.names == tuple(f"cluster {k}" for k in range(len(found.names)))
    for k, centre in enumerate(found.centres):
        assert_close(centre, rows[found.y == k].mean(0), rtol=1e-4, atol=1e-5)
    far = (rows[:, None] - found.centres).square().sum(2)
    assert torch.equal(found.y, far.argmin(1))
    y = torch.eye(len(found.names))[found.y]
    check_updates(fitted.record, "classifier", h, y, "one", lambda twin, x: twin(x))
    # Those of other images, too, are by the nearest centre there.
    x = world.more(40, 7).float() / 127.5 - 1
    with torch.no_grad():
        h = world.encoder.backbone(x)
        u = world.encoder.projector(h)
    expected = (place(h, u)[:, None] - found.centres).square().sum(2).argmin(1)
    assert torch.equal(found.of_images(h, u, torch.zeros(40)), expected)


def test_other_images_have_their_labels_where_those_are_the_attributes(fit_attributes):
    found = load_attributes(fit_attributes(source="external").artifact)
    labels = torch.tensor([2, 0, 1])
    assert torch.equal(found.of_images(torch.randn(3, 128), torch.randn(3, 8), labels), labels)


def test_k_means_has_the_settings(fit_attributes, monkeypatch):
    asked, fit = [], stage.fit_clusters

    def spying(*args, **options):
        asked.append((*args[1:], options))
        return fit(*args, **options)

    monkeypatch.setattr(stage, "fit_clusters", spying)
    for seed in (0, 1):
        fit_attributes(seed=seed, num_clusters=3, num_starts=2, max_iter=17, mini_batch_above=99)
    (num, first), (_, second) = asked
    assert num == 3 and first.pop("seed") != second.pop("seed")
    assert first == {"min_rows": 2, "max_iter": 17, "mini_batch_above": 99, "num_starts": 2}


@pytest.mark.parametrize("fit", ["fit_attributes", "fit_judge"])
def test_adam_has_the_rate_and_the_schedule_that_are_set(request, fit):
    settings = {"learning_rate": 2e-3, "schedule": "cosine"}
    decay = {"weight_decay": 0.03} if fit == "fit_attributes" else {}
    record = request.getfixturevalue(fit)(**settings, **decay).record
    for number, step in enumerate(record.steps):
        (update,) = [event for event in step if hasattr(event, "options")]
        rate = 2e-3 * (1 + math.cos(math.pi * number / 3)) / 2
        assert update.options["lr"] == pytest.approx(rate)
        assert update.options["weight_decay"] == decay.get("weight_decay", 0.0)


@pytest.mark.parametrize(
    ("fit", "network", "weight"),
    [
        ("fit_attributes", "classifier", "classifier.weight"),
        ("fit_judge", "judge", "judge.head.weight"),
    ],
    ids=["classifier", "judge"],
)
def test_another_seed_draws_other_weights_and_other_images(request, fit, network, weight):
    """The weights all but stay as they were drawn."""
    run = request.getfixturevalue(fit)
    first, again, other = (run(seed=seed, learning_rate=1e-9) for seed in (0, 0, 1))
    w, same, others = (fitted.artifact.tensors[weight] for fitted in (first, again, other))
    assert torch.equal(w, same) and (w - others).abs().max() > 1e-2
    x, same, others = (
        fitted.record.calls(network)[0].inputs[0] for fitted in (first, again, other)
    )
    assert torch.equal(x, same) and not torch.equal(x, others)


@pytest.mark.parametrize("kind", ["one", "many"])
def test_the_judge_learns_the_attributes_of_real_images(world, fit_judge, kind):
    """From the images alone, by a network of its own."""
    record = fit_judge(kind).record
    assert all(call.training for call in record.calls("judge"))

    def forward(twin, x):
        return twin.head(twin.backbone(x))

    check_updates(record, "judge", world.x, world.y[kind], kind, forward)


def test_the_judge_is_stored_and_taken_up_frozen(world, fit_judge):
    fitted = fit_judge()
    loaded = load_judge(fitted.artifact)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    stored = fitted.artifact.section("judge")
    assert_close(dict(loaded.state_dict()), stored)
    assert_close(stored, fitted.record.after[-1]["judge"])
    h = loaded(world.x)
    assert h.shape == (24, loaded.num_features)
    assert_close(loaded.classify(world.x), loaded.logits(h))
    assert_close(loaded.logits(h), h @ loaded.head.weight.T + loaded.head.bias)


@pytest.mark.parametrize("fit", ["fit_attributes", "fit_judge"])
def test_images_are_drawn_evenly(world, request, fit):
    sizes = {"batch_size": 60, "num_samples": 300}
    steps = request.getfixturevalue(fit)(**sizes).record.steps
    network, known = "judge", world.x
    if fit == "fit_attributes":
        network, known = "classifier", features(world)[0]
    shown = [step.calls(network)[0].inputs[0] for step in steps]
    counts = rows_of(torch.cat(shown), known).bincount(minlength=24)
    assert counts.sum() == 300 and counts.min() >= 3 and counts.max() <= 28
    assert not torch.equal(shown[0], shown[1])


COMBINATIONS = torch.tensor([[1, 0, 0], [0, 1, 1], [1, 1, 0]], dtype=torch.uint8)


def attributes(counts):
    tensors = {
        "y": torch.zeros(1),
        "combinations": COMBINATIONS,
        "counts": torch.tensor(counts),
        "classifier.weight": torch.zeros(3, 2),
        "classifier.bias": torch.zeros(3),
        "real_loss": torch.zeros(2, 3),
    }
    meta = {"kind": "many", "names": list(NAMES), "space": "features"}
    return load_attributes(Artifact(tensors, meta))


@pytest.mark.parametrize(
    ("attribute", "shares"),
    [
        (None, [0.1, 0.7, 0.2]),
        ("red", [1 / 3, 0, 2 / 3]),
        ("green", [0, 7 / 9, 2 / 9]),
        ("blue", [0, 1, 0]),
    ],
)
def test_attributes_are_sampled_by_their_frequency(attribute, shares):
    found: Attributes = attributes([10, 70, 20])
    drawn = found.sample(20_000, torch.Generator().manual_seed(0), attribute)
    assert drawn.shape == (20_000, 3) and drawn.dtype == torch.float32
    seen = [float((drawn == row).all(1).double().mean()) for row in COMBINATIONS]
    assert seen == pytest.approx(shares, abs=0.015)


@pytest.mark.parametrize(
    ("attribute", "shares"), [(None, [1 / 3, 1 / 3, 1 / 3]), ("red", [1 / 2, 0, 1 / 2])]
)
def test_combinations_are_drawn_alike_where_that_is_wanted(attribute, shares):
    random = torch.Generator().manual_seed(0)
    drawn = attributes([10, 70, 20]).sample(20_000, random, attribute, "uniform")
    seen = [float((drawn == row).all(1).double().mean()) for row in COMBINATIONS]
    assert seen == pytest.approx(shares, abs=0.015)


def test_an_attribute_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="unknown attribute 'rd'; did you mean 'red'"):
        attributes([1, 1, 1]).sample(1, torch.Generator(), "rd")
