"""What the machine that drives a run is busy with, logged by MLflow's own monitor where asked."""

from __future__ import annotations

import logging
from typing import Any

from scgan.tracking.entry import Entry
from scgan.tracking.outbox import one_line

_log = logging.getLogger(__name__)


class MachineMetrics:
    """CPU, memory, disk, network and GPUs under *System metrics* of a run, every ten seconds.

    ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=true`` switches it on, as for any other run of MLflow;
    it needs ``psutil``, and ``nvidia-ml-py`` for the figures of a GPU.
    """

    def __init__(self) -> None:
        self.monitor: Any = None

    def start(self, entry: Entry, uri: str) -> None:
        """Begin, if it is switched on and the entry is open; what fails is said and costs nothing.

        Args:
            entry: The run's.
            uri: MLflow's address.
        """
        from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING

        if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get() or not entry.id or entry.complete:
            return

        try:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            self.monitor = SystemMetricsMonitor(entry.id, resume_logging=True, tracking_uri=uri)
            self.monitor.start()
        except Exception as error:
            _log.warning("no system metrics are logged: %s", one_line(error))

    def stop(self) -> None:
        """End it, with what it has not sent."""
        if self.monitor is not None:
            self.monitor.finish()
            self.monitor = None
