"""The image that nodes start from: its pins, and its steps in a plain root without Docker."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)


def steps():
    """Instructions of the Dockerfile: names and the rest of their lines."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = (line.strip() for line in text.splitlines())
    return [tuple(line.split(None, 1)) for line in lines if line and not line.startswith("#")]


def arguments():
    return dict(rest.split("=", 1) for name, rest in steps() if name == "ARG")


def test_the_image_has_the_pinned_versions():
    assert arguments()["RAY"] == f"{PINS['ray']}-py311-cpu"
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\b\d+\.\d+\.\d+(?=-py311)", text)) == {PINS["ray"]}
    assert set(re.findall(r"ray(\d+\.\d+\.\d+)-", text)) == {PINS["ray"]}
    installs = [rest for name, rest in steps() if name == "RUN" and "pip install" in rest]
    for line in installs:  # nothing but what is pinned, or this project itself
        assert "--constraint constraints.txt" in line or "--no-deps" in line, line
    assert PINS["torch"] and "grep '^torch=='" in installs[0]


def test_the_files_of_a_cluster_name_the_image_by_its_versions():
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    job = (ROOT / "docs" / "rayjob.yaml").read_text()
    names = [config["docker"]["image"], config["docker"]["head_image"]]
    names += re.findall(r"image: &image (\S+)", job)
    version = re.search(r'__version__ = "(.+)"', (ROOT / "scgan" / "__init__.py").read_text())
    tags = {name.rpartition(":")[2] for name in names}
    assert tags == {f"{version.group(1)}-ray{PINS['ray']}-{kind}" for kind in ("cpu", "gpu")}


def test_the_server_of_mlflow_has_the_pinned_version():
    server = yaml.safe_load((ROOT / "docs" / "mlflow-server.yaml").read_text())
    recipe = server["services"]["mlflow"]["build"]["dockerfile_inline"]
    found = dict(re.findall(r"([\w-]+)(?:\[\w+\])?==([\w.]+)", recipe))
    assert found == {name: PINS[name] for name in ("mlflow", "psycopg2-binary", "boto3")}


def test_the_server_of_mlflow_is_started_with_options_that_it_has():
    from mlflow.cli import server

    recipe = yaml.safe_load((ROOT / "docs" / "mlflow-server.yaml").read_text())
    command = recipe["services"]["mlflow"]["command"][-1]
    used = set(re.findall(r"(?<= )--[\w-]+", command))
    known = {name for option in server.params for name in option.opts}
    assert used <= known and {"--allowed-hosts", "--app-name", "--backend-store-uri"} <= used
    assert "PGPASSWORD=" in command and "://mlflow@" in command  # no password in a command line


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"  # what is not named below stays out: results, data, keys
    sources = {word for name, rest in steps() if name == "COPY" for word in rest.split()[1:-1]}
    assert all((ROOT / source).exists() for source in sources)
    assert {source.partition("/")[0] for source in sources} == {
        line[1:] for line in ignored if line.startswith("!")
    }


@pytest.mark.slow
def test_the_steps_run_in_a_plain_root(tmp_path):
    """A fresh Python with the pinned Ray for the base image; the registry of this machine."""
    home, settings = tmp_path / "home", {**arguments(), "TORCH_INDEX": "https://pypi.org/simple"}
    python = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", python], check=True)
    environment = {"PATH": f"{python / 'bin'}:{os.environ['PATH']}", "HOME": str(home)}
    keep = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment |= keep | settings

    def run(command, folder):
        done = subprocess.run(
            ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, command + done.stdout[-2000:] + done.stderr[-4000:]

    here = tmp_path
    for name, rest in steps():
        if name == "FROM":
            run(f"pip install --quiet ray=={PINS['ray']}", here)
        elif name == "WORKDIR":
            here = home / rest.removeprefix("/home/ray/")
            here.mkdir(parents=True)
        elif name == "COPY":
            *sources, target = shlex.split(rest)[1:]
            for source in sources:
                copy(ROOT / source, here / target / source if target == "./" else here / target)
        elif name == "RUN":
            run(rest, here)
        else:
            assert name == "ARG", name

    run("pip check", here)
    run("cd / && python -c 'import scgan, ray_jobs.tuning.run' && scgan systems", here)


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)
