"""The site builds without a warning, and shows every page and every room of the code."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scgan

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_it_builds_without_a_warning_and_has_every_page(site):
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("")
        place = site if name.name == "index" else site / name
        assert (place / "index.html").exists(), page


@pytest.mark.slow
def test_formulas_and_references_of_docstrings_are_rendered(site):
    text = (site / "api" / "losses" / "index.html").read_text()
    assert '<div class="arithmatex">' in text and ".. math::" not in text
    assert 'id="scgan.losses.scgan.decoder_loss"' in text

    for page in (site / "api").rglob("*.html"):
        assert not re.findall(r":(?:math|func|class|meth|mod|data):", page.read_text()), page


def test_every_room_has_a_page_of_the_api():
    shown = set()
    for page in (DOCS / "api").glob("*.md"):
        shown |= set(re.findall(r"^::: (\S+)$", page.read_text(), re.M))

    rooms = {f"scgan.{module.name}" for module in pkgutil.iter_modules(scgan.__path__)}
    assert rooms - shown <= {"scgan.cli"} and shown - rooms == {
        "ray_jobs.cluster",
        "ray_jobs.tuning",
    }
