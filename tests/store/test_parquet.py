"""Parquet files of a store: rows picked by a sorted column, damage found, listed by artifacts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.store.inventory import damages, waste
from scgan.store.parquet import MIN_GROUP_ROWS, Tables
from scgan.store.storage import StorageError


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(str(tmp_path))


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    k = np.sort(rng.integers(0, 12, 20_000)).astype(np.int32)
    return {"k": k, "eps0": rng.normal(size=20_000).astype(np.float32), "eps1": np.arange(20_000.0)}


@pytest.mark.parametrize("values", [[3], [0, 11], [7, 2, 5], [12], []])
def test_the_rows_of_some_values_and_no_others_are_read(store, columns, values, monkeypatch):
    tables = Tables(store.storage, "partition-1")
    file = tables.write("0", columns, by="k")
    read = []
    read_row_groups = parquet.ParquetFile.read_row_groups

    monkeypatch.setattr(
        parquet.ParquetFile,
        "read_row_groups",
        lambda self, groups, **how: read.append(read_row_groups(self, groups, **how)) or read[-1],
    )

    found, expected = tables.read(file, "k", values), np.isin(columns["k"], values)
    for name, array in columns.items():
        assert np.array_equal(found[name], array[expected]) and found[name].dtype == array.dtype

    assert (
        read[0].num_rows == expected.sum()
    )  # each value has more than MIN_GROUP_ROWS rows: a row group of its own


def test_rare_values_share_row_groups(store):
    k = np.repeat(np.arange(1000, dtype=np.int32), 10)
    tables = Tables(store.storage, "partition-1")
    file = tables.write("0", {"k": k}, by="k")
    assert parquet.ParquetFile(store.storage.root / file.name).num_row_groups == -(
        -10_000 // MIN_GROUP_ROWS
    )
    assert np.array_equal(tables.read(file, "k", [5, 500])["k"], np.repeat([5, 500], 10))


def test_the_same_rows_are_the_same_file_and_no_rows_are_a_file_too(store, columns):
    tables = Tables(store.storage, "embed-1")
    assert tables.write("0", columns) == tables.write("0", columns)
    empty = tables.write("1", {"eps0": np.empty(0, np.float32)})
    assert empty.rows == 0 and len(tables.read(empty)["eps0"]) == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_file_is_named_removed_and_its_artifact_counts_as_missing(
    store, columns, damage, caplog
):
    tables = Tables(store.storage, "embed-1")
    file = tables.write("0", columns)
    store.save("embed-1", Artifact(tables=(file,)))
    assert store.load("embed-1").tables == (file,) and store.check("embed-1") is None
    path = Path(store.url) / file.name
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:-100])
    if damage == "gone":
        path.unlink()

    assert [key for key, _ in damages(store)] == ["embed-1"]
    with pytest.raises(StorageError, match=r"embed-1/0-\w+\.parquet is missing or damaged"):
        tables.read(file)

    assert not path.exists() and store.load("embed-1") is None
    assert "is missing or cut short" in caplog.text


def test_an_artifact_keeps_its_files_when_it_is_made_again(store, columns):
    tables = Tables(store.storage, "embed-1")
    files = tuple(tables.write(str(i), columns) for i in range(2))
    store.save("embed-1", Artifact(tables=files))
    store.save("embed-1", Artifact(tables=files))
    assert store.load("embed-1").tables == files
    store.save("embed-1", Artifact(tables=files[:1]))
    assert [
        name for name in store.storage.names("artifacts/embed-1/") if name.endswith(".parquet")
    ] == [files[0].name]
    assert {thing.name for thing in waste(store, hours=0)} == {"artifact embed-1"}


def test_a_hostile_name_of_a_file_stays_in_the_store(store, tmp_path):
    tables = Tables(store.storage, "embed-1")
    file = tables.write("0", {"x": np.arange(3)})
    for name in ("../outside.parquet", "/etc/passwd", "artifacts/../../x.parquet"):
        with pytest.raises(ValueError, match="is no name for a file in a store"):
            Tables(store.storage, "embed-1").read(
                type(file)(name, file.sha256, file.bytes, file.rows)
            )


def test_the_files_of_an_artifact_are_in_the_order_of_their_labels(store, columns):
    tables = Tables(store.storage, "embed-1")
    files = [tables.write(label, columns) for label in ("000002", "000000", "000001")]
    store.save("embed-1", Artifact(tables=tuple(files)))
    labels = [file.name.rpartition("/")[2][:6] for file in store.load("embed-1").tables]
    assert labels == ["000000", "000001", "000002"]
