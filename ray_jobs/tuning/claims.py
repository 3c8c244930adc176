"""Who trains an artifact that several trials want at the same time: the first who asks; the others wait for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ray

from scgan.artifacts import Artifact, ArtifactStore

FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0  # seconds between looks at the store


class Claims:
    """An actor of one search's driver: which trial is training which artifact.

    It dies with the driver, as its trials do, so that no claim outlives its holder.
    """

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}

    def take(self, key: str, holder: str) -> bool:
        """Whether the artifact is now the holder's to train."""
        return self.holders.setdefault(key, holder) == holder

    def release(self, key: str, holder: str) -> None:
        """The holder has stored the artifact, or gives it up."""
        if self.holders.get(key) == holder:
            del self.holders[key]

    def drop(self, holder: str) -> None:
        """The holder has ended, in whatever way: what it claimed is anybody's."""
        self.holders = {key: other for key, other in self.holders.items() if other != holder}


class ClaimingStore(ArtifactStore):
    """A store in which a missing artifact is claimed by whoever asks for it, and awaited by everybody else.

    Between the pipeline's question whether a stage is there and its training there is then no gap in which a second
    trial could begin the same.

    Args:
        url: Where artifacts lie.
        claims: Handle of the search's :class:`Claims`.
        holder: The trial's id, under which the driver drops its claims when it ends.
    """

    def __init__(self, url: str, claims: Any, holder: str) -> None:
        super().__init__(url)
        self.claims, self.holder = claims, holder

    def load(self, key: str) -> Artifact | None:
        """The artifact, if need be once another trial has made it; None if it is this trial's to train."""
        wait = FIRST_WAIT
        while (stored := super().load(key)) is None and ".part-" not in key:
            if ray.get(self.claims.take.remote(key, self.holder)):
                return self._look_again(key)
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        return stored

    def _look_again(self, key: str) -> Artifact | None:
        """The last holder may have stored it between the look and the claim."""
        if (stored := super().load(key)) is not None:
            self.claims.release.remote(key, self.holder)
        return stored

    def save(self, key: str, artifact: Artifact, provenance: Mapping[str, Any] | None = None) -> None:
        """Store the artifact and give up its claim."""
        super().save(key, artifact, provenance)
        if ".part-" not in key:
            self.claims.release.remote(key, self.holder)
