"""What lies in a store: each artifact, the runs that use it, what is damaged or not needed."""

from __future__ import annotations

import functools
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from scgan.store.artifacts import DAMAGED, ArtifactStore
from scgan.store.storage import Entry, Storage

Kind = Literal["artifact", "part", "checkpoint", "incomplete"]

# What opening a store writes, where the process was killed at that moment.
_PROBE = re.compile(r"probe-\d+")


@dataclass(frozen=True)
class Item:
    """A key of a store.

    Args:
        key: The key.
        kind: ``part`` holds some units of a stage that is not merged yet, ``checkpoint`` a fit that
            was not ended, ``incomplete`` has no manifest.
        bytes: Of all its files.
        modified: When its newest file was written, seconds since 1970.
        runs: The runs whose result it is part of.
    """

    key: str
    kind: Kind
    bytes: int
    modified: float
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Waste:
    """Something that nobody needs.

    Args:
        name: What.
        bytes: Its size.
        remove: Gives the room back.
    """

    name: str
    bytes: int
    remove: Callable[[], None]


def inventory(store: ArtifactStore) -> list[Item]:
    """Everything under a key, sorted by key; reads the runs' records, but no artifact.

    Args:
        store: The store.

    Returns:
        The items.
    """
    files: dict[str, list[Entry]] = defaultdict(list)
    for entry in store.storage.entries("artifacts/"):
        files[entry.name.split("/")[1]].append(entry)

    users = _users(store.storage)
    return [_item(key, found, users[key]) for key, found in sorted(files.items())]


def damages(store: ArtifactStore) -> Iterator[tuple[str, str]]:
    """Read every artifact and check its hashes.

    Args:
        store: The store.

    Yields:
        Key and damage of each that is damaged; a run whose artifact is missing under the run's
        name.
    """
    items = inventory(store)
    for item in items:
        if item.kind != "incomplete" and (damage := store.check(item.key)) is not None:
            yield item.key, damage

    whole = {item.key for item in items if item.kind == "artifact"}
    for run, record in sorted(_records(store.storage)):
        if record is None:
            yield run, "run.json can't be read"

        needed = sorted((record or {}).items())
        missing = [f"its {stage} artifact {key}" for stage, key in needed if key not in whole]
        if missing:
            yield run, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"


def waste(store: ArtifactStore, *, hours: float) -> list[Waste]:
    """What can go: nothing that a run uses, and nothing of anything that was written to lately.

    Kept are artifacts of runs, everything of a stage of which something is younger than ``hours``
    (a job that runs writes checkpoints), and all that those were made from.

    Args:
        store: The store.
        hours: The age from which something that no run uses counts as left behind.

    Returns:
        What can go.
    """
    storage, before = store.storage, time.time() - 3600 * hours
    items = inventory(store)
    if storage.read("estimator.json") is not None:  # a saved estimator: all of it is used
        return _unfinished(storage, before)

    kept, found = _kept(store, items, before), list[Waste]()
    for item in items:
        if item.key not in kept:
            remove = functools.partial(store.delete, item.key)
            found.append(Waste(f"{item.kind} {item.key}", item.bytes, remove))

    return found + _orphaned_files(store, kept, before) + _unfinished(storage, before)


def _item(key: str, files: list[Entry], runs: list[str]) -> Item:
    size, modified = sum(e.bytes for e in files), max(e.modified for e in files)
    return Item(key, _kind(key, files), size, modified, tuple(runs))


def _kind(key: str, files: list[Entry]) -> Kind:
    if not any(entry.name.endswith("/manifest.json") for entry in files):
        return "incomplete"
    if ".part-" in key:
        return "checkpoint" if key.endswith(".checkpoint") else "part"
    return "artifact"


def _records(storage: Storage) -> Iterator[tuple[str, Mapping[str, str] | None]]:
    """Each run with its artifacts by stage; None in place of a record that can't be read."""
    for name in storage.names(""):
        run, _, file = name.partition("/")
        if file == "run.json":
            try:
                record = json.loads(storage.read(name) or b"")
                keys = record["artifacts"] | record.get("results", {})
                yield run, {str(stage): str(key) for stage, key in keys.items()}
            except DAMAGED:
                yield run, None


def _users(storage: Storage) -> Mapping[str, list[str]]:
    users: dict[str, list[str]] = defaultdict(list)
    for run, record in _records(storage):
        for key in (record or {}).values():
            users[key].append(run)
    return users


def _kept(store: ArtifactStore, items: list[Item], before: float) -> set[str]:
    lately: dict[str, float] = defaultdict(float)
    for item in items:
        lately[_stage(item)] = max(lately[_stage(item)], item.modified)

    open_ends = [item.key for item in items if lately[_stage(item)] >= before]
    open_ends += [item.key for item in items if item.runs and item.kind == "artifact"]
    kept: set[str] = set()

    while open_ends:
        key = open_ends.pop()
        if key not in kept:
            kept.add(key)
            open_ends += _upstream(store, key)

    for item in items:  # scores belong to the artifacts that were scored
        upstream = _upstream(store, item.key) if item.key.startswith("scores-") else []
        if upstream and kept.issuperset(upstream):
            kept.add(item.key)

    return kept


def _stage(item: Item) -> str:
    return item.key.partition(".part-")[0]


def _upstream(store: ArtifactStore, key: str) -> list[str]:
    try:
        upstream = store.manifest(key)["provenance"].get("upstream", {})
        return [str(name) for name in upstream.values()]
    except DAMAGED:
        return []


def _orphaned_files(store: ArtifactStore, kept: set[str], before: float) -> list[Waste]:
    """Files beside a manifest that does not list them: a writer's whose manifest was replaced."""
    found = []
    for entry in store.storage.entries("artifacts/"):
        _, key, file = entry.name.split("/", 2)
        old = key in kept and entry.modified < before
        if old and file != "manifest.json" and file not in store.files(key):
            found.append(_file(store.storage, entry))

    return found


def _unfinished(storage: Storage, before: float) -> list[Waste]:
    found = []
    for write in storage.unfinished_writes():
        if write.entry.modified < before:
            name = f"unfinished write of {write.entry.name}"
            found.append(Waste(name, write.entry.bytes, write.remove))

    for entry in storage.entries("probe-"):
        if _PROBE.fullmatch(entry.name) and entry.modified < before:
            found.append(_file(storage, entry))

    return found


def _file(storage: Storage, entry: Entry) -> Waste:
    return Waste(f"file {entry.name}", entry.bytes, functools.partial(storage.delete, entry.name))
