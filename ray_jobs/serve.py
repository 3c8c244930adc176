"""Serve a trained system with Ray: many replicas, requests drawn together, JSON and Arrow.

``python ray_jobs/serve.py MODEL`` on this machine or the cluster of ``RAY_ADDRESS``; or, with
Ray's own command, ``serve run ray_jobs.serve:app model=MODEL max_replicas=8``. What can be asked
is in :mod:`scgan.serving.http`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import torch
from pydantic import Field
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ray_jobs.cluster.session import connect  # noqa: E402
from scgan.cli import commands  # noqa: E402
from scgan.config import Settings, build  # noqa: E402
from scgan.serving.http import Front  # noqa: E402
from scgan.serving.service import Asked, Columns, Service  # noqa: E402
from scgan.tracking.model import TrainedSystem, read_system  # noqa: E402

TOKEN = "SCGAN_SERVE_TOKEN"  # the variable that holds what callers must send
BATCH, WAIT_SECONDS = 64, 0.002  # requests that are answered together at most, and waited for
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ServeSettings(Settings):
    """How a model is served."""

    model: str = Field(
        description="Folder of a model as MLflow saves it, or MLflow's address: models:/NAME@best."
    )
    min_replicas: int = Field(1, ge=0, description="Replicas that are kept without any request.")
    max_replicas: int = Field(4, ge=1, description="Replicas at most; more come with requests.")
    ongoing: int = Field(
        48, ge=1, description="Requests at once of a replica, beyond which another is begun."
    )
    cpus: float = Field(1.0, ge=0, description="Of a replica, which computes on one thread.")
    gpus: float = Field(0.0, ge=0, description="Of a replica; 0.25 shares one.")
    max_rows: int | None = Field(
        None,
        ge=1,
        description="Rows or images that a request may ask for, a 400 beyond; none: 1,000,000 rows "
        "or 10,000 images.",
    )


def load_system(model: str) -> TrainedSystem:
    """The trained system of an MLflow model.

    Raises:
        ValueError: In one line, if there is none at that address.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _read(folder, model)

    with tempfile.TemporaryDirectory() as copy:
        try:
            from mlflow import artifacts

            found = artifacts.download_artifacts(artifact_uri=model, dst_path=copy)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"no model at {model!r}: {reason}") from None
        return _read(Path(found), model)


def _read(folder: Path, model: str) -> TrainedSystem:
    system = folder / "artifacts" / "system"
    if not (system / "system.json").is_file():
        raise ValueError(f"{model!r} is no model of a trained system")
    return read_system(system)


class Replica:
    """One process that holds the model; Ray makes more of them as requests come.

    Args:
        model: The model's address.
        max_rows: Of a request; None: what the model's kind of data bears.
        token: That callers must send; empty for none.
    """

    def __init__(self, model: str, max_rows: int | None, token: str) -> None:
        torch.set_num_threads(1)
        self.front = Front(Service(load_system(model), max_rows), token, self.run)

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_SECONDS)  # type: ignore[untyped-decorator]
    async def run(self, asked: list[Asked]) -> list[Columns]:
        """Answer whatever arrives together; meanwhile the next requests gather."""
        return await asyncio.to_thread(self.front.service.run, asked)

    async def __call__(self, request: Request) -> Response:
        """Answer a request over HTTP."""
        body = await request.body()
        answer = await self.front.answer(
            request.method, request.url.path, dict(request.headers), body
        )
        return Response(answer.body, answer.status, media_type=answer.media_type)


def application(settings: ServeSettings) -> serve.Application:
    """What Ray Serve runs."""
    scaling = {
        "min_replicas": settings.min_replicas,
        "max_replicas": max(settings.min_replicas, settings.max_replicas),
        "target_ongoing_requests": settings.ongoing,
    }

    deployment = serve.deployment(
        Replica,
        name="scgan",
        autoscaling_config=scaling,
        max_ongoing_requests=4 * BATCH,
        ray_actor_options={"num_cpus": settings.cpus, "num_gpus": settings.gpus},
    )
    return deployment.bind(settings.model, settings.max_rows, os.environ.get(TOKEN, ""))


def app(args: Mapping[str, Any]) -> serve.Application:
    """What ``serve run ray_jobs.serve:app model=MODEL`` builds."""
    return application(build(ServeSettings, args))


@click.command()
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--min-replicas", default=1, show_default=True, type=click.IntRange(0))
@click.option("--max-replicas", default=4, show_default=True, type=click.IntRange(1))
@click.option("--cpus", default=1.0, show_default=True, help="Of a replica.")
@click.option("--gpus", default=0.0, show_default=True, help="Of a replica.")
@click.option(
    "--max-rows",
    type=click.IntRange(1),
    help="Of a request; 1,000,000 rows or 10,000 images if not given.",
)
def main(model: str, *, host: str, port: int, max_rows: int | None, **settings: Any) -> None:
    """Serve MODEL, a folder or MLflow's address of one, until it is stopped.

    Callers must send the token of SCGAN_SERVE_TOKEN, where that is set.
    """
    if host not in LOOPBACK and not os.environ.get(TOKEN):
        raise ValueError(f"--host {host} is open to the network: set {TOKEN} to a secret first")

    limit = {} if max_rows is None else {"max_rows": max_rows}
    asked = build(ServeSettings, {"model": model, **settings, **limit})
    if Path(model).expanduser().is_dir():
        asked = asked.model_copy(update={"model": str(Path(model).expanduser().absolute())})
    load_system(asked.model)  # what is wrong with it is said here, in one line

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    connect()
    try:
        serve.start(http_options={"host": host, "port": port})
        serve.run(application(asked), name="scgan", route_prefix="/")
        click.echo(f"serving {model} at http://{host}:{port} (try /health, /about)")
        signal.pause()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        serve.shutdown()


if __name__ == "__main__":
    commands.guarded(main)
