"""SC-GAN's tables from results that are made up: means and deviations beside published values."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from scgan import reproductions
from scgan.reproductions import Result, markdown_table, mean_and_std, plain_values

POINTS = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))


def made_up(cell, mse):
    scores = {
        "reconstruction_mse_data_units": SimpleNamespace(value=mse, floor=None),
        "sliced_wasserstein": SimpleNamespace(value=0.06, floor=0.02),
        "off_support_fraction": SimpleNamespace(value=0.004, floor=None),
    }
    return Result(cell, scores, POINTS, POINTS)


def test_scgans_tables_are_means_over_seeds_beside_what_was_published():
    module = reproductions.load("scgan")
    ((*groups,),) = module.rounds([0, 1], 0.01, None)
    trained = [cell for group in groups for cell in group]
    assert len(groups) == 2 * len(module.PUBLISHED) and len(trained) == 4 * len(groups)
    assert {cell.spec.config.decoder.latent for cell in groups[0]} == set(module.LATENTS)
    assert [group[0].spec.seed for group in groups[:1] + groups[-1:]] == [0, 1]

    pages = module.render([made_up(cell, 0.1 + 0.2 * cell.spec.seed) for cell in trained])
    (line,) = [row for row in pages.markdown.splitlines() if row.startswith("| abs | **0.2")]
    cells = {name: "**0.2 ± 0.1**" for name in module.LATENTS} | {"real": "0.2 ± 0.1"}
    published = [f"{cells[name]} ({module.PUBLISHED['abs'][name]:.3f})" for name in module.LATENTS]
    assert line == "| abs | " + " | ".join(published) + " |"
    # Over the floor; real codes are no model, so never the best.
    assert "| abs | **3 ± 0** | **3 ± 0** | **3 ± 0** | 3 ± 0 |" in pages.markdown
    assert pages.rows[0]["sliced_wasserstein_floor"] == 0.02
    assert "off_support_fraction_floor" not in plain_values(made_up(trained[0], 1.0))
    assert list(pages.figures) == ["figure3.png"]


def test_a_missing_cell_is_a_dash_and_its_set_is_not_pictured():
    module = reproductions.load("scgan")
    ((first, *_),) = module.rounds([0], 0.01, None)
    second = module.rounds([0], 0.01, None)[0][1]
    pages = module.render([made_up(cell, 0.5) for cell in [*first, *second[1:]]])
    assert "| checkerboard | - (0.337) | **0.5** (0.034) |" in pages.markdown
    assert len(pages.figures["figure3.png"].axes) == len(module.LATENTS) + 1


def test_the_better_latent_model_is_in_bold():
    module = reproductions.load("scgan")
    group = module.rounds([0], 0.01, None)[0][0]
    mse = {"gaussian": 0.4, "centres": 0.2, "mapping": 0.3, "real": 0.1}
    pages = module.render([made_up(cell, mse[cell.column]) for cell in group])
    cells = {name: f"{value:.1g}" for name, value in mse.items()} | {"centres": "**0.2**"}
    published = module.PUBLISHED[group[0].row]
    line = " | ".join(f"{cells[name]} ({published[name]:.3f})" for name in module.LATENTS)
    assert f"| {group[0].row} | {line} |" in pages.markdown


def test_numbers_and_tables_of_markdown():
    assert [mean_and_std(values, 2) for values in ([], [0.123], [1.0, 3.0])] == [
        "-",
        "0.12",
        "2 ± 1",
    ]
    assert mean_and_std([12345.6], 3) == "12,346"
    assert markdown_table(["", "a"], {"x": ["1"]}) == "|  | a |\n| --- | --- |\n| x | 1 |"


def test_scgans_tables_take_no_data():
    with pytest.raises(ValueError, match="the paper's own sets"):
        reproductions.load("scgan").rounds([0], 1.0, "mine.csv")
