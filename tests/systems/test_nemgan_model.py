"""NEMGAN's model: what it draws and reads; what is refused, offered and scored."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from scgan import systems
from scgan.capabilities import Reconstructing, SoftClustering
from scgan.data.dataset import DataConfig
from scgan.data.labels import read_labels
from scgan.stages import noise_gan
from scgan.systems.nemgan import SYSTEM, NEMGANSettings, build_networks, num_modes_of
from tests.systems.nemgan_training import KINDS, dataset, labelled_data, trained

# The model


def test_what_is_drawn_of_a_mode_is_of_its_noise_and_else_of_all_by_the_prior():
    model, artifact = trained(dataset(), weights=(1.0, 1.0, 8.0))
    assert isinstance(model, SoftClustering) and isinstance(model, Reconstructing)
    fed = []
    model.generator.register_forward_pre_hook(lambda module, args: fed.append(args[0]))
    model.sample(4000, torch.Generator().manual_seed(0), chunk=1500)
    assert [len(z) for z in fed] == [1500, 1500, 1000]
    shares = torch.bincount(torch.cat(fed)[:, :3].argmax(1)) / 4000
    assert_close(shares, torch.tensor([0.1, 0.1, 0.8]), rtol=0, atol=0.02)
    assert model.cluster_columns["weight"] == pytest.approx([0.1, 0.1, 0.8])

    fed.clear()
    model.sample(50, torch.Generator().manual_seed(0), cluster=1)
    assert fed[0][:, :3].argmax(1).eq(1).all()
    assert model.sample(0, torch.Generator()).shape == (0, 2)
    (option,) = model.options
    assert option.name == "cluster" and option.below == 3


def test_the_mode_of_a_row_is_the_inversions_and_the_counts_are_of_training_rows():
    data = dataset()
    model, artifact = trained(data)
    p = model.inversion(data.test)[1].softmax(1)
    assert_close(model.probabilities(data.test), p)
    assert torch.equal(model.assign(data.test), p.argmax(1))
    assert_close(p.sum(1), torch.ones(500))
    counts = torch.bincount(model.assign(data.train), minlength=3)
    assert torch.equal(model.counts, counts) and counts.sum() == 500


def test_inference_is_the_generator_of_what_h1_reads():
    data = dataset()
    model, _ = trained(data)
    x_hat = model.generator(model.inversion.h1(data.test))
    assert_close(model.reconstruct(data.test), x_hat)


def test_images_are_read_as_bytes_and_as_floats_alike():
    data = dataset(KINDS["images"])
    model, _ = trained(data)
    x = data.test[:40]
    assert_close(model.probabilities(x), model.probabilities(x.float() / 127.5 - 1))
    assert model.reconstruct(x).shape == x.shape


def test_what_is_not_set_is_as_usual_for_rows_or_for_images():
    given = NEMGANSettings(noise_spread=0.2)
    assert noise_gan.choices_of(given, (5,)) == (2, 0.2, 1.0, 0.0)
    assert noise_gan.choices_of(given, (1, 28, 28)) == (10, 0.2, 5.0, 1.0)
    zero = NEMGANSettings(reconstruction_weight=0.0, code_dim=0)
    assert noise_gan.choices_of(zero, (5,))[::2] == (0, 0.0)


def test_networks_have_their_settings_sizes():
    c = NEMGANSettings(num_clusters=4, code_dim=6, width=32, num_layers=1, weights=(1, 1, 1, 1))
    prior, g, h, d = build_networks(c, 4, (5,), torch.Generator().manual_seed(0))
    z_hat, modes = h(g(torch.randn(3, 10)))
    assert z_hat.shape == (3, 10) and modes.shape == (3, 4) and d(torch.randn(3, 5)).shape == (3, 1)
    kinds = [type(layer).__name__ for layer in g], [type(layer).__name__ for layer in d]
    assert kinds == (["Linear", "ReLU", "Linear"], ["Linear", "LeakyReLU", "Linear"])
    assert d[1].negative_slope == 0.2


# What is refused, offered, scored and drawn


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"num_clusters": 3, "weights": (0.5, 0.5)},
            "gan.weights are 0.5, 0.5; give .* 3, numbers",
        ),
        ({"num_clusters": 2, "weights": (1.0, 0.0)}, "numbers above 0"),
        ({"num_clusters": 3, "labelled": 0.1}, "labels have 8 values, each a mode"),
        ({"start": "mixture", "labelled": 0.1}, "taught either groups or labels; choose one"),
        ({"start": "views", "labelled": 0.1}, "taught either groups or labels; choose one"),
        ({"start": "views"}, "read_views 0 and .* groups need views"),
        ({"start": "views", "read_views": 1, "start_share": 1}, "generator some of the training"),
        ({"read_views": 0.5}, "read_views is 0.5, but ring is a table and only images have views"),
    ],
)
def test_settings_that_the_data_cannot_bear_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataset(**changes)


def test_modes_are_as_many_as_set_or_weights_or_classes_or_ten():
    ring, board = dataset(), dataset(DataConfig(source="checkerboard", num_train=50, num_test=50))
    assert num_modes_of(NEMGANSettings(num_clusters=5), ring) == 5
    assert num_modes_of(NEMGANSettings(weights=(1, 2, 3)), ring) == 3
    assert num_modes_of(NEMGANSettings(), ring) == 8
    assert num_modes_of(NEMGANSettings(), board) == 10


def test_labels_that_are_not_there_cannot_be_shown():
    with pytest.raises(ValueError, match="labelled is 0.1, but checkerboard has no labels"):
        dataset(DataConfig(source="checkerboard", num_train=50, num_test=50), labelled=0.1)


def test_streamed_data_has_no_stages_and_the_system_is_found():
    assert SYSTEM.stages(replace(dataset(), stream=object())) == ()
    assert systems.load("nemgan") is SYSTEM and "paper" in SYSTEM.presets


def test_scores_say_how_modes_match():
    data = dataset()
    model, _ = trained(data)
    found = dict(SYSTEM.evaluate(model, data, 0))
    assert {"prior_distance", "mode_share_distance", "mode_kl_mean", "label_nmi"} <= set(found)
    assert read_labels(data).names == tuple(map(str, range(8)))


def test_rows_without_a_label_are_no_class_of_their_own():
    data = labelled_data([""] * 400 + ["a"] * 50 + ["b"] * 50)
    model, _ = trained(data)
    model.assign = lambda x: (torch.arange(len(x)) >= 50).long()
    found = dict(SYSTEM.evaluate(model, data, 0))
    assert found["label_purity"].value == found["label_hungarian"].value == 1
