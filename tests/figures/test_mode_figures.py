"""Pictures of modes: what is in each panel, in which order, under which name."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan.data.images.schema import ImageSchema
from scgan.figures import images, modes
from scgan.figures.style import png


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Bands:
    """Mode k lies about 10 k; images of mode k are of brightness k / K."""

    device = torch.device("cpu")

    def __init__(self, num, shape, weights=None):
        self.num, self.shape, self.counts = num, shape, torch.ones(num)
        self.cluster_columns = {"weight": weights or [1 / num] * num}

    def place(self, k):
        of_images = 2 * k / self.num - 0.9
        return of_images if len(self.shape) == 3 else 10.0 * k

    def sample(self, num, generator, cluster=None):
        k = torch.randint(self.num, (num,), generator=generator)
        k = k if cluster is None else torch.full_like(k, cluster)
        noise = 0.02 * torch.randn(num, *self.shape, generator=generator)
        return self.place(k.float()).view(-1, *[1] * len(self.shape)) + noise

    def assign(self, x):
        x = x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x
        level = x.flatten(1).mean(1)
        return (level[:, None] - self.place(torch.arange(self.num).float())).abs().argmin(1)


def table(num=3, labels=("a", "b", "a")):
    k = torch.arange(60) % num
    x = 10.0 * k[:, None] + 0.1 * torch.randn(60, 2, generator=seeded())
    names = np.array(labels)[k]
    schema = SimpleNamespace(decode=lambda rows: rows, encode=lambda rows: rows)
    data = {"kind": "table", "test": x, "train_labels": names, "test_labels": names}
    return SimpleNamespace(**data, table_schema=schema)


def pictures(num=3):
    k = torch.arange(60) % num
    level = (2 * k / num - 0.9 + 1) * 127.5
    x = level.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28).clone()
    schema = ImageSchema(1, 28, tuple(f"class {i}" for i in range(num)), "one")
    data = {"kind": "images", "test": x, "train_labels": k.numpy(), "test_labels": k.numpy()}
    return SimpleNamespace(**data, image_schema=schema)


def drawn(model, data):
    return dict(modes.draw_modes(model, data, 0))


def titled(captions, word):
    (caption,) = [caption for caption in captions if caption.startswith(word)]
    return captions[caption]


def test_a_table_has_clouds_weights_confusion_and_divergence():
    found = drawn(Bands(3, (2,)), table())
    titles = [caption.partition(". ")[0] for caption in found]
    assert titles == [
        "Samples by mode",
        "Weights of the modes",
        "Modes and labels",
        "Divergence of modes and labels",
    ]
    assert all(png(figure).startswith(b"\x89PNG") for figure in found.values())


def test_without_labels_or_with_too_many_the_modes_are_drawn_alone():
    for labels in (None, np.arange(60)):
        data = table()
        data.train_labels = data.test_labels = labels
        assert len(drawn(Bands(3, (2,)), data)) == 2


def test_the_confusion_is_each_labels_share_of_the_modes():
    figure = titled(drawn(Bands(3, (2,)), table()), "Modes and labels")
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["mode 0", "mode 1", "mode 2"]
    assert ax.images[0].get_array().tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]


def test_rows_without_a_label_are_not_in_the_confusion():
    figure = titled(drawn(Bands(3, (2,)), table(labels=("a", "", "b"))), "Modes and labels")
    assert figure.axes[0].images[0].get_array().tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_the_divergence_is_least_where_a_mode_is_a_labels():
    figure = titled(drawn(Bands(3, (2,)), table(labels=("b", "c", "a"))), "Divergence")
    values = np.asarray(figure.axes[0].images[0].get_array())
    assert values.argmin(1).tolist() == [1, 2, 0]


def test_weights_samples_and_held_out_rows_stand_beside_each_other(monkeypatch):
    kept = []
    monkeypatch.setattr(modes, "mode_weights", lambda weights: kept.append(weights))
    list(modes.draw_modes(Bands(3, (2,), [0.2, 0.3, 0.5]), table(), 0))
    (weights,) = kept
    assert list(weights) == ["weight in sampling", "samples", "held-out"]
    assert weights["weight in sampling"].tolist() == [0.2, 0.3, 0.5]
    assert weights["samples"].tolist() == pytest.approx([1 / 3] * 3, abs=0.02)
    assert weights["held-out"].tolist() == pytest.approx([1 / 3] * 3)


def test_bars_have_their_heights_places_and_names():
    figure = modes.mode_weights({"prior": [0.2, 0.8], "samples": [0.4, 0.6]})
    ax = figure.axes[0]
    assert [bar.get_height() for bar in ax.patches] == [0.2, 0.8, 0.4, 0.6]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert middles == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["prior", "samples"]


def test_samples_of_each_mode_have_its_colour(monkeypatch):
    figure = modes.clouds_by_mode(
        {"real": (torch.tensor([[0.0, 0], [9, 0], [9, 1]]), torch.tensor([0, 1, 1]))}
        | {"made": (torch.tensor([[9.0, 0], [0, 0]]), torch.tensor([1, 0]))}
    )
    real, made = (ax.collections[0].get_facecolors() for ax in figure.axes)
    assert (real[1] == real[2]).all() and (real[0] != real[1]).any()
    assert (made[0] == real[1]).all() and (made[1] == real[0]).all()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["real", "made"]


def test_images_of_a_mode_are_beside_held_out_ones_that_are_found_in_it(monkeypatch):
    kept = []
    monkeypatch.setattr(images, "by_attribute", lambda fake, real: kept.append((fake, real)))
    captions = list(modes.draw_modes(Bands(14, (1, 28, 28)), pictures(14), 0))
    (fake, real), level = kept[0], Bands(14, (1, 28, 28)).place
    assert list(fake) == list(real) == [f"mode {k}" for k in range(12)]
    assert "2 more are left out" in captions[0][0]
    for k, name in enumerate(fake):
        assert len(fake[name]) == 10 and len(real[name]) <= 10
        assert fake[name].mean() == pytest.approx(level(float(k)), abs=0.02)
        assert real[name].mean() == pytest.approx(level(float(k)), abs=0.02)


def test_numbers_are_written_in_where_there_is_room_and_what_is_not_known_is_not():
    figure = modes.matrix([[0.25, np.nan]], ["row"], ["one", "two"], label="share")
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.25", ""]
    large = np.random.default_rng(0).random((13, 13))
    names = list(map(str, range(13)))
    assert not modes.matrix(large, names, names, label="share").axes[0].texts
