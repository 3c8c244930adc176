"""A paper's trainings: groups at once, results in the cells' order whichever ends first."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ray_jobs import reproduce


def test_results_are_in_the_cells_order(monkeypatch):
    options = {}

    def remote(**asked):
        options.update(asked)
        return lambda function: SimpleNamespace(remote=lambda *words: (*words[0], words[1]))

    fake = SimpleNamespace(
        remote=remote,
        wait=lambda pending: (pending[-1:], pending[:-1]),  # the last ends first
        get=lambda task: [f"{cell} in {task[-1]}" for cell in task[:-1]],
    )
    monkeypatch.setattr(reproduce, "ray", fake)
    monkeypatch.setattr(reproduce, "connect", lambda: None)
    monkeypatch.setattr(reproduce, "plan", lambda resources: SimpleNamespace(cpus=1, task_gpus=0.0))
    results = reproduce._trained([[["a"]], [["b", "c"], ["d"], ["e"]]], "runs", "")
    assert results == [f"{cell} in runs" for cell in "abcde"]
    assert options == {"num_cpus": 1, "num_gpus": 0.0, "max_retries": 3}


@pytest.mark.parametrize("seeds", ["", "0,x", "1,,2", "-1"])
def test_seeds_that_are_no_numbers_are_refused(seeds):
    with pytest.raises(ValueError, match="--seeds takes whole numbers"):
        reproduce.main.main(["scgan", "--seeds", seeds], standalone_mode=False)


def test_some_tables_only():
    cells = {title: SimpleNamespace(column=title) for title in ("", "Table 1: loss", "Table 2")}
    rounds = [[[cells[""]]], [[cells["Table 1: loss"]], [cells["Table 2"]]]]
    assert reproduce._some(rounds, "") == rounds
    assert reproduce._some(rounds, "LOSS") == [[[cells[""]]], [[cells["Table 1: loss"]]]]
    with pytest.raises(ValueError, match="is in no title; they are: .*Table 1: loss; Table 2"):
        reproduce._some(rounds, "baseline")
