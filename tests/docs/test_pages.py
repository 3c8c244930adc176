"""Every command and every line of Python in README and the pages for users works."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_readme_is_two_screens():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150 and max(map(len, lines)) <= 160


@pytest.mark.ray
def test_the_readme_works_as_it_is_typed(newcomer):
    newcomer.read(ROOT / "README.md")
    assert newcomer.typed >= 15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "typed"),
    [
        ("quick_start", 10),
        ("own_table", 7),
        ("images_by_attribute", 6),
        ("clustering", 5),
        pytest.param("on_a_cluster", 5, marks=pytest.mark.ray),
    ],
)
def test_a_page_works_as_it_is_typed(page, typed, newcomer):
    newcomer.read(DOCS / f"{page}.md")
    assert newcomer.typed >= typed
