from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.data.images.schema import ImageSchema
from scgan.data.tables.schema import Schema
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import Artifact, ArtifactStore
from scgan.systems.scgan import SYSTEM, SCGANSystem
from scgan.tracking import model as serving
from scgan.tracking.model import (
    MAX_ROWS_SERVED,
    answer_quickly,
    mlflow_type,
    read_system,
    requirements,
    save_model,
    write_system,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> Outcome:
    """A run trained on a table of mixed types, its scores left out."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "height": rng.normal(170, 10, 400),
            "age": rng.integers(18, 90, 400).astype(np.uint8),
            "member": rng.random(400) < 0.5,
            "weight": rng.normal(70, 8, 400).astype(np.float32),
            "year": np.full(400, 2024, np.int64),
        }
    )
    folder = tmp_path_factory.mktemp("serving")
    table.to_parquet(folder / "people.parquet")
    sizes = {
        "encoder.num_samples": 2048,
        "clusters.num_clusters": 4,
        "mappers.num_samples": 256,
        "decoder.num_samples": 1024,
    }
    spec = Spec(
        "scgan",
        DataConfig(source=str(folder / "people.parquet")),
        override(SYSTEM.presets["smoke"], sizes),
    )
    store = ArtifactStore(str(folder / "runs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SCGANSystem, "evaluate", lambda *args: iter(()))
        return pipeline.run(spec, pipeline.prepare(spec), store, LocalExecutor(torch.device("cpu")))


@pytest.fixture(scope="module")
def folder(outcome, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    save_model(path, outcome.spec, outcome.data.schema, outcome.artifacts)
    return path


@pytest.fixture(scope="module")
def model(folder) -> Any:
    from mlflow import pyfunc

    return pyfunc.load_model(str(folder))


def test_a_system_is_the_same_after_writing_and_reading(outcome, tmp_path):
    write_system(tmp_path / "system", outcome.spec, outcome.data.schema, outcome.artifacts)
    system = read_system(tmp_path / "system")
    assert system.spec == outcome.spec
    assert system.schema == outcome.data.schema
    assert [option.name for option in system.model.options] == ["cluster", "latent"]
    x = outcome.model.sample(50, torch.Generator().manual_seed(3))
    wanted = pd.DataFrame(outcome.data.schema.decode(x))
    pd.testing.assert_frame_equal(system.sample(50, seed=3), wanted)


def test_the_rows_are_in_the_users_units_names_and_types(model):
    rows = model.predict({"n": [200]}, params={"seed": 1})
    assert rows.dtypes.astype(str).to_dict() == {
        "height": "float64",
        "age": "uint8",
        "member": "bool",
        "weight": "float32",
        "year": "int64",
    }
    assert len(rows) == 200
    assert 100 < rows["height"].mean() < 240
    assert (rows["year"] == 2024).all()


@pytest.mark.parametrize("n", [{"n": 5}, {"n": [5]}, pd.DataFrame({"n": [5]})])
def test_a_number_of_rows_can_be_given_in_many_ways(model, n):
    rows = model.predict({"n": [5]}, params={"seed": 3, "cluster": -1})
    pd.testing.assert_frame_equal(model.predict(n, params={"seed": 3}), rows)


def test_a_seed_decides_the_rows_and_without_one_they_are_others(model):
    def drawn(**params):
        return model.predict({"n": [20]}, params=params)

    pd.testing.assert_frame_equal(drawn(seed=7), drawn(seed=7))
    pd.testing.assert_frame_equal(drawn(seed=0), drawn(seed=0))
    assert not drawn(seed=7).equals(drawn(seed=8))
    assert not drawn().equals(drawn()) and not drawn(seed=-1).equals(drawn(seed=-1))


def test_the_rows_of_a_call_are_requests_of_their_own(model):
    asked = pd.DataFrame({"n": [3, 4, 2], "seed": [7, 8, 7], "cluster": [-1, 1, -1]})
    rows = model.predict(asked)
    parts = [
        model.predict({"n": [n]}, params={"seed": seed, "cluster": cluster})
        for n, seed, cluster in asked.itertuples(index=False)
    ]
    pd.testing.assert_frame_equal(rows, pd.concat(parts, ignore_index=True))
    alike = model.predict(pd.DataFrame({"n": [3, 3]}))  # without a seed, others each
    assert not alike[:3].equals(alike[3:].reset_index(drop=True))
    same = model.predict(pd.DataFrame({"n": [3, 3]}), params={"seed": 5})
    assert same[:3].equals(same[3:].reset_index(drop=True))
    some = pd.DataFrame({"n": [3, 3], "latent": ["gaussian", float("nan")]})  # a gap chooses none
    rows, chosen = (model.predict(asked, params={"seed": 5}) for asked in (some, some[:1]))
    assert rows.equals(pd.concat([chosen, same[:3]], ignore_index=True))
    assert not chosen.equals(same[:3])


def test_a_cluster_can_be_chosen(model, outcome):
    rows = model.predict({"n": [50]}, params={"seed": 2, "cluster": 1})
    x = outcome.model.sample(50, torch.Generator().manual_seed(2), cluster=1)
    pd.testing.assert_frame_equal(rows, pd.DataFrame(outcome.data.schema.decode(x)))


@pytest.mark.parametrize(
    ("n", "said"),
    [
        ([0], "n is 0, but must be 1 to 1,000,000 in a call; draw more in several calls"),
        ([-3], "n is -3, but must be 1 to 1,000,000"),
        ([MAX_ROWS_SERVED + 1], "n is 1000001, but must be 1 to 1,000,000"),
        ([600_000, 600_000], "n is 1200000, but must be 1 to 1,000,000"),
        (["many"], "Failed to enforce schema"),
        ([2.5], "Failed to enforce schema"),
        ([float("nan")], "Failed to enforce schema"),
    ],
)
def test_a_wrong_number_is_said_in_one_line(model, n, said):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=said) as info:
        model.predict(pd.DataFrame({"n": n}))
    assert info.value.get_http_status_code() == 400
    if "schema" not in said:
        assert "\n" not in info.value.message


def test_a_column_that_is_missing_is_named(model):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"missing inputs \['n'\]"):
        model.predict({"m": [1]})


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"cluster": 99}, "cluster is 99, but must be 0 to"),
        ({"cluster": -2}, "cluster is -2, but must be 0 to"),
    ],
)
def test_a_wrong_cluster_is_said(model, params, said):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=said):
        model.predict({"n": [5]}, params=params)


def test_a_system_without_clusters_says_so(outcome):
    class Plain:
        options = ()

        def sample(self, num: int, generator: torch.Generator) -> torch.Tensor:
            return torch.zeros(num, 1)

    schema = Schema.fit({"a": np.array([0.0, 1.0])})
    system = serving.TrainedSystem(outcome.spec, schema, Plain())
    assert len(system.sample(3)) == 3
    with pytest.raises(ValueError, match="this model has no cluster to choose; it has no options"):
        system.sample(3, cluster=0)


def test_the_model_has_no_pickle_and_no_path(folder, outcome):
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {path for path in files if path.endswith(".safetensors")} == {
        f"artifacts/system/{stage}.safetensors" for stage in outcome.artifacts
    }
    assert not {
        path for path in files if Path(path).suffix in {".pkl", ".pt", ".pickle", ".npy", ".bin"}
    }
    assert str(Path.cwd()) not in (folder / "MLmodel").read_text()


def test_requirements_are_releases():
    found = requirements()
    names = {line.split("==")[0] for line in found}
    assert names >= {"torch", "mlflow", "safetensors"} and "scgan" not in names
    assert not [line for line in found if "+" in line or "/" in line or "@" in line]


def test_the_signature_names_what_goes_in_and_comes_back(folder):
    from mlflow.models import Model

    signature = Model.load(folder).signature
    assert [(c.name, c.type.name, c.required) for c in signature.inputs] == [
        ("n", "long", True),
        ("seed", "long", False),
        ("cluster", "long", False),
        ("latent", "string", False),
    ]
    assert [(column.name, column.type.name) for column in signature.outputs] == [
        ("height", "double"),
        ("age", "integer"),
        ("member", "boolean"),
        ("weight", "float"),
        ("year", "long"),
    ]
    assert [(param.name, param.default) for param in signature.params] == [
        ("seed", -1),
        ("cluster", -1),
        ("latent", ""),
    ]


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("bool", "boolean"),
        ("int8", "integer"),
        ("int32", "integer"),
        ("uint16", "integer"),
        ("uint32", "long"),
        ("int64", "long"),
        ("uint64", "long"),
        ("float16", "float"),
        ("float32", "float"),
        ("float64", "double"),
    ],
)
def test_mlflow_type_holds_every_value(dtype, wanted):
    assert mlflow_type(dtype) == wanted


def test_a_stage_without_tensors_is_kept(outcome, tmp_path):
    artifacts = {**outcome.artifacts, "extra": Artifact(meta={"a": 1})}
    write_system(tmp_path, outcome.spec, outcome.data.schema, artifacts)
    assert read_system(tmp_path).sample(2).shape == (2, 5)


def test_answers_are_written_as_mlflow_writes_them(model, monkeypatch):
    from io import StringIO

    from mlflow.pyfunc import scoring_server

    now = scoring_server.predictions_to_json
    usual = getattr(now, "usual", now)  # an earlier test's model may have replaced it
    monkeypatch.setattr(scoring_server, "predictions_to_json", usual)  # which puts it back
    answer_quickly()
    answer_quickly()
    quick = scoring_server.predictions_to_json
    assert quick is not usual and quick.usual is usual
    frame = model.predict({"n": [50]}, params={"seed": 1})
    frame["when"] = pd.date_range("2024-01-01", periods=50, freq="h")
    frame["small"] = 1.25e-300
    for answer in (frame, np.arange(24, dtype=np.uint8).reshape(2, 3, 4), [{"a": 1.5}]):
        texts = []
        for write in (usual, quick):
            write(answer, text := StringIO())
            texts.append(json.loads(text.getvalue()))
        assert texts[0] == texts[1]


@pytest.fixture
def elsewhere(folder, tmp_path) -> tuple[Path, Path]:
    """A copy of the model alone, and a Python that has what it needs but not this package."""
    import venv

    copy = shutil.copytree(folder, tmp_path / "far" / "model")
    venv.create(tmp_path / "env", symlinks=True)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    for path in {Path(p) for p in sys.path if p.endswith("site-packages")}:
        for entry in path.iterdir():
            ours = "scgan" in entry.name or entry.suffix == ".pth"
            if not ours and not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
    return copy, tmp_path / "env" / "bin" / "python"


@pytest.mark.slow
def test_mlflow_serves_it_from_its_folder_alone(elsewhere, tmp_path):
    copy, python = elsewhere
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    away = {"env": environment, "cwd": tmp_path}
    missing = subprocess.run([python, "-c", "import scgan"], capture_output=True, **away)
    assert b"No module named 'scgan'" in missing.stderr

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = ["models", "serve", "-m", str(copy), "--env-manager", "local", "-h", "127.0.0.1"]
    scripts = python.parent / "uvicorn"  # which MLflow calls by name
    scripts.write_text(f"#!{python}\nimport uvicorn\nuvicorn.main()\n")
    scripts.chmod(0o755)
    server = subprocess.Popen(
        [python, "-m", "mlflow", *words, "-p", port],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **away,
    )

    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/ping", seconds=180)
        split = {"dataframe_split": {"columns": ["n"], "data": [[3]]}, "params": {"seed": 7}}
        answers = [
            _post(url, split),
            _post(url, {"inputs": {"n": [3]}, "params": {"seed": 7}}),
            _post(url, {"dataframe_records": [{"n": 3, "seed": 7}]}),
        ]
        assert answers == [answers[0]] * 3
        assert [list(row) for row in answers[0]["predictions"]] == [
            ["height", "age", "member", "weight", "year"]
        ] * 3
        assert _post(url, {"inputs": {"n": [3]}}) != _post(url, {"inputs": {"n": [3]}})
        assert len(_post(url, {"inputs": {"n": [2, 5]}})["predictions"]) == 7
        for n, said in ((-3, "n is -3"), (1_000_001, "1 to 1,000,000 in a call")):
            with pytest.raises(urllib.error.HTTPError) as info:
                _post(url, {"inputs": {"n": [n]}})
            with info.value:
                assert info.value.code == 400
                assert said in info.value.read().decode()
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def _wait_for(url: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{url}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_images_are_served_as_pixels(image_run, tmp_path):
    from mlflow import pyfunc
    from mlflow.exceptions import MlflowException

    outcome = image_run.outcome
    save_model(tmp_path / "model", outcome.spec, outcome.data.schema, outcome.artifacts)
    assert not [
        path
        for path in (tmp_path / "model").rglob("*")
        if path.suffix in {".pkl", ".pt", ".pickle"}
    ]
    model = pyfunc.load_model(str(tmp_path / "model"))
    (output,) = model.metadata.signature.outputs.inputs
    assert (output.type, output.shape) == (np.dtype("uint8"), (-1, 32, 32, 3))
    images = model.predict({"n": [6]}, params={"seed": 4})
    x = outcome.model.sample(6, torch.Generator().manual_seed(4))
    assert images.dtype == np.uint8 and np.array_equal(images, outcome.data.schema.decode(x))
    some = model.predict({"n": [3]}, params={"attribute": "Bald", "seed": 0})
    x = outcome.model.sample(3, torch.Generator().manual_seed(0), attribute="Bald")
    assert np.array_equal(some, outcome.data.schema.decode(x))
    for params, message in (
        ({"attribute": "bold"}, "unknown attribute 'bold'; did you mean 'Bald'?"),
        ({"seed": 1, "attribute": ""}, None),
    ):
        if message is None:
            assert model.predict({"n": [1, 1]}, params=params).shape == (2, 32, 32, 3)
        else:
            with pytest.raises(MlflowException, match=re.escape(message)):
                model.predict({"n": [2]}, params=params)
    with pytest.raises(MlflowException, match="n is 10001, but must be 1 to 10,000 in a call"):
        model.predict({"n": [10_001]})


def test_grey_images_have_a_last_dimension_too(image_run, tmp_path):
    outcome = image_run.outcome
    write_system(tmp_path, outcome.spec, outcome.data.schema, outcome.artifacts)
    system = read_system(tmp_path)
    grey = replace(system, schema=ImageSchema(1, 32, (), "none"), model=GreyModel())
    assert grey.sample(3).shape == (3, 32, 32, 1)
    with pytest.raises(ValueError, match="^this model has no attribute .* it has no options$"):
        grey.sample(3, attribute="a")


class GreyModel:
    options = ()

    def sample(self, num, generator):
        return torch.zeros(num, 1, 32, 32)
