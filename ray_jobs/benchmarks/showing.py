"""What the benchmarks share: figures as lines of JSON, and the run that most of them time."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def checkerboard(changes: Mapping[str, int | str]) -> Spec:
    """A run of SC-GAN on the checkerboard, its default preset changed."""
    config = override(systems.load("scgan").presets["default"], changes)
    return Spec("scgan", DataConfig(source="checkerboard"), config)
