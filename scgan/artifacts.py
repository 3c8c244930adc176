"""Content-addressed artifacts: tensors and plain values, stored under the hash of what determined them.

An artifact is a folder of a store, ``artifacts/<key>/``: a safetensors file named by its own hash, and
``manifest.json``, written last. Without a manifest whose hashes hold, the artifact does not exist. Nothing that is
read is a pickle.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

import scgan
from scgan.storage import Storage, check_name, open_storage

FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artifact:
    """What a stage made.

    Args:
        tensors: Weights and arrays by name.
        meta: Plain values (numbers, strings, lists, dicts) that JSON can hold.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def section(self, prefix: str) -> dict[str, Tensor]:
        """The tensors named ``prefix.*``, without the prefix: a module's state dict."""
        start = f"{prefix}."
        return {name.removeprefix(start): t for name, t in self.tensors.items() if name.startswith(start)}


def digest(value: Any) -> str:
    """Hex sha256 of a plain value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ArtifactStore:
    """Artifacts by key, in a folder or under an S3 prefix.

    Args:
        url: A path or ``s3://bucket/prefix``.
        write: Whether it must be writable, and is made where it is missing; else it only must be there.

    Raises:
        ValueError: If it can't be used so.
    """

    def __init__(self, url: str, *, write: bool = True) -> None:
        self.storage: Storage = open_storage(url, write=write)
        self.url = self.storage.url

    def save(self, key: str, artifact: Artifact, provenance: Mapping[str, Any] | None = None) -> None:
        """Store ``artifact`` under ``key``, manifest last; an older one of that key is replaced."""
        content = safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in artifact.tensors.items()})
        checksum = hashlib.sha256(content).hexdigest()
        name = f"tensors-{checksum[:16]}.safetensors"
        manifest = {
            "format": FORMAT,
            "key": key,
            "provenance": dict(provenance or {}),
            "files": {name: {"sha256": checksum, "bytes": len(content)}},
            "meta": dict(artifact.meta),
            "versions": versions(),
        }
        replaced = self._files(key)
        self.storage.write(f"artifacts/{key}/{name}", content)
        text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False)
        self.storage.write(f"artifacts/{key}/manifest.json", text.encode())
        for other in replaced - {name}:
            self.storage.delete(f"artifacts/{key}/{other}")

    def load(self, key: str) -> Artifact | None:
        """The artifact under ``key``, its hash checked; None where there is none, or a broken one (which is logged)."""
        raw = self.storage.read(f"artifacts/{key}/manifest.json")
        if raw is None:
            return None
        try:
            manifest = json.loads(raw)
            ((name, entry),) = manifest["files"].items()
            content = self.storage.read(f"artifacts/{key}/{check_name(name)}") or b""
            if manifest["format"] != FORMAT or hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise ValueError("a checksum does not hold")
            return Artifact(safetensors.torch.load(content), manifest["meta"])
        except (ValueError, KeyError, TypeError, AttributeError, safetensors.SafetensorError) as error:
            _log.warning("artifact %s is damaged (%s) and counts as missing", key, error)
            return None

    def _files(self, key: str) -> set[str]:
        """Files of the manifest under ``key``, if it is whole: another writer's new ones are not among them."""
        raw = self.storage.read(f"artifacts/{key}/manifest.json")
        try:
            return {check_name(name) for name in json.loads(raw or b"{}")["files"]}
        except (ValueError, KeyError, TypeError):
            return set()

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix`` and have a manifest, sorted."""
        for name in self.storage.names(f"artifacts/{prefix}"):
            if name.endswith("/manifest.json"):
                yield name.split("/")[1]

    def delete(self, key: str) -> None:
        """Remove the artifact, manifest first."""
        self.storage.delete(f"artifacts/{key}/manifest.json")
        for name in list(self.storage.names(f"artifacts/{key}/")):
            self.storage.delete(name)


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    packages = {name: importlib.metadata.version(name) for name in ("torch", "scikit-learn", "numpy")}
    return {"scgan": scgan.__version__, "python": platform.python_version(), **packages}
