"""The commands ``scgan-pipeline`` and ``scgan-search``: the two jobs, from any folder."""

from __future__ import annotations

import importlib

from scgan.cli.commands import one_line_errors


def pipeline() -> None:
    """The main job, as ``python ray_jobs/full_pipeline.py``."""
    _run("full_pipeline")


def search() -> None:
    """The search, as ``python ray_jobs/search.py``."""
    _run("search")


def _run(name: str) -> None:
    """Run a job's command; that Ray is not installed is one line, too."""
    with one_line_errors():
        importlib.import_module(f"ray_jobs.{name}").main.main(standalone_mode=False)
