"""The page, run by Streamlit without a browser: controls lead to what the command would draw."""

from __future__ import annotations

import warnings

import pytest

from scgan.explore import explorer
from scgan.explore.serving import PAGE

testing = pytest.importorskip("streamlit.testing.v1")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def page(monkeypatch):
    """Open a run's page."""

    def open_page(name, store):
        explorer.opened.cache_clear()
        monkeypatch.setattr("sys.argv", [str(PAGE), name, str(store)])
        return testing.AppTest.from_file(str(PAGE), default_timeout=60).run()

    return open_page


def command(page):
    assert not page.exception
    (code,) = page.code
    return code.value


def test_every_slider_of_a_model_of_images_goes_into_the_command(page, image_run):
    run = image_run.outcome.spec.run_id
    shown = page(run, image_run.store)
    start = f"scgan sample {run} --store {image_run.store} --num 16 --seed 0"
    assert command(shown) == f"{start} --out samples.png"

    sliders = {slider.key: slider for slider in shown.slider}
    names = image_run.outcome.model.options[2].names
    assert list(sliders) == [
        "num",
        *(f"attributes {name}" for name in ("Bald", "Smiling")),
        *(f"coefficients {name}" for name in names if name.startswith("1.")),
    ]
    bounds = {(slider.min, slider.max) for key, slider in sliders.items() if key != "num"}
    assert bounds == {(0.0, 1.0), (-4.0, 4.0)}

    sliders["attributes Smiling"].set_value(0.5).run()
    shown.selectbox(key="coefficients, of").set_value("layer 2").run()
    shown.slider(key="coefficients 2.1").set_value(-1.2)
    shown.run()
    shown.selectbox(key="coefficients, of").set_value("layer 1").run()  # what is hidden counts
    assert "--attributes Smiling=0.5 --coefficients 2.1=-1.2 --out" in command(shown)

    shown.slider(key="num").set_value(9)
    shown.number_input(key="seed").set_value(4)
    shown.slider(key="attributes Smiling").set_value(0.0).run()  # none of it is a choice, too
    assert "--num 9 --seed 4 --attributes Smiling=0 --coef" in command(shown)

    shown.slider(key="attributes Bald").set_value(0.5).run()
    shown.button[0].click().run()
    assert command(shown) == f"{start.replace('16 --seed 0', '9 --seed 4')} --out samples.png"
    assert {slider.value for slider in shown.slider if slider.key != "num"} == {0.0}


def test_what_a_model_does_not_allow_is_said_on_the_page(page, image_run):
    shown = page(image_run.outcome.spec.run_id, image_run.store)
    shown.selectbox(key="attribute").set_value("Bald")
    shown.slider(key="attributes Bald").set_value(1.0).run()
    assert [error.value for error in shown.error] == ["give attribute or attributes, not both"]
    assert not shown.exception


def test_clusters_and_pairs_of_columns_of_a_table(page, tiny_run):
    name, store = tiny_run("scgan", "table")
    shown = page(name, store)
    start = f"scgan sample {name} --store {store} --num 2000 --seed 0"
    assert command(shown) == f"{start} --out samples.parquet"
    assert [shown.selectbox(key=key).value for key in ("across", "up")] == ["x0", "x1"]

    shown.select_slider(key="cluster").set_value(1)
    shown.selectbox(key="latent").set_value("centres").run()
    assert command(shown) == f"{start} --cluster 1 --latent centres --out samples.parquet"
    shown.selectbox(key="across").set_value("x1").run()
    assert not shown.exception
    shown.button[0].click().run()
    assert command(shown) == f"{start} --out samples.parquet"


def test_a_system_without_options_has_a_page_all_the_same(page, tiny_run):
    with warnings.catch_warnings():
        shown = page(*tiny_run("plain_gan", "images"))
    assert [slider.key for slider in shown.slider] == ["num"] and "--seed 0 --out" in command(shown)
