"""Artifacts: tensors and plain values, stored under the hash of what determined them.

An artifact is a folder of a store, ``artifacts/<key>/``: a safetensors file of a name that no other
write uses, parquet files where it holds rows of data, and ``manifest.json``, written last. Without
a manifest whose hashes hold, the file's and its own, the artifact does not exist. Nothing that is
read is a pickle.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import platform
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

import scgan
from scgan.store.opening import open_storage
from scgan.store.parquet import TableFile
from scgan.store.storage import Storage, check_name

FORMAT = 2
# What reading one can raise, whatever it holds.
DAMAGED = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    safetensors.SafetensorError,
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artifact:
    """What a stage made.

    Args:
        tensors: Weights and arrays by name.
        meta: Plain values (numbers, strings, lists, dicts) that JSON can hold.
        tables: Rows in parquet files that its fit has written already, in the order of their names.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[TableFile, ...] = ()

    def section(self, prefix: str) -> dict[str, Tensor]:
        """The tensors named ``prefix.*``, without the prefix: a module's state dict."""
        start = f"{prefix}."
        names = [name for name in self.tensors if name.startswith(start)]
        return {name.removeprefix(start): self.tensors[name] for name in names}


def digest(value: Any) -> str:
    """Hex sha256 of a plain value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ArtifactStore:
    """Artifacts by key, in a folder or under an S3 prefix.

    Args:
        url: A path or ``s3://bucket/prefix``.
        write: Whether it must be writable, and is made where it is missing; else it only must be
            there.
        probe: Whether to find that out now; not in the middle of a run that did.

    Raises:
        ValueError: If it can't be used so.
    """

    def __init__(self, url: str, *, write: bool = True, probe: bool = True) -> None:
        self.storage: Storage = open_storage(url, write=write, probe=probe)
        self.url = self.storage.url

    def save(
        self, key: str, artifact: Artifact, provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Store ``artifact`` under ``key``, manifest last; an older one of that key is replaced."""
        tensors = {name: t.detach().cpu().contiguous() for name, t in artifact.tensors.items()}
        content = safetensors.torch.save(tensors)
        checksum = hashlib.sha256(content).hexdigest()

        # A name of its own, so that whoever replaces this artifact never removes a file of another
        # writer's manifest.
        name = f"tensors-{checksum[:16]}-{secrets.token_hex(4)}.safetensors"
        files: dict[str, dict[str, Any]] = {name: {"sha256": checksum, "bytes": len(content)}}

        for table in artifact.tables:
            entry = {"sha256": table.sha256, "bytes": table.bytes, "rows": table.rows}
            files[table.name.removeprefix(f"artifacts/{key}/")] = entry

        manifest = {
            "format": FORMAT,
            "key": key,
            "provenance": dict(provenance or {}),
            "files": files,
            "meta": dict(artifact.meta),
            "versions": versions(),
        }

        # As it will be read: with texts for keys.
        manifest = json.loads(json.dumps(manifest, allow_nan=False))
        manifest["sha256"] = digest(manifest)
        text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False)

        # The manifest last: it makes the artifact, and then what it replaced can go.
        replaced = self.files(key)
        self.storage.write(f"artifacts/{key}/{name}", content)
        self.storage.write(_manifest(key), text.encode())
        for other in replaced - files.keys():
            self.storage.delete(f"artifacts/{key}/{other}")

    def load(self, key: str) -> Artifact | None:
        """The artifact under ``key``; None where there is none, or a broken one (which is logged).

        The hash of its tensors is checked; parquet files need only be there in their sizes: each
        page of theirs is checked when it is read.
        """
        raw = self.storage.read(_manifest(key))
        while raw is not None:
            try:
                return self._open(key, raw)
            except DAMAGED as error:
                again = self.storage.read(_manifest(key))
                if again == raw:  # else another writer has replaced it in between
                    _log.warning("artifact %s is damaged (%s) and counts as missing", key, error)
                    return None

                raw = again

        return None

    def check(self, key: str) -> str | None:
        """What is wrong with the artifact under ``key``, every byte read; None if it is whole."""
        raw = self.storage.read(_manifest(key))
        try:
            for table in self._open(key, raw or b"").tables:
                self._checked(table.name, table.sha256)
        except DAMAGED as error:
            return str(error)
        return None

    def _open(self, key: str, raw: bytes) -> Artifact:
        try:
            manifest = json.loads(raw)
        except ValueError:
            raise ValueError("its manifest is not JSON") from None

        if manifest.pop("sha256") != digest(manifest):
            raise ValueError("the checksum of its manifest does not hold")

        if manifest["format"] != FORMAT or manifest["key"] != key:
            raise ValueError("its manifest is another artifact's, or another version's")

        folder = f"artifacts/{key}/"
        files = {folder + name: entry for name, entry in manifest["files"].items()}
        names = sorted(name for name in files if name.endswith(".parquet"))
        tables = tuple(TableFile(name, **files[name]) for name in names)

        if tables:
            there = {entry.name: entry.bytes for entry in self.storage.entries(folder)}
            for table in tables:
                if there.get(table.name) != table.bytes:
                    raise ValueError(f"{table.name.rpartition('/')[2]} is missing or cut short")

        (tensors,) = files.keys() - set(names)
        content = self._checked(tensors, files[tensors]["sha256"])
        return Artifact(safetensors.torch.load(content), manifest["meta"], tables)

    def _checked(self, name: str, checksum: str) -> bytes:
        """A file's bytes.

        Raises:
            ValueError: If it is missing, or they are not those of the checksum.
        """
        content = self.storage.read(name)
        if content is None:
            raise ValueError(f"{name.rpartition('/')[2]} is missing")
        if hashlib.sha256(content).hexdigest() != checksum:
            raise ValueError(f"the checksum of {name.rpartition('/')[2]} does not hold")
        return content

    def manifest(self, key: str) -> dict[str, Any]:
        """The manifest under ``key``, as it is.

        Raises:
            ValueError: If there is none, or no JSON object.
        """
        manifest = json.loads(self.storage.read(_manifest(key)) or b"null")
        if not isinstance(manifest, dict):
            raise ValueError(f"{key} has no manifest")
        return manifest

    def files(self, key: str) -> set[str]:
        """Names of the files that the manifest under ``key`` lists; none if it can't be read."""
        try:
            return {check_name(name) for name in self.manifest(key)["files"]}
        except DAMAGED:
            return set()

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix`` and have a manifest, sorted."""
        for name in self.storage.names(f"artifacts/{prefix}"):
            if name.endswith("/manifest.json"):
                yield name.split("/")[1]

    def delete(self, key: str) -> None:
        """Remove the artifact, manifest first."""
        self.storage.delete(_manifest(key))
        for name in list(self.storage.names(f"artifacts/{key}/")):
            self.storage.delete(name)


def _manifest(key: str) -> str:
    return f"artifacts/{key}/manifest.json"


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    names = ("torch", "scikit-learn", "numpy")
    packages = {name: importlib.metadata.version(name) for name in names}
    return {"scgan": scgan.__version__, "python": platform.python_version(), **packages}
