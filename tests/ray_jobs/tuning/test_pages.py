"""MLflow's pages in a browser: what a person sees of runs and a search.

``SCREENSHOTS=docs`` puts the pictures that the documentation shows there.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch

from ray_jobs.tuning.run import search
from ray_jobs.tuning.settings import TuneSettings
from scgan import systems
from scgan.cli import commands
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.spec import Spec
from scgan.tracking import view

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]

SIZES = {"encoder.num_samples": 8192, "mappers.num_samples": 2048, "decoder.num_samples": 16384}
CONFIG = override(systems.load("scgan").presets["smoke"], SIZES)
SPEC = Spec("scgan", DataConfig(source="two_spirals", num_train=3000, num_test=3000), CONFIG)
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"decoder.lambda_x": 0.1},
    {"decoder.lambda_x": 3.0},
    {"clusters.num_clusters": 12},
)
SPACE = ("decoder.lambda_x=loguniform(0.01,10)", "mappers.lambda_eps=choice(1,10)")
SETTINGS = TuneSettings(
    space=SPACE, only="decoder.lambda_x,mappers.lambda_eps", trials=9, study="spirals"
)


@dataclass(frozen=True)
class Shown:
    """What is shown: a server, and MLflow's client of the same database."""

    url: str
    client: Any
    experiment_id: str

    def runs(self, tag: str) -> list[Any]:
        """Runs with a tag, newest first."""
        return list(self.client.search_runs([self.experiment_id], f"tags.`{tag}` LIKE '%'"))


@pytest.fixture(scope="module")
def shown(ray_head, tmp_path_factory):
    """Four runs and a search, and MLflow's server over them."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["scgan"])
        for change in CHANGES:
            spec = replace(SPEC, config=override(CONFIG, change))
            executor = LocalExecutor(torch.device("cpu"))
            commands.run_and_show(spec, str(folder), executor, folder=folder, as_json=True)
        patch.setattr(sys, "argv", ["ray_jobs/search.py"])
        assert search(SPEC, SETTINGS, str(folder))

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    words = ["server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port)]
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--workers", "1"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health", 180)
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("scgan").experiment_id
        yield Shown(url, client, experiment)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def wait_for(url: str, seconds: float) -> None:
    """Wait until an address answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A page of a fresh browser that asks this machine alone."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    switches = ("no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking")
    with api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"),
            executable_path=BROWSER,
            args=[f"--{switch}" for switch in (*switches, "disable-component-update")],
            viewport={"width": 1400, "height": 760},
        )
        context.set_default_timeout(60_000)
        yield context.pages[0]
        context.close()


def visit(page: Any, address: str, text: str) -> str:
    """Open an address, wait for a text, put the assistant away, and say all that is shown."""
    page.goto("about:blank")
    page.goto(address)
    page.get_by_text(text, exact=False).first.wait_for()
    close = page.locator('[data-component-id="mlflow.assistant.chat_panel.close"]')
    if close.count():
        close.first.click()
    page.wait_for_timeout(1500)
    return page.inner_text("body")


def keep(page: Any, tmp_path: Path, name: str) -> None:
    """Keep a small picture of what is shown."""
    from PIL import Image

    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    page.screenshot(path=tmp_path / "whole.png")
    Image.open(tmp_path / "whole.png").convert("RGB").quantize(64).save(
        folder / f"mlflow_{name}.png", optimize=True
    )


def test_the_address_opens_the_runs_with_what_tells_them_apart(shown, browser, tmp_path):
    text = visit(browser, shown.url + view.page(shown.experiment_id), "search spirals")
    keep(browser, tmp_path, "runs")
    for change in CHANGES[1:]:
        ((key, value),) = change.items()
        assert f"{key.rpartition('.')[2]}={value:g}" in text
    columns = browser.locator(".ag-header-cell").all_inner_texts()
    assert {"clusters.num_clusters", "decoder.lambda_x", "val/sliced_wasserstein"} <= set(columns)
    assert not [column for column in columns if "num_samples" in column]  # which all have alike
    rows = browser.locator(".ag-center-cols-container .ag-row").count()
    assert rows == len(CHANGES) + 1  # stages, trials and the best run lie under these


def test_runs_are_compared_by_what_differs(shown, browser, tmp_path):
    runs = [run.info.run_id for run in shown.runs("scgan.run_id")]
    query = f"runs={quote(json.dumps(runs))}&experiments={quote(json.dumps([shown.experiment_id]))}"
    text = visit(browser, f"{shown.url}/#/compare-runs?{query}", "Run details")
    keep(browser, tmp_path, "compare")
    assert f"Comparing {len(runs)} Runs from 1 Experiment" in text
    assert "lambda_x=0.1" in text and "num_clusters=12" in text


def test_the_models_page_shows_scores_settings_and_data(shown, browser, tmp_path):
    (best,) = (r for r in shown.runs("scgan.run_id") if "mlflow.parentRunId" in r.data.tags)
    model_id = best.data.tags["scgan.model_uri"].rpartition("/")[2]
    address = f"{shown.url}/#/experiments/{shown.experiment_id}/models/{model_id}"
    text = visit(browser, f"{address}?workflowType=machine_learning", "Datasets used")
    browser.get_by_text("sliced_wasserstein").first.wait_for()
    keep(browser, tmp_path, "model")
    assert best.data.tags["scgan.run_id"] in text and "Parameters" in text
    text = browser.inner_text("body")
    assert "two_spirals (#" in text and "v1" in text and "Not registered" not in text


def test_the_searchs_page_links_the_best_run_and_its_trials(shown, browser, tmp_path):
    (search_run,) = shown.runs("scgan.search")
    (best,) = (r for r in shown.runs("scgan.run_id") if "mlflow.parentRunId" in r.data.tags)
    assert best.data.tags["mlflow.parentRunId"] == search_run.info.run_id
    address = f"{shown.url}/#/experiments/{shown.experiment_id}/runs/{search_run.info.run_id}"
    text = visit(browser, f"{address}?workflowType=machine_learning", "About this run")
    keep(browser, tmp_path, "search")
    assert "stopped early" in text and "search.py" in text and "Created by" in text
    browser.get_by_text(best.data.tags["scgan.run_id"]).first.click()
    browser.wait_for_url(f"**/runs/{best.info.run_id}**")

    text = visit(browser, f"{address}/artifacts?workflowType=machine_learning", "trials.json")
    browser.get_by_text("trials.json").first.click()
    browser.get_by_text("decoder/lambda_x").first.wait_for()
    browser.wait_for_timeout(1500)
    trial = shown.runs("scgan.trial")[0]
    assert trial.data.params["decoder.lambda_x"][:6] in browser.inner_text("body")
