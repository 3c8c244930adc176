"""Samples of a stored run on images: which can be asked for, and the files they come in."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from scgan.capabilities import Degrees, OneOf, WholeNumber
from scgan.data.dataset import DataConfig
from scgan.data.loading import load

NAMES = ("Bald", "Black Hair", "Smiling")


@pytest.fixture
def sample(image_run, scgan_command):
    def run(out, *words, code=0):
        said = scgan_command(
            "sample",
            image_run.outcome.spec.run_id,
            "--store",
            image_run.store,
            "--out",
            out,
            *words,
        )
        assert said.code == code, said.err
        return said

    return run


def drawn(image_run, num, seed=0, **how):
    """What the model itself draws: pixels and attributes."""
    x, y = image_run.outcome.model.draw(num, torch.Generator().manual_seed(seed), **how)
    return image_run.outcome.data.schema.decode(x), y.numpy()


def test_an_archive_holds_images_and_attributes_and_can_be_read_again(sample, image_run, tmp_path):
    said = sample(tmp_path / "new" / "s.npz", "--num", 12, "--seed", 3)
    assert said.out == f"12 samples of {image_run.outcome.spec.run_id} in {tmp_path}/new/s.npz\n"
    images, y = drawn(image_run, 12, seed=3)
    with np.load(tmp_path / "new" / "s.npz") as archive:
        assert np.array_equal(archive["images"], images) and archive["images"].dtype == np.uint8
        assert np.array_equal(archive["y"], y) and archive["attributes"].tolist() == [
            "Bald",
            "Smiling",
        ]
    again = load(DataConfig(source=str(tmp_path / "new" / "s.npz")), 0)
    assert again.schema == image_run.outcome.data.schema
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.npz"]


def test_a_number_is_chosen_if_none_is_given(sample, tmp_path):
    assert json.loads(sample(tmp_path / "s.npz", "--json").out)["num"] == 100


def test_an_attribute_alone_or_by_degrees(sample, image_run, tmp_path):
    sample(tmp_path / "one.npz", "--num", 5, "--attribute", "Smiling")
    with np.load(tmp_path / "one.npz") as archive:
        occurring = image_run.outcome.model.attributes.combinations.tolist()
        assert (archive["y"][:, 1] == 1).all() and all(
            y in occurring for y in archive["y"].tolist()
        )
    sample(tmp_path / "both.npz", "--num", 5, "--attributes", "Smiling=0.25,Bald=1")
    wanted = torch.tensor([1.0, 0.25]).expand(5, -1)
    with np.load(tmp_path / "both.npz") as archive:
        assert np.array_equal(archive["images"], drawn(image_run, 5, attributes=wanted)[0])
        assert "y" not in archive and np.array_equal(archive["degrees"], wanted)
    sample(tmp_path / "whole.npz", "--num", 5, "--attributes", "Bald=1")
    with np.load(tmp_path / "whole.npz") as archive:
        assert archive["y"].dtype == np.uint8 and archive["y"].tolist() == [[1, 0]] * 5


def test_a_folder_of_attributes_is_celebas_layout(sample, image_run, tmp_path):
    (tmp_path / "s").mkdir()
    sample(tmp_path / "s", "--num", 10)
    sample(tmp_path / "s.npz", "--num", 10)
    folder, archive = (load(DataConfig(source=str(tmp_path / name)), 0) for name in ("s", "s.npz"))
    assert folder.fingerprint == archive.fingerprint and folder.image_schema.labels == "many"


def test_a_grid_shows_them_row_by_row(sample, image_run, tmp_path):
    sample(tmp_path / "s.png", "--num", 7)
    grid, images = np.asarray(Image.open(tmp_path / "s.png")), drawn(image_run, 7)[0]
    assert grid.shape == (3 * 34 - 2, 3 * 34 - 2, 3)
    for place, image in enumerate(images):
        top, left = place // 3 * 34, place % 3 * 34
        assert np.array_equal(grid[top : top + 32, left : left + 32], image)
    assert (grid[68:, 34:] == 255).all() and (grid[:, 32:34] == 255).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--cluster", 1),
            "this model has no cluster to choose; it has attribute, attributes, coefficients",
        ),
        (
            ("--latent", "real"),
            "this model has no latent to choose; it has attribute, attributes, coefficients",
        ),
        (("--attribute", "Smilng"), "unknown attribute 'Smilng'; did you mean 'Smiling'?"),
        (("--attributes", "Smilng=1"), "unknown attribute 'Smilng'; did you mean 'Smiling'?"),
        (
            ("--attributes", "Bald=1", "--attribute", "Bald"),
            "give attribute or attributes, not both",
        ),
    ],
)
def test_what_cannot_be_asked_for(sample, tmp_path, words, message):
    said = sample(tmp_path / "s.npz", *words, code=2)
    assert said.err == f"error: {message}\n" and not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(sample, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.png").touch()
    for out, message in {
        "s.csv": "written as .npz, .png (a grid), a folder, .zip or .tar, not as '.csv'",
        "s.jpg": "samples can be written as .parquet, .csv, .npz, .npy, .csv.gz",
        "full": "can't be written: it is there already, and is no empty folder",
        "full/old.png/s.png": "old.png is no folder",
    }.items():
        assert message in sample(tmp_path / out, code=2).err
    assert (
        "a grid of 10,001 images is too large"
        in sample(tmp_path / "s.png", "--num", 10_001, code=2).err
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "old.png"]


def test_degrees_of_attributes_are_read():
    option = Degrees("attributes", "how much of each", NAMES)
    assert option.read("Smiling=0.5,Black Hair=1").tolist() == [0, 1, 0.5]
    assert option.read({"Bald": 0.25}).tolist() == [0.25, 0, 0]
    for text, message in {
        "Bald": "attributes: 'Bald' has no degree; give NAME=0.5,...",
        "": "attributes: '' has no degree",
        "Bald=much": "attributes: 'much' is no number",
        "Bald=1.5": "attributes: Bald=1.5 is out of range; degrees are 0 to 1",
        "Bald=nan": "attributes: Bald=nan is out of range",
        "Bald=1,Bald=0": "attributes names 'Bald' more than once",
        "Blad=1": "unknown attribute 'Blad'; did you mean 'Bald'?",
    }.items():
        with pytest.raises(ValueError) as caught:
            option.read(text)
        assert str(caught.value).startswith(message)


def test_whole_numbers_and_words_are_read():
    number = WholeNumber("cluster", "of one cluster", 3)
    assert [number.read(value) for value in ("0", 2, np.int64(1))] == [0, 2, 1]
    for value in ("3", -1, "x", 1.5, True):
        with pytest.raises(ValueError, match="cluster is .*, but must be 0 to 2"):
            number.read(value)

    word = OneOf("latent", "where codes come from", ("real", "mapping"))
    assert word.read("real") == "real"
    with pytest.raises(ValueError, match="unknown latent 'reel'; did you mean 'real'?"):
        word.read("reel")
