"""Who may import whom: downward only in DESIGN's order, and no circle between modules or rooms."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = (  # what stands on one line may be imported by those on the same line and below it
    "scgan.config scgan.papers scgan.losses scgan.capabilities",
    "scgan.store",
    "scgan.data scgan.training",
    "scgan.nn scgan.clustering scgan.space",
    "scgan.metrics",
    "scgan.figures scgan.contract",
    "scgan.stages",
    "scgan.systems",
    "scgan.pipeline",
    "scgan.tracking scgan.reproductions",
    "scgan.report scgan.explore scgan.serving",
    "scgan.cli",
    "scgan.estimator",
    "ray_jobs.cluster",
    "ray_jobs.tuning",
    "ray_jobs.full_pipeline ray_jobs.search ray_jobs.reproduce ray_jobs.serve",
    "ray_jobs.scripts",
    "ray_jobs.benchmarks",
    "ray_jobs.benchmark",
)
LEVELS = {room: level for level, line in enumerate(ORDER) for room in line.split()}
FILES = sorted((*ROOT.glob("scgan/**/*.py"), *ROOT.glob("ray_jobs/**/*.py")))
MODULES = {".".join(f.relative_to(ROOT).with_suffix("").parts): f for f in FILES}
MODULES = {name.removesuffix(".__init__"): file for name, file in MODULES.items()}


def imported(text: str) -> set[str]:
    """Modules of the project that a file imports anywhere: in functions and for types, too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not read here"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else str(node.module) for name in inner}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names & MODULES.keys()


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


IMPORTS = {name: imported(file.read_text()) - {"scgan"} for name, file in MODULES.items()}


def test_every_room_has_a_place() -> None:
    assert {room(name) for name in MODULES} - {"scgan", "ray_jobs"} == set(LEVELS)


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room(name) in LEVELS))
def test_imports_point_downward(name: str) -> None:
    mine = LEVELS[room(name)]
    assert not {other for other in IMPORTS[name] if LEVELS[room(other)] > mine}


def circle(graph: dict[str, set[str]]) -> str | None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return None


def test_no_circle_between_modules_or_rooms() -> None:
    rooms: dict[str, set[str]] = {}
    for name, others in IMPORTS.items():
        rooms.setdefault(room(name), set()).update({room(o) for o in others} - {room(name)})

    found = [circle(IMPORTS), circle(rooms)]
    assert found == [None, None]
    assert circle({"a": {"b"}, "b": {"a"}}) in ("a imports b imports a", "b imports a imports b")


def test_few_modules_lie_beside_the_folders() -> None:
    beside = [file.name for file in ROOT.glob("scgan/*.py") if file.name != "__init__.py"]
    assert len(beside) <= 6, beside


def test_imports_are_seen_wherever_they_stand() -> None:
    text = "if x:\n  from scgan.store import s3\ndef f():\n  import scgan.space\n  import os"
    assert imported(text) == {"scgan.store.s3", "scgan.space"}
