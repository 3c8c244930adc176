"""What all tests share: no stray state of the user's, one thread, one Ray."""

from __future__ import annotations

import os
import tempfile

import pytest

# Before anything imports Ray or MLflow: both keep state under HOME and read these once.
os.environ["HOME"] = tempfile.mkdtemp(prefix="scgan-home-")
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.2"
os.environ["OMP_NUM_THREADS"] = "1"
for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "SCGAN_DEBUG"):
    os.environ.pop(name, None)

import torch  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ray_session():
    """One private Ray of two CPUs for the whole session."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()
