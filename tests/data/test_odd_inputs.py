"""Every odd input is read right and what is odd said, or refused in a line before training."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scgan.cli.commands import build_spec
from scgan.data.loading import load
from scgan.pipeline import executor as execution

sys.path.insert(0, str(Path(__file__).parent))
odd_inputs: ModuleType = __import__("odd_inputs")
sys.path.pop(0)

CASES = [(odd, None) for odd in odd_inputs.ALL]
CASES += [(odd, "true") for odd in odd_inputs.ALL if odd.streamed]


@pytest.fixture(scope="module", autouse=True)
def counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print how many there are."""
    yield
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"{len(odd_inputs.ALL)} odd inputs, {len(CASES)} with those streamed")


def test_there_are_many() -> None:
    assert len(odd_inputs.ALL) >= 100


@pytest.mark.parametrize(
    ("odd", "stream"), CASES, ids=[f"{odd.name}-{stream or 'whole'}" for odd, stream in CASES]
)
def test_an_odd_input(
    tmp_path: Path,
    scgan_command: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    odd: Any,
    stream: str | None,
) -> None:
    made = odd.make(tmp_path)
    source = made if "://" in made else str(tmp_path / made)
    if odd.name == "no table":
        source = str(tmp_path / "set/part-00000")
    words = [*odd.flags, *(() if stream is None else ("--data.stream", stream))]

    if odd.refused is not None:
        monkeypatch.setattr(execution, "fit_part", None)
        store = tmp_path / "runs"
        said = scgan_command("fit", "--data", source, "--store", store, "--preset", "smoke", *words)
        assert said.code == 2 and said.out == ""
        assert said.err.count("\n") == 1 and said.err.startswith("error: "), said.err
        assert odd.refused in said.err and len(said.err) < 700
        return

    spec, _ = build_spec("scgan", source, "smoke", (), words, 0)
    data = load(spec.data, 0)
    names = data.table_schema.names if data.kind == "table" else data.image_schema.attributes
    assert names == odd.names and data.num_train + data.num_test == odd.rows
    assert odd.check(data)
    assert odd.told in caplog.text and bool(odd.told) == bool(caplog.text)
    assert not re.search(r"\n\n|Traceback", caplog.text)
