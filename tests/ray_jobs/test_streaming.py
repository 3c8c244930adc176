"""A streamed table's files, fitted by tasks as by this process; one that dies is begun again."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from ray_jobs.cluster import executor
from ray_jobs.cluster.executor import RayExecutor, fit_on_task
from ray_jobs.cluster.resources import Resources
from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("table"), np.random.default_rng(0)
    for part in range(3):
        frame = pd.DataFrame(
            rng.normal(size=(2500, 3)).astype("f4") + 5 * part, columns=["a", "b", "c"]
        )
        frame.to_parquet(folder / f"part-{part}.parquet")
    lengths = {f"{section}.num_samples": 1024 for section in ("encoder", "mappers", "decoder")}
    config = override(
        systems.load("scgan").presets["smoke"], {**lengths, "clusters.num_clusters": 4}
    )
    return Spec("scgan", DataConfig(source=str(folder), stream=True, shard_rows=1200), config)


@pytest.fixture(scope="module")
def local(spec, tmp_path_factory):
    store = ArtifactStore(str(tmp_path_factory.mktemp("runs")))
    return store, fit_stages(spec, prepare(spec), store, LocalExecutor())


@pytest.fixture
def store_without(local, tmp_path):
    """A store that holds what this process trained, less some stages."""

    def make(*stages):
        store, fitted = local
        copy = ArtifactStore(str(shutil.copytree(store.storage.root, tmp_path / "runs")))
        for stage in stages:
            copy.delete(fitted[stage].key)
        return copy

    return make


def test_a_task_that_dies_is_started_again_and_the_files_are_the_same(
    ray_head, spec, local, store_without, tmp_path, monkeypatch
):
    died, log = tmp_path / "died", tmp_path / "log"

    def dying(job, units, board, checkpoint_every):
        with log.open("a") as file:
            file.write(f"{','.join(units)}\n")
        if units == ["2"] and not died.exists():
            died.touch()
            os._exit(1)
        fit_on_task(job, units, board, checkpoint_every)

    monkeypatch.setattr(executor, "fit_on_task", dying)
    _, whole = local
    data = prepare(spec)
    assert data.stream is not None and data.stream.num_shards > 3
    fitted = fit_stages(spec, data, store_without("embed"), RayExecutor(Resources()))
    assert [name for name, stage in fitted.items() if stage.new] == ["embed"]
    assert fitted["embed"].artifact.tables == whole["embed"].artifact.tables
    assert sorted(log.read_text().split()) == sorted(
        ["2", *map(str, range(data.stream.num_shards))]
    )


@pytest.mark.slow
def test_a_whole_run_on_ray_is_that_of_this_process_bit_for_bit(ray_head, spec, local, tmp_path):
    fitted = fit_stages(spec, prepare(spec), ArtifactStore(str(tmp_path)), RayExecutor(Resources()))
    for name, stage in local[1].items():
        ours, theirs = fitted[name].artifact, stage.artifact
        assert fitted[name].key == stage.key and ours.tables == theirs.tables
        assert all(torch.equal(ours.tensors[key], tensor) for key, tensor in theirs.tensors.items())
