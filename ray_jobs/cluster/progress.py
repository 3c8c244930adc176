"""How far workers are: what they write, wherever they run, and the driver reads."""

from __future__ import annotations

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from scgan.training.runtime import Progress


class Stopped(RuntimeError):
    """The driver wants a worker to end."""


class ProgressActor:
    """Workers anywhere write how far they are, and heartbeats; the driver reads them."""

    def __init__(self) -> None:
        self.latest: dict[str, Progress] = {}
        self.alive = False
        self.stopped = False

    def write(self, pack: str, progress: Progress) -> bool:
        """Replace a pack's progress.

        Returns:
            Whether to go on.
        """
        self.latest[pack] = progress
        return not self.stopped

    def beat(self) -> None:
        """A worker sends a heartbeat."""
        self.alive = True

    def stop(self) -> None:
        """Let whoever writes next end."""
        self.stopped = True

    def read(self) -> tuple[dict[str, Progress], bool]:
        """What has changed since the last reading, and whether any worker sent a heartbeat."""
        found = (self.latest, self.alive or bool(self.latest))
        self.latest, self.alive = {}, False
        return found


RESTARTED = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
"""Options of an actor that Ray may kill for memory, and that then is begun anew, empty."""


def new_progress_actor() -> Any:
    """A :class:`ProgressActor` beside the driver, so that it lives as long as that does."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(**RESTARTED, scheduling_strategy=here)(ProgressActor).remote()
