"""Wrong input: one line, exit code 2, before anything trains; and odd input that is right."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scgan.data.tables.reading import read_table
from scgan.pipeline import executor as execution

ROOT = Path(__file__).parents[2]
SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TINY = ("--preset", "smoke", "--clusters.num_clusters", 4, *SHORT)
ROWS = 300


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with every kind of file that can't be used, and one that can."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    good = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.integers(0, 9, ROWS)})
    good.to_csv(folder / "good.csv", index=False)
    good.assign(kind=[f"x{i}" for i in range(300)]).to_csv(folder / "text.csv", index=False)
    good.assign(a=[1.0, np.nan, np.inf] * 100, b=[None, 2, 3] * 100).to_parquet(
        folder / "nan.parquet"
    )
    good[:30].to_csv(folder / "thirty.csv", index=False)
    good[:2].to_csv(folder / "two.csv", index=False)
    good.assign(a=1.0, b=2)[["a", "b"]].to_csv(folder / "constant.csv", index=False)
    good.rename(columns={"b": "a"}).to_csv(folder / "twice.csv", index=False)
    good.to_csv(folder / "index.csv")
    good.to_csv(folder / "nameless.csv", index=False, header=False)
    (folder / "empty.csv").touch()
    (folder / "empty.parquet").touch()
    (folder / "header.csv").write_text("a,b\n")
    (folder / "pickled.npy").write_bytes(pickle.dumps({"a": [1, 2]}))
    np.save(folder / "objects.npy", np.array([[{}], [1]], dtype=object), allow_pickle=True)
    np.save(folder / "flat.npy", np.zeros(9))
    np.savez(folder / "whole.npz", X=rng.normal(size=(ROWS, 3)))
    np.save(folder / "whole.npy", rng.normal(size=(ROWS, 3)))
    good.to_parquet(folder / "whole.parquet")
    for suffix in (".npz", ".npy", ".parquet"):
        content = (folder / f"whole{suffix}").read_bytes()
        (folder / f"cut{suffix}").write_bytes(content[: len(content) // 2])
    (folder / "notes.txt").write_text("a,b\n1,2\n")
    (folder / "folder").mkdir()
    return folder


# What follows `scgan fit`, {} being the folder of files; words that the line must hold.
FIT = [
    ("--system scgam", "unknown system 'scgam'; did you mean 'scgan'?"),
    ("--data chekerboard", "unknown data 'chekerboard'; did you mean 'checkerboard'?"),
    ("--preset smok", "unknown preset 'smok' of scgan; did you mean 'smoke'?"),
    ("--decoder.lamda_x 1", "unknown setting 'decoder.lamda_x'; did you mean 'decoder.lambda_x'?"),
    ("--lambda_x 1", "unknown setting 'lambda_x'; did you mean 'decoder.lambda_x'?"),
    ("--set lambda_eps=1", "unknown setting 'lambda_eps'; did you mean 'mappers.lambda_eps'?"),
    ("--data.missin drop", "unknown setting 'data.missin'; did you mean 'data.missing'?"),
    ("--stor x", "unknown setting 'stor'; did you mean '--store'?"),
    ("--resources.num_workers 2", "resources.num_workers is for ray_jobs/full_pipeline.py"),
    ("what", "don't know what 'what' means here; settings are KEY=VALUE or --KEY VALUE"),
    ("--set what", "don't know what 'what' means here"),
    ("--decoder.width", "--decoder.width needs a value"),
    ("--decoder.width --seed 1", "--decoder.width needs a value"),
    ("--seed -1", "'--seed': -1 is not in the range 0<=x<=2147483647"),
    ("--seed one", "'--seed': 'one' is not a valid integer"),
    (
        "--clusters.num_clusters 0",
        "clusters.num_clusters: input should be greater than or equal to 1 (given: '0')",
    ),
    (
        "--clusters.num_clusters -3",
        "clusters.num_clusters: input should be greater than or equal to 1 (given: '-3')",
    ),
    (
        "--clusters.num_clusters 1000000",
        "clusters.num_clusters: input should be less than or equal to 100000",
    ),
    (
        "--data {}/good.csv --clusters.num_clusters 241",
        "clusters.num_clusters is 241, but there are only 240 training",
    ),
    (
        "--decoder.lambda_x -1",
        "decoder.lambda_x: input should be greater than or equal to 0 (given: '-1')",
    ),
    ("--decoder.lambda_x nan", "decoder.lambda_x: input should be a finite number"),
    ("--decoder.lambda_x=-inf", "decoder.lambda_x: input should be a finite number"),
    ("--decoder.lambda_x much", "decoder.lambda_x: input should be a valid number"),
    (
        "--mappers.lambda_eps -0.1",
        "mappers.lambda_eps: input should be greater than 0 (given: '-0.1')",
    ),
    ("--encoder.width 0", "encoder.width: input should be greater than or equal to 1"),
    ("--encoder.width 9999999999", "encoder.width: input should be less than or equal to 8192"),
    ("--decoder.width 1.5", "decoder.width: input should be a valid integer"),
    ("--encoder.batch_size 0", "encoder.batch_size: input should be greater than or equal to 2"),
    ("--encoder.code_dim 0", "encoder.code_dim: input should be greater than or equal to 1"),
    ("--encoder.num_samples 0", "encoder.num_samples: input should be greater than or equal to 1"),
    ("--encoder.temperature 0", "encoder.temperature: input should be greater than 0"),
    (
        "--decoder.latent wrong",
        "decoder.latent: input should be 'gaussian', 'centres', 'mapping' or 'real'",
    ),
    (
        "--data.num_train 0",
        "data.num_train: input should be greater than or equal to 2 (given: '0')",
    ),
    (
        "--data.num_train 9999999999999",
        "data.num_train: input should be less than or equal to 100000000",
    ),
    ("--data.num_test 19", "checkerboard: 19 test rows are too few to score a run"),
    ("--data.test_fraction 1.5", "data.test_fraction: input should be less than 1 (given: '1.5')"),
    (
        "--data.missing perhaps",
        "data.missing: input should be 'error', 'drop' or 'model' (given: 'perhaps')",
    ),
    ("--data=", "data.source: string should have at least 1 character"),
    (
        "--data checkerboard --data.label x0",
        "'checkerboard' is a toy set: it has no --data.label to choose",
    ),
    ("--data {}/god.csv", "god.csv: there is no such file or folder; did you mean 'good.csv'?"),
    (
        "--data {}/folder",
        "folder: no table and no images in this folder; allowed are .npy, .npz, .csv, .parquet",
    ),
    (
        "--data {}/notes.txt",
        "notes.txt: unknown kind of file '.txt'; allowed are .npy, .npz, .csv, .parquet",
    ),
    ("--data {}/empty.csv", "empty.csv: the file is empty"),
    ("--data {}/empty.parquet", "empty.parquet: the file is empty"),
    ("--data {}/header.csv", "header.csv: there are no rows"),
    (
        "--data {}/cut.npz",
        "cut.npz: can't be read as .npz, it is damaged, cut short or another format",
    ),
    (
        "--data {}/cut.npy",
        "cut.npy: can't be read as .npy, it is damaged, cut short or another format",
    ),
    (
        "--data {}/cut.parquet",
        "cut.parquet: can't be read as .parquet, it is damaged, cut short or another format",
    ),
    ("--data {}/pickled.npy", "pickled.npy: holds pickled Python objects, which are never loaded"),
    ("--data {}/objects.npy", "objects.npy: holds pickled Python objects, which are never loaded"),
    ("--data {}/flat.npy", "flat.npy: the array has shape [9]; a table needs [rows, columns]"),
    (
        "--data {}/text.csv",
        "column 'kind' holds text: 300 different values in 300 rows, an identifier or free text "
        "('x0' in row 1); leave it out with --data.columns, or name it as",
    ),
    (
        "--data {}/text.csv --data.label kin",
        "text.csv: there is no label 'kin'; did you mean 'kind'?",
    ),
    (
        "--data {}/text.csv --data.columns a,kindd",
        "text.csv: there is no column 'kindd'; did you mean 'kind'?",
    ),
    ("--data {}/text.csv --data.columns=", "text.csv: no columns are left to model"),
    (
        "--data {}/nan.parquet",
        "no value in 'a' (200), 'b' (100): 300 of 300 rows; --data.missing drop goes on",
    ),
    ("--data {}/nan.parquet --data.missing drop", "nan.parquet: no rows are left without NaN"),
    ("--data {}/two.csv", "two: 2 rows give 2 to train, 0 to test; each needs at least 2"),
    (
        "--data {}/thirty.csv",
        "thirty: 6 test rows are too few to score a run; give more rows, or another",
    ),
    (
        "--data {}/constant.csv",
        "constant: all columns are constant (a, b); there is nothing to learn",
    ),
    ("--data {}/twice.csv", "twice.csv: column 'a' appears 2 times; rename one"),
    ("--data {}/index.csv", "index.csv: column 1 has no name; name it, or save without the index"),
    ("--data {}/nameless.csv", "nameless.csv: the first line holds numbers"),
    ("--data s3://", "'s3://' names no object; give s3://bucket/key"),
    ("--store /dev/null/store", "the store '/dev/null/store' can't be written: Not a directory"),
    ("--store {}/good.csv", "can't be written: File exists"),
    ("--store s3://", "the store 's3://' names no bucket; give s3://bucket/prefix"),
    ("--store gs://bucket/x", "the store 'gs://bucket/x' is neither a folder nor an s3:// address"),
    ("--json=yes", "'--json' does not take a value"),
]

OTHERS = [
    ("fitt", "unknown command 'fitt'; did you mean 'fit'?"),
    ("systems scgam", "unknown system 'scgam'; did you mean 'scgan'?"),
    ("sample", "Missing argument 'RUN'"),
    ("sample scgan-x", "Missing option '--out'"),
    (
        "sample scgan-x --out {}/s.xlsx",
        "s.xlsx: samples can be written as .parquet, .csv, .npz, .npy, .csv.gz",
    ),
    (
        "sample scgan-x --out /dev/null/s.csv",
        "/dev/null/s.csv: can't be written: /dev/null is no folder",
    ),
    ("sample scgan-x --out {}/s.csv --num 0", "'--num': 0 is not in the range"),
    ("sample scgan-x --out {}/s.csv --cluster", "--cluster needs a value"),
    (
        "sample scgan-x --out {}/s.csv --store {}/none",
        "there is no store '{}/none'; name the folder or s3:// address",
    ),
    (
        "sample scgan-x --out {}/s.csv --store {}/folder",
        "no run 'scgan-x' in the store '{}/folder'",
    ),
    ("sample ../x --out {}/s.csv --store {}/folder", "no run '../x' in the store '{}/folder'"),
    ("evaluate", "give a run's name, or both --samples and --reference"),
    ("evaluate --samples {}/good.csv", "give a run's name, or both --samples and --reference"),
    ("evaluate x --samples {}/good.csv", "give a run's name, or both --samples and --reference"),
    (
        "evaluate x --data.label a",
        "--data.label goes with --samples; a run has its own",
    ),
    ("evaluate x --store {}/folder", "no run 'x' in the store '{}/folder'"),
    (
        "evaluate --samples {}/good.csv --reference {}/god.csv",
        "god.csv: there is no such file or folder; did you mean",
    ),
    (
        "evaluate --samples {}/whole.npy --reference {}/good.csv",
        "whole.npy: there is no column 'a'",
    ),
    (
        "evaluate --samples {}/good.csv --reference {}/thirty.csv",
        "got 300 and 15: draw more samples or hold out more",
    ),
    ("report x --store {}/folder", "no run 'x' in the store '{}/folder'"),
]


@pytest.fixture
def nothing_trains(monkeypatch, tmp_path):
    def trained(*args, **how):
        raise AssertionError("something was trained")

    monkeypatch.setattr(execution, "fit_part", trained)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


def assert_refused(said, message, seconds=0.0, *, allowed=5.0):
    assert (said.code, said.out) == (2, ""), said
    (line,) = said.err.splitlines()
    assert line.startswith("error: ") and message in line
    assert len(line) < 400 and "Traceback" not in line and "pydantic" not in line
    assert seconds < allowed


@pytest.mark.parametrize(("words", "message"), FIT)
def test_fit_refuses(scgan_command, nothing_trains, files, tmp_path, words, message):
    start = time.monotonic()
    store = () if "--store" in words else ("--store", tmp_path / "runs")
    said = scgan_command("fit", *(word.format(files) for word in words.split(" ")), *store)
    assert_refused(said, message.replace("{}", str(files)), time.monotonic() - start)
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize(("words", "message"), OTHERS)
def test_other_commands_refuse(scgan_command, nothing_trains, files, words, message):
    start = time.monotonic()
    said = scgan_command(*(word.replace("{}", str(files)) for word in words.split(" ")))
    assert_refused(said, message.replace("{}", str(files)), time.monotonic() - start)
    assert not (files / "none").exists() and not (files / "s.csv").exists()


def test_an_mlflow_server_that_is_not_there(scgan_command, nothing_trains, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    start = time.monotonic()
    said = scgan_command("fit", "--store", tmp_path)
    assert_refused(
        said, "MLflow at http://127.0.0.1:9 can't be used", time.monotonic() - start, allowed=12
    )


@pytest.mark.parametrize(
    "words", ["--store s3://bucket/runs", "--data s3://bucket/t.csv", "--data s3://bucket/folder"]
)
def test_an_s3_that_is_not_there(scgan_command, nothing_trains, tmp_path, monkeypatch, words):
    for name, value in (
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    start = time.monotonic()
    said = scgan_command(
        "fit", *words.split(" "), *(() if "--store" in words else ("--store", tmp_path))
    )
    assert_refused(
        said,
        'Could not connect to the endpoint URL: "http://127.0.0.1:9/',
        time.monotonic() - start,
    )


@pytest.mark.parametrize(
    ("program", "words", "message"),
    [
        ("scgan", ["fit", "--decoder.lamda_x", "1"], "did you mean 'decoder.lambda_x'?"),
        ("scgan", ["sample", "x", "--out", "s.csv"], "there is no store 'runs'"),
        ("job", ["--data", "chekerboard"], "did you mean 'checkerboard'?"),
        (
            "job",
            ["--resources.cpus_per_task", "0"],
            "resources.cpus_per_task: input should be greater than 0",
        ),
    ],
)
def test_real_commands_refuse(tmp_path, program, words, message):
    scgan, job = (
        [str(Path(sys.executable).parent / "scgan")],
        [sys.executable, str(ROOT / "ray_jobs/full_pipeline.py")],
    )
    command = [*(scgan if program == "scgan" else job), *words]
    start = time.monotonic()
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and message in line
    assert time.monotonic() - start < 20 and not [
        path for path in tmp_path.rglob("*") if path.is_file()
    ]


def samples_of(scgan_command, data, folder, *words):
    """Fit a table and draw 200 rows."""
    said = scgan_command("fit", "--data", data, "--store", folder / "runs", "--json", *TINY, *words)
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert all(np.isfinite(score["value"]) for score in result["scores"].values())
    out = folder / "samples.parquet"
    said = scgan_command(
        "sample", result["run"], "--store", folder / "runs", "--num", 200, "--out", out
    )
    assert said.code == 0, said.err
    return pd.read_parquet(out)


@pytest.mark.slow
def test_odd_columns_come_back_right(mlflow_here, scgan_command, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    frame = pd.DataFrame(
        {
            "constant": np.float32(2.5),
            "huge": 1e30 * x,
            "tiny": 1e-30 * x**2,
            "small": rng.integers(-3, 4, 400).astype(np.int8),
            "nothing": np.zeros(400, dtype=np.int64),
            "again": 1e30 * x,
            "far": 1e30 + 1e29 * rng.normal(size=400),
            "yes": x > 0,
            "large": 2**60 + rng.integers(0, 1000, 400),
        }
    )
    frame.to_parquet(tmp_path / "odd.parquet")
    longer = ("--decoder.num_samples", 150_000, "--encoder.num_samples", 30_000)
    made = samples_of(scgan_command, tmp_path / "odd.parquet", tmp_path, *longer)
    assert list(made.columns) == list(frame.columns) and (made.dtypes == frame.dtypes).all()
    assert (made["constant"] == np.float32(2.5)).all() and (made["nothing"] == 0).all()
    assert (made["again"] == made["huge"]).all() and made["huge"].nunique() > 100
    for name in ("huge", "tiny", "far"):
        spread, real = made[name].std(), frame[name].std()
        assert (
            0.2 * real < spread < 3 * real
            and abs(made[name].mean() - frame[name].mean()) < 3 * real
        )
    assert made["small"].between(-3, 3).all() and made["small"].nunique() > 2
    assert made["large"].between(2**60, 2**60 + 999).all() and made["large"].nunique() > 20
    assert set(made["yes"]) <= {True, False}


def test_one_column(mlflow_here, scgan_command, tmp_path):
    pd.DataFrame({"only": np.random.default_rng(0).normal(5, 2, 400)}).to_csv(
        tmp_path / "one.csv", index=False
    )
    made = samples_of(scgan_command, tmp_path / "one.csv", tmp_path)
    assert list(made.columns) == ["only"] and 2 < made["only"].mean() < 8


def test_two_hundred_columns_and_rows_without_values(mlflow_here, scgan_command, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 200))
    values[:40, 7] = np.nan
    np.save(tmp_path / "wide.npy", values)
    made = samples_of(scgan_command, tmp_path / "wide.npy", tmp_path, "--data.missing", "drop")
    assert made.shape == (200, 200) and np.isfinite(made.to_numpy()).all()
    assert read_table(tmp_path / "samples.parquet").names[:3] == ("x0", "x1", "x2")
