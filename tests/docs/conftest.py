"""A newcomer who types what a page shows, at small sizes, in a folder of their own."""

from __future__ import annotations

import importlib
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

    def __init__(self, folder, scgan_command, ray):
        self.folder, self.scgan_command, self.ray = folder, scgan_command, ray
        self.names = {"X": table(ROWS, np.random.default_rng(1)).drop(columns="jet1ID")}
        self.typed = 0

    def read(self, page):
        """Type every block of a page, in order."""
        for language, text in blocks(page):
            if language == "python":
                exec(compile(small(text), str(page), "exec"), self.names)
                self.typed += 1

            for words in commands(text) if language == "sh" else ():
                self.type(words)
                self.typed += 1

    def type(self, words):
        """Type one command; whatever it would take from a network lies in the folder."""
        words = [word.replace("s3://bucket/", "bucket/") for word in words]
        words = [word.replace("RUN", self.last_run()) for word in words]
        match words:
            case ["scgan", *rest, ">", file]:
                Path(file).write_text(self.said(rest))
            case ["scgan", *rest]:
                self.said(rest)
            case ["python", script, *rest] if script.startswith("ray_jobs/"):
                self.said(rest, script)
            case ["make", *targets]:
                done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True)
                assert done.returncode == 0 and targets, done.stderr
            case ["ray", "up", name]:
                check_cluster(ROOT / name)
            case ["ray", "job", "submit", *rest]:
                self.check_job(rest)
            case ["export", assignment]:
                assert re.fullmatch(r"[A-Z_]+=\S+", assignment)
            case _:
                raise AssertionError(f"nobody knows how to try {shlex.join(words)}")

    def said(self, words, script=None):
        """Run one of the project's commands, a training at small size; what it says on stdout."""
        how = {}
        if script is not None:
            self.ray()
            how["command"] = main_of(script)
        if script is not None or words[0] == "fit":
            words = [*words, *smallest(words, searches=script == "ray_jobs/search.py")]

        said = self.scgan_command(*words, **how)
        assert said.code == 0, f"{shlex.join(words)}\n{said.err}"
        return said.out

    def last_run(self):
        """The run that was stored last, for ``RUN``."""
        runs = sorted(self.folder.glob("**/run.json"), key=lambda path: path.stat().st_mtime)
        return runs[-1].parent.name if runs else "RUN"

    def check_job(self, words):
        """Ray's own command takes the flags, and the job is a command of ours that runs."""
        from ray.dashboard.modules.job.cli import submit

        given = submit.make_context("submit", list(words), resilient_parsing=True).params
        python, script, *rest = given["entrypoint"]
        assert python == "python" and given["working_dir"] == "."
        self.said(rest, script)

    def check(self, page):
        """Read a page's commands without running one: each is known, and so are its flags."""
        self.said = parse
        for language, text in blocks(page):
            for words in commands(text) if language == "sh" else ():
                self.type(words)
                self.typed += 1


def parse(words, script=None):
    """Have click take a command's words, and a training's settings be found."""
    from scgan.cli import commands as shared
    from scgan.cli.main import cli

    command = cli.commands.get(words[0]) if script is None else main_of(script)
    context = command.make_context(words[0], list(words[script is None :]))
    if script is not None or words[0] == "fit":
        names = ("system", "data", "preset", "changes")
        given = [context.params[name] for name in names]
        extra = [word for word in context.args if "(" not in word]  # a search's domains
        shared.build_spec(*given, extra, context.params["seed"])
    return ""


def main_of(script):
    """The click command of a file of ray_jobs."""
    return importlib.import_module(script.removesuffix(".py").replace("/", ".")).main


def check_cluster(path):
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load(path.read_text())))


def smallest(words, *, searches):
    """The flags that make a training of these words end in seconds."""
    from scgan import systems
    from scgan.config import leaves

    system = systems.load(words[words.index("--system") + 1] if "--system" in words else "scgan")
    images = "table" not in system.examples
    sizes = {"num_samples": "64", "batch_size": "32"} if images else {"num_samples": "512"}
    flags = []
    for key, _ in leaves(system.presets["default"]):
        size = sizes.get(key.rpartition(".")[2])
        flags += [] if size is None else [f"--{key}", size]

    data = words[words.index("--data") + 1] if "--data" in words else ""
    toy = ["--data.num_train", "600", "--data.num_test", "400"] if data == "ring" else []
    return [*flags, *toy, *(["--trials", "2"] if searches else [])]


def small(text):
    """Python of a page whose trainings end in seconds."""
    return re.sub(r"(\w*GAN\()(\w+=\d+\)\.fit)", r'\1preset="smoke", \2', text)


def table(num_rows, rng):
    """Jets: a label, an integer, three kinds of them."""
    k = rng.integers(0, 3, num_rows)
    mass, pt, eta = rng.normal(k * 4.0, 0.5, (3, num_rows))
    columns = {"tracks": rng.poisson(5 + k), "mass": mass, "pt": pt, "eta": eta}
    return pd.DataFrame({"jet1ID": k, **columns})


def images(folder, rng):
    """Images of two kinds, as .npz and as a folder a kind."""
    from PIL import Image

    y = rng.integers(0, 10, 300)
    pixels = rng.integers(0, 50, (300, 28, 28)) + 20 * y[:, None, None]
    np.savez(folder / "mnist.npz", images=pixels.astype(np.uint8), y=y)
    for kind in ("cat", "dog"):
        (folder / "afhq" / kind).mkdir(parents=True)
        for number in range(150):
            picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(picture).save(folder / "afhq" / kind / f"{number}.png")


@pytest.fixture
def newcomer(tmp_path, monkeypatch, scgan_command, request):
    """Somebody in a folder with the files that the pages name; Ray is there once it is needed."""
    rng = np.random.default_rng(0)
    jets = table(ROWS, rng)
    jets.to_csv(tmp_path / "jets.csv", index=False)
    table(ROWS, rng).to_csv(tmp_path / "theirs.csv", index=False)
    jets.drop(columns="jet1ID").to_parquet(tmp_path / "new.parquet")
    angles = rng.integers(0, 8, 2500) * np.pi / 4
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    np.savez(tmp_path / "theirs.npz", circle.astype(np.float32))
    (tmp_path / "bucket" / "table").mkdir(parents=True)
    for place in ("table.parquet", "table/part-0.parquet"):
        jets.to_parquet(tmp_path / "bucket" / place)
    images(tmp_path, rng)
    monkeypatch.chdir(tmp_path)

    def ray():
        monkeypatch.setenv("RAY_ADDRESS", request.getfixturevalue("ray_head").address)

    return Newcomer(tmp_path, scgan_command, ray)
