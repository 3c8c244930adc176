"""Runs of every system, hardly trained, to be explored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scgan import systems
from scgan.config import leaves, override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import prepare, run
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

SOURCES = {"table": "eight_gaussians", "images": "digits"}


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[str, Path]]:
    """Train a system on a kind of data for a few steps: the run's name, and its store."""
    folder = tmp_path_factory.mktemp("explored")

    def train(name: str, kind: str) -> tuple[str, Path]:
        system = systems.load(name)
        config = system.presets["smoke"]
        few = 512 if kind == "images" else 2048
        changes = {key: few for key, _ in leaves(config) if key.endswith(".num_samples")}
        sizes = {"num_train": 1500, "num_test": 1500} if kind == "table" else {}

        spec = Spec(name, DataConfig(source=SOURCES[kind], **sizes), override(config, changes))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(system), "evaluate", lambda *args: iter(()))
            run(spec, prepare(spec), ArtifactStore(str(folder)), LocalExecutor())
        return spec.run_id, folder

    return train
