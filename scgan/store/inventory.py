"""What lies in a store: what each artifact is, which runs use it, what is damaged and what nobody needs."""

from __future__ import annotations

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

_PROBE = re.compile(
    r"probe-\d+"
)  # what opening a store writes, where the process was killed at that moment


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
    return [
        Item(
            key,
            _kind(key, found),
            sum(e.bytes for e in found),
            max(e.modified for e in found),
            tuple(users[key]),
        )
        for key, found in sorted(files.items())
    ]


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

        missing = [
            f"its {stage} artifact {key}"
            for stage, key in sorted((record or {}).items())
            if key not in whole
        ]

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
        return _remains(storage, before)

    kept = _kept(store, items, before)
    found = [
        Waste(f"{item.kind} {item.key}", item.bytes, _deletion(store, item.key))
        for item in items
        if item.key not in kept
    ]

    return found + _strays(store, kept, before) + _remains(storage, before)


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
                record = json.loads(storage.read(name) or b"")["artifacts"]
                yield run, {str(stage): str(key) for stage, key in record.items()}
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


def _strays(store: ArtifactStore, kept: set[str], before: float) -> list[Waste]:
    """Files beside a manifest that does not name them: another writer's, whose manifest was replaced."""
    found = []
    for entry in store.storage.entries("artifacts/"):
        _, key, file = entry.name.split("/", 2)
        if (
            key in kept
            and file != "manifest.json"
            and entry.modified < before
            and file not in _files(store, key)
        ):
            found.append(
                Waste(f"file {entry.name}", entry.bytes, _removal(store.storage, entry.name))
            )

    return found


def _files(store: ArtifactStore, key: str) -> set[str]:
    try:
        return set(store.manifest(key)["files"])
    except DAMAGED:
        return set()


def _remains(storage: Storage, before: float) -> list[Waste]:
    found = [
        Waste(f"unfinished write of {remains.entry.name}", remains.entry.bytes, remains.remove)
        for remains in storage.remains()
        if remains.entry.modified < before
    ]

    for entry in storage.entries("probe-"):
        if _PROBE.fullmatch(entry.name) and entry.modified < before:
            found.append(Waste(f"file {entry.name}", entry.bytes, _removal(storage, entry.name)))

    return found


def _deletion(store: ArtifactStore, key: str) -> Callable[[], None]:
    return lambda: store.delete(key)


def _removal(storage: Storage, name: str) -> Callable[[], None]:
    return lambda: storage.delete(name)
