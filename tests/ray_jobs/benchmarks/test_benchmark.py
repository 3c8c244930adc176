"""The command has every benchmark, and says so in a line where they are not installed."""

from __future__ import annotations

import sys

import click
import pytest

from ray_jobs import benchmark
from ray_jobs.benchmarks import streaming
from ray_jobs.benchmarks.showing import show

NAMES = (
    "ablations clusters encoders gain gpu loading magic mixtures nodes overhead packing scale "
    "search serving step stopping stream tables toy2d"
)


def test_every_benchmark_is_a_command(monkeypatch):
    seen = []
    monkeypatch.setattr(benchmark.commands, "guarded", seen.append)
    benchmark.main()
    assert sorted(seen[0].commands) == NAMES.split()
    for command in seen[0].commands.values():
        assert command.help and isinstance(command, click.Command)


def test_without_the_folder_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray_jobs.benchmarks", None)
    with pytest.raises(SystemExit, match="^the benchmarks are not installed: .* repository$"):
        benchmark.main()


def test_what_a_benchmark_runs_is_there():
    assert streaming.MAIN.is_file()


def test_figures_are_a_line_of_json(capsys):
    show(ratio=1.23456, stages={"map": 0.000123456}, tasks=3)
    assert capsys.readouterr().out == '{"ratio": 1.235, "stages": {"map": 0.0001235}, "tasks": 3}\n'
