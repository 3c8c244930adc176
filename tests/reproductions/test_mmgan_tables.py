"""MMGAN's tables: the trainings they need, and made-up results beside what was published."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from scgan.reproductions import Result, mmgan

DIGITS = ("digits", "moons")


def made_up(cell, nmi):
    names = [*mmgan.SCORES, *mmgan.OURS]
    scores = {name: SimpleNamespace(value=nmi + i / 10, floor=None) for i, name in enumerate(names)}
    images = torch.zeros(30, 1, 28, 28)
    x = torch.rand(50, 2) if cell.row == "moons" else images
    return Result(cell, scores, x, x)


def cells_of(seeds, budget=0.5, source=None):
    (groups,) = mmgan.rounds(seeds, budget, source)
    return [cell for group in groups for cell in group]


def test_every_set_model_and_seed_is_trained():
    cells = cells_of([0, 7])
    assert {(cell.row, cell.column, cell.spec.seed) for cell in cells} == {
        (name, model, seed) for name in DIGITS for model in mmgan.MODELS for seed in (0, 7)
    }
    assert len(cells) == 4 * len(mmgan.MODELS)

    (paired,) = [c for c in cells[:8] if (c.row, c.column) == ("moons", mmgan.PAIRED)]
    (prior,) = [c for c in cells[:8] if (c.row, c.column) == ("moons", mmgan.UNPAIRED)]
    assert (paired.spec.config.gan.critic, paired.spec.config.gan.batches) == ("crasgan", "both")
    assert (prior.spec.config.gan.critic, prior.spec.config.gan.batches) == ("crasgan", "prior")
    own = {c.column: c.spec.config.gan.start for c in cells if c.spec.system == "mmgan"}
    assert (own.pop(mmgan.PAIRED), own.pop(mmgan.UNPAIRED)) == ("noise", "noise")
    assert set(own.values()) == {None}  # of images, views
    assert paired.spec.data.num_train == 20_000 and paired.spec.config.gan.num_samples == 480_000
    systems = {cell.column: cell.spec.system for cell in cells}
    assert (systems["GMVAE"], systems["AAE"], systems["ClusterGAN"]) == (
        "gmvae",
        "aae",
        "clustergan",
    )


def test_names_of_sets_are_the_tables():
    names = ["/data/COIL-20.zip", "s3://bucket/mnist.npz", "x/fashion_mnist", "coil-20/"]
    assert [mmgan.name_of(name) for name in names] == [
        "coil_20",
        "mnist",
        "fashion_mnist",
        "coil_20",
    ]


def test_a_table_is_no_set_of_images():
    with pytest.raises(ValueError, match="ring is no set of images with one class each"):
        mmgan.rounds([0], 1.0, "digits,ring")


def test_tables_are_means_over_seeds_beside_what_was_published():
    cells = [cell for cell in cells_of([0, 1]) if cell.row == "moons"]
    worse = {mmgan.PAIRED: 0.3}
    results = [made_up(c, worse.get(c.column, 0.6) + 0.02 * c.spec.seed) for c in cells]
    pages = mmgan.render(results)
    first, second = pages.markdown.split("### Table 2")
    assert "| MMGAN (RSGAN) | **0.61 ± 0.01** (0.76) | **0.71 ± 0.01** (0.81) |" in first
    assert f"| {mmgan.PAIRED} | 0.31 ± 0.01 (0.60) | 0.41 ± 0.01 (0.70) |" in first
    assert "no pairs" not in first and "AAE" not in second
    assert f"| {mmgan.UNPAIRED} | **0.61 ± 0.01** | **0.71 ± 0.01** |" in second  # none published
    mnist = [replace(result, cell=replace(result.cell, row="mnist")) for result in results]
    first, second = mmgan.render(mnist).markdown.split("### Table 2")
    assert f"| {mmgan.PAIRED} | 0.31 ± 0.01 (0.92) |" in first
    assert f"| {mmgan.PAIRED} | 0.31 ± 0.01 (0.91) |" in second
    assert f"| {mmgan.UNPAIRED} | **0.61 ± 0.01** (0.92) |" in second

    assert pages.rows[0]["model"] == "MMGAN (SGAN)" and pages.rows[0]["label_nmi"] == 0.6
    assert list(pages.figures) == ["samples_moons.png"]


def test_images_are_pictured_a_row_a_model():
    results = [made_up(cell, 0.5) for cell in cells_of([0]) if cell.row == "digits"]
    (figure,) = mmgan.render(results).figures.values()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [*mmgan.MODELS, "data"]


def test_published_rows_are_of_known_models():
    assert {model for _, model in mmgan.TABLE_1} < set(mmgan.MODELS)
    assert mmgan.TABLE_2["mnist", mmgan.UNPAIRED] == (0.92, 0.93, 0.96)
    assert mmgan.TABLE_1["moons", "MMGAN (RSGAN)"].purity == 0.95
