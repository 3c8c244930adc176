"""Scores of images: names, parts that don't overlap, floors beside values."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from scgan.metrics import image_scores as module
from scgan.metrics.image_scores import attribute_scores, compare_images, count
from scgan.metrics.images import fid, inception_score, kid


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


def test_attribute_scores_stand_beside_the_real_images():
    real, y = pictures(60), torch.arange(3).repeat(20)
    predicted = y.clone()
    predicted[0] = 1
    scores = attribute_scores(real[:3].repeat(20, 1, 1, 1), y, predicted, real, y, 0, [Quarters()])
    assert list(scores) == [
        "control_accuracy",
        "control_accuracy_worst",
        "diversity_pixels",
        "diversity_encoder",
    ]
    assert scores["control_accuracy"].value == pytest.approx(59 / 60)
    assert scores["control_accuracy_worst"].value == pytest.approx(19 / 20)
    for name in ("diversity_pixels", "diversity_encoder"):
        assert scores[name].value == pytest.approx(0, abs=1e-6)  # one image an attribute
    assert scores["diversity_pixels"].floor == pytest.approx(
        200 / 12**0.5 / 127.5 * 2**0.5, rel=0.05
    )  # of the noise


def test_chamfer_distances_are_told_apart(monkeypatch):
    """The sum is of the real images to the nearest samples, the mean of both ways."""
    given = []

    def distances(real, made, seed):
        given.append((real, made))
        return SimpleNamespace(num=20, real_to_fake_sum=len(given), symmetric_mean=10 * len(given))

    monkeypatch.setattr(module, "chamfer_tsne", distances)
    scores = image_scores(pictures(40), pictures(20, 1), [Plain()], 0, chamfer=["plain"])
    total, mean = scores["chamfer_sum_plain_20"], scores["chamfer_mean_plain_20"]
    assert (total.value, total.floor, mean.value, mean.floor) == (1, 2, 10, 20)
    (real, made), (again, other) = given
    assert torch.equal(real, again) and not torch.equal(made, other)
