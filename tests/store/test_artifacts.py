"""The store: what is written comes back, what is broken counts as missing, nothing gets out."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from scgan.store.artifacts import Artifact, ArtifactStore, digest
from scgan.store.inventory import waste
from scgan.store.parquet import Tables
from scgan.store.storage import check_name

ARTIFACT = Artifact(
    {
        "a.weight": torch.randn(3, 2),
        "k": torch.arange(5),
        "state": torch.zeros(4, dtype=torch.uint8),
    },
    {"curve": [{"samples": 1, "loss": 0.5}], "text": "é"},
)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(str(tmp_path / "runs"))


def assert_same(a, b):
    assert a.meta == b.meta and a.tensors.keys() == b.tensors.keys()
    assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)


def test_round_trip(store):
    assert store.load("encode-1") is None
    store.save("encode-1", ARTIFACT)
    assert_same(store.load("encode-1"), ARTIFACT)
    assert list(store.keys("encode")) == ["encode-1"]
    store.delete("encode-1")
    assert store.load("encode-1") is None and list(store.keys()) == []


def test_section_strips_its_prefix():
    assert ARTIFACT.section("a").keys() == {"weight"}


def test_saving_again_replaces_and_leaves_one_file(store, tmp_path):
    store.save("x-1", ARTIFACT)
    changed = Artifact({"w": torch.ones(2)}, {"n": 2})
    store.save("x-1", changed)
    assert_same(store.load("x-1"), changed)
    assert len(list((tmp_path / "runs/artifacts/x-1").iterdir())) == 2


def test_an_artifact_of_meta_alone(store):
    store.save("scores-1", Artifact(meta={"x": 1.5}))
    assert store.load("scores-1").meta == {"x": 1.5}


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest", "meta_type"])
def test_a_damaged_artifact_counts_as_missing_and_is_named(store, tmp_path, damage, caplog):
    store.save("map-7", ARTIFACT)
    folder = tmp_path / "runs/artifacts/map-7"
    (tensors,) = folder.glob("*.safetensors")
    content = tensors.read_bytes()

    if damage == "truncate":
        tensors.write_bytes(content[:-3])
    elif damage == "flip":
        tensors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "remove":
        tensors.unlink()
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{")
    else:
        (folder / "manifest.json").write_text("[]")

    assert store.load("map-7") is None
    assert "map-7" in caplog.text
    store.save("map-7", ARTIFACT)
    assert_same(store.load("map-7"), ARTIFACT)


def test_without_a_manifest_there_is_no_artifact(store, tmp_path):
    store.save("x-1", ARTIFACT)
    (tmp_path / "runs/artifacts/x-1/manifest.json").unlink()
    assert store.load("x-1") is None and list(store.keys()) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "a//b", "", ".hidden", "a b", "a\nb"]
)
def test_names_cannot_leave_the_store(name):
    with pytest.raises(ValueError, match="no name"):
        check_name(name)


def sign(path, manifest):
    """Write a manifest that is whole, as a forger would."""
    manifest = {key: value for key, value in manifest.items() if key != "sha256"}
    path.write_text(json.dumps({**manifest, "sha256": digest(manifest)}))


def test_a_forged_manifest_that_is_whole_is_believed(store, tmp_path):
    """What hostile ones differ from: so it is their names and contents that are refused."""
    store.save("x-1", ARTIFACT)
    path = tmp_path / "runs/artifacts/x-1/manifest.json"
    sign(path, {**json.loads(path.read_text()), "meta": {"n": 1}})
    assert store.load("x-1").meta == {"n": 1}


def test_a_hostile_manifest_reads_nothing_outside(store, tmp_path):
    outside = tmp_path / "secret.safetensors"
    outside.write_bytes(b"x")
    store.save("x-1", ARTIFACT)
    path = tmp_path / "runs/artifacts/x-1/manifest.json"
    manifest = json.loads(path.read_text())
    (entry,) = manifest["files"].values()
    manifest["files"] = {
        "../../../secret.safetensors": {**entry, "sha256": hashlib.sha256(b"x").hexdigest()}
    }
    sign(path, manifest)
    assert store.load("x-1") is None


def test_a_pickle_is_not_read(store, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    store.save("x-1", ARTIFACT)
    folder = tmp_path / "runs/artifacts/x-1"
    (tensors,) = folder.glob("*.safetensors")
    content = pickle.dumps(Bomb())
    tensors.write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][tensors.name] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    sign(folder / "manifest.json", manifest)
    assert store.load("x-1") is None
    assert not (tmp_path / "boom").exists()


def test_a_store_that_cannot_be_written_is_refused(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")
    with pytest.raises(ValueError, match="can't be written.*choose another"):
        ArtifactStore(str(occupied / "runs"))

    if os.geteuid() != 0:
        closed = tmp_path / "closed"
        closed.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
        with pytest.raises(ValueError, match="can't be written"):
            ArtifactStore(str(closed))


class Killed(Exception):
    pass


@pytest.mark.parametrize("writes", [0, 1])
def test_killed_before_the_manifest_the_old_artifact_stays(store, monkeypatch, writes):
    """The manifest is the last write; what it replaces is removed only after it."""
    changed = Artifact({"w": torch.ones(2)})

    def killed_at(later):
        todo, write = list(range(writes)), store.storage.write

        def write_or_die(name, content):
            if not todo:
                raise Killed
            todo.pop()
            write(name, content)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(store.storage, "write", write_or_die)
            store.save("x-1", later)

    killed_at(ARTIFACT)
    assert store.load("x-1") is None and list(store.keys()) == []
    store.save("x-1", ARTIFACT)
    killed_at(changed)
    assert_same(store.load("x-1"), ARTIFACT)
    assert store.check("x-1") is None

    store.save("x-1", changed)
    assert_same(store.load("x-1"), changed)


def test_another_keys_manifest_or_another_formats_is_refused(store, tmp_path, caplog):
    store.save("x-1", ARTIFACT)
    shutil.copytree(tmp_path / "runs/artifacts/x-1", tmp_path / "runs/artifacts/x-2")
    assert store.load("x-2") is None and "another artifact's" in caplog.text

    path = tmp_path / "runs/artifacts/x-1/manifest.json"
    sign(path, {**json.loads(path.read_text()), "format": 1})
    assert store.load("x-1") is None


def test_keys_are_those_that_begin_with_the_prefix(store):
    for key in ("map-1", "map-10", "mapper-1", "encode-1"):
        store.save(key, Artifact(meta={"key": key}))
    assert list(store.keys("map-")) == ["map-1", "map-10"]
    assert list(store.keys("map-1")) == ["map-1", "map-10"]

    store.delete("map-1")
    assert list(store.keys()) == ["encode-1", "map-10", "mapper-1"]
    assert store.load("map-10").meta == {"key": "map-10"}


def test_every_file_of_an_artifact_is_checked_to_the_byte(store):
    tables = Tables(store.storage, "x-1")
    files = tuple(tables.write(str(i), {"n": np.arange(9) + i}) for i in range(2))
    store.save("x-1", Artifact({"w": torch.ones(2)}, tables=files))
    assert store.check("x-1") is None

    for name in store.files("x-1"):
        path = Path(store.url, "artifacts/x-1", name)
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert store.check("x-1") == f"the checksum of {name} does not hold"
        path.write_bytes(content)

        path.unlink()
        assert store.load("x-1") is None and "is missing" in store.check("x-1")
        path.write_bytes(content)

    assert store.check("x-1") is None and len(store.files("x-1")) == 3


def test_orphaned_files_and_unfinished_writes_are_waste_once_they_are_old(store):
    store.save("x-1", ARTIFACT)
    folder = Path(store.url, "artifacts/x-1")
    names = {path.name for path in folder.iterdir()}
    store.storage.write("r/run.json", b'{"artifacts": {"x": "x-1"}}')
    store.storage.write("artifacts/x-1/tensors-0.safetensors", b"another's")
    (folder / ".part-abc").write_bytes(b"cut")
    assert waste(store, hours=1) == []

    found = {thing.name: thing for thing in waste(store, hours=0)}
    orphaned = "file artifacts/x-1/tensors-0.safetensors"
    assert found.keys() == {orphaned, "unfinished write of artifacts/x-1/.part-abc"}
    assert found[orphaned].bytes == 9
    for thing in found.values():
        thing.remove()

    assert {path.name for path in folder.iterdir()} == names


WRITE_OFTEN = """
import sys, torch
from scgan.store.artifacts import Artifact, ArtifactStore

store = ArtifactStore(sys.argv[1])
for _ in range(20):
    store.save("same-1", Artifact({"w": torch.full((1000,), float(sys.argv[2]))}))
"""


def test_two_writers_at_once_leave_a_whole_artifact(store):
    command = [sys.executable, "-c", WRITE_OFTEN, store.url]
    writers = [subprocess.Popen([*command, value]) for value in ("1", "2")]
    for writer in writers:
        assert writer.wait(60) == 0
    assert float(store.load("same-1").tensors["w"].unique()) in (1.0, 2.0)


def between(storage, method, name_part, then):
    """Call ``then`` once, after the storage has done ``method`` with a name with ``name_part``."""
    original, todo = getattr(storage, method), [then]

    def hooked(name, *content):
        result = original(name, *content)
        if name_part in name and todo:
            todo.pop()()
        return result

    setattr(storage, method, hooked)


def test_a_writer_never_removes_what_another_has_just_written(store):
    """The second replaces the first's bytes while the first writes the same bytes again."""
    other = ArtifactStore(store.url)
    store.save("x-1", ARTIFACT)
    between(other.storage, "write", "manifest", lambda: store.save("x-1", ARTIFACT))
    other.save("x-1", Artifact({"w": torch.ones(2)}))
    assert_same(store.load("x-1"), ARTIFACT)


def test_a_reader_between_two_writers_sees_one_of_them(store):
    other = ArtifactStore(store.url)
    store.save("x-1", ARTIFACT)
    between(store.storage, "read", "manifest", lambda: other.save("x-1", Artifact(meta={"n": 2})))
    assert store.load("x-1").meta == {"n": 2}


def test_links_that_lead_out_of_the_store_are_refused(store, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a").write_text("x")
    (tmp_path / "runs" / "inside").mkdir(parents=True)
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "secret")

    for call in (
        lambda: store.storage.read("link/a"),
        lambda: store.storage.write("link/a", b""),
        lambda: store.storage.delete("link/a"),
    ):
        with pytest.raises(ValueError, match="a link that leads out of the store"):
            call()

    assert (tmp_path / "secret" / "a").read_text() == "x" and list(store.storage.names("")) == []


def test_plain_values_are_checked_too(store, tmp_path, caplog):
    store.save("x-1", Artifact(meta={"units": ["0", "1"], "by number": {10: 1, 9: 2}}))
    assert store.load("x-1").meta["by number"] == {"10": 1, "9": 2}
    path = tmp_path / "runs/artifacts/x-1/manifest.json"
    path.write_text(path.read_text().replace('"1"', '"2"'))
    assert store.load("x-1") is None and "the checksum of its manifest does not hold" in caplog.text


def test_digest_depends_on_values_not_on_order():
    assert (
        digest({"a": 1, "b": [2.5]}) == digest({"b": [2.5], "a": 1}) != digest({"a": 1, "b": [2.6]})
    )


def test_a_section_is_of_its_name_and_no_longer_one():
    tensors = {name: torch.zeros(1) for name in ("a.w", "a.b.w", "ab.w", "a", "b.a.w")}
    assert Artifact(tensors).section("a").keys() == {"w", "b.w"}


def test_a_write_leaves_the_file_and_nothing_beside_it(store, tmp_path):
    store.storage.write("artifacts/x-1/file", b"new")
    store.storage.write("artifacts/x-1/file", b"newer")
    found = [path.name for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert found == ["file"] and store.storage.read("artifacts/x-1/file") == b"newer"


def test_what_is_left_behind_is_waste_after_so_many_hours(store, tmp_path):
    store.save("x-1", ARTIFACT)
    two_hours_ago = time.time() - 2 * 3600
    for path in (tmp_path / "runs").rglob("*"):
        os.utime(path, (two_hours_ago, two_hours_ago))

    assert [thing.name for thing in waste(store, hours=1)] == ["artifact x-1"]
    assert waste(store, hours=3) == []
