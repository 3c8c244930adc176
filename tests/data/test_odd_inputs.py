"""Every odd input is read right and what is odd said, or refused in a line before training."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from scgan.cli.commands import build_spec
from scgan.data.loading import load
from scgan.pipeline import executor as execution

sys.path.insert(0, str(Path(__file__).parent))
tables, others, more = map(import_module, ("odd_tables", "odd_others", "odd_more"))
sys.path.pop(0)

LISTS = (
    *(tables.TEXTS, tables.FOLDERS, others.COLUMNS, others.IMAGES, others.ADDRESSES),
    *(more.TEXTS, more.FOLDERS, more.COLUMNS, more.IMAGES, more.ADDRESSES),
)
ALL = [*chain.from_iterable(LISTS)]
CASES = [*((odd, None) for odd in ALL), *((odd, "true") for odd in ALL if odd.streamed)]


def test_there_are_many() -> None:
    print(f"\n{len(ALL)} odd inputs, {len(CASES)} with those that are streamed, too")
    assert len(ALL) >= 100 and len({odd.name for odd in ALL}) > 100


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
    source = made if ":/" in made else str(tmp_path / made)
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
