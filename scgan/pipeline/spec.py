"""What determines a run: system, data, settings, seed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scgan import systems
from scgan.config import Settings, build
from scgan.data.dataset import DataConfig
from scgan.store.artifacts import digest


@dataclass(frozen=True)
class Spec:
    """All that determines a run's result.

    Args:
        system: The system's name.
        data: Which data.
        config: The system's settings.
        seed: Of everything random.
    """

    system: str
    data: DataConfig
    config: Settings
    seed: int = 0

    @property
    def run_id(self) -> str:
        """The run's name: system, data and the hash of everything."""
        source = self.data.source.rstrip("/").rsplit("/", 1)[-1].partition(".")[0]
        source = re.sub(r"[^A-Za-z0-9_-]+", "-", source).strip("-") or "data"
        return f"{self.system}-{source}-{digest(self.to_json())[:8]}"

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` takes back."""
        return {
            "system": self.system,
            "data": self.data.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Spec:
        """The spec that :meth:`to_json` wrote down."""
        config = build(systems.load(tree["system"]).Config, tree["config"])
        return cls(tree["system"], build(DataConfig, tree["data"]), config, tree["seed"])
