"""What ``pip install scgan`` alone can do: load, sample and fit, and say what it can't."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scgan.cli.extras import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GONE = {*EXTRAS, "sqlalchemy", "alembic", "botocore", "s3transfer"}  # and what these bring
BLOCKED = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *args):
        gone = name.partition(".")[0] in {GONE}
        return None if gone else self.finder.find_spec(name, *args)

    def find_distributions(self, context):
        find = getattr(self.finder, "find_distributions", None)
        return () if find is None or (context.name or "").lower() in {GONE} else find(context)

sys.meta_path[:] = map(Without, sys.meta_path)
"""
PYTHON = """
import numpy as np
from scgan import SCGAN

X = np.random.default_rng(0).normal(size=(400, 2)) + 8 * np.arange(400)[:, None] % 2
small = dict(preset="smoke", settings={"encoder.num_samples": 1024, "decoder.num_samples": 1024})
model = SCGAN(num_clusters=2, **small).fit(X)
model.save("model")
assert (SCGAN.load("model").sample(50, seed=1) == model.sample(50, seed=1)).all()
"""


@pytest.fixture
def without_extras(tmp_path):
    """Runs Python, or one of the commands, where no extra is installed; what it said."""

    def run(*words, code=None, code_of=0):
        if code is None:
            module = "ray_jobs.scripts" if words[0] != "scgan" else "scgan.cli.main"
            function = {"scgan-pipeline": "pipeline", "scgan-search": "search"}.get(
                words[0], "main"
            )
            code = f"sys.argv = {list(map(str, words))}\nimport {module} as m\nm.{function}()"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", BLOCKED + code],
            **{"capture_output": True, "text": True, "cwd": tmp_path, "env": environment},
            timeout=240,
        )
        assert done.returncode == code_of, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_the_estimator_fits_saves_loads_and_samples(without_extras):
    without_extras(code=PYTHON)


def test_the_command_fits_says_that_nothing_is_logged_and_samples(without_extras):
    words = ("--data", "ring", "--data.num_train", 600, "--data.num_test", 400)
    short = ("--encoder.num_samples", 1024, "--decoder.num_samples", 2048)
    said = without_extras("scgan", "fit", *words, "--preset", "smoke", *short)
    assert "nothing is logged, as MLflow is not installed: pip install 'scgan[mlflow]'" in said
    assert "compare:" not in said and "report:" in said

    (run,) = re.findall(r"^(scgan-ring-\w+): scgan on ring", said, re.M)
    said = without_extras("scgan", "sample", run, "--num", 50, "--out", "some.parquet")
    assert f"50 samples of {run} in some.parquet" in said


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (("scgan-pipeline", "--data", "ring"), "ray"),
        (("scgan-search", "--data", "ring"), "ray"),
        (("scgan", "fit", "--data", "ring", "--store", "s3://bucket/runs"), "boto3"),
        (("scgan", "fit", "--data", "s3://bucket/a.csv"), "boto3"),
        (("scgan", "fit", "--system", "infoscc_gan", "--preset", "smoke"), "kornia"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given[:2]),
)
def test_what_is_not_installed_is_one_line_with_the_command_that_does(
    words, package, without_extras
):
    said = without_extras(*words, code_of=2).splitlines()
    extra = EXTRAS[package]
    needs = "botocore|boto3" if extra == "s3" else package
    line = rf"error: this needs ({needs}), which is not installed: pip install 'scgan\[{extra}\]'"
    assert re.fullmatch(line, said[-1]), said
    assert not any("Traceback" in line for line in said)


def test_an_address_of_mlflow_that_nothing_can_use_is_refused(without_extras, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.invalid")
    said = without_extras("scgan", "fit", "--data", "ring", code_of=2)
    assert "error: MLFLOW_TRACKING_URI is set, but MLflow is not installed" in said


def names(requirements):
    return {re.match(r"[A-Za-z0-9_.-]+", each)[0] for each in requirements}


def test_every_extra_brings_what_is_said_of_it_and_the_core_does_not():
    extras = PROJECT["optional-dependencies"]
    for package, extra in EXTRAS.items():
        assert package in names(extras[extra]) | {"botocore"}
        assert package not in names(PROJECT["dependencies"])

    everything = re.fullmatch(r"scgan\[(.*)\]", extras["all"][0])[1].split(",")
    assert {*EXTRAS.values(), "files"} <= set(everything)
    assert any(re.match(r"scgan\[(.*,)?all[],]", each) for each in extras["dev"])


def test_scripts_are_there():
    import importlib

    for place in PROJECT["scripts"].values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
    assert {"scgan", "scgan-pipeline", "scgan-search"} == set(PROJECT["scripts"])
    assert (ROOT / "scgan" / "py.typed").exists()
