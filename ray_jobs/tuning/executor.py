"""Fits on the cluster what no trial trains: stages that all share, and the best point."""

from __future__ import annotations

import time

from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.meter import Meter
from ray_jobs.cluster.resources import Resources
from ray_jobs.tuning import guard
from scgan.contract import Units
from scgan.pipeline.executor import Job, Reporter


class TaskExecutor:
    """Fits on the cluster that the search has joined, or joins it.

    Args:
        resources: What a run may take.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources, self.meter = resources, Meter(resources.prices)
        self.started = time.monotonic()

    def warm_up(self) -> None:
        """Connect, if the search has not."""
        guard.join()

    def fit(self, job: Job, units: Units, report: Reporter) -> None:
        """Have every unit fitted and stored."""
        guard.join()
        RayExecutor(self.resources, self.started, self.meter).fit(job, units, report)
