"""What the house rules say of the code's shape, measured: air, lengths, one thought a line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((*ROOT.glob("scgan/**/*.py"), *ROOT.glob("ray_jobs/**/*.py")))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LONG = 8  # lines, of a function that needs stanzas


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def code_lines(function: ast.FunctionDef) -> range:
    """The lines of a function's body, its docstring apart."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return range(body[0].lineno, (body[-1].end_lineno or 0) + 1) if body else range(0)


def test_functions_have_stanzas() -> None:
    blank, total = set(), set()
    for file in FILES:
        text = file.read_text()
        lines = text.splitlines()
        for function in functions(ast.parse(text)):
            body = code_lines(function)
            if len(body) > LONG:
                total |= {(file, number) for number in body}
                blank |= {(file, number) for number in body if not lines[number - 1].strip()}

    share = len(blank) / len(total)
    print(f"{share:.1%} of {len(total)} lines in functions of more than {LONG} are blank")
    assert share >= 0.08


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_lengths_and_one_thought_a_line(file: Path) -> None:
    text = file.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= 350
    assert not [f.name for f in functions(tree) if len(code_lines(f)) > 60]

    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS):
            inner = [n for n in ast.walk(node) if isinstance(n, COMPREHENSIONS)]
            assert len(inner) == 1 and len(node.generators) == 1, f"nested at line {node.lineno}"
        if isinstance(node, ast.IfExp):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.IfExp)]
            assert len(inner) == 1, f"a condition inside another at line {node.lineno}"
