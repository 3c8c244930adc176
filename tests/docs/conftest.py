"""A newcomer who types what a page shows, at small sizes, in a folder of their own."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
ROWS = 600  # of the tables that a page finds in its folder


def blocks(page):
    """The fenced blocks of a page: language and text."""
    return FENCE.findall(page.read_text())


def commands(text):
    """The command lines of a block, each as words; a comment is none."""
    lines = text.replace("\\\n", " ").splitlines()
    return list(filter(None, (shlex.split(line, comments=True) for line in lines)))


class Newcomer:
    """Types commands and Python into one folder, and expects each to end well."""

    def __init__(self, folder, scgan_command, head):
        self.folder, self.scgan_command, self.head = folder, scgan_command, head
        self.names = {"X": table(ROWS, np.random.default_rng(1)).drop(columns="jet1ID")}
        self.typed = 0

    def read(self, page):
        """Type every block of a page, in order."""
        for language, text in blocks(page):
            if language == "python":
                exec(compile(text, str(page), "exec"), self.names)
                self.typed += 1
            for words in commands(text) if language == "sh" else ():
                self.type(words)
                self.typed += 1

    def type(self, words):
        """Type one command; whatever it would take from a network lies in the folder."""
        words = [word.replace("s3://bucket/", "bucket/") for word in words]
        words = [word.replace("RUN", self.last_run()) for word in words]
        match words:
            case ["scgan", *rest]:
                self.said(rest)
            case ["python", script, *rest] if script.startswith("ray_jobs/"):
                self.said(rest, command=script)
            case ["make", *targets]:
                done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True)
                assert done.returncode == 0 and targets, done.stderr
            case ["ray", "up", *rest]:
                is_a_cluster(*rest)
            case ["ray", "job", "submit", *rest]:
                self.is_a_job(rest)
            case ["export", assignment]:
                assert re.fullmatch(r"[A-Z_]+=\S+", assignment)
            case _:
                raise AssertionError(f"nobody knows how to try {shlex.join(words)}")

    def said(self, words, command=None):
        """Run one of the project's commands, a training at small size."""
        if command is not None or words[0] == "fit":
            words = [*words, *smallest(words, searches=command == "ray_jobs/search.py")]

        how = {} if command is None else {"command": main_of(command)}
        said = self.scgan_command(*words, **how)
        assert said.code == 0, f"{shlex.join(map(str, words))}\n{said.err}"

    def last_run(self):
        """The run that was stored last, for ``RUN``."""
        runs = sorted(self.folder.glob("*/*/run.json"), key=lambda path: path.stat().st_mtime)
        return runs[-1].parent.name if runs else "RUN"

    def is_a_job(self, words):
        """Ray's own command takes the flags, and the job is a command of ours that it can run."""
        from ray.dashboard.modules.job.cli import submit

        given = submit.make_context("submit", list(words), resilient_parsing=True)
        python, script, *rest = given.params["entrypoint"]
        assert python == "python" and given.params["working_dir"] == "."
        self.said(rest, command=script)


def is_a_cluster(name):
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load((ROOT / name).read_text())))


def main_of(script):
    """The click command of a file of ray_jobs."""
    import importlib

    return importlib.import_module(script.removesuffix(".py").replace("/", ".")).main


def smallest(words, *, searches):
    """The flags that make a training of these words end in seconds."""
    from scgan import systems
    from scgan.config import leaves

    system = systems.load(words[words.index("--system") + 1] if "--system" in words else "scgan")
    preset = system.presets["smoke" if "smoke" in system.presets else "default"]
    lengths = [key for key, _ in leaves(preset) if key.endswith(".num_samples")]
    flags = [text for key in lengths for text in (f"--{key}", "512")]
    return [*flags, *(["--trials", "2", "--cpus", "1"] if searches else [])]


def table(num_rows, rng):
    """Jets: a label, an integer, three clusters of numbers."""
    k = rng.integers(0, 3, num_rows)
    numbers = rng.normal(k[:, None] * 4.0, 0.5, (num_rows, 3))
    columns = {
        "jet1ID": k,
        "tracks": rng.poisson(5 + k),
        "mass": numbers[:, 0],
        "pt": numbers[:, 1],
    }
    return pd.DataFrame({**columns, "eta": numbers[:, 2]})


@pytest.fixture
def newcomer(tmp_path, monkeypatch, scgan_command, ray_head):
    """Somebody in a folder with the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", ray_head.address)
    rng = np.random.default_rng(0)
    jets = table(ROWS, rng)
    jets.to_csv("jets.csv", index=False)
    table(ROWS, rng).to_csv("theirs.csv", index=False)
    jets.drop(columns="jet1ID").to_parquet("new.parquet")
    angles = rng.integers(0, 8, 2500) * np.pi / 4
    np.savez("theirs.npz", np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))
    (tmp_path / "bucket").mkdir()
    jets.to_parquet("bucket/table.parquet")
    return Newcomer(tmp_path, scgan_command, ray_head)
