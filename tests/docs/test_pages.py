"""Every command and every line of Python in README and the pages for users works."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_readme_is_two_screens():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150 and max(map(len, lines)) <= 160


@pytest.mark.ray
def test_the_readme_works_as_it_is_typed(newcomer):
    newcomer.read(ROOT / "README.md")
    assert newcomer.typed >= 15
