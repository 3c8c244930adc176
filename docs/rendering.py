"""Docstrings for the site: Sphinx's roles and formulas, as mkdocs' Markdown has them."""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe

FORMULA = re.compile(r"^\.\. math::[ \t]*(?P<text>.*\n?(?:(?:[ \t]+\S.*|[ \t]*)(?:\n|$))*)", re.M)
ROLE = re.compile(r":(?P<role>math|func|class|meth|mod|data):`~?(?P<text>[^`]+)`")
OURS = ("scgan.", "ray_jobs.")
WRITTEN = {"NamedTuple", "Settings"}  # bases that write a class's signature at run time


def markdown(docstring: str) -> str:
    """A docstring with its formulas between brackets and its references as links."""
    return ROLE.sub(_role, FORMULA.sub(_formula, docstring))


def _formula(match: re.Match[str]) -> str:
    first, _, rest = match["text"].partition("\n")
    lines = f"{first}\n{inspect.cleandoc(rest)}".strip()
    return f"\n\\[\n{lines}\n\\]\n\n"


def _role(match: re.Match[str]) -> str:
    text = " ".join(match["text"].split())
    if match["role"] == "math":
        return f"\\({text}\\)"

    name = text.removesuffix("()")
    return f"[`{name}`][{name}]" if name.startswith(OURS) else f"`{name}`"


class Rendering(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is None:
            return

        text = markdown(obj.docstring.value)
        if isinstance(obj, griffe.Class) and WRITTEN & set(map(str, obj.bases)):
            text = text.replace("\nArgs:\n", "\nAttributes:\n")
        obj.docstring.value = text
