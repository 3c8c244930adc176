"""What a person reads of runs before opening one: names, descriptions, columns, load."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline import listeners
from scgan.pipeline.spec import Spec
from scgan.tracking import naming, view
from scgan.tracking.machine import MachineMetrics
from scgan.tracking.tracker import picture_name

PRESETS = systems.load("scgan").presets
DEFAULT = Spec("scgan", DataConfig(source="checkerboard"), PRESETS["default"])


def name_of(preset="default", seed=0, data=None, **changes):
    """A run's name without its hash."""
    changes = {key.replace("__", "."): value for key, value in changes.items()}
    config = override(PRESETS[preset], changes)
    spec = Spec("scgan", data or DEFAULT.data, config, seed)
    name, _, number = naming.run_name(spec).rpartition(" · ")
    assert spec.run_id.endswith(f"-{number}") and re.fullmatch("[0-9a-f]{8}", number)
    return name


def test_a_run_is_named_by_what_was_changed():
    assert name_of() == "default · scgan checkerboard"
    assert name_of("smoke") == "default · smoke · scgan checkerboard"
    assert name_of(decoder__lambda_x=0.1) == "lambda_x=0.1 · scgan checkerboard"
    assert name_of(decoder__lambda_x=0.1, seed=3) == "lambda_x=0.1 seed=3 · scgan checkerboard"
    assert name_of("smoke", decoder__lambda_x=0.1) == "lambda_x=0.1 · smoke · scgan checkerboard"
    data = DataConfig(source="/a/stars.parquet", missing="drop")
    assert name_of(data=data) == "missing=drop · scgan stars"


def test_settings_of_one_last_word_have_their_whole_keys_and_sizes_are_named_alone():
    name = name_of(encoder__num_samples=8192, decoder__width=64, mappers__lambda_eps=2.0)
    assert name == ("lambda_eps=2 decoder.width=64 encoder.num_samples=8192 · scgan checkerboard")


def test_a_name_holds_a_few_settings_and_counts_the_others():
    many = {"a.x": 1, "a.y": 0.123456, "a.z": ("p", "q"), "b.w": "long " * 20, "b.v": None}
    words = naming.listed(many, many)
    assert words == ["x=1", "y=0.123", "z=p,q", "+2 more"]
    assert len(naming.listed({"b.w": "long " * 20}, many)[0]) <= 2 + naming.MAX_VALUE


def test_columns_are_the_settings_that_differ_and_the_final_scores():
    runs = [
        {"system": "a", "seed": "0", "x.lr": "1", "x.same": "5", "data.train_rows": "10"},
        {"system": "a", "seed": "0", "x.lr": "2", "x.same": "5", "data.train_rows": "20"},
        {"system": "b", "seed": "0", "y.width": "3"},
    ]
    assert view.differing(runs) == ["system", "x.lr"]
    assert view.differing(runs[:1]) == view.differing([]) == []
    metrics = [{"w2": 1.0, "w2_floor": 0.5, "w2_ratio": 2.0, "encode/loss": 3.0, "val/w2": 1.5}]
    assert view.score_columns(metrics) == ["val/w2", "w2"]


class Runs:
    """A client of two runs and a search."""

    def __init__(self):
        self.tags = {}

    def search_runs(self, experiments, query, max_results):
        def run(params, metrics):
            return SimpleNamespace(data=SimpleNamespace(params=params, metrics=metrics))

        if "scgan.search" in query:
            return [run({"space.m.beta": "one of 1, 2"}, {"val/w2": 2.0, "w2": 1.0})]
        return [run({"m.alpha": "1"}, {"w2": 1.0}), run({"m.alpha": "2"}, {"w2": 2.0})]

    def set_experiment_tag(self, experiment, key, value):
        self.tags[key] = value


def test_the_view_is_a_tag_that_the_address_names():
    client = Runs()
    view.refresh(client, "3")
    (key,) = client.tags
    name = key.removeprefix("mlflow.sharedViewState.")
    assert f"viewStateShareKey={name}" in view.page("3")
    assert view.page("3").startswith("/#/experiments/3/runs?workflowType=machine_learning&")
    shown = json.loads(client.tags[key])
    wanted = ["params.`m.alpha`", "params.`m.beta`", "metrics.`val/w2`", "metrics.`w2`"]
    assert shown["selectedColumns"] == ["attributes.`Duration`", *wanted]
    assert shown["columnOrder"][-4:] == wanted and set(wanted) < set(shown["columnWidths"])


def test_picture_names_are_a_few_words():
    assert picture_name("Samples. Share of rows in each bin") == "samples"
    caption = "First two principal components of the standardised columns. More"
    assert picture_name(caption) == "first-two-principal"
    assert picture_name("Eigenvaluesandothersofthedecoder") == "eigenvaluesandothersofthedecoder"
    assert picture_name("…") == "picture"


def test_listeners_are_added_by_their_names(monkeypatch):
    class Mine(listeners.Listener):
        pass

    module = ModuleType("mine_for_a_test")
    module.Mine, module.Other = Mine, dict
    monkeypatch.setitem(sys.modules, "mine_for_a_test", module)
    assert listeners.added() == []
    monkeypatch.setenv("SCGAN_LISTENERS", "mine_for_a_test:Mine, mine_for_a_test:Mine")
    assert [type(listener) for listener in listeners.added()] == [Mine, Mine]
    for wrong, said in (
        ("mine_for_a_test:Other", "is no scgan.pipeline.listeners.Listener"),
        ("mine_for_a_test:None_", "can't be used"),
        ("no_such_module:Mine", "No module named 'no_such_module'"),
        ("mine_for_a_test", "give module:Class"),
    ):
        monkeypatch.setenv("SCGAN_LISTENERS", wrong)
        with pytest.raises(ValueError, match=re.escape(said)) as info:
            listeners.added()
        assert "\n" not in str(info.value)


def test_the_documented_listener_writes_tensorboards_files(monkeypatch, tmp_path):
    pytest.importorskip("tensorboardX")
    from scgan.metrics.scores import Score
    from scgan.training.runtime import Progress

    page = Path(__file__).parents[2] / "docs" / "mlflow.md"
    (code,) = re.findall(r"```python\n# my_listeners.py\n(.*?)```", page.read_text(), re.S)
    (tmp_path / "documented_listeners.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCGAN_LISTENERS", "documented_listeners:TensorBoard")
    (listener,) = listeners.added()
    listener.run_started(DEFAULT, None)
    listener.progress("encode", Progress(512, 2048, {"nt_xent": 3.0}))
    listener.run_finished(SimpleNamespace(scores={"w2": Score(0.5, 0.1, "lower")}))
    (file,) = (tmp_path / "tensorboard" / DEFAULT.run_id).iterdir()
    content = file.read_bytes()
    assert b"encode/nt_xent" in content and b"w2" in content


@pytest.mark.parametrize(("switch", "logged"), [("true", True), ("false", False), (None, False)])
def test_the_machines_load_is_logged_where_it_is_asked_for(monkeypatch, switch, logged):
    pytest.importorskip("psutil")
    from mlflow.system_metrics import system_metrics_monitor

    begun = []

    class Monitor:
        def __init__(self, run_id, resume_logging, tracking_uri):
            begun.append((run_id, resume_logging, tracking_uri))

        def start(self):
            begun.append("start")

        def finish(self):
            begun.append("finish")

    monkeypatch.setattr(system_metrics_monitor, "SystemMetricsMonitor", Monitor)
    name = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"
    monkeypatch.delenv(name, raising=False)
    if switch is not None:
        monkeypatch.setenv(name, switch)
    machine = MachineMetrics()
    machine.start(SimpleNamespace(id="r", complete=True), "sqlite:///a.db")
    machine.start(SimpleNamespace(id="", complete=False), "sqlite:///a.db")
    machine.stop()
    assert begun == []
    machine.start(SimpleNamespace(id="r", complete=False), "sqlite:///a.db")
    machine.stop()
    machine.stop()
    assert begun == ([("r", True, "sqlite:///a.db"), "start", "finish"] if logged else [])


def test_a_description_says_what_was_changed():
    spec = replace(DEFAULT, config=override(DEFAULT.config, {"decoder.lambda_x": 0.1}))
    data = SimpleNamespace(
        name="checkerboard",
        num_train=1000,
        num_test=200,
        unit="rows",
        schema=SimpleNamespace(summary="2 modelled columns"),
    )
    text = naming.describe_run(spec, data)
    assert "`decoder.lambda_x` = 0.1" in text and "1,000 training" in text and spec.run_id in text
    assert "changed: nothing" in naming.describe_run(DEFAULT, data)


def test_who_made_an_entry_is_told(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/scgan", "fit", "--data", "secret"])
    monkeypatch.setattr(naming.getpass, "getuser", lambda: "ada")
    assert naming.made_by() == {
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": "scgan",
        "mlflow.user": "ada",
    }

    def nobody():
        raise KeyError("no name")

    monkeypatch.setattr(naming.getpass, "getuser", nobody)
    assert "mlflow.user" not in naming.made_by()
