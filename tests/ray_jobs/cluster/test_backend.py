"""What data-parallel workers talk by: two on one GPU never by NCCL, which would hang or fail."""

from __future__ import annotations

import logging

import pytest

from ray_jobs.cluster.backend import choose_backend


@pytest.mark.parametrize(
    ("wanted", "gpus", "workers", "chosen"),
    [
        ("auto", 0.0, 2, "gloo"),
        ("auto", 1.0, 2, "nccl"),
        ("auto", 2.0, 4, "nccl"),
        ("auto", 0.5, 1, "nccl"),
        ("auto", 0.5, 2, "gloo"),
        ("gloo", 1.0, 2, "gloo"),
        ("gloo", 0.5, 2, "gloo"),
        ("nccl", 1.0, 2, "nccl"),
        ("nccl", 0.5, 1, "nccl"),
    ],
)
def test_nccl_is_for_workers_with_gpus_of_their_own(wanted, gpus, workers, chosen):
    assert choose_backend(wanted, gpus, workers) == chosen


def test_gloo_for_want_of_gpus_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        choose_backend("auto", 1.0, 2)
        assert not caplog.messages
        choose_backend("auto", 0.5, 2)
    assert caplog.messages[0].startswith("2 workers with 0.5 of a GPU each share GPUs")


@pytest.mark.parametrize(
    ("gpus", "reason"), [(0.0, "workers have none"), (0.5, "each of 2 has 0.5 of one")]
)
def test_nccl_where_it_can_not_work_is_refused(gpus, reason):
    with pytest.raises(ValueError, match=rf"^resources.backend is nccl, .* {reason}: take .*$"):
        choose_backend("nccl", gpus, 2)
