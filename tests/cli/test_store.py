"""`scgan store`: what lies there, what is damaged, what can go and what must stay."""

from __future__ import annotations

import json
import os
import time

import pytest
import torch

from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.store.inventory import waste

HOUR = 3600


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """Two runs that share an encoder, one artifact of no run, and what a killed job leaves."""
    store = ArtifactStore(
        str(tmp_path / "runs") if request.param == "folder" else f"s3://{bucket(request)}/runs"
    )
    put(store, "encode-1")
    put(store, "map-1", upstream={"encode": "encode-1"})
    put(store, "map-2", upstream={"encode": "encode-1"})
    put(store, "map-9", upstream={"encode": "encode-1"})
    put(store, "scores-1", upstream={"encode": "encode-1", "map": "map-1"})
    put(store, "scores-9", upstream={"encode": "encode-1", "map": "map-9"})
    put(store, "encode-7")
    put(store, "map-7.part-ab", upstream={"encode": "encode-7"})
    put(store, "map-7.part-cd.checkpoint", upstream={"encode": "encode-7"})
    for run, number in (("a", 1), ("b", 2)):
        record = {"artifacts": {"encode": "encode-1", "map": f"map-{number}"}}
        store.storage.write(f"{run}/run.json", json.dumps(record).encode())
        store.storage.write(f"{run}/report.html", b"<html>")
    store.storage.write("probe-123", b"")
    store.storage.write("artifacts/encode-1/tensors-of-another.safetensors", b"123")
    store.storage.write("artifacts/lost-1/tensors-x.safetensors", b"12345")
    return store


def bucket(request):
    import boto3

    monkeypatch, endpoint = (
        request.getfixturevalue("monkeypatch"),
        request.getfixturevalue("endpoint"),
    )
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    name = f"bucket-{time.time_ns()}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="module")
def endpoint():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


def put(store, key, upstream=None):
    store.save(key, Artifact({"w": torch.ones(3)}, {"units": ["0"]}), {"upstream": upstream or {}})


def names(store, hours=0.0):
    return {thing.name for thing in waste(store, hours=hours)}


def test_ls_says_what_is_used_by_what(store, scgan_command):
    said = scgan_command("store", "ls", "--store", store.url, "--json")
    items = {item["key"]: item for item in json.loads(said.out)["items"]}
    assert (
        items["encode-1"]["runs"] == ["a", "b"]
        and items["map-2"]["runs"] == ["b"]
        and items["map-9"]["runs"] == []
    )
    kinds = {key: item["kind"] for key, item in items.items()}
    assert kinds["map-7.part-ab"] == "part" and kinds["map-7.part-cd.checkpoint"] == "checkpoint"
    assert (
        kinds["lost-1"] == "incomplete"
        and kinds["map-1"] == "artifact"
        and items["lost-1"]["bytes"] == 5
    )
    assert all(0 <= time.time() - item["modified"] < 60 for item in items.values())
    said = scgan_command("store", "ls", "--store", store.url)
    assert (
        said.code == 0
        and "10 keys" in said.out
        and "2 runs in" in said.out
        and "encode-1" in said.out
    )


def test_verify_names_what_is_damaged(store, scgan_command):
    said = scgan_command("store", "verify", "--store", store.url)
    assert said.code == 0 and "are whole" in said.out
    (name,) = (n for n in store.storage.names("artifacts/map-1/tensors"))
    content = store.storage.read(name)
    store.storage.write(name, content[:-1] + bytes([content[-1] ^ 1]))
    store.delete("map-2")
    store.storage.write("artifacts/map-9/manifest.json", b'{"files": ')
    said = scgan_command("store", "verify", "--store", store.url, "--json")
    damaged = json.loads(said.out)["damaged"]
    assert said.code == 1 and damaged.keys() == {"map-1", "map-9", "b"}
    assert "the checksum of tensors-" in damaged["map-1"] and "not JSON" in damaged["map-9"]
    assert (
        "its map artifact map-2 is missing" in damaged["b"]
        and "of 9 keys and their runs: 3;" in said.err
    )


def test_gc_keeps_what_runs_use_and_what_is_young(store, scgan_command):
    assert names(store, hours=1) == set()
    gone = {
        *(
            "artifact map-9",
            "artifact scores-9",
            "artifact encode-7",
            "part map-7.part-ab",
            "incomplete lost-1",
        ),
        *(
            "checkpoint map-7.part-cd.checkpoint",
            "file artifacts/encode-1/tensors-of-another.safetensors",
        ),
        "file probe-123",
    }
    time.sleep(1.1)  # S3 counts whole seconds
    assert names(store) == gone
    there = set(store.storage.names(""))
    said = scgan_command("store", "gc", "--older-than", "0", "--store", store.url)
    assert said.code == 0 and "8 things" in said.out and "--yes removes them" in said.out
    assert set(store.storage.names("")) == there
    said = scgan_command(
        "store", "gc", "--older-than", "0", "--store", store.url, "--yes", "--json"
    )
    assert set(json.loads(said.out)["removed"]) == gone
    assert set(store.keys()) == {"encode-1", "map-1", "map-2", "scores-1"} and names(store) == set()
    assert scgan_command("store", "verify", "--store", store.url).code == 0
    assert {"a/run.json", "a/report.html", "b/run.json", "b/report.html"} < set(
        store.storage.names("")
    )


def test_what_a_running_job_was_made_from_is_kept(tmp_path):
    """Its encoder is of no run yet, and older than the guard; only its checkpoint is young."""
    store = ArtifactStore(str(tmp_path))
    put(store, "encode-7")
    put(store, "cluster-7", upstream={"encode": "encode-7"})
    put(store, "map-7.part-ab", upstream={"cluster": "cluster-7"})
    put(store, "map-7.part-cd.checkpoint", upstream={"cluster": "cluster-7"})
    put(store, "encode-8")
    for path in tmp_path.rglob("*"):
        if path.is_file() and "checkpoint" not in str(path):
            os.utime(path, (time.time() - 48 * HOUR,) * 2)
    assert names(store, hours=24) == {"artifact encode-8"}


def test_unfinished_writes_of_a_folder_go(tmp_path):
    store = ArtifactStore(str(tmp_path))
    put(store, "encode-1")
    part = tmp_path / "artifacts" / "encode-1" / ".part-abc"
    part.write_bytes(b"12")
    assert names(store, hours=1) == set()
    os.utime(part, (time.time() - 2 * HOUR,) * 2)
    (found,) = waste(store, hours=1)
    assert found.name == "unfinished write of artifacts/encode-1/.part-abc" and found.bytes == 2
    found.remove()
    assert not part.exists()


def test_unfinished_uploads_go(request, tmp_path):
    import boto3

    name, client = bucket(request), boto3.client("s3")
    client.create_multipart_upload(Bucket=name, Key="runs/artifacts/x/t")
    client.create_multipart_upload(Bucket=name, Key="elsewhere/t")
    store = ArtifactStore(f"s3://{name}/runs")
    found = waste(store, hours=-1)  # moto dates every upload 2010
    assert [thing.name for thing in found] == ["unfinished write of artifacts/x/t"]
    found[0].remove()
    assert [u["Key"] for u in client.list_multipart_uploads(Bucket=name)["Uploads"]] == [
        "elsewhere/t"
    ]


def test_a_saved_estimator_is_all_used(tmp_path):
    store = ArtifactStore(str(tmp_path))
    put(store, "encode")
    store.storage.write("estimator.json", b"{}")
    assert names(store, hours=-1) == set()


def test_hostile_records_and_manifests_remove_nothing_outside(tmp_path, scgan_command):
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "manifest.json").write_text("{}")
    store = ArtifactStore(str(tmp_path / "runs"))
    put(store, "encode-1", upstream={"x": "../../precious"})
    record = {"artifacts": {"encode": "../../precious", "map": 7, "x": ["encode-1"]}}
    store.storage.write("a/run.json", json.dumps(record).encode())
    store.storage.write("b/run.json", b"[" * 100_000)
    (tmp_path / "runs" / "artifacts" / "link").symlink_to(outside)
    said = scgan_command("store", "verify", "--store", store.url)
    assert (
        said.code == 1
        and "its encode artifact ../../precious, " in said.out
        and "b: run.json can't be read" in said.out
    )
    assert (
        scgan_command("store", "gc", "--store", store.url, "--older-than", "0", "--yes").code == 0
    )
    assert (outside / "manifest.json").exists()


@pytest.mark.parametrize("words", [("ls",), ("verify",), ("gc",)])
def test_a_store_that_is_not_there(scgan_command, tmp_path, words):
    said = scgan_command("store", *words, "--store", tmp_path / "none")
    assert said.code == 2 and len(said.err.splitlines()) == 1 and "there is no store" in said.err
    assert not (tmp_path / "none").exists()
