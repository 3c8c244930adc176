"""Every command and every line of Python in README and the pages for users works."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = ("quick_start", "own_table", "images_by_attribute", "clustering", "on_a_cluster")
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in RUN)]


def test_the_readme_is_two_screens():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150 and max(map(len, lines)) <= 160


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_known_and_so_are_its_flags(page, newcomer):
    newcomer.check(page)
    assert newcomer.typed >= 4


@pytest.mark.slow
@pytest.mark.ray
def test_the_readme_works_as_it_is_typed(newcomer):
    newcomer.read(ROOT / "README.md")
    assert newcomer.typed >= 15


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.ray] * page.match("on_*")) for page in PAGES[1:]],
    ids=lambda page: page.stem,
)
def test_a_page_works_as_it_is_typed(page, newcomer):
    newcomer.read(page)
    assert newcomer.typed >= 4
