"""The table of equations in docs, the code's ``Source:`` lines and the bibliography agree."""

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
    r"^\| \[(?P<paper>[A-Z0-9-]+)\] ?(?P<place>[^|]*?) ?\| (?P<what>[^|]*) "
    r"\| `(?P<symbol>[^`]*)` \| `(?P<test>[^`]*)` \|$"
)
PAGE = (ROOT / "docs" / "equations.md").read_text()
LINES = [line for line in PAGE.splitlines() if re.match(r"\| \[", line)]
ROWS = [match for line in LINES if (match := ROW.match(line))]

KEY = r"\[([A-Z][A-Z0-9-]+)\]"


def source_lines():
    for path in sorted((ROOT / "scgan").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for source in sources(ast.get_docstring(node) or ""):
                    yield path, getattr(node, "name", path.stem), source


def sources(docstring):
    return re.findall(r"Source:((?:.|\n)*?)(?:\n\s*\n|$)", docstring)


def places(text):
    """Equations, sections and the like that a text names: ``Eqs. (2)-(4)`` are 2, 3 and 4."""
    found = set()
    for first, last in re.findall(r"\((\d+)\)(?:(?:-| to )\((\d+)\))?", text):
        found |= {f"Eq. {number}" for number in range(int(first), int(last or first) + 1)}
    for kind, numbers in re.findall(r"(Sec|Table|App)\.? ((?:[\d.]*\d(?:,? and |, )?)+)", text):
        found |= {f"{kind} {number}" for number in re.findall(r"[\d.]*\d", numbers)}
    return found | {word for word in ("code", "loss") if word in text}


def places_of(symbol, paper):
    """What the symbol's own ``Source:`` names of the paper: up to the next paper's key."""
    found = set()
    for source in sources(inspect.getdoc(symbol)):
        pieces = re.split(KEY, " ".join(source.split()))
        for key, text in zip(pieces[1::2], pieces[2::2], strict=True):
            if key == paper:
                found |= places(text)
    return found


def test_the_page_has_the_table_and_every_line_of_it_is_read():
    assert len(ROWS) == len(LINES) >= 30


def test_places_are_read_off_a_source():
    assert places("Eqs. (2)-(4) and (7), Sec. 3.2 and 4, code") == {
        *(f"Eq. {number}" for number in (2, 3, 4, 7)),
        *("Sec 3.2", "Sec 4", "code"),
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['symbol']} {row['place']}")
def test_a_row_names_a_symbol_that_names_the_place_and_a_test(row):
    module, _, name = row["symbol"].rpartition(".")
    symbol = getattr(importlib.import_module(module), name)
    assert row["paper"] in PAPERS
    assert f"[{row['paper']}]" in "".join(sources(inspect.getdoc(symbol)))
    assert places(row["place"]) <= places_of(symbol, row["paper"])
    assert bool(places(row["place"])) == bool(row["place"])
    file, _, test = row["test"].partition("::")
    tree = ast.parse((ROOT / file).read_text())
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_key_in_the_code_is_in_the_bibliography_and_the_reverse():
    used = set()
    for _, _, source in source_lines():
        used |= set(re.findall(KEY, source))
    assert used <= PAPERS.keys()
    listed = set(re.findall(KEY, PAGE))
    assert PAPERS.keys() <= used | listed


def test_every_loss_has_a_row():
    """An equation in losses/ that the table leaves out would be found by nobody."""
    symbols = {row["symbol"] for row in ROWS}
    for path in sorted((ROOT / "scgan/losses").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert f"scgan.losses.{path.stem}.{node.name}" in symbols


def test_every_equation_of_the_two_papers_that_is_computed_has_a_row_in_losses():
    """SC-GAN has four; of InfoSCC-GAN's thirteen, (2), (4) and (6) are reduced to the next."""
    found = {"SCGAN": set(), "INFOSCC-GAN": set()}
    for row in ROWS:
        if row["paper"] in found and row["symbol"].startswith("scgan.losses."):
            found[row["paper"]] |= places(row["place"]) - {"code"}
    assert found["SCGAN"] == {f"Eq. {number}" for number in range(1, 5)}
    assert found["INFOSCC-GAN"] == {f"Eq. {number}" for number in (1, 3, 5, *range(7, 14))}


def test_a_systems_docstring_opens_with_its_equations():
    from scgan import systems

    for name in systems.available():
        system = systems.load(name)
        text = f"{inspect.getdoc(inspect.getmodule(type(system)))}\n{inspect.getdoc(type(system))}"
        assert ".. math::" in text and f"[{system.paper}]" in text
        assert "scgan.losses." in text
