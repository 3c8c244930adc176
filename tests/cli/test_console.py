"""What a person sees: lines in a log, bars in a terminal, the table of scores."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

from scgan.cli import console
from scgan.cli.console import Terminal, print_table, score_table
from scgan.data.dataset import Dataset
from scgan.data.images.schema import ImageSchema
from scgan.data.tables.schema import Schema
from scgan.metrics.scores import Score
from scgan.pipeline.executor import Usage
from scgan.store.artifacts import Artifact
from scgan.training.runtime import Progress

SCORES = {
    "good": Score(0.03, 0.029, "lower"),
    "bad": Score(0.3, 0.1, "lower"),
    "alone": Score(3.0, None, "higher"),
    "no_floor": Score(0.5, 0.0, "lower"),
}


def started(terminal, name="data"):
    spec = SimpleNamespace(run_id="scgan-x-1234", system="scgan")
    schema = Schema.fit({column: np.arange(4) * (i + 1) for i, column in enumerate("abc")})
    terminal.run_started(
        spec,
        Dataset(
            name, torch.zeros(1200, 3), torch.zeros(300, 3), schema, None, None, None, "", dropped=2
        ),
    )


def test_columns_that_others_tell_are_said(capsys):
    rng = np.random.default_rng(0)
    x, y, mass = rng.normal(size=(3, 400))
    columns = {"x": x, "y": y, "both": x + y, "e": np.sqrt(x**2 + y**2 + 0.01 * mass**2)}
    schema = Schema.fit(columns).related(columns)
    rows = schema.encode(columns)
    spec = SimpleNamespace(run_id="scgan-x-1234", system="scgan")
    data = Dataset("data", rows, rows, schema, None, None, None, "", dropped=0)
    Terminal().run_started(spec, data)
    said = " ".join(capsys.readouterr().err.split())
    assert "columns that others tell (--data.relations): both = x + y, e ≈ √(x² + y²)" in said


def test_images_are_called_images(capsys):
    schema = ImageSchema(3, 64, ("cat", "dog"), "one")
    images = Dataset(
        "pets",
        torch.zeros(5, 3, 64, 64),
        torch.zeros(2, 3, 64, 64),
        schema,
        None,
        None,
        None,
        "",
        3,
    )
    Terminal().run_started(SimpleNamespace(run_id="eigengan-pets-1234", system="eigengan"), images)
    assert capsys.readouterr().err.splitlines() == [
        "eigengan-pets-1234: eigengan on pets, 5 training and 2 test images, 64 x 64 pixels, "
        "colour, 2 classes",
        "3 damaged images were left out",
    ]


def test_a_log_gets_whole_lines(capsys):
    terminal = Terminal()
    started(terminal, name="a table with a long name " * 5 + "[/b].csv")
    terminal.stage_started("map", 16)
    terminal.progress("map", Progress(500, 1000, {"loss": 0.5}, 1.0))
    terminal.stage_finished(
        "map", Artifact(meta={"notes": ["2 [small] clusters were dissolved"]}), 3.21
    )
    terminal.stage_finished("decode", Artifact(), None)
    terminal.run_finished(None)
    terminal.say_time()
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert (
        lines[0].startswith("scgan-x-1234: scgan on a table")
        and "[/b].csv, 1,200 training and 300" in lines[0]
    )
    assert lines[0].endswith("test rows, 3 modelled columns")
    assert lines[1:-1] == [
        "2 rows with missing values were left out",
        "map x16: starting",
        "map: 2 [small] clusters were dissolved",
        "map: done in 3.2 s, 1.0 s of it training",
        "decode: from the store",
    ]
    assert lines[-1].endswith("s in all, 1.0 s of it training")


def test_a_log_hears_of_progress_now_and_then(capsys, monkeypatch):
    terminal = Terminal()
    started(terminal)
    terminal.stage_started("encode", 1)
    for name in ("PLAIN_EVERY", "PLAIN_MOST"):
        monkeypatch.setattr(console, name, -1.0)
    terminal.progress("encode", Progress(2_000, 8_000, {"loss": 0.25}, 2.0))
    monkeypatch.setattr(console, "PLAIN_EVERY", 1000.0)
    terminal.progress("encode", Progress(4_000, 8_000, {"loss": 0.25}, 4.0))
    terminal.run_failed(ValueError())
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "encode: 2k/8k samples  1k/s  loss 0.25  6 s left"


def test_a_terminal_gets_bars(monkeypatch):
    screen = io.StringIO()
    terminal = Terminal()
    terminal.console = terminal.bars.live.console = Console(
        file=screen, force_terminal=True, width=120
    )
    terminal.bars.disable = False
    started(terminal)
    terminal.stage_started("encode", 1)
    terminal.stage_started("map", 16)
    terminal.units_fitted("map", 4, 16)
    terminal.resources_used(Usage(2, 4.0, 2.5, 8.0, 4.0, 1.234))
    terminal.progress("encode", Progress(2_000_000, 8_000_000, {"loss": 0.25}, 2.0))
    terminal.bars.refresh()
    terminal.stage_finished("encode", Artifact(), 3.0)
    terminal.stage_finished("map", Artifact(), 1.0)
    terminal.run_finished(None)
    shown = screen.getvalue()
    assert "2M/8M samples  1M/s  loss 0.25" in shown and "━" in shown
    assert "map 4/16" in shown and "nodes 2  GPUs 2.5/4  cost 1.23" in shown
    assert "done in 3.0 s" in shown and "starting\n" not in shown
    assert terminal.bars.finished


def test_a_log_says_where_a_job_is(capsys, monkeypatch):
    terminal = Terminal()
    started(terminal)
    for name in ("PLAIN_EVERY", "PLAIN_MOST"):
        monkeypatch.setattr(console, name, -1.0)
    terminal.stage_started("map", 16)
    terminal.units_fitted("map", 4, 16)
    terminal.resources_used(Usage(2, 4.0, 2.5, 8.0, 4.0, 1.234))
    terminal.progress("map", Progress(500, 1000, {"loss": 0.5}, 1.0))
    terminal.resources_used(Usage(1, 4.0, 2.5, 8.0, 4.0, 1.3))
    terminal.resources_used(Usage(1, 4.0, 2.0, 8.0, 4.0, 1.4))
    assert capsys.readouterr().err.splitlines()[2:] == [
        "map x16: starting",
        "map: 4/16 units  500/1k samples  500/s  loss 0.5  1 s left  nodes 2  GPUs 2.5/4  "
        "cost 1.23",
        "nodes 1  GPUs 2.5/4  cost 1.30",
    ]


def test_a_log_of_a_night_is_no_flood(capsys, monkeypatch):
    """Ten hours: a line every five seconds at first, every five minutes at last."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: clock.now))
    terminal = Terminal()
    terminal.stage_started("encode", 1)
    for second in range(0, 36_000, 3):
        clock.now = float(second)
        terminal.progress("encode", Progress(second, 36_000, {}, clock.now))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("/")[0] for line in lines[1:4]] == ["encode: 6", "encode: 12", "encode: 18"]
    last = [line.split("/")[0] for line in lines[-2:]]
    assert last == ["encode: 35.5k", "encode: 35.8k"] and 100 < len(lines) < 300


@pytest.mark.parametrize("title", ["scgan-x", "a[/b].csv against b[1].csv"])
def test_the_table_of_scores(capsys, title):
    print_table(score_table(SCORES, title))
    out, err = capsys.readouterr()
    rows = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:5]]
        for line in out.splitlines()[4:-1]
    }
    assert err == "" and out.splitlines()[0].strip() == title
    assert rows == {
        "good": ["0.03", "0.029", "1.03"],
        "bad": ["0.3", "0.1", "3.00"],
        "alone": ["3", "", ""],
        "no_floor": ["0.5", "0", ""],
    }
