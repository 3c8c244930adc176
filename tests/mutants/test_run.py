"""The mutants' runner on a project of three lines, and that no entry of the tables is stale."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TABLE = """
TESTS = ("tests/test_sum.py",)
MUTANTS = [
    ("scgan/sums.py", "a + b", "a - b", TESTS),
    ("scgan/sums.py", "2 * a", "a + 2", ("tests/test_sum.py::test_double",)),
{more}
]
"""
STALE = '    ("scgan/sums.py", "a * b", "a / b", TESTS),'
GONE = '    ("scgan/sums.py", "a + b", "b - a", ("tests/test_sum.py::test_gone",)),'


@pytest.fixture
def runner():
    spec = importlib.util.spec_from_file_location("mutants_run", ROOT / "tests/mutants/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path):
    """Two functions: the test of one notices, that of the other tries a value that says nothing."""
    for folder in ("scgan", "tests/mutants"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "scgan/__init__.py").touch()
    (tmp_path / "scgan/sums.py").write_text(
        "def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n"
    )
    (tmp_path / "tests/test_sum.py").write_text(
        "from scgan.sums import add, double\n\n\n"
        "def test_sum():\n    assert add(1, 2) == 3\n\n\n"
        "def test_double():\n    assert double(2) == 4\n"
    )

    def tried(*words, more=""):
        (tmp_path / "tests/mutants/table.py").write_text(TABLE.replace("{more}", more))
        command = [sys.executable, ROOT / "tests/mutants/run.py", "--root", tmp_path, *words]
        said = subprocess.run(command, capture_output=True, text=True, timeout=120)
        return said.returncode, said.stdout + said.stderr

    return tried


def test_survivors_are_named_and_counted_and_the_tree_is_left_alone(project, tmp_path):
    before = (tmp_path / "scgan/sums.py").read_text()
    code, said = project()
    lines = said.splitlines()
    assert code == 1 and lines[0] == "SURVIVED  scgan/sums.py: 2 * a -> a + 2"
    assert lines[1].startswith("2 mutants, 1 killed, 1 survived, ") and len(lines) == 2
    assert (tmp_path / "scgan/sums.py").read_text() == before


def test_some_only_are_listed(project):
    code, said = project("--only", "a - b", "--list")
    assert code == 0 and said == "scgan/sums.py: a + b -> a - b\n"


def test_what_cannot_be_tried_is_said(project, tmp_path):
    code, said = project(more=STALE)
    assert code == 1 and said.startswith("STALE (its text occurs 0 times)  scgan/sums.py: a * b")

    code, said = project("--only", "b - a", more=GONE)
    assert code == 1 and said.startswith("FAILS WITHOUT A MUTANT  tests/test_sum.py::test_gone")


def test_no_entry_is_stale(runner):
    mutants = runner.read_tables(ROOT)
    wrong = {str(mutant): why for mutant in mutants if (why := runner.stale(mutant, ROOT))}
    assert not wrong
    assert len(mutants) >= 120 and len(mutants) == len(set(mutants))
