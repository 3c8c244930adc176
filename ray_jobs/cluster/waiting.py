"""How long a run waits for what it needs, and how long it lives; it says what it waits for."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence

import ray
from ray.util.placement_group import placement_group, remove_placement_group

from ray_jobs.cluster.nodes import coming, possible, total
from ray_jobs.cluster.resources import Resources

SAY_EVERY = 10.0  # seconds
SILENCE = 30.0  # seconds without a heartbeat of any worker after which a stage counts as waiting
SOON = 2.0  # seconds without room after which that is said
_log = logging.getLogger(__name__)

Bundle = Mapping[str, float]
"""Resources of one worker or task, ``{"CPU": 1, "GPU": 0.25}``."""


class StageTimeout:
    """Whether one stage of a run has waited too long, or its job's time is over.

    Args:
        stage: The stage's name.
        resources: How long to wait and to live.
        started: When the job began, ``time.monotonic()``.
        bundles: What the stage needs at once to begin.
    """

    def __init__(
        self, stage: str, resources: Resources, started: float, bundles: Sequence[Bundle]
    ) -> None:
        self.stage, self.bundles = stage, bundles
        self.timeout = _seconds(resources.timeout_minutes)
        self.deadline = started + _seconds(resources.deadline_minutes)
        self.heard, self.said = time.monotonic(), float("-inf")

    def await_room(self, waiting: Callable[[], object]) -> None:
        """Wait until the cluster can hold the bundles; this is also what makes it grow.

        Args:
            waiting: Called once a second meanwhile.

        Raises:
            RuntimeError: If the room or the job's end comes too late.
        """
        group = placement_group([dict(bundle) for bundle in self.bundles])
        try:
            while not group.wait(1.0):
                waiting()
                if reason := self.expired(SOON):
                    raise RuntimeError(reason)
        finally:
            with contextlib.suppress(ValueError):  # an older Ray's, of a group that is gone
                remove_placement_group(group)

        if math.isfinite(self.said):
            _log.warning("%s: there is room, after %.0f s", self.stage, self._waited())
        self.reset()

    def reset(self) -> None:
        """A worker has sent a heartbeat."""
        self.heard = time.monotonic()

    def expired(self, silence: float | None = None) -> str | None:
        """Why the stage must end now, None if it need not; says now and then what it waits for.

        Args:
            silence: Seconds without a heartbeat after which it says so.
        """
        if time.monotonic() > self.deadline:
            why = "the job's time is over (resources.deadline_minutes)"
            return f"{self.stage}: {why}; the same command goes on from here"

        waited = self._waited()
        if waited > self.timeout:
            return f"{self.situation(waited)}, longer than resources.timeout_minutes allows"

        quiet = SILENCE if silence is None else silence
        if waited > quiet and time.monotonic() - self.said > SAY_EVERY:
            self.said = time.monotonic()
            _log.warning("%s", self.situation(waited))

        return None

    def _waited(self) -> float:
        return time.monotonic() - self.heard

    def situation(self, waited: float) -> str:
        """What is missing, in one line."""
        needs = f"{len(self.bundles)} x {_words(self.bundles[0])}"
        there, free = _words(ray.cluster_resources()), _words(ray.available_resources())
        cluster = f"the cluster has {there}, free {free}"
        return f"{self.stage} waits for {needs} for {waited:.0f} s; {cluster}{coming()}"


def await_first_node(resources: Resources, started: float) -> None:
    """Wait for a node that can work, where there is none and nothing says which may come.

    What the job can take is then seen by that node.

    Args:
        resources: How long to wait and to live.
        started: When the job began, ``time.monotonic()``.

    Raises:
        RuntimeError: If none comes in time.
    """
    if not resources.unknown_growth and not total(possible(), "CPU"):
        bundle = {"CPU": resources.cpus_per_task}
        StageTimeout("the job", resources, started, [bundle]).await_room(lambda: None)


def _seconds(minutes: float | None) -> float:
    return float("inf") if minutes is None else 60 * minutes


def _words(resources: Mapping[str, float]) -> str:
    return " and ".join(f"{resources.get(kind, 0):g} {kind}" for kind in ("CPU", "GPU"))
