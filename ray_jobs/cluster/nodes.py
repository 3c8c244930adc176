"""Nodes of a cluster: those that are there, those that may come, those that are coming.

What a cluster may grow to is in the file that its autoscaler goes by. A job runs beside the
autoscaler, on the head, and finds that file by the autoscaler's own command line; nothing in Ray's
API tells it. Where it can't be found (a driver on another machine, or KubeRay, whose autoscaler has
a container of its own), a cluster without any CPU still is one that grows: it has nothing else to
work with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
import yaml

Node = Mapping[str, float]
"""Resources of a node, ``{"CPU": 4, "GPU": 1}``."""

HEAD_RESOURCE = "node:__internal_head__"  # Ray's mark of the node that the cluster began with
CONFIG, ADDRESS = "--autoscaling-config=", "--gcs-address="  # words of the autoscaler's command


def present() -> list[Node]:
    """The nodes that are there."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def possible() -> list[Node]:
    """The nodes that can be there at once: by the cluster's node types, else those that are."""
    there = present()
    config = autoscaling_config()
    if config is None:
        return there
    return [*(node for node in there if HEAD_RESOURCE in node), *workers_of(config)]


def total(nodes: Sequence[Node], kind: str) -> float:
    """A resource of some nodes together."""
    return sum(node.get(kind, 0) for node in nodes)


def largest(nodes: Sequence[Node], kind: str) -> float:
    """The most of a resource that one node has."""
    return max((node.get(kind, 0) for node in nodes), default=0)


def places(nodes: Sequence[Node], bundle: Node) -> float:
    """How many equal bundles some nodes hold at once; infinitely many of an empty one."""
    found = 0.0
    for node in nodes:
        held = [_times(amount, node.get(kind, 0)) for kind, amount in bundle.items() if amount]
        found += min(held, default=math.inf)
    return found


def _times(amount: float, there: float) -> int:
    return math.floor(there / amount + 1e-9)  # 0.3 / 0.1 is a little below 3


def workers_of(config: Mapping[str, Any]) -> list[Node]:
    """The workers that an autoscaler's file allows at once, types that are preferred first."""
    most, kinds = config.get("max_workers", 2), dict(config["available_node_types"])
    kinds.pop(config["head_node_type"], None)
    workers: list[Node] = []

    for kind in sorted(kinds.values(), key=lambda kind: -kind.get("priority", 0)):
        workers += [kind.get("resources", {})] * kind.get("max_workers", most)

    return workers[:most]


def autoscaling_config() -> Mapping[str, Any] | None:
    """The file by which the autoscaler of this process's cluster goes, if it runs on this machine.

    Returns:
        The file's content; None where no such autoscaler is found.
    """
    address = getattr(ray.get_runtime_context(), "gcs_address", None)  # Ray's client has none
    for words in _commands():
        found = {word.partition("=")[0] + "=": word.partition("=")[2] for word in words}
        if CONFIG in found and found.get(ADDRESS) == address:
            config: Mapping[str, Any] = yaml.safe_load(Path(found[CONFIG]).read_text())
            return config
    return None


def _commands() -> Iterator[list[str]]:
    """Words of the command lines of this machine's processes, where its system shows them."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue


def coming() -> str:
    """What the autoscaler is starting, and the last thing that it failed to, in words."""
    from ray.autoscaler.v2.sdk import get_cluster_status

    try:
        status = get_cluster_status(ray.get_runtime_context().gcs_address)
    except Exception:  # what can't be told now is told the next time
        return ""

    names = Counter(node.ray_node_type_name for node in status.pending_nodes)
    for launch in status.pending_launches:
        names[launch.ray_node_type_name] += launch.count

    told = [f"{number} {name}" for name, number in sorted(names.items())]
    words = f"; starting {' and '.join(told)}" if told else ""
    for launch in status.failed_launches[-1:]:
        words += f"; {launch.ray_node_type_name} could not be started: {launch.details}"

    return words
