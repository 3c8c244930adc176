"""Where a job is: nodes, what is in use and what that has cost, by a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ray_jobs.cluster import meter as usage
from ray_jobs.cluster.meter import HEAD_RESOURCE, Meter
from ray_jobs.cluster.resources import Resources
from scgan.config import override
from scgan.pipeline.executor import Usage


def node(name, alive=True, head=False, gpus=0.0, **labels):
    resources = {"CPU": 4.0, "GPU": gpus} | ({HEAD_RESOURCE: 1.0} if head else {})
    labels |= {"ray.io/node-id": name}
    return {
        "NodeID": name,
        "Alive": alive,
        "NodeManagerAddress": name,
        "Resources": resources,
        "Labels": labels,
    }


@pytest.fixture
def cluster(monkeypatch):
    """``cluster(minutes, *nodes, free=...)`` moves the clock on and says which nodes are there."""
    there = SimpleNamespace(now=0.0, nodes=[], free={})
    monkeypatch.setattr(usage, "time", SimpleNamespace(monotonic=lambda: there.now))
    fake = SimpleNamespace(nodes=lambda: there.nodes, available_resources=lambda: there.free)
    monkeypatch.setattr(usage, "ray", fake)

    def become(minutes, *nodes, free=None):
        there.now += 60 * minutes
        there.nodes, there.free = list(nodes), free or {}

    return become


HEAD = node("a", head=True)
SPOT = node("b", gpus=1.0, **{"ray.io/node-group": "gpu_spot"})
FULL = node("c", gpus=1.0, **{"ray.io/node-group": "gpu_on_demand"})


def test_each_node_costs_its_price_for_as_long_as_it_is_there(cluster):
    meter = Meter({"head": 0.6, "gpu_spot": 6.0, "*": 60.0})
    cluster(0, HEAD)
    assert meter.read() == Usage(1, 0.0, 0.0, 4.0, 4.0, 0.0)
    cluster(10, HEAD, SPOT)
    assert meter.read().cost == pytest.approx(0.1)
    cluster(10, HEAD, SPOT, FULL, free={"GPU": 0.75, "CPU": 10.0})
    assert meter.read() == Usage(3, 2.0, 1.25, 12.0, 2.0, pytest.approx(0.2 + 1.0))
    cluster(10, HEAD, node("b", alive=False), FULL)
    found = meter.read()  # the spot machine was seen last ten minutes ago
    assert found.nodes == 2 and found.cost == pytest.approx(1.2 + 0.1 + 10.0)
    assert found.words == {"nodes": "2", "GPUs": "1/1", "cost": "11.30"}


def test_the_first_price_that_fits_is_a_nodes(cluster):
    cluster(0, HEAD)
    meters = [Meter(prices) for prices in ({"*": 6.0, "head": 1.0}, {"head": 1.0, "*": 6.0})]
    for meter in meters:
        meter.read()
    cluster(60, HEAD)
    assert [meter.read().cost for meter in meters] == [6.0, 1.0]


def test_a_node_without_a_price_is_named_once(cluster, caplog):
    meter = Meter({"gpu_on_demand": 1.0})
    for _ in range(3):
        cluster(60, SPOT, FULL)
        last = meter.read()
    assert last.cost == pytest.approx(2.0)
    assert [record.getMessage() for record in caplog.records] == [
        "none of resources.prices fits the node at b, whose cost is left out; its names are *, "
        "gpu_spot"
    ]


def test_without_prices_there_is_no_cost(cluster, caplog):
    meter = Meter({})
    for _ in range(2):
        cluster(60, HEAD)
        found = meter.read()
    assert (
        found.cost is None and found.words == {"nodes": "1", "CPUs": "4/4"} and not caplog.records
    )


def test_a_reading_is_due_now_and_then(cluster):
    meter, told = Meter({}), []
    report = SimpleNamespace(used=told.append)
    for minutes in (0.0, 0.1, 0.1, 0.01):
        cluster(minutes, HEAD)
        meter.tell(report)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("head=0.2,gpu_spot=0.4", {"head": 0.2, "gpu_spot": 0.4}),
        ("1.5", {"*": 1.5}),
    ],
)
def test_prices_of_a_command_line(text, prices):
    found = override(Resources(), {"prices": text}, "resources").prices
    assert found == prices and list(found) == list(prices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "head=0.2,0.4",
            r"^resources.prices: give NAME=PRICE,NAME=PRICE, or one price for every node",
        ),
        ("head=", r"^resources.prices: give NAME=PRICE"),
        ("head=cheap", r"^resources.prices.head: .*valid number.*'cheap'"),
        ("head=-1", r"^resources.prices.head: .*greater than or equal to 0"),
    ],
)
def test_wrong_prices_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        override(Resources(), {"prices": text}, "resources")
