"""The command ``scgan explore``: a local page on which a run is drawn from by hand."""

from __future__ import annotations

import click

from scgan.cli import commands


@click.command()
@click.argument("run")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; who reaches it can draw from the run, without a password.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The first free one from 8501 if not given."
)
@click.option(
    "--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser."
)
@commands.STORE
def explore(run: str, *, host: str, port: int | None, browser: bool, store: str) -> None:
    """Open a page on which RUN is drawn from by hand: attributes, noise and seed as sliders.

    It shows the command that draws the same samples again. The extra explore installs what it
    needs.
    """
    from scgan.explore.serving import serve

    serve(run, store, host=host, port=port, browser=browser)
