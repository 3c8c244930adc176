"""The command `scgan`, from a user's table to samples of it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scgan import __version__
from scgan.cli import commands
from scgan.cli import main as cli
from scgan.data.tables.reading import read_table
from scgan.pipeline import executor as execution
from scgan.pipeline import stored as runs
from scgan.store.artifacts import ArtifactStore
from scgan.systems.scgan import SYSTEM

SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 8192)
TINY = ("--preset", "smoke", "--clusters.num_clusters", 4, *SHORT)
TOY = ("--data", "ring", "--set", "data.num_train=600", "data.num_test=400", *TINY)
BIN = Path(sys.executable).parent


def user_table(rows=900, seed=0):
    rng = np.random.default_rng(seed)
    height = rng.normal(170.0, 10.0, rows)
    return pd.DataFrame(
        {
            "height in cm": height,
            "visits": rng.integers(2, 40, rows),
            "kind": rng.choice(["a", "b"], rows),
            "weight": np.float64(0.5) * height + rng.normal(size=rows),
        }
    )


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    frame = user_table()
    frame.loc[:19, "weight"] = np.nan
    path = tmp_path_factory.mktemp("data") / "people.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "of runs"


@pytest.fixture(scope="module")
def fit(csv, store, scgan_command):
    """A run on the table, as the user gets it: what was said, and the run's name."""
    words = (
        "fit",
        "--data",
        csv,
        "--data.missing",
        "drop",
        "--data.label",
        "kind",
        *TINY,
        "--store",
        store,
        "--json",
    )
    said = scgan_command(*words, "--seed", 5)
    assert said.code == 0, said.err
    return said, json.loads(said.out)["run"]


def scores_of(said):
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) == 1
    return json.loads(said.out)["scores"]


def test_a_run_ends_with_one_object_on_stdout(fit, store):
    said, run = fit
    (line,) = said.out.splitlines()
    result = json.loads(line)
    assert result["trained"] == ["encode", "cluster", "map", "decode", "refine"]
    assert (
        result["report"] == f"{store}/{run}/report.html"
        and Path(result["report"]).stat().st_size > 10_000
    )
    assert result["store"] == str(store) and result["run"].startswith("scgan-people-")
    assert {
        "sliced_wasserstein",
        "energy_distance",
        "off_support_fraction",
        "c2st_accuracy",
        "reconstruction_mse",
    } <= {*result["scores"]}
    for name in ("sliced_wasserstein", "energy_distance"):
        assert result["scores"][name]["value"] > 0 and result["scores"][name]["floor"] > 0


def test_progress_goes_to_stderr(fit):
    lines = fit[0].err.splitlines()
    assert (
        lines[0] == f"{fit[1]}: scgan on people, 704 training and 176 test rows, 3 modelled columns"
    )
    assert "20 rows with missing values were left out" in lines
    assert [line for line in lines if line.startswith("map")] and "in all" in lines[-1]


def test_a_database_lies_beside_the_results_where_nothing_else_is_said(fit, store):
    assert (store / "mlflow.db").stat().st_size > 0


def test_the_same_command_again_trains_nothing_and_says_how_to_go_on(
    fit, csv, store, scgan_command, monkeypatch
):
    monkeypatch.setattr(execution, "fit_part", None)
    words = (
        "fit",
        f"--data={csv}",
        "--set",
        "data.missing=drop",
        "data.label=kind",
        *TINY,
        "--store",
        store,
        "--seed=5",
    )
    report = store / fit[1] / "report.html"
    before = report.read_bytes()
    said = scgan_command(*words)
    assert said.code == 0, said.err
    assert said.err.count("from the store") == 7 and report.read_bytes() == before
    table, _, after = said.out.partition("report:")
    for name, score in scores_of(fit[0]).items():
        assert name in table and f"{score['value']:.4g}" in table
    lines = ("report:" + after).splitlines()
    assert lines[0] == f"report:  {report}"
    assert (
        lines[1]
        == f"sample:  scgan sample {fit[1]} --store '{store}' --num 100000 --out samples.parquet"
    )
    assert [line.split()[0] for line in lines[2:4]] == ["--cluster:", "--latent:"]
    new = f"--store '{store}' --data new.parquet --out clusters.parquet"
    assert lines[4] == f"cluster: scgan cluster {fit[1]} {new}"
    words = shlex.split(lines[5], comments=True)
    assert words[:-1] == ["compare:", "mlflow", "ui", "--backend-store-uri"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".npz"])
def test_samples_are_a_table_like_the_users(fit, csv, store, scgan_command, tmp_path, suffix):
    out = tmp_path / "new folder" / f"samples{suffix}"
    said = scgan_command("sample", fit[1], "--store", store, "--num", 500, "--out", out)
    assert said.code == 0 and said.out == f"500 samples of {fit[1]} in {out}\n"
    made, real = read_table(out), read_table(csv, label="kind", missing="drop")
    assert made.names == real.names == ("height in cm", "visits", "weight")
    assert made.num_rows == 500
    for name in real.names:
        assert made.columns[name].dtype == real.columns[name].dtype
    assert (
        150 < made.columns["height in cm"].mean() < 190 and 70 < made.columns["weight"].mean() < 100
    )
    assert 2 <= made.columns["visits"].min() and made.columns["visits"].max() <= 39


def drawn(scgan_command, run, store, path, *words):
    said = scgan_command(
        "sample", run, "--store", store, "--num", 300, "--out", path, *words, "--json"
    )
    assert said.code == 0, said.err
    assert json.loads(said.out) == {"run": run, "num": 300, "out": str(path)}
    return path.read_bytes()


def test_the_seed_alone_decides_samples(fit, store, scgan_command, tmp_path):
    first = drawn(scgan_command, fit[1], store, tmp_path / "a.csv", "--seed", 3)
    assert first == drawn(scgan_command, fit[1], store, tmp_path / "b.csv", "--seed", 3)
    assert first != drawn(scgan_command, fit[1], store, tmp_path / "c.csv", "--seed", 4)


def test_samples_of_a_cluster_and_of_a_latent_model(fit, store, scgan_command, tmp_path):
    stored = runs.open_run(fit[1], ArtifactStore(str(store)))
    weights = stored.artifacts["cluster"].tensors["counts"].double()
    weights /= weights.sum()

    def shares(*words):
        drawn(scgan_command, fit[1], store, tmp_path / "s.parquet", *words)
        x = stored.schema.encode(read_table(tmp_path / "s.parquet").columns)
        return stored.model.assign(x).bincount(minlength=len(weights)) / len(x)

    for cluster in range(len(weights)):
        own = shares("--cluster", cluster, "--latent", "real")
        assert own[cluster] > 1.5 * weights[cluster] and own.argmax() == cluster
    assert (shares("--latent", "real") - weights).abs().max() < 0.15
    different = {
        drawn(scgan_command, fit[1], store, tmp_path / "l.csv", "--latent", n)
        for n in stored.model.latents
    }
    assert len(different) == 4
    assert drawn(scgan_command, fit[1], store, tmp_path / "l.csv") in different


def test_evaluate_gives_the_scores_of_the_run(fit, store, scgan_command):
    said = scgan_command("evaluate", fit[1], "--store", store, "--json")
    assert scores_of(said) == scores_of(fit[0])
    table = scgan_command("evaluate", fit[1], "--store", store)
    assert (
        table.code == 0
        and table.out.splitlines()[0].strip() == fit[1]
        and "c2st_accuracy" in table.out
    )
    assert scores_of(
        scgan_command("evaluate", fit[1], "--store", store, "--seed", 6, "--json")
    ) != scores_of(fit[0])


def test_evaluate_anybodys_samples(csv, scgan_command, tmp_path):
    user_table(seed=1).to_csv(tmp_path / "good.csv", index=False)
    user_table(seed=1).assign(weight=0.0).to_csv(tmp_path / "bad.csv", index=False)
    how = ("--reference", csv, "--data.label", "kind", "--data.missing", "drop", "--json")
    good = scores_of(scgan_command("evaluate", "--samples", tmp_path / "good.csv", *how))
    bad = scores_of(scgan_command("evaluate", "--samples", tmp_path / "bad.csv", *how))
    assert abs(good["c2st_accuracy"]["value"] - 0.5) < 0.08 and bad["c2st_accuracy"]["value"] > 0.95
    assert good["sliced_wasserstein"]["value"] < 2 * good["sliced_wasserstein"]["floor"]
    assert bad["sliced_wasserstein"]["value"] > 5 * bad["sliced_wasserstein"]["floor"]
    how = ("--reference", csv, "--data.columns", "height in cm,visits", "--json")
    chosen = scores_of(scgan_command("evaluate", "--samples", tmp_path / "bad.csv", *how))
    assert abs(chosen["c2st_accuracy"]["value"] - 0.5) < 0.08


def test_report_is_written_again(fit, store, scgan_command):
    path = store / fit[1] / "report.html"
    path.unlink()
    said = scgan_command("report", fit[1], "--store", store)
    assert (said.code, said.out) == (0, f"{path}\n") and path.stat().st_size > 10_000


def test_the_systems(scgan_command):
    lines = scgan_command("systems").out.splitlines()
    assert "scgan: table, such as checkerboard; presets closest, default, paper, smoke" in lines
    assert "eigengan: images, such as digits; presets default, paper, smoke" in lines
    assert "smoke" in json.loads(scgan_command("systems", "--json").out)["scgan"]
    lines = scgan_command("systems", "scgan").out.splitlines()
    assert "decoder.lambda_x = 30.0" in lines and "clusters.num_clusters = none" in lines
    config = json.loads(scgan_command("systems", "scgan", "--json").out)
    assert config == SYSTEM.presets["default"].model_dump(mode="json")


def test_help_and_version(scgan_command):
    assert "Commands:" in scgan_command().out and scgan_command().code == 0
    assert "--data" in scgan_command("fit", "--help").out
    assert __version__ in scgan_command("--version").out


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "decoder.lambda_x=0.5", "decoder.width=64", "data.num_train=600"),
        ("--set", "decoder.lambda_x=0.5", "--set", "decoder.width=64", "--set=data.num_train=600"),
        ("--decoder.lambda_x", "0.5", "--decoder.width", "64", "--data.num_train", "600"),
        ("--decoder.lambda-x=0.5", "--decoder.width=64", "--data.num-train=600"),
        ("--data.num-train", "600", "decoder.width=64", "--set", "decoder.lambda_x=5e-1"),
    ],
)
def test_every_way_to_say_a_setting(scgan_command, monkeypatch, words):
    specs = []
    monkeypatch.setattr(commands, "run_and_show", lambda spec, *args, **how: specs.append(spec))
    assert scgan_command("fit", *words).code == 0
    (spec,) = specs
    assert (spec.config.decoder.lambda_x, spec.config.decoder.width, spec.data.num_train) == (
        0.5,
        64,
        600,
    )
    assert spec.config.decoder.num_layers == SYSTEM.presets["default"].decoder.num_layers


def test_a_value_keeps_its_signs():
    spec, _ = commands.build_spec(
        "scgan", "a-b.csv", "default", ["data.label=a-b=c"], ["--data.columns=x-1,y"], 0
    )
    assert (spec.data.source, spec.data.label, spec.data.columns) == (
        "a-b.csv",
        "a-b=c",
        ("x-1", "y"),
    )


def test_a_training_that_fails_ends_with_1(mlflow_here, scgan_command, tmp_path):
    said = scgan_command("fit", *TOY, "--encoder.learning_rate", "1e30", "--store", tmp_path)
    assert said.code == 1 and said.out == ""
    assert said.err.splitlines()[-1].startswith("error: encode: ") and "Traceback" not in said.err


def test_a_traceback_for_who_asks(scgan_command, monkeypatch):
    monkeypatch.setenv("SCGAN_DEBUG", "1")
    with pytest.raises(ValueError, match="unknown preset"):
        scgan_command("fit", "--preset", "nope")


def test_an_interruption_says_how_to_go_on(scgan_command, monkeypatch):
    def interrupted(*args, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "run_and_show", interrupted)
    said = scgan_command("fit")
    assert said.code == 130 and "the same command goes on" in said.err


@pytest.mark.slow
def test_a_real_command_keeps_stdout_clean_and_logs_where_it_is_told(tmp_path):
    uri = f"sqlite:///{tmp_path}/elsewhere/theirs.db"
    command = [
        str(BIN / "scgan"),
        "fit",
        *map(str, TOY),
        "--store",
        str(tmp_path / "runs"),
        "--json",
    ]
    environment = {**commands.os.environ, "MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["trained"] == ["encode", "cluster", "map", "decode", "refine"]
    assert "encode: starting" in done.stderr and "Warning" not in done.stderr
    assert (tmp_path / "elsewhere" / "theirs.db").exists() and not (
        tmp_path / "runs" / "mlflow.db"
    ).exists()
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere", "runs"}


def test_the_entry_point_is_the_guarded_command(monkeypatch):
    ran = []
    monkeypatch.setattr(commands, "guarded", ran.append)
    cli.main()
    assert ran == [cli.cli]
