"""Results on S3, by a real server on loopback: the store alone, and a whole run."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import replace

import boto3
import numpy as np
import pandas as pd
import pytest
import torch
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from scgan.data.tables.reading import read_table
from scgan.pipeline import executor as execution
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.store.parquet import Tables
from scgan.store.s3 import S3
from scgan.store.storage import StorageError

SHORT = ("--encoder.num_samples", 2048, "--mappers.num_samples", 512, "--decoder.num_samples", 4096)
TINY = ("--preset", "smoke", "--clusters.num_clusters", 4, *SHORT)


@pytest.fixture(scope="module")
def endpoint():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture
def bucket(endpoint, monkeypatch, request):
    """A new bucket, found only by AWS_ENDPOINT_URL."""
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)

    name = f"bucket-{time.time_ns()}"
    client = boto3.client("s3")
    client.create_bucket(Bucket=name)
    yield name
    client.close()


def objects(bucket):
    return {
        entry["Key"]
        for entry in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())
    }


def test_artifacts_go_there_and_back(bucket):
    store = ArtifactStore(f"s3://{bucket}/some/prefix/")
    assert store.url == f"s3://{bucket}/some/prefix" and objects(bucket) == set()
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "k": torch.tensor([1, 2])}
    store.save("encode-1", Artifact(tensors, {"note": "x"}))
    store.save("encode-2", Artifact(meta={"note": "y"}))
    store.save("map-1", Artifact())
    found = ArtifactStore(f"s3://{bucket}/some/prefix").load("encode-1")
    assert found.meta == {"note": "x"} and torch.equal(found.tensors["a"], tensors["a"])
    assert found.tensors["k"].dtype == torch.int64
    assert list(store.keys()) == ["encode-1", "encode-2", "map-1"]
    assert list(store.keys("encode-")) == ["encode-1", "encode-2"]
    assert store.load("encode-3") is None
    assert all(name.startswith("some/prefix/artifacts/") for name in objects(bucket))
    store.save("encode-1", Artifact(meta={"note": "z"}))
    assert store.load("encode-1").meta == {"note": "z"}
    assert len([name for name in objects(bucket) if "/encode-1/" in name]) == 2
    store.delete("encode-1")
    assert list(store.keys()) == ["encode-2", "map-1"] and not [
        n for n in objects(bucket) if "/encode-1/" in n
    ]


def test_a_damaged_object_counts_as_missing(bucket, caplog):
    store = ArtifactStore(f"s3://{bucket}")
    store.save("encode-1", Artifact({"a": torch.ones(3)}))
    (tensors,) = (name for name in objects(bucket) if name.endswith(".safetensors"))
    client = boto3.client("s3")
    content = client.get_object(Bucket=bucket, Key=tensors)["Body"].read()
    client.put_object(Bucket=bucket, Key=tensors, Body=content[:-1] + b"\0")
    assert store.load("encode-1") is None and "damaged" in caplog.text
    client.delete_object(Bucket=bucket, Key=tensors)
    assert store.load("encode-1") is None


def test_rows_of_a_large_file_are_fetched_alone(bucket, monkeypatch):
    store, k = ArtifactStore(f"s3://{bucket}/runs"), np.repeat(np.arange(8, dtype=np.int32), 50_000)
    tables = Tables(store.storage, "partition-1")
    file = tables.write("0", {"k": k, "eps0": np.arange(400_000.0)}, by="k")
    store.save("partition-1", Artifact(tables=(file,)))
    assert store.load("partition-1").tables == (file,) and store.check("partition-1") is None
    fetched, persist = [], S3.persist
    monkeypatch.setattr(
        S3, "persist", lambda self, call: fetched.append(persist(self, call)) or fetched[-1]
    )
    found = tables.read(file, "k", [3])
    assert np.array_equal(found["eps0"], np.arange(150_000.0, 200_000.0))
    assert sum(len(content) for content in fetched if isinstance(content, bytes)) < file.bytes / 2
    with pytest.raises(StorageError, match="is missing or damaged"):
        tables.read(replace(file, name="artifacts/partition-1/other.parquet"))


def test_files_of_a_store(bucket):
    storage = S3(f"s3://{bucket}/x")
    storage.write("run/a.json", b"1")
    storage.write("run/a.json", b"22")
    assert storage.read("run/a.json") == b"22" and storage.read("run/b.json") is None
    assert list(storage.names("run/")) == ["run/a.json"] and list(storage.names("other/")) == []
    storage.delete("run/a.json")
    storage.delete("run/a.json")
    assert storage.read("run/a.json") is None
    large = bytes(20_000_000)  # in parts
    storage.write("large", large)
    assert storage.read("large") == large
    with pytest.raises(ValueError, match="is no name for a file"):
        storage.read("../other")


def test_a_bucket_that_is_not_there_is_said_at_once(bucket, scgan_command, tmp_path):
    for words, what in (
        (
            ("fit", "--store", "s3://no-such-bucket/x"),
            "the store 's3://no-such-bucket/x' can't be written: ",
        ),
        (
            ("evaluate", "r", "--store", "s3://no-such-bucket"),
            "the store 's3://no-such-bucket' can't be read: ",
        ),
        (
            ("fit", "--store", tmp_path, "--data", f"s3://{bucket}/t.csv"),
            f"s3://{bucket}/t.csv: there is no such object",
        ),
        (("report", "r", "--store", f"s3://{bucket}"), f"no run 'r' in the store 's3://{bucket}'"),
    ):
        start = time.monotonic()
        said = scgan_command(*words)
        assert said.code == 2 and what in said.err and len(said.err.splitlines()) == 1
        assert time.monotonic() - start < 5


def test_an_outage_is_one_line_that_travels_between_processes(bucket, monkeypatch):
    storage = S3(f"s3://{bucket}", patience=0, timeout=1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    for call in (
        lambda: storage.read("a"),
        lambda: storage.write("a", b""),
        lambda: storage.delete("a"),
        lambda: list(storage.names("")),
    ):
        with pytest.raises(StorageError, match=f"^s3://{bucket}: .*127.0.0.1:9") as error:
            call()

        assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
        assert "\n" not in str(error.value)


class Failing:
    """A call that fails some times before it goes well."""

    def __init__(self, error, times):
        self.error, self.left, self.made = error, times, 0

    def __call__(self, client):
        self.made += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


def refusal(code, status):
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )


@pytest.mark.parametrize(
    "error",
    [
        refusal("SlowDown", 503),
        refusal("InternalError", 500),
        EndpointConnectionError(endpoint_url="x"),
    ],
)
def test_what_may_pass_is_tried_again(bucket, error):
    call = Failing(error, times=2)
    assert S3(f"s3://{bucket}").persist(call) == "done" and call.made == 3
    call = Failing(error, times=2)
    with pytest.raises(StorageError):
        S3(f"s3://{bucket}", patience=0).persist(call)
    assert call.made == 1


@pytest.mark.parametrize(
    "error", [refusal("AccessDenied", 403), refusal("NoSuchBucket", 404), NoCredentialsError()]
)
def test_what_will_not_pass_is_said_at_once(bucket, error):
    call = Failing(error, times=1)
    with pytest.raises(StorageError):
        S3(f"s3://{bucket}").persist(call)
    assert call.made == 1


def test_one_client_a_process_until_the_environment_changes(bucket, monkeypatch):
    one, two = S3(f"s3://{bucket}"), S3(f"s3://{bucket}/x")
    first = one.client
    assert first is two.client
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert one.client is not first and one.client.meta.endpoint_url == "http://127.0.0.1:9"


def test_a_run_from_s3_to_s3(bucket, mlflow_here, scgan_command, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.normal(5, 1, 400), "n": rng.integers(0, 9, 400).astype(np.int16)}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    boto3.client("s3").upload_file(str(tmp_path / "t.parquet"), bucket, "data/t.parquet")
    store = f"s3://{bucket}/runs"
    words = ("fit", "--data", f"s3://{bucket}/data/t.parquet", "--store", store, "--json", *TINY)
    said = scgan_command(*words)
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["report"] == f"{store}/{result['run']}/report.html"
    there = objects(bucket)
    assert {f"runs/{result['run']}/report.html", f"runs/{result['run']}/run.json"} < there
    stages = {
        name.split("/")[2].split("-")[0] for name in there if name.startswith("runs/artifacts/")
    }
    assert stages == {"encode", "cluster", "map", "decode", "refine", "evaluate", "figures"}
    assert not [
        name for name in there if "probe" in name or "checkpoint" in name or ".part-" in name
    ]

    monkeypatch.setattr(execution, "fit_part", None)
    again = json.loads(scgan_command(*words).out)
    assert (again["trained"], again["scores"]) == ([], result["scores"])

    out = tmp_path / "s.csv"
    said = scgan_command("sample", result["run"], "--store", store, "--num", 50, "--out", out)
    assert said.code == 0, said.err
    assert read_table(out).names == ("x", "n") and read_table(out).columns["n"].max() < 9
    said = scgan_command("evaluate", result["run"], "--store", store, "--json")
    assert json.loads(said.out)["scores"] == result["scores"]

    assert {path.name for path in tmp_path.iterdir()} <= {
        "t.parquet",
        "s.csv",
        "mlflow.db",
        "mlflow.db.lock",
        "mlartifacts",
    }
