"""The server of the page: Streamlit, in this process."""

from __future__ import annotations

from pathlib import Path

from scgan.explore.explorer import opened

PAGE = Path(__file__).with_name("page.py")

_SETTINGS = {
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "server.maxUploadSize": "50",  # MB, of a real image
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "theme.base": "light",
}


def serve(run: str, store_url: str, *, host: str, port: int | None, browser: bool) -> None:
    """Serve the page until the process is stopped.

    Args:
        run: The run's name.
        store_url: Where it lies.
        host: Address to listen on.
        port: To listen on; None takes the first free one from 8501.
        browser: Whether to open the page in a browser, where this machine has one.

    Raises:
        ValueError: In one line, if there is no such run.
    """
    opened(run, store_url)  # what is wrong with it is said here, and the page has it at once
    settings = {**_SETTINGS, "server.address": host}
    if port is not None:
        settings["server.port"] = str(port)
    if not browser:
        settings["server.headless"] = "true"

    from streamlit.web.cli import main

    words: list[str] = []
    for name, value in settings.items():
        words += [f"--{name}", value]

    main.main(["run", str(PAGE), *words, "--", run, store_url], standalone_mode=False)
