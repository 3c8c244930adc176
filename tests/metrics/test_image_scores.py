"""Scores of images: names, parts that don't overlap, floors beside values."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from scgan.metrics import image_scores as module
from scgan.metrics.image_scores import (
    compare_images,
    control_scores,
    count,
    diversity_scores,
)
from scgan.metrics.images import Chamfer, fid, inception_score, kid


def image_scores(*args, **how):
    return dict(compare_images(*args, **how))


class Quarters(nn.Module):
    """Four means; classifies by them."""

    num_features, classifier_name = 4, "classifier"

    def __init__(self, name="encoder"):
        super().__init__()
        self.name = name

    def forward(self, x):
        return nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 2).flatten(1)

    def logits(self, h):
        return 5 * h


class Plain:
    """No classifier, no module."""

    name, num_features = "plain", 1

    def __call__(self, x):
        return x.flatten(1)[:, :2]


def pictures(num, seed=0, shift=0):
    noise = torch.randint(0, 200, (num, 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    return (noise + shift).to(torch.uint8)


def test_names_say_extractor_and_count():
    scores = image_scores(pictures(50), pictures(24, 1, 30), [Quarters(), Plain()], 0)
    assert list(scores) == [
        "fid_encoder_24",
        "kid_encoder_24",
        "is_classifier_24",
        "fid_plain_24",
        "kid_plain_24",
    ]
    assert [score.better for score in scores.values()] == [
        "lower",
        "lower",
        "higher",
        "lower",
        "lower",
    ]
    assert [count(num) for num in (10_000, 50_000, 898, 1500)] == ["10k", "50k", "898", "1500"]


def test_a_bad_generator_is_far_above_the_floor_and_a_perfect_one_at_it():
    real, held_out = pictures(1000, 0), pictures(1000, 1)
    bad = image_scores(real, pictures(1000, 2, 55), [Quarters()], 0, held_out=held_out)
    good = image_scores(real, pictures(1000, 3), [Quarters()], 0, held_out=held_out)
    for name in ("fid_encoder_1k", "kid_encoder_1k"):
        assert bad[name].floor == good[name].floor
        assert bad[name].value > 10 * abs(good[name].value)
    assert good["fid_encoder_1k"].value == pytest.approx(good["fid_encoder_1k"].floor, abs=0.002)
    assert bad["fid_encoder_1k"].value == pytest.approx(4 * (55 / 127.5) ** 2, rel=0.05)
    assert good == image_scores(real, pictures(1000, 3), [Quarters()], 0, held_out=held_out)


def test_values_are_the_metrics_of_the_parts(monkeypatch):
    """With as many images as are used, parts are all of them, whatever the order."""
    real, fake, held_out = pictures(30, 0), pictures(30, 1, 20), pictures(30, 2)
    extractor = Quarters()
    h, g, o = (extractor(x / 127.5 - 1) for x in (real, fake, held_out))
    scores = image_scores(real, fake, [extractor], 4, held_out=held_out)
    assert scores["fid_encoder_30"].value == pytest.approx(fid(h, g), rel=1e-4)
    assert scores["fid_encoder_30"].floor == pytest.approx(fid(h, o), rel=1e-4)
    assert scores["kid_encoder_30"].value == pytest.approx(kid(h, g, 0), rel=1e-4)
    assert scores["kid_encoder_30"].floor == pytest.approx(kid(h, o, 0), rel=1e-4)
    assert scores["is_classifier_30"].value == pytest.approx(
        inception_score((5 * g).softmax(1))[0], rel=1e-4
    )
    assert scores["is_classifier_30"].floor == pytest.approx(
        inception_score((5 * h).softmax(1))[0], rel=1e-4
    )


@pytest.mark.parametrize(
    ("num_real", "num_held_out", "num"), [(20, 0, 10), (14, 6, 10), (6, 14, 10), (50, 30, 10)]
)
def test_the_real_parts_share_no_image(num_real, num_held_out, num):
    real = torch.arange(num_real)[:, None, None, None]
    held_out = 100 + torch.arange(num_held_out)[:, None, None, None]
    a, b = (
        part.flatten().tolist()
        for part in module._parts(real, held_out, num, torch.Generator().manual_seed(0))
    )
    assert len(a) == len(b) == num and len({*a, *b}) == 2 * num
    assert sum(i < 100 for i in a) == min(num, num_real)
    assert sum(i >= 100 for i in b) == min(num, num_held_out)


def test_counts_follow_what_there_is():
    def names(*sizes, **how):
        return next(iter(image_scores(pictures(sizes[0]), pictures(sizes[1]), [Plain()], 0, **how)))

    assert names(40, 100) == "fid_plain_20"
    assert names(40, 15) == "fid_plain_15"
    assert names(40, 100, held_out=pictures(10, 1)) == "fid_plain_25"
    assert names(40, 100, num_max=12) == "fid_plain_12"


def test_chamfer_distances_on_demand():
    scores = image_scores(pictures(40), pictures(20, 1), [Plain()], 0, chamfer=["plain"])
    assert list(scores)[2:] == ["chamfer_sum_plain_20", "chamfer_mean_plain_20"]
    assert all(
        score.value > 0 and score.floor > 0
        for name, score in scores.items()
        if name.startswith("chamfer")
    )


def test_too_few_images_or_no_extractor_are_refused():
    with pytest.raises(
        ValueError, match="scoring needs 10 generated and twice as many real images, got 9 and 40"
    ):
        image_scores(pictures(40), pictures(9), [Plain()], 0)
    with pytest.raises(ValueError, match="need an extractor"):
        image_scores(pictures(40), pictures(20), [], 0)


def test_diversity_stands_beside_the_real_images():
    real, y = pictures(60), torch.arange(3).repeat(20)
    scores = diversity_scores(real[:3].repeat(20, 1, 1, 1), y, real, y, 0, [Quarters()])
    views = ("pixels", "encoder")
    assert list(scores) == [f"diversity_{kind}{view}" for view in views for kind in ("", "worst_")]
    for name in views:
        assert scores[f"diversity_{name}"].value == pytest.approx(0, abs=1e-6)  # one an attribute
    assert scores["diversity_pixels"].floor == pytest.approx(
        200 / 12**0.5 / 127.5 * 2**0.5, rel=0.05
    )  # of the noise


def test_a_collapse_inside_one_attribute_is_seen_though_the_others_vary():
    real, y = pictures(90), torch.arange(3).repeat(30)
    fake = real.clone()
    fake[y == 1] = real[:1] // 2 + fake[y == 1] // 2
    scores = diversity_scores(fake, y, real, y, 0)
    assert scores["diversity_worst_pixels"].value == pytest.approx(0.5, abs=0.03)
    assert scores["diversity_pixels"].value > 0.8 * scores["diversity_pixels"].floor
    assert diversity_scores(real, y, real, y, 0)["diversity_worst_pixels"].value == pytest.approx(1)
    with pytest.raises(ValueError, match="draw more"):
        diversity_scores(real[:3], torch.arange(3), real, y, 0)


def test_control_stands_beside_what_the_classifier_finds_of_real_images():
    y = torch.arange(3).repeat(20)
    predicted, real_predicted = y.clone(), y.clone()
    predicted[0], real_predicted[:6] = 1, 2
    names = ("no beard", "big_nose", "hat")
    scores = control_scores(predicted, y, real_predicted, y, names, by="judge_")
    found = {name: (score.value, score.floor) for name, score in scores.items()}
    assert found == {
        "judge_control_accuracy": pytest.approx((59 / 60, 56 / 60)),
        "judge_control_accuracy_worst": pytest.approx((19 / 20, 18 / 20)),
        "judge_control_balanced": pytest.approx((59 / 60, 56 / 60)),
        "judge_control_of_no-beard": pytest.approx((19 / 20, 18 / 20)),
        "judge_control_of_big-nose": pytest.approx((1, 18 / 20)),
        "judge_control_of_hat": pytest.approx((1, 1)),
    }
    assert scores["judge_control_of_no-beard"].label.endswith("judge, no-beard")


def test_what_was_never_asked_for_has_no_score_and_what_no_real_image_has_no_floor():
    y, real = torch.tensor([[1, 0, 0], [1, 1, 0]]), torch.tensor([[1, 0, 0], [0, 0, 1]])
    scores = control_scores(y, y, real, real, ("a", "b", "c"))
    of = {name[-1]: score.floor for name, score in scores.items() if "_of_" in name}
    assert of == {"a": 1.0, "b": None}


def test_chamfer_is_by_any_extractor_at_the_points_that_are_set(monkeypatch):
    monkeypatch.setattr(module, "chamfer_tsne", lambda a, b, seed, num: Chamfer(1.0, 2.0, num))
    scores = image_scores(
        pictures(40), pictures(20), [Plain()], 0, chamfer=["plain"], chamfer_points=7
    )
    assert {name for name in dict(scores) if "chamfer" in name} == {
        "chamfer_sum_plain_7",
        "chamfer_mean_plain_7",
    }
    with pytest.raises(ValueError, match="no extractor 'plane' for Chamfer.*did you mean"):
        image_scores(pictures(40), pictures(20), [Plain()], 0, chamfer=["plane"])


def test_chamfer_distances_are_told_apart(monkeypatch):
    """The sum is of the real images to the nearest samples, the mean of both ways."""
    given = []

    def distances(real, made, seed, num):
        given.append((real, made))
        return SimpleNamespace(num=20, real_to_fake_sum=len(given), symmetric_mean=10 * len(given))

    monkeypatch.setattr(module, "chamfer_tsne", distances)
    scores = image_scores(pictures(40), pictures(20, 1), [Plain()], 0, chamfer=["plain"])
    total, mean = scores["chamfer_sum_plain_20"], scores["chamfer_mean_plain_20"]
    assert (total.value, total.floor, mean.value, mean.floor) == (1, 2, 10, 20)
    (real, made), (again, other) = given
    assert torch.equal(real, again) and not torch.equal(made, other)
