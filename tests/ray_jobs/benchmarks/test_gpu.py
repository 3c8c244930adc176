"""The benchmark of a GPU, small on the CPU: each part prints what it says; a deadline is kept."""

from __future__ import annotations

import json
import math
import threading

import pytest
import torch
from click.testing import CliRunner

from ray_jobs.benchmarks import gpu
from ray_jobs.benchmarks.rates import Enough, Pace
from scgan.training.runtime import Progress

pytestmark = pytest.mark.gpu


def rows(*words):
    found = CliRunner().invoke(gpu.command, [*map(str, words), "--small"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return [json.loads(line) for line in found.output.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("system", "stages"),
    [
        ("scgan", {"encode": 2, "map": 1, "decode": 2}),
        ("eigengan", {"encode": 2, "attributes": 1, "judge": 2, "generate": 2}),
        ("mmgan", {"gan": 1}),
    ],
)
def test_stages_are_timed_in_each_precision_they_have(system, stages):
    found = rows("stages", "--system", system)
    devices = 2 if torch.cuda.is_available() else 1
    for stage, precisions in stages.items():
        own = [row for row in found if row["stage"] == stage]
        assert len(own) == devices * precisions
        assert all(row["samples_a_second"] > 0 for row in own)
    assert {row["stage"] for row in found} == stages.keys()


@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler, which is not ours
def test_compiled_steps_are_compared_with_plain_ones():
    found = rows("compiled")
    assert [(row["precision"], row["mode"]) for row in found] == [
        (precision, mode) for precision in ("fp32", "bf16") for mode in gpu.TRACED
    ]
    assert not [row["error"] for row in found if "error" in row]
    assert all(row["ratio"] > 0 for row in found) and found[0]["ratio"] == 1


def test_a_stack_of_mappers_is_faster_than_one_by_one():
    (row,) = rows("mappers")
    assert row["mappers"] == 16 and row["ratio"] > 1


def test_the_share_of_waiting_is_one():
    (row,) = rows("waiting")
    assert 0 < row["share"] < 1


def test_quality_trains_scores_and_takes_up(tmp_path):
    words = ("quality", "--system", "plain_gan", "--data", "digits", "--store", tmp_path)
    (row,) = rows(*words, "gan.width=32")
    assert row["run"].startswith("plain_gan-digits") and row["stages"].keys() >= {"gan", "evaluate"}
    assert row["scores"] and all(math.isfinite(value) for value in row["scores"].values())

    (row,) = rows(*words, "gan.width=64", "--minutes", "0")
    assert row["unfinished"].startswith("gan: ")


def test_a_deadline_ends_trainings_but_no_score():
    late = gpu.Deadline(-1.0)
    late.progress("evaluate", Progress(1, 2, {}))
    with pytest.raises(gpu.OutOfTime, match="^decode: 1,000 of 2,000 samples$"):
        late.progress("decode", Progress(1000, 2000, {}))

    failed = []
    thread = threading.Thread(
        target=lambda: failed.append(late.progress("map", Progress(1, 2, {})))
    )
    thread.start()
    thread.join()
    assert failed == [None]
    gpu.Deadline(60.0).progress("decode", Progress(1, 2, {}))


def test_the_pace_is_that_after_the_first_report():
    pace = Pace(2.0)
    for samples, seconds in ((100, 10.0), (300, 11.0), (500, 12.0)):
        pace(Progress(samples, 1000, {}, seconds))
    with pytest.raises(Enough):
        pace(Progress(820, 1000, {}, 12.4))
    assert pace.value == pytest.approx(300)

    alone = Pace(1.0)
    alone(Progress(50, 50, {}, 0.5))
    assert alone.value == pytest.approx(100)
