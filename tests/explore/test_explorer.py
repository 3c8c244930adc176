"""What the page shows is what the command draws; what a real image holds, and what lies near it."""

from __future__ import annotations

import io
import shlex
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from scgan.data.images.schema import to_float
from scgan.explore.explorer import POOL, Explorer, View, enlarged, opened
from scgan.explore.picture import Picture
from scgan.pipeline.stored import open_run
from scgan.store.artifacts import ArtifactStore

CHOSEN = (("attributes", "Bald=0.25,Smiling=1"), ("coefficients", "1.1=-2.5,3.2=4"))


@pytest.fixture(scope="module")
def images(image_run):
    return opened(image_run.outcome.spec.run_id, str(image_run.store))


@pytest.fixture(scope="module")
def table(tiny_run):
    name, store = tiny_run("scgan", "table")
    return Explorer(open_run(name, ArtifactStore(str(store))), str(store))


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def typed(command, folder, scgan_command):
    """Type a command into a shell in a folder."""
    words = shlex.split(command)
    assert words[:2] == ["scgan", "sample"] and words[-2] == "--out"
    said = scgan_command(*words[1:-1], folder / words[-1])
    assert said.code == 0, said.err
    return folder / words[-1]


@pytest.mark.parametrize("given", [(), (("attribute", "Bald"),), CHOSEN])
def test_the_command_draws_the_same_picture(images, given, tmp_path, scgan_command):
    view = View(7, 5, given)
    file, shown = images.grid(view)
    assert typed(images.command(view), tmp_path, scgan_command).read_bytes() == file

    times = pixels(shown).shape[0] // pixels(file).shape[0]
    assert np.array_equal(pixels(shown)[::times, ::times], pixels(file)) and times > 3
    other = images.grid(View(7, 6, given))[0]
    assert other != file and images.grid(view)[0] == file


@pytest.mark.parametrize("given", [(), (("cluster", "1"), ("latent", "centres"))])
def test_the_command_draws_the_same_rows(table, given, tmp_path, scgan_command):
    import pandas as pd

    view = View(600, 3, given)
    rows = table.rows(view)
    frame = pd.read_parquet(typed(table.command(view), tmp_path, scgan_command))
    assert list(frame) == list(rows) == ["x0", "x1"]
    for name, values in rows.items():
        assert np.array_equal(frame[name], values)


def test_what_is_chosen_is_what_is_drawn(images):
    model, schema = images.stored.model, images.stored.schema
    drawn = images.images(View(4, 1, CHOSEN)).images
    places = model.options[2].names.index("1.1"), model.options[2].names.index("3.2")
    coefficients = torch.full((len(model.options[2].names),), torch.nan)
    coefficients[list(places)] = torch.tensor([-2.5, 4])
    y, random = torch.tensor([0.25, 1]), torch.Generator().manual_seed(1)
    wanted = model.sample(4, random, attributes=y, coefficients=coefficients)
    assert np.array_equal(drawn, schema.decode(wanted))
    with pytest.raises(ValueError, match="not both"):
        images.grid(View(4, 1, (("attribute", "Bald"), *CHOSEN)))


def test_a_real_image_is_read_and_its_nearest_samples_are_found(images):
    model, schema = images.stored.model, images.stored.schema
    array = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    found = images.find(buffer.getvalue(), View(5, 2), num=3)

    assert found.image.shape == (32, 32, 3) and list(found.degrees) == ["Bald", "Smiling"]
    x = schema.encode(found.image[None])
    assert list(found.degrees.values()) == pytest.approx(model.degrees(x)[0].tolist())

    pool = images.images(View(POOL, 2)).images
    with torch.no_grad():
        h, near = (model.encoder.backbone(to_float(a)) for a in (x, schema.encode(pool)))
    distances = (near - h).square().sum(1)
    assert found.places == tuple(distances.argsort()[:3].tolist())
    assert np.array_equal(found.nearest, pool[list(found.places)])
    with pytest.raises(ValueError, match="the image can't be read"):
        images.find(b"no image", View(5, 2))


def test_the_nearest_samples_are_of_the_seed_that_is_asked_for(images, monkeypatch):
    monkeypatch.setattr("scgan.explore.explorer.POOL", 4)
    real = enlarged(images.images(View(1, 0)).images[0])
    for seed in (2, 3):
        found, pool = images.find(real, View(5, seed), num=4), images.images(View(4, seed)).images
        assert np.array_equal(found.nearest, pool[list(found.places)])


def test_clusters_are_read_where_a_model_has_no_attributes(tiny_run):
    name, store = tiny_run("gmvae", "images")
    explorer = Explorer(open_run(name, ArtifactStore(str(store))), str(store))
    digit = explorer.data.test[:1]
    found = explorer.find(enlarged(digit[0, 0].numpy()), View(1, 0), num=2)
    p = explorer.stored.model.probabilities(digit)[0].tolist()
    assert list(found.degrees) == [f"cluster {k}" for k in range(len(p))]
    assert sum(found.degrees.values()) == pytest.approx(1, abs=1e-4)
    assert found.image.shape == (28, 28) and found.nearest.shape == (2, 28, 28)


def test_rows_of_any_kind_are_drawn_over_data():
    rng = np.random.default_rng(0)
    columns = {
        "number": rng.normal(size=50),
        "whole": rng.integers(0, 5, 50),
        "word": rng.choice(["red", "green"], 50),
        "day": np.datetime64("2020-01-01") + rng.integers(0, 99, 50),
        "gaps": np.ma.masked_less(rng.normal(size=50), 0),
        "some words": np.ma.MaskedArray(rng.choice(["a", "b"], 50), mask=rng.random(50) < 0.3),
    }
    drawn = {Picture(columns, a, b).png(columns) for a in columns for b in columns}
    assert len(drawn) == 36 and all(content.startswith(b"\x89PNG") for content in drawn)
    alone = Picture({}, "number", "whole").png(columns)
    assert alone.startswith(b"\x89PNG") and alone not in drawn


def test_samples_and_data_are_where_their_rows_are():
    real = {"a": np.array([0.0, 1.0]), "b": np.array([0.0, 1.0])}
    samples = {"a": np.array([0.0, 1.0]), "b": np.array([1.0, 0.0])}
    picture = Picture(real, "a", "b")
    first = picture.png(real)
    image = pixels(picture.png(samples))[70:-70, 100:].astype(int)
    assert picture.png(real) == first  # nothing is left of what was drawn between
    middle = np.array(image.shape[:2]) / 2
    for colour, left_is_low in (((0xBB,) * 3, True), ((0x00, 0x72, 0xB2), False)):
        down, across = (np.abs(image - colour).max(-1) < 8).nonzero()
        assert len(down) > 4
        low = down > middle[0]
        assert np.array_equal(across < middle[1], low if left_is_low else ~low)


def test_a_row_with_a_gap_is_no_point():
    rows = np.arange(5.0)
    picture = Picture({"a": rows, "b": rows}, "a", "b")
    without = picture.png({"a": rows[1:], "b": rows[1:]})
    assert picture.png({"a": np.ma.MaskedArray(rows, rows == 0), "b": rows}) == without
    assert picture.png({"a": rows, "b": rows}) != without


def test_data_that_is_gone_leaves_samples_alone(table, monkeypatch):
    explorer = Explorer(table.stored, table.store_url)
    assert len(explorer.real_rows["x0"]) == 1500

    def gone(self):
        raise ValueError("changed")

    explorer = Explorer(table.stored, table.store_url)
    monkeypatch.setattr(type(explorer.stored), "outcome", gone)
    assert explorer.data is None and explorer.real_rows == {}


def test_what_is_wrong_is_said_before_anything_listens(image_run, scgan_command, monkeypatch):
    said = scgan_command("explore", "infoscc_gan-none-0", "--store", image_run.store)
    assert said.code == 2 and "no run 'infoscc_gan-none-0' in the store" in said.err

    monkeypatch.setitem(sys.modules, "streamlit", None)
    monkeypatch.delitem(sys.modules, "streamlit.web.cli", raising=False)
    said = scgan_command("explore", image_run.outcome.spec.run_id, "--store", image_run.store)
    assert said.code == 2 and "pip install 'scgan[explore]'" in said.err
