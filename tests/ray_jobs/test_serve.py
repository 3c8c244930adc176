"""A trained system under Ray Serve: over HTTP, requests together, a token, what is refused."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from contextlib import closing

import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner

from scgan.config import build, override
from scgan.data.dataset import DataConfig
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.spec import Spec
from scgan.serving.http import ARROW
from scgan.store.artifacts import ArtifactStore
from scgan.systems.scgan import SYSTEM
from scgan.tracking.model import write_system

jobs = pytest.importorskip(
    "ray_jobs.serve", reason="ray[serve] is not installed", exc_type=ImportError
)

SIZES = {
    "encoder.num_samples": 2048,
    "clusters.num_clusters": 4,
    "mappers.num_samples": 256,
    "decoder.num_samples": 1024,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model as far as serving reads it."""
    folder = tmp_path_factory.mktemp("served")
    data = DataConfig(source="checkerboard", num_train=400, num_test=60)
    spec = Spec("scgan", data, override(SYSTEM.presets["smoke"], SIZES))
    loaded, store = pipeline.prepare(spec), ArtifactStore(str(folder / "runs"))
    fitted = pipeline.fit_stages(spec, loaded, store, LocalExecutor(torch.device("cpu")))
    artifacts = {name: stage.artifact for name, stage in fitted.items()}
    write_system(folder / "artifacts" / "system", spec, loaded.schema, artifacts)
    return folder


def test_what_is_wrong_is_said_before_anything_is_started(model, tmp_path, monkeypatch):
    assert jobs.load_system(str(model)).sample(3).shape == (3, 2)
    with pytest.raises(ValueError, match="is no model of a trained system"):
        jobs.load_system(str(tmp_path))
    monkeypatch.delenv(jobs.TOKEN, raising=False)
    result = CliRunner().invoke(jobs.main, [str(model), "--host", "0.0.0.0"])
    assert isinstance(result.exception, ValueError) and jobs.TOKEN in str(result.exception)
    with pytest.raises(ValueError, match="max_replicas"):
        jobs.app({"model": str(model), "max_replicas": 0})


def test_settings_reach_ray():
    settings = {"model": "m", "min_replicas": "2", "max_replicas": "1", "gpus": "0.25"}
    deployment = jobs.application(build(jobs.ServeSettings, settings))._bound_deployment
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (2, 2)
    assert deployment.ray_actor_options["num_gpus"] == 0.25


@pytest.mark.parametrize(("given", "most"), [({}, None), ({"max_rows": 5}, 5)])
def test_the_most_rows_are_the_kind_of_datas_unless_set(given, most):
    deployment = jobs.application(build(jobs.ServeSettings, {"model": "m", **given}))
    assert deployment._bound_deployment.init_args[1] == most


@pytest.mark.ray
@pytest.mark.slow
def test_it_answers_over_http(ray_head, model, monkeypatch):
    monkeypatch.setenv(jobs.TOKEN, "hush-hush")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    jobs.serve.start(http_options={"host": "127.0.0.1", "port": port})
    try:
        settings = {"model": str(model), "max_replicas": 1, "max_rows": 5000}
        jobs.serve.run(jobs.app(settings), name="test", route_prefix="/")
        ask = Client(f"http://127.0.0.1:{port}", "hush-hush")
        assert json.loads(ask("/health", token="")) == {"status": "ok"}

        rows = json.loads(ask("/sample", {"num": 5, "seed": 7}))["columns"]
        assert rows == jobs.load_system(str(model)).sample(5, seed=7).to_dict("list")
        stream = ask("/sample", {"num": 5, "seed": 7}, Accept=ARROW)
        assert pa.ipc.open_stream(stream).read_all().to_pydict() == rows
        codes = json.loads(ask("/encode", {"columns": rows}))["columns"]["code"]
        clusters = json.loads(ask("/cluster", {"columns": rows}))["columns"]["cluster"]
        assert len(codes) == len(clusters) == 5 and set(clusters) <= set(range(4))
        assert "sliced_wasserstein" in ask("/evaluate", {"columns": many(ask)}).decode()

        for given, token, status in (
            ({"num": 5}, "wrong", 401),
            ({"num": 5001}, "hush-hush", 400),
            ({"num": 5, "cluster": 9}, "hush-hush", 400),
        ):
            with pytest.raises(urllib.error.HTTPError) as info:
                ask("/sample", given, token=token)
            with info.value:
                assert info.value.code == status

        threads = [threading.Thread(target=ask, args=("/sample", {"num": 3})) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = dict(line.rsplit(" ", 1) for line in ask("/metrics").decode().splitlines())
        requests, calls = (
            counts[f'scgan_{n}_total{{kind="sample"}}'] for n in ("requests", "calls")
        )
        assert int(requests) == 40 + 3 and int(calls) < 40
    finally:
        jobs.serve.shutdown()


def many(ask):
    """Some rows to be compared with."""
    return json.loads(ask("/sample", {"num": 100}))["columns"]


class Client:
    """Asks a server."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def __call__(self, path, given=None, token=None, **headers):
        body = None if given is None else json.dumps(given).encode()
        headers |= {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {self.token if token is None else token}"}
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
