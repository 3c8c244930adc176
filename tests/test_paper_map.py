"""The README's table of equations, the code's ``Source:`` lines and the bibliography agree."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

from scgan.papers import PAPERS

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(
    r"^\| \[(?P<paper>[A-Z0-9-]+)\] (?P<place>[^|]*) \| (?P<what>[^|]*) \| `(?P<symbol>[^`]*)` \| `(?P<test>[^`]*)` \|$"
)
ROWS = [
    match for line in (ROOT / "README.md").read_text().splitlines() if (match := ROW.match(line))
]


def source_lines():
    for path in sorted((ROOT / "scgan").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for source in re.findall(
                    r"Source:((?:.|\n)*?)(?:\n\s*\n|$)", ast.get_docstring(node) or ""
                ):
                    yield path, getattr(node, "name", path.stem), source


def test_the_readme_has_the_table():
    assert len(ROWS) >= 15


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["symbol"])
def test_a_row_names_a_symbol_with_its_source_and_a_test(row):
    module, _, name = row["symbol"].rpartition(".")
    symbol = getattr(importlib.import_module(module), name)
    assert row["paper"] in PAPERS
    assert f"[{row['paper']}]" in inspect.getdoc(symbol)
    file, _, test = row["test"].partition("::")
    tree = ast.parse((ROOT / file).read_text())
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_key_in_the_code_is_in_the_bibliography_and_the_reverse():
    used = {
        key
        for _, _, source in source_lines()
        for key in re.findall(r"\[([A-Z][A-Z0-9-]+)\]", source)
    }
    assert used <= PAPERS.keys()
    listed = {key for key in re.findall(r"\[([A-Z][A-Z0-9-]+)\]", (ROOT / "README.md").read_text())}
    assert PAPERS.keys() <= used | listed


def test_every_loss_has_a_row():
    """An equation in losses/ that the table leaves out would be found by nobody."""
    symbols = {row["symbol"] for row in ROWS}
    for path in sorted((ROOT / "scgan/losses").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert f"scgan.losses.{path.stem}.{node.name}" in symbols
