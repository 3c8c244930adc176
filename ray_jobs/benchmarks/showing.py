"""What the benchmarks share: figures as lines of JSON, and the run that most of them time."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.spec import Spec


def show(**figures: Any) -> None:
    """Print figures as a line of JSON, numbers to four digits."""
    click.echo(json.dumps(_rounded(figures)))


def _rounded(value: Any) -> Any:
    """Numbers to four digits, also inside."""
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


@dataclass(frozen=True)
class Results:
    """What was found so far, a JSON object a line of a file, so that nothing is found twice.

    Args:
        path: The file.
        key: Names of what tells results apart.
    """

    path: Path
    key: tuple[str, ...]

    def read(self) -> list[dict[str, Any]]:
        """All of them."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def done(self) -> set[tuple[Any, ...]]:
        """The keys that there is a result of."""
        key_of = operator.itemgetter(*self.key)
        return {key_of(row) for row in self.read()}

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one more."""
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def table(word: str) -> DataConfig:
    """A table as the benchmarks take it, PATH or PATH@LABEL."""
    path, _, label = word.partition("@")
    return DataConfig(source=path, label=label or None)


def checkerboard(changes: Mapping[str, int | str]) -> Spec:
    """A run of SC-GAN on the checkerboard, its default preset changed."""
    config = override(systems.load("scgan").presets["default"], changes)
    return Spec("scgan", DataConfig(source="checkerboard"), config)
