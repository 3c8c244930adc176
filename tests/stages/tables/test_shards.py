"""A table larger than memory: its files against the same computed in memory, and what dies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from scgan import systems
from scgan.clustering.streamed import fit_partition
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.nn.ratio_growth import fit_ratio_trees
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare, run
from scgan.pipeline.spec import Spec
from scgan.pipeline.stored import open_run
from scgan.stages.tables import cluster, refine
from scgan.stages.tables import map as mapping
from scgan.stages.tables.encode import load_encoder
from scgan.stages.tables.rows import (
    Sharded,
    matrix,
    read_clusters,
    read_shard,
    training_codes,
    training_rows,
)
from scgan.store.artifacts import ArtifactStore
from scgan.store.parquet import Tables
from scgan.training.runtime import Runtime

LENGTHS = {
    "encoder.num_samples": 4096,
    "mappers.num_samples": 512,
    "decoder.num_samples": 4096,
    "clusters.max_iter": 5,
}


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """20,000 rows around eight points of a circle, sorted, in five files; shards of about 4,000."""
    folder, rng = tmp_path_factory.mktemp("table"), np.random.default_rng(0)
    angle = np.sort(rng.integers(0, 8, 20_000)) * np.pi / 4
    x = 4 * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.3 * rng.normal(size=(20_000, 2))
    for part, rows in enumerate(np.split(x, 5)):
        pd.DataFrame(rows, columns=["a", "b"]).to_parquet(folder / f"part-{part}.parquet")
    config = override(
        systems.load("scgan").presets["smoke"], {**LENGTHS, "clusters.num_clusters": 8}
    )
    return Spec("scgan", DataConfig(source=str(folder), stream=True, shard_rows=4000), config)


@pytest.fixture(scope="module")
def trained(spec, tmp_path_factory):
    """Data, store and fitted stages."""
    data, store = prepare(spec), ArtifactStore(str(tmp_path_factory.mktemp("runs")))
    return data, store, fit_stages(spec, data, store, LocalExecutor())


@pytest.fixture
def inputs(spec, trained):
    data, store, fitted = trained
    runtime = Runtime(tables=Tables(store.storage, "new-1"))
    return Inputs(
        data, {name: stage.artifact for name, stage in fitted.items()}, spec.seed
    ), runtime


@pytest.fixture(scope="module")
def in_memory(spec, trained):
    """All training rows, standardised, and their codes, computed at once."""
    data, _, fitted = trained
    parts = data.stream.parts
    columns = [
        t.take(place >= 0.2).columns for part in range(5) for t, place, _ in parts.batches(part)
    ]
    x = data.table_schema.encode(
        {name: np.concatenate([c[name] for c in columns]) for name in parts.names}
    )
    return x, load_encoder(spec.config.encoder, fitted["encode"].artifact).embed(x)


def as_set(rows):
    """Rows in lexical order, so that two sets of them can be compared."""
    array = np.asarray(rows)
    return torch.from_numpy(array[np.lexsort(array.T)])


def test_shards_hold_every_training_row_once_and_each_is_a_random_sample(inputs, in_memory):
    shards = [read_shard(number, *inputs) for number in range(inputs[0].data.stream.num_shards)]
    assert len(shards) == 3 and torch.equal(as_set(torch.cat(shards)), as_set(in_memory[0]))
    for shard in shards:
        assert_close(shard.mean(0), torch.zeros(2), rtol=0, atol=0.08)
        halves = shard.split(len(shard) // 2)
        assert_close(halves[0].mean(0), halves[1].mean(0), rtol=0, atol=0.12)


def test_codes_and_clusters_are_those_computed_in_memory(trained, inputs, in_memory):
    _, _, fitted = trained
    centres, (_, eps) = fitted["cluster"].artifact.tensors["centres"], in_memory
    k = torch.cdist(eps, centres).argmin(1)
    assert (
        torch.equal(fitted["cluster"].artifact.tensors["counts"], torch.bincount(k))
        and len(centres) == 8
    )
    clusters = read_clusters(range(8), *inputs, limit=10**9)
    for number, codes in enumerate(clusters):
        assert_close(as_set(codes), as_set(eps[k == number]), rtol=0, atol=1e-5)
        spread = (eps[k == number] - centres[number]).square().mean().sqrt()
        assert_close(fitted["cluster"].artifact.tensors["spread"][number], spread)
    kept = fitted["cluster"].artifact.tensors
    assert torch.equal(kept["k"], torch.cdist(kept["codes"], centres).argmin(1))
    assert len(kept["codes"]) == len(eps)  # fewer rows than are kept


def test_a_mapper_reads_its_own_clusters_alone_and_no_more_than_it_needs(inputs):
    whole = read_clusters(range(8), *inputs, limit=10**9)
    apart = [read_clusters([number], *inputs, limit=10**9)[0] for number in range(8)]
    assert all(torch.equal(*pair) for pair in zip(whole, apart, strict=True))
    few = read_clusters([5, 2], *inputs, limit=100)
    assert torch.equal(few[0], whole[5][:100]) and torch.equal(few[1], whole[2][:100])


def test_training_goes_through_all_shards_in_a_new_order_each_round(inputs):
    rows, seen = Sharded("encode", *inputs), []
    for turn in range(12):
        x = rows.at(turn * rows.length)
        assert x is rows.at(turn * rows.length + rows.length - 1)
        seen.append(float(x.sum()))
    rounds = [tuple(seen[start : start + 3]) for start in range(0, 12, 3)]
    assert (
        all(len(set(order)) == 3 and set(order) == set(rounds[0]) for order in rounds)
        and len(set(rounds)) > 1
    )
    again = Sharded("encode", *inputs)
    assert float(again.at(7 * again.length).sum()) == seen[7]  # taken up in the middle


def test_a_run_that_dies_anywhere_goes_on_and_ends_in_the_same(
    spec, trained, tmp_path, monkeypatch
):
    data, _, whole = trained
    store, write, written = ArtifactStore(str(tmp_path)), Tables.write, []

    def dying(self, label, columns, by=None):
        written.append(f"{self.key.partition('-')[0]} {label}")
        if len(written) in {3, 7, 12}:
            raise KeyboardInterrupt
        return write(self, label, columns, by)

    monkeypatch.setattr(Tables, "write", dying)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            fit_stages(spec, data, store, LocalExecutor())
    fitted = fit_stages(spec, data, store, LocalExecutor())
    assert len(written) == len(set(written)) + 3  # only what was being written is written again
    for name, stage in whole.items():
        assert fitted[name].key == stage.key
        ours, theirs = fitted[name].artifact, stage.artifact
        assert ours.tables == theirs.tables and all(
            torch.equal(ours.tensors[n], t) for n, t in theirs.tensors.items()
        )
    assert not [key for key in store.keys() if ".part-" in key]


def test_again_nothing_is_trained_and_the_run_is_found(spec, trained, monkeypatch):
    data, store, fitted = trained
    monkeypatch.setattr(type(systems.load("scgan")), "evaluate", lambda *args: {})
    outcome = run(spec, data, store, LocalExecutor())
    assert outcome.trained == () and list(outcome.artifacts) == list(fitted)
    stored = open_run(spec.run_id, store)
    assert stored.outcome().data.fingerprint == data.fingerprint
    assert len(stored.model.sample(10, torch.Generator().manual_seed(0))) == 10


def test_what_is_in_memory_is_a_part_of_it(spec, trained):
    """No artifact but the sample of codes, and no data, holds more rows than a shard."""
    data, _, fitted = trained
    small = prepare(
        Spec(
            spec.system,
            spec.data.model_copy(update={"num_train": 100, "num_test": 50}),
            spec.config,
        )
    )
    assert (len(small.train), len(small.test)) == (100, 50) and small.num_train == data.num_train
    for name in ("shards", "embed", "partition"):
        assert not fitted[name].artifact.tensors and len(fitted[name].artifact.tables) >= 3


def test_what_the_stages_of_a_stream_are_fed(spec, inputs, monkeypatch):
    """The partition all files' codes and its settings, mappers enough codes, a row its own code."""
    fed, runtime = {}, inputs[1]

    def partition(codes, file_rows, num_clusters, **how):
        fed["cluster"] = (file_rows, num_clusters, how)
        return fit_partition(codes, file_rows, num_clusters, **how)

    def clusters(numbers, inputs, runtime, limit):
        fed["map"] = (numbers, limit)
        return []

    def chosen(eps, **how):
        fed["evidence"] = eps
        return 5, {}

    monkeypatch.setattr(cluster, "fit_partition", partition)
    monkeypatch.setattr(cluster, "choose_num_clusters", chosen)
    monkeypatch.setattr(mapping, "read_clusters", clusters)
    config = override(spec.config, {"clusters.max_iter": 3, "clusters.min_rows": 9})
    config = override(config, {"clusters.num_clusters": None, "mappers.num_samples": 77})
    made = cluster.cluster_shards(config, ("all",), *inputs)
    mapping._codes(config, ["5", "2"], *inputs)

    file_rows, num, how = fed["cluster"]
    files = inputs[0].artifacts["embed"].tables
    assert file_rows == [file.rows for file in files] and sum(file_rows) > 15_000
    assert num == 5 and len(fed["evidence"]) == files[0].rows  # a random share of all
    assert (how["min_rows"], how["max_passes"], how["runtime"]) == (9, 3, runtime)
    nearest = torch.cdist(made.tensors["codes"], made.tensors["centres"]).argmin(1)
    assert torch.equal(made.tensors["k"], nearest)
    assert fed["map"] == ([5, 2], 77)

    rows = training_rows("decode", inputs[0].data.train, *inputs)
    codes = training_codes("decode", made.tensors["codes"], *inputs)
    encoder = load_encoder(spec.config.encoder, inputs[0].artifacts["encode"])
    for samples in (0, 2 * rows.length):
        assert_close(codes.at(samples), encoder.embed(rows.at(samples)), rtol=0, atol=1e-5)


def test_a_streams_samples_are_compared_with_the_rows_of_a_shard(spec, trained, monkeypatch):
    """By the pipeline, so with the artifacts that the stage declares and no others."""
    data, store, _ = trained
    compared = []

    def fitted(real, draw, **how):
        compared.append(real)
        return fit_ratio_trees(real, draw, **how)

    monkeypatch.setattr(refine, "fit_ratio_trees", fitted)
    config = override(spec.config, {"refine.num_trees": 5})
    found = fit_stages(replace(spec, config=config), data, store, LocalExecutor())
    assert [name for name, stage in found.items() if stage.new] == ["refine"]
    (real,) = compared
    runtime = Runtime(tables=Tables(store.storage, "new-2"))
    artifacts = {name: stage.artifact for name, stage in found.items()}
    shards = [
        read_shard(number, Inputs(data, artifacts, spec.seed), runtime)
        for number in range(data.stream.num_shards)
    ]
    assert sum(torch.equal(as_set(real), as_set(shard)) for shard in shards) == 1


def test_a_shards_rows_lie_in_no_order(inputs):
    """They are stored file by file, and each file's rows as they came."""
    x = read_shard(0, *inputs)
    stored = torch.cat(
        [
            torch.from_numpy(matrix(inputs[1].tables.read(file, "shard", [0]), "x"))
            for file in inputs[0].artifacts["shards"].tables
        ]
    )
    assert torch.equal(as_set(x), as_set(stored)) and not torch.equal(x, stored)
    assert (x[:-1] == stored[:-1]).all(1).float().mean() < 0.01


def test_a_file_of_shards_holds_its_rows_under_their_own_shard_in_its_order(inputs):
    data, runtime = inputs[0].data, inputs[1]
    (file, *_) = inputs[0].artifacts["shards"].tables
    stored = runtime.tables.read(file)
    assert (np.diff(stored["shard"]) >= 0).all()

    batches = list(data.stream.train_rows(0))
    x = np.concatenate([data.table_schema.encode(columns).numpy() for columns, _ in batches])
    shards = np.concatenate([numbers for _, numbers in batches])
    for number in range(data.stream.num_shards):
        ours = matrix(stored, "x")[stored["shard"] == number]
        assert len(ours) and torch.equal(as_set(ours), as_set(x[shards == number]))
