from __future__ import annotations

from ray_jobs.benchmarks.loading import loading, write_folder


def test_fetching_a_batch_is_a_small_share_of_a_step(tmp_path):
    write_folder(tmp_path / "images", 40)
    measured = loading(tmp_path / "images", size=32, batch_size=4, steps=3)
    assert measured["decoded_a_second"] > 0
    assert 0 < measured["share"] == measured["fetch_seconds"] / measured["step_seconds"] < 0.5
