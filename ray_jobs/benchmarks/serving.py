"""A served model under load: MLflow's server and Ray Serve, the same requests on this machine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import torch

from ray_jobs.benchmarks.showing import checkerboard, show
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.store.artifacts import ArtifactStore
from scgan.tracking.model import save_model

HOST, START_SECONDS = "127.0.0.1", 600.0
JSON = {"Content-Type": "application/json"}
SIZES = {"encoder.num_samples": 20_480, "mappers.num_samples": 2560, "decoder.num_samples": 10_240}


@dataclass(frozen=True)
class Server:
    """A server of the model.

    Args:
        name: As it is shown.
        words: Its command; ``{model}`` and ``{port}`` are filled in.
        path: Where samples are asked for.
        ready: Where it says that it is there.
    """

    name: str
    words: Sequence[str]
    path: str
    ready: str

    def body(self, num: int) -> bytes:
        """A request for so many samples."""
        asked = {"num": num} if self.path == "/sample" else {"inputs": {"n": [num]}}
        return json.dumps(asked).encode()


def servers() -> tuple[Server, Server]:
    """MLflow's, and Ray Serve."""
    serve = str(Path(__file__).resolve().parents[1] / "serve.py")
    local = ("--env-manager", "local", "-h", HOST)
    mlflow = ("-m", "mlflow", "models", "serve", "-m", "{model}", *local, "-p", "{port}")
    ray = (serve, "{model}", "--port", "{port}", "--max-replicas", "1")
    return (
        Server("mlflow", mlflow, "/invocations", "/ping"),
        Server("ray_serve", ray, "/sample", "/health"),
    )


@click.command()
@click.option("--model", help="Folder of a model; a small one is trained if it is not given.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1, 600))
@click.option("--clients", default=16, show_default=True, type=click.IntRange(1, 256))
@click.option("--rows", default=10, show_default=True, type=click.IntRange(1, 100_000))
def serving(model: str | None, *, seconds: float, clients: int, rows: int) -> None:
    """Requests and rows a second, and the time to an answer, of MLflow's server and Ray Serve.

    Single requests of one row and of 100,000 are timed first, alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = model or _trained(Path(folder))
        rates = {}
        for server in servers():
            with running(server, model) as port:
                one, many = (alone(server, port, n, k) for n, k in ((1, 30), (100_000, 5)))
                loaded = Load(server, port, rows)
                figures = loaded.run(clients, seconds)
            rates[server.name] = figures["requests_a_second"]
            show(server=server.name, one_row_ms=one, rows_100000_ms=many, **figures)

    show(ratio_of_requests=rates["ray_serve"] / rates["mlflow"], clients=clients, rows=rows)


def _trained(folder: Path) -> str:
    """A model of the checkerboard, shortly trained: how well does not change how fast."""
    spec, store = checkerboard(SIZES), ArtifactStore(str(folder / "runs"))
    data = pipeline.prepare(spec)
    fitted = pipeline.fit_stages(spec, data, store, LocalExecutor(torch.device("cpu")))
    artifacts = {name: stage.artifact for name, stage in fitted.items()}
    save_model(folder / "model", spec, data.schema, artifacts)
    return str(folder / "model")


@contextmanager
def running(server: Server, model: str) -> Iterator[int]:
    """A server of the model in processes of its own; its port."""
    with socket.create_server((HOST, 0)) as free:
        port = int(free.getsockname()[1])

    words = [word.format(model=model, port=port) for word in server.words]
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of uvicorn
    process = subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "PATH": here},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(server, process, port)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Server, process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", server.ready)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{server.name} did not begin to serve; run its command by hand")
        time.sleep(0.5)


def alone(server: Server, port: int, rows: int, times: int) -> float:
    """Median milliseconds to an answer, one request after another."""
    loaded = Load(server, port, rows)
    loaded.client(times + 2, time.monotonic() + 300)
    return 1000 * statistics.median(loaded.took[2:])


@dataclass
class Load:
    """Clients of a server, each with one request under way.

    Args:
        server: The server.
        port: Its port.
        rows: Samples that each request asks for.
    """

    server: Server
    port: int
    rows: int
    took: list[float] = field(default_factory=list)  # seconds of each answer
    failed: list[str] = field(default_factory=list)

    def client(self, times: int, end: float) -> None:
        """Ask so often, or until a time, over one connection."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=120)
        body = self.server.body(self.rows)
        for _ in range(times):
            start = time.monotonic()
            if start > end:
                break

            try:
                connection.request("POST", self.server.path, body, JSON)
                answer = connection.getresponse()
                text = answer.read()
            except OSError as error:
                self.failed.append(f"{type(error).__name__}: {error}")
                connection.close()
                continue

            if answer.status == 200:
                self.took.append(time.monotonic() - start)
            else:
                self.failed.append(text.decode()[:200])

    def run(self, clients: int, seconds: float) -> dict[str, float]:
        """Have clients ask for so long; what came of it.

        Raises:
            RuntimeError: If nothing was answered.
        """
        start = time.monotonic()
        most = int(1000 * seconds)  # a bound on the loop, far above any rate
        threads = [
            threading.Thread(target=self.client, args=(most, start + seconds))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        if not self.took:
            raise RuntimeError(f"{self.server.name} answered nothing: {self.failed[:1]}")
        passed, took = time.monotonic() - start, sorted(self.took)
        return {
            "requests_a_second": len(took) / passed,
            "rows_a_second": self.rows * len(took) / passed,
            "median_ms": 1000 * statistics.median(took),
            "p99_ms": 1000 * took[int(0.99 * (len(took) - 1))],
            "failed": float(len(self.failed)),
        }
