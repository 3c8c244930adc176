"""A file of settings: what flags can say, the same, and flags win over it."""

from __future__ import annotations

import logging

import pytest

from ray_jobs import full_pipeline, search
from scgan import systems
from scgan.cli import commands
from scgan.cli.config_file import dump
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.spec import Spec

ODD = DataConfig(
    source="a table.csv",
    columns=("plain", "with, comma", 'with "quotes"', "true"),
    label="007",
    scales=("mass=linear",),
    missing_values=(-9999.0, 1e-05),
    test_fraction=0.1,
    stream=False,
)
SPECS = [
    Spec(name, ODD, config, seed=7)
    for name in systems.available()
    for config in systems.load(name).presets.values()
]


@pytest.fixture
def written(tmp_path):
    """Writes a file of settings; returns its path."""

    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def specs(monkeypatch):
    """What was asked for by commands that run nothing: spec, store and whether JSON ends it."""
    asked = []

    def run(spec, store, *args, as_json, **how):
        asked.append((spec, store, as_json))

    monkeypatch.setattr(commands, "run_and_show", run)
    return asked


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.run_id)
def test_a_dump_is_taken_back_whole(spec, written, scgan_command, specs):
    path = written(dump(spec, "results"))
    assert scgan_command("fit", "--config", path).code == 0
    assert specs == [(spec, "results", False)]
    assert scgan_command("fit", "--config", path, "--dump-config").out == path.read_text()


def test_the_defaults_dumped_are_the_defaults(written, scgan_command, specs):
    path = written(scgan_command("fit", "--dump-config").out)
    assert specs == []
    scgan_command("fit")
    scgan_command("fit", f"--config={path}")
    assert specs[0] == specs[1]


def test_flags_and_set_win_over_the_file_and_the_file_over_the_preset(
    written, scgan_command, specs
):
    path = written(
        "data: {source: grid, num_train: 5000, num_test: 4000}\n"
        "decoder: {lambda_x: 0.5, num_samples: 5000}\nencoder.num_samples: 6000\n"
        "preset: smoke\nseed: 3\nstore: mine\njson: true\n"
    )
    words = ("--decoder.lambda_x", 0.7, "--set", "data.num_test=4500", "--data", "ring")
    assert scgan_command("fit", *words, "--seed", 4, "--config", path).code == 0

    ((spec, store, as_json),) = specs
    changes = {"decoder.lambda_x": 0.7, "decoder.num_samples": 5000, "encoder.num_samples": 6000}
    assert spec.config == override(systems.load("scgan").presets["smoke"], changes)
    assert spec.data == DataConfig(source="ring", num_train=5000, num_test=4500)
    assert (spec.seed, store, as_json) == (4, "mine", True)


def test_the_main_job_takes_it_and_its_resources(written, scgan_command, monkeypatch, tmp_path):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        commands, "run_and_show", lambda spec, store, executor, **how: asked.append(executor)
    )
    path = written("data: ring\nresources:\n  num_workers: 3\n  prices: head=0.2,gpu=0.5\n")
    words = ("--config", path, "--resources.num_workers", 2)
    said = scgan_command(*words, command=full_pipeline.main)
    assert said.code == 0, said.err

    (executor,) = asked
    assert executor.resources.num_workers == 2
    assert executor.resources.prices == {"head": 0.2, "gpu": 0.5}


def test_the_search_takes_it_and_its_options(written, scgan_command, monkeypatch, tmp_path):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        search,
        "search",
        lambda spec, settings, *args, **how: asked.append((spec, settings)) or True,
    )
    text = (
        "data: ring\ntrials: 12\nmax-failed: 0.25\nmetric: [reconstruction_mse]\n"
        "space: ['decoder.lambda_x=loguniform(1,100)', 'clusters.num_clusters=choice(16,64)']\n"
    )
    for words in ((), ("--trials", 3, "--metric", "energy_distance", "--space", "a=int(1,2)")):
        said = scgan_command("--config", written(text), *words, command=search.main)
        assert said.code == 0, said.err

    (spec, settings), (_, typed) = asked
    assert spec.data.source == "ring" and settings.trials == 12 and settings.max_failed == 0.25
    assert settings.metric == ("reconstruction_mse",) and len(settings.space) == 2
    assert settings.space[1] == "clusters.num_clusters=choice(16,64)"
    assert (typed.trials, typed.metric, typed.space) == (3, ("energy_distance",), ("a=int(1,2)",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed: 1", "run.yaml: unknown setting 'sed'; did you mean 'seed'?"),
        ("config: a.yaml", "run.yaml: unknown setting 'config'"),
        (
            "decoder.lambda_y: 1",
            "unknown setting 'decoder.lambda_y'; did you mean 'decoder.lambda_x'?",
        ),
        ("data: {colums: [a]}", "unknown setting 'data.colums'; did you mean 'data.columns'?"),
        ("decoder: {lambda_x: many}", "decoder.lambda_x: input should be a valid number"),
        ("resources: {num_workers: 2}", "resources.num_workers is for ray_jobs/full_pipeline.py"),
        ("seed: 1\nseed: 2", "'seed' stands there twice"),
        ("decoder: {lambda_x: 1, lambda_x: 2}", "'lambda_x' stands there twice"),
        ("data.label:", "run.yaml: data.label has no value; write none"),
        ("json: 3", "run.yaml: json is true or false (given: '3')"),
        ("data: {columns: [[a]]}", "data.columns is a list of lists"),
        ("- seed", "run.yaml: a file of settings has lines such as 'seed: 1'"),
        ("seed: [1", "run.yaml is no YAML: while parsing a flow sequence"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(text, message, written, scgan_command):
    said = scgan_command("fit", "--config", written(text), "--dump-config")
    assert said.code == 2 and message in said.err and said.err.count("\n") == 1, said.err


def test_a_file_that_is_not_there(scgan_command, tmp_path):
    said = scgan_command("fit", "--config", tmp_path / "none.yaml")
    assert said.code == 2 and said.err.endswith("none.yaml: No such file or directory\n")


def test_the_log_level_is_that_of_both_packages(scgan_command, monkeypatch):
    loggers = [logging.getLogger(name) for name in ("scgan", "ray_jobs")]
    for logger in loggers:
        monkeypatch.setattr(logger, "level", logger.level)
        monkeypatch.setattr(logger, "handlers", [])

    assert scgan_command("fit", "--dump-config", "--log-level", "INFO").code == 0
    assert [logger.level for logger in loggers] == [logging.INFO] * 2
    assert [len(logger.handlers) for logger in loggers] == [1, 1]

    said = scgan_command("fit", "--log-level", "loud")
    assert said.code == 2 and "'debug', 'info', 'warning', 'error'" in said.err
