"""What ``pip install scgan`` leaves out: which extra brings a package, and what goes on without."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from scgan.tracking.tracker import MLflowTracker

EXTRAS = {
    **{"ray": "ray", "optuna": "ray", "mlflow": "mlflow", "boto3": "s3", "botocore": "s3"},
    **{"kornia": "image", "torchmetrics": "image", "streamlit": "explore"},
}
"""The extra of this project that brings a package."""


def install(package: str) -> str:
    """The line that installs a package of :data:`EXTRAS`."""
    return f"pip install 'scgan[{EXTRAS[package]}]'"


def open_tracker(folder: Path) -> MLflowTracker | None:
    """Where a run is logged: nowhere, which is said, if MLflow is not installed.

    Args:
        folder: Where the database lies if ``MLFLOW_TRACKING_URI`` names no other.

    Raises:
        ValueError: If an address is set that can't be used.
    """
    own = os.environ.get("MLFLOW_TRACKING_URI")
    if find_spec("mlflow") is not None:
        from scgan.store.opening import sqlite_uri
        from scgan.tracking.tracker import MLflowTracker

        return MLflowTracker.open(own or sqlite_uri(folder.absolute() / "mlflow.db"))

    missing = f"MLflow is not installed: {install('mlflow')}"
    if own:
        raise ValueError(f"MLFLOW_TRACKING_URI is set, but {missing}")

    click.echo(f"nothing is logged, as {missing}", err=True)
    return None
