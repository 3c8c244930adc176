"""What models of images are scored by: figures of the tests' own for what the generator made."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score
from torch.testing import assert_close

from scgan.capabilities import Clustering, SoftClustering, cluster_table
from scgan.config import override
from scgan.metrics import image_scores
from scgan.metrics.images import Chamfer
from scgan.systems import eigengan, infoscc_gan

SIZE = 40


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fid(a, b):
    """With the trace of the root of the product by the singular values of centred rows."""
    a, b = a.double(), b.double()
    p, q = ((t - t.mean(0)) / math.sqrt(len(t) - 1) for t in (a, b))
    root = torch.linalg.svdvals(p @ q.T).sum()
    return float(
        (a.mean(0) - b.mean(0)).square().sum() + p.square().sum() + q.square().sum() - 2 * root
    )


def kid(a, b):
    def kernel(s, t):
        return (s.double() @ t.double().T / s.shape[1] + 1) ** 3

    num = len(a)
    within = sum(kernel(t, t).fill_diagonal_(0).sum() / (num * (num - 1)) for t in (a, b))
    return float(within - 2 * kernel(a, b).mean())


def inception_score(logits):
    p = logits.double().softmax(1)
    return float((p * (p / p.mean(0)).log()).sum(1).mean().exp())


def diversity(x, members):
    means = []
    for member in members:
        rows = x[member].flatten(1).double()
        pairs = list(itertools.combinations(range(len(rows)), 2))
        if pairs:
            means.append(
                np.mean([float((rows[i] - rows[j]).square().mean().sqrt()) for i, j in pairs])
            )
    return np.mean(means)


def members(y):
    return [y == k for k in y.unique()] if y.ndim == 1 else list(y.bool().T)


@pytest.fixture
def compared(monkeypatch):
    """Instead of t-SNE: which features are compared."""
    calls = []

    def stub(real, fake, seed, num):
        calls.append((real, fake))
        return Chamfer(len(calls), 10 * len(calls), 20)

    monkeypatch.setattr(image_scores, "chamfer_tsne", stub)
    return calls


def evaluated(model, data, system=infoscc_gan.SYSTEM):
    """The scores, and the images of which they are."""
    scores = dict(system.evaluate(model, data, 3))
    first = model.generator.calls
    fake = torch.cat([call[3] for call in first])
    assert len(fake) == SIZE, "as many as there are real ones, once"
    return scores, fake, first[0][2]


def same_rows(found, expected):
    """The same rows in any order."""
    ordered = (t[t.double().sum(1).argsort()].float() for t in (found, expected))
    assert_close(*ordered, rtol=1e-4, atol=1e-5)


def check(score, value, floor):
    assert score.value == pytest.approx(value, rel=2e-3, abs=1e-6)
    if floor is None:
        assert score.floor is None
    else:
        assert score.floor == pytest.approx(floor, rel=2e-3, abs=1e-6)


def test_distances_are_of_generated_to_real_images_and_their_floors_of_real_to_held_out(
    imaging, compared
):
    model, data = imaging.model_of(), imaging.data_of()
    scores, fake, _ = evaluated(model, data)
    train, test = imaging.floats(data.train), imaging.floats(data.test)
    for name in ("encoder", "judge"):
        backbone = getattr(model, name).backbone
        with torch.no_grad():
            made, real, others = backbone(fake), backbone(train), backbone(test)
        check(scores[f"fid_{name}_40"], fid(real, made), fid(real, others))
        check(scores[f"kid_{name}_40"], kid(real, made), kid(real, others))
    check(
        scores["is_judge_40"],
        inception_score(imaging.read_by_judge(model, fake)),
        inception_score(imaging.read_by_judge(model, train)),
    )
    backbone = model.encoder.backbone
    (real, made), (also_real, others) = compared
    with torch.no_grad():
        same_rows(real, backbone(train))
        same_rows(also_real, backbone(train))
        same_rows(made, backbone(fake))
        same_rows(others, backbone(test))
    assert (scores["chamfer_sum_encoder_20"].value, scores["chamfer_sum_encoder_20"].floor) == (
        1,
        2,
    )
    assert not any("chamfer" in name and "judge" in name for name in scores)
    assert "is_encoder_40" not in scores


def recalls(found, y):
    """Of each attribute: how many of those that should have it are found to."""
    one_hot = [torch.nn.functional.one_hot(t, 3) if t.ndim == 1 else t for t in (found, y)]
    return [float(one_hot[0][one_hot[1][:, a] > 0][:, a].double().mean()) for a in range(3)]


def overall(found, y):
    if y.ndim == 1:
        return float((found == y).double().mean())
    return float((found * y).sum() / y.sum())


@pytest.mark.parametrize("kind", ["one", "many"])
def test_control_is_of_what_was_asked_for_and_diversity_within_it(imaging, compared, kind):
    model, data = imaging.model_of(kind), imaging.data_of(kind)
    scores, fake, y = evaluated(model, data)
    wanted = y.argmax(1) if kind == "one" else y.long()
    labels = torch.from_numpy(data.test_labels)
    reads = {
        "control_accuracy": imaging.read_by_encoder,
        "judge_control_accuracy": imaging.read_by_judge,
    }
    for name, logits in (
        ("control_accuracy", imaging.read_by_encoder(model, fake)),
        ("judge_control_accuracy", imaging.read_by_judge(model, fake)),
    ):
        real = reads[name](model, imaging.floats(data.test))
        made, true = (imaging.decided(found, kind) for found in (logits, real))
        shares, ceilings = recalls(made, wanted), recalls(true, labels)
        worst = min(range(3), key=lambda a: shares[a])
        check(scores[name], overall(made, wanted), overall(true, labels))
        check(scores[f"{name}_worst"], shares[worst], ceilings[worst])
        by = name.removesuffix("accuracy")
        for a, colour in enumerate(("red", "green", "blue")):
            check(scores[f"{by}of_{colour}"], shares[a], ceilings[a])
        if kind == "one":
            check(scores[f"{by}balanced"], sum(shares) / 3, sum(ceilings) / 3)

    test = imaging.floats(data.test)
    floor = diversity(test, members(labels))
    check(scores["diversity_pixels"], diversity(fake, members(wanted)), floor)
    backbone = model.encoder.backbone
    with torch.no_grad():
        made, real = backbone(fake), backbone(test)
    floor = diversity(real, members(labels))
    check(scores["diversity_encoder"], diversity(made, members(wanted)), floor)
    assert not any(name.startswith("judge_diversity") for name in scores)


def test_clusters_are_laid_beside_the_labels_of_the_held_out_images(imaging, compared):
    model, data = imaging.model_of(centres=True), imaging.data_of()
    scores = evaluated(model, data)[0]
    with torch.no_grad():
        h = torch.nn.functional.normalize(model.encoder.backbone(imaging.floats(data.test)))
    nearest = (h[:, None] - model.attributes.centres).square().sum(2).argmin(1)
    expected = normalized_mutual_info_score(data.test_labels, nearest.numpy())
    assert 0.01 < expected == pytest.approx(scores["label_nmi"].value, rel=1e-6)
    assert "label_nmi" not in evaluated(imaging.model_of(), data)[0]
    unlabelled = SimpleNamespace(**{**vars(data), "test_labels": None})
    assert "label_nmi" not in evaluated(imaging.model_of(centres=True), unlabelled)[0]


def test_inner_attributes_are_clusters_and_others_are_not(imaging):
    model, data = imaging.model_of(centres=True), imaging.data_of()
    assert isinstance(model, SoftClustering) and not isinstance(imaging.model_of(), Clustering)
    assert cluster_table(model)["rows"] == [60, 30, 10]
    assert cluster_table(model)["spread"] == pytest.approx([0.1, 0.2, 0.3])
    k, p = model.assign(data.test), model.probabilities(data.test)
    assert torch.equal(k, model.attributes_of(data.test, None)) and torch.equal(k, p.argmax(1))

    h = torch.nn.functional.normalize(model.encoder.embed(data.test)[0])
    squared = (h[:, None] - model.attributes.centres).square().sum(2)
    variance = (60 * 0.1**2 + 30 * 0.2**2 + 10 * 0.3**2) / 100
    assert torch.allclose(p, (-squared / (2 * variance)).softmax(1), atol=1e-4)


def test_chamfer_distances_are_by_the_networks_and_points_that_are_set(imaging, monkeypatch):
    monkeypatch.setattr(image_scores, "chamfer_tsne", lambda a, b, seed, num: Chamfer(1, 2, num))
    changes = {"evaluation.chamfer": ("judge",), "evaluation.chamfer_points": 15}
    for system, model in (
        (infoscc_gan.SYSTEM, imaging.model_of()),
        (eigengan.SYSTEM, imaging.unconditional()),
    ):
        model.config = override(model.config, changes)
        scores = dict(system.evaluate(model, imaging.data_of(), 0))
        assert {name for name in scores if "chamfer" in name} == {
            "chamfer_sum_judge_15",
            "chamfer_mean_judge_15",
        }


def test_scores_are_of_no_more_images_than_are_set(imaging, compared):
    model, data = imaging.model_of(), imaging.data_of()
    data.train, data.test = data.train.repeat(4, 1, 1, 1), data.test.repeat(4, 1, 1, 1)
    data.test_labels = np.tile(data.test_labels, 4)
    scores = dict(infoscc_gan.SYSTEM.evaluate(model, data, 0))
    assert "fid_encoder_100" in scores and len(imaging.asked(model)[0]) == 100
    model = imaging.unconditional()
    scores = dict(eigengan.SYSTEM.evaluate(model, data, 0))
    assert "fid_encoder_100" in scores and "fid_judge_100" in scores


def test_networks_that_the_user_names_are_measured_in(imaging, compared, monkeypatch):
    class Mean:
        name, num_features = "mean", 2

        def __call__(self, images):
            return torch.stack([images.mean((1, 2, 3)), images.std((1, 2, 3))], 1)

    for system, module, model in (
        (infoscc_gan.SYSTEM, infoscc_gan, imaging.model_of()),
        (eigengan.SYSTEM, eigengan, imaging.unconditional()),
    ):
        monkeypatch.setattr(module, "named_networks", lambda c, device: [Mean()])
        data = imaging.data_of()
        scores, fake, _ = evaluated(model, data, system)
        train, test = Mean()(imaging.floats(data.train)), Mean()(imaging.floats(data.test))
        check(scores["fid_mean_40"], fid(train, Mean()(fake)), fid(train, test))


def test_the_unconditional_is_scored_by_the_same_networks(imaging, compared):
    model, data = imaging.unconditional(), imaging.data_of()
    scores, fake, _ = evaluated(model, data, eigengan.SYSTEM)
    for name in ("encoder", "judge"):
        backbone = getattr(model, name).backbone
        with torch.no_grad():
            made, real, others = (
                backbone(x) for x in (fake, imaging.floats(data.train), imaging.floats(data.test))
            )
        check(scores[f"fid_{name}_40"], fid(real, made), fid(real, others))
    check(
        scores["is_judge_40"],
        inception_score(imaging.read_by_judge(model, fake)),
        inception_score(imaging.read_by_judge(model, imaging.floats(data.train))),
    )
    (real, made), _ = compared
    with torch.no_grad():
        same_rows(made, model.encoder.backbone(fake))


def test_objectives_are_on_the_held_out_images(imaging):
    model, data = imaging.model_of(), imaging.data_of()
    objectives, test = infoscc_gan.SYSTEM.objectives(data), imaging.floats(data.test)
    assert next(iter(objectives)) == "fid_judge"
    values = {name: objective(model, data, 3) for name, objective in objectives.items()}
    _, y = model.draw(SIZE, seeded(3))
    fake = model.generator.calls[-1][3]
    with torch.no_grad():
        for name in ("encoder", "judge"):
            backbone = getattr(model, name).backbone
            expected = fid(backbone(test), backbone(fake))
            assert values.pop(f"fid_{name}") == pytest.approx(expected, rel=2e-3)
    wanted = y.argmax(1)
    for name, logits in (
        ("control_error", imaging.read_by_encoder(model, fake)),
        ("judge_control_error", imaging.read_by_judge(model, fake)),
    ):
        wrong = float((logits.argmax(1) != wanted).double().mean())
        assert values.pop(name) == pytest.approx(wrong)
    ratio = diversity(fake, members(wanted))
    ratio /= diversity(test, members(torch.from_numpy(data.test_labels)))
    assert values.pop("diversity_error") == pytest.approx(abs(ratio - 1), rel=1e-3)
    assert values == {}
    model = imaging.unconditional()
    objectives = eigengan.SYSTEM.objectives(data)
    assert list(objectives) == ["fid_encoder", "fid_judge"]
    for name, objective in objectives.items():
        value = objective(model, data, 3)
        backbone = getattr(model, name.removeprefix("fid_")).backbone
        with torch.no_grad():
            made = backbone(model.generator.calls[-1][3])
            assert value == pytest.approx(fid(backbone(test), made), rel=2e-3)
