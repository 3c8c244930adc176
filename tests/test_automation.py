"""The workflow, the hooks and the Makefile name what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
PINS = dict(re.findall(r"^([^=\s]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))


def steps():
    for job in WORKFLOW["jobs"].values():
        yield from (step for step in job["steps"])


def test_the_workflow_runs_what_contributing_names():
    ran = {step["run"] for step in steps() if "run" in step}
    assert {"make lint", "make test", "make docs", "make test-slow"} <= ran
    for line in ran:
        if line.startswith("make "):
            done = subprocess.run(["make", "-n", *line.split()[1:]], cwd=ROOT, capture_output=True)
            assert done.returncode == 0, done.stderr


def test_the_workflow_has_no_rights_to_write_and_the_python_of_the_project():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    wanted = {step["with"]["python-version"] for step in steps() if "with" in step}
    assert wanted == {"3.11"}


def test_the_hooks_lint_with_the_ruff_that_is_pinned():
    (ruff,) = [repo for repo in HOOKS["repos"] if "ruff" in repo["repo"]]
    assert ruff["rev"] == f"v{PINS['ruff']}"
    assert [hook["id"] for hook in ruff["hooks"]] == ["ruff-check", "ruff-format"]
