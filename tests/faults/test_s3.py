"""S3 answers 503, is away, is silent or breaks off, in each stage: the run waits and goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import boto3
import pytest
import torch

from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.store.s3 import S3
from scgan.store.storage import StorageError

pytestmark = pytest.mark.faults

BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\n"
    b"Connection: close\r\nContent-Length: 95\r\n\r\n"
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code>"
    b"<Message>Reduce your rate</Message></Error>   "
)


class Proxy:
    """Hands bytes on to a server, and in ``mode`` busy, away, silent or cut does not."""

    def __init__(self, target):
        self.target, self.mode, self.cut_after = target, "pass", 200_000
        self.refused = 0
        self.open = []
        self.listen()

    def listen(self, port=0):
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, args=(self.server,), daemon=True).start()

    def set(self, mode):
        """Change the mode; connections that are open end, as a server's do that goes away."""
        before, self.mode = self.mode, mode
        if mode == "away":
            close(self.server)
        elif before == "away":
            self.listen(self.port)
        for connection in self.open:
            close(connection)
        self.open = []

    def serve(self, server):
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client):
        if self.mode != "pass":
            self.refused += 1

        if self.mode == "silent":
            self.open.append(client)
            return

        if self.mode == "busy":
            with contextlib.suppress(OSError):
                client.settimeout(0.3)
                while client.recv(65536):
                    pass

            with contextlib.suppress(OSError):
                client.sendall(BUSY)

            close(client)
            return

        server = socket.create_connection(self.target)
        self.open += [client, server]
        most = self.cut_after if self.mode == "cut" else None
        threading.Thread(target=pump, args=(server, client, None), daemon=True).start()
        pump(client, server, most)

    def stop(self):
        self.set("away")


def close(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def pump(source, target, most):
    with contextlib.suppress(OSError):
        passed = 0
        while data := source.recv(65536):
            passed += len(data)
            if most is not None and passed > most:
                break

            target.sendall(data)

    close(source)
    close(target)


@pytest.fixture(scope="module")
def moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def proxy(moto, monkeypatch):
    proxy = Proxy(moto)
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)

    yield proxy
    proxy.stop()


@pytest.fixture
def address(proxy):
    name = f"bucket-{time.time_ns()}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}/runs"


class Outage:
    """A listener that breaks S3 for some seconds when a stage begins."""

    def __init__(self, proxy, mode, stage, seconds):
        self.proxy, self.mode, self.stage, self.seconds = proxy, mode, stage, seconds

    def __getattr__(self, name):
        return lambda *args: None

    def stage_started(self, stage, num_units):
        if stage == self.stage:
            self.proxy.set(self.mode)
            timer = threading.Timer(self.seconds, self.proxy.set, ["pass"])
            timer.daemon = True
            timer.start()


@pytest.mark.parametrize("mode", ["busy", "away", "silent"])
@pytest.mark.parametrize("stage", ["encode", "cluster", "map", "decode", "refine"])
def test_an_outage_in_a_stage(undisturbed, spec, proxy, address, stage, mode):
    """For longer than the stage takes, so that its result is written into the outage."""
    store = ArtifactStore(address)
    fit_stages(spec, prepare(spec), store, LocalExecutor(), [Outage(proxy, mode, stage, 6.0)])
    assert proxy.refused or mode == "away"
    undisturbed.assert_same(store)


@pytest.mark.parametrize("mode", ["busy", "away"])
def test_a_minute(proxy, address, mode, caplog):
    store = ArtifactStore(address)
    proxy.set(mode)
    threading.Timer(60.0, proxy.set, ["pass"]).start()
    start = time.monotonic()
    store.save("encode-1", Artifact({"w": torch.ones(3)}))
    assert 55 < time.monotonic() - start < 75 and "is away, tried for" in caplog.text
    assert torch.equal(store.load("encode-1").tensors["w"], torch.ones(3))


def test_an_outage_that_lasts_too_long_is_said_and_taken_up_again(
    undisturbed, spec, proxy, address, monkeypatch
):
    monkeypatch.setattr("scgan.store.s3.PATIENCE", 2.0)
    monkeypatch.setattr(S3.__init__, "__kwdefaults__", {"patience": 2.0, "timeout": 60.0})
    store = ArtifactStore(address)

    with pytest.raises(StorageError, match=f"^{address}: "):
        fit_stages(
            spec, prepare(spec), store, LocalExecutor(), [Outage(proxy, "away", "map", 15.0)]
        )

    proxy.set("pass") if proxy.mode == "away" else None
    fitted = fit_stages(spec, prepare(spec), ArtifactStore(address), LocalExecutor())
    assert [name for name, each in fitted.items() if each.new] == ["map", "decode", "refine"]
    undisturbed.assert_same(store)


@pytest.mark.parametrize("size", [1_000_000, 30_000_000])
def test_a_partial_upload_is_no_artifact(proxy, address, size, monkeypatch):
    """The connection breaks within the upload, whole or in parts; then the process gives up."""
    monkeypatch.setattr(S3.__init__, "__kwdefaults__", {"patience": 0.0, "timeout": 5.0})
    store = ArtifactStore(address)
    old, new = (Artifact({"w": torch.full((size // 4,), value)}) for value in (1.0, 2.0))
    proxy.set("cut")
    with pytest.raises(StorageError):
        store.save("encode-1", new)

    proxy.set("pass")
    assert store.load("encode-1") is None and list(store.keys()) == []
    store.save("encode-1", old)
    proxy.set("cut")
    with pytest.raises(StorageError):
        store.save("encode-1", new)

    proxy.set("pass")
    assert float(store.load("encode-1").tensors["w"][0]) == 1.0 and store.check("encode-1") is None
    store.save("encode-1", new)
    assert float(store.load("encode-1").tensors["w"][0]) == 2.0


def test_a_download_that_breaks_off_is_made_again(proxy, address):
    store = ArtifactStore(address)
    store.save("encode-1", Artifact({"w": torch.ones(500_000)}))
    proxy.set("silent")
    threading.Timer(3.0, proxy.set, ["pass"]).start()
    assert torch.equal(store.load("encode-1").tensors["w"], torch.ones(500_000))


@pytest.mark.ray
@pytest.mark.parametrize("mode", ["busy", "away"])
def test_a_minute_while_ray_train_trains(
    undisturbed, another_head, proxy, address, start, end, until, tmp_path, mode
):
    """Workers' checkpoints and the driver's looks at the store fall into it; none starts again."""
    with another_head(tmp_path / "head.log", "--num-cpus=2") as head:
        driver = start(address, ray=True, RAY_ADDRESS=head.address)
        until(lambda: driver.log.exists() and "encode" in driver.log.read_text(), seconds=120)
        proxy.set(mode)
        time.sleep(60)
        proxy.set("pass")
        ended = end(driver)

    assert ended.code == 0, ended.err
    assert ended.result["trained"] == ["encode", "cluster", "map", "decode", "refine"]

    samples = [
        int(line.split()[1])
        for line in driver.log.read_text().splitlines()
        if line.startswith("encode")
    ]

    assert samples == sorted(samples)
    assert proxy.refused or mode == "away"
    undisturbed.assert_same(ArtifactStore(address))
