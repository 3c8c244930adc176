"""Who trains an artifact that several trials want at the same time: the first who asks; the others wait for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray

from ray_jobs.cluster.executor import RESTARTED
from scgan.store.artifacts import Artifact, ArtifactStore, digest

FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0  # seconds between looks at the store
NAMESPACE = "scgan"
BEAT_EVERY, DEAD_AFTER = 5.0, 60.0  # seconds between a driver's signs of life, and without one


class Claims:
    """An actor of the cluster: which trial of which search is training which artifact of a store.

    A holder is named ``driver/trial``. The claims of a trial that has ended are dropped by its
    driver, those of a driver that was killed are void after a minute.
    """

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}
        self.seen: dict[str, float] = {}

    def take(self, key: str, holder: str) -> bool:
        """Whether the artifact is now the holder's to train."""
        if key not in self.holders or self._is_dead(self.holders[key]):
            self.holders[key] = holder
            self.seen.setdefault(_driver(holder), time.monotonic())
        return self.holders[key] == holder

    def release(self, key: str, holder: str) -> None:
        """The holder has stored the artifact, or gives it up."""
        if self.holders.get(key) == holder:
            del self.holders[key]

    def drop(self, holder: str) -> None:
        """The holder has ended, in whatever way: what it claimed is anybody's."""
        self.holders = {key: other for key, other in self.holders.items() if other != holder}

    def alive(self, driver: str) -> None:
        """A driver's sign of life."""
        self.seen[driver] = time.monotonic()

    def _is_dead(self, holder: str) -> bool:
        return time.monotonic() - self.seen[_driver(holder)] > DEAD_AFTER


def _driver(holder: str) -> str:
    return holder.partition("/")[0]


def _name(store_url: str) -> str:
    return f"claims-{digest(store_url)[:16]}"


def open_claims(store_url: str) -> Any:
    """The cluster's claims on a store, which all searches with that store share; for a driver.

    The actor ends with the driver that began it, and is begun anew by the next that finds it gone.
    """
    options = {"name": _name(store_url), "namespace": NAMESPACE, "get_if_exists": True}
    return ray.remote(**RESTARTED)(Claims).options(**options).remote()


def find_claims(store_url: str) -> Any:
    """The claims that a driver has opened; for a trial, with whose process they must not end."""
    while True:
        try:
            return ray.get_actor(_name(store_url), NAMESPACE)
        except ValueError:  # until the driver's next sign of life
            time.sleep(LONGEST_WAIT)


@contextlib.contextmanager
def signs_of_life(store_url: str, driver: str) -> Iterator[None]:
    """Open the claims on a store, and keep a driver's alive while it runs."""
    stop, claims = threading.Event(), open_claims(store_url)

    def beat() -> None:
        nonlocal claims
        while not stop.wait(BEAT_EVERY):
            try:
                ray.get(claims.alive.remote(driver), timeout=BEAT_EVERY)
            except ray.exceptions.RayActorError:  # it ended with another search
                claims = open_claims(store_url)
            except ray.exceptions.GetTimeoutError:  # a busy cluster, or one that is gone
                pass

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()

    try:
        yield
    finally:
        stop.set()
        thread.join(BEAT_EVERY)


class ClaimingStore(ArtifactStore):
    """A store in which a missing artifact is claimed by whoever asks for it, and awaited by everybody else.

    Between the pipeline's question whether a stage is there and its training there is then no gap
    in which a second trial could begin the same.

    Args:
        url: Where artifacts lie.
        holder: The driver's and the trial's name, ``driver/trial``, under which the driver drops
            the trial's claims.
    """

    def __init__(self, url: str, holder: str) -> None:
        super().__init__(url)
        self.holder = holder
        self.claims = find_claims(self.url)

    def load(self, key: str) -> Artifact | None:
        """The artifact, if need be once another trial has made it; None if it is this trial's to train."""
        wait = FIRST_WAIT
        while (stored := super().load(key)) is None and ".part-" not in key:
            if self._ask(lambda claims: claims.take.remote(key, self.holder)):
                return self._look_again(key)
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        return stored

    def _look_again(self, key: str) -> Artifact | None:
        """The last holder may have stored it between the look and the claim."""
        if (stored := super().load(key)) is not None:
            self._ask(lambda claims: claims.release.remote(key, self.holder))
        return stored

    def save(
        self, key: str, artifact: Artifact, provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Store the artifact and give up its claim."""
        super().save(key, artifact, provenance)
        if ".part-" not in key:
            self._ask(lambda claims: claims.release.remote(key, self.holder))

    def give_up(self) -> None:
        """What this holder has claimed and not stored is anybody's."""
        self._ask(lambda claims: claims.drop.remote(self.holder))

    def _ask(self, call: Callable[[Any], Any]) -> Any:
        """Ask the claims; anew where they ended with the search that began them."""
        while True:
            try:
                return ray.get(call(self.claims))
            except ray.exceptions.RayActorError:
                time.sleep(FIRST_WAIT)
                self.claims = find_claims(self.url)
