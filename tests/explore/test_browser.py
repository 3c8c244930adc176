"""The page in headless Chromium: up soon, following a slider, asking nobody outside.

Left out where playwright or Chromium is not installed.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scgan import systems

pytest.importorskip("streamlit")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync""".split()
IMAGE = "[data-testid=stMain] [data-testid=stImage] img"
SLIDER = "[data-testid=stSidebar] input[type=range]"
UP_MAX, FOLLOWED_MAX = 10.0, 0.3  # seconds
NUM_MOVES = 20

LISTEN = "() => addEventListener('keydown', () => window.at = performance.now(), {capture: true})"
FOLLOWED = """([image, before]) => new Promise((done, failed) => {
    const look = () => {
        const shown = document.querySelector(image), waited = performance.now() - window.at
        if (shown && shown.src !== before && shown.complete && shown.naturalWidth) done(waited)
        else if (waited > 20000) failed('no other image')
        else requestAnimationFrame(look)
    }
    look()
})"""


def kinds():
    return [(name, kind) for name in systems.available() for kind in systems.load(name).examples]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM, headless=True, args=FLAGS
        )
        yield context
        context.close()


@pytest.fixture
def served(processes, tmp_path):
    """Serve a run's page as the command does: its address, its process, and when it began."""
    port, wait_until, answers, end_with_children = processes
    started = []

    def serve(name, store, *words):
        code = "from scgan.cli.main import main; main()"
        command = [sys.executable, "-c", code, "explore", name, "--store", str(store)]
        begin = time.monotonic()
        with (tmp_path / "log").open("wb") as log:
            server = subprocess.Popen(
                [*command, "--port", str(port), "--no-browser", *words], stdout=log, stderr=log
            )
        started.append(server)
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/_stcore/health"), seconds=90)
        return address, server, begin

    yield serve
    for server in started:
        end_with_children(server.pid)
        server.wait(30)


@pytest.mark.parametrize(("name", "kind"), kinds(), ids=str)
def test_the_page_is_up_soon_and_follows_a_slider(tiny_run, served, browser, name, kind):
    address, server, begin = served(*tiny_run(name, kind))
    page, asked = browser.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector(IMAGE, timeout=60_000)
    up = time.monotonic() - begin

    page.evaluate(LISTEN)
    sliders = page.locator(SLIDER)  # the number first, then what the model lets be chosen
    sliders.nth(min(1, sliders.count() - 1)).focus()
    waits = []
    for move in range(NUM_MOVES):
        before = page.evaluate("image => document.querySelector(image).src", IMAGE)
        page.keyboard.press("ArrowLeft" if move % 2 else "ArrowRight")  # few have many places
        waits.append(page.evaluate(FOLLOWED, [IMAGE, before]) / 1000)
        page.wait_for_timeout(100)

    median = statistics.median(waits)
    print(f"{name}, {kind}: up in {up:.1f} s; followed in {median * 1000:.0f} ms (median)")
    hosts = {re.split("[/:]+", url)[1] for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    listening = [c for c in psutil.Process(server.pid).net_connections() if c.status == "LISTEN"]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
    assert up < UP_MAX and median <= FOLLOWED_MAX


def test_what_is_saved_is_what_the_command_draws(
    image_run, served, browser, tmp_path, scgan_command
):
    address, _, _ = served(image_run.outcome.spec.run_id, image_run.store)
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector(IMAGE, timeout=60_000)
    page.evaluate(LISTEN)
    page.locator(SLIDER).nth(2).focus()  # how much of Smiling
    before = page.evaluate("image => document.querySelector(image).src", IMAGE)
    page.keyboard.press("PageUp")
    page.evaluate(FOLLOWED, [IMAGE, before])

    command = page.locator("[data-testid=stCode] code").inner_text()
    assert "--attributes Smiling=" in command
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save this picture").click()

    *words, out = command.split()[1:]
    said = scgan_command(*words, tmp_path / out)
    assert said.code == 0, said.err
    assert Path(saved.value.path()).read_bytes() == (tmp_path / out).read_bytes()


def test_a_real_image_is_read_on_the_page(image_run, served, browser, tmp_path):
    import numpy as np
    from PIL import Image

    address, _, _ = served(image_run.outcome.spec.run_id, image_run.store)
    array = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "real.png")

    page = browser.new_page()
    page.goto(address)
    page.get_by_role("tab", name="A real image").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "real.png")
    page.get_by_text(re.compile(r"sample \d")).first.wait_for(timeout=60_000)
    shown = page.locator("[data-testid=stMain]").inner_text()
    assert re.search(r"Bald: [01]\.\d\d", shown) and re.search(r"Smiling: [01]\.\d\d", shown)
    assert len(re.findall(r"sample \d+", shown)) == 8
