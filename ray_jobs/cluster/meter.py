"""What a job holds of its cluster, and what that has cost so far."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import ray

from ray_jobs.cluster.nodes import HEAD_RESOURCE
from scgan.pipeline.executor import Reporter, Usage

READ_EVERY = 10.0  # seconds
ANY, HEAD = "*", "head"
_log = logging.getLogger(__name__)


def named_prices(given: Any) -> Any:
    """Turn a command line's ``name=price,name=price``, or one price for all, into prices by name.

    Raises:
        ValueError: For a text that is neither.
    """
    if not isinstance(given, str):
        return given
    pairs = [pair.partition("=") for pair in given.split(",") if pair]
    if len(pairs) == 1 and not pairs[0][1]:
        return {ANY: given}
    if not all(equals and name and price for name, equals, price in pairs):
        raise ValueError("give NAME=PRICE,NAME=PRICE, or one price for every node")
    return {name: price for name, _, price in pairs}


class Meter:
    """Reads the cluster now and then, and adds up the price of its nodes between the readings.

    A node counts from the first reading that finds it to the last, so that the cost is right to the
    time between two.

    Args:
        prices: Of an hour, by the value of one of a node's labels (the node's type under ``ray
            up``, its group under KubeRay, both as ``ray.io/node-group``), ``head`` or ``*`` for any
            node; the first that fits a node is its.
    """

    def __init__(self, prices: Mapping[str, float]) -> None:
        self.prices = prices
        self.cost = 0.0
        self.last = time.monotonic()
        self.told = float("-inf")
        self.alive: set[str] = set()
        self.unpriced: set[str] = set()

    def read(self) -> Usage:
        """Nodes and what is in use now, and the cost since the first reading."""
        nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        now = time.monotonic()
        hours = (now - self.last) / 3600
        self.cost += sum(hours * self._price(nodes[name]) for name in self.alive & nodes.keys())
        self.alive, self.last = set(nodes), now

        there, free = {"GPU": 0.0, "CPU": 0.0}, ray.available_resources()
        for node in nodes.values():
            for kind in there:
                there[kind] += node["Resources"].get(kind, 0.0)

        in_use = {kind: max(0.0, round(there[kind] - free.get(kind, 0.0), 4)) for kind in there}
        cost = self.cost if self.prices else None

        return Usage(len(nodes), there["GPU"], in_use["GPU"], there["CPU"], in_use["CPU"], cost)

    def due(self) -> Usage | None:
        """A reading, where the last one of these is some time ago."""
        if time.monotonic() - self.told < READ_EVERY:
            return None
        self.told = time.monotonic()
        return self.read()

    def tell(self, report: Reporter) -> None:
        """Report a reading where one is due."""
        if usage := self.due():
            report.used(usage)

    def _price(self, node: Mapping[str, Any]) -> float:
        names = {ANY, *node["Labels"].values()} - {node["NodeID"]}  # which is a label too
        if HEAD_RESOURCE in node["Resources"]:
            names.add(HEAD)

        for name, price in self.prices.items():
            if name in names:
                return price

        if self.prices and node["NodeID"] not in self.unpriced:
            self.unpriced.add(node["NodeID"])
            _log.warning(
                "none of resources.prices fits the node at %s, whose cost is left out; "
                "its names are %s",
                node["NodeManagerAddress"],
                ", ".join(sorted(names)),
            )

        return 0.0
