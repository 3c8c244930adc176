"""The race at a tiny size: what is trained and what is not again, what is scored, what is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ray_jobs.benchmarks import courses, magic, race, race_report
from ray_jobs.benchmarks.courses import View
from ray_jobs.benchmarks.training import Peer
from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.metrics.scores import Score

SMALL = DataConfig(source="checkerboard", num_train=300, num_test=400)


class Draws(Peer):
    """Draws rows that it is given, again and again."""

    def __init__(self, rows=None):
        self.rows, self.fits, self.asked = rows, [], []

    def fit(self, x, seconds, seed):
        self.rows, self.num_parameters = x, 7
        self.fits.append((len(x), seconds, seed))

    def sample(self, num, seed):
        self.asked.append((num, seed))
        return self.rows[torch.arange(num) % len(self.rows)]


@pytest.fixture
def fast(monkeypatch):
    """One peer that copies, another that does the same, and samples that are few."""
    made = []

    def make():
        made.append(Draws())
        return made[-1]

    monkeypatch.setattr(race, "PEERS", {"gmm": make, "nsf": make})
    monkeypatch.setattr(race, "NEEDS", {"nsf": "no_such_package"})
    monkeypatch.setattr(race, "NUM_SAMPLES", 200)
    return made


def scored(view, peer, seed):
    return {"coverage": Score.of("coverage", 0.5 + seed / 10, 0.9)}


def test_what_has_a_result_is_not_trained_again(fast, tmp_path, capsys) -> None:
    how = {"folder": tmp_path, "peers": ("gmm", "nsf"), "columns": ("encoded", "raw")}
    race.Race(budget=1.0, seeds=2, **how).run({"board": SMALL}, scored)
    assert "nsf is left out: it needs no_such_package" in capsys.readouterr().out
    assert [fit for peer in fast for fit in peer.fits] == [(300, 1.0, s) for s in (0, 0, 1, 1)]
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {(r["data"], r["peer"], r["columns"], r["seed"]) for r in lines} == {
        ("board", "gmm", columns, seed) for columns in ("encoded", "raw") for seed in (0, 1)
    }
    assert lines[0]["scores"] == {"coverage": [0.5, 0.9]} and lines[0]["parameters"] == 7
    assert lines[0]["samples_per_second"] > 0 and lines[0]["training_seconds"] >= 0

    race.Race(budget=1.0, seeds=3, **how).run({"board": SMALL}, scored)
    assert [peer.fits[0][2] for peer in fast[4:]] == [2, 2]
    race.Race(budget=2.0, seeds=1, **how).run({"board": SMALL}, scored)
    assert [peer.fits[0][1] for peer in fast[6:]] == [2.0, 2.0]


@pytest.mark.parametrize("third", ["a", ""])
def test_raw_columns_of_texts_and_of_gaps_are_left_out_and_said(fast, tmp_path, capsys, third):
    """Gaps are learned from: a table with some is raced as it is."""
    others = ("b", "c") if third else (0.5, 1.5)
    lines = [f"{i / 7},{third if i % 3 == 0 else others[i % 3 - 1]}" for i in range(300)]
    (tmp_path / "made.csv").write_text("\n".join(["x,y", *lines]) + "\n")
    how = {"folder": tmp_path, "peers": ("gmm",), "columns": ("encoded", "raw")}
    sources = {
        "made": DataConfig(source=str(tmp_path / "made.csv"), missing="model"),
        "board": SMALL,
    }
    race.Race(budget=1.0, seeds=1, **how).run(sources, scored)
    assert (
        "raw columns of made are left out: it has texts, times or gaps" in capsys.readouterr().out
    )
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    ran = [(row["data"], row["columns"]) for row in lines]
    assert ran == [("made", "encoded"), ("board", "encoded"), ("board", "raw")]


def test_scgan_runs_with_the_preset_and_the_length_that_are_asked_for(tmp_path, monkeypatch):
    asked = []

    class Ours(Draws):
        training_seconds = 3.0

        def __init__(self, view, *how):
            super().__init__()
            asked.append(how)

    monkeypatch.setattr(race, "SCGAN", Ours)
    hows = [("default", False), ("paper", False), ("paper", True)]
    for how in [*hows, hows[1]]:  # in one folder, so that each is trained once
        ours = race.Race(tmp_path, 1.0, 1, ("scgan",), ("encoded",), *how)
        ours.run({"board": SMALL}, scored)
    assert asked == hows
    rows = ours.results.read()
    assert [row["peer"] for row in rows] == ["scgan", "scgan paper", "scgan paper, own length"]
    assert {row["training_seconds"] for row in rows} == {3.0}  # the last training's alone


def test_a_table_is_scored_as_a_run_is_and_a_toy_by_its_density(monkeypatch) -> None:
    monkeypatch.setattr(race, "NUM_SAMPLES", 300)
    data = load(SMALL, seed=0)
    told = {}
    monkeypatch.setattr(
        race,
        "compare_rows",
        lambda x, test, train, seed, categorical: told.update(x=x, seed=seed) or {},
    )
    view = View(data, "raw")
    peer = Draws(view.train)
    scores = race.table_scores(view, peer, 5)
    torch.testing.assert_close(told["x"], data.train, rtol=1e-4, atol=1e-4)
    assert told["seed"] == 5 and peer.asked == [(300, 5)]
    assert scores["off_support_exact"].value == pytest.approx(0, abs=0.01)
    assert scores["dcr_share"].value > 0.9  # copies of training rows
    assert 0.4 < scores["c2st_network"].floor < 0.6
    far = race.table_scores(view, Draws(view.train + 9), 5)
    assert far["off_support_exact"].value > 0.9 and far["c2st_network"].value > 0.95
    xgboost = race.importlib.util.find_spec("xgboost")
    assert ("detection_xgboost" in far) == (xgboost is not None)
    assert xgboost is None or far["detection_xgboost"].value < 0.1


def test_rows_that_are_not_finite_are_left_out_and_said(capsys) -> None:
    rows = torch.tensor([[1.0, 2.0], [float("nan"), 0.0], [3.0, float("inf")]])
    assert race._finite(rows).tolist() == [[1.0, 2.0]]
    assert "2 of 3 samples are not finite" in capsys.readouterr().err


def test_modes_are_judged_by_many_samples_beside_what_training_rows_get(monkeypatch) -> None:
    mixture = courses.Mixture.draw(8, 2)
    monkeypatch.setattr(race, "NUM_MODE_SAMPLES", 900)
    monkeypatch.setattr(race, "table_scores", lambda view, peer, seed: {"first": "of a table"})

    class Plain:
        train = mixture.centres[torch.tensor([0, 0, 0, 1])]

        def decode(self, z):
            return {"x0": z[:, 0].numpy(), "x1": z[:, 1].numpy()}

    one_mode = Draws(mixture.centres[:1])
    found = race.scores_of_mixture(mixture)(Plain(), one_mode, 3)
    assert found["first"] == "of a table" and one_mode.asked == [(900, 3)]
    assert found["modes_captured"].value == 1 and found["modes_captured"].floor == 2
    variation = found["modes_total_variation"]
    assert variation.value == pytest.approx(1 - float(mixture.weights[0]), abs=1e-5)
    first, second = mixture.weights[:2].tolist()
    assert variation.floor == pytest.approx(0.75 - first + 0.25 - second, abs=0.03)


def run_of(peer, seed, c2st, columns="raw", **more):
    scores = {"c2st_accuracy": [c2st, 0.5], "coverage": [0.9, 0.95], **more}
    cost = {"training_seconds": 99.6, "samples_per_second": 1e6, "parameters": 1234}
    key = {"data": "magic", "peer": peer, "columns": columns, "seed": seed, "budget": 100.0}
    return {**key, **cost, "scores": scores}


ROWS = [
    run_of("gmm", 0, 0.60),
    run_of("gmm", 1, 0.62),
    run_of("nsf", 0, 0.52),
    run_of("nsf", 1, 0.54, sliced_wasserstein=[0.2, 0.1]),
    run_of("scgan", 0, 0.55),
    run_of("scgan", 1, 0.57),
]


def test_the_report_says_who_is_best_and_where_we_are_behind() -> None:
    text = race_report.markdown(ROWS)
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()}
    assert text.startswith("### magic, 100 s")
    assert "**0.53 ± 0.01**" in lines["nsf, raw"] and "1,234" in lines["nsf, raw"]
    assert "0.61 ± 0.01" in lines["gmm, raw"] and "**0.61" not in lines["gmm, raw"]
    assert "0.56 ± 0.01" in lines["→ scgan, raw (ours)"]
    assert all("**0.9 ± 0**" in lines[name] for name in ("nsf, raw", "gmm, raw"))  # a tie
    assert lines["real rows"].startswith("| real rows | 0.5 ± 0 | 0.1 | 0.95 ± 0 |")
    assert lines["nsf, raw"].endswith("| 2 |")
    assert list(lines).index("→ scgan, raw (ours)") < list(lines).index("gmm, raw")
    other = [{**row, "peer": "scgan paper"} for row in ROWS[-2:]]
    names = [line.split(" | ")[0] for line in race_report.markdown([*ROWS, *other]).splitlines()]
    ours = [f"| → {name}, raw (ours)" for name in ("scgan", "scgan paper")]
    assert names.index("| gmm, raw") > max(map(names.index, ours))
    behind = "SC-GAN is behind in: Classifier accuracy (C2ST), trees (nsf, raw)."
    assert behind in text.splitlines()


def test_ratios_to_the_floor_have_a_spread() -> None:
    runs = [run_of("nsf", seed, 0.5, sliced_wasserstein=[0.2 + seed, 0.1]) for seed in range(2)]
    assert race_report.ratios_of(runs, "sliced_wasserstein") == pytest.approx([2.0, 12.0])
    assert race_report.ratios_of([run_of("nsf", 0, 0.5, shape=[0.9, None])], "shape") == []


def test_nothing_is_said_of_us_where_we_did_not_run() -> None:
    assert "behind" not in race_report.markdown(ROWS[:4])
    alone = [row for row in ROWS if row["peer"] == "scgan"]
    assert "SC-GAN is behind in: nothing." in race_report.markdown(alone)


def test_budgets_and_data_have_tables_of_their_own_and_magic_the_published_one() -> None:
    others = [{**ROWS[0], "budget": 300.0}, {**ROWS[0], "data": "magic_with_label"}]
    text = race_report.markdown([*ROWS, *others])
    assert text.count("### ") == 3 and "### magic, 300 s" in text
    assert text.count("| TabPC | 0.860 | 0.990 | 0.983 | 0.505 |") == 1
    figure = race_report.picture([*ROWS, *others])
    titles = ["magic, 100 s", "magic, 300 s", "magic_with_label, 100 s"]
    assert [ax.get_title("left") for ax in figure.axes] == titles
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["scgan, raw", "gmm, raw", "nsf, raw"]


@pytest.fixture
def labelled(tmp_path):
    """A table of two classes that differ in a column, as an archive with labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1200)
    X = np.column_stack([rng.normal(size=1200) + 2 * y, rng.normal(size=1200)])
    np.savez(tmp_path / "two.npz", X=X, y=np.where(y == 1, "hadron", "gamma"))
    return tmp_path / "two.npz"


def test_the_class_is_a_column_and_training_rows_are_what_is_compared_with(
    labelled, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "made" / "two_with_label.npz"
    magic.write_with_label(race.read_table(str(labelled), None, None, "error"), path)
    data = load(DataConfig(source=str(path), test_fraction=magic.TEST_FRACTION), seed=0)
    assert data.table_schema.names == ("x0", "x1", "label") and len(data.test) == 120

    copied = magic.scores(View(data, "raw"), Draws(View(data, "raw").train), 0)
    assert copied["shape"].value > 0.99 and copied["trend"].value > 0.99
    assert copied["beta_recall"].value > 0.95 and copied["alpha_precision"].value > 0.97
    assert copied["detection_logistic"].value > 0.97
    assert 0.5 < copied["dcr_share"].value < 0.65  # each part of nine holds a ninth of the copies
    assert copied["shape"].floor < 1 and copied["trend"].floor < 1

    view = View(data, "encoded")
    shuffled = view.train.clone()
    shuffled[:, 2] = view.train[:, 2].roll(500)  # the class goes with nothing any more
    lost = magic.scores(view, Draws(shuffled), 0)
    assert lost["shape"].value > 0.99 and lost["trend"].value < 0.9
    assert lost["beta_recall"].value < copied["beta_recall"].value - 0.1

    monkeypatch.setattr(magic.importlib.util, "find_spec", lambda name: None)
    assert "detection_xgboost" not in magic.scores(view, Draws(shuffled), 0)


def test_a_table_without_classes_is_refused(tmp_path) -> None:
    np.save(tmp_path / "plain.npy", np.ones((5, 2)) * np.arange(5)[:, None])
    table = race.read_table(str(tmp_path / "plain.npy"), None, None, "error")
    with pytest.raises(ValueError, match="no labels: give --label"):
        magic.write_with_label(table, tmp_path / "out.npz")


@pytest.fixture
def called(monkeypatch, scgan_command):
    """The command, with a race that only says what it would run."""
    seen = []
    monkeypatch.setattr(race.Race, "run", lambda self, sources, score: seen.append((self, sources)))

    def call(*words):
        group = race.click.Group()
        for command in (race.tables, race.toy2d, race.mixtures, race.magic):
            group.add_command(command)
        return scgan_command(*words, command=group)

    return call, seen


def test_commands_say_what_is_raced(called, tmp_path, labelled) -> None:
    call, seen = called
    at = ("--folder", tmp_path)
    assert call("tables", *at, "--data", "a/jets.csv@kind", "--data", "b.npz").code == 0
    assert {name: (c.source, c.label) for name, c in seen[0][1].items()} == {
        "jets": ("a/jets.csv", "kind"),
        "b": ("b.npz", None),
    }
    assert {c.missing for c in seen[0][1].values()} == {"model"}
    assert seen[0][0].budget == 100 and seen[0][0].seeds == 5
    assert seen[0][0].peers == race.NAMES and seen[0][0].columns == ("encoded", "raw")

    assert call("toy2d", *at, "--peers", "gmm,scgan", "--columns", "raw", "--rows", 50).code == 0
    assert list(seen[1][1]) == list(race.PAPER_TOYS) and seen[1][0].peers == ("gmm", "scgan")
    assert seen[1][1]["abs"].num_test == 50 and seen[1][0].columns == ("raw",)

    assert call("mixtures", *at, "--modes", 8, "--rows", 100).code == 0
    assert [list(sources) for _, sources in seen[2:]] == [
        [f"8 modes, {dim} dimensions"] for dim in (2, 8, 32)
    ]
    (config,) = seen[2][1].values()
    assert np.load(config.source).shape == (100, 2)

    assert (seen[2][0].preset, seen[2][0].own_length) == ("default", False)

    how = ("--preset", "closest", "--own-length")
    assert call("magic", *at, "--data", labelled, *how).code == 0
    assert (seen[-1][0].preset, seen[-1][0].own_length) == ("closest", True)
    assert seen[-1][1]["two_with_label"].test_fraction == 0.1


def test_what_is_wrong_is_said_in_a_line(called, tmp_path) -> None:
    call, seen = called
    said = call("toy2d", "--folder", tmp_path, "--peers", "gmn")
    assert said.code != 0 and said.err.strip().startswith(
        "error: unknown 'gmn'; did you mean 'gmm'"
    )
    said = call("tables", "--folder", tmp_path)
    assert said.code != 0 and "which tables? give --data PATH" in said.err and not seen


def test_the_report_alone_runs_nothing(called, tmp_path) -> None:
    call, seen = called
    assert call("tables", "--folder", tmp_path, "--report").out.strip() == "no results yet"
    lines = "\n".join(json.dumps(row) for row in ROWS)
    (tmp_path / "results.jsonl").write_text(lines + "\n")
    said = call("tables", "--folder", tmp_path, "--report")
    assert said.out.startswith("### magic, 100 s") and not seen
    assert (tmp_path / "race.md").read_text() == said.out
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")
