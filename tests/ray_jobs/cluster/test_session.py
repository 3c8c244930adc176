"""Which Ray a job joins."""

from __future__ import annotations

import socket
import time

import pytest
import ray

from ray_jobs.cluster import session


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_the_address_of_a_dead_cluster_is_said_at_once(monkeypatch, scheme):
    with socket.socket() as probe:  # a port that was free a moment ago
        probe.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{probe.getsockname()[1]}"

    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    start = time.monotonic()
    with pytest.raises(ValueError, match="no Ray cluster answers there") as caught:
        session.connect()
    message = str(caught.value)
    assert message.startswith(f"RAY_ADDRESS={address}: ") and "\n" not in message
    assert time.monotonic() - start < 15


def test_the_address_of_a_dashboard_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ValueError, match="is for ray job submit; give ray://HOST:10001"):
        session.connect()


def test_other_addresses_are_rays_business(monkeypatch):
    joined = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **settings: joined.append(settings))
    with socket.create_server(("127.0.0.1", 0)) as server:
        for address in ("auto", f"127.0.0.1:{server.getsockname()[1]}"):
            monkeypatch.setenv("RAY_ADDRESS", address)
            assert session.connect()
    assert joined == [{"log_to_driver": False}] * 2
