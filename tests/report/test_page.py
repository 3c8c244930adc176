"""The report: everything in one file, everything said, nothing injected."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scgan import systems
from scgan.capabilities import WholeNumber
from scgan.config import leaves
from scgan.data.dataset import DataConfig
from scgan.data.split import split
from scgan.data.tables.reading import from_columns
from scgan.metrics.scores import Score
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.report.facts import number
from scgan.report.page import render_report, write_report
from scgan.store.artifacts import Artifact, ArtifactStore

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'
SCORES = {
    "sliced_wasserstein": Score.of("sliced_wasserstein", 0.03, 0.02),
    "c2st_accuracy": Score.of("c2st_accuracy", 0.61, 0.499),
    "reconstruction_mse": Score.of("reconstruction_mse", 5.4321e-05),
    "modes_total": Score(25.0, None, "none"),
    "a_new_metric": Score(0.25, 0.0, "higher"),
}


class Page(HTMLParser):
    """Tags with their attributes, and the text, of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += " ".join(data.split()) + "\n"


def outcome(name="jets", column="energy", *, dropped=0, **changes):
    rng = np.random.default_rng(0)
    energy = rng.normal(50_000, 9_000, 500)
    table = from_columns(
        {
            column: energy,
            "charge": rng.integers(-3, 4, 500),
            "run": np.full(500, 7),
            "again": energy,
        },
        labels=rng.integers(0, 2, 500),
    )
    data = split(name, table, 0.2, seed=0)
    data = type(data)(**{**data.__dict__, "dropped": dropped})
    config = systems.load("scgan").presets["smoke"]
    curve = {"curve": [{"samples": 10.0, "loss": 2.0}, {"samples": 20.0, "loss": 1.0}]}
    values = {
        "spec": Spec("scgan", DataConfig(source=f"{name}.csv", label="y"), config, seed=3),
        "data": data,
        "artifacts": {
            "encode": Artifact(meta=curve),
            "cluster": Artifact(),
            "map": Artifact(meta=curve),
        },
        "model": clustered([300, 100], {"mapper distance": [0.125, 0.375]}),
        "scores": SCORES,
        "trained": ("encode", "map"),
        "seconds": {"encode": 12.34, "cluster": 0.01, "map": 5.0, "evaluate": 2.0, "figures": 0.5},
    }
    return Outcome(**{**values, **changes})


def clustered(counts, columns=None):
    """A model with clusters and an option."""
    return SimpleNamespace(
        counts=torch.tensor(counts),
        cluster_columns=columns or {},
        assign=len,
        options=(WholeNumber("cluster", "rows of this cluster only", len(counts)),),
    )


PICTURE = b"\x89PNG any"


def render(run, pictures=None):
    html = render_report(replace(run, pictures=pictures or {}), "runs")
    return html, Page(html)


@functools.cache
def plain():
    return render(outcome())


def test_every_score_is_there_with_its_floor_and_meaning():
    _, page = plain()
    for key, score in SCORES.items():
        assert key in page.text
        assert number(score.value) in page.text
    assert "Sliced Wasserstein-1" in page.text and "How far probability must be" in page.text
    table = [cell.strip() for cell in page.text.splitlines()]
    assert "1.50 ×" in table and "+0.111" in table
    assert not re.search(r"\b(inf|nan|None)\b", page.text)
    assert (
        page.text.index("Sliced") < page.text.index("Classifier") < page.text.index("a_new_metric")
    )


def test_a_score_is_explained_by_what_its_name_begins_with():
    entries = {
        "fid_inception_50k": "Fréchet distance (FID), inception, 50k",
        "chamfer_sum_encoder_1k": "Chamfer distance, real to generated, encoder, 1k",
        "reconstruction_mse_data_units": "Reconstruction error, data units",
        "is_judge_898": "Inception Score, judge, 898",
    }
    scores = {name: Score.of(name, 1.5, 1.0) for name in entries}
    assert [score.label for score in scores.values()] == list(entries.values())
    assert scores["is_judge_898"].better == "higher"
    with pytest.raises(KeyError, match="no meaning .* 'island'"):
        Score.of("island", 1.0)

    _, page = render(outcome(scores=scores))
    assert all(label in page.text for label in entries.values())
    assert "only figures with the same extractor" in page.text
    assert page.text.index("FID") < page.text.index("Chamfer") < page.text.index("Inception")


def test_it_is_one_file_that_loads_nothing():
    html, page = render(outcome(), {"Latent space. Where codes lie.": PICTURE})
    assert not re.search(r"https?://|@import|url\(", html)
    assert {tag for tag, _ in page.tags} & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
    } == set()
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(sources) == 3  # the picture, the clusters, the curves
    assert all(source.startswith("data:image/png;base64,iVBO") for source in sources)


def test_hostile_names_stay_text():
    run = outcome(HOSTILE, HOSTILE, scores={HOSTILE: Score(1.0, 1.0, "lower")})
    html, page = render(run, {HOSTILE: PICTURE})
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags and not any("onerror" in attributes for _, attributes in page.tags)
    assert "<script" not in html
    assert tags.count("img") == 3  # the picture, the clusters, the curves
    assert escape(HOSTILE, quote=False).split("&lt;img")[1] in html.replace("&#34;", '"')
    assert "{{ 7*7 }}" in page.text


def test_the_data_is_described_in_the_users_units():
    _, page = render(outcome(dropped=1234))
    assert (
        "jets: 400 rows for training and 100 held out, 4 columns, 2 of them modelled" in page.text
    )
    assert "1,234 rows with missing or infinite values were left out" in page.text
    assert "Labels were kept out of training" in page.text
    assert "constant: set in samples" in page.text and "equal to energy: copied" in page.text
    run = outcome()
    column = run.data.schema.columns[0]
    for value in (column.low, column.high, column.mean, column.std):
        assert f"\n{value:,.0f}\n" in page.text
    assert run.data.fingerprint in page.text


def test_settings_are_all_there_and_changed_ones_marked():
    run = outcome()
    html, page = plain()
    for key, _ in leaves(run.spec.config):
        assert f"\n{key}\n" in page.text
    assert "\ndata.source\njets.csv\n" in page.text.replace("\n\n", "\n")
    marked = re.findall(r'<tr class="set"><td><code>(.*?)</code>', html)
    default = dict(leaves(type(run.spec.config)()))
    expected = [key for key, value in leaves(run.spec.config) if value != default[key]]
    assert marked == [*expected, "data.source", "data.label"]
    assert "weight of generation against reconstruction" in page.text


def test_times_tell_what_was_trained():
    text = re.sub(r"\n+", "\n", plain()[1].text)
    assert "encode\n12.3 s\ncluster\nfrom the store\nmap\n5.0 s\nevaluate\n2.0 s\nfigures" in text
    text = re.sub(
        r"\n+",
        "\n",
        render(outcome(trained=(), seconds={"encode": 0.1, "cluster": 0.1, "map": 0.1}))[1].text,
    )
    assert (
        "encode\nfrom the store\ncluster\nfrom the store\nmap\nfrom the store\nWritten with" in text
    )
    assert f"torch {torch.__version__}" in text


def test_clusters_with_and_without_more_columns():
    text = re.sub(r"\n+", "\n", plain()[1].text)
    assert "Mapper distance\n0\n300\n75.00%\n0.125\n1\n100\n25.00%\n0.375\n" in text
    text = re.sub(r"\n+", "\n", render(outcome(model=clustered([300, 100])))[1].text)
    assert "Mapper distance" not in text and "1\n100\n25.00%\n" in text


def test_of_very_many_clusters_the_smallest_are_left_out():
    run = outcome(model=clustered(list(range(1, 1004))))
    text = re.sub(r"\n+", "\n", render(run)[1].text)
    assert "Weight in sampling\n3\n4\n" in text and "\n1002\n1,003\n" in text
    assert "\n3 smaller clusters are left out here.\n" in text


def test_what_may_be_chosen_is_listed():
    text = re.sub(r"\n+", "\n", plain()[1].text)
    assert "--cluster\nrows of this cluster only\n0 to 1\n" in text


def test_a_system_without_clusters_curves_or_pictures_has_no_such_section():
    html, page = render(
        outcome(artifacts={"train": Artifact()}, model=SimpleNamespace(options=()), seconds={})
    )
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert (
        links
        == [f"#{name}" for name in ids]
        == ["#scores", "#data", "#settings", "#origin", "#sample"]
    )


def test_the_sampling_command_is_what_a_shell_takes():
    run = outcome("my jets")
    page = Page(render_report(run, "my runs"))
    name = run.spec.run_id
    assert name.startswith("scgan-my-jets-")
    assert f"scgan sample {name} --store 'my runs' --num 100000 --out samples.parquet" in page.text


def test_a_captions_first_sentence_is_its_title():
    html, _ = render(outcome(), {"Latent space. Codes of 2.5 k rows. And more.": PICTURE})
    assert "<b>Latent space.</b> Codes of 2.5 k rows. And more." in html
    assert 'alt="Latent space"' in html


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (25.0, "25"), (0, "0"), (1e30, "1e+30"), (0.0123456, "0.01235"),
     (-96_832.2, "-96,832"), (1_234_567, "1,234,567"), (2**63, "9.223e+18"), (999.96, "1000")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_it_is_written_into_the_store_with_its_pictures(tmp_path):
    run, store = outcome(pictures={"Only picture": PICTURE}), ArtifactStore(str(tmp_path))
    path, html = write_report(run, store)
    assert path == f"{tmp_path}/{run.spec.run_id}/report.html"
    written = (tmp_path / run.spec.run_id / "report.html").read_text(encoding="utf-8")
    assert written == html and "<b>Only picture.</b>" in html


def test_images_have_attributes_and_no_columns(image_run):
    html = render_report(image_run.outcome, "runs")
    text = Page(html).text
    assert "48 training images, 12 held out · 32 x 32 pixels, colour, 2 attributes" in text
    assert (
        "faces: 48 images for training and 12 held out, 32 x 32 pixels, colour, 2 attributes."
        in text
    )
    assert (
        "Measured on images that no stage has seen" in text
        and "Fingerprint of the images and" in text
    )
    assert "Standard deviation" not in text and "Column" not in text
    data = image_run.outcome.data
    for place, name in enumerate(data.schema.attributes):
        train, test = int(data.train_labels[:, place].sum()), int(data.test_labels[:, place].sum())
        assert f"{name}\n{train}\n{train / 48:.1%}\n\n{test}\n" in text.replace("\n\n\n", "\n\n")
    assert (
        f"scgan sample {image_run.outcome.spec.run_id} --store runs --num 100 --out samples.png"
        in text
    )
